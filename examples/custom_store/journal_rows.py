"""Rows as JSON and back, and a reader that looks between two commits and never into one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import astuple

from aether.store.interface import Batch, EventRow, RunChange, RunRow, SettingRow
from aether.store.memory import MemoryReader, MemoryStore

if TYPE_CHECKING:
    from journal_store import JournalStore


def batch_to_json(batch: Batch) -> list[list[Any]]:
    events = [(event.run_key, event.seq, event.at, event.kind, event.body.hex()) for event in batch.events]
    settings = [(each.name, None if each.value is None else each.value.hex()) for each in batch.settings]
    return [[astuple(run) for run in batch.runs], [astuple(change) for change in batch.changes], events, settings]


def batch_from_json(parts: list[list[Any]]) -> Batch:
    runs = [RunRow(*[*row, tuple((name, value) for name, value in tags), error]) for *row, tags, error in parts[0]]
    events = [EventRow(*[*columns, bytes.fromhex(body)]) for *columns, body in parts[2]]
    settings = [SettingRow(name, None if value is None else bytes.fromhex(value)) for name, value in parts[3]]
    return Batch(runs, [RunChange(*columns) for columns in parts[1]], events, settings)


class LockedReader(MemoryReader):
    def __init__(self, store: "JournalStore") -> None:
        super().__init__(store)
        self._lock = store.lock

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_"):
            return found

        def ask(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                answer = found(*args, **kwargs)
                return iter(list(answer)) if isinstance(answer, Iterator) else answer

        return ask

    def hold(self) -> None:
        """Answer from a copy of what there is now."""
        runs = list(self._store.runs.values())
        copy = MemoryStore(closed_max=10**9)
        settings = [SettingRow(name, value) for name, value in self._store.settings.items()]
        copy.commit([Batch(runs, [], [event for log in self._store.logs.values() for event in log], settings)])
        self._store = copy
