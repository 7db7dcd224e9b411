"""A disk without threads: rows that outlive a server's crash, and the moment between writing and flushing.

A commit is written first and flushed after that, which takes a while; only then readers see it and the writer goes on.
A crash in between leaves the whole commit or nothing of it, for it was never acknowledged. That is what SQLite's
write-ahead log promises, and what `tests/` shows of the real one by killing processes.
"""

import queue
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from aether.server.desk import Item, Work
from aether.store.interface import Batch, Store
from aether.store.memory import MemoryStore


class Moods(Protocol):
    """What a disk does on its own account."""

    def flush_s(self) -> float:
        """How long the next flush takes."""

    def refuse(self) -> None:
        """Raises a StoreError in place of the next commit, or does nothing."""

    def at(self, point: str) -> None:
        """A commit has come to "write", "flush", "durable": somebody may pull the plug."""


class Reliable:
    """Never fails, takes no time."""

    def flush_s(self) -> float:
        return 0.0

    def refuse(self) -> None:
        """It does not."""

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
        self._unsynced: Sequence[Batch] | None = None

    async def write(self, batches: Sequence[Batch]) -> None:
        """One commit, in virtual time. Raises what the moods and the rules of a store raise."""
        self.moods.at("write")
        # Here a server that has just crashed is gone before anything is written.
        await trio.lowlevel.checkpoint()
        self.moods.refuse()
        self._unsynced = batches
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

    def _keep(self, batches: Sequence[Batch]) -> None:
        self.commit(batches)
        self.commits += 1
        self.on_commit(batches)


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
