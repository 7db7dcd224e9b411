"""Encoded events of open runs, at hand for workers that replay them.

The bytes are those that went to disk. Runs that were touched last are kept within a budget; the others are read from
the store when somebody wants them, which only happens once the events are durable.
"""

from collections import OrderedDict

from attrs import define, field


@define(eq=False)
class _Kept:
    # Events from `first_seq` on without gaps.
    first_seq: int
    events: list[bytes] = field(factory=list)
    size: int = 0


class Histories:
    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._size = 0
        self._runs: OrderedDict[int, _Kept] = OrderedDict()

    def __len__(self) -> int:
        """Runs of which events are at hand."""
        return len(self._runs)

    @property
    def size_bytes(self) -> int:
        return self._size

    def append(self, run_key: int, seq: int, body: bytes) -> None:
        kept = self._runs.get(run_key)
        if kept is None:
            kept = self._runs[run_key] = _Kept(seq)
        kept.events.append(body)
        kept.size += len(body)
        self._size += len(body)
        self._runs.move_to_end(run_key)
        while self._size > self._budget and len(self._runs) > 1:
            _, dropped = self._runs.popitem(last=False)
            self._size -= dropped.size

    def forget(self, run_key: int) -> None:
        kept = self._runs.pop(run_key, None)
        if kept is not None:
            self._size -= kept.size

    def events(self, run_key: int, first_seq: int, last_seq: int) -> list[bytes] | None:
        """Events `first_seq` to `last_seq`, or None if they have to be read from the store."""
        kept = self._runs.get(run_key)
        if kept is None or first_seq < kept.first_seq:
            return None
        start = first_seq - kept.first_seq
        return kept.events[start : start + last_seq - first_seq + 1]
