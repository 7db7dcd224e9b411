"""Claims about whose file it is, decided before a byte of it changes."""

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from aether.store.interface import StoreFailed, StoreFormat
from aether.store.sqlite import SqliteStore
from aether.store.sqlite_schema import APPLICATION_ID, FORMAT, refuse_old_sqlite


@pytest.mark.parametrize("version", ["3.51.3", "3.52", "3.54.1", "3.53.0.1", "4.0.0"])
def test_a_safe_sqlite_is_taken(version: str):
    refuse_old_sqlite(version)


@pytest.mark.parametrize("version", ["3.51.2", "3.40.1", "3.7.0"])
def test_an_sqlite_that_can_corrupt_a_shared_file_is_refused(version: str):
    with pytest.raises(StoreFailed, match=rf"version {version} can corrupt .* install apsw"):
        refuse_old_sqlite(version)


def make(path: Path, sql: str) -> bytes:
    connection = apsw.Connection(str(path))
    connection.execute(sql).fetchall()
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("CREATE TABLE t(a)", "belongs to another program"),
        ("PRAGMA user_version = 1", "belongs to another program"),
        ("PRAGMA application_id = 7", "belongs to another program"),
        ("PRAGMA application_id = 7; PRAGMA user_version = 1; CREATE TABLE t(a)", "another program"),
        (
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT + 1}",
            f"has format {FORMAT + 1}, this program reads formats up to {FORMAT}",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_anybody_elses_file_is_refused_and_left_as_it_was(tmp_path: Path, sql: str, complaint: str, mode: str):
    path = tmp_path / "theirs.db"
    before = make(path, f"PRAGMA journal_mode = {mode}; {sql}")
    with pytest.raises(StoreFormat, match=complaint):
        SqliteStore(str(path)).open()
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"a text, not a database\n" * 100, b"x"])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(tmp_path: Path, content: bytes):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StoreFormat, match="this is not a database"):
        SqliteStore(str(path)).open()
    assert path.read_bytes() == content


def touch(path: Path) -> None:
    path.write_bytes(b"")


def only_made_wal(path: Path) -> None:
    make(path, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = wal")


@pytest.mark.parametrize("prepare", [touch, only_made_wal])
def test_a_file_that_was_never_finished_is_as_good_as_new(tmp_path: Path, prepare: Callable[[Path], None]):
    path = tmp_path / "a.db"
    prepare(path)
    store = SqliteStore(str(path))
    assert store.open().created
    store.close()


def test_a_file_of_ours_says_so_to_everybody(tmp_path: Path):
    path = tmp_path / "a.db"
    store = SqliteStore(str(path))
    store.open()
    store.close()
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert path.read_bytes()[68:72] == b"AETH"
    assert connection.pragma("user_version") == FORMAT
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("auto_vacuum") == 2
    connection.close()


def test_a_file_system_without_shared_memory_is_refused(tmp_path: Path):
    # SQLite's own layer for file systems that know no locks cannot share memory either.
    with pytest.raises(StoreFailed, match="allows no write-ahead log"):
        SqliteStore(str(tmp_path / "a.db"), vfs="unix-none").open()
