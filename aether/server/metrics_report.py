"""The answer to `GetMetrics`, for all who show numbers: dashboard, page and command line."""

from collections import Counter

from attrs import define, field, frozen

from aether.core.histograms import quantile
from aether.core.meters import Meters, Problem
from aether.core.views import Detail
from aether.server import answers
from aether.server.census import Census
from aether.server.engine_loop import EngineLoop
from aether.server.metrics import Window
from aether.server.process_stats import rss_bytes
from aether.server.readiness import Readiness
from aether.server.trace_stats import TraceStats
from aether.server.traffic import Traffic
from aether.server.writer import BatchWriter
from aether.version import VERSION
from aether.wire.generated.aether.v1 import admin_pb2 as pb


@define
class Streams:
    """Server-sent events: streams that are open, and events that were left out because nobody read them in time."""

    open: int = 0
    dropped: int = 0


@frozen
class MetricsReport:
    loop: EngineLoop
    readiness: Readiness
    census: Census
    node: str
    traffic: Traffic = field(factory=Traffic)
    traces: TraceStats = field(factory=TraceStats)
    streams: Streams = field(factory=Streams)

    async def take(self, *, samples: bool = False) -> pb.Metrics:
        details = await self.census.take()
        loop, writer = self.loop, self.readiness.writer
        now = loop.clock.now()
        meters = loop.engine.state.meters
        minute = loop.metrics.last_minute(now)
        metrics = answers.metrics_of(loop.engine.overview())
        metrics.version = VERSION
        metrics.node = self.node
        metrics.persistence = self.readiness.persistence
        metrics.started_at_us = loop.clock.started_at
        metrics.at_us = now
        metrics.commits = writer.stats.commits
        metrics.connections = self.traffic.connections
        metrics.storage_fault = writer.fault or ""
        metrics.not_ready = self.readiness.fault
        metrics.snapshot_interval_ms = int(self.readiness.tier.interval_s * 1000)
        metrics.unwritten_ms = int(self.readiness.tier.lag_s(writer) * 1000)
        metrics.rss_bytes = rss_bytes()
        metrics.steps = loop.metrics.steps
        metrics.timers_fired = meters.timers_fired
        for workflow_type, state, count in loop.tally:
            metrics.runs.add(workflow_type=workflow_type, state=answers.proto_state(state), count=count)
        _add_traffic(metrics, meters)
        metrics.start_lag.CopyFrom(_latency(minute, "start_lag"))
        metrics.step_latency.CopyFrom(_latency(minute, "step"))
        metrics.activity_latency.CopyFrom(_latency(minute, "activity"))
        metrics.timer_lag.CopyFrom(_latency(minute, "timer_lag"))
        metrics.loop_lag.CopyFrom(_latency(minute, "loop_lag"))
        metrics.writer.CopyFrom(_writer(writer, minute))
        metrics.open.CopyFrom(_open_runs(details))
        metrics.problems.extend(_problem(each) for each in loop.metrics.problems)
        if samples:
            metrics.samples.extend(_sample(window) for window in loop.metrics.last_hour(now))
        return metrics


def _add_traffic(metrics: pb.Metrics, meters: Meters) -> None:
    for (workflow_type,), run in meters.runs.items():
        metrics.run_traffic.add(
            workflow_type=workflow_type,
            started=run.started,
            completed=run.completed,
            failed=run.failed,
            cancelled=run.cancelled,
            replayed=run.recovered + run.evicted,
            signals=run.signals,
            blocked=run.blocked,
        )
    for (workflow_type, name), step in meters.steps.items():
        metrics.step_traffic.add(
            workflow_type=workflow_type,
            step=name,
            completed=step.completed,
            failed=step.failed,
            cancelled=step.cancelled,
            retried=step.retried,
            p50_us=quantile(step.duration.bounds, step.duration.counts, 0.5),
            p99_us=quantile(step.duration.bounds, step.duration.counts, 0.99),
        )
    for (activity_type,), activity in meters.activities.items():
        metrics.activity_traffic.add(
            activity_type=activity_type,
            scheduled=activity.scheduled,
            started=activity.started,
            completed=activity.completed,
            failed=activity.failed,
            cancelled=activity.cancelled,
            retried=activity.retried,
            lost=activity.lost,
            p50_us=quantile(activity.duration.bounds, activity.duration.counts, 0.5),
            p99_us=quantile(activity.duration.bounds, activity.duration.counts, 0.99),
        )
    for (task_queue, kind), queue in meters.queues.items():
        metrics.queue_traffic.add(
            task_queue=task_queue,
            kind=kind,
            added=queue.added,
            taken=queue.taken,
            wait_p50_us=quantile(queue.wait.bounds, queue.wait.counts, 0.5),
            wait_p99_us=quantile(queue.wait.bounds, queue.wait.counts, 0.99),
        )


def _latency(window: Window, name: str) -> pb.Latency:
    return pb.Latency(
        count=window.count(name),
        p50_us=window.quantile(name, 0.5),
        p90_us=window.quantile(name, 0.9),
        p99_us=window.quantile(name, 0.99),
    )


def _writer(writer: BatchWriter, minute: Window) -> pb.Writer:
    return pb.Writer(
        commits=writer.stats.commits,
        rows=writer.stats.rows,
        retries=writer.stats.retries,
        waiting=writer.waiting_count,
        commit=_latency(minute, "commit"),
        batch_p50=minute.quantile("batch", 0.5),
        batch_p99=minute.quantile("batch", 0.99),
    )


def _open_runs(details: Counter[Detail]) -> pb.OpenRuns:
    return pb.OpenRuns(**{str(detail): details[detail] for detail in Detail})


def _problem(problem: Problem) -> pb.Problem:
    return pb.Problem(
        at_us=problem.at,
        kind=problem.kind,
        workflow_id=problem.workflow_id,
        run_id=problem.run_id,
        workflow_type=problem.workflow_type,
        name=problem.name,
        attempt=problem.attempt,
        next_at_us=problem.next_at,
        failure_type=problem.failure_type,
        message=problem.message,
        count=problem.count,
        first_at_us=problem.first_at,
    )


def _sample(window: Window) -> pb.Sample:
    return pb.Sample(
        at_us=window.at,
        span_us=window.span_us,
        start_lag_p50_us=window.quantile("start_lag", 0.5),
        start_lag_p99_us=window.quantile("start_lag", 0.99),
        step_p50_us=window.quantile("step", 0.5),
        step_p99_us=window.quantile("step", 0.99),
        commit_p50_us=window.quantile("commit", 0.5),
        commit_p99_us=window.quantile("commit", 0.99),
        **window.counts,
    )
