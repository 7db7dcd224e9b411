"""Rows in dictionaries: the store of tier L0, and the fake that passes the same suite as the disk.

It is bounded by `closed_max`: when more runs than that have closed, the ones that closed first are forgotten
with their events. Open runs are bounded by the engine.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

import attrs

from aether.model.filters import EVERY_RUN, RunFilter, StateTerm, TagTerm, Term, TextTerm
from aether.store.interface import (
    Batch,
    EventRow,
    Forgotten,
    Opened,
    Retention,
    RunChange,
    RunRow,
    SettingRow,
    StoreConflict,
)

_Name = TypeVar("_Name")
NEWEST_MAX: Final = 10_000
"""Events that can be read in the order in which they came."""
_SORT_COST: Final = 4
"""Sorting keys is worth it while they are fewer than all by this factor."""


class MemoryStore:
    """A Store whose rows die with the process. All calls from one thread."""

    name = "memory"
    is_durable = False
    location = "memory"

    def __init__(self, *, closed_max: int = 10_000) -> None:
        assert closed_max >= 0
        self._closed_max = closed_max
        self._epoch = 0
        self._last_key = 0
        self.runs: dict[int, RunRow] = {}
        self.keys: list[int] = []
        self.logs: dict[int, list[EventRow]] = {}
        self.keys_by_workflow: defaultdict[str, list[int]] = defaultdict(list)
        self.keys_by_parent: defaultdict[int, list[int]] = defaultdict(list)
        # By what lists ask for: a state, a type, a tag with its value.
        self._keys_by_name: defaultdict[object, set[int]] = defaultdict(set)
        self._closed: OrderedDict[int, None] = OrderedDict()
        self.settings: dict[str, bytes] = {}
        # How many events there have been, and the newest of them, over all runs.
        self.position = 0
        self.newest: deque[EventRow] = deque(maxlen=NEWEST_MAX)
        self.notes: dict[str, int] = {}

    def open(self) -> Opened:
        """Count a new epoch; rows of this object outlive its close, so that a restart can be played."""
        self._epoch += 1
        return Opened(self._epoch, self._last_key + 1, created=self._epoch == 1)

    def commit(self, batches: Sequence[Batch]) -> None:
        """Apply all batches, or raise StoreConflict and apply nothing."""
        self._refuse_conflicts(batches)
        for batch in batches:
            for run in batch.runs:
                self._add_run(run)
        for batch in batches:
            for change in batch.changes:
                self._change_run(change)
        for batch in batches:
            for event in batch.events:
                insort(self.logs.setdefault(event.run_key, []), event, key=_seq)
            self.position += len(batch.events)
            self.newest.extend(batch.events)
            for setting in batch.settings:
                self._set(setting)
        while len(self._closed) > self._closed_max:
            self._forget(self._closed.popitem(last=False)[0])

    def remember(self, name: str, value: int) -> None:
        self.notes[name] = value

    def _set(self, setting: SettingRow) -> None:
        if setting.value is None:
            self.settings.pop(setting.name, None)
        else:
            self.settings[setting.name] = setting.value

    def forget(self, keep: Retention, rows_max: int) -> Forgotten:
        counts: Counter[tuple[str, int]] = Counter()
        surplus = 0 if keep.count is None else len(self._closed) - keep.count
        if surplus <= 0 and keep.since is None:
            return Forgotten({}, is_done=True)
        for key in sorted(self._closed, key=self._closing):
            run = self.runs[key]
            assert run.closed_at is not None
            if surplus <= 0 and (keep.since is None or run.closed_at >= keep.since):
                break
            if self._is_needed(run):
                continue
            if counts.total() == rows_max:
                return Forgotten(dict(counts), is_done=False)
            del self._closed[key]
            self._forget(key)
            counts[run.type, run.state] += 1
            surplus -= 1
        return Forgotten(dict(counts), is_done=True)

    def _closing(self, key: int) -> tuple[int, int]:
        return self.runs[key].closed_at or 0, key

    def _is_needed(self, run: RunRow) -> bool:
        """The run that started it, or one that it started, is open."""
        near = [*self.keys_by_parent.get(run.key, ()), *([] if run.parent_key is None else [run.parent_key])]
        return any(other in self.runs and self.runs[other].closed_at is None for other in near)

    def tidy(self) -> None:
        """Nothing is ever due."""

    def reader(self) -> "MemoryReader":
        return MemoryReader(self)

    def close(self) -> None:
        """Nothing is held."""

    def keys_of(self, term: Term) -> Collection[int]:
        """The runs that may fulfil the term: all, unless it names what there is an index of."""
        if isinstance(term, StateTerm) and not term.excluded:
            return self._keys_of(term.states)
        if isinstance(term, TextTerm) and not term.excluded and not any(each.is_prefix for each in term.patterns):
            if term.field == "id":
                return [key for each in term.patterns for key in self.keys_by_workflow.get(each.text, ())]
            if term.field == "type":
                return self._keys_of(each.text for each in term.patterns)
        if isinstance(term, TagTerm) and not term.excluded and not any(each.is_prefix for each in term.patterns):
            return self._keys_of((term.name, each.text) for each in term.patterns)
        return self.keys

    def _keys_of(self, names: Iterable[object]) -> Collection[int]:
        there = [self._keys_by_name.get(name, set()) for name in names]
        return there[0] if len(there) == 1 else set[int]().union(*there)

    def _refuse_conflicts(self, batches: Sequence[Batch]) -> None:
        fresh_keys: set[int] = set()
        fresh_events: set[tuple[int, int]] = set()
        for batch in batches:
            for run in batch.runs:
                if run.key in self.runs or run.key in fresh_keys:
                    raise _conflict(f"run {run.key} ({run.workflow_id}, {run.run_id}) is stored already")
                fresh_keys.add(run.key)
            for event in batch.events:
                name = (event.run_key, event.seq)
                if name in fresh_events or self._has_event(*name):
                    raise _conflict(f"event {event.seq} of run {event.run_key} is stored already")
                fresh_events.add(name)
        for batch in batches:
            for change in batch.changes:
                if change.key not in self.runs and change.key not in fresh_keys:
                    raise _conflict(f"run {change.key} is to change and is not stored")

    def _has_event(self, run_key: int, seq: int) -> bool:
        log = self.logs.get(run_key)
        if not log or log[-1].seq < seq:
            return False
        return log[bisect_left(log, seq, key=_seq)].seq == seq

    def _add_run(self, run: RunRow) -> None:
        self.runs[run.key] = run
        self._last_key = max(self._last_key, run.key)
        insort(self.keys, run.key)
        insort(self.keys_by_workflow[run.workflow_id], run.key)
        if run.parent_key is not None:
            insort(self.keys_by_parent[run.parent_key], run.key)
        for name in (run.state, run.type, *run.tags):
            self._keys_by_name[name].add(run.key)
        self._note_closed(run)

    def _change_run(self, change: RunChange) -> None:
        before = self.runs[change.key]
        self._keys_by_name[before.state].discard(change.key)
        run = attrs.evolve(before, state=change.state, closed_at=change.closed_at, error=change.error)
        self.runs[change.key] = run
        self._keys_by_name[run.state].add(change.key)
        self._note_closed(run)

    def _note_closed(self, run: RunRow) -> None:
        if run.closed_at is None:
            self._closed.pop(run.key, None)
        else:
            self._closed.setdefault(run.key)

    def _forget(self, key: int) -> None:
        run = self.runs.pop(key)
        self.logs.pop(key, None)
        _remove(self.keys, key)
        _remove_under(self.keys_by_workflow, run.workflow_id, key)
        if run.parent_key is not None:
            _remove_under(self.keys_by_parent, run.parent_key, key)
        for name in (run.state, run.type, *run.tags):
            self._keys_by_name[name].discard(key)
            if not self._keys_by_name[name]:
                del self._keys_by_name[name]


class MemoryReader:
    """A Reader that looks at the store's own rows; use it from the thread that commits."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def open_runs(self) -> Iterator[RunRow]:
        runs = self._store.runs
        return iter([run for key in self._store.keys if (run := runs[key]).closed_at is None])

    def open_events(self) -> Iterator[EventRow]:
        logs = self._store.logs
        return iter([event for run in self.open_runs() for event in logs.get(run.key, ())])

    def events(self, run_key: int, after_seq: int, limit: int) -> list[EventRow]:
        log = self._store.logs.get(run_key, [])
        first = bisect_right(log, after_seq, key=_seq)
        return log[first : first + limit]

    def last_event(self, run_key: int) -> EventRow | None:
        log = self._store.logs.get(run_key)
        return log[-1] if log else None

    def recall(self, name: str) -> int | None:
        return self._store.notes.get(name)

    def newest_position(self) -> int:
        return self._store.position

    def log_after(self, position: int, limit: int) -> list[tuple[int, EventRow]]:
        newest = self._store.newest
        gone = self._store.position - len(newest)
        first = max(position - gone, 0)
        return list(enumerate(islice(newest, first, first + limit), gone + first + 1))

    def run(self, workflow_id: str, run_id: str | None) -> RunRow | None:
        runs = self._store.runs
        newest_first = reversed(self._store.keys_by_workflow.get(workflow_id, ()))
        return next((runs[key] for key in newest_first if run_id in (None, runs[key].run_id)), None)

    def run_by_key(self, key: int) -> RunRow | None:
        return self._store.runs.get(key)

    def children(self, key: int, limit: int) -> list[RunRow]:
        return [self._store.runs[child] for child in self._store.keys_by_parent.get(key, ())[:limit]]

    def list_runs(
        self,
        wanted: RunFilter = EVERY_RUN,
        *,
        before_key: int | None = None,
        after_key: int | None = None,
        limit: int,
    ) -> list[RunRow]:
        runs, found = self._store.runs, list[RunRow]()
        for key in self._keys(wanted, before_key, after_key):
            if len(found) == limit:
                break
            run = runs[key]
            if wanted.matches(run, self.run_by_key):
                found.append(run)
        return found

    def _keys(self, wanted: RunFilter, before_key: int | None, after_key: int | None) -> Iterator[int]:
        """Keys among which all are that are meant, in their order: of one name that few runs have, or all there are."""
        keys = self._store.keys
        begin = 0 if after_key is None else bisect_right(keys, after_key)
        end = len(keys) if before_key is None else bisect_left(keys, before_key)
        few = min((self._store.keys_of(term) for term in wanted.terms), key=len, default=None)
        is_up = after_key is not None
        if few is None or len(few) * _SORT_COST > end - begin:
            places = range(begin, end)
            return (keys[place] for place in (places if is_up else reversed(places)))
        low = after_key or 0
        return iter(
            sorted((key for key in few if low < key and (before_key is None or key < before_key)), reverse=not is_up)
        )

    def counts(self) -> dict[tuple[str, int], int]:
        return dict(Counter((run.type, run.state) for run in self._store.runs.values()))

    def settings(self) -> Iterator[SettingRow]:
        return iter([SettingRow(name, value) for name, value in sorted(self._store.settings.items())])

    def hold(self) -> None:
        """Who reads is who commits, so nothing is committed meanwhile."""

    def close(self) -> None:
        """Nothing is held."""


def _seq(event: EventRow) -> int:
    return event.seq


def _conflict(what: str) -> StoreConflict:
    return StoreConflict(what, where="memory", advice="this is a bug in Aether, please report it")


def _remove(keys: list[int], key: int) -> None:
    del keys[bisect_left(keys, key)]


def _remove_under(index: dict[_Name, list[int]], name: _Name, key: int) -> None:
    _remove(index[name], key)
    if not index[name]:
        del index[name]
