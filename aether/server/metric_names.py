"""The names of the metrics that the server shows to Prometheus, with what each is and means.

They are a promise to those who have built dashboards on them. No id and no text of an error is ever a label.
"""

from aether.core.meters import OTHER
from aether.server.openmetrics import Family

_US = 1_000_000
_TYPE = ("workflow_type",)
_STEP = ("workflow_type", "step")
_ACTIVITY = ("activity_type",)
_QUEUE = ("queue", "kind")


def _counter(name: str, about: str, labels: tuple[str, ...] = ()) -> Family:
    return Family(name, "counter", about, labels)


def _gauge(name: str, about: str, labels: tuple[str, ...] = (), unit: str = "") -> Family:
    return Family(name, "gauge", about, labels, unit)


def _seconds(name: str, about: str, labels: tuple[str, ...] = ()) -> Family:
    return Family(f"{name}_seconds", "histogram", about, labels, "seconds", _US)


def _sizes(name: str, unit: str, about: str, labels: tuple[str, ...] = ()) -> Family:
    return Family(f"{name}_{unit}", "histogram", about, labels, unit)


RUNS_STARTED = _counter("workflows_started", "Runs started.", _TYPE)
RUNS_COMPLETED = _counter("workflows_completed", "Runs closed, by outcome.", ("workflow_type", "outcome"))
REPLAYS = _counter(
    "replays", "Runs that a worker had to replay: after a loss, or since none had it in memory.", (*_TYPE, "reason")
)
REPLAY_EVENTS = _counter("replay_events", "Events of runs that workers had to replay.")
SIGNALS = _counter("signals_received", "Signals.", _TYPE)
BLOCKED = _counter("nondeterminism_errors", "Runs whose history the code of a worker did not fit.", _TYPE)
START_LAG = _seconds("workflow_start_lag", "From when a run might have started until a worker had it.", _TYPE)
RUN_DURATION = _seconds("workflow_duration", "From the start of a run to its end.", (*_TYPE, "outcome"))
RUN_BUSY = _seconds("workflow_task_duration", "How long a run took a slot of its worker, each time.", _TYPE)
HISTORY_LENGTH = _sizes("history_length", "events", "Events of runs that closed.")
PAYLOADS = _sizes(
    "payload_size", "bytes", "What runs and activities were given, what they and steps returned.", ("kind",)
)
STEPS_COMPLETED = _counter("steps_completed", "Steps recorded, by outcome.", (*_STEP, "outcome"))
STEP_RETRIES = _counter("step_retries", "Attempts of steps that failed and are made again.", _STEP)
STEP_DURATION = _seconds("step_duration", "Attempts of steps that completed.", _STEP)
ACTIVITIES_SCHEDULED = _counter("activities_scheduled", "Activities asked for.", _ACTIVITY)
ACTIVITY_ATTEMPTS = _counter("activity_attempts", "Attempts given to a worker.", _ACTIVITY)
ACTIVITIES_COMPLETED = _counter("activities_completed", "Activities that ended, by outcome.", (*_ACTIVITY, "outcome"))
ACTIVITY_RETRIES = _counter("activity_retries", "Attempts that failed and are made again.", _ACTIVITY)
ACTIVITIES_LOST = _counter("activity_attempts_lost", "Attempts whose worker went away.", _ACTIVITY)
ACTIVITY_DURATION = _seconds("activity_duration", "Attempts of activities that completed.", _ACTIVITY)
TASKS_ADDED = _counter("tasks_added", "Tasks that became ready.", _QUEUE)
TASKS_DISPATCHED = _counter("tasks_dispatched", "Tasks given to a worker.", _QUEUE)
TASKS_EXPIRED = _counter("tasks_expired", "Tasks whose worker went away with them.", _QUEUE)
QUEUE_WAIT = _seconds(
    "task_queue_wait",
    "From when a run that begins or has news, or an attempt, was ready until a worker had it.",
    _QUEUE,
)
QUEUE_DEPTH = _gauge("queue_depth", "Tasks that are ready and wait for a worker.", _QUEUE)
QUEUE_AGE = _gauge("queue_oldest_ready_age_seconds", "Age of the task that waits longest.", _QUEUE, "seconds")
TIMERS_FIRED = _counter("timers_fired", "Timers that fired.")
TIMER_LAG = _seconds("timer_lag", "How late timers fired.")
TIMERS_PENDING = _gauge("timers_pending", "Deadlines to come: timers, retries, limits of time, sessions.")
WORKERS = _gauge("workers", "Workers that are connected.", ("queue",))
WORKER_SLOTS = _gauge("worker_slots", "Slots of workers.", ("queue", "kind", "state"))
WORKERS_LOST = _counter("worker_heartbeats_missed", "Workers that fell silent.")
RUNS = _gauge("workflows", "Runs that the database holds.", ("state",))
RUNS_OPEN = _gauge("workflows_open", "Open runs by what they do.", ("detail",))
EVENTS = _counter("events", "Events recorded.")
COMMITS = _counter("storage_commits", "Transactions, by result.", ("result",))
ROWS_WRITTEN = _counter("storage_rows_written", "Rows written.")
BYTES_WRITTEN = _counter("storage_bytes_written", "Bytes of events written to disk.")
COMMIT_DURATION = _seconds("storage_commit_duration", "Transactions, with the sync to disk.")
BATCH = _sizes("storage_batch", "decisions", "Decisions in one transaction.")
WRITER_QUEUE = _gauge("storage_writer_queue", "Decisions that wait for the disk.")
UNWRITTEN = _gauge("storage_unwritten_seconds", "How far the disk is behind with what was told.", unit="seconds")
DATABASE_BYTES = _gauge("storage_database_bytes", "Size of the database file.", unit="bytes")
WAL_BYTES = _gauge("storage_wal_bytes", "Size of its write-ahead log.", unit="bytes")
CACHE_RUNS = _gauge("cache_workflows", "Open runs whose events are in memory.")
CACHE_BYTES = _gauge("cache_bytes", "Size of those events.", unit="bytes")
API_REQUESTS = _counter("api_requests", "Calls that ended, over gRPC and from the page.", ("method", "code"))
API_DURATION = _seconds("api_request_duration", "Calls that do not wait for something to happen.", ("method",))
CONNECTIONS = _gauge("connections", "Connections of clients and workers.")
SSE_CLIENTS = _gauge("sse_clients", "Streams of server-sent events that are open.")
SSE_DROPPED = _counter("sse_dropped", "Events that were left out because a stream was not read in time.")
SPANS = _counter("trace_spans", "Spans that a collector was given: sent, or refused by it.", ("result",))
SPANS_FAILED = _counter("trace_send_failures", "How often a collector could not be reached, or asked to wait.")
SPANS_DROPPED = _counter("trace_events_dropped", "Events of which no spans are told, because too many waited.")
SPANS_BEHIND = _gauge("trace_events_behind", "Events that wait to become spans.")
LOOP_LAG = _seconds("event_loop_lag", "How late the event loop was, looked at four times a second.")
INBOX = _gauge("engine_inbox", "What came in and waits for the engine.")
READY = _gauge("ready", "1 if new work is taken.")
OVERFLOW = _counter("metrics_label_overflow", f"How often something was counted as {OTHER}.")
LOGGED = _counter("log_messages", "Log lines, by level.", ("level",))
LOG_LEFT_OUT = _counter("log_left_out", "Log lines that nobody took, or of which there were too many.", ("reason",))
BUILD = _gauge("build_info", "What runs here.", ("version", "python", "trio", "persistence"))
STARTED_AT = _gauge("start_time_seconds", "When the server started, since 1970.", unit="seconds")
CPU = _counter("process_cpu_seconds", "CPU time, user and system.")
PROCESS_STARTED_AT = _gauge("process_start_time_seconds", "When the process started, since 1970.", unit="seconds")
RSS = _gauge("process_resident_memory_bytes", "Resident memory.", unit="bytes")
VIRTUAL = _gauge("process_virtual_memory_bytes", "Virtual memory.", unit="bytes")
FDS = _gauge("process_open_fds", "Open file descriptors.")
FDS_MAX = _gauge("process_max_fds", "The most that may be open.")
PYTHON = _gauge("python_info", "What Python this is.", ("implementation", "version"))
GC = _counter("python_gc_collections", "Collections of garbage.", ("generation",))
GC_COLLECTED = _counter("python_gc_objects_collected", "Objects that collections freed.", ("generation",))
GC_UNCOLLECTABLE = _counter("python_gc_objects_uncollectable", "Objects that could not be freed.", ("generation",))
