"""Lets one task sleep until a callback in the same thread wakes it."""

from __future__ import annotations

from collections.abc import Callable

import anyio


def event_maker() -> Callable[[], anyio.Event]:
    """What makes events for the loop that runs: `anyio.Event()` asks each time which one that is."""
    return type(anyio.Event())


class Gate:
    """`open` lets the one waiting task go on; opened beforehand, the next `wait` returns at once.

    Unlike an event it can be used again, and an event is made only when somebody really has to wait.
    """

    __slots__ = ("_event", "_is_open", "_make")

    def __init__(self) -> None:
        self._event: anyio.Event | None = None
        self._is_open = False
        self._make: Callable[[], anyio.Event] | None = None

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
