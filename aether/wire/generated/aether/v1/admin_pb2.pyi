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

class ListRequest(_message.Message):
    __slots__ = ("limit", "state", "workflow_id_prefix", "workflow_type")
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    workflow_type: str
    state: _model_pb2.RunState
    limit: int
    workflow_id_prefix: str
    def __init__(
        self,
        workflow_type: str | None = ...,
        state: _model_pb2.RunState | str | None = ...,
        limit: int | None = ...,
        workflow_id_prefix: str | None = ...,
    ) -> None: ...

class GetMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Metrics(_message.Message):
    __slots__ = (
        "commits",
        "connections",
        "events",
        "node",
        "persistence",
        "queues",
        "runs",
        "runs_closed",
        "runs_started",
        "started_at_us",
        "storage_fault",
        "version",
        "workers",
    )
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
    def __init__(
        self,
        version: str | None = ...,
        node: str | None = ...,
        persistence: str | None = ...,
        started_at_us: int | None = ...,
        runs: _Iterable[StateCount | _Mapping] | None = ...,
        queues: _Iterable[QueueDepth | _Mapping] | None = ...,
        workers: _Iterable[WorkerInfo | _Mapping] | None = ...,
        runs_started: int | None = ...,
        runs_closed: int | None = ...,
        events: int | None = ...,
        commits: int | None = ...,
        connections: int | None = ...,
        storage_fault: str | None = ...,
    ) -> None: ...

class StateCount(_message.Message):
    __slots__ = ("count", "state", "workflow_type")
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    workflow_type: str
    state: _model_pb2.RunState
    count: int
    def __init__(
        self,
        workflow_type: str | None = ...,
        state: _model_pb2.RunState | str | None = ...,
        count: int | None = ...,
    ) -> None: ...

class QueueDepth(_message.Message):
    __slots__ = ("kind", "oldest_at_us", "ready", "task_queue", "type")
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
    def __init__(
        self,
        task_queue: str | None = ...,
        kind: str | None = ...,
        type: str | None = ...,
        ready: int | None = ...,
        oldest_at_us: int | None = ...,
    ) -> None: ...

class WorkerInfo(_message.Message):
    __slots__ = (
        "activity_slots",
        "activity_slots_used",
        "activity_types",
        "draining",
        "last_seen_at_us",
        "task_queue",
        "worker_id",
        "workflow_slots",
        "workflow_slots_used",
        "workflow_types",
    )
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
    def __init__(
        self,
        worker_id: str | None = ...,
        task_queue: str | None = ...,
        workflow_types: _Iterable[str] | None = ...,
        activity_types: _Iterable[str] | None = ...,
        workflow_slots: int | None = ...,
        workflow_slots_used: int | None = ...,
        activity_slots: int | None = ...,
        activity_slots_used: int | None = ...,
        last_seen_at_us: int | None = ...,
        draining: bool = ...,
    ) -> None: ...

class GetHistoryRequest(_message.Message):
    __slots__ = ("after_seq", "run_id", "workflow_id")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQ_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    after_seq: int
    def __init__(
        self, workflow_id: str | None = ..., run_id: str | None = ..., after_seq: int | None = ...
    ) -> None: ...
