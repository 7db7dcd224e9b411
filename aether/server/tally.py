"""How many runs there are by type and state, kept up to date because counting them would read every run."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping

import trio

from aether.model.runs import RunState

_STATES = frozenset(RunState)


class Tally:
    """A state that there is not is damage on disk, and none that keeps a server from counting the others."""

    def __init__(self, counts: dict[tuple[str, int], int]) -> None:
        self._counts: Counter[tuple[str, int]] = Counter(
            {(type_, state): count for (type_, state), count in counts.items() if state in _STATES}
        )
        self.closed = sum([count for (_, state), count in self._counts.items() if RunState(state).is_closed])
        self._awaited = math.inf
        self._is_there = trio.Event()

    async def more_closed_than(self, count: float) -> None:
        """Returns when there are. For one task at a time."""
        while self.closed <= count:
            self._awaited, self._is_there = count, trio.Event()
            await self._is_there.wait()

    def open(self, workflow_type: str) -> None:
        self._counts[workflow_type, RunState.PENDING] += 1

    def change(self, workflow_type: str, before: RunState, after: RunState) -> None:
        self._counts[workflow_type, before] -= 1
        self._counts[workflow_type, after] += 1
        if after.is_closed:
            self.closed += 1
            if self.closed > self._awaited:
                self._awaited = math.inf
                self._is_there.set()

    def forget(self, counts: Mapping[tuple[str, int], int]) -> None:
        """Runs are not kept any more."""
        self._counts.subtract(counts)
        self.closed -= sum(counts.values())

    def __iter__(self) -> Iterator[tuple[str, RunState, int]]:
        for (workflow_type, state), count in sorted(self._counts.items()):
            if count > 0:
                yield workflow_type, RunState(state), count
