"""The log has its full length before it is needed, and nobody reads what is not written yet."""

import os
import shutil
from pathlib import Path

import pytest

from aether.store import sqlite_log
from aether.store.interface import Batch
from aether.store.sqlite import SqliteStore
from aether.testing.store_suite import event_row, run_row

SEQS = 150


def log_of(store: SqliteStore) -> Path:
    return Path(store.location + "-wal")


def fill(store: SqliteStore) -> list[int]:
    """Commits enough; how long the log file was after each."""
    store.open()
    store.commit([Batch(runs=[run_row(1)])])
    sizes = []
    for seq in range(1, SEQS + 1):
        store.commit([Batch(events=[event_row(1, seq, bytes(5000))])])
        store.tidy()
        sizes.append(log_of(store).stat().st_size)
    return sizes


def seqs(path: str) -> list[int]:
    store = SqliteStore(path)
    store.open()
    assert list(store.check()) == []
    reader = store.reader()
    stored = [event.seq for event in reader.events(1, 0, 1_000)]
    reader.close()
    store.close()
    return stored


def test_a_log_in_use_gets_its_full_length_and_what_was_committed_is_all_that_is_read(tmp_path: Path):
    store = SqliteStore(str(tmp_path / "a.db"))
    sizes = fill(store)
    whole = sizes.index(sqlite_log.FULL_BYTES)
    assert set(sizes[whole:]) == {sqlite_log.FULL_BYTES}
    # In parts, so that nobody waits for long, and not for those who write little.
    assert sum(size > sqlite_log.FILL_FROM_PAGES * 5000 for size in sizes[:whole]) > 20
    assert sum(size < sqlite_log.FILL_FROM_PAGES * 4200 for size in sizes[:whole]) > 20
    # As after a kill: the files as they are, and nobody who ends in order.
    for end in ("", "-wal"):
        shutil.copyfile(store.location + end, tmp_path / f"copy.db{end}")
    assert seqs(str(tmp_path / "copy.db")) == list(range(1, SEQS + 1))
    store.close()
    assert not log_of(store).exists()
    assert seqs(store.location) == list(range(1, SEQS + 1))


def test_where_room_is_scarce_the_log_grows_as_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sqlite_log, "_ROOM_FACTOR", 10**9)
    store = SqliteStore(str(tmp_path / "a.db"))
    assert max(fill(store)) < sqlite_log.FULL_BYTES // 2
    store.close()


def test_when_the_room_can_not_be_had_the_log_is_as_long_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written = os.pwrite

    def no_room(file: int, data: bytes, offset: int) -> int:
        if offset > 4_000_000:
            raise OSError(28, "No space left on device")
        return written(file, data, offset)

    monkeypatch.setattr(os, "pwrite", no_room)
    store = SqliteStore(str(tmp_path / "a.db"))
    sizes = fill(store)
    assert max(sizes) < 5_000_000
    store.close()
    assert seqs(store.location) == list(range(1, SEQS + 1))
