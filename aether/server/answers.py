"""What is known of runs, workers and queues as messages of the public contract."""

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import evolve

from aether.core.doing import Doing
from aether.core.effects import Closed
from aether.core.lifecycle import failure_of
from aether.core.views import EngineView, PendingView, RunView
from aether.errors import WorkflowNotFound
from aether.model import events as e
from aether.model.payload import Failure
from aether.model.runs import RunState
from aether.model.tracing import origin_of
from aether.store.interface import RunRow
from aether.wire.generated.aether.v1 import admin_pb2 as apb
from aether.wire.generated.aether.v1 import client_pb2 as pb
from aether.wire.generated.aether.v1 import model_pb2 as mpb
from aether.wire.pack import Level, bytes_field, pack_payload
from aether.wire.values import failure_to_proto, payload_to_proto

# Of what a run waits for in one status: with all details, and at all. Beside it there is room for a memo and a failure.
_DETAILS_BYTES: Final = 1024 * 1024
_PENDING_BYTES: Final = 2 * 1024 * 1024
_MESSAGE_MAX: Final = 200
_RESULT = pb.WorkflowResult.DESCRIPTOR.fields_by_name["result"].number
_STARTED_RESULT = pb.StartWorkflowResponse.DESCRIPTOR.fields_by_name["result"].number


def proto_state(state: int) -> mpb.RunState:
    """The numbers are the same; protobuf's type stubs want the enum."""
    return state  # type: ignore[return-value]


def info_of_row(row: RunRow) -> pb.WorkflowInfo:
    return pb.WorkflowInfo(
        workflow_id=row.workflow_id,
        run_id=row.run_id,
        workflow_type=row.type,
        task_queue=row.queue,
        state=proto_state(row.state),
        created_at_us=row.created_at,
        closed_at_us=row.closed_at or 0,
        tags=dict(row.tags),
        run_key=row.key,
    )


def add_doing(info: pb.WorkflowInfo, doing: Doing) -> None:
    info.history_length = doing.history_length
    info.worker_id = doing.worker_id
    info.parent_workflow_id = doing.parent_workflow_id
    info.doing.CopyFrom(
        pb.RunDoing(
            what=doing.what, kind=doing.kind, name=doing.name, attempt=doing.attempt, due_at_us=doing.due_at,
            more=doing.more,
        )
    )  # fmt: skip


def status_of_open(view: RunView, persistence: str) -> pb.WorkflowStatus:
    return pb.WorkflowStatus(
        info=pb.WorkflowInfo(
            workflow_id=view.workflow_id,
            run_id=view.run_id,
            workflow_type=view.workflow_type,
            task_queue=view.task_queue,
            state=proto_state(view.state),
            created_at_us=view.created_at,
            parent_workflow_id=view.parent_workflow_id,
            history_length=view.history_length,
            worker_id=view.worker_id,
            tags=dict(view.tags),
            run_key=view.key,
            forked_from=_origin(*view.forked_from) if view.forked_from else None,
        ),
        failure=failure_to_proto(view.blocked) if view.blocked else None,
        pending=_pending_that_fits(view.pending),
        cancel_requested=view.cancel_requested,
        blocked=view.blocked is not None,
        paused=view.paused,
        pause_reason=view.pause_reason,
        persistence=persistence,
        memo={key: payload_to_proto(value) for key, value in view.memo},
        trace_id=view.trace_id,
    )


def status_of_closed(
    row: RunRow, first: e.Event | None, last: e.Event | None, persistence: str, *, is_traced: bool
) -> pb.WorkflowStatus:
    status = pb.WorkflowStatus(info=info_of_row(row), persistence=persistence)
    if first is not None and isinstance(first.fact, e.RunCreated):
        created = first.fact
        status.info.parent_workflow_id = created.parent_workflow_id
        if created.forked_from_run_id:
            origin = _origin(created.forked_from_workflow_id, created.forked_from_run_id, created.forked_at_seq)
            status.info.forked_from.CopyFrom(origin)
        if created.traceparent or is_traced:
            status.trace_id = origin_of(created.traceparent, created.run_id).trace_id
        for key, value in first.fact.memo:
            status.memo[key].CopyFrom(payload_to_proto(value))
    if last is not None:
        status.info.history_length = last.seq
        if isinstance(last.fact, e.RunCompleted):
            status.result.CopyFrom(payload_to_proto(last.fact.result))
        elif (failure := failure_of(last.fact)) is not None:
            status.failure.CopyFrom(failure_to_proto(failure))
    return status


def _origin(workflow_id: str, run_id: str, seq: int) -> pb.ForkOrigin:
    return pb.ForkOrigin(workflow_id=workflow_id, run_id=run_id, seq=seq)


def result(closed: Closed) -> bytes:
    """A serialised `WorkflowResult`."""
    return _result(closed, [])


def start_of_closed(closed: Closed) -> bytes:
    """A serialised `StartWorkflowResponse`."""
    head = pb.StartWorkflowResponse(workflow_id=closed.workflow_id, run_id=closed.run_id)
    return _result(closed, [(head.SerializeToString(), _STARTED_RESULT)])


def _result(closed: Closed, around: list[Level]) -> bytes:
    message = pb.WorkflowResult(
        workflow_id=closed.workflow_id,
        run_id=closed.run_id,
        state=proto_state(closed.state),
        failure=failure_to_proto(closed.failure) if closed.failure is not None else None,
    )
    packed = message.SerializeToString()
    if closed.result is not None:
        return pack_payload([*around, (packed, _RESULT)], closed.result)
    for rest, number in around:
        packed = rest + bytes_field(number, packed)
    return packed


def closed_from_disk(row: RunRow, last: e.Event | None) -> Closed:
    if last is None:
        # It was not open when the engine was asked, and is now: somebody has just started that id again.
        raise WorkflowNotFound(f"no closed run of {row.workflow_id!r}; ask again for the one that has just started")
    fact = last.fact
    return Closed(
        row.workflow_id,
        row.run_id,
        RunState(row.state),
        fact.result if isinstance(fact, e.RunCompleted) else None,
        failure_of(fact),
    )


def metrics_of(view: EngineView) -> apb.Metrics:
    return apb.Metrics(
        runs_started=view.runs_started,
        runs_closed=view.runs_closed,
        events=view.events,
        queues=[
            apb.QueueDepth(
                task_queue=queue.key.task_queue,
                kind=queue.key.kind.name.lower(),
                type=queue.key.type,
                ready=queue.ready,
                oldest_at_us=queue.oldest_at,
                labels=dict(queue.key.labels),
            )
            for queue in view.queues
        ],
        workers=[
            apb.WorkerInfo(
                worker_id=worker.worker_id,
                task_queue=worker.task_queue,
                workflow_types=worker.workflow_types,
                activity_types=worker.activity_types,
                workflow_slots=worker.workflow_slots,
                workflow_slots_used=worker.workflow_slots_used,
                activity_slots=worker.activity_slots,
                activity_slots_used=worker.activity_slots_used,
                last_seen_at_us=worker.last_seen_at,
                draining=worker.draining,
                labels=dict(worker.labels),
            )
            for worker in view.workers
        ],
    )


def _pending_that_fits(views: Iterable[PendingView]) -> Iterator[pb.Pending]:
    """What a run waits for, with failures and heartbeats while there is room for them; a status is one message."""
    details, room = _DETAILS_BYTES, _PENDING_BYTES
    for view in views:
        message = pending_of(view) if details > 0 else None
        if message is None or message.ByteSize() > details:
            message = pending_of(evolve(view, heartbeat=None, last_failure=_brief(view.last_failure)))
        size = message.ByteSize()
        details -= size
        room -= size
        if room < 0:
            return
        yield message


def _brief(failure: Failure | None) -> Failure | None:
    return failure and Failure(failure.type, failure.message[:_MESSAGE_MAX])


def pending_of(view: PendingView) -> pb.Pending:
    return pb.Pending(
        path=view.path,
        kind=view.kind,
        name=view.name,
        attempt=view.attempt,
        due_at_us=view.due_at,
        worker_id=view.worker_id,
        last_failure=failure_to_proto(view.last_failure) if view.last_failure else None,
        heartbeat=payload_to_proto(view.heartbeat) if view.heartbeat else None,
        reason=view.reason,
    )
