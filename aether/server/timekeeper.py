"""Sleeps until the engine's next deadline, then posts a Tick. With nothing timed it sleeps for ever."""

import math
from collections.abc import Callable

import trio

from aether.core.inputs import Input, Tick
from aether.server.clock import Clock


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
            # The loop answers a Tick with the deadline after it.
            self._due = None
            self._post(Tick())

    def _deadline(self) -> float:
        return math.inf if self._due is None else self._clock.trio_time(self._due)
