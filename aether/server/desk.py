"""Where the writer works: in a thread of its own, or, in a simulation, in a task.

The writer's work is written with `await` and knows neither. In the thread nothing that it awaits ever suspends: it
blocks instead. Everything else about the work is the same wherever it is done.
"""

import queue
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs
import trio

from aether.store.interface import Batch, Store

SWITCH_INTERVAL_S: Final = 0.0005
"""How long a busy Trio loop may keep the interpreter from the writing thread; Python's 5 ms is felt."""

R = TypeVar("R")
Work = Callable[[], Coroutine[None, None, None]]


@attrs.frozen
class Waiting:
    """A batch that waits for the disk."""

    ticket: int
    batch: Batch
    rows: int
    size: int


class Errand(Generic[R]):
    """Something to do with the store between two commits."""

    def __init__(self, work: Callable[[Store], R]) -> None:
        self._work = work
        self._answer: tuple[R] | None = None
        self._failure: Exception | None = None
        self._done = trio.Event()

    def do(self, store: Store) -> None:
        """Where commits are made. Whoever waits is told how it went, also that it failed."""
        try:
            self._answer = (self._work(store),)
        except Exception as failure:  # noqa: BLE001 - `answer` raises it
            self._failure = failure

    def finish(self) -> None:
        """In the Trio thread."""
        self._done.set()

    async def answer(self) -> R:
        """What the work gave. Raises what it raised."""
        await self._done.wait()
        if self._failure is not None:
            raise self._failure
        assert self._answer is not None
        return self._answer[0]


Item = Waiting | Errand[Any]


class Desk(Protocol):
    """`put`, `stop` and `run` are called by the Trio thread, the rest by the work."""

    @property
    def is_stopping(self) -> bool:
        """Nothing follows, so what finds no room now is not tried for ever."""
        ...

    def put(self, item: Item) -> None:
        """Hand over a batch or an errand, at once."""
        ...

    def stop(self) -> None:
        """Nothing more will be put."""
        ...

    async def take(self) -> Item | None:
        """Wait for an item; None behind the last one."""
        ...

    def take_now(self) -> Item | None:
        """The same without waiting. Raises `queue.Empty`."""
        ...

    async def commit(self, store: Store, batches: Sequence[Batch]) -> None:
        """Raises what the store raises."""
        ...

    async def pause(self, seconds: float) -> None:
        """Until then, or until told to stop."""
        ...

    def announce(self, callback: Callable[[], None]) -> None:
        """Have it called soon in the Trio thread; once is enough for all that ask until then."""
        ...

    async def run(self, work: Work) -> None:
        """Do the work to its end, even when cancelled. Raises what it raises."""
        ...


class ThreadDesk:
    """A thread that sleeps in its queue: whoever has nothing to write costs nothing."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._token: trio.lowlevel.TrioToken

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def put(self, item: Item) -> None:
        self._queue.put(item)

    def stop(self) -> None:
        self._stopping.set()
        self._queue.put(None)

    async def take(self) -> Item | None:
        return self._queue.get()

    def take_now(self) -> Item | None:
        return self._queue.get_nowait()

    async def commit(self, store: Store, batches: Sequence[Batch]) -> None:
        store.commit(batches)

    async def pause(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def announce(self, callback: Callable[[], None]) -> None:
        # Idempotent: a loop that is behind is told once, of the newest.
        self._token.run_sync_soon(callback, idempotent=True)

    async def run(self, work: Work) -> None:
        self._token = trio.lowlevel.current_trio_token()
        switch_interval_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        try:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(_finish, work, limiter=trio.CapacityLimiter(1))
        finally:
            sys.setswitchinterval(switch_interval_s)


def _finish(work: Work) -> None:
    """Run a coroutine whose awaits block."""
    try:
        work().send(None)
    except StopIteration:
        return
    raise AssertionError("the writer's work was suspended in its thread")
