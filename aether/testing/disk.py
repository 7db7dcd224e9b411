"""A disk without threads: rows that outlive a server's crash, and the moment between writing and flushing.

A commit is written first and flushed after that, which takes a while; only then readers see it and the writer goes on.
A crash in between leaves the whole commit or nothing of it, for it was never acknowledged. That is what SQLite's
write-ahead log promises, and what `tests/` shows of the real one by killing processes. As there, each event has a
checksum, and a reader finds what is not what was written.
"""

import queue
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol
from zlib import crc32

import trio

from aether.model import events as e
from aether.server.desk import Item, Work
from aether.store.interface import Batch, EventRow, Forgotten, Opened, Retention, Store, StoreDamaged
from aether.store.memory import MemoryReader, MemoryStore
from aether.wire.convert import KINDS

_FORKED: Final = KINDS[e.RunForked]


class Moods(Protocol):
    """What a disk does on its own account."""

    def flush_s(self) -> float:
        """How long the next flush takes."""

    def refuse(self) -> None:
        """Raises a StoreError in place of the next commit, or does nothing."""

    def refuse_read(self) -> None:
        """Raises a StoreError in place of what is read, or does nothing."""

    def at(self, point: str) -> None:
        """Something has come so far, and somebody may pull the plug.

        A commit: "write", "flush", "durable", and "fork" before "flush" if it makes a fork. A start: "open", and
        "recover" when half of the open runs are read. Retention: "forget", "forgotten".
        """


class Reliable:
    """Never fails, takes no time."""

    def flush_s(self) -> float:
        return 0.0

    def refuse(self) -> None:
        """It does not."""

    def refuse_read(self) -> None:
        """Nor here."""

    def at(self, point: str) -> None:
        """Nobody does."""


class Disk(MemoryStore):
    """Use it with a `TaskDesk`. It is opened once by each server, one after the other."""

    name = "simulated"
    is_durable = True
    location = "simulated disk"

    def __init__(self, moods: Moods | None = None) -> None:
        super().__init__()
        self.moods: Moods = moods or Reliable()
        self.commits = 0
        self.on_commit: Callable[[Sequence[Batch]], None] = lambda batches: None
        # Keys of runs that were removed because they were not kept.
        self.forgotten: set[int] = set()
        self._unsynced: Sequence[Batch] | None = None
        self._sums: dict[tuple[int, int], int] = {}
        # What stood where a bit has flipped.
        self._flipped: dict[tuple[int, int], bytes] = {}

    def open(self) -> Opened:
        opened = super().open()
        self.moods.at("open")
        return opened

    async def write(self, batches: Sequence[Batch]) -> None:
        """One commit, in virtual time. Raises what the moods and the rules of a store raise."""
        self.moods.at("write")
        # Here a server that has just crashed is gone before anything is written.
        await trio.lowlevel.checkpoint()
        self.moods.refuse()
        self._unsynced = batches
        if any(event.kind == _FORKED for batch in batches for event in batch.events):
            self.moods.at("fork")
        self.moods.at("flush")
        await trio.sleep(self.moods.flush_s())
        self._unsynced = None
        self._keep(batches)
        self.moods.at("durable")
        await trio.lowlevel.checkpoint()

    def crash(self, *, keeps_unsynced: bool) -> None:
        """The server on it is gone. What was written and not flushed is there as a whole or not at all."""
        batches, self._unsynced = self._unsynced, None
        if batches is not None and keeps_unsynced:
            self._keep(batches)

    def commit(self, batches: Sequence[Batch]) -> None:
        super().commit(batches)
        for batch in batches:
            for event in batch.events:
                self._sums[event.run_key, event.seq] = crc32(event.body)

    def forget(self, keep: Retention, rows_max: int) -> Forgotten:
        self.moods.refuse()
        self.moods.at("forget")
        before = set(self.runs)
        forgotten = super().forget(keep, rows_max)
        self.forgotten |= before - self.runs.keys()
        self.moods.at("forgotten")
        return forgotten

    def reader(self) -> "DiskReader":
        return DiskReader(self)

    def flip(self, run_key: int, seq: int, bit: int) -> None:
        """A bit of what is stored of an event is not any more what was written."""
        row = self.logs[run_key][seq - 1]
        body = bytearray(row.body)
        body[bit // 8 % len(body)] ^= 1 << bit % 8
        self._flipped.setdefault((run_key, seq), row.body)
        self.logs[run_key][seq - 1] = row._replace(body=bytes(body))

    def mend(self) -> None:
        """Everything is again what was written, as when a backup is put back."""
        for (run_key, seq), body in self._flipped.items():
            if run_key in self.logs:
                self.logs[run_key][seq - 1] = self.logs[run_key][seq - 1]._replace(body=body)
        self._flipped.clear()

    def checked(self, row: EventRow) -> EventRow:
        """Raises StoreDamaged."""
        if crc32(row.body) != self._sums[row.run_key, row.seq]:
            raise StoreDamaged(
                f"event {row.seq} of run {row.run_key} is not what was written (checksum)",
                where=self.location,
                advice="restore a backup",
                run_key=row.run_key,
                seq=row.seq,
            )
        return row

    def _keep(self, batches: Sequence[Batch]) -> None:
        self.commit(batches)
        self.commits += 1
        self.on_commit(batches)


class DiskReader(MemoryReader):
    """Gives what was written, or raises."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk)
        self._disk = disk

    def open_events(self) -> Iterator[EventRow]:
        self._disk.moods.refuse_read()
        return _OpenEvents(self._disk, [run.key for run in self.open_runs()])

    def events(self, run_key: int, after_seq: int, limit: int) -> list[EventRow]:
        self._disk.moods.refuse_read()
        return [self._disk.checked(row) for row in super().events(run_key, after_seq, limit)]

    def last_event(self, run_key: int) -> EventRow | None:
        row = super().last_event(run_key)
        return row and self._disk.checked(row)


class _OpenEvents(Iterator[EventRow]):
    """Goes on with the next run behind one that is damaged."""

    def __init__(self, disk: Disk, keys: Sequence[int]) -> None:
        self._disk = disk
        self._keys = deque(keys)
        self._half = len(keys) // 2
        self._rows: Iterator[EventRow] = iter(())

    def __next__(self) -> EventRow:
        while True:
            row = next(self._rows, None)
            if row is not None:
                break
            if not self._keys:
                raise StopIteration
            if len(self._keys) == self._half:
                self._disk.moods.at("recover")
            self._rows = iter(self._disk.logs[self._keys.popleft()])
        try:
            return self._disk.checked(row)
        except StoreDamaged:
            self._rows = iter(())
            raise


class TaskDesk:
    """The desk of a writer that works in a task; see `aether.server.desk`."""

    def __init__(self) -> None:
        self._items: deque[Item | None] = deque()
        self._has_item = trio.Event()
        self._stopping = trio.Event()
        self._scope = trio.CancelScope(shield=True)

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def put(self, item: Item) -> None:
        self._items.append(item)
        self._has_item.set()

    def stop(self) -> None:
        self._stopping.set()
        self._items.append(None)
        self._has_item.set()

    def crash(self) -> None:
        """Leave everything as it lies."""
        self._scope.cancel()

    async def take(self) -> Item | None:
        if not self._items:
            self._has_item = trio.Event()
            await self._has_item.wait()
        return self._items.popleft()

    def take_now(self) -> Item | None:
        if not self._items:
            raise queue.Empty
        return self._items.popleft()

    async def commit(self, store: Store, batches: Sequence[Batch]) -> None:
        assert isinstance(store, Disk)
        await store.write(batches)

    async def pause(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self._stopping.wait()

    def announce(self, callback: Callable[[], None]) -> None:
        callback()

    async def run(self, work: Work) -> None:
        with self._scope:
            await work()
