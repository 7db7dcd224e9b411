"""Where the numbers are that the server shows to Prometheus: the rows of each metric of `metric_names.py`."""

import gc
import os
import platform
from collections import Counter
from collections.abc import Iterator

import trio

from aether.core.histograms import Histogram
from aether.core.meters import OTHER, Meters, RunMeter
from aether.core.views import Detail, EngineView
from aether.model.runs import RunState
from aether.server import metric_names as n
from aether.server import process_stats
from aether.server.engine_loop import EngineLoop
from aether.server.metrics_report import MetricsReport, Streams
from aether.server.openmetrics import Family, Rows
from aether.server.readiness import Readiness
from aether.server.telemetry import LEVELS, REASONS, left_out, logged
from aether.server.trace_stats import TraceStats
from aether.server.traffic import Traffic
from aether.version import VERSION

_US = 1_000_000
_OUTCOMES = ("completed", "failed", "cancelled")


def families(report: MetricsReport, details: Counter[Detail], database: str) -> Iterator[tuple[Family, Rows]]:
    """Everything, in the order in which it is shown. `database` is the path of the file, or "memory"."""
    loop, readiness = report.loop, report.readiness
    meters, view = loop.engine.state.meters, loop.engine.overview()
    yield from _runs(meters)
    yield from _steps(meters)
    yield from _activities(meters)
    yield from _queues(meters, view, loop.clock.now())
    yield n.TIMERS_FIRED, [((), meters.timers_fired)]
    yield n.TIMER_LAG, [((), meters.timer_lag)]
    yield n.TIMERS_PENDING, [((), len(loop.engine.state.timers))]
    yield from _workers(view)
    yield n.WORKERS_LOST, [((), meters.workers_lost)]
    yield n.RUNS, _states(loop)
    yield n.RUNS_OPEN, [((str(detail),), details[detail]) for detail in Detail]
    yield from _storage(readiness, database)
    yield n.EVENTS, [((), loop.engine.state.counters.events)]
    yield n.CACHE_RUNS, [((), len(loop.histories))]
    yield n.CACHE_BYTES, [((), loop.histories.size_bytes)]
    yield from _traffic(report.traffic, report.streams)
    yield from _traces(report.traces)
    yield n.LOOP_LAG, [((), loop.metrics.loop_lag)]
    yield n.INBOX, [((), loop.waiting_count)]
    yield n.READY, [((), int(not readiness.fault))]
    yield n.OVERFLOW, [((), meters.overflowed)]
    yield n.LOGGED, [((level,), logged[level]) for level in LEVELS]
    yield n.LOG_LEFT_OUT, [((reason,), left_out[reason]) for reason in REASONS]
    build = (VERSION, platform.python_version(), trio.__version__, str(readiness.persistence))
    yield n.BUILD, [(build, 1)]
    yield n.STARTED_AT, [((), loop.clock.started_at / _US)]
    yield from _process()


def _traffic(traffic: Traffic, streams: Streams) -> Iterator[tuple[Family, Rows]]:
    yield n.API_REQUESTS, traffic.requests()
    yield n.API_DURATION, traffic.durations()
    yield n.CONNECTIONS, [((), traffic.connections)]
    yield n.SSE_CLIENTS, [((), streams.open)]
    yield n.SSE_DROPPED, [((), streams.dropped)]


def _traces(traces: TraceStats) -> Iterator[tuple[Family, Rows]]:
    yield n.SPANS, [(("sent",), traces.sent), (("refused",), traces.refused)]
    yield n.SPANS_FAILED, [((), traces.failures)]
    yield n.SPANS_DROPPED, [((), traces.dropped)]
    yield n.SPANS_BEHIND, [((), traces.behind)]


def _process() -> Iterator[tuple[Family, Rows]]:
    yield n.CPU, [((), process_stats.cpu_s())]
    yield n.PROCESS_STARTED_AT, [((), process_stats.started_at_s())]
    yield n.RSS, [((), process_stats.rss_bytes())]
    yield n.VIRTUAL, [((), process_stats.virtual_bytes())]
    yield n.FDS, [((), process_stats.open_fds())]
    yield n.FDS_MAX, [((), process_stats.max_fds())]
    yield n.PYTHON, [((platform.python_implementation(), platform.python_version()), 1)]
    collected = [(str(number), each) for number, each in enumerate(gc.get_stats())]
    for family, key in ((n.GC, "collections"), (n.GC_COLLECTED, "collected"), (n.GC_UNCOLLECTABLE, "uncollectable")):
        yield family, [((number,), each[key]) for number, each in collected]


def _runs(meters: Meters) -> Iterator[tuple[Family, Rows]]:
    rows = list(meters.runs.items())
    yield n.RUNS_STARTED, [(names, row.started) for names, row in rows]
    yield (
        n.RUNS_COMPLETED,
        [
            ((*names, outcome), count)
            for names, row in rows
            for outcome, count in (("completed", row.completed), ("failed", row.failed), ("cancelled", row.cancelled))
        ],
    )
    yield (
        n.REPLAYS,
        [
            ((*names, reason), count)
            for names, row in rows
            for reason, count in (("recovery", row.recovered), ("eviction", row.evicted))
        ],
    )
    yield n.REPLAY_EVENTS, [((), meters.replay_events)]
    yield n.SIGNALS, [(names, row.signals) for names, row in rows]
    yield n.BLOCKED, [(names, row.blocked) for names, row in rows]
    yield n.START_LAG, ((names, row.start_lag) for names, row in rows)
    yield n.RUN_DURATION, (((*names, outcome), each) for names, row in rows for outcome, each in _durations(row))
    yield n.RUN_BUSY, ((names, row.busy) for names, row in rows)
    yield n.HISTORY_LENGTH, [((), meters.history_length)]
    yield n.PAYLOADS, [(("input",), meters.inputs), (("output",), meters.outputs)]


def _durations(row: RunMeter) -> Iterator[tuple[str, Histogram]]:
    """Of outcomes that there were: a type whose runs never fail has no buckets for it."""
    durations = (row.completed_duration, row.failed_duration, row.cancelled_duration)
    return ((outcome, each) for outcome, each in zip(_OUTCOMES, durations, strict=True) if each.count)


def _steps(meters: Meters) -> Iterator[tuple[Family, Rows]]:
    rows = list(meters.steps.items())
    yield (
        n.STEPS_COMPLETED,
        [
            ((*names, outcome), count)
            for names, row in rows
            for outcome, count in (("completed", row.completed), ("failed", row.failed), ("cancelled", row.cancelled))
        ],
    )
    yield n.STEP_RETRIES, [(names, row.retried) for names, row in rows]
    yield n.STEP_DURATION, ((names, row.duration) for names, row in rows)


def _activities(meters: Meters) -> Iterator[tuple[Family, Rows]]:
    rows = list(meters.activities.items())
    yield n.ACTIVITIES_SCHEDULED, [(names, row.scheduled) for names, row in rows]
    yield n.ACTIVITY_ATTEMPTS, [(names, row.started) for names, row in rows]
    yield (
        n.ACTIVITIES_COMPLETED,
        [
            ((*names, outcome), count)
            for names, row in rows
            for outcome, count in (("completed", row.completed), ("failed", row.failed), ("cancelled", row.cancelled))
        ],
    )
    yield n.ACTIVITY_RETRIES, [(names, row.retried) for names, row in rows]
    yield n.ACTIVITIES_LOST, [(names, row.lost) for names, row in rows]
    yield n.ACTIVITY_DURATION, ((names, row.duration) for names, row in rows)


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
    yield n.TASKS_ADDED, [(names, row.added) for names, row in rows]
    yield n.TASKS_DISPATCHED, [(names, row.taken) for names, row in rows]
    yield n.TASKS_EXPIRED, [(names, row.expired) for names, row in rows]
    yield n.QUEUE_DEPTH, list(depths.items())
    yield n.QUEUE_AGE, list(ages.items())
    yield n.QUEUE_WAIT, ((names, row.wait) for names, row in rows)


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
    yield n.WORKERS, list(counts.items())
    yield n.WORKER_SLOTS, list(slots.items())


def _states(loop: EngineLoop) -> Rows:
    counts: Counter[RunState] = Counter()
    for _, state, count in loop.tally:
        counts[state] += count
    return [((state.name.lower(),), counts[state]) for state in RunState]


def _storage(readiness: Readiness, database: str) -> Iterator[tuple[Family, Rows]]:
    writer, stats = readiness.writer, readiness.writer.stats
    yield n.COMMITS, [(("ok",), stats.commits), (("retried",), stats.retries)]
    yield n.ROWS_WRITTEN, [((), stats.rows)]
    yield n.BYTES_WRITTEN, [((), stats.bytes)]
    yield n.COMMIT_DURATION, [((), stats.commit_us)]
    yield n.BATCH, [((), stats.batches)]
    yield n.WRITER_QUEUE, [((), writer.waiting_count)]
    yield n.UNWRITTEN, [((), readiness.tier.lag_s(writer))]
    yield n.DATABASE_BYTES, [((), _size(database))]
    yield n.WAL_BYTES, [((), _size(f"{database}-wal"))]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a path that may be the word "memory"
    except OSError:
        return 0
