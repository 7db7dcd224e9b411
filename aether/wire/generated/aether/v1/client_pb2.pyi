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

class StartWorkflowRequest(_message.Message):
    __slots__ = ("input", "task_queue", "workflow_id", "workflow_type")
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    workflow_type: str
    workflow_id: str
    input: _model_pb2.Payload
    task_queue: str
    def __init__(
        self,
        workflow_type: str | None = ...,
        workflow_id: str | None = ...,
        input: _model_pb2.Payload | _Mapping | None = ...,
        task_queue: str | None = ...,
    ) -> None: ...

class StartWorkflowResponse(_message.Message):
    __slots__ = ("existing", "run_id", "workflow_id")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    existing: bool
    def __init__(
        self, workflow_id: str | None = ..., run_id: str | None = ..., existing: bool = ...
    ) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("run_id", "workflow_id")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    def __init__(self, workflow_id: str | None = ..., run_id: str | None = ...) -> None: ...

class Pending(_message.Message):
    __slots__ = ("attempt", "due_at_us", "heartbeat", "kind", "last_failure", "name", "path", "worker_id")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_US_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    path: str
    kind: str
    name: str
    attempt: int
    due_at_us: int
    worker_id: str
    last_failure: _model_pb2.Failure
    heartbeat: _model_pb2.Payload
    def __init__(
        self,
        path: str | None = ...,
        kind: str | None = ...,
        name: str | None = ...,
        attempt: int | None = ...,
        due_at_us: int | None = ...,
        worker_id: str | None = ...,
        last_failure: _model_pb2.Failure | _Mapping | None = ...,
        heartbeat: _model_pb2.Payload | _Mapping | None = ...,
    ) -> None: ...

class WorkflowStatus(_message.Message):
    __slots__ = ("blocked", "cancel_requested", "failure", "info", "pending", "persistence", "result")
    INFO_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    PERSISTENCE_FIELD_NUMBER: _ClassVar[int]
    info: WorkflowInfo
    result: _model_pb2.Payload
    failure: _model_pb2.Failure
    pending: _containers.RepeatedCompositeFieldContainer[Pending]
    cancel_requested: bool
    blocked: bool
    persistence: str
    def __init__(
        self,
        info: WorkflowInfo | _Mapping | None = ...,
        result: _model_pb2.Payload | _Mapping | None = ...,
        failure: _model_pb2.Failure | _Mapping | None = ...,
        pending: _Iterable[Pending | _Mapping] | None = ...,
        cancel_requested: bool = ...,
        blocked: bool = ...,
        persistence: str | None = ...,
    ) -> None: ...

class WorkflowInfo(_message.Message):
    __slots__ = (
        "closed_at_us",
        "created_at_us",
        "history_length",
        "parent_workflow_id",
        "run_id",
        "state",
        "task_queue",
        "worker_id",
        "workflow_id",
        "workflow_type",
    )
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
    def __init__(
        self,
        workflow_id: str | None = ...,
        run_id: str | None = ...,
        workflow_type: str | None = ...,
        task_queue: str | None = ...,
        state: _model_pb2.RunState | str | None = ...,
        created_at_us: int | None = ...,
        closed_at_us: int | None = ...,
        parent_workflow_id: str | None = ...,
        history_length: int | None = ...,
        worker_id: str | None = ...,
    ) -> None: ...

class AwaitResultRequest(_message.Message):
    __slots__ = ("run_id", "workflow_id")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    def __init__(self, workflow_id: str | None = ..., run_id: str | None = ...) -> None: ...

class WorkflowResult(_message.Message):
    __slots__ = ("failure", "result", "run_id", "state", "workflow_id")
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
    def __init__(
        self,
        workflow_id: str | None = ...,
        run_id: str | None = ...,
        state: _model_pb2.RunState | str | None = ...,
        result: _model_pb2.Payload | _Mapping | None = ...,
        failure: _model_pb2.Failure | _Mapping | None = ...,
    ) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("reason", "run_id", "workflow_id")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    reason: str
    def __init__(
        self, workflow_id: str | None = ..., run_id: str | None = ..., reason: str | None = ...
    ) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ("run_id", "state")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    state: _model_pb2.RunState
    def __init__(
        self, run_id: str | None = ..., state: _model_pb2.RunState | str | None = ...
    ) -> None: ...
