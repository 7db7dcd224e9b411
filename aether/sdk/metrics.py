"""What a server tells about itself, as frozen classes: the public form of `Metrics` in `admin.proto`."""

from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

from aether.model.runs import RunState
from aether.sdk.views import time_of, time_or_none
from aether.wire.generated.aether.v1 import admin_pb2 as pb


@frozen
class StateCount:
    """How many runs of a workflow are in a state."""

    workflow_type: str
    state: RunState
    count: int


@frozen
class QueueDepth:
    """Tasks of one kind ("workflow" or "activity") and type that wait for a worker."""

    task_queue: str
    kind: str
    type: str
    ready: int
    # When the first of them became ready.
    oldest_at: datetime | None
    # What they want of their worker.
    labels: Mapping[str, str]


@frozen
class WorkerInfo:
    """A worker that is registered."""

    worker_id: str
    task_queue: str
    workflow_types: tuple[str, ...]
    activity_types: tuple[str, ...]
    workflow_slots: int
    workflow_slots_used: int
    activity_slots: int
    activity_slots_used: int
    last_seen_at: datetime
    draining: bool
    labels: Mapping[str, str]


@frozen
class Latency:
    """What was measured in the last minute. Percentiles are 0 when nothing was."""

    count: int
    p50_us: int
    p90_us: int
    p99_us: int


@frozen
class QueueTraffic:
    """Tasks of one kind in a task queue since the server started: how many came and went, and how long they waited."""

    task_queue: str
    kind: str
    added: int
    taken: int
    wait_p50_us: int
    wait_p99_us: int


@frozen
class WriterStats:
    """What writes to the disk."""

    commits: int
    rows: int
    # Transactions that were tried again because there was no room.
    retries: int
    # Decisions that wait for the disk.
    waiting: int
    commit: Latency
    # Decisions in one transaction, in the last minute.
    batch_p50: int
    batch_p99: int


@frozen
class OpenRuns:
    """Open runs by what they do; each is counted once."""

    running: int
    # Ready, and waiting for a worker.
    queued: int
    # Waiting for a timer alone, or for their start to be due.
    sleeping: int
    # Waiting for an activity, a child or a promise.
    waiting: int
    # Waiting for the next attempt of a step or an activity.
    retrying: int
    # The code of the workers does not fit.
    blocked: int
    paused: int


@frozen
class Problem:
    """Something that went wrong in a run. `kind` is "run", "step", "activity" or "blocked"."""

    at: datetime
    kind: str
    workflow_id: str
    run_id: str
    workflow_type: str
    # The step, the activity type or the workflow type.
    name: str
    attempt: int
    # None: it is not tried again.
    next_at: datetime | None
    failure_type: str
    # Its beginning.
    message: str
    # How often the same thing of the same run has gone wrong, and when it did first. All else is of the last time.
    count: int = 1
    first_at: datetime | None = None


@frozen
class Sample:
    """What happened in a span of time that ended at `at`."""

    at: datetime
    span_us: int
    started: int
    completed: int
    failed: int
    cancelled: int
    steps: int
    activities: int
    events: int
    commits: int
    # At its end.
    open_runs: int
    ready: int
    start_lag_p50_us: int
    start_lag_p99_us: int
    step_p50_us: int
    step_p99_us: int
    commit_p50_us: int
    commit_p99_us: int


@frozen
class Metrics:
    """The server in numbers. Counters count since it started; names that are too many to count are "__other__"."""

    version: str
    node: str
    persistence: str
    started_at: datetime
    # When these numbers were taken, by the server's clock.
    at: datetime
    runs: tuple[StateCount, ...]
    open: OpenRuns
    queues: tuple[QueueDepth, ...]
    queue_traffic: tuple[QueueTraffic, ...]
    workers: tuple[WorkerInfo, ...]
    # The newest first; at most 50.
    problems: tuple[Problem, ...]
    runs_started: int
    runs_closed: int
    steps: int
    events: int
    commits: int
    timers_fired: int
    connections: int
    # From when a run might have started until a worker had it.
    start_lag: Latency
    # Of attempts that completed.
    step_latency: Latency
    activity_latency: Latency
    # How late timers fired.
    timer_lag: Latency
    # How long what came in waited for the engine.
    loop_lag: Latency
    writer: WriterStats
    rss_bytes: int
    # Why nothing can be written right now; "" when all is well.
    storage_fault: str
    # Why nothing new can be taken right now; "" when all is well.
    not_ready: str
    # The last hour, oldest first, if it was asked for; while nothing happens nothing is sampled.
    samples: tuple[Sample, ...] = ()


def metrics_from_proto(message: pb.Metrics) -> Metrics:
    return Metrics(
        version=message.version,
        node=message.node,
        persistence=message.persistence,
        started_at=time_of(message.started_at_us),
        at=time_of(message.at_us),
        runs=tuple(StateCount(each.workflow_type, RunState(each.state), each.count) for each in message.runs),
        open=_open_from_proto(message.open),
        queues=tuple(
            QueueDepth(
                each.task_queue,
                each.kind,
                each.type,
                each.ready,
                time_or_none(each.oldest_at_us),
                dict(each.labels),
            )
            for each in message.queues
        ),
        queue_traffic=tuple(
            QueueTraffic(each.task_queue, each.kind, each.added, each.taken, each.wait_p50_us, each.wait_p99_us)
            for each in message.queue_traffic
        ),
        workers=tuple(_worker_from_proto(each) for each in message.workers),
        problems=tuple(_problem_from_proto(each) for each in message.problems),
        runs_started=message.runs_started,
        runs_closed=message.runs_closed,
        steps=message.steps,
        events=message.events,
        commits=message.commits,
        timers_fired=message.timers_fired,
        connections=message.connections,
        start_lag=_latency(message.start_lag),
        step_latency=_latency(message.step_latency),
        activity_latency=_latency(message.activity_latency),
        timer_lag=_latency(message.timer_lag),
        loop_lag=_latency(message.loop_lag),
        writer=_writer_from_proto(message.writer),
        rss_bytes=message.rss_bytes,
        storage_fault=message.storage_fault,
        not_ready=message.not_ready,
        samples=tuple(_sample_from_proto(each) for each in message.samples),
    )


def _latency(message: pb.Latency) -> Latency:
    return Latency(message.count, message.p50_us, message.p90_us, message.p99_us)


def _open_from_proto(message: pb.OpenRuns) -> OpenRuns:
    return OpenRuns(
        message.running,
        message.queued,
        message.sleeping,
        message.waiting,
        message.retrying,
        message.blocked,
        message.paused,
    )


def _writer_from_proto(message: pb.Writer) -> WriterStats:
    return WriterStats(
        message.commits,
        message.rows,
        message.retries,
        message.waiting,
        _latency(message.commit),
        message.batch_p50,
        message.batch_p99,
    )


def _problem_from_proto(message: pb.Problem) -> Problem:
    return Problem(
        time_of(message.at_us),
        message.kind,
        message.workflow_id,
        message.run_id,
        message.workflow_type,
        message.name,
        message.attempt,
        time_or_none(message.next_at_us),
        message.failure_type,
        message.message,
        max(message.count, 1),
        time_or_none(message.first_at_us),
    )


def _sample_from_proto(message: pb.Sample) -> Sample:
    return Sample(
        at=time_of(message.at_us),
        span_us=message.span_us,
        started=message.started,
        completed=message.completed,
        failed=message.failed,
        cancelled=message.cancelled,
        steps=message.steps,
        activities=message.activities,
        events=message.events,
        commits=message.commits,
        open_runs=message.open_runs,
        ready=message.ready,
        start_lag_p50_us=message.start_lag_p50_us,
        start_lag_p99_us=message.start_lag_p99_us,
        step_p50_us=message.step_p50_us,
        step_p99_us=message.step_p99_us,
        commit_p50_us=message.commit_p50_us,
        commit_p99_us=message.commit_p99_us,
    )


def _worker_from_proto(message: pb.WorkerInfo) -> WorkerInfo:
    return WorkerInfo(
        message.worker_id,
        message.task_queue,
        tuple(message.workflow_types),
        tuple(message.activity_types),
        message.workflow_slots,
        message.workflow_slots_used,
        message.activity_slots,
        message.activity_slots_used,
        time_of(message.last_seen_at_us),
        message.draining,
        dict(message.labels),
    )
