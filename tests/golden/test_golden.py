"""Databases of every format that there ever was are read by this version, and their open runs go on.

Nothing here may be changed but to add a format: who has such a database will not forgive it.
"""

import gzip
import json
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

import aether
from aether.core.effects import QueueSet
from aether.model.filters import parse_filter
from aether.server.audit import Audit
from aether.server.queue_settings import setting_of
from aether.store import sqlite_migrate
from aether.store.interface import StoreFormat
from aether.store.sqlite import SqliteStore
from aether.store.sqlite_check import check_file
from aether.store.sqlite_schema import FORMAT
from aether.testing.replays import replay
from aether.wire.documents import event_document
from aether.wire.generated.aether.v1 import model_pb2
from tests.golden import workflows
from tests.processes import ROOT, environment
from tests.processes import aether as command

HERE = Path(__file__).parent
FORMATS = sorted(int(path.name.split(".")[0].removeprefix("format-")) for path in HERE.glob("format-*.db.gz"))


def unpack(number, folder):
    path = folder / "golden.db"
    path.write_bytes(gzip.decompress(HERE.joinpath(f"format-{number}.db.gz").read_bytes()))
    return path


def expected(number):
    return json.loads(HERE.joinpath(f"format-{number}.json").read_text())


def says_the_same(then, now):
    """A document of today may have fields that are new, and times with more digits."""
    if isinstance(then, dict) and isinstance(now, dict):
        return all(name in now and says_the_same(value, now[name]) for name, value in then.items())
    if isinstance(then, list) and isinstance(now, list):
        return len(then) == len(now) and all(map(says_the_same, then, now))
    if isinstance(then, str) and isinstance(now, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", then):
        return now.startswith(then.removesuffix("Z"))
    return then == now


def shape(path):
    """Tables, columns, indexes and triggers, however they were made."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    with closing(connection):
        names = connection.execute("SELECT type, name FROM sqlite_schema ORDER BY 1, 2").fetchall()
        columns = {name: connection.pragma("table_xinfo", name) for kind, name in names if kind == "table"}
        made = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type <> 'table' ORDER BY name").fetchall()
        return names, columns, made


def test_there_is_a_golden_database_of_every_format():
    assert list(range(1, FORMAT + 1)) == FORMATS


@pytest.mark.parametrize("number", FORMATS)
def test_an_older_database_says_today_what_it_said_then(number, tmp_path):
    path = unpack(number, tmp_path)
    store = SqliteStore(str(path))
    assert store.open().migrated_from == (number if number < FORMAT else 0)
    try:
        assert list(store.check()) == []
        audit = Audit(store.reader())
        assert list(audit.faults()) == []
        reader = store.reader()
        found = {}
        for row in reader.list_runs(limit=100):
            events = [model_pb2.Event.FromString(event.body) for event in reader.events(row.key, 0, 1000)]
            found[row.workflow_id] = {
                "state": aether.RunState(row.state).name,
                "type": row.type,
                "history": [event_document(event) for event in events],
            }
        assert found.keys() == expected(number).keys()
        for name, then in expected(number).items():
            assert says_the_same(then, found[name]), name
        assert (audit.runs, audit.events) == (len(found), sum(len(run["history"]) for run in found.values()))
        reader.close()
        audit.reader.close()
    finally:
        store.close()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.parametrize("number", FORMATS)
async def test_open_runs_of_an_older_database_go_on(number, tmp_path, monkeypatch):
    unpack(number, tmp_path)
    monkeypatch.chdir(tmp_path)
    client = workflows.client
    monkeypatch.setattr(client, "_db", "golden.db")
    async with client.serve(grace_s=0):
        waiting = client.handle("waiting", result_type=str)
        await waiting.signal("go on", "welcome back")
        assert await waiting.result() == "hello Bo, welcome back"
        pending = client.handle("pending", result_type=str)
        await pending.signal("go on", "at last")
        assert await pending.result() == "hello Di, at last"
        assert (await client.handle("everything").result())["doubled"] == 40
        with pytest.raises(aether.WorkflowFailed, match="by its own code"):
            await client.handle("failing").result()
        for name in ("sleeping", "lasting"):
            assert (await client.handle(name).status()).state is aether.RunState.RUNNING
        tagged = [run.workflow_id async for run in client.list("tag.customer:c77")]
        assert [name for name in tagged if name != "forked"] == ["waiting", "everything"]


@pytest.mark.parametrize("number", FORMATS)
def test_a_migrated_database_is_like_a_new_one(number, tmp_path):
    path = unpack(number, tmp_path)
    migrated, new = SqliteStore(str(path)), SqliteStore(str(tmp_path / "new.db"))
    for store in (migrated, new):
        store.open()
        store.close()
    assert shape(path) == shape(tmp_path / "new.db")


OLDER = [number for number in FORMATS if number < FORMAT]


@pytest.mark.parametrize("number", OLDER)
def test_the_command_migrates_and_says_so(number, tmp_path):
    path = unpack(number, tmp_path)
    refused = command("db", "check", "--db", str(path))
    assert refused.returncode == 1
    assert "run `aether db migrate` first" in refused.stderr
    done = command("db", "migrate", "--db", str(path), "-o", "json")
    told = {"schema": "aether.database/v1", "database": str(path), "from_format": number, "format": FORMAT}
    assert json.loads(done.stdout) == told
    again = command("db", "migrate", "--db", str(path))
    assert "done\tnothing to do\n" in again.stdout
    assert "state\twhole\n" in command("db", "check", "--db", str(path)).stdout


KILLED = """
import os, signal, sys
from aether.store import sqlite_migrate
from aether.store.sqlite import SqliteStore

def tags(connection):
    yield 1, (("half", "done"),)
    os.kill(os.getpid(), signal.SIGKILL)

sqlite_migrate._tags_in_events = tags
SqliteStore(sys.argv[1]).open()
"""


def test_a_migration_that_is_killed_has_changed_nothing_and_is_done_by_the_next(tmp_path):
    path = unpack(1, tmp_path)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], env=environment(), cwd=ROOT, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(StoreFormat, match="older format"):
        next(check_file(str(path), None))
    assert "Opened" in repr(SqliteStore(str(path)).open())
    assert list(check_file(str(path), None)) == []


def test_a_migration_that_fails_leaves_the_older_format_to_older_programs(tmp_path, monkeypatch):
    path = unpack(1, tmp_path)
    before = shape(path)

    def fail(connection):
        raise OSError("no more")
        yield

    monkeypatch.setattr(sqlite_migrate, "_tags_in_events", fail)
    with pytest.raises(OSError, match="no more"):
        SqliteStore(str(path)).open()
    assert shape(path) == before


def test_a_damaged_event_is_no_reason_to_refuse_the_rest(tmp_path):
    path = unpack(1, tmp_path)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE log SET body = x'ff' WHERE run_key = 1 AND seq = 1")
    connection.execute("UPDATE log SET body = x'ff', crc = ? WHERE run_key = 5 AND seq = 1", (crc_of(connection, 5),))
    connection.close()
    store = SqliteStore(str(path))
    store.open()
    reader = store.reader()
    by_key = {row.key: row.tags for row in reader.list_runs(limit=99)}
    assert (by_key[1], by_key[3], by_key[5]) == ((), (("customer", "c78"),), ())
    reader.close()
    store.close()


def crc_of(connection, run_key):
    from aether.store.format import checksum

    at, kind = connection.execute("SELECT at, kind FROM log WHERE run_key = ? AND seq = 1", (run_key,)).fetchall()[0]
    return checksum(run_key, 1, at, kind, b"\xff")


def test_golden_databases_are_small():
    assert sum(path.stat().st_size for path in HERE.glob("format-*")) < 100_000 * len(FORMATS)


FACTS_OF_2 = {
    "StepRetried",
    "PromiseResolved",
    "TimerCancelled",
    "ChildStarted",
    "RunForked",
    "ActivityFailed",
    "ValuePublished",
}


def test_the_golden_database_of_format_2_has_a_bit_of_everything():
    found = {event["event"] for run in expected(2).values() for event in run["history"]}
    assert found >= FACTS_OF_2


@pytest.mark.parametrize("number", [number for number in FORMATS if number > 1])
def test_golden_histories_fit_the_code_that_made_them(number):
    """As documents of `aether history -o json`, which format 1 is too old for."""
    codes = {workflow.name: workflow for workflow in vars(workflows).values() if isinstance(workflow, aether.Workflow)}
    for run in expected(number).values():
        replay(run["history"], codes[run["type"]])


@pytest.mark.parametrize("number", FORMATS)
def test_failed_runs_of_an_older_database_are_found_by_their_error(number, tmp_path):
    store = SqliteStore(str(unpack(number, tmp_path)))
    store.open()
    reader = store.reader()
    failed = {name for name, run in expected(number).items() if run["state"] == "FAILED"}
    found = reader.list_runs(parse_filter("error:*", 0), limit=99)
    assert {row.workflow_id for row in found} == failed
    assert {row.workflow_id for row in reader.list_runs(parse_filter("error:Refused", 0), limit=99)} == failed
    reader.close()
    store.close()


def test_a_failed_run_that_is_damaged_has_no_error_and_is_no_reason_to_refuse_the_rest(tmp_path):
    path = unpack(2, tmp_path)
    connection = apsw.Connection(str(path))
    key = connection.execute("SELECT key FROM runs WHERE workflow_id = 'failing'").get
    connection.execute("UPDATE log SET body = x'ff' WHERE run_key = ?", (key,))
    connection.close()
    store = SqliteStore(str(path))
    store.open()
    reader = store.reader()
    assert {row.workflow_id: row.error for row in reader.list_runs(limit=99)}["failing"] == ""
    reader.close()
    store.close()


def test_the_golden_database_of_format_3_has_a_paused_task_queue(tmp_path):
    store = SqliteStore(str(unpack(3, tmp_path)))
    store.open()
    reader = store.reader()
    assert [setting_of(row) for row in reader.settings()] == [QueueSet("nightly", True, "inventory", 0)]
    reader.close()
    store.close()
