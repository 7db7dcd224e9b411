"""`aether db`: looks after the database of a server, running or not."""

import os
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import typer

from aether.cli.exit_codes import ExitCode
from aether.cli.options import show_fields
from aether.cli.output import Format
from aether.errors import SettingsError
from aether.server.audit import Audit
from aether.server.settings import Persistence, Settings, load_settings
from aether.store.interface import Store, StoreFailed
from aether.store.open import open_store
from aether.store.sqlite import SqliteStore
from aether.store.sqlite_backup import back_up as copy_database
from aether.store.sqlite_schema import FORMAT

# A broken disk has millions of faults, and so many say as much.
_FAULTS_MAX = 1_000


def check_database(output: Format, database: str | None, config: Path | None) -> None:
    """Shows all faults; ends with 1 when there is one."""
    store = open_store(_location(database, config))
    is_file = isinstance(store, SqliteStore)
    faults = _faults_of_file(store) if isinstance(store, SqliteStore) else []
    audit = None
    if not faults:
        # What it says of a damaged file would only follow from that.
        with closing(store):
            if not is_file:
                store.open()  # and not beside a server: who else may have it open is the store's business
            with closing(store.reader()) as reader:
                audit = Audit(reader)
                faults = list(islice(audit.faults(), _FAULTS_MAX))
    report: dict[str, object] = {
        "database": store.location,
        "format": FORMAT if is_file else None,
        "runs": audit.runs if audit else None,
        "events": audit.events if audit else None,
        "faults": faults,
    }
    _show(output, report, _check_fields(report, faults))
    if faults:
        raise typer.Exit(ExitCode.FAILED)


def _faults_of_file(store: SqliteStore) -> list[str]:
    _require_file(store)
    return list(islice(store.check(), _FAULTS_MAX))


def back_up(output: Format, target: Path, database: str | None, config: Path | None) -> None:
    store = _store(database, config)
    _require_file(store)
    size = copy_database(store.location, str(target))
    report = {"database": store.location, "backup": str(target), "bytes": size}
    _show(output, report, [(name, str(value)) for name, value in report.items()])


def migrate_database(output: Format, database: str | None, config: Path | None) -> None:
    store = _store(database, config)
    _require_file(store)
    opened = store.open()
    store.close()
    report = {"database": store.location, "from_format": opened.migrated_from or FORMAT, "format": FORMAT}
    said = f"migrated from format {opened.migrated_from}" if opened.migrated_from else "nothing to do"
    _show(output, report, [("database", store.location), ("format", str(FORMAT)), ("done", said)])


def _check_fields(report: dict[str, object], faults: list[str]) -> Iterator[tuple[str, str]]:
    yield from (
        (name, str(report[name])) for name in ("database", "format", "runs", "events") if report[name] is not None
    )
    yield "state", f"{len(faults)} faults" if faults else "whole"
    for fault in faults:
        yield "fault", fault


def _store(database: str | None, config: Path | None) -> SqliteStore:
    """Of the settings that a server would have here. Raises SettingsError and StoreFailed."""
    store = open_store(_location(database, config))
    if not isinstance(store, SqliteStore):
        raise StoreFailed("this is not an SQLite file", where=store.location, advice="use the tools of that store")
    return store


def _location(database: str | None, config: Path | None) -> str:
    flags: dict[str, object] = {}
    if database is not None:
        # Whoever names a file means it, whatever a server here would keep.
        flags = {"db_path": database, "persistence": Persistence.STATE_ACTION_LOG}
    settings: Settings = load_settings(flags, os.environ, config)
    if settings.persistence is Persistence.MEMORY:
        raise SettingsError(["there is no database: persistence.mode is memory; name one with --db"])
    return str(settings.db_path)


def _require_file(store: Store) -> None:
    if not Path(store.location).is_file():
        raise StoreFailed("there is no such file", where=store.location, advice="name the database with --db")


def _show(
    output: Format, report: dict[str, object], fields: "Iterator[tuple[str, str]] | list[tuple[str, str]]"
) -> None:
    show_fields(output, "database", fields, report, report)
