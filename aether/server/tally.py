"""How many runs there are by type and state, kept up to date because counting them would read every run."""

from collections import Counter
from collections.abc import Iterator, Mapping

from aether.model.runs import RunState


class Tally:
    def __init__(self, counts: dict[tuple[str, int], int]) -> None:
        self._counts: Counter[tuple[str, int]] = Counter(counts)

    def open(self, workflow_type: str) -> None:
        self._counts[workflow_type, RunState.PENDING] += 1

    def change(self, workflow_type: str, before: RunState, after: RunState) -> None:
        self._counts[workflow_type, before] -= 1
        self._counts[workflow_type, after] += 1

    def forget(self, counts: Mapping[tuple[str, int], int]) -> None:
        """Runs are not kept any more."""
        self._counts.subtract(counts)

    def __iter__(self) -> Iterator[tuple[str, RunState, int]]:
        for (workflow_type, state), count in sorted(self._counts.items()):
            if count:
                yield workflow_type, RunState(state), count
