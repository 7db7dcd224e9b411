"""What a real server logs, and that it needs nobody to read it."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest

from aether.cli.call import Caller
from aether.errors import AetherError
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2, model_pb2, worker_pb2
from tests.processes import Child, Server, environment

TRACE = "0af7651916cd43dd8448eb211c80319c"
APP = """
import aether, anyio
client = aether.Client()

async def fail():
    raise ValueError("private words")

@client.workflow("order")
async def order(ctx: aether.Context) -> None:
    await ctx.step("pack", fail, retry=aether.RetryPolicy(initial_s=0.01, factor=1, max_attempts=40))
"""


def logged(said):
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def start(url, workflow_id, **fields):
    request = client_pb2.StartWorkflowRequest(
        workflow_type="order", workflow_id=workflow_id, input=model_pb2.Payload(data=b"[]"), **fields
    )
    Caller(url).unary("/aether.v1.ClientService/StartWorkflow", request)


@pytest.mark.parametrize("payloads", [False, True])
def test_an_operator_sees_attempts_that_fail_but_not_all_of_them_and_no_words_of_users_unless_asked(tmp_path, payloads):
    (tmp_path / "app.py").write_text(APP)
    with (
        Server(tmp_path, *(["--log-payloads"] if payloads else [])) as server,
        Child("-m", "aether.cli", "worker", "app:client", cwd=tmp_path, AETHER_SERVER=server.url),
    ):
        start(server.url, "a", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
        server.wait_for("run_failed")
        server.tell()
        code, said = server.finish()
    assert code == 0
    lines = logged(said)
    attempts = [line for line in lines if line["event"] == "attempt_failed"]
    (failed,) = (line for line in lines if line["event"] == "run_failed")
    assert 20 <= len(attempts) < 40
    first = attempts[0]
    ids = ("workflow_id", "workflow_type", "name", "attempt", "failure", "trace_id", "level")
    assert [first[name] for name in ids] == ["a", "order", "pack", 1, "ValueError", TRACE, "warning"]
    assert failed["trace_id"] == TRACE
    assert first["run_id"] == failed["run_id"]
    assert ("private words" in said) is payloads


def test_what_somebody_changes_is_logged_with_who_asked_by_its_request_id(tmp_path):
    with Server(tmp_path) as server:
        start(server.url, "a")
        caller = Caller(server.url)
        caller.unary("/aether.v1.ClientService/PauseWorkflow", client_pb2.PauseRequest(workflow_id="a"))
        caller.unary("/aether.v1.ClientService/ResumeWorkflow", client_pb2.ResumeRequest(workflow_id="a"))
        caller.unary("/aether.v1.ClientService/CancelWorkflow", client_pb2.CancelRequest(workflow_id="a"))
        caller.unary("/aether.v1.AdminService/UpdateQueue", admin_pb2.UpdateQueueRequest(task_queue="q", paused=True))
        with contextlib.suppress(AetherError):
            caller.unary("/aether.v1.AdminService/ForkWorkflow", admin_pb2.ForkRequest(workflow_id="a", retry=True))
        server.tell()
        _, said = server.finish()
    lines = [line for line in logged(said) if line["event"] == "action"]
    assert [line["action"] for line in lines] == ["pause", "resume", "cancel", "update-queue", "retry"]
    assert all(line["request_id"].startswith(f"{line['peer']}/") for line in lines)
    assert lines[0]["peer"].startswith("127.0.0.1:")


def serve(tmp_path, stderr, redirect=""):
    """A server of whose stderr the test has its own idea; (process, url)."""
    command = f"exec {sys.executable} -m aether.cli serve --grpc-port 0 --log-level debug {redirect}"
    process = subprocess.Popen(
        ["sh", "-c", command], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=stderr, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def talk(url, count):
    """Make the server log something so often."""
    for number in range(count):
        request = worker_pb2.RegisterRequest(worker_id=f"{number}-{'x' * 150}", workflow_types=["order"])
        Caller(url).unary("/aether.v1.WorkerService/Register", request)


def ends_well(process, url):
    start(url, "after")
    Caller(url).unary("/aether.v1.ClientService/GetWorkflowStatus", client_pb2.GetStatusRequest(workflow_id="after"))
    process.send_signal(signal.SIGTERM)
    return process.wait(20)


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full"], ids=["closed", "full disk"])
def test_a_stderr_that_takes_nothing_does_not_stop_the_server(tmp_path, redirect):
    process, url = serve(tmp_path, subprocess.PIPE, redirect)
    try:
        talk(url, 3)
        assert ends_well(process, url) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("redirect", [">&-", ">/dev/full"], ids=["closed", "full disk"])
def test_a_stdout_that_takes_nothing_does_not_stop_the_server_and_the_log_says_where_it_is(tmp_path, redirect):
    process, _ = serve(tmp_path, subprocess.PIPE, redirect)
    try:
        assert process.stderr is not None
        assert ends_well(process, f"http://{json.loads(process.stderr.readline())['grpc']}") == 0
    finally:
        process.kill()
        process.communicate()


def test_a_stderr_that_nobody_reads_does_not_stop_the_server(tmp_path):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4_096)
    process, url = serve(tmp_path, writing)
    os.close(writing)
    try:
        talk(url, 40)
        assert ends_well(process, url) == 0
    finally:
        process.kill()
        process.communicate()
        os.close(reading)


def test_a_worker_logs_for_machines_too(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    command = ("-m", "aether.cli", "worker", "app:client", "--log-format", "json")
    with Server(tmp_path) as server, Child(*command, cwd=tmp_path, AETHER_SERVER=server.url) as worker:
        worker.wait_for("serving")
        server.tell(signal.SIGKILL)
        line = json.loads(worker.wait_for("session_lost"))
    assert (line["level"], line["event"]) == ("warning", "session_lost")
    assert line["worker_id"]
