"""Claims about backups: whole, of one moment, never in the way, and never half there."""

import stat
import threading
from pathlib import Path

import apsw
import pytest

from aether.store import sqlite_backup
from aether.store.interface import Batch, RunChange, StoreDamaged, StoreFailed, StoreFormat
from aether.store.sqlite import SqliteStore
from aether.store.sqlite_backup import EPOCHS_AHEAD, back_up
from aether.store.sqlite_check import check_file
from aether.testing.store_suite import event_row, log_of, run_row


@pytest.fixture
def store(tmp_path: Path):
    store = SqliteStore(str(tmp_path / "a.db"))
    store.open()
    runs = [run_row(key, tags=(("a", "b"),)) for key in range(1, 30)]
    store.commit(
        [Batch(runs=runs, changes=[RunChange(3, 3, 9)], events=[e for run in runs for e in log_of(run.key, 9)])]
    )
    yield store
    store.close()


def test_a_copy_holds_what_was_committed_and_can_be_opened(store: SqliteStore, tmp_path: Path):
    target = tmp_path / "copy.db"
    size = back_up(store.location, str(target))
    assert size == target.stat().st_size
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.db"]
    assert list(check_file(str(target), None)) == []
    copy, reader = SqliteStore(str(target)), store.reader()
    opened = copy.open()
    copied = copy.reader()
    assert copied.list_runs(limit=99) == reader.list_runs(limit=99)
    assert list(copied.open_events()) == list(reader.open_events())
    assert opened.epoch == 1 + EPOCHS_AHEAD + 1
    for each in (copied, reader, copy):
        each.close()


def test_a_copy_that_is_made_while_a_server_writes_is_of_one_moment(store: SqliteStore, tmp_path: Path):
    is_over = threading.Event()
    copied: list[int] = []

    def copy() -> None:
        copied.extend(back_up(store.location, str(tmp_path / f"{number}.copy")) for number in range(5))
        is_over.set()

    thread = threading.Thread(target=copy)
    thread.start()
    seq = 10
    while not is_over.is_set():
        # Both or none: a copy of one moment has as many events of one run as of the other.
        store.commit([Batch(events=[event_row(1, seq, bytes(900))]), Batch(events=[event_row(2, seq, bytes(900))])])
        store.tidy()
        seq += 1
    thread.join()
    assert len(copied) == 5
    for number in range(5):
        path = str(tmp_path / f"{number}.copy")
        assert list(check_file(path, None)) == []
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        first = connection.execute("SELECT count(*) FROM log WHERE run_key = 1").get
        second = connection.execute("SELECT count(*) FROM log WHERE run_key = 2").get
        connection.close()
        assert 9 <= first == second < seq


def test_what_is_there_is_not_written_over(store: SqliteStore, tmp_path: Path):
    target = tmp_path / "precious"
    target.write_text("keep me")
    with pytest.raises(StoreFailed, match="something of that name already"):
        back_up(store.location, str(target))
    target.unlink()
    target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreFailed, match="something of that name already"):
        back_up(store.location, str(target))


def test_a_copy_that_is_not_whole_is_not_kept(store: SqliteStore, tmp_path: Path):
    connection = apsw.Connection(store.location)
    connection.execute("UPDATE log SET body = x'00' WHERE run_key = 1 AND seq = 1")
    connection.close()
    with pytest.raises(StoreDamaged, match=r"the copy is not whole .event 1 of run 1"):
        back_up(store.location, str(tmp_path / "copy.db"))
    assert not list(tmp_path.glob("copy*"))


def test_what_a_killed_backup_left_is_swept_away(store: SqliteStore, tmp_path: Path):
    (tmp_path / "copy.db.part").write_bytes(b"half a database" * 1000)
    (tmp_path / "copy.db.part-wal").write_bytes(b"and its log")
    back_up(store.location, str(tmp_path / "copy.db"))
    assert not list(tmp_path.glob("*.part*"))


def test_who_may_not_read_the_database_may_not_read_its_copy(store: SqliteStore, tmp_path: Path):
    Path(store.location).chmod(0o600)
    back_up(store.location, str(tmp_path / "copy.db"))
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("target", ["no/such/folder/copy.db", "a.db/copy.db"])
def test_a_place_that_can_not_be_written_to_is_told(store: SqliteStore, tmp_path: Path, target: str):
    with pytest.raises(StoreFailed, match=r"copy\.db"):
        back_up(store.location, str(tmp_path / target))


def test_a_name_that_can_not_be_given_is_told(store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path) -> None:
        raise OSError(5, "no luck")

    monkeypatch.setattr(sqlite_backup, "_flush", refuse)
    with pytest.raises(StoreFailed, match=r"the copy can not be put there .no luck"):
        back_up(store.location, str(tmp_path / "copy.db"))
    assert not list(tmp_path.glob("copy*"))


def test_what_is_no_database_of_ours_is_refused(tmp_path: Path):
    with pytest.raises(StoreFailed, match="cannot be opened"):
        back_up(str(tmp_path / "nothing.db"), str(tmp_path / "copy.db"))
    (tmp_path / "text").write_bytes(b"a text " * 200)
    with pytest.raises(StoreFormat, match="not a database"):
        back_up(str(tmp_path / "text"), str(tmp_path / "copy.db"))
    assert not list(tmp_path.glob("copy*"))


def test_a_full_disk_is_said_of_the_copy():
    fault = sqlite_backup._blamed(apsw.FullError("database or disk is full"), "a.db", "copy.db.part", None)
    assert str(fault) == "copy.db.part: there is no room for the copy; make room, or give another place"
