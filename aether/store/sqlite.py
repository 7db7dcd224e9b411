"""The store that a single server uses: one SQLite file in WAL mode, every commit flushed.

Theory of operation. One connection writes: BEGIN IMMEDIATE, a few multi-row INSERTs, COMMIT, which flushes
the write-ahead log once for all batches. Readers have connections of their own. Copying the log back into the
file (a checkpoint) is taken out of COMMIT and done in `tidy`, for two reasons: nobody waits for it there, and
SQLite's own automatic checkpoint hides a failed flush. Before a commit counts, the file is looked up by name
again, because to a file that was moved or removed under us SQLite goes on writing happily.
"""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are bound

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import apsw

from aether.store import sqlite_schema
from aether.store.format import RESTORE_ADVICE, ROW_SIZES, pack_tags, run_checksum, seal, setting_checksum, split_rows
from aether.store.interface import (
    Batch,
    Damage,
    EventRow,
    Forgotten,
    Opened,
    Retention,
    RunChange,
    RunRow,
    SettingRow,
    StoreBusy,
    StoreConflict,
    StoreDamaged,
    StoreError,
    StoreFailed,
    StoreFormat,
    StoreFull,
)
from aether.store.lock import FileLock
from aether.store.sqlite_backup import back_up
from aether.store.sqlite_check import check_file, find_recent_damage
from aether.store.sqlite_errors import translate
from aether.store.sqlite_log import WriteAheadLog
from aether.store.sqlite_migrate import migrate
from aether.store.sqlite_reader import SqliteReader
from aether.store.sqlite_retention import Sweeper
from aether.store.sqlite_room import Room, Shrinker, vacuum
from aether.store.sqlite_schema import NOTE

_SMALLEST_DATABASE: Final = 512

_Values = list[int | str | bytes | None]


class SqliteStore:
    """A Store in one file. `vfs` names the SQLite file layer to use; tests put a failing disk there."""

    name = "sqlite"
    is_durable = True

    def __init__(self, path: str, *, vfs: str | None = None) -> None:
        # Two names of one file must meet at one lock.
        self._file = Path(os.path.realpath(path))  # Path.resolve raises on a loop of links
        self._path = str(self._file)
        self._log = WriteAheadLog(self._path + "-wal")
        self._vfs = vfs
        self._lock: FileLock | None = None
        self._connection: apsw.Connection | None = None
        self._refusal: StoreError | None = None
        self._files = (0, 0, 0, 0)
        # Where the log ended before its last events were removed: the next one gets the place behind it.
        self._lost_position: int | None = None
        # Runs that were found to have more events than can be read.
        self._hidden: dict[int, Damage] = {}
        self._sweeper = Sweeper()
        self._shrinker = Shrinker()

    @property
    def location(self) -> str:
        return self._path

    def open(self) -> Opened:
        """Lock, create or check, and count a new epoch. Raises any StoreError; then nothing is held."""
        assert self._lock is None, "opened twice"
        sqlite_schema.refuse_old_sqlite(apsw.sqlite_lib_version())
        self._make_directory()
        self._lock = FileLock(self._path + ".lock")
        is_new = not self._file.exists()
        try:
            return self._open_locked()
        except BaseException:
            lock, self._lock = self._lock, None
            self.close()
            if is_new and _size(self._file) == 0:
                self._file.unlink(missing_ok=True)
            lock.discard()
            raise

    def commit(self, batches: Sequence[Batch]) -> None:
        """Write everything in one flushed transaction, or raise a StoreError and keep nothing of it."""
        connection = self._writable()
        events = [event for batch in batches for event in batch.events]
        try:
            connection.execute("BEGIN IMMEDIATE")
            _insert_runs(connection, [run for batch in batches for run in batch.runs])
            self._change_runs(connection, {change.key: change for batch in batches for change in batch.changes})
            self._insert_events(connection, events)
            for batch in batches:
                if batch.settings:
                    _set(connection, batch.settings)
            connection.execute("COMMIT")
        except (apsw.Error, StoreError) as error:
            raise self._give_up(error) from error
        except BaseException:  # a value that fits no column: our bug, and no reason to leave half of it pending
            self._roll_back(connection)
            raise
        if events:
            self._lost_position = None
        self._refuse_replaced_files()

    def forget(self, keep: Retention, rows_max: int) -> Forgotten:
        """Remove some closed runs in one flushed transaction, or raise a StoreError and keep them all."""
        connection = self._writable()
        try:
            forgotten = self._sweeper.sweep(connection, keep, rows_max)
            if forgotten.is_done and self._shrinker.shrink(connection):
                forgotten = Forgotten(forgotten.counts, is_done=False)
            self._lost_position = connection.execute(_LOST_POSITION).get
        except apsw.Error as error:
            raise self._give_up(error) from error
        except BaseException:
            self._roll_back(connection)
            raise
        self._refuse_replaced_files()
        return forgotten

    def remember(self, name: str, value: int) -> None:
        """One flushed transaction, or a StoreError and nothing is changed."""
        connection = self._writable()
        try:
            connection.execute(_REMEMBER, (NOTE + name, value))
        except apsw.Error as error:
            raise self._give_up(error) from error
        self._refuse_replaced_files()

    def tidy(self) -> None:
        """Copy a log that has grown back into the file. A failed flush is fatal as in `commit`."""
        try:
            self._log.tidy(self._writable())
        except apsw.Error as error:
            refused = self._give_up(error)
            if not refused.is_retryable:
                raise refused from error
            # No room to grow the file: the log keeps everything; commits tell when that is full too.

    def reader(self) -> SqliteReader:
        return SqliteReader(self._path, self._vfs, self._hidden)

    def check(self) -> Iterator[str]:
        """Read the whole file and yield a line per fault. Works unopened and beside a running server."""
        return check_file(self._path, self._vfs)

    def back_up(self, target: str) -> int:
        """Copy the file. Works unopened and beside a running server."""
        return back_up(self._path, target)

    def room(self) -> Room:
        """How much of the file nothing uses. Works unopened and beside a running server."""
        with contextlib.closing(self.reader()) as reader:
            return reader.room()

    def vacuum(self) -> tuple[int, int]:
        """Make the opened file as small as it can be; its bytes before and after. Nothing is committed meanwhile."""
        connection = self._writable()
        try:
            return vacuum(connection, self._path)
        except apsw.Error as error:
            raise _not_repeated(self._give_up(error)) from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _make_directory(self) -> None:
        try:
            _make_durable_directory(self._file.parent)
        except OSError as error:
            raise StoreFailed(
                f"its directory cannot be created ({error.strerror}: {error.filename})",
                where=self._path,
                advice="create the directory, or give another path",
            ) from error
        if self._file.is_dir():
            raise StoreFailed("this is a directory", where=self._path, advice="give the path of a file in it")
        if self._file.exists() and not self._file.is_file():
            raise StoreFailed("this is a device or the like", where=self._path, advice="give the path of a file")
        if self._file.exists() and (names := self._file.stat().st_nlink) > 1:
            # Each name has a lock and a log of its own, and two logs of one file ruin it.
            raise StoreFailed(
                f"the file has {names} names (hard links), and a server that is given another one would ruin it",
                where=self._path,
                advice="remove the other names, or start the server on a copy",
            )

    def _open_locked(self) -> Opened:
        self._refuse_remains()
        try:
            connection = self._connection = apsw.Connection(self._path, vfs=self._vfs)
        except apsw.Error as error:
            raise translate(error, self._path, 0) from error
        try:
            connection.set_busy_timeout(5000)
            found = sqlite_schema.read_format(connection, self._path)
            created = found == 0
            if connection.readonly("main"):
                raise StoreFailed(
                    "the file is read-only",
                    where=self._path,
                    advice="let this user write to it, or give another path",
                )
            if created:
                sqlite_schema.create(connection)
            else:
                sqlite_schema.configure(connection)
                migrate(connection, found)
            connection.set_wal_hook(self._log.count)
            epoch = connection.execute("UPDATE meta SET v = v + 1 WHERE k = 'epoch' RETURNING v").get
            if epoch is None:
                raise StoreDamaged("how often it was opened is lost", where=self._path, advice=RESTORE_ADVICE)
            # A lost log must not make a file look new, nor an epoch look fresh.
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            last_key = connection.execute(_LAST_KEY).get
            self._lost_position = connection.execute(_LOST_POSITION).get
            damage, self._hidden = ((), {}) if created else find_recent_damage(connection, self._path)
        except (apsw.Error, UnicodeDecodeError) as error:
            raise _not_repeated(translate(error, self._path, connection.system_errno)) from error
        self._files = self._identify()
        migrated_from = found if 0 < found < sqlite_schema.FORMAT else 0
        return Opened(epoch, last_key + 1, created, damage, migrated_from)

    def _refuse_remains(self) -> None:
        """Refuse what SQLite would take for an empty file and write over."""
        size = _size(self._file)
        if 0 < size < _SMALLEST_DATABASE:
            raise StoreFormat("this is not a database", where=self._path, advice="give another path")
        # It would throw the log away, and with it all that was not copied back.
        if size == 0 and _size(Path(self._log.path)) > 0:
            raise StoreDamaged(
                f"the database is gone but its log {self._log.path} is there",
                where=self._path,
                advice="put the database file back beside it, or move the log away to start anew",
            )

    def _writable(self) -> apsw.Connection:
        if self._refusal is not None:
            raise self._refusal
        assert self._connection is not None, "not open"
        return self._connection

    def _give_up(self, error: apsw.Error | StoreError) -> StoreError:
        """Undo what was begun and say what it means; what must not be tried again ends all writing."""
        connection = self._connection
        assert connection is not None
        refused = error if isinstance(error, StoreError) else translate(error, self._path, connection.system_errno)
        self._roll_back(connection)
        if not refused.is_retryable or connection.in_transaction:
            self._end(refused)
        return refused

    def _roll_back(self, connection: apsw.Connection) -> None:
        if connection.in_transaction:
            with contextlib.suppress(apsw.Error):
                connection.execute("ROLLBACK")

    def _end(self, refused: StoreError) -> None:
        """Write nothing any more, not even on closing: the files may be somebody else's by now."""
        self._refusal = refused
        assert self._connection is not None
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def _change_runs(self, connection: apsw.Connection, changes: dict[int, RunChange]) -> None:
        waiting = list(changes.values())
        for size in split_rows(len(waiting)):
            part, waiting = waiting[:size], waiting[size:]
            values: _Values = []
            for change in part:
                values += (change.key, change.state, change.closed_at, change.error)
            connection.execute(_CHANGE_RUNS[size], values)
            if connection.changes() != size:
                raise StoreConflict(
                    f"one of {size} runs to change is not stored",
                    where=self._path,
                    advice="this is a bug in Aether, please report it",
                )

    def _insert_events(self, connection: apsw.Connection, events: list[EventRow]) -> None:
        done = 0
        if events and self._lost_position is not None:
            connection.execute(_INSERT_BEHIND, (self._lost_position + 1, *seal(events[0])))
            done = 1
        for size in split_rows(len(events) - done):
            values: _Values = []
            for event in events[done : done + size]:
                values += seal(event)
            connection.execute(_INSERT_EVENTS[size], values)
            done += size

    def _identify(self) -> tuple[int, int, int, int]:
        # Of texts: at each commit, and a Path takes three times as long.
        file, log = os.stat(self._path), os.stat(self._log.path)  # noqa: PTH116
        return file.st_dev, file.st_ino, log.st_dev, log.st_ino

    def _refuse_replaced_files(self) -> None:
        try:
            is_same = self._identify() == self._files
        except FileNotFoundError:
            is_same = False
        if not is_same:
            refused = StoreFailed(
                "the file or its write-ahead log was moved, removed or replaced while in use",
                where=self._path,
                advice="put it back and start the server again; what was written since is not in it",
            )
            self._end(refused)
            raise refused


def _make_durable_directory(directory: Path) -> None:
    """Make it and flush the entry of each new part: a flushed file in a directory that got lost is lost too."""
    if directory.is_dir():
        return
    _make_durable_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    parent = os.open(directory.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _not_repeated(fault: StoreError) -> StoreError:
    """A command, or a server that does not start, tries nothing again."""
    if isinstance(fault, StoreFull):
        return StoreFull(fault.what, where=fault.where, advice="free space on that file system, then start again")
    if isinstance(fault, StoreBusy):
        return StoreBusy(fault.what, where=fault.where, advice="end the program that has it open, then start again")
    return fault


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _rows(count: int, columns: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * count)


_LAST_KEY: Final = """
    SELECT max((SELECT coalesce(max(key), 0) FROM runs), (SELECT coalesce(max(v), 0) FROM meta WHERE k = 'last_key'))
"""
_LOST_POSITION: Final = """
    SELECT max(v) FROM meta WHERE k = 'last_pos' AND v > (SELECT coalesce(max(pos), 0) FROM log)
"""
_INSERT_BEHIND: Final = "INSERT INTO log(pos, run_key, seq, at, kind, crc, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
_REMEMBER: Final = "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET v = excluded.v"
_INSERT_RUNS: Final = {
    size: "INSERT INTO runs(key, workflow_id, run_id, type, queue, state, parent_key, created_at, closed_at, crc,"
    f" tags, error) VALUES {_rows(size, 12)}"
    for size in ROW_SIZES
}
_INSERT_EVENTS: Final = {
    size: "INSERT INTO log(run_key, seq, at, kind, crc, body) VALUES " + _rows(size, 6) for size in ROW_SIZES
}
_INSERT_TAGS: Final = {size: f"INSERT INTO tags(name, value, run_key) VALUES {_rows(size, 3)}" for size in ROW_SIZES}
_CHANGE_RUNS: Final = {
    size: "UPDATE runs SET state = column2, closed_at = column3, error = column4"
    f" FROM (VALUES {_rows(size, 4)}) WHERE key = column1"
    for size in ROW_SIZES
}


def _insert_runs(connection: apsw.Connection, runs: list[RunRow]) -> None:
    done = 0
    for size in split_rows(len(runs)):
        values: _Values = []
        for run in runs[done : done + size]:
            values += (run.key, run.workflow_id, run.run_id, run.type, run.queue, run.state)
            values += (run.parent_key, run.created_at, run.closed_at, run_checksum(run), pack_tags(run.tags), run.error)
        connection.execute(_INSERT_RUNS[size], values)
        done += size
    _insert_tags(connection, [(name, value, run.key) for run in runs for name, value in run.tags])


def _set(connection: apsw.Connection, settings: list[SettingRow]) -> None:
    for name, value in {setting.name: setting.value for setting in settings}.items():
        if value is None:
            connection.execute("DELETE FROM settings WHERE name = ?", (name,))
        else:
            connection.execute(
                "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", (name, value, setting_checksum(name, value))
            )


def _insert_tags(connection: apsw.Connection, tags: list[tuple[str, str, int]]) -> None:
    done = 0
    for size in split_rows(len(tags)):
        values: _Values = []
        for tag in tags[done : done + size]:
            values += tag
        connection.execute(_INSERT_TAGS[size], values)
        done += size
