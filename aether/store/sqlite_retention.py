"""Closed runs that are not kept any more leave the file, a few rows at a time.

Theory of operation. The oldest closed runs are looked at in the order in which they closed. One that has to go leaves
with its tags and as many of its events as there is room for in one short transaction; of a longer history the rest is
noted in `forgotten` and follows in the next ones, also after a restart. Events go from the last to the first, so that
whoever is reading them meets an end and not a gap. The pages that become free are used again by what is written next,
but for those that are too many: `sqlite_room.py`.

A run stays while the run that started it or one that it started is open: who looks at those sees where they belong.
"""

from typing import Final, TypeAlias

import apsw

from aether.store.format import unpack_tags
from aether.store.interface import Forgotten, Retention

_Due: TypeAlias = tuple[int, int, str, int, bytes]
"""Key, when it closed, type, state, tags as they are stored."""

_RUNS_MAX: Final = 25
"""Runs that are looked at in one go."""
_BEGINNING: Final = (-(2**63), 0)

_OLDEST: Final = """
    SELECT key, closed_at, type, state, CAST(runs.tags AS BLOB),
        EXISTS (SELECT 1 FROM runs AS parent WHERE parent.key = runs.parent_key AND parent.closed_at IS NULL)
        OR EXISTS (SELECT 1 FROM runs AS child INDEXED BY runs_by_parent
            WHERE child.parent_key = runs.key AND child.closed_at IS NULL)
    FROM runs INDEXED BY runs_by_closed
    WHERE closed_at >= ? AND (closed_at > ? OR key > ?) ORDER BY closed_at, key LIMIT ?
"""
_COUNT_CLOSED: Final = "SELECT count(*) FROM runs INDEXED BY runs_by_closed WHERE closed_at IS NOT NULL"
_KEEP_KEY: Final = "INSERT INTO meta VALUES ('last_key', ?) ON CONFLICT DO UPDATE SET v = max(v, excluded.v)"
_KEEP_POSITION: Final = """
    INSERT INTO meta SELECT 'last_pos', coalesce(max(pos), 0) FROM log WHERE true
    ON CONFLICT DO UPDATE SET v = max(v, excluded.v)
"""
_DELETE_EVENTS: Final = """
    DELETE FROM log WHERE pos IN
    (SELECT pos FROM log INDEXED BY log_by_run WHERE run_key = ? ORDER BY seq DESC LIMIT ?)
"""


class Sweeper:
    """Goes through closed runs from the oldest on, and begins anew when it has come to the first that is kept."""

    def __init__(self) -> None:
        self._behind = _BEGINNING
        # By how much the counts are wrong: a bit that flips in one must not cost all runs that are kept.
        self._off: int | None = None

    def sweep(self, connection: apsw.Connection, keep: Retention, rows_max: int) -> Forgotten:
        """One transaction of about `rows_max` rows, or none if nothing has to go."""
        rest = [key for (key,) in connection.execute("SELECT run_key FROM forgotten LIMIT ?", (_RUNS_MAX,))]
        runs, behind = self._due(connection, keep)
        if not rest and not runs:
            self._behind = behind
            return Forgotten({}, is_done=behind == _BEGINNING)
        connection.execute("BEGIN IMMEDIATE")
        # Nor are positions in the log given twice: whoever reads on behind one would miss what stands there then.
        connection.execute(_KEEP_POSITION)
        room = rows_max
        for key in rest:
            room = _delete_events(connection, key, room)
        counts: dict[tuple[str, int], int] = {}
        last = self._behind
        for key, closed_at, type_, state, tags in runs:
            if room <= 0:
                behind = last
                break
            room = _delete_run(connection, key, tags, room)
            counts[type_, state] = counts.get((type_, state), 0) + 1
            last = (closed_at, key)
        # Keys are never given twice, also when the newest run is gone.
        highest = max((key for key, *_ in runs), default=0)
        connection.execute(_KEEP_KEY, (highest,))
        connection.execute("COMMIT")
        self._behind = behind
        return Forgotten(counts, is_done=False)

    def _due(self, connection: apsw.Connection, keep: Retention) -> tuple[list[_Due], tuple[int, int]]:
        """The next runs that have to go, and behind which run to look on."""
        surplus = 0 if keep.count is None else self._closed(connection, keep.count) - keep.count
        since = _BEGINNING[0] if keep.since is None else keep.since
        closed_at, key = self._behind
        due: list[_Due] = []
        looked_at = 0
        for *run, is_needed in connection.execute(_OLDEST, (closed_at, closed_at, key, _RUNS_MAX)):
            if surplus <= 0 and run[1] >= since:
                return due, _BEGINNING
            looked_at += 1
            closed_at, key = run[1], run[0]
            if not is_needed:
                due.append((run[0], run[1], run[2], run[3], run[4]))
                surplus -= 1
        return due, (closed_at, key) if looked_at == _RUNS_MAX else _BEGINNING

    def _closed(self, connection: apsw.Connection, kept: int) -> int:
        """How many closed runs there are. Before the first one goes they are counted: a million in ten milliseconds."""
        rows = connection.execute("SELECT CAST(count AS INTEGER) FROM closed_counts")
        told = sum(count or 0 for (count,) in rows)
        if self._off is None and told > kept:
            self._off = told - int(connection.execute(_COUNT_CLOSED).get)
        return told - (self._off or 0)


def _delete_run(connection: apsw.Connection, key: int, stored_tags: bytes, room: int) -> int:
    """Remove the run, and its events as far as there is room; what is left of that."""
    try:
        tags = unpack_tags(stored_tags)
    except (TypeError, ValueError, RecursionError):
        tags = ()
    for name, value in tags:
        connection.execute("DELETE FROM tags WHERE name = ? AND value = ? AND run_key = ?", (name, value, key))
    connection.execute("DELETE FROM runs WHERE key = ?", (key,))
    room -= 1 + len(tags)
    if room > 0:
        connection.execute(_DELETE_EVENTS, (key, room))
        room -= connection.changes()
    if room <= 0:
        connection.execute("INSERT INTO forgotten VALUES (?)", (key,))
    return room


def _delete_events(connection: apsw.Connection, key: int, room: int) -> int:
    """Remove events that are left of a run; what is left of the room."""
    if room > 0:
        connection.execute(_DELETE_EVENTS, (key, room))
        removed = connection.changes()
        if removed < room:
            connection.execute("DELETE FROM forgotten WHERE run_key = ?", (key,))
        room -= removed
    return room
