"""Rules that a user sets for an activity. Durations are seconds. What they decide: `core/retry.py`."""

from collections.abc import Iterable
from math import inf

from attrs import field
from attrs.validators import ge, le, lt

from aether.model.frozen import frozen


def _class_names(kinds: Iterable[type[BaseException] | str]) -> tuple[str, ...]:
    if isinstance(kinds, str):
        # Or it would be taken for a series of names of one letter each.
        kinds = (kinds,)
    return tuple(kind if isinstance(kind, str) else kind.__name__ for kind in kinds)


@frozen
class RetryPolicy:
    """When a failed attempt is followed by another.

    The delay before attempt n+1 is `initial_s * factor ** (n - 1)`, at most `maximum_s`, less a random share of up to
    `jitter`. `max_attempts` 0 means without end. `non_retryable` takes exception classes or their names, and covers
    what derives from them.
    """

    initial_s: float = field(default=1.0, validator=[ge(0), lt(inf)])
    factor: float = field(default=2.0, validator=[ge(1), lt(inf)])
    maximum_s: float = field(default=100.0, validator=[ge(0), lt(inf)])
    jitter: float = field(default=0.1, validator=[ge(0), le(1)])
    max_attempts: int = field(default=0, validator=ge(0))
    non_retryable: tuple[str, ...] = field(default=(), converter=_class_names)


@frozen
class ActivityTimeouts:
    """Bounds of an activity in seconds; 0 means none."""

    schedule_to_start_s: float = field(default=0.0, validator=[ge(0), lt(inf)])
    start_to_close_s: float = field(default=0.0, validator=[ge(0), lt(inf)])
    schedule_to_close_s: float = field(default=0.0, validator=[ge(0), lt(inf)])
    heartbeat_s: float = field(default=0.0, validator=[ge(0), lt(inf)])


@frozen
class ConcurrencyLimit:
    """At most `limit` of those with the same `key` run at the same time."""

    key: str
    limit: int = field(validator=ge(1))


DEFAULT_RETRY = RetryPolicy()
NO_TIMEOUTS = ActivityTimeouts()
