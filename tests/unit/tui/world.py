"""A server as it never was: the same numbers, runs and histories for every picture."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import evolve

import aether
from aether import RunState
from aether.model import events as e
from aether.model.policy import RetryPolicy
from aether_tui.facts import fact_subject, path_of
from aether_tui.known import Known, Look, RunLook
from aether_tui.sizes import micros
from aether_tui.theme import Theme
from aether_tui.ui import Ui, View
from aether_tui.views.scene import Scene

NOW = datetime(2026, 11, 25, 12, 4, 31, tzinfo=UTC)
NOW_US = micros(NOW)
PICTURES = Path(__file__).parent / "pictures"
DECLINED = aether.Failure(
    "CardDeclined",
    "issuer said no (code 51)",
    'Traceback (most recent call last):\n  File "order.py", line 88, in charge',
)
ORDER = ("order-9f2c11", "a" * 32)


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def ago_us(seconds):
    return micros(ago(seconds))


def payload(text):
    return aether.Payload(text.encode())


def run(number, state, workflow_type="order", workflow_id="", closed=None):
    return aether.WorkflowInfo(
        workflow_id=workflow_id or f"{workflow_type}-{number:04}",
        run_id=f"{number:032x}",
        workflow_type=workflow_type,
        task_queue="default",
        state=state,
        created_at=ago(number * 7),
        closed_at=ago(closed) if closed is not None else None,
        parent_workflow_id="",
        history_length=0,
        worker_id="",
        tags={"customer": f"c{number}"},
    )


def doing(what, kind="", name="", attempt=0, due=None, more=0):
    return aether.RunDoing(what, kind, name, attempt, ago(-due) if due is not None else None, more)


def open_run(number, state, *does, **more):
    info = run(number, state, **more)
    return evolve(info, doing=doing(*does), history_length=number * 700, worker_id="wkr-7f3a")


RUNS = (
    open_run(1, RunState.PENDING, "queued"),
    open_run(2, RunState.RUNNING, "retrying", "activity", "charge", 3, 8, 2),
    run(3, RunState.COMPLETED, closed=2),
    run(4, RunState.FAILED, "ingest", closed=20),
    run(5, RunState.CANCELLED, "approval", closed=1),
    open_run(6, RunState.RUNNING, "waiting", "signal", "approve", workflow_id="漢字-🎉-[/red]-שלום"),
    *(run(number, RunState.COMPLETED, closed=number) for number in range(7, 60)),
)


def latency(*values):
    return aether.Latency(100, *values)


METRICS = aether.Metrics(
    version="0.1.0",
    node="node-a",
    persistence="state-action-log",
    started_at=ago(273_840),
    at=NOW,
    runs=(
        aether.StateCount("order", RunState.COMPLETED, 812_345),
        aether.StateCount("order", RunState.FAILED, 42),
        aether.StateCount("order", RunState.CANCELLED, 7),
    ),
    open=aether.OpenRuns(running=1204, queued=318, sleeping=8911, waiting=42, retrying=17, blocked=1, paused=2),
    queues=(
        aether.QueueDepth("default", "workflow", "order", 118, ago(0.4), {}),
        aether.QueueDepth("gpu", "activity", "render", 200, ago(92), {"gpu": "a100"}),
        aether.QueueDepth("lonely", "workflow", "report", 3, ago(4000), {}),
    ),
    queue_traffic=(
        aether.QueueTraffic("default", "workflow", 5000, 4882, 400, 90_000),
        aether.QueueTraffic("gpu", "activity", 900, 700, 4_000_000, 92_000_000),
    ),
    workers=(
        aether.WorkerInfo("wkr-7f3a", "default", ("order", "ingest"), ("charge",), 80, 58, 40, 12, ago(0.4), False, {}),
        aether.WorkerInfo("wkr-gpu-1", "gpu", (), ("render",), 0, 0, 8, 8, ago(14.2), False, {"gpu": "a100"}),
        aether.WorkerInfo("wkr-old", "default", ("order",), (), 80, 3, 0, 0, ago(1), True, {}),
    ),
    problems=(
        aether.Problem(ago(2), "run", *ORDER, "order", "order", 0, None, "CardDeclined", "issuer said no (code 51)"),
        aether.Problem(
            ago(20), "activity", "ingest-77ab", "b" * 32, "ingest", "fetch", 3, ago(-8), "ReadTimeout", "10 s"
        ),
        aether.Problem(ago(90), "blocked", "order-0001", "c" * 32, "order", "order", 0, None, "NonDeterminism", "at 2"),
    ),
    runs_started=900_000,
    runs_closed=812_394,
    steps=4_000_000,
    events=9_000_000,
    commits=1_000_000,
    timers_fired=5000,
    connections=9,
    start_lag=latency(4000, 19_000, 95_000),
    step_latency=latency(11_000, 48_000, 210_000),
    activity_latency=latency(120_000, 900_000, 4_100_000),
    timer_lag=aether.Latency(0, 0, 0, 0),
    loop_lag=latency(120, 400, 2100),
    writer=aether.WriterStats(1_000_000, 9_000_000, 0, 12, latency(1900, 4000, 7100), 34, 120),
    rss_bytes=88_000_000,
    storage_fault="",
    not_ready="",
    samples=tuple(
        aether.Sample(
            at=ago(10 * (30 - number)), span_us=10_000_000, started=1400 + number % 7 * 40, completed=1300 + number * 9,
            failed=number % 3, cancelled=0, steps=19_000 + number % 5 * 900, activities=100,
            events=50_000 + 100 * number,            commits=900, open_runs=10_000, ready=118,
            start_lag_p50_us=1, start_lag_p99_us=1, step_p50_us=1,
            step_p99_us=1, commit_p50_us=1, commit_p99_us=1,
        )
        for number in range(1, 31)
    ),
)  # fmt: skip


CREATED = e.RunCreated(
    *ORDER, "OrderFlow", "default", payload('{"order": "9f2c11", "cents": 4200}'), tags=(("customer", "c77"),)
)
FACTS: tuple[tuple[float, e.Fact], ...] = (
    (87, CREATED),
    (86.9, e.RunStarted("wkr-7f3a", 1)),
    (86.8, e.StepCompleted("1", "reserve_stock", payload('{"items": 10}'), 1, ago_us(86.85))),
    (86.8, e.TimerStarted("2", ago_us(56.8))),
    (56.8, e.TimerFired("2")),
    (56.7, e.ChildStarted("3", "ship-88d1", "d" * 32, "ship")),
    (43.3, e.ChildCompleted("3", payload('"TRK-1"'))),
    (43.2, e.SignalReceived("approve", payload('{"by": "eve", "note": "\\u001b[31mred"}'))),
    (36, e.ActivityScheduled("5", "charge_card", "default", payload("[4200]"), RetryPolicy(max_attempts=3))),
    (35.9, e.ActivityStarted("5", 1, "wkr-7f3a")),
    (35.7, e.ActivityRetried("5", 1, aether.Failure("ReadTimeout", "10 s"), ago_us(34.7))),
    (34.6, e.ActivityStarted("5", 2, "wkr-7f3a")),
    (2.1, e.ActivityFailed("5", 2, DECLINED)),
    (2, e.RunFailed(aether.Failure("ActivityFailed", "charge_card failed", "", (DECLINED,)))),
)  # fmt: skip
EVENTS = tuple(aether.Event(seq, ago_us(seconds), fact) for seq, (seconds, fact) in enumerate(FACTS, 1))


def row(path, kind, name, state, begun, ended, seq, **more):
    fields = {
        "branch": "", "depth": 0, "due_at": None, "worker_id": "", "attempts": (), "attempt_count": 0, "failure": None,
        "child_workflow_id": "", "child_run_id": "", "started_at": ago(begun),
    }  # fmt: skip
    return aether.TimelineRow(
        path=path, kind=kind, name=name, state=state, created_at=ago(begun),
        ended_at=ago(ended) if ended is not None else None, first_seq=seq, last_seq=seq, **fields | more,
    )  # fmt: skip


def attempt(number, due, started, ended, failure=None):
    return aether.Attempt(
        number, ago(due), ago(started), ago(ended) if ended is not None else None, "wkr-7f3a", failure
    )


TIMELINE = (
    row("", "run", "OrderFlow", "failed", 87, 2, 1),
    row("1", "step", "reserve_stock", "completed", 86.9, 86.8, 3, attempts=(attempt(1, 86.9, 86.85, 86.8),)),
    row("2", "timer", "", "completed", 86.8, 56.8, 4, due_at=ago(56.8)),
    row("3", "child", "ship", "completed", 56.7, 43.3, 6, child_workflow_id="ship-88d1", child_run_id="d" * 32),
    row("4.1.1", "promise", "approve", "cancelled", 43, 36, 8, depth=1, branch="4.1"),
    row(
        "5", "activity", "charge_card", "failed", 36, 2.1, 9, worker_id="wkr-7f3a", attempt_count=2, failure=DECLINED,
        attempts=(
            attempt(1, 36, 35.9, 35.7, aether.Failure("ReadTimeout", "10 s")),
            attempt(2, 34.7, 34.6, 2.1, DECLINED),
        ),
    ),
    row("", "signal", "approve", "completed", 43.2, 43.2, 8),
)  # fmt: skip


def order_look(**changes):
    info = evolve(
        run(4, RunState.FAILED, "OrderFlow", ORDER[0], closed=2), run_id=ORDER[1], created_at=ago(87), history_length=14
    )
    status = aether.WorkflowStatus(info, DECLINED, (), False, False, "state-action-log", {})
    look = RunLook(
        NOW_US, ORDER, status, EVENTS, TIMELINE, "it failed: CardDeclined: issuer said no (code 51)",
        names={path: name for event in EVENTS if (path := path_of(event)) and (name := fact_subject(event))},
    )  # fmt: skip
    return evolve(look, **changes)


GATES = (
    aether.QueueInfo("default", False, "", 0, 2, 118, 0, 3, 0),
    aether.QueueInfo("gpu", True, "too hot", 0, 1, 0, 200, 0, 8),
    aether.QueueInfo("held", False, "", 4, 0, 0, 0, 0, 0),
)


def known(metrics=METRICS, runs=RUNS, **look):
    made = Known("http://127.0.0.1:7233")
    made.take_look(Look(NOW_US, metrics, runs, **{"gates": GATES, **look}))
    made.take_run(order_look())
    return made


def with_events():
    """Somebody looked at the log for a while."""
    seen = known()
    seen.note(NOW_US, "NEWS", "wkr-7f3a", "worker registered")
    for event in (
        logged("RunCreated", 9, name="order", path=""),
        logged("RunStarted", 8.9, worker_id="wkr-7f3a", name="", path=""),
        logged("StepRetried", 8, attempt=3, due_at=ago(-7), failure_type="ReadTimeout", message="10 s"),
        logged("TimerStarted", 7, name="", path="2", due_at=ago(-53)),
        logged("SignalReceived", 6, "漢字-🎉-[/red]-שלום", name="approve", path="", dropped=1200),
        logged("ActivityCompleted", 5, name="charge", path="3"),
        logged(
            "RunFailed", 2, "order-9f2c11", name="", path="", failure_type="CardDeclined", message="issuer \x1b[31mno"
        ),
    ):
        seen.take_event(event)
    return seen


def ui(view=View.OVERVIEW, **fields):
    opened = (ORDER,) if view is View.RUN else ()
    return Ui(view, opened, View.WORKFLOWS, **fields)


def logged(kind, seconds=1, workflow_id="order-0002", **fields):
    made: dict[str, Any] = {
        "position": 1, "run_id": "c" * 32, "workflow_type": "order", "task_queue": "default", "seq": 3, "path": "1",
        "name": "pack", "attempt": 1, "due_at": None, "worker_id": "", "failure_type": "", "message": "",
    }  # fmt: skip
    return aether.LoggedEvent(at=ago(seconds), kind=kind, workflow_id=workflow_id, **made | fields)


def scene(chosen=None, width=118, height=32, seen=None, ascii_only=False):
    return Scene(chosen or ui(), seen or known(), width, height, Theme(ascii_only), NOW_US)
