"""What lets a task sleep until a callback in the same thread wakes it, in the event loop's own terms.

anyio finds out at every call which loop runs, through several functions; here it is asked once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol

import anyio
import anyio.lowlevel
import sniffio


class Event(Protocol):
    """An event of anyio, or one of Trio."""

    def set(self) -> None: ...

    async def wait(self) -> None: ...


def event_maker() -> Callable[[], Event]:
    """What makes events for the loop that runs."""
    if sniffio.current_async_library() == "trio":
        import trio

        return trio.Event
    return type(anyio.Event())


class Scope(Protocol):
    """A cancel scope of anyio, or one of Trio."""

    def cancel(self) -> None: ...


class Group(Protocol):
    """A task group of anyio, or a nursery of Trio."""

    @property
    def cancel_scope(self) -> Scope: ...

    def start_soon(
        self, function: Callable[..., Coroutine[Any, Any, Any]], /, *args: Any, name: object = None
    ) -> object: ...


@asynccontextmanager
async def open_group() -> AsyncIterator[Group]:
    """For tasks that are many: anyio makes a scope and a handle for each, which nobody asks for here."""
    if sniffio.current_async_library() == "trio":
        import trio

        async with trio.open_nursery() as nursery:
            yield nursery
    else:
        async with anyio.create_task_group() as group:
            yield group


def loop_clock() -> Callable[[], float]:
    """The clock of the loop that runs, in seconds; the one of `anyio.current_time`."""
    if sniffio.current_async_library() == "trio":
        import trio

        return trio.current_time
    import asyncio

    return asyncio.get_running_loop().time


def readiness() -> tuple[Callable[[int], Awaitable[None]], type[Exception]]:
    """How to wait until a socket can be read, and what is raised when it is closed meanwhile."""
    if sniffio.current_async_library() == "trio":
        import trio

        return trio.lowlevel.wait_readable, trio.ClosedResourceError
    return anyio.wait_readable, anyio.ClosedResourceError


class Gate:
    """`open` lets the one waiting task go on; opened beforehand, the next `wait` returns at once.

    Unlike an event it can be used again, and an event is made only when somebody really has to wait.
    """

    __slots__ = ("_event", "_is_open", "_make")

    def __init__(self) -> None:
        self._event: Event | None = None
        self._is_open = False
        self._make: Callable[[], Event] | None = None

    def open(self) -> None:
        self._is_open = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        if self._is_open:
            await anyio.lowlevel.checkpoint()
        else:
            if self._make is None:
                self._make = event_maker()
            self._event = event = self._make()
            try:
                await event.wait()
            finally:
                self._event = None
        self._is_open = False
