"""A writer's desk in virtual time: the work is a task, and a commit takes as long as the test says."""

import queue
from collections import deque
from collections.abc import Callable, Sequence

import trio

from aether.server.desk import Item, Work
from aether.store.interface import Batch, Store


class TaskDesk:
    def __init__(self, commit_s: float = 0.01) -> None:
        self.commit_s = commit_s
        self.is_stopping = False
        # When each commit was on disk, and how many batches it had.
        self.commits: list[tuple[float, int]] = []
        self._items: deque[Item | None] = deque()
        self._came = trio.Event()

    def put(self, item: Item | None) -> None:
        self._items.append(item)
        self._came.set()

    def stop(self) -> None:
        self.is_stopping = True
        self.put(None)

    async def take(self) -> Item | None:
        while not self._items:
            self._came = trio.Event()
            await self._came.wait()
        return self._items.popleft()

    def take_now(self) -> Item | None:
        if not self._items:
            raise queue.Empty
        return self._items.popleft()

    async def commit(self, store: Store, batches: Sequence[Batch]) -> None:
        await trio.sleep(self.commit_s)
        store.commit(batches)
        self.commits.append((trio.current_time(), len(batches)))

    async def pause(self, seconds: float) -> None:
        await trio.sleep(seconds)

    def announce(self, callback: Callable[[], None]) -> None:
        callback()

    async def run(self, work: Work) -> None:
        with trio.CancelScope(shield=True):
            await work()
