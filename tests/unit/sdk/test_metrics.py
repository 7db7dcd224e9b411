"""The numbers of a server as users see them."""

from datetime import UTC, datetime

import pytest

import aether
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.generated.aether.v1 import model_pb2

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "trio"


class Wire:
    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def unary(self, path, message, *, timeout_s=None):
        self.asked.append(path)
        return self.answer.SerializeToString()


async def test_the_numbers_of_a_server_are_typed_and_carry_times():
    message = pb.Metrics(
        version="1", node="a", persistence="memory", started_at_us=1_000_000, runs_started=5, runs_closed=2, events=9,
        commits=3, connections=4, storage_fault="disk is full",
        runs=[pb.StateCount(workflow_type="order", state=model_pb2.RUN_STATE_RUNNING, count=3)],
        queues=[
            pb.QueueDepth(task_queue="q", kind="activity", type="charge", ready=2, oldest_at_us=2_000_000),
            pb.QueueDepth(task_queue="q", kind="workflow", type="order"),
        ],
        workers=[
            pb.WorkerInfo(
                worker_id="w", task_queue="q",
                workflow_types=["order"], activity_types=["charge"], workflow_slots=8,
                workflow_slots_used=1, activity_slots=4, activity_slots_used=2,
                last_seen_at_us=3_000_000, draining=True,
            )
        ],
    )  # fmt: skip
    client = aether.Client("http://nowhere")
    client._transport = wire = Wire(message)  # type: ignore[assignment]
    metrics = await client.metrics()
    assert wire.asked == ["/aether.v1.AdminService/GetMetrics"]
    assert metrics.started_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert metrics.runs == (aether.StateCount("order", aether.RunState.RUNNING, 3),)
    assert [queue.oldest_at for queue in metrics.queues] == [datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC), None]
    worker = metrics.workers[0]
    assert (worker.worker_id, worker.workflow_slots_used, worker.activity_slots) == ("w", 1, 4)
    assert worker.draining
    assert (metrics.runs_started, metrics.runs_closed, metrics.events, metrics.commits) == (5, 2, 9, 3)
    assert (metrics.connections, metrics.storage_fault) == (4, "disk is full")
