"""Older formats of the SQLite file become the present one, a step at a time, each in one transaction.

A process that is killed meanwhile has changed nothing; the next one begins the step anew. A step is never changed once
it was released: databases that it was made for may turn up in ten years (`tests/golden` has one of each format).
"""
# ruff: noqa: S608 - only constants are put into SQL; values are bound

from collections.abc import Callable, Iterator
from typing import Final
from zlib import crc32

import apsw

from aether.store.format import StoredEvent, is_sound, pack_tags
from aether.store.sqlite_schema import ADDITIONS_2, ADDITIONS_3, ADDITIONS_4, EVENT_COLUMNS, FORMAT

_PAGE: Final = 1_000
_FAILED: Final = 4


def migrate(connection: apsw.Connection, found: int) -> None:
    """Bring a file of format `found` to the present one. Raises what SQLite raises, and then changes nothing."""
    for version in range(found, FORMAT):
        connection.execute("BEGIN EXCLUSIVE")
        try:
            _STEPS[version](connection)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _from_1(connection: apsw.Connection) -> None:
    """Format 2 finds runs by their tags and times, and counts closed ones."""
    connection.execute("ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT ''")
    connection.execute("DROP INDEX runs_open")
    connection.execute(ADDITIONS_2)
    connection.execute(
        "INSERT INTO closed_counts"
        " SELECT type, state, count(*) FROM runs WHERE closed_at IS NOT NULL GROUP BY type, state"
    )
    for run_key, tags in _tags_in_events(connection):
        # The checksum covers the tags, as the last of what it covers: it can go on from what it was.
        crc = connection.execute("SELECT crc FROM runs WHERE key = ?", (run_key,)).get
        packed = pack_tags(tags)
        connection.execute(
            "UPDATE runs SET tags = ?, crc = ? WHERE key = ?", (packed, crc32(packed.encode(), crc), run_key)
        )
        connection.executemany(
            "INSERT INTO tags(name, value, run_key) VALUES (?, ?, ?)", [(name, value, run_key) for name, value in tags]
        )


def _tags_in_events(connection: apsw.Connection) -> Iterator[tuple[int, tuple[tuple[str, str], ...]]]:
    """Of runs that have some: what the first event says, unless it is damaged, which is for `check` to tell."""
    from google.protobuf.message import DecodeError

    from aether.wire.generated.aether.v1 import model_pb2

    last_key = 0
    while True:
        rows: list[StoredEvent] = connection.execute(  # type: ignore[assignment]
            f"SELECT {EVENT_COLUMNS} FROM runs CROSS JOIN log INDEXED BY log_by_run ON log.run_key = runs.key"
            " AND log.seq = 1 WHERE runs.key > ? ORDER BY runs.key LIMIT ?",
            (last_key, _PAGE),
        ).fetchall()
        if not rows:
            return
        last_key = rows[-1][0]
        for row in rows:
            if not is_sound(row):
                continue
            try:
                tags = model_pb2.Event.FromString(row[5]).run_created.tags
            except DecodeError:
                continue
            if tags:
                yield row[0], tuple(sorted(tags.items()))


def _from_2(connection: apsw.Connection) -> None:
    """Format 3 finds runs by the errors of which they failed, and keeps settings."""
    connection.execute("ALTER TABLE runs ADD COLUMN error TEXT NOT NULL DEFAULT ''")
    for run_key, error in _errors_in_events(connection):
        connection.execute("UPDATE runs SET error = ? WHERE key = ?", (error, run_key))
    connection.execute(ADDITIONS_3)


def _errors_in_events(connection: apsw.Connection) -> Iterator[tuple[int, str]]:
    """Of runs that have failed: what the last event says, unless it is damaged."""
    from google.protobuf.message import DecodeError

    from aether.errors import InvalidArgument
    from aether.model.events import RunFailed
    from aether.model.payload import error_name
    from aether.wire.convert import decode_event

    failed: list[tuple[int]] = connection.execute(  # type: ignore[assignment]
        "SELECT key FROM runs INDEXED BY runs_by_state WHERE state = ?", (_FAILED,)
    ).fetchall()
    newest = f"SELECT {EVENT_COLUMNS} FROM log INDEXED BY log_by_run WHERE run_key = ? ORDER BY seq DESC LIMIT 1"
    for (run_key,) in failed:
        row: StoredEvent | None = connection.execute(newest, (run_key,)).fetchone()
        if row is None or not is_sound(row):
            continue
        try:
            fact = decode_event(row[5]).fact
        except (DecodeError, InvalidArgument):
            continue
        if isinstance(fact, RunFailed):
            yield run_key, error_name(fact.failure)


def _from_3(connection: apsw.Connection) -> None:
    """Format 4 takes two runs of one name."""
    connection.execute("DROP INDEX runs_by_name")
    connection.execute(ADDITIONS_4)


_STEPS: Final[dict[int, Callable[[apsw.Connection], None]]] = {1: _from_1, 2: _from_2, 3: _from_3}
