"""Looking for damage: a little at every start, everything when asked."""
# ruff: noqa: S608 - only constants are put into SQL; values are bound

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import apsw

from aether.store.format import StoredEvent, altered, is_sound, unpack_tags, unseal_run, unseal_setting
from aether.store.interface import Damage, StoreDamaged, StoreError, StoreFormat
from aether.store.sqlite_errors import translate
from aether.store.sqlite_schema import EVENT_COLUMNS, FORMAT, RUN_COLUMNS, SETTING_COLUMNS, read_format

RECENT_ROWS: Final = 1_000
_FAULTS_MAX: Final = 1_000
"""Faults reported of each kind: a broken disk has millions, and a thousand say as much."""

_GAPS: Final = """
    SELECT run_key, count(*), min(seq), max(seq) FROM log INDEXED BY log_by_run {where}
    GROUP BY run_key HAVING min(seq) <> 1 OR max(seq) <> count(*) LIMIT ?
"""
_NEWEST: Final = f"SELECT {EVENT_COLUMNS} FROM log NOT INDEXED ORDER BY pos DESC LIMIT ?"
_FOUND: Final = "SELECT count(*) FROM log INDEXED BY log_by_run WHERE run_key = ?"
_OPEN_ONLY: Final = "WHERE run_key IN (SELECT key FROM runs INDEXED BY runs_by_closed WHERE closed_at IS NULL)"
_NOT_FORGOTTEN: Final = "WHERE run_key NOT IN (SELECT run_key FROM forgotten)"


def find_recent_damage(connection: apsw.Connection, path: str) -> tuple[tuple[Damage, ...], dict[int, Damage]]:
    """Check what a crash could have touched: the newest rows, whether they can be found, and gaps in open runs.

    Return all damage, and by run that of runs whose events are hidden: what is left of these looks whole. Gaps are
    found in the index alone, without reading a body. Damage of the file itself is an apsw error.
    """
    found: list[Damage] = []
    last_seqs: dict[int, int] = {}
    newest: Iterator[Any] = connection.execute(_NEWEST, (RECENT_ROWS,))
    for row in newest:
        if is_sound(row):
            last_seqs.setdefault(row[0], row[1])
        else:
            found.append(Damage(row[0], row[1], altered(row[0], row[1], path).what))
    found += [
        Damage(run_key, last, f"run {run_key} has {count} events numbered {first} to {last}: some are missing")
        for run_key, count, first, last in connection.execute(_GAPS.format(where=_OPEN_ONLY), (_FAULTS_MAX,))
    ]
    hidden = {damage.run_key: damage for damage in _hidden(connection, last_seqs)}
    for damage in found:
        hidden.pop(damage.run_key, None)  # that shows when it is read
    return (*found, *hidden.values()), hidden


def _hidden(connection: apsw.Connection, last_seqs: dict[int, int]) -> Iterator[Damage]:
    """Runs of which the table has more events than the index: they would begin anew in their middle."""
    for run_key, seq in last_seqs.items():
        try:
            found = int(connection.execute(_FOUND, (run_key,)).get)
        except apsw.CorruptError:
            found = 0  # others may be whole
        if found < seq:
            yield Damage(run_key, seq, f"of {seq} events of run {run_key} only {found} can be found")


def check_file(path: str, vfs: str | None) -> Iterator[str]:
    """Yield a line per fault: structure of the file, every checksum, every gap, events without a run, odd counts.

    Of one moment, also beside a server that writes. Raises StoreFormat for a file that is not of the present format.
    """
    connection: apsw.Connection | None = None
    try:
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        connection.set_busy_timeout(5000)
        if _format_of(connection, path) != FORMAT:
            raise StoreFormat("it is of an older format", where=path, advice="run `aether db migrate` first")
        connection.execute("BEGIN")
        yield from _check_structure(connection)
        yield from _check_rows(connection, path)
        yield from _check_derived(connection, path)
    except (apsw.Error, UnicodeDecodeError) as error:
        fault: StoreError = translate(error, path, connection.system_errno if connection else 0)
        yield str(fault)
    finally:
        if connection is not None:
            connection.close()


def _format_of(connection: apsw.Connection, path: str) -> int:
    try:
        found = read_format(connection, path)
    except apsw.NotADBError:
        found = 0
    if not found:
        raise StoreFormat(
            "this is not a database of Aether's, or its first bytes are damaged",
            where=path,
            advice="give another path, or restore the last good backup",
        )
    return found


def _check_structure(connection: apsw.Connection) -> Iterator[str]:
    for (line,) in connection.execute(f"PRAGMA quick_check({_FAULTS_MAX})"):
        if line != "ok":
            yield f"structure: {line}"


def _check_rows(connection: apsw.Connection, path: str) -> Iterator[str]:
    faults = (altered(row[0], row[1], path) for row in _all_events(connection) if not is_sound(row))
    yield from _first(str(fault.what) for fault in faults)
    yield from _first(_run_faults(connection, path))
    for run_key, count, first, last in connection.execute(_GAPS.format(where=_NOT_FORGOTTEN), (_FAULTS_MAX,)):
        yield f"run {run_key} has {count} events numbered {first} to {last}: some are missing"
    orphans = (
        "SELECT DISTINCT run_key FROM log WHERE run_key NOT IN"
        " (SELECT key FROM runs UNION SELECT run_key FROM forgotten) LIMIT ?"
    )
    for (run_key,) in connection.execute(orphans, (_FAULTS_MAX,)):
        yield f"run {run_key} has events but is not stored itself"


def _check_derived(connection: apsw.Connection, path: str) -> Iterator[str]:
    """What is kept twice must agree: tags beside the runs that have them, and how many closed runs there are."""
    if connection.execute("SELECT v FROM meta WHERE k = 'epoch'").get is None:
        yield "how often it was opened is lost"
    yield from _first(_tag_faults(connection))
    yield from _first(_setting_faults(connection, path))
    counted = (
        "SELECT type, state, sum(n) FROM (SELECT type, state, count AS n FROM closed_counts UNION ALL"
        " SELECT type, state, -1 FROM runs WHERE closed_at IS NOT NULL) GROUP BY type, state HAVING sum(n) <> 0 LIMIT ?"
    )
    for type_, state, surplus in connection.execute(counted, (_FAULTS_MAX,)):
        yield f"closed runs of type {type_!r} in state {state}: the count is off by {surplus}"


def _setting_faults(connection: apsw.Connection, path: str) -> Iterator[str]:
    rows: Iterator[Any] = connection.execute(f"SELECT {SETTING_COLUMNS} FROM settings")
    for row in rows:
        try:
            unseal_setting(row, path)
        except StoreDamaged as error:
            yield error.what


def _tag_faults(connection: apsw.Connection) -> Iterator[str]:
    found = connection.execute("SELECT count(*) FROM tags").get
    listed = "SELECT run_key, name, value, CAST(runs.tags AS BLOB) FROM tags LEFT JOIN runs ON runs.key = run_key"
    for run_key, name, value, stored in connection.execute(listed):
        try:
            is_there = (name, value) in unpack_tags(stored)
        except (TypeError, ValueError, RecursionError):
            is_there = False
        if not is_there:
            yield f"run {run_key} is found by a tag {name!r} that it does not have"
    wanted = 0
    for (stored,) in connection.execute("SELECT CAST(tags AS BLOB) FROM runs WHERE tags <> ''"):
        try:
            wanted += len(unpack_tags(stored))
        except (TypeError, ValueError, RecursionError):
            return  # the run is damaged, which is told elsewhere
    if found < wanted:
        yield f"{wanted - found} tags of runs can not be looked up"


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
