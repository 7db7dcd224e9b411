"""Sleeps until the engine's next deadline, then posts a Tick. With nothing timed it sleeps for ever.

A process that stood still, because it or its machine was stopped, wakes with deadlines that have passed and sockets
that are full of what came before them. That is heard first: or workers that went on talking would be taken for silent.
"""

import math
from collections.abc import Callable
from typing import Final

import trio

from aether.core.inputs import Input, Tick
from aether.server.clock import Clock

# Later than a loop that turns ever is with nothing to do.
_LATE_S: Final = 0.005
# Scheduler passes in which what waits in sockets is found, read and posted.
_HEARING_PASSES: Final = 2


class Timekeeper:
    def __init__(self, clock: Clock, post: Callable[[Input], None]) -> None:
        self._clock = clock
        self._post = post
        self._due: int | None = None
        self._scope = trio.CancelScope()

    def set_due(self, due: int | None) -> None:
        """The engine's next deadline; called after each pass."""
        if due != self._due:
            self._due = due
            self._scope.deadline = self._deadline()

    async def run(self) -> None:
        while True:
            with trio.CancelScope(deadline=self._deadline()) as self._scope:
                await trio.sleep(math.inf)
            if trio.current_time() - self._scope.deadline > _LATE_S:
                for _ in range(_HEARING_PASSES):
                    await trio.lowlevel.checkpoint()
            # The loop answers a Tick with the deadline after it.
            self._due = None
            self._post(Tick())

    def _deadline(self) -> float:
        return math.inf if self._due is None else self._clock.trio_time(self._due)
