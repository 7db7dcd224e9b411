"""The command that shows the server's numbers. One call."""

from aether.cli.call import Caller
from aether.cli.moments import duration
from aether.cli.options import show_fields
from aether.cli.output import Format
from aether.cli.records import failure_line
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.plain import iso_time, plain, state_name

# Problems that the table shows; JSON has all.
_PROBLEMS = 5


def show_metrics(server: str, output: Format) -> None:
    answer = Caller(server).unary("/aether.v1.AdminService/GetMetrics", pb.GetMetricsRequest())
    metrics = pb.Metrics.FromString(answer)
    document = plain(metrics)
    show_fields(output, "metrics", _fields(metrics), document, document)


def _fields(metrics: pb.Metrics) -> list[tuple[str, str]]:
    opened = metrics.open
    writer = metrics.writer
    return [
        ("server", f"{metrics.version}, node {metrics.node}, {metrics.persistence}"),
        ("up for", duration(metrics.at_us - metrics.started_at_us)),
        ("fault", metrics.not_ready or metrics.storage_fault),
        ("memory", f"{metrics.rss_bytes / 1_048_576:.1f} MiB"),
        ("runs", _states(metrics)),
        ("open", ", ".join(f"{count} {field.name}" for field, count in opened.ListFields()) or "none"),
        ("since the start", f"{metrics.runs_started} started, {metrics.runs_closed} closed, {metrics.steps} steps"),
        ("start lag", _latency(metrics.start_lag)),
        ("steps", _latency(metrics.step_latency)),
        ("activities", _latency(metrics.activity_latency)),
        ("commits", f"{writer.commits}, {writer.waiting} wait; {_latency(writer.commit)}"),
        ("disk", _lag(metrics)),
        ("engine lag", _latency(metrics.loop_lag)),
        *(("queue", _queue(metrics, row)) for row in metrics.queue_traffic),
        *(("worker", _worker(metrics, worker)) for worker in metrics.workers),
        *(("problem", _problem(problem)) for problem in metrics.problems[:_PROBLEMS]),
    ]


def _lag(metrics: pb.Metrics) -> str:
    if not metrics.snapshot_interval_ms:
        return ""
    return f"{duration(metrics.unwritten_ms * 1000)} behind, {duration(metrics.snapshot_interval_ms * 1000)} at most"


def _states(metrics: pb.Metrics) -> str:
    counts: dict[int, int] = {}
    for row in metrics.runs:
        counts[row.state] = counts.get(row.state, 0) + row.count
    return ", ".join(f"{count} {state_name(state).lower()}" for state, count in sorted(counts.items())) or "none"


def _latency(latency: pb.Latency) -> str:
    if not latency.count:
        return "none in the last minute"
    shares = ", ".join(
        f"{name} {_short(value)}"
        for name, value in (("p50", latency.p50_us), ("p90", latency.p90_us), ("p99", latency.p99_us))
    )
    return f"{latency.count} in the last minute, {shares}"


def _short(length_us: int) -> str:
    return f"{length_us / 1000:.1f} ms" if length_us < 100_000 else duration(length_us)


def _queue(metrics: pb.Metrics, row: pb.QueueTraffic) -> str:
    lines = [each for each in metrics.queues if (each.task_queue, each.kind) == (row.task_queue, row.kind)]
    ready = sum(each.ready for each in lines)
    said = f"{row.task_queue} ({row.kind}): {ready} ready, {row.added} came, {row.taken} taken"
    if not lines:
        return said
    return f"{said}, the oldest waits for {duration(metrics.at_us - min(each.oldest_at_us for each in lines))}"


def _worker(metrics: pb.Metrics, worker: pb.WorkerInfo) -> str:
    slots = [
        f"{used}/{slots} {kind} slots"
        for kind, used, slots in (
            ("workflow", worker.workflow_slots_used, worker.workflow_slots),
            ("activity", worker.activity_slots_used, worker.activity_slots),
        )
    ]
    seen = f"seen {duration(metrics.at_us - worker.last_seen_at_us)} ago"
    return ", ".join([f"{worker.worker_id} on {worker.task_queue}", *slots, seen, *["draining"] * worker.draining])


def _problem(problem: pb.Problem) -> str:
    again = f", {problem.count} times" if problem.count > 1 else ""
    again += ", is tried again" if problem.next_at_us else ""
    where = f"{problem.workflow_id} {problem.kind} {problem.name}"
    return f"{iso_time(problem.at_us)} {where}: {failure_line(problem.failure_type, problem.message)}{again}"
