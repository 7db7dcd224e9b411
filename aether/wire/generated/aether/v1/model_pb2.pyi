from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import (
    ClassVar as _ClassVar,
)

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper

DESCRIPTOR: _descriptor.FileDescriptor

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_PENDING: _ClassVar[RunState]
    RUN_STATE_RUNNING: _ClassVar[RunState]
    RUN_STATE_COMPLETED: _ClassVar[RunState]
    RUN_STATE_FAILED: _ClassVar[RunState]
    RUN_STATE_CANCELLED: _ClassVar[RunState]

RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_PENDING: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_COMPLETED: RunState
RUN_STATE_FAILED: RunState
RUN_STATE_CANCELLED: RunState

class Payload(_message.Message):
    __slots__ = ("data", "encoding")
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    encoding: str
    def __init__(self, data: bytes | None = ..., encoding: str | None = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("causes", "group", "message", "non_retryable", "retry_after_ms", "traceback", "type")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NON_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    traceback: str
    causes: _containers.RepeatedCompositeFieldContainer[Failure]
    group: bool
    non_retryable: bool
    retry_after_ms: int
    def __init__(
        self,
        type: str | None = ...,
        message: str | None = ...,
        traceback: str | None = ...,
        causes: _Iterable[Failure | _Mapping] | None = ...,
        group: bool = ...,
        non_retryable: bool = ...,
        retry_after_ms: int | None = ...,
    ) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("factor", "initial_ms", "jitter", "max_attempts", "maximum_ms", "non_retryable")
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
    def __init__(
        self,
        initial_ms: int | None = ...,
        factor: float | None = ...,
        maximum_ms: int | None = ...,
        jitter: float | None = ...,
        max_attempts: int | None = ...,
        non_retryable: _Iterable[str] | None = ...,
    ) -> None: ...

class ActivityTimeouts(_message.Message):
    __slots__ = ("heartbeat_ms", "schedule_to_close_ms", "schedule_to_start_ms", "start_to_close_ms")
    SCHEDULE_TO_START_MS_FIELD_NUMBER: _ClassVar[int]
    START_TO_CLOSE_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_CLOSE_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    schedule_to_start_ms: int
    start_to_close_ms: int
    schedule_to_close_ms: int
    heartbeat_ms: int
    def __init__(
        self,
        schedule_to_start_ms: int | None = ...,
        start_to_close_ms: int | None = ...,
        schedule_to_close_ms: int | None = ...,
        heartbeat_ms: int | None = ...,
    ) -> None: ...

class Event(_message.Message):
    __slots__ = (
        "activity_cancel_requested",
        "activity_cancelled",
        "activity_completed",
        "activity_failed",
        "activity_retried",
        "activity_scheduled",
        "activity_started",
        "at_us",
        "cancel_requested",
        "child_cancel_requested",
        "child_cancelled",
        "child_completed",
        "child_failed",
        "child_started",
        "parked",
        "run_cancelled",
        "run_completed",
        "run_created",
        "run_failed",
        "run_started",
        "seq",
        "step_completed",
        "step_failed",
        "timer_cancelled",
        "timer_fired",
        "timer_started",
    )
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    PARKED_FIELD_NUMBER: _ClassVar[int]
    RUN_CREATED_FIELD_NUMBER: _ClassVar[int]
    RUN_STARTED_FIELD_NUMBER: _ClassVar[int]
    RUN_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    RUN_FAILED_FIELD_NUMBER: _ClassVar[int]
    RUN_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    STEP_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    STEP_FAILED_FIELD_NUMBER: _ClassVar[int]
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
    CHILD_STARTED_FIELD_NUMBER: _ClassVar[int]
    CHILD_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    CHILD_FAILED_FIELD_NUMBER: _ClassVar[int]
    CHILD_CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    CHILD_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    seq: int
    at_us: int
    parked: bool
    run_created: RunCreated
    run_started: RunStarted
    run_completed: RunCompleted
    run_failed: RunFailed
    run_cancelled: RunCancelled
    cancel_requested: CancelRequested
    step_completed: StepCompleted
    step_failed: StepFailed
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
    child_started: ChildStarted
    child_completed: ChildCompleted
    child_failed: ChildFailed
    child_cancel_requested: ChildCancelRequested
    child_cancelled: ChildCancelled
    def __init__(
        self,
        seq: int | None = ...,
        at_us: int | None = ...,
        parked: bool = ...,
        run_created: RunCreated | _Mapping | None = ...,
        run_started: RunStarted | _Mapping | None = ...,
        run_completed: RunCompleted | _Mapping | None = ...,
        run_failed: RunFailed | _Mapping | None = ...,
        run_cancelled: RunCancelled | _Mapping | None = ...,
        cancel_requested: CancelRequested | _Mapping | None = ...,
        step_completed: StepCompleted | _Mapping | None = ...,
        step_failed: StepFailed | _Mapping | None = ...,
        timer_started: TimerStarted | _Mapping | None = ...,
        timer_fired: TimerFired | _Mapping | None = ...,
        timer_cancelled: TimerCancelled | _Mapping | None = ...,
        activity_scheduled: ActivityScheduled | _Mapping | None = ...,
        activity_started: ActivityStarted | _Mapping | None = ...,
        activity_retried: ActivityRetried | _Mapping | None = ...,
        activity_completed: ActivityCompleted | _Mapping | None = ...,
        activity_failed: ActivityFailed | _Mapping | None = ...,
        activity_cancel_requested: ActivityCancelRequested | _Mapping | None = ...,
        activity_cancelled: ActivityCancelled | _Mapping | None = ...,
        child_started: ChildStarted | _Mapping | None = ...,
        child_completed: ChildCompleted | _Mapping | None = ...,
        child_failed: ChildFailed | _Mapping | None = ...,
        child_cancel_requested: ChildCancelRequested | _Mapping | None = ...,
        child_cancelled: ChildCancelled | _Mapping | None = ...,
    ) -> None: ...

class RunCreated(_message.Message):
    __slots__ = (
        "input",
        "parent_path",
        "parent_run_id",
        "parent_workflow_id",
        "run_id",
        "task_queue",
        "workflow_id",
        "workflow_type",
    )
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    PARENT_WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_PATH_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    input: Payload
    parent_workflow_id: str
    parent_run_id: str
    parent_path: str
    def __init__(
        self,
        workflow_id: str | None = ...,
        run_id: str | None = ...,
        workflow_type: str | None = ...,
        task_queue: str | None = ...,
        input: Payload | _Mapping | None = ...,
        parent_workflow_id: str | None = ...,
        parent_run_id: str | None = ...,
        parent_path: str | None = ...,
    ) -> None: ...

class RunStarted(_message.Message):
    __slots__ = ("attempt", "reason", "worker_id")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    attempt: int
    reason: str
    def __init__(
        self, worker_id: str | None = ..., attempt: int | None = ..., reason: str | None = ...
    ) -> None: ...

class RunCompleted(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: Payload
    def __init__(self, result: Payload | _Mapping | None = ...) -> None: ...

class RunFailed(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    def __init__(self, failure: Failure | _Mapping | None = ...) -> None: ...

class RunCancelled(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: str | None = ...) -> None: ...

class CancelRequested(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: str | None = ...) -> None: ...

class StepCompleted(_message.Message):
    __slots__ = ("attempt", "name", "path", "result", "started_at_us")
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
    def __init__(
        self,
        path: str | None = ...,
        name: str | None = ...,
        result: Payload | _Mapping | None = ...,
        attempt: int | None = ...,
        started_at_us: int | None = ...,
    ) -> None: ...

class StepFailed(_message.Message):
    __slots__ = ("attempt", "failure", "name", "path", "started_at_us")
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
    def __init__(
        self,
        path: str | None = ...,
        name: str | None = ...,
        failure: Failure | _Mapping | None = ...,
        attempt: int | None = ...,
        started_at_us: int | None = ...,
    ) -> None: ...

class TimerStarted(_message.Message):
    __slots__ = ("fire_at_us", "path")
    PATH_FIELD_NUMBER: _ClassVar[int]
    FIRE_AT_US_FIELD_NUMBER: _ClassVar[int]
    path: str
    fire_at_us: int
    def __init__(self, path: str | None = ..., fire_at_us: int | None = ...) -> None: ...

class TimerFired(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: str | None = ...) -> None: ...

class TimerCancelled(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: str | None = ...) -> None: ...

class ActivityScheduled(_message.Message):
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
    input: Payload
    retry: RetryPolicy
    timeouts: ActivityTimeouts
    def __init__(
        self,
        path: str | None = ...,
        activity_type: str | None = ...,
        task_queue: str | None = ...,
        input: Payload | _Mapping | None = ...,
        retry: RetryPolicy | _Mapping | None = ...,
        timeouts: ActivityTimeouts | _Mapping | None = ...,
    ) -> None: ...

class ActivityStarted(_message.Message):
    __slots__ = ("attempt", "path", "worker_id")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    worker_id: str
    def __init__(
        self, path: str | None = ..., attempt: int | None = ..., worker_id: str | None = ...
    ) -> None: ...

class ActivityRetried(_message.Message):
    __slots__ = ("attempt", "failure", "heartbeat", "next_at_us", "path")
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
    def __init__(
        self,
        path: str | None = ...,
        attempt: int | None = ...,
        failure: Failure | _Mapping | None = ...,
        next_at_us: int | None = ...,
        heartbeat: Payload | _Mapping | None = ...,
    ) -> None: ...

class ActivityCompleted(_message.Message):
    __slots__ = ("attempt", "path", "result")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    result: Payload
    def __init__(
        self,
        path: str | None = ...,
        attempt: int | None = ...,
        result: Payload | _Mapping | None = ...,
    ) -> None: ...

class ActivityFailed(_message.Message):
    __slots__ = ("attempt", "failure", "path")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    path: str
    attempt: int
    failure: Failure
    def __init__(
        self,
        path: str | None = ...,
        attempt: int | None = ...,
        failure: Failure | _Mapping | None = ...,
    ) -> None: ...

class ActivityCancelRequested(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: str | None = ...) -> None: ...

class ActivityCancelled(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: str | None = ...) -> None: ...

class ChildStarted(_message.Message):
    __slots__ = ("path", "run_id", "workflow_id", "workflow_type")
    PATH_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    path: str
    workflow_id: str
    run_id: str
    workflow_type: str
    def __init__(
        self,
        path: str | None = ...,
        workflow_id: str | None = ...,
        run_id: str | None = ...,
        workflow_type: str | None = ...,
    ) -> None: ...

class ChildCompleted(_message.Message):
    __slots__ = ("path", "result")
    PATH_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    path: str
    result: Payload
    def __init__(self, path: str | None = ..., result: Payload | _Mapping | None = ...) -> None: ...

class ChildFailed(_message.Message):
    __slots__ = ("failure", "path")
    PATH_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    path: str
    failure: Failure
    def __init__(self, path: str | None = ..., failure: Failure | _Mapping | None = ...) -> None: ...

class ChildCancelRequested(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: str | None = ...) -> None: ...

class ChildCancelled(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: str | None = ...) -> None: ...
