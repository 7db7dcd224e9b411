"""The writer of tier L1 (`snapshot`): what was decided gathers for a while, and goes to the disk in few commits.

Theory of operation. Batches stay here until `interval_s` has passed since the first of them, until they would fill a
commit, or until somebody urges; then all of them go to the thread of `Writer` in their order. So the disk always holds
a prefix of what was decided. What a crash takes away is what had not got there: an interval and the commit that was
under way. A disk that stands still must not make that more: `is_behind` is true when something has waited for two
intervals, and then nobody is told of anything before it is durable.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from aether.errors import StorageUnavailable
from aether.server.desk import Desk, Waiting
from aether.server.writer import Writer, WriterLimits
from aether.store.interface import Batch, Store

_INTERVALS_MAX: Final = 2


class GatheringWriter(Writer):
    """A Writer that is in no hurry unless it is told to be."""

    def __init__(
        self,
        store: Store,
        on_durable: Callable[[int], None],
        interval_s: float,
        limits: WriterLimits | None = None,
        *,
        desk: Desk | None = None,
    ) -> None:
        super().__init__(store, on_durable, limits, desk=desk)
        self._interval_s = interval_s
        self._gathered: list[Waiting] = []
        self._gathered_rows = self._gathered_bytes = 0
        # Last ticket and birth of each gathering that is not durable yet; the one that still gathers has no ticket.
        self._births: deque[tuple[float, float]] = deque()
        self._alarm = trio.CancelScope()
        self._settled = trio.Event()

    @property
    def oldest_s(self) -> float:
        """How long the oldest of what is not durable yet has waited, in seconds."""
        return trio.current_time() - self._births[0][1] if self._births else 0.0

    @property
    def is_behind(self) -> bool:
        """The disk does not keep up: more could be lost than was promised."""
        return self.fault is not None or self.oldest_s > _INTERVALS_MAX * self._interval_s

    def submit(self, batch: Batch) -> int:
        """Keep a batch for the next commit. Raises StoreFull as `Writer` does."""
        waiting = self._number(batch)
        if not self._gathered:
            now = trio.current_time()
            self._births.append((math.inf, now))
            self._alarm.deadline = now + self._interval_s
        self._gathered.append(waiting)
        self._gathered_rows += waiting.rows
        self._gathered_bytes += waiting.size
        if self._gathered_rows >= self._limits.commit_events or self._gathered_bytes >= self._limits.commit_bytes:
            self.urge()
        return waiting.ticket

    def urge(self) -> None:
        """Do not wait any longer with what was submitted."""
        if not self._gathered:
            return
        self._births.append((self._last_ticket, self._births.pop()[1]))
        for waiting in self._gathered:
            self._desk.put(waiting)
        self._gathered = []
        self._gathered_rows = self._gathered_bytes = 0
        self._alarm.deadline = math.inf

    async def settle(self, is_patient: bool) -> None:
        """Returns when everything that was submitted is durable. Raises StorageUnavailable unless `is_patient`."""
        if self.fault is not None and not is_patient:
            raise StorageUnavailable(self.fault)
        ticket = self._last_ticket
        self.urge()
        while self.durable_ticket < ticket:
            await self._settled.wait()

    async def _stand_by(self) -> None:
        while True:
            with self._alarm:
                await trio.sleep_forever()
            self.urge()
            self._alarm = trio.CancelScope()

    def _hand_over(self) -> None:
        self.urge()

    def _announce(self) -> None:
        super()._announce()
        while self._births and self._births[0][0] <= self.durable_ticket:
            self._births.popleft()
        self._settled.set()
        self._settled = trio.Event()
