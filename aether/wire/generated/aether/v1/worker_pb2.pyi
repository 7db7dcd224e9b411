from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import (
    ClassVar as _ClassVar,
)

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from google.protobuf.internal import containers as _containers

from aether.wire.generated.aether.v1 import model_pb2 as _model_pb2

DESCRIPTOR: _descriptor.FileDescriptor

class RegisterRequest(_message.Message):
    __slots__ = ("activity_slots", "activity_types", "task_queue", "worker_id", "workflow_slots", "workflow_types")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPES_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPES_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_SLOTS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SLOTS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    task_queue: str
    workflow_types: _containers.RepeatedScalarFieldContainer[str]
    activity_types: _containers.RepeatedScalarFieldContainer[str]
    workflow_slots: int
    activity_slots: int
    def __init__(
        self,
        worker_id: str | None = ...,
        task_queue: str | None = ...,
        workflow_types: _Iterable[str] | None = ...,
        activity_types: _Iterable[str] | None = ...,
        workflow_slots: int | None = ...,
        activity_slots: int | None = ...,
    ) -> None: ...

class RegisterResponse(_message.Message):
    __slots__ = ("session_id", "session_timeout_ms", "worker_id")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    worker_id: str
    session_timeout_ms: int
    def __init__(
        self,
        session_id: str | None = ...,
        worker_id: str | None = ...,
        session_timeout_ms: int | None = ...,
    ) -> None: ...

class PollRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: str | None = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("activity", "cancel_activity", "drain", "revoked", "token", "workflow")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    CANCEL_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    token: int
    workflow: WorkflowTask
    activity: ActivityTask
    cancel_activity: CancelActivityTask
    revoked: RevokedTask
    drain: DrainTask
    def __init__(
        self,
        token: int | None = ...,
        workflow: WorkflowTask | _Mapping | None = ...,
        activity: ActivityTask | _Mapping | None = ...,
        cancel_activity: CancelActivityTask | _Mapping | None = ...,
        revoked: RevokedTask | _Mapping | None = ...,
        drain: DrainTask | _Mapping | None = ...,
    ) -> None: ...

class WorkflowTask(_message.Message):
    __slots__ = ("events", "more", "run_id", "workflow_id", "workflow_type")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    workflow_type: str
    events: _containers.RepeatedCompositeFieldContainer[_model_pb2.Event]
    more: bool
    def __init__(
        self,
        workflow_id: str | None = ...,
        run_id: str | None = ...,
        workflow_type: str | None = ...,
        events: _Iterable[_model_pb2.Event | _Mapping] | None = ...,
        more: bool = ...,
    ) -> None: ...

class ActivityTask(_message.Message):
    __slots__ = (
        "activity_type",
        "attempt",
        "input",
        "last_heartbeat",
        "path",
        "run_id",
        "scheduled_at_us",
        "timeouts",
        "workflow_id",
    )
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUTS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_AT_US_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    path: str
    activity_type: str
    input: _model_pb2.Payload
    attempt: int
    last_heartbeat: _model_pb2.Payload
    timeouts: _model_pb2.ActivityTimeouts
    scheduled_at_us: int
    def __init__(
        self,
        workflow_id: str | None = ...,
        run_id: str | None = ...,
        path: str | None = ...,
        activity_type: str | None = ...,
        input: _model_pb2.Payload | _Mapping | None = ...,
        attempt: int | None = ...,
        last_heartbeat: _model_pb2.Payload | _Mapping | None = ...,
        timeouts: _model_pb2.ActivityTimeouts | _Mapping | None = ...,
        scheduled_at_us: int | None = ...,
    ) -> None: ...

class CancelActivityTask(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: str | None = ...) -> None: ...

class RevokedTask(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: str | None = ...) -> None: ...

class DrainTask(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Command(_message.Message):
    __slots__ = (
        "block_run",
        "cancel_activity",
        "cancel_pending",
        "cancel_run",
        "complete_activity",
        "complete_run",
        "fail_activity",
        "fail_run",
        "record_step",
        "schedule_activity",
        "start_child",
        "start_timer",
    )
    RECORD_STEP_FIELD_NUMBER: _ClassVar[int]
    START_TIMER_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    START_CHILD_FIELD_NUMBER: _ClassVar[int]
    CANCEL_PENDING_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_RUN_FIELD_NUMBER: _ClassVar[int]
    FAIL_RUN_FIELD_NUMBER: _ClassVar[int]
    CANCEL_RUN_FIELD_NUMBER: _ClassVar[int]
    BLOCK_RUN_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    FAIL_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    CANCEL_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    record_step: RecordStep
    start_timer: StartTimer
    schedule_activity: ScheduleActivity
    start_child: StartChild
    cancel_pending: CancelPending
    complete_run: CompleteRun
    fail_run: FailRun
    cancel_run: CancelRun
    block_run: BlockRun
    complete_activity: CompleteActivity
    fail_activity: FailActivity
    cancel_activity: CancelActivity
    def __init__(
        self,
        record_step: RecordStep | _Mapping | None = ...,
        start_timer: StartTimer | _Mapping | None = ...,
        schedule_activity: ScheduleActivity | _Mapping | None = ...,
        start_child: StartChild | _Mapping | None = ...,
        cancel_pending: CancelPending | _Mapping | None = ...,
        complete_run: CompleteRun | _Mapping | None = ...,
        fail_run: FailRun | _Mapping | None = ...,
        cancel_run: CancelRun | _Mapping | None = ...,
        block_run: BlockRun | _Mapping | None = ...,
        complete_activity: CompleteActivity | _Mapping | None = ...,
        fail_activity: FailActivity | _Mapping | None = ...,
        cancel_activity: CancelActivity | _Mapping | None = ...,
    ) -> None: ...

class RecordStep(_message.Message):
    __slots__ = ("attempt", "failure", "name", "path", "result", "started_at_us")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    result: _model_pb2.Payload
    failure: _model_pb2.Failure
    attempt: int
    started_at_us: int
    def __init__(
        self,
        path: str | None = ...,
        name: str | None = ...,
        result: _model_pb2.Payload | _Mapping | None = ...,
        failure: _model_pb2.Failure | _Mapping | None = ...,
        attempt: int | None = ...,
        started_at_us: int | None = ...,
    ) -> None: ...

class StartTimer(_message.Message):
    __slots__ = ("delay_ms", "path")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    path: str
    delay_ms: int
    def __init__(self, path: str | None = ..., delay_ms: int | None = ...) -> None: ...

class ScheduleActivity(_message.Message):
    __slots__ = ("activity_type", "input", "path", "retry", "task_queue", "timeouts")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUTS_FIELD_NUMBER: _ClassVar[int]
    path: str
    activity_type: str
    task_queue: str
    input: _model_pb2.Payload
    retry: _model_pb2.RetryPolicy
    timeouts: _model_pb2.ActivityTimeouts
    def __init__(
        self,
        path: str | None = ...,
        activity_type: str | None = ...,
        task_queue: str | None = ...,
        input: _model_pb2.Payload | _Mapping | None = ...,
        retry: _model_pb2.RetryPolicy | _Mapping | None = ...,
        timeouts: _model_pb2.ActivityTimeouts | _Mapping | None = ...,
    ) -> None: ...

class StartChild(_message.Message):
    __slots__ = ("input", "path", "task_queue", "workflow_id", "workflow_type")
    PATH_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    path: str
    workflow_type: str
    workflow_id: str
    task_queue: str
    input: _model_pb2.Payload
    def __init__(
        self,
        path: str | None = ...,
        workflow_type: str | None = ...,
        workflow_id: str | None = ...,
        task_queue: str | None = ...,
        input: _model_pb2.Payload | _Mapping | None = ...,
    ) -> None: ...

class CancelPending(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: str | None = ...) -> None: ...

class CompleteRun(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _model_pb2.Payload
    def __init__(self, result: _model_pb2.Payload | _Mapping | None = ...) -> None: ...

class FailRun(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: _model_pb2.Failure
    def __init__(self, failure: _model_pb2.Failure | _Mapping | None = ...) -> None: ...

class CancelRun(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: str | None = ...) -> None: ...

class BlockRun(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: _model_pb2.Failure
    def __init__(self, failure: _model_pb2.Failure | _Mapping | None = ...) -> None: ...

class CompleteActivity(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _model_pb2.Payload
    def __init__(self, result: _model_pb2.Payload | _Mapping | None = ...) -> None: ...

class FailActivity(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: _model_pb2.Failure
    def __init__(self, failure: _model_pb2.Failure | _Mapping | None = ...) -> None: ...

class CancelActivity(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CompleteStepRequest(_message.Message):
    __slots__ = ("blocked", "commands", "known_seq", "number", "release", "token")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    KNOWN_SEQ_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    token: int
    commands: _containers.RepeatedCompositeFieldContainer[Command]
    blocked: bool
    known_seq: int
    release: bool
    number: int
    def __init__(
        self,
        token: int | None = ...,
        commands: _Iterable[Command | _Mapping] | None = ...,
        blocked: bool = ...,
        known_seq: int | None = ...,
        release: bool = ...,
        number: int | None = ...,
    ) -> None: ...

class CompleteStepResponse(_message.Message):
    __slots__ = ("at_us", "refusal", "seq", "token")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    token: int
    seq: int
    refusal: Refusal
    at_us: int
    def __init__(
        self,
        token: int | None = ...,
        seq: int | None = ...,
        refusal: Refusal | _Mapping | None = ...,
        at_us: int | None = ...,
    ) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("code", "message", "type")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    type: str
    message: str
    def __init__(
        self, code: int | None = ..., type: str | None = ..., message: str | None = ...
    ) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("details", "session_id", "token")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    token: int
    details: _model_pb2.Payload
    def __init__(
        self,
        session_id: str | None = ...,
        token: int | None = ...,
        details: _model_pb2.Payload | _Mapping | None = ...,
    ) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("cancel_requested",)
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    cancel_requested: bool
    def __init__(self, cancel_requested: bool = ...) -> None: ...

class WorkerMessage(_message.Message):
    __slots__ = ("completions", "drain", "heartbeats", "register")
    REGISTER_FIELD_NUMBER: _ClassVar[int]
    COMPLETIONS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    register: RegisterRequest
    completions: _containers.RepeatedCompositeFieldContainer[CompleteStepRequest]
    heartbeats: _containers.RepeatedCompositeFieldContainer[HeartbeatRequest]
    drain: bool
    def __init__(
        self,
        register: RegisterRequest | _Mapping | None = ...,
        completions: _Iterable[CompleteStepRequest | _Mapping] | None = ...,
        heartbeats: _Iterable[HeartbeatRequest | _Mapping] | None = ...,
        drain: bool = ...,
    ) -> None: ...

class ServerMessage(_message.Message):
    __slots__ = ("deliveries", "registered")
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    registered: RegisterResponse
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    def __init__(
        self,
        registered: RegisterResponse | _Mapping | None = ...,
        deliveries: _Iterable[Delivery | _Mapping] | None = ...,
    ) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("response", "task")
    TASK_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    task: Task
    response: CompleteStepResponse
    def __init__(
        self,
        task: Task | _Mapping | None = ...,
        response: CompleteStepResponse | _Mapping | None = ...,
    ) -> None: ...
