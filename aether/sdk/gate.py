"""Lets one task sleep until a callback in the same thread wakes it."""

from __future__ import annotations

import anyio


class Gate:
    """`open` lets the one waiting task go on; opened beforehand, the next `wait` returns at once.

    Unlike an event it can be used again, and an event is made only when somebody really has to wait.
    """

    __slots__ = ("_event", "_is_open")

    def __init__(self) -> None:
        self._event: anyio.Event | None = None
        self._is_open = False

    def open(self) -> None:
        self._is_open = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        if self._is_open:
            await anyio.lowlevel.checkpoint()
        else:
            self._event = anyio.Event()
            try:
                await self._event.wait()
            finally:
                self._event = None
        self._is_open = False
