"""Claims about reading a file: damage is named, never returned; no question reads the whole table."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from aether.model.filters import parse_filter
from aether.store import sqlite_lists, sqlite_reader
from aether.store.interface import Batch, EventRow, StoreBusy, StoreDamaged, StoreFailed
from aether.store.sqlite import SqliteStore
from aether.store.sqlite_reader import SqliteReader
from aether.testing.store_suite import FILTERS, NOW, event_row, labelled_runs, log_of, run_row


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A closed file with runs 1 to 4 of five events each."""
    store = SqliteStore(str(tmp_path / "a.db"))
    store.open()
    runs = [run_row(key, parent_key=1, tags=(("a", "b"),)) for key in (1, 2, 3, 4)]
    store.commit([Batch(runs=runs, events=[event for run in runs for event in log_of(run.key, 5)])])
    store.close()
    return store.location


@pytest.fixture
def reader(path: str) -> Iterator[SqliteReader]:
    reader = SqliteReader(path)
    yield reader
    reader.close()


def edit(path: str, sql: str) -> None:
    connection = apsw.Connection(path)
    connection.execute(sql)
    connection.close()


def read_all_open(reader: SqliteReader) -> tuple[list[EventRow], list[StoreDamaged]]:
    events: list[EventRow] = []
    faults: list[StoreDamaged] = []
    stream = reader.open_events()
    while True:
        try:
            events.append(next(stream))
        except StopIteration:
            return events, faults
        except StoreDamaged as error:
            faults.append(error)
            assert len(faults) < 10


FLIP = "UPDATE log SET body = x'00' WHERE run_key = 2 AND seq = 3"


def test_who_watches_all_events_is_told_of_those_that_are_sound(path: str, reader: SqliteReader):
    edit(path, FLIP)
    found = reader.log_after(0, 100)
    assert len(found) == 19
    assert (2, 3) not in [(event.run_key, event.seq) for _, event in found]


def test_no_number_of_damaged_events_hides_those_behind_them(path: str, reader: SqliteReader):
    edit(path, "UPDATE log SET body = x'00' WHERE pos BETWEEN 3 AND 17")
    found = reader.log_after(0, 4)
    assert [position for position, _ in found] == [1, 2]
    assert [position for position, _ in reader.log_after(2, 4)] == [18]
    assert [position for position, _ in reader.log_after(18, 4)] == [19, 20]
    edit(path, "UPDATE log SET body = x'00'")
    assert reader.log_after(0, 4) == []


def test_an_altered_event_is_named_wherever_it_is_read(path: str, reader: SqliteReader):
    edit(path, FLIP)
    with pytest.raises(StoreDamaged) as caught:
        reader.events(2, 0, 10)
    assert (caught.value.run_key, caught.value.seq) == (2, 3)
    assert reader.events(2, 0, 2) == log_of(2, 2)
    edit(path, "UPDATE log SET at = 0 WHERE run_key = 2 AND seq = 5")
    with pytest.raises(StoreDamaged) as caught:
        reader.last_event(2)
    assert (caught.value.run_key, caught.value.seq) == (2, 5)


@pytest.mark.parametrize("seq", [1, 3])
def test_a_lost_event_is_named_wherever_it_is_missed(path: str, reader: SqliteReader, seq: int):
    edit(path, f"DELETE FROM log WHERE run_key = 2 AND seq = {seq}")
    with pytest.raises(StoreDamaged, match=f"event {seq} of run 2 is missing"):
        reader.events(2, 0, 10)
    _, faults = read_all_open(reader)
    assert [(fault.run_key, fault.seq) for fault in faults] == [(2, seq)]


def test_one_damaged_run_does_not_hide_the_others(path: str, reader: SqliteReader):
    edit(path, FLIP)
    edit(path, "DELETE FROM log WHERE run_key = 4 AND seq = 2")
    events, faults = read_all_open(reader)
    assert [(fault.run_key, fault.seq) for fault in faults] == [(2, 3), (4, 2)]
    assert events == log_of(1, 5) + log_of(2, 2) + log_of(3, 5) + log_of(4, 1)


@pytest.mark.parametrize(
    "change", ["workflow_id = 'x'", "run_id = 'x'", "type = 'x'", "queue = 'x'", "parent_key = NULL", "created_at = 1"]
)
def test_an_altered_run_is_named_and_hides_no_other(path: str, reader: SqliteReader, change: str):
    edit(path, f"UPDATE runs SET {change} WHERE key = 2")
    with pytest.raises(StoreDamaged, match="run 2 is not what was written") as caught:
        reader.run_by_key(2)
    assert (caught.value.run_key, caught.value.seq) == (2, None)
    stream = reader.open_runs()
    assert next(stream).key == 1
    with pytest.raises(StoreDamaged, match="run 2"):
        next(stream)
    assert [run.key for run in stream] == [3, 4]
    assert [run.key for run in reader.list_runs(limit=9)] == [4, 3, 2, 1]


def test_a_damaged_file_does_not_read_like_the_end_of_it(path: str):
    store = SqliteStore(path)
    store.open()
    store.commit([Batch(events=[event_row(4, seq, bytes(2000)) for seq in range(6, 100)])])
    store.close()
    connection = apsw.Connection(path)
    last_page = connection.execute("SELECT max(pageno) FROM dbstat WHERE name = 'log' AND pagetype = 'leaf'").get
    connection.close()
    with Path(path).open("r+b") as file:
        file.seek((last_page - 1) * 4096)
        file.write(bytes(4096))
    reader = SqliteReader(path)
    stream = reader.open_events()
    for _ in range(50):
        next(stream)
    complaints = []
    for _ in range(70):
        try:
            next(stream)
        except StoreDamaged as error:
            complaints.append(error)
    assert len(complaints) >= 2
    assert {error.run_key for error in complaints} == {None}
    with pytest.raises(StoreDamaged, match="the file is damaged"):
        reader.events(4, 0, 200)
    reader.close()


def test_a_log_that_is_damaged_at_its_root_is_named_at_once(path: str):
    connection = apsw.Connection(path)
    root_page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'log_by_run'").get
    connection.close()
    with Path(path).open("r+b") as file:
        file.seek((root_page - 1) * 4096)
        file.write(bytes(4096))
    reader = SqliteReader(path)
    with pytest.raises(StoreDamaged, match="the file is damaged"):
        reader.open_events()
    reader.close()


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(StoreFailed, match=r"a\.db: it cannot be opened"):
        SqliteReader(str(tmp_path / "a.db"))


def test_a_file_that_somebody_keeps_for_himself_is_busy(path: str, monkeypatch: pytest.MonkeyPatch):
    other = apsw.Connection(path)
    other.pragma("locking_mode", "exclusive")
    other.execute("UPDATE meta SET v = v")
    monkeypatch.setattr(sqlite_reader, "BUSY_MS", 1)
    with pytest.raises(StoreBusy):
        SqliteReader(path).run_by_key(1)
    with pytest.raises(StoreBusy):
        next(SqliteReader(path).open_runs())
    other.close()


def test_no_question_reads_a_whole_table_or_sorts_what_has_an_order(
    path: str, reader: SqliteReader, monkeypatch: pytest.MonkeyPatch
):
    plans: list[tuple[str, str]] = []
    connection = reader._connection

    def explain(cursor: apsw.Cursor, sql: str, values: object) -> bool:
        if sql.startswith("SELECT"):
            rows = apsw.Connection(path).execute(f"EXPLAIN QUERY PLAN {sql}", values or ())  # type: ignore[arg-type]
            plans.extend((sql, row[3]) for row in rows)
        return True

    connection.exec_trace = explain
    list(reader.open_runs())
    list(reader.open_events())
    reader.events(1, 0, 5)
    reader.last_event(1)
    reader.run("order-1", None)
    reader.run("order-1", "run-1")
    reader.run_by_key(1)
    reader.children(1, 5)
    monkeypatch.setattr(sqlite_lists, "NARROW", 1)
    monkeypatch.setattr(sqlite_lists, "NARROW_ALONE", 1)
    for text in ("", "type:order", "state:pending", "type:order state:pending", "tag.a:b"):
        for before in (None, 3):
            reader.list_runs(parse_filter(text, 0), before_key=before, limit=5)
        for after in (0, 3):
            reader.list_runs(parse_filter(text, 0), after_key=after, limit=5)
    assert len(plans) >= 16
    for sql, step in plans:
        is_in_order = step == "SCAN runs" and ("ORDER BY key DESC LIMIT" in sql or "ORDER BY key ASC LIMIT" in sql)
        is_count = sql.startswith("SELECT count(*)") and (step.startswith("CO-ROUTINE") or step == "SCAN (subquery-1)")
        is_walk_of_open = step.startswith("SEARCH runs USING INDEX runs_by_closed")
        assert is_in_order or is_count or is_walk_of_open or step.startswith("SEARCH"), (sql, step)
        assert "TEMP B-TREE" not in step, (sql, step)


@pytest.mark.parametrize("narrow", [1, 4, 13, 5000])
@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_gives_the_same_runs_however_it_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, narrow: int, text: str
):
    monkeypatch.setattr(sqlite_lists, "NARROW", narrow)
    monkeypatch.setattr(sqlite_lists, "NARROW_ALONE", narrow)
    runs = labelled_runs()
    store = SqliteStore(str(tmp_path / "b.db"))
    store.open()
    store.commit([Batch(runs=runs)])
    reader = store.reader()
    wanted, rows = parse_filter(text, NOW), {run.key: run for run in runs}
    expected = [run for run in runs[::-1] if wanted.matches(run, rows.get)]
    assert reader.list_runs(wanted, limit=99) == expected
    assert reader.list_runs(wanted, before_key=30, limit=2) == [run for run in expected if run.key < 30][:2]
    assert reader.list_runs(wanted, after_key=0, limit=99) == expected[::-1]
    assert reader.list_runs(wanted, after_key=8, limit=2) == [run for run in expected[::-1] if run.key > 8][:2]
    reader.close()
    store.close()


def test_a_reader_cannot_write(path: str, reader: SqliteReader):
    with pytest.raises(apsw.ReadOnlyError):
        reader._connection.execute("DELETE FROM runs")
    assert reader.events(1, 4, 1) == [event_row(1, 5)]
