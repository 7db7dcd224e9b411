"""Workers of plain calls, one a message, as they are written in other languages."""

from pathlib import Path

import pytest
import trio

from aether import errors
from aether.sdk.transport import TransportStream
from aether.wire.generated.aether.v1 import model_pb2 as mpb
from aether.wire.generated.aether.v1 import worker_pb2 as wpb
from tests.integration.peers import Peer, done, payload, peer_of, served, step

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["trio"])]

RUNNING, COMPLETED = mpb.RUN_STATE_RUNNING, mpb.RUN_STATE_COMPLETED


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "aether.db"


async def poll(peer: Peer, session_id: str) -> TransportStream:
    polling = await peer.transport.open_stream("/aether.v1.WorkerService/PollTasks")
    polling.send(wpb.PollRequest(session_id=session_id).SerializeToString())
    polling.half_close()
    return polling


async def test_a_worker_of_plain_calls_does_the_same_work(db: Path) -> None:
    async with served(db) as peer:
        register = wpb.RegisterRequest(workflow_types=["t"], activity_types=["charge"])
        session = await peer.call("WorkerService/Register", register, wpb.RegisterResponse)
        polling = await poll(peer, session.session_id)
        await peer.start("a")
        task = wpb.Task.FromString((await polling.receive())[0])
        request = wpb.CompleteStepRequest(token=task.token, commands=[step("1")], number=1)
        answers = [await peer.call("WorkerService/CompleteStep", request, wpb.CompleteStepResponse) for _ in range(2)]
        assert answers[0] == answers[1], "a repeated request gets the same answer"
        schedule = wpb.ScheduleActivity(path="2", activity_type="charge", input=payload("[1]"))
        request = wpb.CompleteStepRequest(
            token=task.token, commands=[wpb.Command(schedule_activity=schedule)], number=2
        )
        await peer.call("WorkerService/CompleteStep", request, wpb.CompleteStepResponse)
        tasks: list[wpb.Task] = []
        while not any(item.HasField("activity") for item in tasks):
            tasks += [wpb.Task.FromString(message) for message in await polling.receive()]
        attempt = next(item for item in tasks if item.HasField("activity"))
        beat = wpb.HeartbeatRequest(session_id=session.session_id, token=attempt.token, details=payload('"half"'))
        large = wpb.HeartbeatRequest(session_id=session.session_id, token=attempt.token, details=payload("1" * 300_000))
        with pytest.raises(errors.LimitExceeded, match="details has 300000 bytes; at most 262144"):
            await peer.call("WorkerService/Heartbeat", large, wpb.HeartbeatResponse)
        seen = await peer.call("WorkerService/Heartbeat", beat, wpb.HeartbeatResponse)
        assert not seen.cancel_requested
        pending = (await peer.status("a")).pending
        assert [(item.kind, item.name, item.heartbeat.data) for item in pending] == [("activity", "charge", b'"half"')]
        outcome = wpb.CompleteStepRequest(
            token=attempt.token, commands=[wpb.Command(complete_activity=wpb.CompleteActivity(result=payload("2")))]
        )
        await peer.call("WorkerService/CompleteStep", outcome, wpb.CompleteStepResponse)
        request = wpb.CompleteStepRequest(token=task.token, commands=[done()], number=3)
        await peer.call("WorkerService/CompleteStep", request, wpb.CompleteStepResponse)
        assert (await peer.result("a")).state == COMPLETED
        with pytest.raises(errors.SessionExpired):
            await peer.call("WorkerService/Heartbeat", wpb.HeartbeatRequest(session_id="x"), wpb.HeartbeatResponse)


async def register(peer: Peer) -> str:
    request = wpb.RegisterRequest(workflow_types=["t"])
    return (await peer.call("WorkerService/Register", request, wpb.RegisterResponse)).session_id


async def test_what_a_lost_stream_of_tasks_was_sent_is_handed_out_again(db: Path) -> None:
    async with served(db) as peer, peer_of(peer.address) as elsewhere:
        session_id = await register(peer)
        await poll(peer, session_id)
        await peer.start("a")
        assert (await peer.status("a")).info.state == RUNNING
        # The worker has noticed that its connection is lost, and the server has not.
        with trio.fail_after(10), pytest.raises(errors.SessionExpired, match="register again"):
            await elsewhere.stream("WorkerService/PollTasks", wpb.PollRequest(session_id=session_id), wpb.Task)
        polling = await poll(elsewhere, await register(elsewhere))
        task = wpb.Task.FromString((await polling.receive())[0])
        assert task.workflow.workflow_id == "a"
        assert task.workflow.events[-1].run_started.attempt == 2


async def test_a_worker_that_does_not_poll_keeps_nothing_however_much_it_says(db: Path) -> None:
    async with served(db, session_timeout_s=0.3) as peer:
        beat = wpb.HeartbeatRequest(session_id=await register(peer))
        await peer.start("a")
        assert (await peer.status("a")).info.state == RUNNING
        with trio.fail_after(10), pytest.raises(errors.SessionExpired):
            while True:
                await peer.call("WorkerService/Heartbeat", beat, wpb.HeartbeatResponse)
        assert (await (await peer.worker()).task()).workflow.workflow_id == "a"
