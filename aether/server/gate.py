"""Lets one task sleep until somebody in the same Trio thread wakes it. Cheaper than an event per wait."""

import trio


class Gate:
    """`open` lets the one waiting task go on; opened beforehand, the next `wait` returns at once."""

    __slots__ = ("_is_open", "_task")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._is_open = False

    @property
    def is_waited_for(self) -> bool:
        """A task sleeps here, and nobody has woken it."""
        return self._task is not None

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
