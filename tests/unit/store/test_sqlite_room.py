"""Claims about room that nothing uses: a file shrinks when there is much, a little at a time."""

from pathlib import Path

import apsw
import pytest

from aether.store import sqlite_room
from aether.store.interface import Batch, Retention
from aether.store.sqlite import SqliteStore
from aether.store.sqlite_room import PAGES_MAX, Room, Shrinker, room
from aether.testing.store_suite import event_row, forget_all, run_row

NONE = Retention(count=0)


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """Opened, with ten closed runs of 100 KB each and one that is open."""
    store = SqliteStore(str(tmp_path / "a.db"))
    store.open()
    runs = [run_row(key, state=3, closed_at=key) for key in range(1, 11)]
    events = [event_row(key, seq, bytes(10_000)) for key in range(1, 11) for seq in range(1, 11)]
    store.commit([Batch(runs=[*runs, run_row(11)], events=[*events, event_row(11, 1)])])
    return store


def test_the_file_shrinks_in_small_parts_when_retention_is_done(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sqlite_room, "SMALL_BYTES", 0)
    full = store.room()
    parts, sizes = 0, [full.size]
    while not store.forget(NONE, 100).is_done:
        sizes.append(store.room().size)
        assert sizes[-2] - sizes[-1] <= PAGES_MAX * 4096
        parts += sizes[-1] < sizes[-2]
    assert parts > 2
    left = store.room()
    assert left.size < full.size / 3
    assert left.share <= 0.25
    assert list(store.check()) == []
    store.tidy()
    store.close()
    assert Path(store.location).stat().st_size < full.size / 3


def test_room_that_will_soon_be_used_again_is_kept(store: SqliteStore):
    full = store.room()
    forget_all(store, NONE)
    assert store.room().size == full.size, "so little is not worth the work"
    assert store.room().unused > full.size / 2
    store.close()


def test_it_begins_late_and_stops_late(monkeypatch: pytest.MonkeyPatch):
    shrinker, asked = Shrinker(), list[str]()
    found = Room(1000, 240)

    class Connection:
        def execute(self, sql: str) -> "Connection":
            nonlocal found
            asked.append(sql)
            found = Room(found.size - 50, found.unused - 50)
            return self

        def fetchall(self) -> list[object]:
            return []

    monkeypatch.setattr(sqlite_room, "SMALL_BYTES", 10)
    monkeypatch.setattr(sqlite_room, "room", lambda connection: found)
    connection = Connection()
    assert not shrinker.shrink(connection)  # type: ignore[arg-type]
    found = Room(1000, 260)
    answers = [shrinker.shrink(connection) for _ in range(5)]  # type: ignore[arg-type]
    assert answers == [True, True, True, True, False]
    assert (found, len(asked)) == (Room(800, 60), 4)


def test_a_file_that_can_not_shrink_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sqlite_room, "SMALL_BYTES", 0)
    connection = apsw.Connection(str(tmp_path / "other.db"))
    connection.execute("CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(1000000)); DELETE FROM t")
    assert room(connection).share > 0.9
    assert not Shrinker().shrink(connection)
    assert Room(0, 0).share == 0


def test_a_vacuum_makes_it_as_small_as_it_can_be_and_loses_nothing(store: SqliteStore):
    forget_all(store, NONE)
    reader = store.reader()
    before, after = store.vacuum()
    assert after < before / 5
    assert Path(store.location).stat().st_size == after
    assert store.room().unused == 0
    assert [run.key for run in reader.list_runs(limit=10)] == [11]
    reader.close()
    store.commit([Batch(runs=[run_row(12)])])
    assert list(store.check()) == []
    store.close()
