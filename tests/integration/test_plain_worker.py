"""A worker in another stack: what protos/ and docs/worker-protocol.md say is enough to write one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aether.cli.call import Caller
from aether.wire.generated.aether.v1 import client_pb2, model_pb2
from tests.processes import ROOT, Child, aether

WORKER = Path(__file__).with_name("plain_grpc_worker.py")


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    """What protoc gives a stranger; made into packages so that they stand before an installed aether."""
    folder = tmp_path_factory.mktemp("stubs")
    protos = sorted(str(path) for path in (ROOT / "protos" / "aether").rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}"]
    subprocess.run([*command, f"--python_out={folder}", f"--grpc_python_out={folder}", *protos], check=True, timeout=60)
    for package in ("aether", "aether/v1"):
        (folder / package / "__init__.py").touch()
    return folder


def plain_worker(server, stubs, **variables):
    target = server.url.removeprefix("http://")
    return Child(str(WORKER), target, cwd=stubs, PYTHONPATH=str(stubs), **variables)


def start(server, order_id):
    request = client_pb2.StartWorkflowRequest(
        workflow_type="plain-order", workflow_id=order_id, input=model_pb2.Payload(data=json.dumps([order_id]).encode())
    )
    Caller(server.url).unary("/aether.v1.ClientService/StartWorkflow", request)


def result_of(server, order_id):
    request = client_pb2.AwaitResultRequest(workflow_id=order_id)
    answer = client_pb2.WorkflowResult.FromString(
        Caller(server.url).unary("/aether.v1.ClientService/AwaitResult", request)
    )
    assert answer.state == model_pb2.RUN_STATE_COMPLETED, answer
    return json.loads(answer.result.data)


def events_of(server, order_id):
    return json.loads(aether("history", order_id, "-o", "json", AETHER_SERVER=server.url).stdout)


def test_it_imports_none_of_our_code():
    text = WORKER.read_text()
    assert "from aether.v1 import" in text
    assert text.count("aether.") == text.count("aether.v1")


def test_it_runs_a_workflow_of_two_steps_and_an_activity(server, stubs):
    with plain_worker(server, stubs) as worker:
        worker.wait_for("ready")
        start(server, "o-1")
        assert result_of(server, "o-1") == [
            {"step": "reserve", "order": "o-1"},
            {"charged": "o-1", "attempt": 1, "seen": ""},
            {"step": "ship", "order": "o-1"},
        ]
        worker.tell(signal.SIGTERM)
        code, said = worker.finish()
        assert code == 0, said
    events = events_of(server, "o-1")
    assert [each["event"] for each in events] == [
        "RunCreated",
        "RunStarted",
        "StepCompleted",
        "ActivityScheduled",
        "ActivityStarted",
        "ActivityCompleted",
        "StepCompleted",
        "RunCompleted",
    ]
    assert events[1]["worker_id"] == "plain"


def test_an_attempt_that_failed_is_followed_by_one_that_sees_its_heartbeat(server, stubs):
    with plain_worker(server, stubs) as worker:
        worker.wait_for("ready")
        start(server, "unlucky")
        assert result_of(server, "unlucky")[1] == {"charged": "unlucky", "attempt": 2, "seen": '"half"'}
    retried = next(each for each in events_of(server, "unlucky") if each["event"] == "ActivityRetried")
    assert retried["failure"]["type"] == "CardReader"


def test_when_it_dies_another_goes_on_behind_the_last_recorded_step(server, stubs):
    with plain_worker(server, stubs, PLAIN_DIE_AFTER="reserve") as first:
        first.wait_for("ready")
        start(server, "o-2")
        assert first.finish()[0] == 1
    with plain_worker(server, stubs) as second:
        second.wait_for("ready")
        assert len(result_of(server, "o-2")) == 3
        second.tell(signal.SIGTERM)
        assert "step reserve" not in second.finish()[1]
    events = events_of(server, "o-2")
    assert [(each["attempt"], each["reason"] != "") for each in events if each["event"] == "RunStarted"] == [
        (1, False),
        (2, True),
    ]
    assert [each["path"] for each in events if each["event"] == "StepCompleted"] == ["1", "3"]


def test_stubs_of_the_test_are_not_those_of_the_package(stubs):
    done = subprocess.run(
        [sys.executable, "-c", "import aether.v1.worker_pb2 as m; print(m.__file__)"],
        cwd=stubs, env=os.environ | {"PYTHONPATH": str(stubs)}, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert Path(done.stdout.strip()).is_relative_to(stubs)
