"""What clients ask is bounded, and forgotten when it is answered."""

import pytest
import trio
from google.protobuf.message import Message

from aether.model.limits import Limits
from aether.server.http.local_call import LocalCall
from aether.server.serve import Running, run_engine
from aether.server.tiers import Tier
from aether.store.memory import MemoryStore
from aether.wire.generated.aether.v1 import admin_pb2 as apb
from aether.wire.generated.aether.v1 import client_pb2 as pb
from aether.wire.status import Code, Status

CLIENT = "/aether.v1.ClientService/"
ADMIN = "/aether.v1.AdminService/"


async def asked(running: Running, path: str, request: Message) -> Status:
    call = LocalCall(path, 100)
    running.methods[path].handler(call, request.SerializeToString())  # type: ignore[call-arg]
    await call.over()
    assert call.status is not None
    return call.status


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        (f"{CLIENT}StartWorkflow", pb.StartWorkflowRequest(workflow_type="order")),
        (f"{CLIENT}GetWorkflowStatus", pb.GetStatusRequest(workflow_id="a")),
        (f"{CLIENT}AwaitResult", pb.AwaitResultRequest(workflow_id="a")),
        (f"{CLIENT}CancelWorkflow", pb.CancelRequest(workflow_id="a")),
        (f"{CLIENT}SignalWorkflow", pb.SignalRequest(workflow_id="a", name="go")),
        (f"{CLIENT}PauseWorkflow", pb.PauseRequest(workflow_id="a")),
        (f"{CLIENT}ResumeWorkflow", pb.ResumeRequest(workflow_id="a")),
        (f"{CLIENT}ReadValue", pb.ReadValueRequest(workflow_id="a", key="k")),
        (f"{ADMIN}ExplainWorkflow", apb.ExplainRequest(workflow_id="a")),
        (f"{ADMIN}ForkWorkflow", apb.ForkRequest(workflow_id="a", at_seq=1)),
        (f"{ADMIN}UpdateQueue", apb.UpdateQueueRequest(task_queue="q", paused=True)),
    ],
)
def test_a_server_for_which_too_much_waits_refuses_what_would_wait_too(path: str, request_: Message) -> None:
    async def main() -> Status:
        async with run_engine(MemoryStore(), Tier("memory"), Limits(inbox_max=0)) as running:
            return await asked(running, path, request_)

    status = trio.run(main)
    assert (status.code, status.message) == (Code.UNAVAILABLE, "too many requests wait; ask again in a moment")


def test_a_start_that_is_refused_for_its_id_waits_for_nothing() -> None:
    start = pb.StartWorkflowRequest(workflow_type="order", workflow_id="a", await_result=True)
    start.id_reuse_policy = pb.ID_REUSE_POLICY_REJECT

    async def main() -> None:
        async with run_engine(MemoryStore(), Tier("memory")) as running:
            first = pb.StartWorkflowRequest(workflow_type="order", workflow_id="a")
            assert (await asked(running, f"{CLIENT}StartWorkflow", first)).code == Code.OK
            cancel = pb.CancelRequest(workflow_id="a", force=True)
            assert (await asked(running, f"{CLIENT}CancelWorkflow", cancel)).code == Code.OK
            assert (await asked(running, f"{CLIENT}StartWorkflow", start)).code == Code.ALREADY_EXISTS
            assert not running.client._waiting

    trio.run(main)
