"""Claims about finding damage: some at every start, all of it when asked."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from aether.store import sqlite_check
from aether.store.format import checksum
from aether.store.interface import Batch, Damage, RunChange, StoreDamaged, StoreFormat
from aether.store.sqlite import SqliteStore
from aether.testing.store_suite import log_of, run_row


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """A closed store with the open runs 1 and 2 and the closed run 3, five events each."""
    store = SqliteStore(str(tmp_path / "a.db"))
    store.open()
    events = [event for key in (1, 2, 3) for event in log_of(key, 5)]
    runs = [run_row(key) for key in (1, 2, 3)]
    store.commit([Batch(runs=runs, changes=[RunChange(3, 2, 9)], events=events)])
    store.close()
    return store


def edit(store: SqliteStore, sql: str, values: Sequence[Any] = ()) -> None:
    connection = apsw.Connection(store.location)
    connection.execute(sql, values)
    connection.close()


def ask(store: SqliteStore, sql: str) -> list[Any]:
    connection = apsw.Connection(store.location)
    with closing(connection):
        return connection.execute(sql).fetchall()


def open_damage(store: SqliteStore) -> tuple[Damage, ...]:
    damage = store.open().damage
    store.close()
    return damage


def test_a_sound_file_has_no_findings_closed_or_in_use(store: SqliteStore):
    assert list(store.check()) == []
    assert open_damage(store) == ()
    store.open()
    assert list(store.check()) == []
    store.close()


def test_a_start_finds_altered_rows_among_the_newest(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    edit(store, "UPDATE log SET body = x'00' WHERE run_key = 1 AND seq = 2")
    assert open_damage(store) == (Damage(1, 2, "event 2 of run 1 is not what was written (checksum)"),)
    monkeypatch.setattr(sqlite_check, "RECENT_ROWS", 13)
    assert open_damage(store) == ()
    assert list(store.check()) == ["event 2 of run 1 is not what was written (checksum)"]


def test_a_start_finds_runs_whose_last_events_are_hidden_from_the_index(store: SqliteStore):
    """As a bit that flips in the index does it: what is left of the run is whole."""
    (index,) = ask(store, "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema WHERE name = 'log_by_run'")
    edit(store, "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'log_by_run'")
    more = "INSERT INTO log(run_key, seq, at, kind, crc, body) VALUES (2, 6, 1, 1, ?, x'00')"
    edit(store, more, (checksum(2, 6, 1, 1, b"\0"),))
    edit(store, "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index)
    assert store.open().damage == (Damage(2, 6, "of 6 events of run 2 only 5 can be found"),)
    reader = store.reader()
    for ask_for in (reader.last_event, lambda key: reader.events(key, 0, 3)):
        with pytest.raises(StoreDamaged, match="only 5 can be found"):
            ask_for(2)
        assert ask_for(1)
    reader.close()
    store.vacuum()
    store.close()
    # The table is whole, and indexes are made from it.
    assert list(store.check()) == []
    assert open_damage(store) == ()


def test_a_start_finds_gaps_in_open_runs_and_a_check_finds_all(store: SqliteStore):
    edit(store, "DELETE FROM log WHERE run_key = 2 AND seq = 4 OR run_key = 3 AND seq = 1")
    gap = "run 2 has 4 events numbered 1 to 5: some are missing"
    assert open_damage(store) == (Damage(2, 5, gap), Damage(3, 5, "of 5 events of run 3 only 4 can be found"))
    assert list(store.check()) == [gap, "run 3 has 4 events numbered 2 to 5: some are missing"]


def test_events_without_a_run_are_found(store: SqliteStore):
    edit(store, "DELETE FROM runs WHERE key = 3")
    assert list(store.check()) == ["run 3 has events but is not stored itself"]


def test_altered_runs_are_found(store: SqliteStore):
    edit(store, "UPDATE runs SET run_id = 'another' WHERE key = 2; UPDATE runs SET created_at = 0 WHERE key = 3")
    assert list(store.check()) == [f"run {key} is not what was written (checksum)" for key in (2, 3)]


def test_a_text_that_is_none_is_a_finding_and_refused_at_the_start(store: SqliteStore):
    path = Path(store.location)
    # The schema itself: every statement reads it.
    path.write_bytes(path.read_bytes().replace(b"runs_by_parent", b"runs\xff\xfe_parent"))
    assert any("not UTF-8" in line or "damaged" in line for line in store.check())
    with pytest.raises(StoreDamaged):
        store.open()


def test_findings_are_bounded(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sqlite_check, "_FAULTS_MAX", 3)
    edit(store, "UPDATE log SET crc = crc + 1")
    lines = list(store.check())
    assert len(lines) == 4
    assert lines[-1] == "there are more of these: stopped after 3"


def test_a_damaged_structure_is_found(store: SqliteStore):
    connection = apsw.Connection(store.location)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    connection.pragma("writable_schema", "on")
    connection.execute("DELETE FROM sqlite_schema WHERE name = 'log_by_run'")
    connection.close()
    assert any(line.startswith("structure: ") for line in store.check())


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path):
    assert "it cannot be opened" in "".join(SqliteStore(str(tmp_path / "nothing.db")).check())
    (tmp_path / "text.db").write_text("no database " * 400)
    with pytest.raises(StoreFormat, match="this is not a database of Aether's"):
        list(SqliteStore(str(tmp_path / "text.db")).check())
