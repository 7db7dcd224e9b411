from aether.wire.generated.aether.v1 import client_pb2 as _client_pb2
from aether.wire.generated.aether.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListRequest(_message.Message):
    __slots__ = ("workflow_type", "state", "limit", "workflow_id_prefix", "filter", "before_run_key", "doing", "oldest_first", "after_run_key")
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_RUN_KEY_FIELD_NUMBER: _ClassVar[int]
    DOING_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    AFTER_RUN_KEY_FIELD_NUMBER: _ClassVar[int]
    workflow_type: str
    state: _model_pb2.RunState
    limit: int
    workflow_id_prefix: str
    filter: str
    before_run_key: int
    doing: bool
    oldest_first: bool
    after_run_key: int
    def __init__(self, workflow_type: _Optional[str] = ..., state: _Optional[_Union[_model_pb2.RunState, str]] = ..., limit: _Optional[int] = ..., workflow_id_prefix: _Optional[str] = ..., filter: _Optional[str] = ..., before_run_key: _Optional[int] = ..., doing: bool = ..., oldest_first: bool = ..., after_run_key: _Optional[int] = ...) -> None: ...

class ListQueuesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListQueuesResponse(_message.Message):
    __slots__ = ("queues",)
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedCompositeFieldContainer[QueueInfo]
    def __init__(self, queues: _Optional[_Iterable[_Union[QueueInfo, _Mapping]]] = ...) -> None: ...

class UpdateQueueRequest(_message.Message):
    __slots__ = ("task_queue", "paused", "reason", "activity_limit")
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    task_queue: str
    paused: bool
    reason: str
    activity_limit: int
    def __init__(self, task_queue: _Optional[str] = ..., paused: bool = ..., reason: _Optional[str] = ..., activity_limit: _Optional[int] = ...) -> None: ...

class QueueInfo(_message.Message):
    __slots__ = ("task_queue", "paused", "reason", "activity_limit", "workers", "runs_waiting", "activities_waiting", "runs_active", "activities_active")
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    RUNS_WAITING_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_WAITING_FIELD_NUMBER: _ClassVar[int]
    RUNS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    task_queue: str
    paused: bool
    reason: str
    activity_limit: int
    workers: int
    runs_waiting: int
    activities_waiting: int
    runs_active: int
    activities_active: int
    def __init__(self, task_queue: _Optional[str] = ..., paused: bool = ..., reason: _Optional[str] = ..., activity_limit: _Optional[int] = ..., workers: _Optional[int] = ..., runs_waiting: _Optional[int] = ..., activities_waiting: _Optional[int] = ..., runs_active: _Optional[int] = ..., activities_active: _Optional[int] = ...) -> None: ...

class GetMetricsRequest(_message.Message):
    __slots__ = ("samples",)
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    samples: bool
    def __init__(self, samples: bool = ...) -> None: ...

class Metrics(_message.Message):
    __slots__ = ("version", "node", "persistence", "started_at_us", "runs", "queues", "workers", "runs_started", "runs_closed", "events", "commits", "connections", "storage_fault", "at_us", "run_traffic", "step_traffic", "activity_traffic", "queue_traffic", "start_lag", "step_latency", "activity_latency", "timer_lag", "loop_lag", "writer", "open", "rss_bytes", "problems", "samples", "steps", "timers_fired", "not_ready", "snapshot_interval_ms", "unwritten_ms")
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
    AT_US_FIELD_NUMBER: _ClassVar[int]
    RUN_TRAFFIC_FIELD_NUMBER: _ClassVar[int]
    STEP_TRAFFIC_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TRAFFIC_FIELD_NUMBER: _ClassVar[int]
    QUEUE_TRAFFIC_FIELD_NUMBER: _ClassVar[int]
    START_LAG_FIELD_NUMBER: _ClassVar[int]
    STEP_LATENCY_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_LATENCY_FIELD_NUMBER: _ClassVar[int]
    TIMER_LAG_FIELD_NUMBER: _ClassVar[int]
    LOOP_LAG_FIELD_NUMBER: _ClassVar[int]
    WRITER_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIRED_FIELD_NUMBER: _ClassVar[int]
    NOT_READY_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    UNWRITTEN_MS_FIELD_NUMBER: _ClassVar[int]
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
    at_us: int
    run_traffic: _containers.RepeatedCompositeFieldContainer[RunTraffic]
    step_traffic: _containers.RepeatedCompositeFieldContainer[StepTraffic]
    activity_traffic: _containers.RepeatedCompositeFieldContainer[ActivityTraffic]
    queue_traffic: _containers.RepeatedCompositeFieldContainer[QueueTraffic]
    start_lag: Latency
    step_latency: Latency
    activity_latency: Latency
    timer_lag: Latency
    loop_lag: Latency
    writer: Writer
    open: OpenRuns
    rss_bytes: int
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    samples: _containers.RepeatedCompositeFieldContainer[Sample]
    steps: int
    timers_fired: int
    not_ready: str
    snapshot_interval_ms: int
    unwritten_ms: int
    def __init__(self, version: _Optional[str] = ..., node: _Optional[str] = ..., persistence: _Optional[str] = ..., started_at_us: _Optional[int] = ..., runs: _Optional[_Iterable[_Union[StateCount, _Mapping]]] = ..., queues: _Optional[_Iterable[_Union[QueueDepth, _Mapping]]] = ..., workers: _Optional[_Iterable[_Union[WorkerInfo, _Mapping]]] = ..., runs_started: _Optional[int] = ..., runs_closed: _Optional[int] = ..., events: _Optional[int] = ..., commits: _Optional[int] = ..., connections: _Optional[int] = ..., storage_fault: _Optional[str] = ..., at_us: _Optional[int] = ..., run_traffic: _Optional[_Iterable[_Union[RunTraffic, _Mapping]]] = ..., step_traffic: _Optional[_Iterable[_Union[StepTraffic, _Mapping]]] = ..., activity_traffic: _Optional[_Iterable[_Union[ActivityTraffic, _Mapping]]] = ..., queue_traffic: _Optional[_Iterable[_Union[QueueTraffic, _Mapping]]] = ..., start_lag: _Optional[_Union[Latency, _Mapping]] = ..., step_latency: _Optional[_Union[Latency, _Mapping]] = ..., activity_latency: _Optional[_Union[Latency, _Mapping]] = ..., timer_lag: _Optional[_Union[Latency, _Mapping]] = ..., loop_lag: _Optional[_Union[Latency, _Mapping]] = ..., writer: _Optional[_Union[Writer, _Mapping]] = ..., open: _Optional[_Union[OpenRuns, _Mapping]] = ..., rss_bytes: _Optional[int] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., samples: _Optional[_Iterable[_Union[Sample, _Mapping]]] = ..., steps: _Optional[int] = ..., timers_fired: _Optional[int] = ..., not_ready: _Optional[str] = ..., snapshot_interval_ms: _Optional[int] = ..., unwritten_ms: _Optional[int] = ...) -> None: ...

class Latency(_message.Message):
    __slots__ = ("count", "p50_us", "p90_us", "p99_us")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    P50_US_FIELD_NUMBER: _ClassVar[int]
    P90_US_FIELD_NUMBER: _ClassVar[int]
    P99_US_FIELD_NUMBER: _ClassVar[int]
    count: int
    p50_us: int
    p90_us: int
    p99_us: int
    def __init__(self, count: _Optional[int] = ..., p50_us: _Optional[int] = ..., p90_us: _Optional[int] = ..., p99_us: _Optional[int] = ...) -> None: ...

class RunTraffic(_message.Message):
    __slots__ = ("workflow_type", "started", "completed", "failed", "cancelled", "replayed", "signals", "blocked")
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    workflow_type: str
    started: int
    completed: int
    failed: int
    cancelled: int
    replayed: int
    signals: int
    blocked: int
    def __init__(self, workflow_type: _Optional[str] = ..., started: _Optional[int] = ..., completed: _Optional[int] = ..., failed: _Optional[int] = ..., cancelled: _Optional[int] = ..., replayed: _Optional[int] = ..., signals: _Optional[int] = ..., blocked: _Optional[int] = ...) -> None: ...

class StepTraffic(_message.Message):
    __slots__ = ("workflow_type", "step", "completed", "failed", "retried", "p50_us", "p99_us", "cancelled")
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    P50_US_FIELD_NUMBER: _ClassVar[int]
    P99_US_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    workflow_type: str
    step: str
    completed: int
    failed: int
    retried: int
    p50_us: int
    p99_us: int
    cancelled: int
    def __init__(self, workflow_type: _Optional[str] = ..., step: _Optional[str] = ..., completed: _Optional[int] = ..., failed: _Optional[int] = ..., retried: _Optional[int] = ..., p50_us: _Optional[int] = ..., p99_us: _Optional[int] = ..., cancelled: _Optional[int] = ...) -> None: ...

class ActivityTraffic(_message.Message):
    __slots__ = ("activity_type", "scheduled", "started", "completed", "failed", "cancelled", "retried", "lost", "p50_us", "p99_us")
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    P50_US_FIELD_NUMBER: _ClassVar[int]
    P99_US_FIELD_NUMBER: _ClassVar[int]
    activity_type: str
    scheduled: int
    started: int
    completed: int
    failed: int
    cancelled: int
    retried: int
    lost: int
    p50_us: int
    p99_us: int
    def __init__(self, activity_type: _Optional[str] = ..., scheduled: _Optional[int] = ..., started: _Optional[int] = ..., completed: _Optional[int] = ..., failed: _Optional[int] = ..., cancelled: _Optional[int] = ..., retried: _Optional[int] = ..., lost: _Optional[int] = ..., p50_us: _Optional[int] = ..., p99_us: _Optional[int] = ...) -> None: ...

class QueueTraffic(_message.Message):
    __slots__ = ("task_queue", "kind", "added", "taken", "wait_p50_us", "wait_p99_us")
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    WAIT_P50_US_FIELD_NUMBER: _ClassVar[int]
    WAIT_P99_US_FIELD_NUMBER: _ClassVar[int]
    task_queue: str
    kind: str
    added: int
    taken: int
    wait_p50_us: int
    wait_p99_us: int
    def __init__(self, task_queue: _Optional[str] = ..., kind: _Optional[str] = ..., added: _Optional[int] = ..., taken: _Optional[int] = ..., wait_p50_us: _Optional[int] = ..., wait_p99_us: _Optional[int] = ...) -> None: ...

class Writer(_message.Message):
    __slots__ = ("commits", "rows", "retries", "waiting", "commit", "batch_p50", "batch_p99")
    COMMITS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    BATCH_P50_FIELD_NUMBER: _ClassVar[int]
    BATCH_P99_FIELD_NUMBER: _ClassVar[int]
    commits: int
    rows: int
    retries: int
    waiting: int
    commit: Latency
    batch_p50: int
    batch_p99: int
    def __init__(self, commits: _Optional[int] = ..., rows: _Optional[int] = ..., retries: _Optional[int] = ..., waiting: _Optional[int] = ..., commit: _Optional[_Union[Latency, _Mapping]] = ..., batch_p50: _Optional[int] = ..., batch_p99: _Optional[int] = ...) -> None: ...

class OpenRuns(_message.Message):
    __slots__ = ("running", "queued", "sleeping", "waiting", "retrying", "blocked", "paused")
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    SLEEPING_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    RETRYING_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    running: int
    queued: int
    sleeping: int
    waiting: int
    retrying: int
    blocked: int
    paused: int
    def __init__(self, running: _Optional[int] = ..., queued: _Optional[int] = ..., sleeping: _Optional[int] = ..., waiting: _Optional[int] = ..., retrying: _Optional[int] = ..., blocked: _Optional[int] = ..., paused: _Optional[int] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("at_us", "kind", "workflow_id", "run_id", "workflow_type", "name", "attempt", "next_at_us", "failure_type", "message", "count", "first_at_us")
    AT_US_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    NEXT_AT_US_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_AT_US_FIELD_NUMBER: _ClassVar[int]
    at_us: int
    kind: str
    workflow_id: str
    run_id: str
    workflow_type: str
    name: str
    attempt: int
    next_at_us: int
    failure_type: str
    message: str
    count: int
    first_at_us: int
    def __init__(self, at_us: _Optional[int] = ..., kind: _Optional[str] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., name: _Optional[str] = ..., attempt: _Optional[int] = ..., next_at_us: _Optional[int] = ..., failure_type: _Optional[str] = ..., message: _Optional[str] = ..., count: _Optional[int] = ..., first_at_us: _Optional[int] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("at_us", "span_us", "started", "completed", "failed", "cancelled", "steps", "activities", "events", "commits", "open_runs", "ready", "start_lag_p50_us", "start_lag_p99_us", "step_p50_us", "step_p99_us", "commit_p50_us", "commit_p99_us")
    AT_US_FIELD_NUMBER: _ClassVar[int]
    SPAN_US_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    COMMITS_FIELD_NUMBER: _ClassVar[int]
    OPEN_RUNS_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    START_LAG_P50_US_FIELD_NUMBER: _ClassVar[int]
    START_LAG_P99_US_FIELD_NUMBER: _ClassVar[int]
    STEP_P50_US_FIELD_NUMBER: _ClassVar[int]
    STEP_P99_US_FIELD_NUMBER: _ClassVar[int]
    COMMIT_P50_US_FIELD_NUMBER: _ClassVar[int]
    COMMIT_P99_US_FIELD_NUMBER: _ClassVar[int]
    at_us: int
    span_us: int
    started: int
    completed: int
    failed: int
    cancelled: int
    steps: int
    activities: int
    events: int
    commits: int
    open_runs: int
    ready: int
    start_lag_p50_us: int
    start_lag_p99_us: int
    step_p50_us: int
    step_p99_us: int
    commit_p50_us: int
    commit_p99_us: int
    def __init__(self, at_us: _Optional[int] = ..., span_us: _Optional[int] = ..., started: _Optional[int] = ..., completed: _Optional[int] = ..., failed: _Optional[int] = ..., cancelled: _Optional[int] = ..., steps: _Optional[int] = ..., activities: _Optional[int] = ..., events: _Optional[int] = ..., commits: _Optional[int] = ..., open_runs: _Optional[int] = ..., ready: _Optional[int] = ..., start_lag_p50_us: _Optional[int] = ..., start_lag_p99_us: _Optional[int] = ..., step_p50_us: _Optional[int] = ..., step_p99_us: _Optional[int] = ..., commit_p50_us: _Optional[int] = ..., commit_p99_us: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("task_queue", "kind", "type", "ready", "oldest_at_us", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    OLDEST_AT_US_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    task_queue: str
    kind: str
    type: str
    ready: int
    oldest_at_us: int
    labels: _containers.ScalarMap[str, str]
    def __init__(self, task_queue: _Optional[str] = ..., kind: _Optional[str] = ..., type: _Optional[str] = ..., ready: _Optional[int] = ..., oldest_at_us: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class WorkerInfo(_message.Message):
    __slots__ = ("worker_id", "task_queue", "workflow_types", "activity_types", "workflow_slots", "workflow_slots_used", "activity_slots", "activity_slots_used", "last_seen_at_us", "draining", "labels")
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
    WORKFLOW_SLOTS_USED_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SLOTS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_SLOTS_USED_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_AT_US_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
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
    labels: _containers.ScalarMap[str, str]
    def __init__(self, worker_id: _Optional[str] = ..., task_queue: _Optional[str] = ..., workflow_types: _Optional[_Iterable[str]] = ..., activity_types: _Optional[_Iterable[str]] = ..., workflow_slots: _Optional[int] = ..., workflow_slots_used: _Optional[int] = ..., activity_slots: _Optional[int] = ..., activity_slots_used: _Optional[int] = ..., last_seen_at_us: _Optional[int] = ..., draining: bool = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GetHistoryRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id", "after_seq", "follow")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQ_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    after_seq: int
    follow: bool
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., after_seq: _Optional[int] = ..., follow: bool = ...) -> None: ...

class FollowEventsRequest(_message.Message):
    __slots__ = ("filter", "kinds", "after_position", "last", "behind_max", "whole")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    BEHIND_MAX_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    filter: str
    kinds: _containers.RepeatedScalarFieldContainer[str]
    after_position: int
    last: int
    behind_max: int
    whole: bool
    def __init__(self, filter: _Optional[str] = ..., kinds: _Optional[_Iterable[str]] = ..., after_position: _Optional[int] = ..., last: _Optional[int] = ..., behind_max: _Optional[int] = ..., whole: bool = ...) -> None: ...

class LoggedEvent(_message.Message):
    __slots__ = ("position", "dropped", "kind", "at_us", "workflow_id", "run_id", "workflow_type", "task_queue", "seq", "path", "name", "attempt", "due_at_us", "worker_id", "failure_type", "message", "event")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_US_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    position: int
    dropped: int
    kind: str
    at_us: int
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    seq: int
    path: str
    name: str
    attempt: int
    due_at_us: int
    worker_id: str
    failure_type: str
    message: str
    event: _model_pb2.Event
    def __init__(self, position: _Optional[int] = ..., dropped: _Optional[int] = ..., kind: _Optional[str] = ..., at_us: _Optional[int] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., task_queue: _Optional[str] = ..., seq: _Optional[int] = ..., path: _Optional[str] = ..., name: _Optional[str] = ..., attempt: _Optional[int] = ..., due_at_us: _Optional[int] = ..., worker_id: _Optional[str] = ..., failure_type: _Optional[str] = ..., message: _Optional[str] = ..., event: _Optional[_Union[_model_pb2.Event, _Mapping]] = ...) -> None: ...

class GetTimelineRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id", "follow")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    follow: bool
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., follow: bool = ...) -> None: ...

class TimelineRow(_message.Message):
    __slots__ = ("path", "kind", "name", "state", "branch", "depth", "created_at_us", "started_at_us", "ended_at_us", "due_at_us", "worker_id", "attempts", "attempt_count", "failure", "child_workflow_id", "child_run_id", "first_seq", "last_seq")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_US_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_US_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_US_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CHILD_WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    CHILD_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    path: str
    kind: str
    name: str
    state: str
    branch: str
    depth: int
    created_at_us: int
    started_at_us: int
    ended_at_us: int
    due_at_us: int
    worker_id: str
    attempts: _containers.RepeatedCompositeFieldContainer[TimelineAttempt]
    attempt_count: int
    failure: _model_pb2.Failure
    child_workflow_id: str
    child_run_id: str
    first_seq: int
    last_seq: int
    def __init__(self, path: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., state: _Optional[str] = ..., branch: _Optional[str] = ..., depth: _Optional[int] = ..., created_at_us: _Optional[int] = ..., started_at_us: _Optional[int] = ..., ended_at_us: _Optional[int] = ..., due_at_us: _Optional[int] = ..., worker_id: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[TimelineAttempt, _Mapping]]] = ..., attempt_count: _Optional[int] = ..., failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ..., child_workflow_id: _Optional[str] = ..., child_run_id: _Optional[str] = ..., first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ...) -> None: ...

class TimelineAttempt(_message.Message):
    __slots__ = ("number", "due_at_us", "started_at_us", "ended_at_us", "worker_id", "failure")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_US_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_US_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_US_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    number: int
    due_at_us: int
    started_at_us: int
    ended_at_us: int
    worker_id: str
    failure: _model_pb2.Failure
    def __init__(self, number: _Optional[int] = ..., due_at_us: _Optional[int] = ..., started_at_us: _Optional[int] = ..., ended_at_us: _Optional[int] = ..., worker_id: _Optional[str] = ..., failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("workflow_id", "run_id", "state", "sentence", "reasons")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    state: _model_pb2.RunState
    sentence: str
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., state: _Optional[_Union[_model_pb2.RunState, str]] = ..., sentence: _Optional[str] = ..., reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("kind", "text", "path", "name", "due_at_us", "worker_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_US_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    kind: str
    text: str
    path: str
    name: str
    due_at_us: int
    worker_id: str
    def __init__(self, kind: _Optional[str] = ..., text: _Optional[str] = ..., path: _Optional[str] = ..., name: _Optional[str] = ..., due_at_us: _Optional[int] = ..., worker_id: _Optional[str] = ...) -> None: ...

class ForkRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id", "at_seq", "retry", "new_workflow_id", "new_run_id", "dry_run")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AT_SEQ_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    NEW_WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    NEW_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    at_seq: int
    retry: bool
    new_workflow_id: str
    new_run_id: str
    dry_run: bool
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., at_seq: _Optional[int] = ..., retry: bool = ..., new_workflow_id: _Optional[str] = ..., new_run_id: _Optional[str] = ..., dry_run: bool = ...) -> None: ...

class ForkResponse(_message.Message):
    __slots__ = ("workflow_id", "run_id", "at_seq", "existing")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AT_SEQ_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    at_seq: int
    existing: bool
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., at_seq: _Optional[int] = ..., existing: bool = ...) -> None: ...

class GetStateAtRequest(_message.Message):
    __slots__ = ("workflow_id", "run_id", "seq")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    seq: int
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class StateItem(_message.Message):
    __slots__ = ("run", "outcome", "pending", "published", "signal")
    RUN_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    run: RunAt
    outcome: Outcome
    pending: _client_pb2.Pending
    published: PublishedValue
    signal: ReceivedSignal
    def __init__(self, run: _Optional[_Union[RunAt, _Mapping]] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., pending: _Optional[_Union[_client_pb2.Pending, _Mapping]] = ..., published: _Optional[_Union[PublishedValue, _Mapping]] = ..., signal: _Optional[_Union[ReceivedSignal, _Mapping]] = ...) -> None: ...

class RunAt(_message.Message):
    __slots__ = ("workflow_id", "run_id", "workflow_type", "state", "seq", "at_us", "attempt", "worker_id", "cancel_requested", "created_at_us")
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_US_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    workflow_type: str
    state: _model_pb2.RunState
    seq: int
    at_us: int
    attempt: int
    worker_id: str
    cancel_requested: bool
    created_at_us: int
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., state: _Optional[_Union[_model_pb2.RunState, str]] = ..., seq: _Optional[int] = ..., at_us: _Optional[int] = ..., attempt: _Optional[int] = ..., worker_id: _Optional[str] = ..., cancel_requested: bool = ..., created_at_us: _Optional[int] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("seq", "at_us", "path", "kind", "name", "state", "attempt", "result", "failure")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    seq: int
    at_us: int
    path: str
    kind: str
    name: str
    state: str
    attempt: int
    result: _model_pb2.Payload
    failure: _model_pb2.Failure
    def __init__(self, seq: _Optional[int] = ..., at_us: _Optional[int] = ..., path: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., state: _Optional[str] = ..., attempt: _Optional[int] = ..., result: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_model_pb2.Failure, _Mapping]] = ...) -> None: ...

class PublishedValue(_message.Message):
    __slots__ = ("key", "value", "published_at_us")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_US_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: _model_pb2.Payload
    published_at_us: int
    def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ..., published_at_us: _Optional[int] = ...) -> None: ...

class ReceivedSignal(_message.Message):
    __slots__ = ("seq", "at_us", "name", "value")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AT_US_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    seq: int
    at_us: int
    name: str
    value: _model_pb2.Payload
    def __init__(self, seq: _Optional[int] = ..., at_us: _Optional[int] = ..., name: _Optional[str] = ..., value: _Optional[_Union[_model_pb2.Payload, _Mapping]] = ...) -> None: ...
