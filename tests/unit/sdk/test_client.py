"""The client's calls over a transport that answers as the test says: what is repeated, and what errors become."""

from types import SimpleNamespace

import anyio
import pytest

import aether
from aether.errors import (
    InvalidArgument,
    ServerUnavailable,
    StorageUnavailable,
    WorkflowAlreadyExists,
    WorkflowCancelled,
    WorkflowFailed,
)
from aether.model.runs import RunState
from aether.sdk import rpc
from aether.wire.errors import status_of
from aether.wire.generated.aether.v1 import client_pb2 as pb
from aether.wire.generated.aether.v1 import model_pb2
from aether.wire.status import Code, RpcError

pytestmark = pytest.mark.anyio
AWAY = RpcError(Code.UNAVAILABLE, "nobody is there")


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request):
    return request.param


class Wire:
    """Answers in the order given: bytes, or an error."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def unary(self, path, message, *, timeout_s=None):
        self.asked.append((path.rpartition("/")[2], message, timeout_s))
        await anyio.lowlevel.checkpoint()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer.SerializeToString()


def connected(*answers):
    client = aether.Client("http://nowhere", task_queue="q")
    wire = Wire(*answers)
    client._blocks = SimpleNamespace(transport=wire)  # type: ignore[assignment]

    @client.workflow("w")
    async def w(ctx: aether.Context, number: int) -> int:
        return number

    return client, w, wire


def failed(error):
    status = status_of(error)
    return RpcError(status.code, status.message, status.details)


STARTED = pb.StartWorkflowResponse(workflow_id="id", run_id="run")


async def test_a_start_that_nobody_answered_is_repeated_with_the_same_id():
    _, w, wire = connected(AWAY, AWAY, STARTED)
    handle = await w.start(5)
    assert (handle.workflow_id, handle.run_id) == ("id", "run")
    requests = [pb.StartWorkflowRequest.FromString(message) for _, message, _ in wire.asked]
    assert len(requests) == 3
    assert len({request.workflow_id for request in requests}) == 1
    assert requests[0].workflow_id.startswith("w-")
    assert (requests[0].workflow_type, requests[0].task_queue, requests[0].input.data) == ("w", "q", b"[5]")
    assert wire.asked[0][2] == pytest.approx(30, abs=1)


class AllAtOnce(Wire):
    """Answers nobody before three have asked."""

    async def unary(self, path, message, *, timeout_s=None):
        self.asked.append((path, message, timeout_s))
        while len(self.asked) < 3:
            await anyio.lowlevel.checkpoint()
        workflow_id = pb.StartWorkflowRequest.FromString(message).workflow_id
        return pb.StartWorkflowResponse(workflow_id=workflow_id, run_id=f"run of {workflow_id}").SerializeToString()


async def test_many_starts_are_under_way_at_the_same_time_and_their_handles_are_in_order():
    client, w, _ = connected()
    client._blocks = SimpleNamespace(transport=AllAtOnce())
    with anyio.fail_after(10):
        handles = await client.start_many([w.options(workflow_id=f"w{number}").prepare(number) for number in range(3)])
    assert [handle.run_id for handle in handles] == ["run of w0", "run of w1", "run of w2"]
    assert await client.start_many([]) == []


async def test_a_start_that_is_refused_does_not_keep_the_others_from_starting():
    client, w, wire = connected(*[failed(WorkflowAlreadyExists("taken"))] * 2, STARTED)
    with pytest.raises(WorkflowAlreadyExists):
        await client.start_many([w.prepare(number) for number in range(3)])
    assert len(wire.asked) == 3


async def test_what_no_repetition_cures_is_raised_at_once_as_the_servers_error():
    _, w, wire = connected(failed(WorkflowAlreadyExists("it is there")))
    with pytest.raises(WorkflowAlreadyExists, match="it is there") as caught:
        await w.options(workflow_id="mine").start(5)
    assert isinstance(caught.value.__cause__, RpcError)
    assert pb.StartWorkflowRequest.FromString(wire.asked[0][1]).workflow_id == "mine"
    _, w, wire = connected(failed(InvalidArgument("no", field="input")))
    with pytest.raises(InvalidArgument) as invalid:
        await w.start(5)
    assert invalid.value.field == "input"


async def test_wrong_arguments_are_refused_before_anything_is_sent():
    _, w, wire = connected()
    for args in ((), ("x",), (1, 2)):
        with pytest.raises(InvalidArgument, match="workflow 'w'"):
            await w.start(*args)
    assert wire.asked == []


async def test_repeating_ends_at_the_deadline():
    client, _, wire = connected(*[AWAY] * 100)
    with pytest.raises(ServerUnavailable):
        await client.handle("id").result(timeout_s=0.2)
    assert 1 < len(wire.asked) < 100
    assert wire.asked[-1][2] < 0.2


async def test_a_server_that_many_wait_for_is_said_to_be_gone_once(caplog):
    result = pb.WorkflowResult(workflow_id="id", state="RUN_STATE_COMPLETED", result=model_pb2.Payload(data=b"7"))
    client, _, _ = connected(*[AWAY] * 50, *[result] * 50)
    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(client.handle(f"w{number}", result_type=int).result)
    assert [record.getMessage() for record in caplog.records] == ["nobody is there; trying again"]


class Silent(Wire):
    """Does not answer any more when its answers are used up."""

    async def unary(self, path, message, *, timeout_s=None):
        if not self.answers:
            await anyio.sleep(timeout_s)
            raise RpcError(Code.DEADLINE_EXCEEDED, "deadline exceeded")
        return await super().unary(path, message, timeout_s=timeout_s)


@pytest.mark.parametrize("error", [ServerUnavailable("nobody is there"), StorageUnavailable("the disk is full")])
async def test_when_the_time_is_over_the_reason_why_nothing_came_of_it_is_told(error):
    client, w, _ = connected()
    client._blocks = SimpleNamespace(transport=Silent(failed(error)))
    client.timeout_s = 0.2
    with pytest.raises(type(error), match=str(error)):
        await w.start(5)


async def test_a_result_is_awaited_over_every_failure_that_passes():
    result = pb.WorkflowResult(workflow_id="id", state="RUN_STATE_COMPLETED", result=model_pb2.Payload(data=b"7"))
    late = RpcError(Code.DEADLINE_EXCEEDED, "ask again")
    client, _, wire = connected(AWAY, late, result)
    assert await client.handle("id", result_type=int).result() == 7
    assert [timeout_s for _, _, timeout_s in wire.asked] == [None, None, None]


async def test_how_a_run_ended_is_raised_with_the_whole_chain():
    cause = model_pb2.Failure(type="ValueError", message="deep")
    failure = model_pb2.Failure(type="StepFailed", message="step failed", causes=[cause])
    client, _, _ = connected(
        pb.WorkflowResult(workflow_id="id", state="RUN_STATE_FAILED", failure=failure),
        pb.WorkflowResult(workflow_id="id", state="RUN_STATE_CANCELLED"),
    )
    with pytest.raises(WorkflowFailed, match="workflow 'id' failed: StepFailed: step failed") as caught:
        await client.handle("id").result()
    assert caught.value.failure is not None
    assert caught.value.failure.causes[0].type == "ValueError"
    with pytest.raises(WorkflowCancelled, match="workflow 'id' was cancelled"):
        await client.handle("id").result()


async def test_status_tells_what_a_run_waits_for():
    client, _, _ = connected(
        pb.WorkflowStatus(
            info=pb.WorkflowInfo(workflow_id="id", run_id="r", state="RUN_STATE_RUNNING", created_at_us=1_000_000),
            pending=[
                pb.Pending(
                    path="2",
                    kind="activity",
                    name="charge",
                    attempt=3,
                    due_at_us=2_000_000,
                    heartbeat=model_pb2.Payload(data=b'{"at":1}'),
                    last_failure=model_pb2.Failure(type="OSError"),
                ),
                pb.Pending(path="3", kind="timer"),
            ],
            blocked=True,
            failure=model_pb2.Failure(type="NonDeterminism"),
        )
    )
    status = await client.handle("id").status()
    assert (status.state, status.blocked, status.info.closed_at) == (RunState.RUNNING, True, None)
    assert status.failure is not None
    activity, timer = status.pending
    assert (activity.heartbeat, activity.attempt, activity.due_at.second) == ({"at": 1}, 3, 2)
    assert activity.last_failure.type == "OSError"
    assert (timer.due_at, timer.last_failure, timer.heartbeat) == (None, None, None)


async def test_cancelling_says_which_run_and_why():
    client, _, wire = connected(pb.CancelResponse(run_id="run"))
    await client.handle("id", "run").cancel("changed my mind")
    request = pb.CancelRequest.FromString(wire.asked[0][1])
    assert (request.workflow_id, request.run_id, request.reason) == ("id", "run", "changed my mind")


async def test_the_server_is_the_one_told_or_the_one_of_the_environment(monkeypatch):
    monkeypatch.setenv("AETHER_SERVER", "http://127.0.0.1:9")
    for client in (aether.Client(timeout_s=0.1), aether.Client("http://127.0.0.1:9", timeout_s=0.1)):
        async with client:
            with pytest.raises(ServerUnavailable, match=r"127\.0\.0\.1:9"):
                await client.handle("id").status()
    monkeypatch.delenv("AETHER_SERVER")
    async with aether.Client(db="memory") as client, client:
        with pytest.raises(aether.WorkflowNotFound):
            await client.handle("id").status()
    with pytest.raises(InvalidArgument, match="not connected"):
        client.list()


async def test_a_database_that_can_not_be_used_is_said_at_once(tmp_path):
    tmp_path.joinpath("notes.db").write_text("these are notes, and no database of anybody's")
    with pytest.raises(Exception, match=r"notes\.db"):
        async with aether.Client(db=str(tmp_path / "notes.db")):
            pass


def test_handles_say_what_they_are_of():
    client = aether.Client("http://nowhere")
    assert repr(client.handle("id")) == "<handle of 'id'>"
    assert repr(client.handle("id", "run")) == "<handle of 'id' run run>"
    with pytest.raises(InvalidArgument, match="workflow id"):
        client.handle("")
    assert rpc.translated(AWAY).is_retryable


def test_every_public_name_is_there_and_nothing_else():
    for name in aether.__all__:
        assert getattr(aether, name).__name__ == name
    assert set(aether.__all__) <= set(dir(aether))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        aether.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, ("./data/aether.db", "state-action-log")),
        ({"db": "memory"}, ("memory", "memory")),
        ({"persistence": "memory"}, ("memory", "memory")),
        ({"persistence": "snapshot"}, ("./data/aether.db", "snapshot")),
        ({"db": "a.db", "persistence": "snapshot"}, ("a.db", "snapshot")),
    ],
)
def test_where_an_embedded_server_keeps_its_data_and_how_may_follow_from_each_other(given, place):
    client = aether.Client(**given)
    assert (client._db, client._persistence) == place


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"persistence": "disk"}, "persistence is 'disk'; it must be one of state-action-log, snapshot, memory"),
        ({"db": "a.db", "persistence": "memory"}, "persistence 'memory' does not go with db='a.db'"),
        ({"db": "memory", "persistence": "snapshot"}, "persistence 'snapshot' does not go with db='memory'"),
    ],
)
def test_a_mode_that_does_not_go_with_the_place_is_refused(given, words):
    with pytest.raises(InvalidArgument, match=words):
        aether.Client(**given)


async def test_a_wrong_address_in_the_environment_is_an_error_of_ours(monkeypatch):
    monkeypatch.setenv("AETHER_SERVER", "localhost:27233")
    with pytest.raises(InvalidArgument, match="'localhost:27233' is no address of a server: write http://host:port"):
        async with aether.Client():
            pass
