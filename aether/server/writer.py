"""Group commit: everything that waits goes to the disk in one transaction, and one wake-up says so.

Theory of operation. `submit` hands a batch over and returns a ticket; tickets grow by one. A thread of its
own (`desk.py`), which lives as long as `run`, takes all batches that wait (within limits), commits them together, and
wakes Trio once; `on_durable` then learns the newest durable ticket, which covers all smaller ones. There is
no batch window: while one commit flushes, the next one gathers. Whoever has nothing to write costs nothing,
since the thread sleeps in its queue.

When there is no room, or somebody else is writing, the same transaction is tried again with growing pauses,
and nothing overtakes it; `fault` says so meanwhile. Any other fault of the store ends `run` with it: what the
disk kept is unknown, so the process has to stop and read it again. On cancellation `run` commits what was
submitted before it returns.

Errands (`between`) are what else is done with the store: by the same thread, between two commits.
"""

import queue
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs
import trio

from aether.core.histograms import SIZES, Histogram
from aether.model.limits import DEFAULT_LIMITS
from aether.server.desk import Desk, Errand, ThreadDesk, Waiting
from aether.server.telemetry import Log
from aether.store.interface import Batch, Store, StoreError, StoreFull

R = TypeVar("R")

log = Log("aether.server")


@attrs.frozen
class WriterLimits:
    """Bounds of the writer."""

    waiting_batches: int = DEFAULT_LIMITS.unwritten_batches_max
    """Batches that may wait for the disk; `submit` refuses the next one."""
    commit_events: int = 512
    """Rows in one transaction after which no further batch joins it; beyond this, commits only get longer."""
    commit_bytes: int = 8 * 1024 * 1024
    """The same in bytes of event bodies."""
    waiting_bytes: int = 256 * 1024 * 1024
    """The same in bytes of event bodies."""
    retry_first_s: float = 0.05
    """Pause before a transaction that found no room is tried again; doubles up to `retry_max_s`."""
    retry_max_s: float = 5.0


@attrs.define
class WriterStats:
    """What the writer has done, for the metrics. One thread writes it; a reader may see it a commit old."""

    commits: int = 0
    rows: int = 0
    bytes: int = 0
    retries: int = 0
    commit_us: Histogram = attrs.field(factory=Histogram)
    batches: Histogram = attrs.field(factory=lambda: Histogram(SIZES))

    def note(self, batches: int, rows: int, size: int, commit_s: float) -> None:
        self.commits += 1
        self.rows += rows
        self.bytes += size
        self.commit_us.observe(int(commit_s * 1e6))
        self.batches.observe(batches)


class BatchWriter(Protocol):
    """What the engine loop knows of a writer."""

    @property
    def durable_ticket(self) -> int:
        """The newest ticket that is durable; all smaller ones are too. 0: none yet."""
        ...

    @property
    def waiting_count(self) -> int:
        """Batches submitted and not yet durable."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether `submit` takes another batch. Look before deciding what must be written."""
        ...

    @property
    def fault(self) -> str | None:
        """Why nothing becomes durable at the moment, in words for people."""
        ...

    @property
    def stuck_s(self) -> float:
        """How long the disk has not answered."""
        ...

    @property
    def stats(self) -> WriterStats:
        """Counters for the metrics."""
        ...

    def submit(self, batch: Batch) -> int:
        """Hand over a batch and return its ticket, at once. `on_durable` may be called before it returns."""
        ...

    async def between(self, work: Callable[[Store], R]) -> R:
        """Have `work` done with the store between two commits. Raises what it raises. Keep it short: commits wait."""
        ...

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until cancelled, then finish what was submitted. Raises the StoreError that ends writing."""
        ...


def new_writer(
    store: Store,
    on_durable: Callable[[int], None],
    limits: WriterLimits | None = None,
    *,
    desk: Callable[[], Desk] = ThreadDesk,
) -> "BatchWriter":
    """Return the writer that suits the store: a thread for a disk, none for memory."""
    return Writer(store, on_durable, limits, desk=desk()) if store.is_durable else DirectWriter(store, on_durable)


class Writer:
    """The group-commit writer. Everything but the work at its desk is called from the Trio thread."""

    def __init__(
        self,
        store: Store,
        on_durable: Callable[[int], None],
        limits: WriterLimits | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
        desk: Desk | None = None,
    ) -> None:
        self._store = store
        self._on_durable = on_durable
        self._limits = limits or WriterLimits()
        self._clock = clock
        self._desk = desk or ThreadDesk()
        self._last_ticket = 0
        self._committed = (0, 0)  # ticket and bytes so far: set by the thread, as one object
        self._submitted_bytes = 0
        self._durable_bytes = 0
        # When the commit began that is under way, by `clock`; 0: none is. Set by the thread.
        self._committing_since = 0.0
        self._is_over = False
        self._failure: BaseException | None = None
        self._scope = trio.CancelScope()
        self.durable_ticket = 0
        self.fault: str | None = None
        self.stats = WriterStats()

    @property
    def waiting_count(self) -> int:
        return self._last_ticket - self.durable_ticket

    @property
    def has_room(self) -> bool:
        # One that has ended takes nothing; whoever waits for room is cancelled with the rest of the server.
        return (
            not self._is_over
            and self.waiting_count < self._limits.waiting_batches
            and self._submitted_bytes - self._durable_bytes < self._limits.waiting_bytes
        )

    @property
    def stuck_s(self) -> float:
        since = self._committing_since
        return self._clock() - since if since else 0.0

    def submit(self, batch: Batch) -> int:
        """Queue a batch. Raises StoreFull when too much waits already, and then has not taken it."""
        self._desk.put(self._number(batch))
        return self._last_ticket

    async def between(self, work: Callable[[Store], R]) -> R:
        """Have `work` done once what waits now is durable. Never answers when the writer ends before that."""
        errand = Errand(work)
        self._desk.put(errand)
        return await errand.answer()

    def _number(self, batch: Batch) -> Waiting:
        """Take the batch in: it has a ticket now, and counts as waiting."""
        assert not self._is_over, "the writer has ended"
        if not self.has_room:
            raise StoreFull(
                f"{self.waiting_count} commits wait for the disk",
                where=self._store.location,
                advice=self.fault or "the disk is too slow for this load, try again later",
            )
        size = sum([len(event.body) for event in batch.events])
        self._last_ticket += 1
        self._submitted_bytes += size
        rows = len(batch.events) + len(batch.runs) + len(batch.changes)
        return Waiting(self._last_ticket, batch, rows, size)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the thread until cancelled; raise what ended it early."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run_work)
                task_status.started()
                try:
                    with self._scope:
                        await self._stand_by()
                finally:
                    self._hand_over()
                    self._is_over = True
                    self._desk.stop()
        finally:
            if self._failure is not None:
                raise self._failure  # also while being cancelled: what was submitted is not all on the disk

    async def _stand_by(self) -> None:
        """What the Trio side does while the work is done."""
        await trio.sleep_forever()

    def _hand_over(self) -> None:
        """Let the desk have whatever it does not have yet."""

    async def _run_work(self) -> None:
        try:
            await self._desk.run(self._work)
        except Exception as error:  # noqa: BLE001 - carried to `run`, which raises it outside of an exception group
            self._failure = error
        self._scope.cancel()

    async def _work(self) -> None:
        """Commit until told to stop."""
        written_bytes = 0
        is_last = False
        while not is_last:
            group, errand, is_last = await self._take()
            if group:
                size = sum([waiting.size for waiting in group])
                commit_s = await self._commit(group)
                written_bytes += size
                self._committed = (group[-1].ticket, written_bytes)
                self._desk.announce(self._announce)
                # Whoever waits has been told.
                self.stats.note(len(group), sum([waiting.rows for waiting in group]), size, commit_s)
            if errand is not None:
                errand.do(self._store)
                self._desk.announce(errand.finish)
            if group or errand is not None:
                self._store.tidy()

    async def _take(self) -> tuple[list[Waiting], Errand[Any] | None, bool]:
        """Wait for something, then take all batches that wait, up to an errand. The last value: nothing follows."""
        group: list[Waiting] = []
        rows = size = 0
        waiting = await self._desk.take()
        while waiting is not None:
            if isinstance(waiting, Errand):
                return group, waiting, False
            group.append(waiting)
            rows += waiting.rows
            size += waiting.size
            if rows >= self._limits.commit_events or size >= self._limits.commit_bytes:
                return group, None, False
            try:
                waiting = self._desk.take_now()
            except queue.Empty:
                return group, None, False
        return group, None, True

    async def _commit(self, group: list[Waiting]) -> float:
        """Commit one group, as often as it takes; how many seconds the last time took."""
        batches = [waiting.batch for waiting in group]
        pause_s = self._limits.retry_first_s
        self._committing_since = self._clock()
        while True:
            started = self._clock()
            is_last_try = self._desk.is_stopping
            try:
                await self._desk.commit(self._store, batches)
            except StoreError as error:
                if not error.is_retryable or is_last_try:
                    raise
                is_news, self.fault = self.fault is None, str(error)
                if is_news:
                    log.warning("storage_unavailable", error=self.fault)
            else:
                if self.fault is not None:
                    log.info("storage_available")
                self.fault = None
                self._committing_since = 0.0
                return self._clock() - started
            self.stats.retries += 1
            await self._desk.pause(pause_s)
            pause_s = min(pause_s * 2, self._limits.retry_max_s)

    def _announce(self) -> None:
        ticket, written_bytes = self._committed
        if ticket == self.durable_ticket:
            return
        self.durable_ticket, self._durable_bytes = ticket, written_bytes
        try:
            self._on_durable(ticket)
        except Exception as error:  # noqa: BLE001 - Trio would crash on it; `run` raises it instead
            self._failure = error
            self._scope.cancel()


class DirectWriter:
    """The writer for a store without a disk: commits in `submit`, in the same thread, and is never behind."""

    fault: str | None = None
    has_room = True
    waiting_count = 0
    stuck_s = 0.0

    def __init__(self, store: Store, on_durable: Callable[[int], None]) -> None:
        self._store = store
        self._on_durable = on_durable
        self.durable_ticket = 0
        self.stats = WriterStats()

    def submit(self, batch: Batch) -> int:
        self._store.commit((batch,))
        self.stats.note(1, len(batch.events) + len(batch.runs) + len(batch.changes), 0, 0.0)
        self.durable_ticket += 1
        ticket = self.durable_ticket
        self._on_durable(ticket)
        return ticket

    async def between(self, work: Callable[[Store], R]) -> R:
        await trio.lowlevel.checkpoint()
        return work(self._store)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()
