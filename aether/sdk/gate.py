"""Lets a task sleep until a callback in the same thread wakes it, under Trio and under asyncio.

anyio has events for this, which look up the backend at every creation and are used up by one `set`. Here a
waiting call costs one small object of the backend itself, and the lookup happens once per transport.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import sniffio
import trio


class Gate(Protocol):
    """`open` lets the one waiting task go on; opened beforehand, the next `wait` returns at once."""

    def open(self) -> None: ...

    async def wait(self) -> None: ...


class TrioGate:
    __slots__ = ("_is_open", "_task")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._is_open = False

    def open(self) -> None:
        self._is_open = True
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    async def wait(self) -> None:
        if self._is_open:
            self._is_open = False
            await trio.lowlevel.checkpoint()
            return
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)
        self._is_open = False

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class AsyncioGate:
    __slots__ = ("_future", "_is_open")

    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None
        self._is_open = False

    def open(self) -> None:
        self._is_open = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self) -> None:
        if self._is_open:
            self._is_open = False
            await asyncio.sleep(0)
            return
        self._future = asyncio.get_running_loop().create_future()
        try:
            await self._future
        finally:
            self._future = None
        self._is_open = False


def gate_type() -> type[TrioGate | AsyncioGate]:
    """The kind of gate for the event loop that runs here."""
    return TrioGate if sniffio.current_async_library() == "trio" else AsyncioGate
