"""Reading the SQLite file on a connection of its own: whole commits, no waiting for the writer.

Each query names the index it runs on, because a plan that depends on statistics changes when nobody looks.
"""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are bound

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import apsw

from aether.model.filters import EVERY_RUN, RunFilter
from aether.store.format import (
    RESTORE_ADVICE,
    LogCheck,
    StoredEvent,
    is_sound,
    lost,
    show_run,
    unseal,
    unseal_run,
    unseal_setting,
)
from aether.store.interface import Damage, EventRow, RunRow, SettingRow, StoreDamaged, StoreError
from aether.store.sqlite_errors import translate
from aether.store.sqlite_lists import Page, Values, plan_list
from aether.store.sqlite_room import Room, room
from aether.store.sqlite_schema import EVENT_COLUMNS, NOTE, RUN_COLUMNS, SETTING_COLUMNS

_Row = TypeVar("_Row")

BUSY_MS: Final = 5_000
# Events that are read and checked in one go.
_CHUNK: Final = 500
_NEWEST_POSITION: Final = """
    SELECT max((SELECT coalesce(max(pos), 0) FROM log), (SELECT coalesce(max(v), 0) FROM meta WHERE k = 'last_pos'))
"""
_LOG_AFTER: Final = f"SELECT {EVENT_COLUMNS}, pos FROM log WHERE pos > ? ORDER BY pos LIMIT ?"


class SqliteReader:
    """A Reader of one file."""

    def __init__(self, path: str, vfs: str | None = None, hidden: Mapping[int, Damage] | None = None) -> None:
        self._path = path
        self._hidden = hidden or {}
        try:
            # Read-only also keeps the last one to close from checkpointing a file that is no longer ours.
            self._connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        except apsw.Error as error:
            raise translate(error, path, 0) from error
        self._connection.set_busy_timeout(BUSY_MS)
        self._query("PRAGMA cache_size = -16384")
        self._query("PRAGMA trusted_schema = OFF")

    def open_runs(self) -> Iterator[RunRow]:
        rows = self._start(
            f"SELECT {RUN_COLUMNS} FROM runs INDEXED BY runs_by_closed WHERE closed_at IS NULL ORDER BY key"
        )
        return _Stream(self, rows, lambda row: unseal_run(row, self._path))

    def open_events(self) -> Iterator[EventRow]:
        rows = self._start(
            f"SELECT {EVENT_COLUMNS} FROM runs INDEXED BY runs_by_closed CROSS JOIN log INDEXED BY log_by_run"
            " ON log.run_key = runs.key WHERE runs.closed_at IS NULL ORDER BY runs.key, log.seq"
        )
        return _LogStream(self, rows, self._path)

    def events(self, run_key: int, after_seq: int, limit: int) -> list[EventRow]:
        self._refuse_hidden(run_key)
        rows = self._query(
            f"SELECT {EVENT_COLUMNS} FROM log INDEXED BY log_by_run WHERE run_key = ? AND seq > ? ORDER BY seq LIMIT ?",
            (run_key, after_seq, limit),
        )
        events = [unseal(row, self._path) for row in rows]
        for seq, event in enumerate(events, after_seq + 1):
            if event.seq != seq:
                raise lost(run_key, seq, self._path)
        return events

    def last_event(self, run_key: int) -> EventRow | None:
        self._refuse_hidden(run_key)
        rows = self._query(
            f"SELECT {EVENT_COLUMNS} FROM log INDEXED BY log_by_run WHERE run_key = ? ORDER BY seq DESC LIMIT 1",
            (run_key,),
        )
        return unseal(rows[0], self._path) if rows else None

    def recall(self, name: str) -> int | None:
        rows = self._query("SELECT v FROM meta WHERE k = ?", (NOTE + name,))
        return int(rows[0][0]) if rows else None

    def newest_position(self) -> int:
        return int(self._query(_NEWEST_POSITION)[0][0])

    def log_after(self, position: int, limit: int) -> list[tuple[int, EventRow]]:
        # Who gets nothing has come to the end, so no number of damaged events may fill a page.
        while rows := self._query(_LOG_AFTER, (position, limit)):
            found = [(pos, unseal(event, self._path)) for *columns, pos in rows if is_sound(event := tuple(columns))]
            if found:
                return found
            position = rows[-1][-1]
        return []

    def run(self, workflow_id: str, run_id: str | None) -> RunRow | None:
        if run_id is None:
            return self._one_run(
                "INDEXED BY runs_by_workflow WHERE workflow_id = ? ORDER BY key DESC LIMIT 1", (workflow_id,)
            )
        return self._one_run(
            "INDEXED BY runs_by_name WHERE workflow_id = ? AND run_id = ? ORDER BY key DESC LIMIT 1",
            (workflow_id, run_id),
        )

    def run_by_key(self, key: int) -> RunRow | None:
        return self._one_run("WHERE key = ?", (key,))

    def children(self, key: int, limit: int) -> list[RunRow]:
        rows = self._query(
            f"SELECT {RUN_COLUMNS} FROM runs INDEXED BY runs_by_parent WHERE parent_key = ? ORDER BY key LIMIT ?",
            (key, limit),
        )
        return [unseal_run(row, self._path) for row in rows]

    def list_runs(
        self,
        wanted: RunFilter = EVERY_RUN,
        *,
        before_key: int | None = None,
        after_key: int | None = None,
        limit: int,
    ) -> list[RunRow]:
        sql, values = plan_list(wanted, Page(limit, before_key, after_key), self._query)
        return [show_run(row) for row in self._query(sql, values)]

    def counts(self) -> dict[tuple[str, int], int]:
        rows = self._query(
            "SELECT CAST(type AS BLOB), CAST(state AS INTEGER), CAST(count AS INTEGER) FROM closed_counts UNION ALL"
            " SELECT CAST(type AS BLOB), CAST(state AS INTEGER), count(*) FROM runs INDEXED BY runs_by_closed"
            " WHERE closed_at IS NULL GROUP BY type, state"
        )
        counts: Counter[tuple[str, int]] = Counter()
        for type_, state, count in rows:
            # A start begins with this, and one odd row must not keep it from all others.
            counts[(type_ or b"").decode(errors="replace"), state or 0] += count or 0
        return {name: count for name, count in counts.items() if count}

    def settings(self) -> Iterator[SettingRow]:
        rows = self._start(f"SELECT {SETTING_COLUMNS} FROM settings ORDER BY name")
        return _Stream(self, rows, lambda row: unseal_setting(row, self._path))

    def room(self) -> Room:
        """How much of the file nothing uses."""
        try:
            return room(self._connection)
        except apsw.Error as error:
            raise self._translated(error) from error

    def hold(self) -> None:
        self._query("BEGIN")
        self._query("SELECT v FROM meta LIMIT 1")  # only now the moment is chosen

    def close(self) -> None:
        self._connection.close()

    def _refuse_hidden(self, run_key: int) -> None:
        """What is left of it looks whole, and is not."""
        if (fault := self._hidden.get(run_key)) is not None:
            raise StoreDamaged(fault.what, where=self._path, advice=RESTORE_ADVICE, run_key=run_key, seq=fault.seq)

    def _one_run(self, how: str, values: tuple[int | str, ...]) -> RunRow | None:
        rows = self._query(f"SELECT {RUN_COLUMNS} FROM runs {how}", values)
        return unseal_run(rows[0], self._path) if rows else None

    def _translated(self, error: apsw.Error | UnicodeDecodeError) -> StoreError:
        return translate(error, self._path, self._connection.system_errno)

    def _query(self, sql: str, values: Values = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self._translated(error) from error

    def _start(self, sql: str) -> apsw.Cursor:
        try:
            return self._connection.execute(sql)
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self._translated(error) from error

    def _next(self, rows: apsw.Cursor) -> Any:
        try:
            return next(rows, None)
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self._translated(error) from error


class _Stream(Generic[_Row]):
    """Checked rows. After a damaged one it goes on; at a damaged file it complains for ever instead of ending."""

    def __init__(self, reader: SqliteReader, rows: apsw.Cursor, check: Callable[[Any], _Row]) -> None:
        self._next_row = reader._next  # noqa: SLF001 - one module, one thing
        self._rows = rows
        self._check = check
        self._broken: StoreError | None = None

    def __iter__(self) -> "_Stream[_Row]":
        return self

    def __next__(self) -> _Row:
        if self._broken is not None:
            raise self._broken
        try:
            row = self._next_row(self._rows)
        except StoreError as error:
            self._broken = error  # to end here would lose all runs that follow
            raise
        if row is None:
            raise StopIteration
        return self._check(row)


class _LogStream:
    """Checked events of many runs. Goes on behind damage like `_Stream`.

    Read and checked many at a time, because a start reads all events of all open runs.
    """

    def __init__(self, reader: SqliteReader, rows: apsw.Cursor, where: str) -> None:
        self._translated = reader._translated  # noqa: SLF001 - one module, one thing
        self._rows = rows
        self._check = LogCheck(where)
        self._read: Iterator[StoredEvent] = iter(())
        self._ready: Iterator[EventRow] = iter(())
        # Raised when what is ready has been handed out.
        self._damage: StoreDamaged | None = None
        self._broken: StoreError | None = None

    def __iter__(self) -> "_LogStream":
        return self

    def __next__(self) -> EventRow:
        event = next(self._ready, None)
        while event is None:
            damage, self._damage = self._damage, None
            if damage is not None:
                raise damage
            checked: list[EventRow] = []
            self._damage = self._check.take(self._read, checked)
            if not checked and self._damage is None:
                self._read = iter(self._read_on())
            self._ready = iter(checked)
            event = next(self._ready, None)
        return event

    def _read_on(self) -> list[StoredEvent]:
        """The next ones; those before a fault of the file come before it."""
        if self._broken is not None:
            raise self._broken  # to end here would lose all runs that follow
        rows: list[Any] = []
        try:
            for row in islice(self._rows, _CHUNK):
                rows.append(row)  # noqa: PERF402 - a fault must not take along what was read before it
        except (apsw.Error, UnicodeDecodeError) as error:
            self._broken = self._translated(error)
            return rows
        if not rows:
            raise StopIteration
        return rows
