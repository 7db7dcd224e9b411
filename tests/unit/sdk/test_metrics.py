"""The numbers of a server as users see them."""

from datetime import UTC, datetime
from types import SimpleNamespace

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
        at_us=9_000_000, steps=28, timers_fired=29, rss_bytes=30, not_ready="stopping",
        open=pb.OpenRuns(running=1, queued=2, sleeping=3, waiting=4, retrying=5, blocked=6, paused=7),
        start_lag=pb.Latency(count=7, p50_us=8, p90_us=9, p99_us=10),
        queue_traffic=[
            pb.QueueTraffic(task_queue="q", kind="workflow", added=11, taken=12, wait_p50_us=13, wait_p99_us=14)
        ],
        writer=pb.Writer(
            commits=15, rows=16, retries=17, waiting=18, commit=pb.Latency(count=19, p50_us=20, p90_us=21, p99_us=22),
            batch_p50=23, batch_p99=24,
        ),
        problems=[pb.Problem(kind="step", workflow_id="w-1", attempt=2, count=31, first_at_us=32_000_000)],
        samples=[pb.Sample(at_us=1, span_us=25, started=26, commit_p99_us=27)],
        runs=[pb.StateCount(workflow_type="order", state=model_pb2.RUN_STATE_RUNNING, count=3)],
        queues=[
            pb.QueueDepth(
                task_queue="q", kind="activity", type="charge", ready=2, oldest_at_us=2_000_000, labels={"gpu": "a"}
            ),
            pb.QueueDepth(task_queue="q", kind="workflow", type="order"),
        ],
        workers=[
            pb.WorkerInfo(
                worker_id="w", task_queue="q",
                workflow_types=["order"], activity_types=["charge"], workflow_slots=8,
                workflow_slots_used=1, activity_slots=4, activity_slots_used=2,
                labels={"zone": "b"},
                last_seen_at_us=3_000_000, draining=True,
            )
        ],
    )  # fmt: skip
    client = aether.Client("http://nowhere")
    wire = Wire(message)
    client._blocks = SimpleNamespace(transport=wire)  # type: ignore[assignment]
    metrics = await client.metrics()
    assert wire.asked == ["/aether.v1.AdminService/GetMetrics"]
    assert metrics.started_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert metrics.runs == (aether.StateCount("order", aether.RunState.RUNNING, 3),)
    assert [queue.oldest_at for queue in metrics.queues] == [datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC), None]
    worker = metrics.workers[0]
    assert (worker.worker_id, worker.workflow_slots_used, worker.activity_slots) == ("w", 1, 4)
    assert worker.draining
    assert (metrics.runs_started, metrics.runs_closed, metrics.events, metrics.commits) == (5, 2, 9, 3)
    assert (dict(worker.labels), dict(metrics.queues[0].labels)) == ({"zone": "b"}, {"gpu": "a"})
    assert metrics.at == datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC)
    assert metrics.open == aether.OpenRuns(1, 2, 3, 4, 5, 6, 7)
    assert metrics.start_lag == aether.Latency(7, 8, 9, 10)
    assert metrics.queue_traffic == (aether.QueueTraffic("q", "workflow", 11, 12, 13, 14),)
    assert metrics.writer == aether.WriterStats(15, 16, 17, 18, aether.Latency(19, 20, 21, 22), 23, 24)
    problem, sample = metrics.problems[0], metrics.samples[0]
    assert (problem.workflow_id, problem.attempt, problem.next_at) == ("w-1", 2, None)
    assert (problem.count, problem.first_at) == (31, datetime(1970, 1, 1, 0, 0, 32, tzinfo=UTC))
    assert (sample.span_us, sample.started, sample.commit_p99_us) == (25, 26, 27)
    assert (metrics.steps, metrics.timers_fired, metrics.rss_bytes, metrics.not_ready) == (28, 29, 30, "stopping")
    assert (metrics.connections, metrics.storage_fault) == (4, "disk is full")
