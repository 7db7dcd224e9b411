from aether.wire.generated.aether.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegisterRequest(_message.Message):
    __slots__ = ("worker_id", "task_queue", "workflow_types", "activity_types", "workflow_slots", "activity_slots", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPES_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPES_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_SLOTS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SLOTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    task_queue: str
    workflow_types: _containers.RepeatedScalarFieldContainer[str]
    activity_types: _containers.RepeatedScalarFieldContainer[str]
    workflow_slots: int
    activity_slots: int
    labels: _containers.ScalarMap[str, str]
    def __init__(self, worker_id: _Optional[str] = ..., task_queue: _Optional[str] = ..., workflow_types: _Optional[_Iterable[str]] = ..., activity_types: _Optional[_Iterable[str]] = ..., workflow_slots: _Optional[int] = ..., activity_slots: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RegisterResponse(_message.Message):
    __slots__ = ("session_id", "worker_id", "session_timeout_ms", "lineage", "traces")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    TRACES_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    worker_id: str
    session_timeout_ms: int
    lineage: int
    traces: bool
    def __init__(self, session_id: _Optional[str] = ..., worker_id: _Optional[str] = ..., session_timeout_ms: _Optional[int] = ..., lineage: _Optional[int] = ..., traces: bool = ...) -> None: ...

class PollRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("token", "workflow", "activity", "cancel_activity", "revoked", "drain")
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
    def __init__(self, token: _Optional[int] = ..., workflow: _Optional[_Union[WorkflowTask, _Mapping]] = ..., activity: _Optional[_Union[ActivityTask, _Mapping]] = ..., cancel_activity: _Optional[_Union[CancelActivityTask, _Mapping]] = ..., revoked: _Optional[_Union[RevokedTask, _Mapping]] = ..., drain: _Optional[_Union[DrainTask, _Mapping]] = ...) -> None: ...

class WorkflowTask(_message.Message):
    __slots__ = ("workflow_id", "run_id", "workflow_type", "events", "more")
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
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., events: _Optional[_Iterable[_Union[_model_pb2.Event, _Mapping]]] = ..., more: bool = ...) -> None: ...

class ActivityTask(_message.Message):
    __slots__ = ("workflow_id", "run_id", "path", "activity_type", "input", "attempt", "last_heartbeat", "timeouts", "scheduled_at_us", "traceparent")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUTS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_AT_US_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    path: str
    activity_type: str
    input: _model_pb2.Payload
    attempt: int
    last_heartbeat: _model_pb2.Payload
    timeouts: _model_pb2.ActivityTimeouts
    scheduled_at_us: int
    traceparent: str
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., path: _Optional[str] = ..., activity_type: _Optional[str] = ..., input: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., attempt: _Optional[int] = ..., last_heartbeat: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., timeouts: _Optional[_Union[_model_pb2.ActivityTimeouts, _Mapping]] = ..., scheduled_at_us: _Optional[int] = ..., traceparent: _Optional[str] = ...) -> None: ...

class CancelActivityTask(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class RevokedTask(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class DrainTask(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Command(_message.Message):
    __slots__ = ("record_step", "start_timer", "schedule_activity", "start_child", "cancel_pending", "complete_run", "fail_run", "cancel_run", "block_run", "fail_step", "create_promise", "publish_value", "complete_activity", "fail_activity", "cancel_activity")
    RECORD_STEP_FIELD_NUMBER: _ClassVar[int]
    START_TIMER_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    START_CHILD_FIELD_NUMBER: _ClassVar[int]
    CANCEL_PENDING_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_RUN_FIELD_NUMBER: _ClassVar[int]
    FAIL_RUN_FIELD_NUMBER: _ClassVar[int]
    CANCEL_RUN_FIELD_NUMBER: _ClassVar[int]
    BLOCK_RUN_FIELD_NUMBER: _ClassVar[int]
    FAIL_STEP_FIELD_NUMBER: _ClassVar[int]
    CREATE_PROMISE_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_VALUE_FIELD_NUMBER: _ClassVar[int]
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
    fail_step: FailStep
    create_promise: CreatePromise
    publish_value: PublishValue
    complete_activity: CompleteActivity
    fail_activity: FailActivity
    cancel_activity: CancelActivity
    def __init__(self, record_step: _Optional[_Union[RecordStep, _Mapping]] = ..., start_timer: _Optional[_Union[StartTimer, _Mapping]] = ..., schedule_activity: _Optional[_Union[ScheduleActivity, _Mapping]] = ..., start_child: _Optional[_Union[StartChild, _Mapping]] = ..., cancel_pending: _Optional[_Union[CancelPending, _Mapping]] = ..., complete_run: _Optional[_Union[CompleteRun, _Mapping]] = ..., fail_run: _Optional[_Union[FailRun, _Mapping]] = ..., cancel_run: _Optional[_Union[CancelRun, _Mapping]] = ..., block_run: _Optional[_Union[BlockRun, _Mapping]] = ..., fail_step: _Optional[_Union[FailStep, _Mapping]] = ..., create_promise: _Optional[_Union[CreatePromise, _Mapping]] = ..., publish_value: _Optional[_Union[PublishValue, _Mapping]] = ..., complete_activity: _Optional[_Union[CompleteActivity, _Mapping]] = ..., fail_activity: _Optional[_Union[FailActivity, _Mapping]] = ..., cancel_activity: _Optional[_Union[CancelActivity, _Mapping]] = ...) -> None: ...

class RecordStep(_message.Message):
    __slots__ = ("path", "name", "result", "failure", "attempt", "started_at_us")
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
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., result: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ..., attempt: _Optional[int] = ..., started_at_us: _Optional[int] = ...) -> None: ...

class FailStep(_message.Message):
    __slots__ = ("path", "name", "failure", "attempt", "retry", "started_at_us")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    failure: _model_pb2.Failure
    attempt: int
    retry: _model_pb2.RetryPolicy
    started_at_us: int
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ..., attempt: _Optional[int] = ..., retry: _Optional[_Union[_model_pb2.RetryPolicy, _Mapping]] = ..., started_at_us: _Optional[int] = ...) -> None: ...

class CreatePromise(_message.Message):
    __slots__ = ("path", "name", "timeout_ms")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    timeout_ms: int
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class PublishValue(_message.Message):
    __slots__ = ("path", "key", "value")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    path: str
    key: str
    value: _model_pb2.Payload
    def __init__(self, path: _Optional[str] = ..., key: _Optional[str] = ..., value: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ...) -> None: ...

class StartTimer(_message.Message):
    __slots__ = ("path", "delay_ms")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    path: str
    delay_ms: int
    def __init__(self, path: _Optional[str] = ..., delay_ms: _Optional[int] = ...) -> None: ...

class ScheduleActivity(_message.Message):
    __slots__ = ("path", "activity_type", "task_queue", "input", "retry", "timeouts", "labels", "concurrency")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PATH_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    path: str
    activity_type: str
    task_queue: str
    input: _model_pb2.Payload
    retry: _model_pb2.RetryPolicy
    timeouts: _model_pb2.ActivityTimeouts
    labels: _containers.ScalarMap[str, str]
    concurrency: _model_pb2.ConcurrencyLimit
    def __init__(self, path: _Optional[str] = ..., activity_type: _Optional[str] = ..., task_queue: _Optional[str] = ..., input: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., retry: _Optional[_Union[_model_pb2.RetryPolicy, _Mapping]] = ..., timeouts: _Optional[_Union[_model_pb2.ActivityTimeouts, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., concurrency: _Optional[_Union[_model_pb2.ConcurrencyLimit, _Mapping]] = ...) -> None: ...

class StartChild(_message.Message):
    __slots__ = ("path", "workflow_type", "workflow_id", "task_queue", "input", "parent_close_policy", "labels", "concurrency", "detached")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PATH_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    PARENT_CLOSE_POLICY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    DETACHED_FIELD_NUMBER: _ClassVar[int]
    path: str
    workflow_type: str
    workflow_id: str
    task_queue: str
    input: _model_pb2.Payload
    parent_close_policy: _model_pb2.ParentClosePolicy
    labels: _containers.ScalarMap[str, str]
    concurrency: _model_pb2.ConcurrencyLimit
    detached: bool
    def __init__(self, path: _Optional[str] = ..., workflow_type: _Optional[str] = ..., workflow_id: _Optional[str] = ..., task_queue: _Optional[str] = ..., input: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., parent_close_policy: _Optional[_Union[_model_pb2.ParentClosePolicy, str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., concurrency: _Optional[_Union[_model_pb2.ConcurrencyLimit, _Mapping]] = ..., detached: bool = ...) -> None: ...

class CancelPending(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class CompleteRun(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _model_pb2.Payload
    def __init__(self, result: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ...) -> None: ...

class FailRun(_message.Message):
    __slots__ = ("failure", "undo_path")
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    UNDO_PATH_FIELD_NUMBER: _ClassVar[int]
    failure: _model_pb2.Failure
    undo_path: str
    def __init__(self, failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ..., undo_path: _Optional[str] = ...) -> None: ...

class CancelRun(_message.Message):
    __slots__ = ("reason", "undo_path")
    REASON_FIELD_NUMBER: _ClassVar[int]
    UNDO_PATH_FIELD_NUMBER: _ClassVar[int]
    reason: str
    undo_path: str
    def __init__(self, reason: _Optional[str] = ..., undo_path: _Optional[str] = ...) -> None: ...

class BlockRun(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: _model_pb2.Failure
    def __init__(self, failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ...) -> None: ...

class CompleteActivity(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _model_pb2.Payload
    def __init__(self, result: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ...) -> None: ...

class FailActivity(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: _model_pb2.Failure
    def __init__(self, failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ...) -> None: ...

class CancelActivity(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CompleteStepRequest(_message.Message):
    __slots__ = ("token", "commands", "blocked", "known_seq", "release", "number", "awaits")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    KNOWN_SEQ_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AWAITS_FIELD_NUMBER: _ClassVar[int]
    token: int
    commands: _containers.RepeatedCompositeFieldContainer[Command]
    blocked: bool
    known_seq: int
    release: bool
    number: int
    awaits: _containers.RepeatedCompositeFieldContainer[_model_pb2.AwaitedSignal]
    def __init__(self, token: _Optional[int] = ..., commands: _Optional[_Iterable[_Union[Command, _Mapping]]] = ..., blocked: bool = ..., known_seq: _Optional[int] = ..., release: bool = ..., number: _Optional[int] = ..., awaits: _Optional[_Iterable[_Union[_model_pb2.AwaitedSignal, _Mapping]]] = ...) -> None: ...

class CompleteStepResponse(_message.Message):
    __slots__ = ("token", "seq", "refusal", "at_us")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    token: int
    seq: int
    refusal: Refusal
    at_us: int
    def __init__(self, token: _Optional[int] = ..., seq: _Optional[int] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ..., at_us: _Optional[int] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("code", "type", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    type: str
    message: str
    def __init__(self, code: _Optional[int] = ..., type: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("session_id", "token", "details")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    token: int
    details: _model_pb2.Payload
    def __init__(self, session_id: _Optional[str] = ..., token: _Optional[int] = ..., details: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("cancel_requested",)
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    cancel_requested: bool
    def __init__(self, cancel_requested: bool = ...) -> None: ...

class WorkerMessage(_message.Message):
    __slots__ = ("register", "completions", "heartbeats", "drain")
    REGISTER_FIELD_NUMBER: _ClassVar[int]
    COMPLETIONS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEATS_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    register: RegisterRequest
    completions: _containers.RepeatedCompositeFieldContainer[CompleteStepRequest]
    heartbeats: _containers.RepeatedCompositeFieldContainer[HeartbeatRequest]
    drain: bool
    def __init__(self, register: _Optional[_Union[RegisterRequest, _Mapping]] = ..., completions: _Optional[_Iterable[_Union[CompleteStepRequest, _Mapping]]] = ..., heartbeats: _Optional[_Iterable[_Union[HeartbeatRequest, _Mapping]]] = ..., drain: bool = ...) -> None: ...

class ServerMessage(_message.Message):
    __slots__ = ("registered", "deliveries")
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    registered: RegisterResponse
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    def __init__(self, registered: _Optional[_Union[RegisterResponse, _Mapping]] = ..., deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("task", "response")
    TASK_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    task: Task
    response: CompleteStepResponse
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ..., response: _Optional[_Union[CompleteStepResponse, _Mapping]] = ...) -> None: ...
