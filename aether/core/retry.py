"""The retry rule: after a failed attempt, when is the next, or why is there none.

Jitter is drawn from the activity's own identity, so the rule is a function and a run that is replayed by another server
decides the same.
"""

from collections.abc import Iterator
from zlib import crc32

from aether.model.frozen import frozen
from aether.model.payload import Failure
from aether.model.policy import RetryPolicy

_US = 1_000_000


@frozen
class RetryAt:
    """The next attempt starts at `at`, in microseconds."""

    at: int


@frozen
class GiveUp:
    """There is no next attempt."""

    reason: str


def draw(*identity: object) -> float:
    """A number in [0, 1) that is always the same for the same identity."""
    return crc32("\0".join(map(str, identity)).encode()) / 2**32


def decide_retry(
    policy: RetryPolicy,
    attempt: int,
    failure: Failure,
    now: int,
    give_up_at: int | None,
    drawn: float,
    *,
    at_once: bool = False,
) -> RetryAt | GiveUp:
    """What follows when `attempt` (from 1) ended with `failure` at `now`.

    `give_up_at` is the end of schedule-to-close, if the activity has one; `drawn` is in [0, 1). `at_once`: there is no
    reason to wait, if there is another attempt at all.
    """
    incurable = next((each for each in _parts(failure) if _is_incurable(policy, each)), None)
    if incurable is not None:
        return GiveUp(f"{incurable.type} is not retryable")
    if policy.max_attempts and attempt >= policy.max_attempts:
        return GiveUp(f"attempt {attempt} of {policy.max_attempts} failed")
    asked_ms = max(each.retry_after_ms for each in _parts(failure))
    at = now if at_once else now + (asked_ms * 1000 or _delay(policy, attempt, drawn))
    if give_up_at is not None and at >= give_up_at:
        return GiveUp("the next attempt would start after schedule_to_close")
    return RetryAt(at)


def _parts(failure: Failure) -> Iterator[Failure]:
    """The failure, and the members of a group: each of them counts as if it had come alone."""
    yield failure
    if failure.group:
        for member in failure.causes:
            yield from _parts(member)


def _is_incurable(policy: RetryPolicy, failure: Failure) -> bool:
    named = policy.non_retryable
    return failure.non_retryable or failure.type in named or any(base in named for base in failure.bases)


def _delay(policy: RetryPolicy, attempt: int, drawn: float) -> int:
    try:
        grown = policy.initial_s * policy.factor ** (attempt - 1)
    except OverflowError:
        # Beyond what a float holds, and so beyond any maximum.
        grown = policy.maximum_s if policy.initial_s else 0.0
    return int(min(grown, policy.maximum_s) * (1 - policy.jitter * drawn) * _US)
