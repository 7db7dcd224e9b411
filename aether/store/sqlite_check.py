"""Looking for damage: a little at every start, everything when asked."""
# ruff: noqa: S608 - only constants are put into SQL; values are bound

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import apsw

from aether.store.format import StoredEvent, altered, is_sound, unseal_run
from aether.store.interface import Damage, StoreDamaged, StoreError
from aether.store.sqlite_errors import translate
from aether.store.sqlite_schema import EVENT_COLUMNS, RUN_COLUMNS

RECENT_ROWS: Final = 1_000
_FAULTS_MAX: Final = 1_000
"""Faults reported of each kind: a broken disk has millions, and a thousand say as much."""

_GAPS: Final = """
    SELECT run_key, count(*), min(seq), max(seq) FROM log INDEXED BY log_by_run {where}
    GROUP BY run_key HAVING min(seq) <> 1 OR max(seq) <> count(*) LIMIT ?
"""
_OPEN_ONLY: Final = "WHERE run_key IN (SELECT key FROM runs INDEXED BY runs_by_closed WHERE closed_at IS NULL)"


def find_recent_damage(connection: apsw.Connection, path: str) -> tuple[Damage, ...]:
    """Check what a crash could have touched: the checksums of the newest rows, and gaps in open runs.

    Gaps are found in the index alone, without reading a body. Damage of the file itself is an apsw error.
    """
    newest = f"SELECT {EVENT_COLUMNS} FROM log ORDER BY pos DESC LIMIT ?"
    found = [
        Damage(row[0], row[1], altered(row[0], row[1], path).what)
        for row in connection.execute(newest, (RECENT_ROWS,))
        if not is_sound(row)
    ]
    found += [
        Damage(run_key, last, f"run {run_key} has {count} events numbered {first} to {last}: some are missing")
        for run_key, count, first, last in connection.execute(_GAPS.format(where=_OPEN_ONLY), (_FAULTS_MAX,))
    ]
    return tuple(found)


def check_file(path: str, vfs: str | None) -> Iterator[str]:
    """Yield a line per fault: structure of the file, every checksum, every gap, events without a run."""
    connection: apsw.Connection | None = None
    try:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        connection.set_busy_timeout(5000)
        yield from _check_structure(connection)
        yield from _check_rows(connection, path)
    except (apsw.Error, UnicodeDecodeError) as error:
        fault: StoreError = translate(error, path, connection.system_errno if connection else 0)
        yield str(fault)
    finally:
        if connection is not None:
            connection.close()


def _check_structure(connection: apsw.Connection) -> Iterator[str]:
    for (line,) in connection.execute(f"PRAGMA quick_check({_FAULTS_MAX})"):
        if line != "ok":
            yield f"structure: {line}"


def _check_rows(connection: apsw.Connection, path: str) -> Iterator[str]:
    faults = (altered(row[0], row[1], path) for row in _all_events(connection) if not is_sound(row))
    yield from _first(str(fault.what) for fault in faults)
    yield from _first(_run_faults(connection, path))
    for run_key, count, first, last in connection.execute(_GAPS.format(where=""), (_FAULTS_MAX,)):
        yield f"run {run_key} has {count} events numbered {first} to {last}: some are missing"
    orphans = "SELECT DISTINCT run_key FROM log WHERE run_key NOT IN (SELECT key FROM runs) LIMIT ?"
    for (run_key,) in connection.execute(orphans, (_FAULTS_MAX,)):
        yield f"run {run_key} has events but is not stored itself"


def _all_events(connection: apsw.Connection) -> Iterator[StoredEvent]:
    rows: Iterator[Any] = connection.execute(f"SELECT {EVENT_COLUMNS} FROM log")
    yield from rows


def _run_faults(connection: apsw.Connection, path: str) -> Iterator[str]:
    rows: Iterator[Any] = connection.execute(f"SELECT {RUN_COLUMNS} FROM runs")
    for row in rows:
        try:
            unseal_run(row, path)
        except StoreDamaged as error:
            yield error.what


def _first(lines: Iterator[str]) -> Iterator[str]:
    """Pass on as many as anybody wants to read."""
    yield from islice(lines, _FAULTS_MAX)
    if next(lines, None) is not None:
        yield f"there are more of these: stopped after {_FAULTS_MAX}"
