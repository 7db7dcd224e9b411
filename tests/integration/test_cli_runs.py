"""Commands against a real server in a process of its own."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from aether import Client, Context
from aether.cli.call import Caller
from aether.cli.exit_codes import ExitCode
from aether.wire.generated.aether.v1 import client_pb2, model_pb2
from tests.processes import Server, aether, environment

UTC = r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z"


def start(server, workflow_id, workflow_type="order", data=b"[1]"):
    request = client_pb2.StartWorkflowRequest(
        workflow_type=workflow_type, workflow_id=workflow_id, input=model_pb2.Payload(data=data)
    )
    answer = Caller(server.url).unary("/aether.v1.ClientService/StartWorkflow", request)
    return client_pb2.StartWorkflowResponse.FromString(answer).run_id


def rows(text):
    return [line.split("\t") for line in text.splitlines()]


def test_runs_are_listed_newest_first_and_by_what_they_are(server):
    first, second = start(server, "order-1"), start(server, "mail-1", "mail")
    listed = aether("workflow", "list", AETHER_SERVER=server.url)
    assert listed.returncode == 0
    head, *found = rows(listed.stdout)
    assert head == ["WORKFLOW", "TYPE", "STATE", "CREATED", "CLOSED", "RUN", "TAGS"]
    assert [(row[0], row[1], row[2], row[5]) for row in found] == [
        ("mail-1", "mail", "PENDING", second),
        ("order-1", "order", "PENDING", first),
    ]
    assert all(re.fullmatch(UTC, row[3]) and not row[4] for row in found)
    for options, ids in [
        (["--type", "order"], ["order-1"]),
        (["--state", "pending", "--limit", "1"], ["mail-1"]),
        (["--state", "COMPLETED"], []),
        (["--prefix", "ord"], ["order-1"]),
    ]:
        shown = aether("workflow", "list", *options, "-o", "json", "--server", server.url)
        assert [run["workflow_id"] for run in json.loads(shown.stdout)] == ids


def test_a_status_says_what_an_open_run_waits_for(server):
    run_id = start(server, "order-1")
    fields = rows(aether("status", "order-1", AETHER_SERVER=server.url).stdout)
    assert ["run", run_id] in fields
    assert ["state", "PENDING"] in fields
    assert next(value for name, value in fields if name == "waits for").startswith("a worker: no worker")
    document = json.loads(aether("status", "order-1", "-o", "json", AETHER_SERVER=server.url).stdout)
    assert document["info"]["state"] == "PENDING"
    assert document["persistence"] == "state-action-log"


def test_a_cancelled_run_is_closed_and_its_history_says_why(server):
    run_id = start(server, "order-1", data=b'["caf\xc3\xa9"]')
    cancelled = aether("cancel", "order-1", "--reason", "changed my mind", AETHER_SERVER=server.url)
    assert rows(cancelled.stdout) == [["workflow", "order-1"], ["run", run_id], ["state", "CANCELLED"]]
    history = aether("history", "order-1", AETHER_SERVER=server.url)
    head, *events = rows(history.stdout)
    assert head == ["SEQ", "TIME", "EVENT", "PATH", "NAME", "DETAIL"]
    assert [event[0] for event in events] == [str(seq) for seq in range(1, len(events) + 1)]
    assert events[0][2:] == ["RunCreated", "", "order", '["café"]']
    assert events[-1][2:] == ["RunCancelled", "", "", "changed my mind"]
    documents = json.loads(aether("history", "order-1", "-o", "json", AETHER_SERVER=server.url).stdout)
    assert [each["event"] for each in documents] == [event[2] for event in events]
    assert documents[0]["input"] == ["café"]
    # Whoever asks again, because the answer was lost, is told the same.
    assert aether("cancel", "order-1", AETHER_SERVER=server.url).stdout == cancelled.stdout


def test_a_run_whose_code_does_not_stop_is_ended_by_force(server):
    client = Client(server.url)

    @client.workflow("stubborn")
    async def stubborn(ctx: Context) -> None:
        with ctx.shield():
            await ctx.publish("ready", value=True)
            await ctx.sleep(days=1)

    async def cancel(*options: str) -> str:
        done = await trio.to_thread.run_sync(lambda: aether("cancel", "order-1", *options, AETHER_SERVER=server.url))
        return rows(done.stdout)[-1][1]

    async def main() -> list[str]:
        async with client.serve():
            handle = await stubborn.options(workflow_id="order-1").start()
            while not await handle.read("ready"):  # noqa: ASYNC110 - the run brings it about
                await trio.sleep(0.01)
            return [await cancel(), await cancel("--force")]

    assert trio.run(main) == ["RUNNING", "CANCELLED"]


@pytest.mark.parametrize("command", ["status", "history", "cancel"])
def test_an_unknown_id_ends_with_3_and_one_line(server, command):
    done = aether(command, "order-9", AETHER_SERVER=server.url)
    assert done.returncode == ExitCode.NOT_FOUND
    assert done.stderr == "aether: no workflow 'order-9'; `aether workflow list` shows what there is\n"
    assert not done.stdout


def test_text_that_would_drive_a_terminal_is_made_harmless(server):
    hostile = "\x1b]0;owned\x07\u202e"
    start(server, "order-1", data=json.dumps(hostile, ensure_ascii=False).encode())
    assert "\\u001b]0;owned\\u0007\\u202e" in aether("history", "order-1", AETHER_SERVER=server.url).stdout
    document = aether("history", "order-1", "-o", "json", AETHER_SERVER=server.url).stdout
    assert json.loads(document)[0]["input"] == hostile
    asked = aether("status", hostile, AETHER_SERVER=server.url)
    assert asked.returncode != 0
    assert not set(document + asked.stderr) & set(hostile) - set("]0;owned")


def on_a_terminal(*arguments, columns, **variables):
    """What a command writes when stdout is a terminal of that width."""
    ours, theirs = pty.openpty()
    variables |= {"COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "aether.cli", *arguments], env=environment(**variables), stdout=theirs, stderr=theirs
    ) as command:
        os.close(theirs)
        said = b""
        while chunk := _read(ours):
            said += chunk
        os.close(ours)
        assert command.wait(30) == 0
    return said.decode().replace("\r\n", "\n")


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""


def test_a_terminal_gets_colour_and_a_narrow_one_fewer_columns_then_blocks_with_whole_ids(server):
    run_id = start(server, "order-1")
    aether("cancel", "order-1", AETHER_SERVER=server.url)
    coloured = on_a_terminal("workflow", "list", columns=200, AETHER_SERVER=server.url, NO_COLOR="")
    assert "\x1b[2mCANCELLED\x1b[0m" in coloured
    wide = on_a_terminal("workflow", "list", columns=200, AETHER_SERVER=server.url)
    assert "\x1b" not in wide
    assert "\t" not in wide
    usual = on_a_terminal("workflow", "list", columns=80, AETHER_SERVER=server.url).splitlines()
    assert usual[0].split() == ["WORKFLOW", "TYPE", "STATE", "CREATED", "TAGS"]
    assert max(map(len, usual)) <= 80
    narrow = on_a_terminal("workflow", "list", columns=24, AETHER_SERVER=server.url)
    assert f"RUN       {run_id}\n" in narrow
    assert run_id in on_a_terminal("workflow", "list", "-o", "wide", columns=60, AETHER_SERVER=server.url)


def test_a_reader_that_stops_reading_is_no_error(server):
    for number in range(40):
        start(server, f"order-{number}-" + "x" * 180)
    command = f"'{sys.executable}' -m aether.cli workflow list --server {server.url} | head -n 1"
    done = subprocess.run(
        ["sh", "-c", command], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("WORKFLOW\t")
    assert not done.stderr


def test_output_that_can_not_be_written_is_told_in_one_line(server):
    start(server, "o")
    command = [sys.executable, "-m", "aether.cli", "history", "o", "--server", server.url]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == ExitCode.FAILED
    assert done.stderr == "aether: the output can not be written: No space left on device\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_with_0_and_keeps_what_it_acknowledged(number, tmp_path):
    with Server(tmp_path) as first:
        run_id = start(first, "order-1")
        first.tell(number)
        code, said = first.finish()
        assert code == 0, said
    with Server(tmp_path) as second:
        assert ["run", run_id] in rows(aether("status", "order-1", AETHER_SERVER=second.url).stdout)


def test_in_memory_mode_nothing_is_written(tmp_path):
    with Server(tmp_path, "--persistence", "memory") as running:
        start(running, "order-1")
        assert ["kept in", "memory"] in rows(aether("status", "order-1", AETHER_SERVER=running.url).stdout)
    assert not list(tmp_path.iterdir())


def test_two_servers_never_share_a_database_or_a_port(server, tmp_path):
    same_file = aether("serve", "--grpc-port", "0", cwd=tmp_path)
    assert same_file.returncode == ExitCode.FAILED
    assert f"pid {server.process.pid}" in same_file.stderr
    assert "Traceback" not in same_file.stderr
    port = server.url.rpartition(":")[2]
    same_port = aether("serve", "--grpc-port", port, "--persistence", "memory", cwd=tmp_path)
    assert same_port.returncode == ExitCode.FAILED
    assert f"127.0.0.1:{port}" in same_port.stderr
    assert "Traceback" not in same_port.stderr


def test_the_doctor_finds_a_healthy_server_healthy(server, tmp_path):
    done = aether("doctor", cwd=tmp_path, AETHER_SERVER=server.url)
    assert done.returncode == 0, done.stdout
    found = {row[0]: row for row in rows(done.stdout)[1:]}
    # How the interpreter was built, what else runs here, and how busy the disk is, is not the server's health.
    others = {"python", "ports", "disk"}
    assert {row[1] for check, row in found.items() if check not in others} == {"ok"}
    assert others < found.keys()
    assert f"in use by pid {server.process.pid}" in found["database"][2]
    assert server.url in found["server"][2]


def test_the_doctor_names_every_fault(tmp_path, free_port):
    (tmp_path / "aether.toml").write_text("[server]\ngrpc_port = -1\n")
    ill = aether("doctor", cwd=tmp_path, AETHER_SERVER=f"http://127.0.0.1:{free_port}")
    assert ill.returncode == ExitCode.FAILED
    failed = {row[0]: row[2] for row in rows(ill.stdout) if row[1] == "fail"}
    assert failed["settings"] == "aether.toml:2: server.grpc_port must be 0..65535, not -1"
    assert "Connection refused" in failed["server"]


def test_the_doctor_tells_a_foreign_or_damaged_database(server, tmp_path):
    start(server, "order-1")
    server.tell(signal.SIGTERM)
    assert server.finish()[0] == 0
    database = tmp_path / "data" / "aether.db"
    whole = database.read_bytes()
    for content, words in [
        (b"no database at all, but long enough to be looked at" * 20, "is no SQLite database"),
        (whole[:4096] + bytes(len(whole) - 4096), "structure"),
    ]:
        database.write_bytes(content)
        ill = aether("doctor", "-o", "json", cwd=tmp_path)
        assert ill.returncode == ExitCode.FAILED
        faults = [each["found"] for each in json.loads(ill.stdout) if each["check"] == "database"]
        assert any(words in fault for fault in faults), faults


def test_metrics_tell_what_the_server_does(server):
    start(server, "order-1")
    fields = dict(rows(aether("metrics", AETHER_SERVER=server.url).stdout))
    assert fields["runs"] == "1 pending"
    assert fields["open"] == "1 queued"
    assert fields["queue"].startswith("default (workflow): 1 ready, 1 came, 0 taken, the oldest waits for ")
    assert re.match(r"[0-9]+, 0 wait; [0-9]+ in the last minute, p50 [0-9.]+ ms", fields["commits"])
    shown = json.loads(aether("metrics", "-o", "json", "--server", server.url).stdout)
    assert shown["run_traffic"][0]["started"] == 1
    assert shown["queues"][0]["ready"] == 1
    assert isinstance(shown["start_lag"]["p50_us"], int)
    assert re.fullmatch(UTC, shown["started_at"])
