"""Every metric that the server shows to Prometheus: its name, what it means, and where its numbers are.

Names are a promise to those who have built dashboards on them. No id and no text of an error is ever a label.
"""

import gc
import os
import platform
from collections import Counter
from collections.abc import Iterator

import trio

from aether.core.meters import OTHER, Meters
from aether.core.views import Detail, EngineView
from aether.model.runs import RunState
from aether.server import process_stats
from aether.server.engine_loop import EngineLoop
from aether.server.metrics_report import Streams
from aether.server.openmetrics import Family, Rows
from aether.server.readiness import Readiness
from aether.server.telemetry import logged
from aether.version import VERSION

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


RUNS_STARTED = _counter("workflows_started", "Runs started.", _TYPE)
RUNS_COMPLETED = _counter("workflows_completed", "Runs closed, by outcome.", ("workflow_type", "outcome"))
REPLAYS = _counter("replays", "Runs that were given to a worker again.", _TYPE)
SIGNALS = _counter("signals_received", "Signals.", _TYPE)
BLOCKED = _counter("nondeterminism_errors", "Runs whose history the code of a worker did not fit.", _TYPE)
START_LAG = _seconds("workflow_start_lag", "From when a run might have started until a worker had it.", _TYPE)
RUN_DURATION = _seconds("workflow_duration", "From the start of a run to its end.", _TYPE)
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
QUEUE_WAIT = _seconds("task_queue_wait", "From when a task became ready until a worker had it.", _QUEUE)
QUEUE_DEPTH = _gauge("queue_depth", "Tasks that are ready and wait for a worker.", _QUEUE)
QUEUE_AGE = _gauge("queue_oldest_ready_age_seconds", "Age of the task that waits longest.", _QUEUE, "seconds")
TIMERS_FIRED = _counter("timers_fired", "Timers that fired.")
TIMER_LAG = _seconds("timer_lag", "How late timers fired.")
WORKERS = _gauge("workers", "Workers that are connected.", ("queue",))
WORKER_SLOTS = _gauge("worker_slots", "Slots of workers.", ("queue", "kind", "state"))
WORKERS_LOST = _counter("worker_heartbeats_missed", "Workers that fell silent.")
RUNS = _gauge("workflows", "Runs that the database holds.", ("state",))
RUNS_OPEN = _gauge("workflows_open", "Open runs by what they do.", ("detail",))
EVENTS = _counter("events", "Events recorded.")
COMMITS = _counter("storage_commits", "Transactions, by result.", ("result",))
ROWS_WRITTEN = _counter("storage_rows_written", "Rows written.")
COMMIT_DURATION = _seconds("storage_commit_duration", "Transactions, with the sync to disk.")
BATCH = Family("storage_batch_decisions", "histogram", "Decisions in one transaction.")
WRITER_QUEUE = _gauge("storage_writer_queue", "Decisions that wait for the disk.")
UNWRITTEN = _gauge("storage_unwritten_seconds", "How far the disk is behind with what was told.", unit="seconds")
DATABASE_BYTES = _gauge("storage_database_bytes", "Size of the database file.", unit="bytes")
WAL_BYTES = _gauge("storage_wal_bytes", "Size of its write-ahead log.", unit="bytes")
LOOP_LAG = _seconds("event_loop_lag", "How long what came in waited for the engine.")
READY = _gauge("ready", "1 if new work is taken.")
OVERFLOW = _counter("metrics_label_overflow", f"How often something was counted as {OTHER}.")
STREAMS = _gauge("sse_clients", "Streams of server-sent events that are open.")
STREAMS_DROPPED = _counter("sse_dropped", "Events that were left out because a stream was not read in time.")
LOGGED = _counter("log_messages", "Log lines, by level.", ("level",))
BUILD = _gauge("build_info", "What runs here.", ("version", "python", "trio", "persistence"))
STARTED_AT = _gauge("start_time_seconds", "When the server started, since 1970.", unit="seconds")
CPU = _counter("process_cpu_seconds", "CPU time, user and system.")
RSS = _gauge("process_resident_memory_bytes", "Resident memory.", unit="bytes")
FDS = _gauge("process_open_fds", "Open file descriptors.")
FDS_MAX = _gauge("process_max_fds", "The most that may be open.")
GC = _counter("python_gc_collections", "Collections of garbage.", ("generation",))


def families(
    loop: EngineLoop, readiness: Readiness, details: Counter[Detail], database: str
) -> Iterator[tuple[Family, Rows]]:
    """Everything, in the order in which it is shown. `database` is the path of the file, or "memory"."""
    meters = loop.engine.state.meters
    yield from _runs(meters)
    yield from _steps(meters)
    yield from _activities(meters)
    yield from _queues(meters, loop.engine.overview(), loop.clock.now())
    yield TIMERS_FIRED, [((), meters.timers_fired)]
    yield TIMER_LAG, [((), meters.timer_lag)]
    yield from _workers(loop.engine.overview())
    yield WORKERS_LOST, [((), meters.workers_lost)]
    yield RUNS, _states(loop)
    yield RUNS_OPEN, [((str(detail),), details[detail]) for detail in Detail]
    yield from _storage(readiness, database)
    yield EVENTS, [((), loop.engine.state.counters.events)]
    yield LOOP_LAG, [((), loop.metrics.loop_lag)]
    yield READY, [((), int(not readiness.fault))]
    yield OVERFLOW, [((), meters.overflowed)]
    yield LOGGED, [((level,), count) for level, count in logged.items()]
    build = (VERSION, platform.python_version(), trio.__version__, str(readiness.persistence))
    yield BUILD, [(build, 1)]
    yield STARTED_AT, [((), loop.clock.started_at / _US)]
    yield CPU, [((), process_stats.cpu_s())]
    yield RSS, [((), process_stats.rss_bytes())]
    yield FDS, [((), process_stats.open_fds())]
    yield FDS_MAX, [((), process_stats.max_fds())]
    yield GC, [((str(number),), each["collections"]) for number, each in enumerate(gc.get_stats())]


def stream_families(streams: Streams) -> Iterator[tuple[Family, Rows]]:
    yield STREAMS, [((), streams.open)]
    yield STREAMS_DROPPED, [((), streams.dropped)]


def _runs(meters: Meters) -> Iterator[tuple[Family, Rows]]:
    rows = list(meters.runs.items())
    yield RUNS_STARTED, [(names, row.started) for names, row in rows]
    yield (
        RUNS_COMPLETED,
        [
            ((*names, outcome), count)
            for names, row in rows
            for outcome, count in (("completed", row.completed), ("failed", row.failed), ("cancelled", row.cancelled))
        ],
    )
    yield REPLAYS, [(names, row.replayed) for names, row in rows]
    yield SIGNALS, [(names, row.signals) for names, row in rows]
    yield BLOCKED, [(names, row.blocked) for names, row in rows]
    yield START_LAG, ((names, row.start_lag) for names, row in rows)
    yield RUN_DURATION, ((names, row.duration) for names, row in rows)


def _steps(meters: Meters) -> Iterator[tuple[Family, Rows]]:
    rows = list(meters.steps.items())
    yield (
        STEPS_COMPLETED,
        [
            ((*names, outcome), count)
            for names, row in rows
            for outcome, count in (("completed", row.completed), ("failed", row.failed))
        ],
    )
    yield STEP_RETRIES, [(names, row.retried) for names, row in rows]
    yield STEP_DURATION, ((names, row.duration) for names, row in rows)


def _activities(meters: Meters) -> Iterator[tuple[Family, Rows]]:
    rows = list(meters.activities.items())
    yield ACTIVITIES_SCHEDULED, [(names, row.scheduled) for names, row in rows]
    yield ACTIVITY_ATTEMPTS, [(names, row.started) for names, row in rows]
    yield (
        ACTIVITIES_COMPLETED,
        [
            ((*names, outcome), count)
            for names, row in rows
            for outcome, count in (("completed", row.completed), ("failed", row.failed), ("cancelled", row.cancelled))
        ],
    )
    yield ACTIVITY_RETRIES, [(names, row.retried) for names, row in rows]
    yield ACTIVITIES_LOST, [(names, row.lost) for names, row in rows]
    yield ACTIVITY_DURATION, ((names, row.duration) for names, row in rows)


def _queues(meters: Meters, view: EngineView, now: int) -> Iterator[tuple[Family, Rows]]:
    rows = list(meters.queues.items())
    # A queue that had something once is shown with 0, or alerts could not see that it is empty again.
    depths = dict.fromkeys(meters.queues, 0)
    ages = dict.fromkeys(meters.queues, 0.0)
    for line in view.queues:
        names = (line.key.task_queue, line.key.kind.name.lower())
        names = names if names in meters.queues else (OTHER, OTHER)
        depths[names] = depths.get(names, 0) + line.ready
        ages[names] = max(ages.get(names, 0.0), (now - line.oldest_at) / _US)
    yield TASKS_ADDED, [(names, row.added) for names, row in rows]
    yield TASKS_DISPATCHED, [(names, row.taken) for names, row in rows]
    yield QUEUE_DEPTH, list(depths.items())
    yield QUEUE_AGE, list(ages.items())
    yield QUEUE_WAIT, ((names, row.wait) for names, row in rows)


def _workers(view: EngineView) -> Iterator[tuple[Family, Rows]]:
    counts: Counter[tuple[str, ...]] = Counter()
    slots: Counter[tuple[str, ...]] = Counter()
    for worker in view.workers:
        queue = worker.task_queue
        counts[queue,] += 1
        for kind, total, used in (
            ("workflow", worker.workflow_slots, worker.workflow_slots_used),
            ("activity", worker.activity_slots, worker.activity_slots_used),
        ):
            slots[queue, kind, "used"] += used
            slots[queue, kind, "free"] += total - used
    yield WORKERS, list(counts.items())
    yield WORKER_SLOTS, list(slots.items())


def _states(loop: EngineLoop) -> Rows:
    counts: Counter[RunState] = Counter()
    for _, state, count in loop.tally:
        counts[state] += count
    return [((state.name.lower(),), counts[state]) for state in RunState]


def _storage(readiness: Readiness, database: str) -> Iterator[tuple[Family, Rows]]:
    writer, stats = readiness.writer, readiness.writer.stats
    yield COMMITS, [(("ok",), stats.commits), (("retried",), stats.retries)]
    yield ROWS_WRITTEN, [((), stats.rows)]
    yield COMMIT_DURATION, [((), stats.commit_us)]
    yield BATCH, [((), stats.batches)]
    yield WRITER_QUEUE, [((), writer.waiting_count)]
    yield UNWRITTEN, [((), readiness.tier.lag_s(writer))]
    yield DATABASE_BYTES, [((), _size(database))]
    yield WAL_BYTES, [((), _size(f"{database}-wal"))]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a path that may be the word "memory"
    except OSError:
        return 0
