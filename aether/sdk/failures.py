"""Exceptions to failures, which is what crosses a process, and failures back to the exceptions of `aether.errors`."""

import traceback
from math import ceil, inf
from pathlib import Path
from typing import Final, TypeVar

import anyio
from attrs import evolve

from aether.errors import NonRetryable, RetryAfter, RunError
from aether.model.limits import DEFAULT_LIMITS, Limits
from aether.model.payload import Failure

_CUT: Final = "… "
# All texts of a failure together are at most so many of the longest, and a little for each part.
_TEXTS: Final = 16
_TAIL: Final = 100
_OURS: Final = tuple(str(Path(__file__).parents[1] / part) for part in ("sdk", "testing"))
# Where `steps.ThreadLane` enters a thread: what is above it belongs to the event loop.
_THREAD: Final = "in_thread"

E = TypeVar("E", bound=RunError)


def failure_in(error: BaseException) -> BaseException | None:
    """The failure in what user code lets out. None: it is the end of whoever called it, and has to go on.

    `SystemExit` is a failure: libraries that are made for commands raise it, and a step that ended its worker would end
    every worker that it is given to. So is a cancel that nobody known here has asked for, as of a future that was
    cancelled. Of a group it is what remains without the cancels that were asked for: the scope that is cancelled would
    take them out too, and let the rest through to its worker.
    """
    if isinstance(error, (Exception, SystemExit)):
        return error
    if isinstance(error, BaseExceptionGroup):
        _, rest = error.split(_is_asked_cancel)
        return None if rest is None or rest.subgroup(_ends_process) is not None else rest
    return None if _is_asked_cancel(error) or _ends_process(error) else error


def _is_asked_cancel(error: BaseException) -> bool:
    return isinstance(error, anyio.get_cancelled_exc_class()) and anyio.current_effective_deadline() == -inf


def _ends_process(error: BaseException) -> bool:
    known = (Exception, SystemExit, BaseExceptionGroup, anyio.get_cancelled_exc_class())
    return not isinstance(error, known)


def to_failure(error: BaseException, limits: Limits = DEFAULT_LIMITS) -> Failure:
    """The exception as data, with its causes or members, cut to what a person would still read."""
    return _to_failure(error, limits, 1, _Room(limits.failure_text_max * _TEXTS))


class _Room:
    """How much text the parts of a failure may still have: it must fit into one message, whatever it is made of."""

    def __init__(self, left: int) -> None:
        self._left = left

    @property
    def is_full(self) -> bool:
        return self._left <= 0

    def clip(self, text: str, size_max: int) -> str:
        kept = clip(text, min(size_max, max(self._left, _TAIL)))
        self._left -= len(kept) + _TAIL
        return kept

    def fit(self, failure: Failure) -> Failure:
        """As it is if there is room for it, or without what it came from."""
        if _size_of(failure) > self._left:
            failure = evolve(failure, message=clip(failure.message, _TAIL), traceback="", causes=())
        self._left -= _size_of(failure)
        return failure


def _size_of(failure: Failure) -> int:
    return len(failure.message) + len(failure.traceback) + _TAIL + sum(map(_size_of, failure.causes))


def _to_failure(error: BaseException, limits: Limits, depth: int, room: _Room) -> Failure:
    is_group = isinstance(error, BaseExceptionGroup)
    below: list[BaseException] = []
    known: tuple[Failure, ...] = ()
    if isinstance(error, BaseExceptionGroup):
        below = list(error.exceptions[: limits.failure_causes_max])
    elif isinstance(error, RunError) and error.failure is not None:
        # The original is in the failure already; the exception around it only says where.
        known = (room.fit(error.failure),)
    elif (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        # What code was raised in while it was being cancelled says nothing about why it failed.
        below = [cause] if isinstance(cause, (Exception, SystemExit, BaseExceptionGroup)) else []
    message = room.clip(_text_of(error), limits.failure_text_max)
    traceback_text = room.clip(_traceback_of(error, limits.failure_text_max), limits.failure_text_max)
    if depth >= limits.failure_depth_max or room.is_full:
        below, known = [], ()
    causes = []
    for member in below:
        if room.is_full:
            break
        causes.append(_to_failure(member, limits, depth + 1, room))
    return Failure(
        type(error).__name__,
        message,
        traceback_text,
        (*known, *causes),
        group=is_group,
        non_retryable=isinstance(error, NonRetryable),
        retry_after_ms=_delay_ms(error.delay_s, limits) if isinstance(error, RetryAfter) else 0,
        bases=_bases_of(error, limits),
    )


def _delay_ms(delay_s: float, limits: Limits) -> int:
    """Rounded up, and never 0, which would leave the delay to the policy."""
    return max(1, ceil(min(delay_s * 1000, limits.delay_max_ms)))


def _bases_of(error: BaseException, limits: Limits) -> tuple[str, ...]:
    """What an `except` clause could have named, beside the class itself; `object` is none of it."""
    return tuple(kind.__name__[: limits.name_max] for kind in type(error).__mro__[1:-1])[: limits.failure_causes_max]


def from_failure(kind: type[E], subject: str, failure: Failure) -> E:
    """What user code sees: `kind` with one line about `subject` and the whole chain in `.failure`."""
    what = f"{failure.type}: {failure.message}" if failure.message else failure.type
    return kind(f"{subject} failed: {what}", failure)


def clip(text: str, size_max: int) -> str:
    """At most `size_max` bytes of UTF-8; the end is what matters in a traceback, so the beginning goes."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= size_max:
        return raw.decode()
    return _CUT + raw[len(raw) - size_max + len(_CUT.encode()) :].decode("utf-8", "ignore")


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_OURS)


def _text_of(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return str(error.message)
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - a user's __str__ may do anything
        return f"<its __str__ raised {type(broken).__name__}>"


def _traceback_of(error: BaseException, size_max: int) -> str:
    """The frames that are the user's, if there are any; ours are the same in every failure."""
    frames = traceback.extract_tb(error.__traceback__)
    entries = [place for place, frame in enumerate(frames) if frame.name == _THREAD and _is_ours(frame)]
    own = [frame for frame in frames[entries[-1] if entries else 0 :] if not _is_ours(frame)]
    if not own:
        return ""
    return clip("Traceback (most recent call last):\n" + "".join(traceback.format_list(own)).rstrip(), size_max)
