"""The only place that looks at the clock.

Stored times are microseconds since the epoch. They are anchored once, at the start, and then follow Trio's clock: a
step of the machine's wall clock moves neither the times in a history nor the moment at which a timer fires. When the
machine's clock was set back while no server ran, time goes on from the newest event that is known (`not_before`).
"""

import time
from collections.abc import Callable

import trio


class Clock:
    """Wall time that only grows."""

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._started_at = wall_ns() // 1000
        self._trio_started_at = trio.current_time()

    @property
    def started_at(self) -> int:
        """When the server started, in microseconds."""
        return self._started_at

    def now(self) -> int:
        """Microseconds since the epoch."""
        return self._started_at + int((trio.current_time() - self._trio_started_at) * 1e6)

    def not_before(self, at: int) -> int:
        """Go on from `at` if that is later than now; by how many microseconds this clock has jumped."""
        jump = max(0, at - self.now())
        self._started_at += jump
        return jump

    def trio_time(self, at: int) -> float:
        """The moment `at` on Trio's clock, for deadlines; rounded up, so that nothing is early."""
        return self._trio_started_at + (at - self._started_at + 1) / 1e6
