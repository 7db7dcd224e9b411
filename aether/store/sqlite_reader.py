"""Reading the SQLite file on a connection of its own: whole commits, no waiting for the writer.

Each query names the index it runs on, because a plan that depends on statistics changes when nobody looks.
"""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are bound

from collections.abc import Iterator
from typing import Any, Final

import apsw

from aether.store.format import StoredEvent, lost, prefix_end, unseal
from aether.store.interface import EventRow, RunRow, StoreDamaged
from aether.store.sqlite_errors import translate

_RUN: Final = "key, workflow_id, run_id, type, queue, state, parent_key, created_at, closed_at"
_EVENT: Final = "run_key, seq, at, kind, crc, body"
BUSY_MS: Final = 5_000
_NARROW: Final = 5_000
"""A prefix with fewer runs than this is looked up by name and sorted; others are soon met from the newest."""


class SqliteReader:
    """A Reader of one file."""

    def __init__(self, path: str, vfs: str | None = None) -> None:
        self._path = path
        try:
            # Read-only also keeps the last one to close from checkpointing a file that is no longer ours.
            self._connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        except apsw.Error as error:
            raise translate(error, path, 0) from error
        self._connection.set_busy_timeout(BUSY_MS)
        self._query("PRAGMA cache_size = -16384")
        self._query("PRAGMA trusted_schema = OFF")

    def open_runs(self) -> Iterator[RunRow]:
        rows = self._start(f"SELECT {_RUN} FROM runs INDEXED BY runs_open WHERE closed_at IS NULL ORDER BY key")
        while (row := self._next(rows)) is not None:
            yield RunRow(*row)

    def open_events(self) -> Iterator[EventRow]:
        columns = ", ".join(f"log.{name}" for name in _EVENT.split(", "))
        rows = self._start(
            f"SELECT {columns} FROM runs INDEXED BY runs_open CROSS JOIN log INDEXED BY log_by_run"
            " ON log.run_key = runs.key WHERE runs.closed_at IS NULL ORDER BY runs.key, log.seq"
        )
        return _OpenEvents(self, rows, self._path)

    def events(self, run_key: int, after_seq: int, limit: int) -> list[EventRow]:
        rows = self._query(
            f"SELECT {_EVENT} FROM log INDEXED BY log_by_run WHERE run_key = ? AND seq > ? ORDER BY seq LIMIT ?",
            (run_key, after_seq, limit),
        )
        events = [unseal(row, self._path) for row in rows]
        for seq, event in enumerate(events, after_seq + 1):
            if event.seq != seq:
                raise lost(run_key, seq, self._path)
        return events

    def last_event(self, run_key: int) -> EventRow | None:
        rows = self._query(
            f"SELECT {_EVENT} FROM log INDEXED BY log_by_run WHERE run_key = ? ORDER BY seq DESC LIMIT 1",
            (run_key,),
        )
        return unseal(rows[0], self._path) if rows else None

    def run(self, workflow_id: str, run_id: str | None) -> RunRow | None:
        if run_id is None:
            return self._one_run(
                "INDEXED BY runs_by_workflow WHERE workflow_id = ? ORDER BY key DESC LIMIT 1", (workflow_id,)
            )
        return self._one_run("INDEXED BY runs_by_name WHERE workflow_id = ? AND run_id = ?", (workflow_id, run_id))

    def run_by_key(self, key: int) -> RunRow | None:
        return self._one_run("WHERE key = ?", (key,))

    def children(self, key: int, limit: int) -> list[RunRow]:
        rows = self._query(
            f"SELECT {_RUN} FROM runs INDEXED BY runs_by_parent WHERE parent_key = ? ORDER BY key LIMIT ?",
            (key, limit),
        )
        return [RunRow(*row) for row in rows]

    def list_runs(
        self,
        *,
        type: str | None = None,  # noqa: A002 - the noun of the design
        state: int | None = None,
        workflow_id_prefix: str | None = None,
        before_key: int | None = None,
        limit: int,
    ) -> list[RunRow]:
        asked = {
            "type =": type,
            "state =": state,
            "key <": before_key,
            "workflow_id >=": workflow_id_prefix or None,
            "workflow_id <": prefix_end(workflow_id_prefix or ""),
        }
        terms = {f"{term} ?": value for term, value in asked.items() if value is not None}
        if workflow_id_prefix and self._is_narrow(workflow_id_prefix):
            index = "INDEXED BY runs_by_workflow"
        elif type is not None:
            index = "INDEXED BY " + ("runs_by_type" if state is None else "runs_by_type_state")
        else:
            index = "NOT INDEXED" if state is None else "INDEXED BY runs_by_state"
        rows = self._query(
            f"SELECT {_RUN} FROM runs {index} WHERE {' AND '.join([*terms, 'true'])} ORDER BY key DESC LIMIT ?",
            (*terms.values(), limit),
        )
        return [RunRow(*row) for row in rows]

    def counts(self) -> dict[tuple[str, int], int]:
        rows = self._query("SELECT type, state, count(*) FROM runs INDEXED BY runs_by_type_state GROUP BY type, state")
        return {(type_, state): count for type_, state, count in rows}

    def close(self) -> None:
        self._connection.close()

    def _is_narrow(self, prefix: str) -> bool:
        end = prefix_end(prefix)
        rows = self._query(
            "SELECT count(*) FROM (SELECT 1 FROM runs INDEXED BY runs_by_workflow"
            " WHERE workflow_id >= ? AND (? IS NULL OR workflow_id < ?) LIMIT ?)",
            (prefix, end, end, _NARROW),
        )
        return bool(rows[0][0] < _NARROW)

    def _one_run(self, how: str, values: tuple[int | str, ...]) -> RunRow | None:
        rows = self._query(f"SELECT {_RUN} FROM runs {how}", values)
        return RunRow(*rows[0]) if rows else None

    def _query(self, sql: str, values: tuple[int | str | None, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise translate(error, self._path, self._connection.system_errno) from error

    def _start(self, sql: str) -> apsw.Cursor:
        try:
            return self._connection.execute(sql)
        except apsw.Error as error:
            raise translate(error, self._path, self._connection.system_errno) from error

    def _next(self, rows: apsw.Cursor) -> tuple[Any, ...] | None:
        try:
            return next(rows, None)
        except apsw.Error as error:
            raise translate(error, self._path, self._connection.system_errno) from error


class _OpenEvents:
    """The stream behind `open_events`: checks each row, and after a damaged one goes on with the next run."""

    def __init__(self, reader: SqliteReader, rows: apsw.Cursor, where: str) -> None:
        self._next_row = reader._next  # noqa: SLF001 - one module, one thing
        self._rows = rows
        self._where = where
        self._run_key = -1
        self._seq = 0
        self._skipped_key: int | None = None
        self._broken: StoreDamaged | None = None

    def __iter__(self) -> "_OpenEvents":
        return self

    def __next__(self) -> EventRow:
        row = self._next_unskipped()
        run_key, seq = row[0], row[1]
        expected = self._seq + 1 if run_key == self._run_key else 1
        self._run_key, self._seq = run_key, seq
        try:
            if seq != expected:
                raise lost(run_key, expected, self._where)
            return unseal(row, self._where)
        except StoreDamaged:
            self._skipped_key = run_key
            raise

    def _next_unskipped(self) -> StoredEvent:
        if self._broken is not None:
            raise self._broken
        while True:
            try:
                row: Any = self._next_row(self._rows)
            except StoreDamaged as error:
                self._broken = error  # the file itself: to end quietly here would lose all runs that follow
                raise
            if row is None:
                raise StopIteration
            if row[0] != self._skipped_key:
                stored: StoredEvent = row
                return stored
