from aether.wire.generated.aether.v1 import client_pb2 as _client_pb2
from aether.wire.generated.aether.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListRequest(_message.Message):
    __slots__ = ("workflow_type", "state", "limit", "workflow_id_prefix")
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    workflow_type: str
    state: _model_pb2.RunState
    limit: int
    workflow_id_prefix: str
    def __init__(self, workflow_type: _Optional[str] = ..., state: _Optional[_Union[_model_pb2.RunState, str]] = ..., limit: _Optional[int] = ..., workflow_id_prefix: _Optional[str] = ...) -> None: ...

class GetMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Metrics(_message.Message):
    __slots__ = ("version", "node", "persistence", "started_at_us", "runs", "queues", "workers", "runs_started", "runs_closed", "events", "commits", "connections", "storage_fault")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    PERSISTENCE_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    RUNS_STARTED_FIELD_NUMBER: _ClassVar[int]
    RUNS_CLOSED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    COMMITS_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FAULT_FIELD_NUMBER: _ClassVar[int]
    version: str
    node: str
    persistence: str
    started_at_us: int
    runs: _containers.RepeatedCompositeFieldContainer[StateCount]
    queues: _containers.RepeatedCompositeFieldContainer[QueueDepth]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerInfo]
    runs_started: int
    runs_closed: int
    events: int
    commits: int
    connections: int
    storage_fault: str
    def __init__(self, version: _Optional[str] = ..., node: _Optional[str] = ..., persistence: _Optional[str] = ..., started_at_us: _Optional[int] = ..., runs: _Optional[_Iterable[_Union[StateCount, _Mapping]]] = ..., queues: _Optional[_Iterable[_Union[QueueDepth, _Mapping]]] = ..., workers: _Optional[_Iterable[_Union[WorkerInfo, _Mapping]]] = ..., runs_started: _Optional[int] = ..., runs_closed: _Optional[int] = ..., events: _Optional[int] = ..., commits: _Optional[int] = ..., connections: _Optional[int] = ..., storage_fault: _Optional[str] = ...) -> None: ...

class StateCount(_message.Message):
    __slots__ = ("workflow_type", "state", "count")
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    workflow_type: str
    state: _model_pb2.RunState
    count: int
    def __init__(self, workflow_type: _Optional[str] = ..., state: _Optional[_Union[_model_pb2.RunState, str]] = ..., count: _Optional[int] = ...) -> None: ...

class QueueDepth(_message.Message):
    __slots__ = ("task_queue", "kind", "type", "ready", "oldest_at_us")
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    OLDEST_AT_US_FIELD_NUMBER: _ClassVar[int]
    task_queue: str
    kind: str
    type: str
    ready: int
    oldest_at_us: int
    def __init__(self, task_queue: _Optional[str] = ..., kind: _Optional[str] = ..., type: _Optional[str] = ..., ready: _Optional[int] = ..., oldest_at_us: _Optional[int] = ...) -> None: ...

class WorkerInfo(_message.Message):
    __slots__ = ("worker_id", "task_queue", "workflow_types", "activity_types", "workflow_slots", "workflow_slots_used", "activity_slots", "activity_slots_used", "last_seen_at_us", "draining")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPES_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPES_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_SLOTS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_SLOTS_USED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SLOTS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SLOTS_USED_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_AT_US_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    task_queue: str
    workflow_types: _containers.RepeatedScalarFieldContainer[str]
    activity_types: _containers.RepeatedScalarFieldContainer[str]
    workflow_slots: int
    workflow_slots_used: int
    activity_slots: int
    activity_slots_used: int
    last_seen_at_us: int
    draining: bool
    def __init__(self, worker_id: _Optional[str] = ..., task_queue: _Optional[str] = ..., workflow_types: _Optional[_Iterable[str]] = ..., activity_types: _Optional[_Iterable[str]] = ..., workflow_slots: _Optional[int] = ..., workflow_slots_used: _Optional[int] = ..., activity_slots: _Optional[int] = ..., activity_slots_used: _Optional[int] = ..., last_seen_at_us: _Optional[int] = ..., draining: bool = ...) -> None: ...

class GetHistoryRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id", "after_seq")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQ_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    after_seq: int
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., after_seq: _Optional[int] = ...) -> None: ...
