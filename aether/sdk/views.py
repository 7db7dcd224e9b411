"""What the server tells about runs, as frozen classes: the public form of the messages of `client.proto`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import frozen

from aether.errors import WorkflowCancelled, WorkflowFailed
from aether.model.payload import Failure
from aether.model.runs import RunState
from aether.sdk.converters import Converter
from aether.sdk.failures import from_failure
from aether.wire.generated.aether.v1 import client_pb2 as pb
from aether.wire.values import failure_from_proto, payload_from_proto

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class ForkOrigin:
    """Where a fork comes from, and the last event that both share."""

    workflow_id: str
    run_id: str
    seq: int


@frozen
class RunDoing:
    """What an open run does: "running", "queued", "sleeping", "waiting", "retrying", "blocked" or "paused"."""

    what: str
    # Of what it waits for, what is most likely to need a look: as of `Pending`; "" if it waits for nothing.
    kind: str
    name: str
    # Attempts so far, where it is tried again.
    attempt: int
    due_at: datetime | None
    # How many things it waits for beside.
    more: int


@frozen
class WorkflowInfo:
    """One run, as lists show it."""

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    state: RunState
    created_at: datetime
    # None while it is open.
    closed_at: datetime | None
    # "" if it is nobody's child.
    parent_workflow_id: str
    # 0 in lists.
    history_length: int
    # The worker that has it, if one does; "" in lists.
    worker_id: str
    tags: Mapping[str, str]
    # None if it is no fork; not in lists.
    forked_from: ForkOrigin | None = None
    # Of an open run, in a list that was asked for it.
    doing: RunDoing | None = None


@frozen
class Pending:
    """Something that an open run waits for. `kind` is "timer", "activity", "child" or "worker"."""

    path: str
    kind: str
    # Activity type, child's workflow id, or what is wrong.
    name: str
    attempt: int
    # The timer's end, or the next attempt; None if that is not known.
    due_at: datetime | None
    worker_id: str
    last_failure: Failure | None
    # Details of the last heartbeat.
    heartbeat: Any
    # Why it has not begun; "" if it has.
    reason: str = ""


@frozen
class WorkflowStatus:
    """What a run is doing."""

    info: WorkflowInfo
    # Of a failed run, or why an open one is blocked.
    failure: Failure | None
    pending: tuple[Pending, ...]
    cancel_requested: bool
    # The code that the workers have does not fit the history; it goes on when code that fits registers.
    blocked: bool
    persistence: str
    memo: Mapping[str, Any]
    # It is held until somebody resumes it.
    paused: bool = False
    pause_reason: str = ""
    # The trace that its spans are in; empty: nobody traces it.
    trace_id: str = ""

    @property
    def state(self) -> RunState:
        return self.info.state


def info_from_proto(message: pb.WorkflowInfo) -> WorkflowInfo:
    return WorkflowInfo(
        message.workflow_id,
        message.run_id,
        message.workflow_type,
        message.task_queue,
        RunState(message.state),
        time_of(message.created_at_us),
        time_or_none(message.closed_at_us),
        message.parent_workflow_id,
        message.history_length,
        message.worker_id,
        dict(message.tags),
        _origin(message.forked_from) if message.HasField("forked_from") else None,
        _doing(message.doing) if message.HasField("doing") else None,
    )


def _doing(message: pb.RunDoing) -> RunDoing:
    return RunDoing(
        message.what, message.kind, message.name, message.attempt, time_or_none(message.due_at_us), message.more
    )


def _origin(message: pb.ForkOrigin) -> ForkOrigin:
    return ForkOrigin(message.workflow_id, message.run_id, message.seq)


def status_from_proto(message: pb.WorkflowStatus, converter: Converter) -> WorkflowStatus:
    return WorkflowStatus(
        info_from_proto(message.info),
        failure_from_proto(message.failure) if message.HasField("failure") else None,
        tuple(pending_from_proto(item, converter) for item in message.pending),
        message.cancel_requested,
        message.blocked,
        message.persistence,
        {key: converter.decode(payload_from_proto(message.memo[key]), f"memo {key!r}") for key in sorted(message.memo)},
        message.paused,
        message.pause_reason,
        message.trace_id,
    )


def pending_from_proto(message: pb.Pending, converter: Converter) -> Pending:
    beat = None
    if message.HasField("heartbeat"):
        beat = converter.decode(payload_from_proto(message.heartbeat), f"the heartbeat at {message.path}")
    return Pending(
        message.path,
        message.kind,
        message.name,
        message.attempt,
        time_or_none(message.due_at_us),
        message.worker_id,
        failure_from_proto(message.last_failure) if message.HasField("last_failure") else None,
        beat,
        message.reason,
    )


def outcome(message: pb.WorkflowResult, converter: Converter, hint: object) -> Any:
    """The result of a closed run. Raises `WorkflowFailed` or `WorkflowCancelled`."""
    subject = f"workflow {message.workflow_id!r}"
    if RunState(message.state) is RunState.FAILED:
        raise from_failure(WorkflowFailed, subject, failure_from_proto(message.failure))
    if RunState(message.state) is RunState.CANCELLED:
        reason = message.failure.message
        failure = Failure("Cancelled", reason or "it was cancelled")
        raise WorkflowCancelled(f"{subject} was cancelled" + (f": {reason}" if reason else ""), failure)
    return converter.decode(payload_from_proto(message.result), f"the result of {subject}", hint)


def time_of(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def time_or_none(at_us: int) -> datetime | None:
    return time_of(at_us) if at_us else None
