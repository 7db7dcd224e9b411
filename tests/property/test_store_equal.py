"""Memory and SQLite are given the same random commits and must answer every question alike."""

import tempfile
from pathlib import Path

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from aether.model.filters import parse_filter
from aether.store.interface import Batch, EventRow, Reader, RunChange, RunRow, Store, StoreConflict
from aether.store.memory import MemoryStore
from aether.store.sqlite import SqliteStore
from aether.testing.store_suite import FILTERS, NOW

TYPES = ["order", "ship", "\N{SNOWMAN}"]
IDS = ["a", "ab", "abc", "b", "%", "", "a\U0010ffff", "\0"]
int64 = st.integers(-(2**63), 2**63 - 1)
times = st.none() | st.integers(0, 2**50)
keys = st.integers(1, 12)

runs = st.builds(
    RunRow,
    key=keys,
    workflow_id=st.sampled_from(IDS),
    run_id=st.sampled_from(["r1", "r2", "r3"]),
    type=st.sampled_from(TYPES),
    queue=st.text("xyz", max_size=2),
    state=st.integers(0, 3),
    parent_key=st.none() | keys,
    created_at=int64,
    closed_at=times,
    tags=st.dictionaries(st.sampled_from(["t", "customer"]), st.sampled_from(["x", "y", "c1"])).map(
        lambda tags: tuple(sorted(tags.items()))
    ),
)
changes = st.builds(RunChange, key=keys, state=st.integers(0, 4), closed_at=times)
events = st.builds(EventRow, run_key=keys, seq=st.integers(1, 6), at=int64, kind=int64, body=st.binary(max_size=40))
batches = st.builds(
    Batch,
    runs=st.lists(runs, max_size=3),
    changes=st.lists(changes, max_size=3),
    events=st.lists(events, max_size=6),
)
commits = st.lists(st.tuples(st.lists(batches, max_size=3), st.sampled_from([True, True, True, False])), max_size=12)


def mend(group: list[Batch], reader: Reader) -> list[Batch]:
    """Leave out what contradicts the store, so that most commits are taken."""
    fresh_keys: set[int] = set()
    mended = []
    for batch in group:
        runs = []
        for run in batch.runs:
            if run.key not in fresh_keys and reader.run_by_key(run.key) is None:
                runs.append(run)
                fresh_keys.add(run.key)
        mended.append(attrs.evolve(batch, runs=runs))
    return [
        attrs.evolve(batch, changes=[c for c in batch.changes if c.key in fresh_keys or reader.run_by_key(c.key)])
        for batch in mended
    ]


def number(group: list[Batch], reader: Reader) -> list[Batch]:
    """Give the events of each run the next seqs, as every engine does."""
    next_seqs: dict[int, int] = {}
    numbered = []
    for batch in group:
        events = []
        for event in batch.events:
            last = reader.last_event(event.run_key)
            seq = next_seqs.get(event.run_key, last.seq + 1 if last else 1)
            next_seqs[event.run_key] = seq + 1
            events.append(event._replace(seq=seq))
        numbered.append(attrs.evolve(batch, events=events))
    return numbered


TEXTS = [
    *FILTERS,
    "id:ab*",
    "id:%*",
    "id:a,ab",
    "type:order state:pending",
    "tag.t:x",
    "tag.t:*",
    "tag.t:x,y type:order",
]


def answers(reader: Reader) -> list[object]:
    listed = [
        reader.list_runs(parse_filter(text, NOW), **page, limit=4)
        for text in TEXTS
        for page in ({}, {"before_key": 6}, {"after_key": 0}, {"after_key": 6})
    ]
    per_key = [
        (
            reader.run_by_key(key),
            reader.children(key, 3),
            reader.events(key, 0, 5),
            reader.events(key, 2, 100),
            reader.last_event(key),
        )
        for key in range(14)
    ]
    named = [reader.run(workflow_id, run_id) for workflow_id in IDS for run_id in (None, "r1", "r9")]
    return [list(reader.open_runs()), list(reader.open_events()), reader.counts(), listed, per_key, named]


def commit(store: Store, group: list[Batch]) -> bool:
    try:
        store.commit(group)
    except StoreConflict:
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(commits)
def test_memory_and_sqlite_agree_on_every_answer(groups: list[tuple[list[Batch], bool]]):
    memory = MemoryStore()
    memory.open()
    memory_reader = memory.reader()
    with tempfile.TemporaryDirectory() as directory:
        disk = SqliteStore(str(Path(directory) / "a.db"))
        disk.open()
        for group, is_mended in groups:
            numbered = number(mend(group, memory_reader) if is_mended else group, memory_reader)
            is_taken = commit(memory, numbered)
            assert is_taken or not is_mended
            assert commit(disk, numbered) == is_taken
            if not is_taken:
                disk.close()  # a conflict ends all writing: go on as after a restart
                disk = SqliteStore(disk.location)
                assert disk.open().next_run_key == memory.open().next_run_key
        reader = disk.reader()
        assert answers(reader) == answers(memory_reader)
        reader.close()
        disk.close()
