from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_PENDING: _ClassVar[RunState]
    RUN_STATE_RUNNING: _ClassVar[RunState]
    RUN_STATE_COMPLETED: _ClassVar[RunState]
    RUN_STATE_FAILED: _ClassVar[RunState]
    RUN_STATE_CANCELLED: _ClassVar[RunState]

class ParentClosePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PARENT_CLOSE_POLICY_UNSPECIFIED: _ClassVar[ParentClosePolicy]
    PARENT_CLOSE_POLICY_CANCEL: _ClassVar[ParentClosePolicy]
    PARENT_CLOSE_POLICY_TERMINATE: _ClassVar[ParentClosePolicy]
    PARENT_CLOSE_POLICY_ABANDON: _ClassVar[ParentClosePolicy]
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_PENDING: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_COMPLETED: RunState
RUN_STATE_FAILED: RunState
RUN_STATE_CANCELLED: RunState
PARENT_CLOSE_POLICY_UNSPECIFIED: ParentClosePolicy
PARENT_CLOSE_POLICY_CANCEL: ParentClosePolicy
PARENT_CLOSE_POLICY_TERMINATE: ParentClosePolicy
PARENT_CLOSE_POLICY_ABANDON: ParentClosePolicy

class Payload(_message.Message):
    __slots__ = ("data", "encoding")
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    encoding: str
    def __init__(self, data: _Optional[bytes] = ..., encoding: _Optional[str] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("type", "message", "traceback", "causes", "group", "non_retryable", "retry_after_ms", "bases")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NON_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    traceback: str
    causes: _containers.RepeatedCompositeFieldContainer[Failure]
    group: bool
    non_retryable: bool
    retry_after_ms: int
    bases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, type: _Optional[str] = ..., message: _Optional[str] = ..., traceback: _Optional[str] = ..., causes: _Optional[_Iterable[_Union[Failure, _Mapping]]] = ..., group: bool = ..., non_retryable: bool = ..., retry_after_ms: _Optional[int] = ..., bases: _Optional[_Iterable[str]] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("initial_ms", "factor", "maximum_ms", "jitter", "max_attempts", "non_retryable")
    INITIAL_MS_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_MS_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NON_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    initial_ms: int
    factor: float
    maximum_ms: int
    jitter: float
    max_attempts: int
    non_retryable: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, initial_ms: _Optional[int] = ..., factor: _Optional[float] = ..., maximum_ms: _Optional[int] = ..., jitter: _Optional[float] = ..., max_attempts: _Optional[int] = ..., non_retryable: _Optional[_Iterable[str]] = ...) -> None: ...

class ActivityTimeouts(_message.Message):
    __slots__ = ("schedule_to_start_ms", "start_to_close_ms", "schedule_to_close_ms", "heartbeat_ms")
    SCHEDULE_TO_START_MS_FIELD_NUMBER: _ClassVar[int]
    START_TO_CLOSE_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_CLOSE_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    schedule_to_start_ms: int
    start_to_close_ms: int
    schedule_to_close_ms: int
    heartbeat_ms: int
    def __init__(self, schedule_to_start_ms: _Optional[int] = ..., start_to_close_ms: _Optional[int] = ..., schedule_to_close_ms: _Optional[int] = ..., heartbeat_ms: _Optional[int] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("seq", "at_us", "parked", "awaits", "run_created", "run_started", "run_completed", "run_failed", "run_cancelled", "cancel_requested", "run_forked", "run_paused", "run_resumed", "step_completed", "step_failed", "step_retried", "timer_started", "timer_fired", "timer_cancelled", "activity_scheduled", "activity_started", "activity_retried", "activity_completed", "activity_failed", "activity_cancel_requested", "activity_cancelled", "activity_progressed", "child_started", "child_completed", "child_failed", "child_cancel_requested", "child_cancelled", "signal_received", "promise_created", "promise_resolved", "promise_rejected", "promise_dropped", "value_published")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    PARKED_FIELD_NUMBER: _ClassVar[int]
    AWAITS_FIELD_NUMBER: _ClassVar[int]
    RUN_CREATED_FIELD_NUMBER: _ClassVar[int]
    RUN_STARTED_FIELD_NUMBER: _ClassVar[int]
    RUN_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    RUN_FAILED_FIELD_NUMBER: _ClassVar[int]
    RUN_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    RUN_FORKED_FIELD_NUMBER: _ClassVar[int]
    RUN_PAUSED_FIELD_NUMBER: _ClassVar[int]
    RUN_RESUMED_FIELD_NUMBER: _ClassVar[int]
    STEP_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    STEP_FAILED_FIELD_NUMBER: _ClassVar[int]
    STEP_RETRIED_FIELD_NUMBER: _ClassVar[int]
    TIMER_STARTED_FIELD_NUMBER: _ClassVar[int]
    TIMER_FIRED_FIELD_NUMBER: _ClassVar[int]
    TIMER_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_STARTED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_RETRIED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FAILED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_PROGRESSED_FIELD_NUMBER: _ClassVar[int]
    CHILD_STARTED_FIELD_NUMBER: _ClassVar[int]
    CHILD_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    CHILD_FAILED_FIELD_NUMBER: _ClassVar[int]
    CHILD_CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    CHILD_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    PROMISE_CREATED_FIELD_NUMBER: _ClassVar[int]
    PROMISE_RESOLVED_FIELD_NUMBER: _ClassVar[int]
    PROMISE_REJECTED_FIELD_NUMBER: _ClassVar[int]
    PROMISE_DROPPED_FIELD_NUMBER: _ClassVar[int]
    VALUE_PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    seq: int
    at_us: int
    parked: bool
    awaits: _containers.RepeatedCompositeFieldContainer[AwaitedSignal]
    run_created: RunCreated
    run_started: RunStarted
    run_completed: RunCompleted
    run_failed: RunFailed
    run_cancelled: RunCancelled
    cancel_requested: CancelRequested
    run_forked: RunForked
    run_paused: RunPaused
    run_resumed: RunResumed
    step_completed: StepCompleted
    step_failed: StepFailed
    step_retried: StepRetried
    timer_started: TimerStarted
    timer_fired: TimerFired
    timer_cancelled: TimerCancelled
    activity_scheduled: ActivityScheduled
    activity_started: ActivityStarted
    activity_retried: ActivityRetried
    activity_completed: ActivityCompleted
    activity_failed: ActivityFailed
    activity_cancel_requested: ActivityCancelRequested
    activity_cancelled: ActivityCancelled
    activity_progressed: ActivityProgressed
    child_started: ChildStarted
    child_completed: ChildCompleted
    child_failed: ChildFailed
    child_cancel_requested: ChildCancelRequested
    child_cancelled: ChildCancelled
    signal_received: SignalReceived
    promise_created: PromiseCreated
    promise_resolved: PromiseResolved
    promise_rejected: PromiseRejected
    promise_dropped: PromiseDropped
    value_published: ValuePublished
    def __init__(self, seq: _Optional[int] = ..., at_us: _Optional[int] = ..., parked: bool = ..., awaits: _Optional[_Iterable[_Union[AwaitedSignal, _Mapping]]] = ..., run_created: _Optional[_Union[RunCreated, _Mapping]] = ..., run_started: _Optional[_Union[RunStarted, _Mapping]] = ..., run_completed: _Optional[_Union[RunCompleted, _Mapping]] = ..., run_failed: _Optional[_Union[RunFailed, _Mapping]] = ..., run_cancelled: _Optional[_Union[RunCancelled, _Mapping]] = ..., cancel_requested: _Optional[_Union[CancelRequested, _Mapping]] = ..., run_forked: _Optional[_Union[RunForked, _Mapping]] = ..., run_paused: _Optional[_Union[RunPaused, _Mapping]] = ..., run_resumed: _Optional[_Union[RunResumed, _Mapping]] = ..., step_completed: _Optional[_Union[StepCompleted, _Mapping]] = ..., step_failed: _Optional[_Union[StepFailed, _Mapping]] = ..., step_retried: _Optional[_Union[StepRetried, _Mapping]] = ..., timer_started: _Optional[_Union[TimerStarted, _Mapping]] = ..., timer_fired: _Optional[_Union[TimerFired, _Mapping]] = ..., timer_cancelled: _Optional[_Union[TimerCancelled, _Mapping]] = ..., activity_scheduled: _Optional[_Union[ActivityScheduled, _Mapping]] = ..., activity_started: _Optional[_Union[ActivityStarted, _Mapping]] = ..., activity_retried: _Optional[_Union[ActivityRetried, _Mapping]] = ..., activity_completed: _Optional[_Union[ActivityCompleted, _Mapping]] = ..., activity_failed: _Optional[_Union[ActivityFailed, _Mapping]] = ..., activity_cancel_requested: _Optional[_Union[ActivityCancelRequested, _Mapping]] = ..., activity_cancelled: _Optional[_Union[ActivityCancelled, _Mapping]] = ..., activity_progressed: _Optional[_Union[ActivityProgressed, _Mapping]] = ..., child_started: _Optional[_Union[ChildStarted, _Mapping]] = ..., child_completed: _Optional[_Union[ChildCompleted, _Mapping]] = ..., child_failed: _Optional[_Union[ChildFailed, _Mapping]] = ..., child_cancel_requested: _Optional[_Union[ChildCancelRequested, _Mapping]] = ..., child_cancelled: _Optional[_Union[ChildCancelled, _Mapping]] = ..., signal_received: _Optional[_Union[SignalReceived, _Mapping]] = ..., promise_created: _Optional[_Union[PromiseCreated, _Mapping]] = ..., promise_resolved: _Optional[_Union[PromiseResolved, _Mapping]] = ..., promise_rejected: _Optional[_Union[PromiseRejected, _Mapping]] = ..., promise_dropped: _Optional[_Union[PromiseDropped, _Mapping]] = ..., value_published: _Optional[_Union[ValuePublished, _Mapping]] = ...) -> None: ...

class AwaitedSignal(_message.Message):
    __slots__ = ("path", "name")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ConcurrencyLimit(_message.Message):
    __slots__ = ("key", "limit")
    KEY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    key: str
    limit: int
    def __init__(self, key: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class QueueSetting(_message.Message):
    __slots__ = ("paused", "reason", "activity_limit")
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    paused: bool
    reason: str
    activity_limit: int
    def __init__(self, paused: bool = ..., reason: _Optional[str] = ..., activity_limit: _Optional[int] = ...) -> None: ...

class RunCreated(_message.Message):
    __slots__ = ("workflow_id", "run_id", "workflow_type", "task_queue", "input", "parent_workflow_id", "parent_run_id", "parent_path", "start_at_us", "expires_at_us", "priority", "tags", "memo", "labels", "concurrency", "forked_from_workflow_id", "forked_from_run_id", "forked_at_seq", "seed", "traceparent")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MemoEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    PARENT_WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_PATH_FIELD_NUMBER: _ClassVar[int]
    START_AT_US_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_US_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    FORKED_FROM_WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    FORKED_FROM_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FORKED_AT_SEQ_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    input: Payload
    parent_workflow_id: str
    parent_run_id: str
    parent_path: str
    start_at_us: int
    expires_at_us: int
    priority: int
    tags: _containers.ScalarMap[str, str]
    memo: _containers.MessageMap[str, Payload]
    labels: _containers.ScalarMap[str, str]
    concurrency: ConcurrencyLimit
    forked_from_workflow_id: str
    forked_from_run_id: str
    forked_at_seq: int
    seed: str
    traceparent: str
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., task_queue: _Optional[str] = ..., input: _Optional[_Union[Payload, _Mapping]] = ..., parent_workflow_id: _Optional[str] = ..., parent_run_id: _Optional[str] = ..., parent_path: _Optional[str] = ..., start_at_us: _Optional[int] = ..., expires_at_us: _Optional[int] = ..., priority: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ..., memo: _Optional[_Mapping[str, Payload]] = ..., labels: _Optional[_Mapping[str, str]] = ..., concurrency: _Optional[_Union[ConcurrencyLimit, _Mapping]] = ..., forked_from_workflow_id: _Optional[str] = ..., forked_from_run_id: _Optional[str] = ..., forked_at_seq: _Optional[int] = ..., seed: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class RunForked(_message.Message):
    __slots__ = ("workflow_id", "run_id", "shared_seq", "seed")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SHARED_SEQ_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    shared_seq: int
    seed: str
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., shared_seq: _Optional[int] = ..., seed: _Optional[str] = ...) -> None: ...

class RunStarted(_message.Message):
    __slots__ = ("worker_id", "attempt", "reason")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    attempt: int
    reason: str
    def __init__(self, worker_id: _Optional[str] = ..., attempt: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class RunCompleted(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: Payload
    def __init__(self, result: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...

class RunFailed(_message.Message):
    __slots__ = ("failure", "undo_path")
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    UNDO_PATH_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    undo_path: str
    def __init__(self, failure: _Optional[_Union[Failure, _Mapping]] = ..., undo_path: _Optional[str] = ...) -> None: ...

class RunCancelled(_message.Message):
    __slots__ = ("reason", "undo_path")
    REASON_FIELD_NUMBER: _ClassVar[int]
    UNDO_PATH_FIELD_NUMBER: _ClassVar[int]
    reason: str
    undo_path: str
    def __init__(self, reason: _Optional[str] = ..., undo_path: _Optional[str] = ...) -> None: ...

class CancelRequested(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class RunPaused(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class RunResumed(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StepCompleted(_message.Message):
    __slots__ = ("path", "name", "result", "attempt", "started_at_us")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    result: Payload
    attempt: int
    started_at_us: int
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., result: _Optional[_Union[Payload, _Mapping]] = ..., attempt: _Optional[int] = ..., started_at_us: _Optional[int] = ...) -> None: ...

class StepFailed(_message.Message):
    __slots__ = ("path", "name", "failure", "attempt", "started_at_us")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    failure: Failure
    attempt: int
    started_at_us: int
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., attempt: _Optional[int] = ..., started_at_us: _Optional[int] = ...) -> None: ...

class StepRetried(_message.Message):
    __slots__ = ("path", "name", "failure", "attempt", "next_at_us", "started_at_us")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    NEXT_AT_US_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    failure: Failure
    attempt: int
    next_at_us: int
    started_at_us: int
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., attempt: _Optional[int] = ..., next_at_us: _Optional[int] = ..., started_at_us: _Optional[int] = ...) -> None: ...

class TimerStarted(_message.Message):
    __slots__ = ("path", "fire_at_us")
    PATH_FIELD_NUMBER: _ClassVar[int]
    FIRE_AT_US_FIELD_NUMBER: _ClassVar[int]
    path: str
    fire_at_us: int
    def __init__(self, path: _Optional[str] = ..., fire_at_us: _Optional[int] = ...) -> None: ...

class TimerFired(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class TimerCancelled(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class ActivityScheduled(_message.Message):
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
    input: Payload
    retry: RetryPolicy
    timeouts: ActivityTimeouts
    labels: _containers.ScalarMap[str, str]
    concurrency: ConcurrencyLimit
    def __init__(self, path: _Optional[str] = ..., activity_type: _Optional[str] = ..., task_queue: _Optional[str] = ..., input: _Optional[_Union[Payload, _Mapping]] = ..., retry: _Optional[_Union[RetryPolicy, _Mapping]] = ..., timeouts: _Optional[_Union[ActivityTimeouts, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., concurrency: _Optional[_Union[ConcurrencyLimit, _Mapping]] = ...) -> None: ...

class ActivityStarted(_message.Message):
    __slots__ = ("path", "attempt", "worker_id")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    worker_id: str
    def __init__(self, path: _Optional[str] = ..., attempt: _Optional[int] = ..., worker_id: _Optional[str] = ...) -> None: ...

class ActivityProgressed(_message.Message):
    __slots__ = ("path", "attempt", "heartbeat")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    heartbeat: Payload
    def __init__(self, path: _Optional[str] = ..., attempt: _Optional[int] = ..., heartbeat: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...

class ActivityRetried(_message.Message):
    __slots__ = ("path", "attempt", "failure", "next_at_us", "heartbeat")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    NEXT_AT_US_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    failure: Failure
    next_at_us: int
    heartbeat: Payload
    def __init__(self, path: _Optional[str] = ..., attempt: _Optional[int] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., next_at_us: _Optional[int] = ..., heartbeat: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...

class ActivityCompleted(_message.Message):
    __slots__ = ("path", "attempt", "result")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    result: Payload
    def __init__(self, path: _Optional[str] = ..., attempt: _Optional[int] = ..., result: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...

class ActivityFailed(_message.Message):
    __slots__ = ("path", "attempt", "failure")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    failure: Failure
    def __init__(self, path: _Optional[str] = ..., attempt: _Optional[int] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class ActivityCancelRequested(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class ActivityCancelled(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class ChildStarted(_message.Message):
    __slots__ = ("path", "workflow_id", "run_id", "workflow_type", "parent_close_policy", "detached")
    PATH_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    PARENT_CLOSE_POLICY_FIELD_NUMBER: _ClassVar[int]
    DETACHED_FIELD_NUMBER: _ClassVar[int]
    path: str
    workflow_id: str
    run_id: str
    workflow_type: str
    parent_close_policy: ParentClosePolicy
    detached: bool
    def __init__(self, path: _Optional[str] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., parent_close_policy: _Optional[_Union[ParentClosePolicy, str]] = ..., detached: bool = ...) -> None: ...

class ChildCompleted(_message.Message):
    __slots__ = ("path", "result")
    PATH_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    path: str
    result: Payload
    def __init__(self, path: _Optional[str] = ..., result: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...

class ChildFailed(_message.Message):
    __slots__ = ("path", "failure")
    PATH_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    path: str
    failure: Failure
    def __init__(self, path: _Optional[str] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class ChildCancelRequested(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class ChildCancelled(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class SignalReceived(_message.Message):
    __slots__ = ("name", "value", "signal_id", "traceparent")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_ID_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: Payload
    signal_id: str
    traceparent: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ..., signal_id: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class PromiseCreated(_message.Message):
    __slots__ = ("path", "name", "expires_at_us")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_US_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    expires_at_us: int
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., expires_at_us: _Optional[int] = ...) -> None: ...

class PromiseResolved(_message.Message):
    __slots__ = ("path", "result")
    PATH_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    path: str
    result: Payload
    def __init__(self, path: _Optional[str] = ..., result: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...

class PromiseRejected(_message.Message):
    __slots__ = ("path", "failure")
    PATH_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    path: str
    failure: Failure
    def __init__(self, path: _Optional[str] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class PromiseDropped(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class ValuePublished(_message.Message):
    __slots__ = ("path", "key", "value")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    path: str
    key: str
    value: Payload
    def __init__(self, path: _Optional[str] = ..., key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
