"""Claims about how closed runs leave the file: in small transactions, never half for anybody, and for good."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from aether.store.interface import Batch, Retention, RunRow, StoreFailed
from aether.store.sqlite import SqliteStore
from aether.testing.store_suite import event_row, forget_all, log_of, run_row
from tests.unit.store.faulty_disk import FLUSH_FAILED, FaultyDisk

NONE = Retention(count=0)


def closed(key: int, **changes: object) -> RunRow:
    return run_row(key, state=3, closed_at=key, **changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(str(tmp_path / "a.db"))
    store.open()
    yield store
    store.close()


def ask(store: SqliteStore, sql: str) -> object:
    connection = apsw.Connection(store.location, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(sql).get
    finally:
        connection.close()


def test_a_long_history_leaves_in_parts_and_the_run_with_the_first(store: SqliteStore):
    store.commit([Batch(runs=[closed(1, tags=(("a", "b"),))], events=log_of(1, 95))])
    left = []
    while not store.forget(NONE, 10).is_done:
        assert ask(store, "SELECT count(*) FROM runs") == 0
        assert ask(store, "SELECT count(*) FROM tags") == 0
        # The rest is a history that ends earlier, not one with a gap.
        left.append(ask(store, "SELECT count(*) FROM log"))
        assert ask(store, "SELECT coalesce(max(seq), 0) FROM log") == left[-1]
        assert list(store.check()) == []
    assert left == [87, 77, 67, 57, 47, 37, 27, 17, 7, 0]
    assert ask(store, "SELECT count(*) FROM forgotten") == 0


def test_what_a_restart_left_half_done_is_done_by_the_next(store: SqliteStore):
    store.commit([Batch(runs=[closed(1), run_row(2)], events=log_of(1, 50) + log_of(2, 5))])
    store.forget(NONE, 10)
    store.close()
    again = SqliteStore(store.location)
    assert again.open().damage == ()
    assert list(again.check()) == []
    assert forget_all(again, Retention()) == {}
    assert ask(again, "SELECT count(*) FROM log") == 5
    again.close()


def test_every_part_is_bounded_however_the_rows_lie(store: SqliteStore):
    for key in range(1, 61):
        tags = tuple((f"t{number}", "v") for number in range(key % 4))
        store.commit([Batch(runs=[closed(key, tags=tags)], events=log_of(key, key % 23))])

    def rows() -> int:
        return sum(int(str(ask(store, f"SELECT count(*) FROM {table}"))) for table in ("runs", "log", "tags"))

    before = rows()
    while not store.forget(NONE, 12).is_done:
        assert before - rows() <= 12 + 4  # a run leaves with its tags
        assert list(store.check()) == []
        before = rows()
    assert before == 0


def test_runs_that_are_kept_do_not_hide_those_behind_them(store: SqliteStore):
    runs = [run_row(1), *(closed(key, parent_key=1) for key in range(2, 80)), *(closed(key) for key in range(80, 90))]
    store.commit([Batch(runs=runs)])
    assert forget_all(store, NONE) == {("order", 3): 10}
    assert forget_all(store, NONE) == {}
    assert ask(store, "SELECT count(*) FROM runs") == 79


def test_the_file_does_not_grow_when_what_comes_is_as_much_as_what_leaves(store: SqliteStore):
    def write(first: int) -> None:
        batches = [
            Batch(runs=[closed(key)], events=[event_row(key, seq, bytes(500)) for seq in range(1, 11)])
            for key in range(first, first + 50)
        ]
        store.commit(batches)

    def pages() -> int:
        return int(str(ask(store, "PRAGMA page_count")))

    write(1)
    forget_all(store, Retention(count=50))
    size = pages()
    for round_ in range(1, 10):
        write(1 + 50 * round_)
        forget_all(store, Retention(count=50))
    assert pages() < size * 2.5
    assert list(store.check()) == []


def test_tags_that_can_not_be_read_do_not_keep_the_run(store: SqliteStore):
    store.commit([Batch(runs=[closed(1, tags=(("a", "b"),))])])
    connection = apsw.Connection(store.location)
    connection.execute("UPDATE runs SET tags = 'no JSON'")
    connection.close()
    assert forget_all(store, NONE) == {("order", 3): 1}


def test_a_failed_flush_is_as_fatal_as_in_a_commit(tmp_path: Path):
    disk = FaultyDisk()
    store = SqliteStore(str(tmp_path / "b.db"), vfs=disk.vfs_name)
    store.open()
    store.commit([Batch(runs=[closed(1)])])
    disk.fail_always("flush", FLUSH_FAILED, only="-wal")
    with pytest.raises(StoreFailed, match="SQLITE_IOERR_FSYNC"):
        store.forget(NONE, 10)
    with pytest.raises(StoreFailed):
        store.commit([])
    store.close()


def test_a_replaced_file_ends_it(store: SqliteStore):
    store.commit([Batch(runs=[closed(1)])])
    Path(store.location).rename(store.location + ".moved")
    with pytest.raises(StoreFailed, match="moved, removed or replaced"):
        store.forget(NONE, 10)


def test_a_bit_that_flips_in_a_count_costs_no_run_that_is_kept(store: SqliteStore):
    store.commit(
        [Batch(runs=[closed(key) for key in range(1, 11)], events=[event_row(key, 1) for key in range(1, 11)])]
    )
    store.close()
    with apsw.Connection(store.location) as connection:
        connection.execute("UPDATE closed_counts SET count = count | (1 << 62)")
    connection.close()
    again = SqliteStore(store.location)
    again.open()
    forget_all(again, Retention(count=8))
    assert ask(again, "SELECT count(*) FROM runs") == 8
    again.commit([Batch(runs=[closed(key) for key in (11, 12)])])
    forget_all(again, Retention(count=8))
    assert ask(again, "SELECT min(key) FROM runs") == 5
    again.close()
