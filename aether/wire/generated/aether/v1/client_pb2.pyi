from aether.wire.generated.aether.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IdReusePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ID_REUSE_POLICY_UNSPECIFIED: _ClassVar[IdReusePolicy]
    ID_REUSE_POLICY_ALLOW: _ClassVar[IdReusePolicy]
    ID_REUSE_POLICY_ALLOW_IF_FAILED: _ClassVar[IdReusePolicy]
    ID_REUSE_POLICY_REJECT: _ClassVar[IdReusePolicy]
ID_REUSE_POLICY_UNSPECIFIED: IdReusePolicy
ID_REUSE_POLICY_ALLOW: IdReusePolicy
ID_REUSE_POLICY_ALLOW_IF_FAILED: IdReusePolicy
ID_REUSE_POLICY_REJECT: IdReusePolicy

class StartWorkflowRequest(_message.Message):
    __slots__ = ("workflow_type", "workflow_id", "input", "task_queue", "id_reuse_policy", "start_delay_ms", "run_timeout_ms", "priority", "tags", "memo", "run_id", "first", "await_result", "labels", "concurrency", "traceparent")
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
        value: _model_pb2.Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    ID_REUSE_POLICY_FIELD_NUMBER: _ClassVar[int]
    START_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    RUN_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    AWAIT_RESULT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    workflow_type: str
    workflow_id: str
    input: _model_pb2.Payload
    task_queue: str
    id_reuse_policy: IdReusePolicy
    start_delay_ms: int
    run_timeout_ms: int
    priority: int
    tags: _containers.ScalarMap[str, str]
    memo: _containers.MessageMap[str, _model_pb2.Payload]
    run_id: str
    first: bool
    await_result: bool
    labels: _containers.ScalarMap[str, str]
    concurrency: _model_pb2.ConcurrencyLimit
    traceparent: str
    def __init__(self, workflow_type: _Optional[str] = ..., workflow_id: _Optional[str] = ..., input: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., task_queue: _Optional[str] = ..., id_reuse_policy: _Optional[_Union[IdReusePolicy, str]] = ..., start_delay_ms: _Optional[int] = ..., run_timeout_ms: _Optional[int] = ..., priority: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ..., memo: _Optional[_Mapping[str, _model_pb2.Payload]] = ..., run_id: _Optional[str] = ..., first: bool = ..., await_result: bool = ..., labels: _Optional[_Mapping[str, str]] = ..., concurrency: _Optional[_Union[_model_pb2.ConcurrencyLimit, _Mapping]] = ..., traceparent: _Optional[str] = ...) -> None: ...

class StartWorkflowResponse(_message.Message):
    __slots__ = ("workflow_id", "run_id", "existing", "result")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    existing: bool
    result: WorkflowResult
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., existing: bool = ..., result: _Optional[_Union[WorkflowResult, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class Pending(_message.Message):
    __slots__ = ("path", "kind", "name", "attempt", "due_at_us", "worker_id", "last_failure", "heartbeat", "reason")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_US_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    path: str
    kind: str
    name: str
    attempt: int
    due_at_us: int
    worker_id: str
    last_failure: _model_pb2.Failure
    heartbeat: _model_pb2.Payload
    reason: str
    def __init__(self, path: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., attempt: _Optional[int] = ..., due_at_us: _Optional[int] = ..., worker_id: _Optional[str] = ..., last_failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ..., heartbeat: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class WorkflowStatus(_message.Message):
    __slots__ = ("info", "result", "failure", "pending", "cancel_requested", "blocked", "persistence", "memo", "paused", "pause_reason", "trace_id")
    class MemoEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _model_pb2.Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ...) -> None: ...
    INFO_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    PERSISTENCE_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    PAUSE_REASON_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    info: WorkflowInfo
    result: _model_pb2.Payload
    failure: _model_pb2.Failure
    pending: _containers.RepeatedCompositeFieldContainer[Pending]
    cancel_requested: bool
    blocked: bool
    persistence: str
    memo: _containers.MessageMap[str, _model_pb2.Payload]
    paused: bool
    pause_reason: str
    trace_id: str
    def __init__(self, info: _Optional[_Union[WorkflowInfo, _Mapping]] = ..., result: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ..., pending: _Optional[_Iterable[_Union[Pending, _Mapping]]] = ..., cancel_requested: bool = ..., blocked: bool = ..., persistence: _Optional[str] = ..., memo: _Optional[_Mapping[str, _model_pb2.Payload]] = ..., paused: bool = ..., pause_reason: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class WorkflowInfo(_message.Message):
    __slots__ = ("workflow_id", "run_id", "workflow_type", "task_queue", "state", "created_at_us", "closed_at_us", "parent_workflow_id", "history_length", "worker_id", "tags", "run_key", "forked_from", "doing")
    class TagsEntry(_message.Message):
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
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_US_FIELD_NUMBER: _ClassVar[int]
    CLOSED_AT_US_FIELD_NUMBER: _ClassVar[int]
    PARENT_WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    RUN_KEY_FIELD_NUMBER: _ClassVar[int]
    FORKED_FROM_FIELD_NUMBER: _ClassVar[int]
    DOING_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    state: _model_pb2.RunState
    created_at_us: int
    closed_at_us: int
    parent_workflow_id: str
    history_length: int
    worker_id: str
    tags: _containers.ScalarMap[str, str]
    run_key: int
    forked_from: ForkOrigin
    doing: RunDoing
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., task_queue: _Optional[str] = ..., state: _Optional[_Union[_model_pb2.RunState, str]] = ..., created_at_us: _Optional[int] = ..., closed_at_us: _Optional[int] = ..., parent_workflow_id: _Optional[str] = ..., history_length: _Optional[int] = ..., worker_id: _Optional[str] = ..., tags: _Optional[_Mapping[str, str]] = ..., run_key: _Optional[int] = ..., forked_from: _Optional[_Union[ForkOrigin, _Mapping]] = ..., doing: _Optional[_Union[RunDoing, _Mapping]] = ...) -> None: ...

class RunDoing(_message.Message):
    __slots__ = ("what", "kind", "name", "attempt", "due_at_us", "more")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_US_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    what: str
    kind: str
    name: str
    attempt: int
    due_at_us: int
    more: int
    def __init__(self, what: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., attempt: _Optional[int] = ..., due_at_us: _Optional[int] = ..., more: _Optional[int] = ...) -> None: ...

class ForkOrigin(_message.Message):
    __slots__ = ("workflow_id", "run_id", "seq")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    seq: int
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class AwaitResultRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class WorkflowResult(_message.Message):
    __slots__ = ("workflow_id", "run_id", "state", "result", "failure")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    state: _model_pb2.RunState
    result: _model_pb2.Payload
    failure: _model_pb2.Failure
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., state: _Optional[_Union[_model_pb2.RunState, str]] = ..., result: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id", "reason", "force")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    reason: str
    force: bool
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., reason: _Optional[str] = ..., force: bool = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ("run_id", "state")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    state: _model_pb2.RunState
    def __init__(self, run_id: _Optional[str] = ..., state: _Optional[_Union[_model_pb2.RunState, str]] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id", "reason")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    reason: str
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class PauseResponse(_message.Message):
    __slots__ = ("run_id", "existing")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    existing: bool
    def __init__(self, run_id: _Optional[str] = ..., existing: bool = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class ResumeResponse(_message.Message):
    __slots__ = ("run_id", "existing")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    existing: bool
    def __init__(self, run_id: _Optional[str] = ..., existing: bool = ...) -> None: ...

class SignalRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id", "name", "value", "signal_id", "traceparent")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_ID_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    name: str
    value: _model_pb2.Payload
    signal_id: str
    traceparent: str
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., name: _Optional[str] = ..., value: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., signal_id: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class SignalResponse(_message.Message):
    __slots__ = ("run_id", "duplicate")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    duplicate: bool
    def __init__(self, run_id: _Optional[str] = ..., duplicate: bool = ...) -> None: ...

class CompletePromiseRequest(_message.Message):
    __slots__ = ("token", "result", "failure")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    token: str
    result: _model_pb2.Payload
    failure: _model_pb2.Failure
    def __init__(self, token: _Optional[str] = ..., result: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ...) -> None: ...

class CompletePromiseResponse(_message.Message):
    __slots__ = ("duplicate",)
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    duplicate: bool
    def __init__(self, duplicate: bool = ...) -> None: ...

class ReadValueRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id", "key")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    key: str
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class ReadValueResponse(_message.Message):
    __slots__ = ("found", "value", "published_at_us")
    FOUND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_US_FIELD_NUMBER: _ClassVar[int]
    found: bool
    value: _model_pb2.Payload
    published_at_us: int
    def __init__(self, found: bool = ..., value: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., published_at_us: _Optional[int] = ...) -> None: ...
