"""Says who keeps the event loop of a worker from turning, before that costs the worker its session.

A task of the loop counts, and a thread looks at the count from outside: if it stands still, the loop does not turn.
What the loop is at is read off the stack of its thread, so nothing is paid for all this where work is done.
"""

import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import anyio

from aether.sdk.execute import Attempt
from aether.sdk.run import Run

# Told after two to three looks without a turn: well within the session's time.
_LOOKS_PER_TIMEOUT: Final = 8
_LOOKS_WITHOUT_TURN: Final = 2
_OURS: Final = str(Path(__file__).parent)
_log = logging.getLogger("aether.worker")


class Watchdog:
    """For one session. Looks on from when it is made, by the thread of the loop, and `run` must follow."""

    def __init__(self, session_timeout_s: float) -> None:
        self._timeout_s = session_timeout_s
        self._interval_s = session_timeout_s / _LOOKS_PER_TIMEOUT
        self._turns = 0
        self._loop_thread = threading.get_ident()
        self._is_over = threading.Event()
        threading.Thread(target=self._look_on, name="aether-watchdog", daemon=True).start()

    async def run(self) -> None:
        """Shows that the loop turns, until it is cancelled. The thread follows when it looks next."""
        try:
            while True:
                self._turns += 1
                await anyio.sleep(self._interval_s)
        finally:
            self._is_over.set()

    def _look_on(self) -> None:
        seen, looks = 0, 0
        while not self._is_over.wait(self._interval_s):
            looks = looks + 1 if self._turns == seen else 0
            seen = self._turns
            # Once for each time that it stands still.
            if looks == _LOOKS_WITHOUT_TURN:
                self._tell()

    def _tell(self) -> None:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - documented for this
        if frame is None:
            # The thread has ended, and everything with it.
            return
        _log.warning(
            "%s has kept the event loop from turning for more than %.1f s; after %.1f s this worker loses its session "
            "and all that it has in hand. Call what blocks in a step that is a plain function, or in an activity",
            describe(frame),
            self._interval_s * _LOOKS_WITHOUT_TURN,
            self._timeout_s,
            extra={"event": "loop_blocked", "fields": {}},
        )


def describe(innermost: FrameType) -> str:
    """Whose code a stack is in, and where."""
    frames = list(_outwards(innermost))
    where, what = _place(frames), ""
    for frame in frames:
        if frame.f_code is Run._perform.__code__:  # noqa: SLF001 - its frame is what tells a step
            what = f"step {frame.f_locals['waiter'].name!r} of "
        elif frame.f_code is Run.main.__code__:
            run: Run = frame.f_locals["self"]
            return f"{what}workflow {run.workflow.name!r} (id {run.workflow_id!r}, run {run.run_id}), {where},"
        elif frame.f_code is Attempt.main.__code__:
            attempt: Attempt = frame.f_locals["self"]
            return f"activity {attempt.activity.name!r} of workflow id {attempt.info.workflow_id!r}, {where},"
    return f"code {where}"


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _place(frames: Sequence[FrameType]) -> str:
    """The line of the user's function that our code has called, and the innermost line if that is another one."""
    lines = [f"{frame.f_code.co_filename}:{frame.f_lineno}" for frame in frames]
    ours = [number for number, frame in enumerate(frames) if frame.f_code.co_filename.startswith(_OURS)]
    called = ours[0] - 1 if ours else 0
    return f"at {lines[called]}, in {lines[0]}" if called > 0 else f"at {lines[0]}"
