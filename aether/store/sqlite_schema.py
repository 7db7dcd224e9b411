"""The tables of the SQLite file, and how to tell our file from anybody else's before a byte of it is changed.

`log` is an append-only rowid table with a unique index: all runs write into the same last page, and the order
of its rowids is the order in which things became durable. Clustering it by run would dirty a page per event
(docs/decisions/log-layout.md).

`runs.tags` is what is shown and protected; `tags` is the same by name and value, for looking up. `closed_counts` is
kept by triggers, because counting a million closed runs at every start takes longer than all else. `forgotten` has
runs that are gone but for some of their events, which are removed in small parts. `runs.error` is for
looking up: like the state it is not protected, for the events tell it. `settings` is of the server as a whole.
No index says that names are unique: they are chosen by clients, and none of them may make a commit fail.

A change of the tables is a new format: `FORMAT` counts up, `sqlite_migrate.py` learns the step from the one before, and
a database of the one before joins `tests/golden`.
"""

from typing import Final

import apsw

from aether.store.interface import StoreFailed, StoreFormat

APPLICATION_ID: Final = 0x41455448  # "AETH", in the file header: `file` and we know it by that
FORMAT: Final = 4
NOTE: Final = "noted:"  # names in `meta` of what `remember` was told begin so
SQLITE_OLDEST: Final = (3, 51, 3)

# What format 2 has beside format 1.
ADDITIONS_2: Final = """
CREATE INDEX runs_by_started ON runs(created_at);
CREATE INDEX runs_by_closed ON runs(closed_at);
CREATE TABLE tags(
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    run_key INTEGER NOT NULL,
    PRIMARY KEY (name, value, run_key)
) STRICT, WITHOUT ROWID;
CREATE TABLE forgotten(run_key INTEGER PRIMARY KEY) STRICT;
CREATE TABLE closed_counts(
    type TEXT NOT NULL,
    state INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (type, state)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER runs_added AFTER INSERT ON runs WHEN NEW.closed_at IS NOT NULL BEGIN
    INSERT INTO closed_counts VALUES (NEW.type, NEW.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER runs_closed AFTER UPDATE OF state, closed_at ON runs WHEN NEW.closed_at IS NOT NULL BEGIN
    INSERT INTO closed_counts VALUES (NEW.type, NEW.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER runs_changed AFTER UPDATE OF state, closed_at ON runs WHEN OLD.closed_at IS NOT NULL BEGIN
    UPDATE closed_counts SET count = count - 1 WHERE type = OLD.type AND state = OLD.state;
END;
CREATE TRIGGER runs_removed AFTER DELETE ON runs WHEN OLD.closed_at IS NOT NULL BEGIN
    UPDATE closed_counts SET count = count - 1 WHERE type = OLD.type AND state = OLD.state;
END;
"""

# What format 3 has beside format 2.
ADDITIONS_3: Final = """
CREATE INDEX runs_by_error ON runs(error) WHERE error <> '';
CREATE TABLE settings(
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

# What format 4 has instead of an index that made names unique.
ADDITIONS_4: Final = """
CREATE INDEX runs_by_name ON runs(workflow_id, run_id);
"""

TABLES: Final = (
    """
CREATE TABLE meta(
    k TEXT PRIMARY KEY,
    v INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE runs(
    key INTEGER PRIMARY KEY,
    workflow_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    type TEXT NOT NULL,
    queue TEXT NOT NULL,
    state INTEGER NOT NULL,
    parent_key INTEGER,
    created_at INTEGER NOT NULL,
    closed_at INTEGER,
    crc INTEGER NOT NULL,
    tags TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX runs_by_workflow ON runs(workflow_id);
CREATE INDEX runs_by_type ON runs(type);
CREATE INDEX runs_by_state ON runs(state);
CREATE INDEX runs_by_type_state ON runs(type, state);
CREATE INDEX runs_by_parent ON runs(parent_key) WHERE parent_key IS NOT NULL;
CREATE TABLE log(
    pos INTEGER PRIMARY KEY,
    run_key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_by_run ON log(run_key, seq);
INSERT INTO meta(k, v) VALUES ('epoch', 0);
"""
    + ADDITIONS_2
    + ADDITIONS_3
    + ADDITIONS_4
)

# Read through casts: a flipped bit in a row's header makes a number a text of anything, which must reach our checksum
# as a value of the right kind instead of ending the query.
RUN_COLUMNS: Final = (
    "key, CAST(workflow_id AS BLOB), CAST(run_id AS BLOB), CAST(type AS BLOB), CAST(queue AS BLOB),"
    " CAST(state AS INTEGER), CAST(parent_key AS INTEGER), CAST(created_at AS INTEGER),"
    " CAST(closed_at AS INTEGER), CAST(runs.tags AS BLOB), CAST(runs.error AS BLOB),"
    " CAST(runs.crc AS INTEGER)"
)
EVENT_COLUMNS: Final = (
    "run_key, seq, CAST(at AS INTEGER), CAST(kind AS INTEGER), CAST(log.crc AS INTEGER), CAST(body AS BLOB)"
)
SETTING_COLUMNS: Final = "CAST(name AS BLOB), CAST(value AS BLOB), CAST(crc AS INTEGER)"

_WRITER_SETTINGS: Final = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -65536",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 0",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)


def refuse_old_sqlite(version: str) -> None:
    """Raise StoreFailed for an SQLite that can corrupt a file which several connections have open."""
    if tuple(int(part) for part in version.split(".")[:3]) < SQLITE_OLDEST:
        raise StoreFailed(
            f"version {version} can corrupt a database that is open more than once",
            where="SQLite",
            advice="install apsw 3.53 or newer, which brings a newer SQLite",
        )


def read_format(connection: apsw.Connection, path: str) -> int:
    """Tell the format of a file of ours, 0 of an empty one; raise StoreFormat for anything else. Changes nothing."""
    if connection.pragma("application_id") == APPLICATION_ID:
        version = int(connection.pragma("user_version"))
        if 0 < version <= FORMAT:
            return version
        raise StoreFormat(
            f"this database has format {version}, this program reads formats up to {FORMAT}",
            where=path,
            advice="start a version of Aether that reads it, or give another path",
        )
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if connection.pragma("application_id") == 0 and connection.pragma("user_version") == 0 and tables == 0:
        return 0
    raise StoreFormat("this database belongs to another program", where=path, advice="give another path")


def create(connection: apsw.Connection) -> None:
    """Make the tables in one transaction, so that a file is either ours and whole or still empty."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only an empty file can be told this
    configure(connection)
    connection.execute(
        f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT"
    )


def configure(connection: apsw.Connection) -> None:
    """Set a connection that writes."""
    for setting in _WRITER_SETTINGS:
        connection.execute(setting)
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        raise StoreFailed(
            f"the file system allows no write-ahead log (journal mode stays {mode})",
            where=connection.filename,
            advice="put the database on a local disk",
        )
