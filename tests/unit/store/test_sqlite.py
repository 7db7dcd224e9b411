"""Claims about the SQLite store that need a failing disk, other hands, or a look into the file."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from aether.store import sqlite_log
from aether.store.interface import (
    Batch,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFailed,
    StoreFormat,
    StoreFull,
    StoreLocked,
)
from aether.store.sqlite import SqliteStore
from aether.testing.store_suite import event_row, log_of, run_row
from tests.unit.store.faulty_disk import FLUSH_FAILED, NO_SPACE, WRITE_FAILED, FaultyDisk

FIRST = Batch(runs=[run_row(1)], events=[event_row(1, 1)])
SECOND = Batch(events=[event_row(1, 2)])


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    disk = FaultyDisk()
    yield disk
    disk.unregister()


@pytest.fixture
def store(tmp_path: Path, disk: FaultyDisk) -> Iterator[SqliteStore]:
    store = SqliteStore(str(tmp_path / "a.db"), vfs=disk.vfs_name)
    store.open()
    store.commit([FIRST])
    yield store
    disk.heal()
    store.close()


def stored_seqs(path: str) -> list[int]:
    """Open the file as after a restart and give the seqs of run 1."""
    store = SqliteStore(path)
    store.open()
    reader = store.reader()
    seqs = [event.seq for event in reader.events(1, 0, 10_000)]
    reader.close()
    store.close()
    return seqs


def test_a_commit_is_flushed_before_it_returns(store: SqliteStore, disk: FaultyDisk):
    disk.calls.clear()
    store.commit([SECOND, Batch(events=[event_row(1, 3)])])
    flushes = [path for operation, path in disk.calls if operation == "flush"]
    assert flushes == [store.location + "-wal"]
    assert disk.calls[-1][0] == "flush"


def test_a_full_disk_is_told_apart_and_the_same_commit_works_once_there_is_room(store: SqliteStore, disk: FaultyDisk):
    disk.fail_always("write", NO_SPACE)
    for _ in range(3):
        with pytest.raises(StoreFull, match="no room to write; free space"):
            store.commit([SECOND])
    reader = store.reader()
    assert reader.events(1, 0, 9) == log_of(1, 1)
    disk.heal()
    store.commit([SECOND])
    assert reader.events(1, 0, 9) == log_of(1, 2)
    reader.close()


def test_a_failed_flush_ends_all_writing(store: SqliteStore, disk: FaultyDisk):
    disk.fail_nth(1, FLUSH_FAILED, "flush")
    with pytest.raises(StoreFailed, match="SQLITE_IOERR_FSYNC") as caught:
        store.commit([SECOND])
    with pytest.raises(StoreFailed) as again:
        store.commit([SECOND])
    assert again.value is caught.value
    disk.calls.clear()
    store.close()
    assert disk.calls == []
    assert stored_seqs(store.location) in ([1], [1, 2])


def test_a_write_error_of_the_disk_ends_all_writing(store: SqliteStore, disk: FaultyDisk):
    disk.fail_always("write", WRITE_FAILED)
    with pytest.raises(StoreFailed, match="SQLITE_IOERR_WRITE"):
        store.commit([SECOND])
    disk.heal()
    with pytest.raises(StoreFailed):
        store.commit([SECOND])


def fill_log(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_log, "CHECKPOINT_PAGES", 10)
    store.commit([Batch(events=[event_row(1, seq, bytes(4000)) for seq in range(2, 30)])])


def test_the_log_is_copied_back_by_tidy_and_not_before(
    store: SqliteStore, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
):
    disk.calls.clear()
    fill_log(store, monkeypatch)
    assert {path for _, path in disk.calls} == {store.location + "-wal"}
    store.tidy()
    assert ("write", store.location) in disk.calls
    assert disk.calls[-1] == ("flush", store.location)
    disk.calls.clear()
    store.tidy()
    assert disk.calls == []


def test_the_log_file_does_not_grow_for_ever(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sqlite_log, "CHECKPOINT_PAGES", 10)
    for seq in range(2, 300):
        store.commit([Batch(events=[event_row(1, seq, bytes(4000))])])
        store.tidy()
    assert Path(store.location + "-wal").stat().st_size < 40 * 4096


def test_a_reader_that_holds_an_old_view_delays_the_copying_and_nothing_else(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sqlite_log, "CHECKPOINT_PAGES", 10)
    store.commit([Batch(runs=[run_row(2)], events=[event_row(2, 1)])])
    reader = store.reader()
    runs = reader.open_runs()
    assert next(runs).key == 1
    for seq in range(2, 60):
        store.commit([Batch(events=[event_row(1, seq, bytes(4000))])])
        store.tidy()
    assert [run.key for run in runs] == [2]
    reader.close()


def test_a_failed_flush_while_copying_back_is_not_hidden(
    store: SqliteStore, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
):
    fill_log(store, monkeypatch)
    disk.fail_always("flush", FLUSH_FAILED, only=".db")
    with pytest.raises(StoreFailed, match="SQLITE_IOERR_FSYNC"):
        store.tidy()
    with pytest.raises(StoreFailed):
        store.commit([Batch(events=[event_row(1, 30)])])
    disk.heal()
    store.close()
    assert stored_seqs(store.location) == list(range(1, 30))


def test_no_room_to_copy_back_is_no_fault_while_the_log_can_grow(
    store: SqliteStore, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
):
    fill_log(store, monkeypatch)
    disk.fail_always("write", NO_SPACE, only=".db")
    store.tidy()
    store.commit([Batch(events=[event_row(1, 30)])])
    disk.heal()
    store.close()
    assert stored_seqs(store.location) == list(range(1, 31))


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
def test_a_file_that_is_taken_away_is_noticed_before_a_commit_counts(
    tmp_path: Path, store: SqliteStore, suffix: str, how: str
):
    path = Path(store.location + suffix)
    content = path.read_bytes()
    aside = path.rename(tmp_path / "aside")
    if how == "removed":
        aside.unlink()
    if how == "replaced":
        path.write_bytes(content)
    with pytest.raises(StoreFailed, match="moved, removed or replaced"):
        store.commit([SECOND])
    with pytest.raises(StoreFailed):
        store.commit([SECOND])
    store.close()
    if how == "replaced":
        assert path.read_bytes() == content


def test_somebody_else_who_writes_is_waited_for_and_then_named_busy(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
):
    other = apsw.Connection(store.location)
    other.execute("BEGIN IMMEDIATE")
    connection = store._connection
    assert connection is not None
    connection.set_busy_timeout(1)
    with pytest.raises(StoreBusy):
        store.commit([SECOND])
    other.execute("ROLLBACK")
    store.commit([SECOND])
    other.close()


@pytest.mark.parametrize(
    ("code", "fault", "words"),
    [
        (NO_SPACE, StoreFull, "no room to write; free space on that file system, then start again"),
        (
            apsw.SQLITE_BUSY,
            StoreBusy,
            "another process is writing to it; end the program that has it open, then start again",
        ),
    ],
)
def test_who_does_not_start_does_not_promise_to_try_again(
    tmp_path: Path, store: SqliteStore, disk: FaultyDisk, code: int, fault: type[StoreError], words: str
):
    store.close()
    disk.fail_always("write", code)
    with pytest.raises(fault) as caught:
        SqliteStore(str(tmp_path / "a.db"), vfs=disk.vfs_name).open()
    assert str(caught.value) == f"{store.location}: {words}"


def test_a_vacuum_for_which_there_is_no_room_does_not_promise_to_try_again(store: SqliteStore, disk: FaultyDisk):
    disk.fail_always("write", NO_SPACE)
    with pytest.raises(StoreFull, match="no room to write; free space on that file system, then start again"):
        store.vacuum()


def test_a_file_that_could_not_be_made_is_not_there(tmp_path: Path, disk: FaultyDisk):
    disk.fail_always("write", NO_SPACE)
    with pytest.raises(StoreFull):
        SqliteStore(str(tmp_path / "new" / "a.db"), vfs=disk.vfs_name).open()
    assert list((tmp_path / "new").iterdir()) == []


def test_a_second_server_on_the_file_is_refused_by_any_name_of_it(tmp_path: Path, store: SqliteStore):
    link = tmp_path / "link.db"
    link.symlink_to(store.location)
    for path in (store.location, str(link), f"{tmp_path}/./a.db"):
        with pytest.raises(StoreLocked, match=r"in use by pid \d+, started"):
            SqliteStore(path).open()
    store.commit([SECOND])


@pytest.mark.parametrize(
    ("batch", "fault"),
    [
        (Batch(events=[event_row(1, 2), event_row(2**63, 1)]), struct.error),
        (Batch(runs=[run_row(2, parent_key=2**63)]), struct.error),
        (Batch(runs=[run_row(2), run_row(3, state=2**63)]), OverflowError),
        (Batch(runs=[run_row(2), run_row(3, workflow_id="\ud800")]), UnicodeEncodeError),
    ],
)
def test_a_value_that_fits_no_column_leaves_nothing_pending(store: SqliteStore, batch: Batch, fault: type[Exception]):
    with pytest.raises(fault):
        store.commit([Batch(runs=[run_row(9)]), batch])
    store.commit([SECOND])
    reader = store.reader()
    assert [run.key for run in reader.open_runs()] == [1]
    assert reader.events(1, 0, 9) == log_of(1, 2)
    reader.close()


def test_a_directory_that_is_missing_is_made(tmp_path: Path):
    store = SqliteStore(str(tmp_path / "some" / "where" / "a.db"))
    assert store.open().created
    store.close()


def test_paths_that_cannot_be_are_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed, match=r"its directory cannot be created \(.*file"):
        SqliteStore(str(tmp_path / "file" / "a.db")).open()
    with pytest.raises(StoreFailed, match="this is a directory"):
        SqliteStore(str(tmp_path)).open()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(StoreFailed, match=r"loop: it cannot be opened for writing \(unable to open"):
        SqliteStore(str(tmp_path / "loop")).open()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreFailed, match="this is a device or the like; give the path of a file"):
        SqliteStore(str(tmp_path / "pipe")).open()
    assert not list(tmp_path.rglob("*.lock"))


def test_a_log_without_its_database_is_not_thrown_away(tmp_path: Path):
    store = SqliteStore(str(tmp_path / "a.db"))
    store.open()
    store.commit([FIRST])
    (tmp_path / "copy.db-wal").write_bytes((tmp_path / "a.db-wal").read_bytes())
    store.close()
    with pytest.raises(StoreDamaged, match=r"the database is gone but its log .*copy\.db-wal is there"):
        SqliteStore(str(tmp_path / "copy.db")).open()
    assert (tmp_path / "copy.db-wal").exists()


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"no database", StoreFormat), (b"SQLite format 3\0" + bytes(4096), StoreError)],
)
def test_after_a_refused_open_nothing_is_held(tmp_path: Path, content: bytes, kind: type[StoreError]):
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(kind):
        SqliteStore(str(path)).open()
    path.unlink()
    store = SqliteStore(str(path))
    store.open()
    store.close()


@pytest.mark.parametrize("code", [NO_SPACE, WRITE_FAILED, FLUSH_FAILED])
def test_whichever_call_to_the_disk_fails_nothing_acknowledged_is_lost_and_nothing_is_half(
    tmp_path: Path, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch, code: int
):
    """Fail the 1st, 2nd, 3rd … call of a short life, until a life has none left to fail."""
    monkeypatch.setattr(sqlite_log, "CHECKPOINT_PAGES", 6)
    operation = "flush" if code == FLUSH_FAILED else "write"
    for nth in range(1, 1000):
        path = str(tmp_path / f"{nth}.db")
        disk.fail_nth(nth, code, operation)
        acked, tried = live(path, disk)
        disk.heal()
        assert len(stored_seqs(path)) in {3 * acked, 3 * tried}, (nth, acked, tried)
        if disk.failures < nth:
            assert acked == LIVES
            assert nth > 2 * LIVES
            return
    raise AssertionError("the disk never ran out of calls to fail")


LIVES = 8


def live(path: str, disk: FaultyDisk) -> tuple[int, int]:
    """Commit LIVES times three events until something is refused; how many were acknowledged and tried."""
    store = SqliteStore(path, vfs=disk.vfs_name)
    acked = tried = 0
    try:
        store.open()
        for number in range(LIVES):
            tried = number + 1
            runs = [run_row(1)] if number == 0 else []
            events = [event_row(1, 3 * number + seq, bytes(3000)) for seq in (1, 2, 3)]
            store.commit([Batch(runs=runs, events=events[:1]), Batch(events=events[1:])])
            acked = tried
            store.tidy()
    except StoreError:
        pass
    finally:
        store.close()
    return acked, tried
