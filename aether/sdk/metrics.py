"""What a server tells about itself, as frozen classes: the public form of `Metrics` in `admin.proto`."""

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


@frozen
class Metrics:
    """The server in numbers. Counters count since it started."""

    version: str
    node: str
    persistence: str
    started_at: datetime
    runs: tuple[StateCount, ...]
    queues: tuple[QueueDepth, ...]
    workers: tuple[WorkerInfo, ...]
    runs_started: int
    runs_closed: int
    events: int
    commits: int
    connections: int
    # Why nothing can be written right now; "" when all is well.
    storage_fault: str


def metrics_from_proto(message: pb.Metrics) -> Metrics:
    return Metrics(
        message.version,
        message.node,
        message.persistence,
        time_of(message.started_at_us),
        tuple(StateCount(each.workflow_type, RunState(each.state), each.count) for each in message.runs),
        tuple(
            QueueDepth(each.task_queue, each.kind, each.type, each.ready, time_or_none(each.oldest_at_us))
            for each in message.queues
        ),
        tuple(_worker_from_proto(each) for each in message.workers),
        message.runs_started,
        message.runs_closed,
        message.events,
        message.commits,
        message.connections,
        message.storage_fault,
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
    )
