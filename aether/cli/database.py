"""`aether db`: looks after the database of a server, running or not."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import typer

from aether.cli.exit_codes import ExitCode
from aether.cli.options import show_fields
from aether.cli.output import Format
from aether.errors import SettingsError
from aether.model.runs import RunState
from aether.server.audit import Audit
from aether.server.settings import Persistence, Settings, load_settings
from aether.store.interface import BacksUp, ChecksItself, Reader, Store, StoreError, StoreFailed, StoreLocked, Vacuums
from aether.store.open import open_store
from aether.store.sqlite import SqliteStore
from aether.store.sqlite_schema import FORMAT

# A broken disk has millions of faults, and so many say as much.
_FAULTS_MAX = 1_000
# How the store names a run.
_RUN = re.compile(r"\brun (\d+)\b")


def check_database(output: Format, database: str | None, config: Path | None) -> None:
    """Shows all faults; ends with 1 when there is one."""
    store = _store(database, config)
    faults = list(islice(store.check(), _FAULTS_MAX)) if isinstance(store, ChecksItself) else []
    audit = None
    with closing(store):
        if not faults:
            # What it says of damaged rows would only follow from that.
            with _reading(store) as reader:
                audit = Audit(reader)
                faults = list(islice(audit.faults(), _FAULTS_MAX))
        named = _named(store, faults) if faults else []
    report: dict[str, object] = {
        "database": store.location,
        "format": FORMAT if isinstance(store, SqliteStore) else None,
        "runs": audit.runs if audit else None,
        "events": audit.events if audit else None,
        "faults": named,
    }
    _show(output, report, _check_fields(report, named))
    if faults:
        raise typer.Exit(ExitCode.FAILED)


def back_up(output: Format, target: Path, database: str | None, config: Path | None) -> None:
    store = _store(database, config)
    if not isinstance(store, BacksUp):
        raise StoreFailed(
            f"a store of kind {store.name} makes no backups by itself",
            where=store.location,
            advice="use the means of what it keeps its rows in",
        )
    size = store.back_up(str(target))
    report = {"database": store.location, "backup": str(target), "bytes": size}
    _show(output, report, [(name, str(value)) for name, value in report.items()])


def migrate_database(output: Format, database: str | None, config: Path | None) -> None:
    store = _store(database, config)
    with closing(store):
        opened = store.open()
    present = FORMAT if isinstance(store, SqliteStore) else None
    report: dict[str, object] = {
        "database": store.location,
        "from_format": opened.migrated_from or present,
        "format": present,
    }
    said = f"migrated from format {opened.migrated_from}" if opened.migrated_from else "nothing to do"
    shown = [("database", store.location), *([("format", str(present))] if present else []), ("done", said)]
    _show(output, report, shown)


def vacuum_database(output: Format, database: str | None, config: Path | None) -> None:
    store = _store(database, config)
    if not isinstance(store, Vacuums):
        raise StoreFailed(
            f"a store of kind {store.name} can not be made smaller by this command",
            where=store.location,
            advice="use the means of what it keeps its rows in",
        )
    with closing(store):
        store.open()
        before, after = store.vacuum()
    report = {"database": store.location, "bytes_before": before, "bytes": after}
    _show(output, report, [(name, str(value)) for name, value in report.items()])


def show_stats(output: Format, database: str | None, config: Path | None) -> None:
    """What is in the database, and how much room it takes."""
    store = _store(database, config)
    report: dict[str, object] = {"database": store.location}
    with closing(store), _reading(store) as reader:
        states: Counter[str] = Counter()
        for (_, state), count in reader.counts().items():
            states[_state_name(state)] += count
        report |= {"runs": states.total(), **{name: states[name] for name in sorted(states)}}
        report["newest_event"] = reader.newest_position()
    if isinstance(store, SqliteStore):
        space = store.room()
        log = Path(f"{store.location}-wal")
        report |= {
            "format": FORMAT,
            "bytes": space.size,
            "bytes_unused": space.unused,
            "bytes_of_log": log.stat().st_size if log.exists() else 0,
        }
    _show(output, report, [(name.replace("_", " "), str(value)) for name, value in report.items()])


def _state_name(state: int) -> str:
    try:
        return RunState(state).name.lower()
    except ValueError:
        return str(state)


@contextmanager
def _reading(store: Store) -> Iterator[Reader]:
    """SQLite can be read beside a server; whether others can is their business, and to open them takes possession."""
    if not isinstance(store, SqliteStore):
        try:
            store.open()
        except StoreLocked as locked:
            raise StoreLocked(
                f"a server has it open, and a store of kind {store.name} is read by one process at a time",
                where=store.location,
                advice="stop the server first",
            ) from locked
    with closing(store.reader()) as reader:
        yield reader


def _named(store: Store, faults: list[str]) -> list[str]:
    """With the ids of the runs for the numbers that the store has for them."""
    try:
        with _reading(store) as reader:
            return [_RUN.sub(partial(_name, reader), fault) for fault in faults]
    except StoreError:
        return faults  # too damaged to know


def _name(reader: Reader, found: re.Match[str]) -> str:
    key = int(found[1])
    for row in reader.list_runs(before_key=key + 1, limit=1):
        if row.key == key:
            return f"workflow {row.workflow_id!r}, run {row.run_id}"
    return found[0]


def _check_fields(report: dict[str, object], faults: list[str]) -> Iterator[tuple[str, str]]:
    yield from (
        (name, str(report[name])) for name in ("database", "format", "runs", "events") if report[name] is not None
    )
    yield "state", f"{len(faults)} faults" if faults else "whole"
    for fault in faults:
        yield "fault", fault


def _store(database: str | None, config: Path | None) -> Store:
    """Of the settings that a server would have here. Raises SettingsError and StoreFailed."""
    store = open_store(_location(database, config))
    if isinstance(store, SqliteStore) and not Path(store.location).is_file():
        raise StoreFailed("there is no such file", where=store.location, advice="name the database with --db")
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


def _show(
    output: Format, report: dict[str, object], fields: "Iterator[tuple[str, str]] | list[tuple[str, str]]"
) -> None:
    show_fields(output, "database", fields, report, report)
