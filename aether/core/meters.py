"""What the engine counts, as plain numbers: the metrics of one process since it started.

`note` sees each fact together with the run as it was before it; whoever shows numbers reads the attributes. What is
counted is what was decided: it may be on its way to disk still.

Names that come from users (types, steps, queues) may be without end, so each table has at most `series_max` rows;
further names share one row called `OTHER`, and `overflowed` counts how often that happened.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import TypeVar

from attrs import define, evolve, field, frozen

from aether.core.histograms import BYTES, DURATIONS_US, LENGTHS, Histogram
from aether.core.run import Activity, Run, Timer
from aether.model import events as e
from aether.model.payload import ABORTED, UNREADABLE, Failure
from aether.model.runs import TaskKind
from aether.model.tracing import origin_of, traceparent_of

M = TypeVar("M")
F = TypeVar("F")
OTHER = "__other__"
# Of a failure's message: what fits into a line; the run's history has it whole.
_MESSAGE_MAX = 200
# Names of steps belong to a type, so there are more of them.
_STEPS_PER_TYPE = 5


class Table(dict[tuple[str, ...], M]):
    """Meters by the names that they are for. A dict, so that a row that is there is found without a call."""

    def __init__(self, width: int, rows_max: int, make: Callable[[], M]) -> None:
        self.overflowed = 0
        self._other = (OTHER,) * width
        self._rows_max = rows_max
        self._make = make

    def __missing__(self, names: tuple[str, ...]) -> M:
        if len(self) >= self._rows_max:
            self.overflowed += 1
            if self._other in self:
                return self[self._other]
            names = self._other
        row = self[names] = self._make()
        return row


@define(eq=False)
class RunMeter:
    """Of one workflow type."""

    started: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    # Given to a worker again that has to replay it: because the one before was lost, and because none had it in memory.
    recovered: int = 0
    evicted: int = 0
    signals: int = 0
    blocked: int = 0
    # From the moment at which it might have started until a worker had it.
    start_lag: Histogram = field(factory=Histogram)
    # How long it took a slot of its worker, each time, until it had to wait or was over.
    busy: Histogram = field(factory=Histogram)
    completed_duration: Histogram = field(factory=lambda: Histogram(DURATIONS_US))
    failed_duration: Histogram = field(factory=lambda: Histogram(DURATIONS_US))
    cancelled_duration: Histogram = field(factory=lambda: Histogram(DURATIONS_US))


@define(eq=False)
class StepMeter:
    """Of one step of one workflow type."""

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    # Of attempts that completed, as far as workers say when they began.
    duration: Histogram = field(factory=Histogram)


@define(eq=False)
class ActivityMeter:
    """Of one activity type. `lost` are attempts whose worker went away, and are among the retried and failed ones."""

    scheduled: int = 0
    started: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    lost: int = 0
    # Of attempts that completed.
    duration: Histogram = field(factory=Histogram)


@define(eq=False)
class QueueMeter:
    """Of one task queue and one kind of task."""

    added: int = 0
    taken: int = 0
    # Given to a worker that went away with it.
    expired: int = 0
    # From when a task was ready until a worker had it: runs that begin or have news, and attempts.
    wait: Histogram = field(factory=Histogram)


@frozen
class Problem:
    """Something that went wrong in a run, for the list of what went wrong last. `kind` is "run", "step", ..."""

    at: int
    kind: str
    workflow_id: str
    run_id: str
    workflow_type: str
    name: str
    attempt: int
    # When it is tried again; 0: it is not.
    next_at: int
    failure_type: str
    message: str
    # How often the same thing of the same run has gone wrong since `first_at`; `at` and all else is of the last time.
    count: int = 1
    first_at: int = 0
    # Empty if nobody traces the run.
    trace_id: str = ""

    @property
    def subject(self) -> tuple[str, str, str]:
        """What is the same problem again: an attempt after the other of one thing, in one run."""
        return self.run_id, self.kind, self.name

    def after(self, before: Problem) -> Problem:
        """This one together with those that went before."""
        return evolve(self, count=before.count + 1, first_at=before.first_at or before.at)


class Meters:
    def __init__(self, series_max: int) -> None:
        self.runs = Table(1, series_max, RunMeter)
        self.steps = Table(2, _STEPS_PER_TYPE * series_max, StepMeter)
        self.activities = Table(1, series_max, ActivityMeter)
        self.queues = Table(2, series_max, QueueMeter)
        self.timers_fired = 0
        # Workers that fell silent.
        self.workers_lost = 0
        self.timer_lag = Histogram()
        # Events of runs that workers had to replay.
        self.replay_events = 0
        # Events of closed runs.
        self.history_length = Histogram(LENGTHS)
        # Bytes of what runs and activities are given, and of what they and steps return.
        self.inputs = Histogram(BYTES)
        self.outputs = Histogram(BYTES)
        # Spans are told of all runs, so each has a trace.
        self.is_traced = False

    @property
    def overflowed(self) -> int:
        return sum(table.overflowed for table in (self.runs, self.steps, self.activities, self.queues))

    def added(self, queue: str, kind: TaskKind) -> None:
        """A task became ready."""
        self.queues[queue, "workflow" if kind is TaskKind.WORKFLOW else "activity"].added += 1

    def taken(self, queue: str, kind: TaskKind, waited: int) -> None:
        """A worker was given it."""
        row = self.queues[queue, "workflow" if kind is TaskKind.WORKFLOW else "activity"]
        row.taken += 1
        row.wait.observe(waited)

    def woken(self, queue: str, waited: int) -> None:
        """A run that its worker keeps in memory had news, and goes on there."""
        row = self.queues[queue, "workflow"]
        row.added += 1
        row.taken += 1
        row.wait.observe(waited)

    def rested(self, workflow_type: str, busy: int) -> None:
        """A run takes no slot any more."""
        self.runs[workflow_type,].busy.observe(busy)

    def expired(self, queue: str, kind: TaskKind) -> None:
        """The worker that had it is gone."""
        self.queues[queue, "workflow" if kind is TaskKind.WORKFLOW else "activity"].expired += 1

    def replayed(self, run: Run) -> None:
        """A worker is given the history of a run that has begun."""
        row = self.runs[run.workflow_type,]
        if run.interrupted:
            row.recovered += 1
        else:
            row.evicted += 1
        self.replay_events += run.last_seq

    def traceparent(self, run: Run, path: str, attempt: int = 0) -> str:
        """Of what the run does there; empty if nobody traces it."""
        if not (run.traceparent or self.is_traced):
            return ""
        return traceparent_of(origin_of(run.traceparent, run.run_id), run.run_id, path, attempt)

    def trace_id(self, run: Run) -> str:
        """Empty if nobody traces it."""
        return origin_of(run.traceparent, run.run_id).trace_id if run.traceparent or self.is_traced else ""

    def note(self, run: Run, fact: e.Fact, now: int) -> Problem | None:
        """Count a fact of `run`, which is as it was before it; what went wrong, if something did."""
        rule = _RULES.get(type(fact))
        return rule(self, run, fact, now) if rule is not None else None

    def blocked(self, run: Run, failure: Failure, now: int) -> Problem:
        self.runs[run.workflow_type,].blocked += failure.type != UNREADABLE
        return self.problem(run, now, "blocked", run.workflow_type, failure)

    def problem(
        self, run: Run, now: int, kind: str, name: str, failure: Failure, attempt: int = 0, next_at: int = 0
    ) -> Problem:
        return Problem(
            now,
            kind,
            run.workflow_id,
            run.run_id,
            run.workflow_type,
            name,
            attempt,
            next_at,
            failure.type,
            failure.message[:_MESSAGE_MAX],
            trace_id=self.trace_id(run),
        )

    def lasted(self, histogram: Histogram, run: Run, value: int, now: int) -> None:
        histogram.observe(value)
        if self.is_traced or run.traceparent:
            histogram.trace(value, self.trace_id(run), now)


_RULES: dict[type, Callable[[Meters, Run, e.Fact, int], Problem | None]] = {}


def _counts(
    kind: type[F],
) -> Callable[[Callable[[Meters, Run, F, int], Problem | None]], Callable[[Meters, Run, F, int], Problem | None]]:
    def register(
        rule: Callable[[Meters, Run, F, int], Problem | None],
    ) -> Callable[[Meters, Run, F, int], Problem | None]:
        _RULES[kind] = rule  # type: ignore[assignment]
        return rule

    return register


@_counts(e.RunCreated)
def _(meters: Meters, run: Run, fact: e.RunCreated, now: int) -> None:
    meters.runs[run.workflow_type,].started += 1
    meters.inputs.observe(len(fact.input.data))


@_counts(e.RunStarted)
def _(meters: Meters, run: Run, fact: e.RunStarted, now: int) -> None:
    if fact.attempt == 1:
        meters.runs[run.workflow_type,].start_lag.observe(now - max(run.created_at, run.start_at))


@_counts(e.RunCompleted)
def _(meters: Meters, run: Run, fact: e.RunCompleted, now: int) -> None:
    meter = meters.runs[run.workflow_type,]
    meter.completed += 1
    meters.lasted(meter.completed_duration, run, now - run.created_at, now)
    meters.history_length.observe(run.last_seq + 1)
    meters.outputs.observe(len(fact.result.data))


@_counts(e.RunFailed)
def _(meters: Meters, run: Run, fact: e.RunFailed, now: int) -> Problem:
    meter = meters.runs[run.workflow_type,]
    meter.failed += 1
    meters.lasted(meter.failed_duration, run, now - run.created_at, now)
    meters.history_length.observe(run.last_seq + 1)
    return meters.problem(run, now, "run", run.workflow_type, fact.failure)


@_counts(e.RunCancelled)
def _(meters: Meters, run: Run, fact: e.RunCancelled, now: int) -> None:
    meter = meters.runs[run.workflow_type,]
    meter.cancelled += 1
    meters.lasted(meter.cancelled_duration, run, now - run.created_at, now)
    meters.history_length.observe(run.last_seq + 1)


@_counts(e.SignalReceived)
def _(meters: Meters, run: Run, fact: e.SignalReceived, now: int) -> None:
    meters.runs[run.workflow_type,].signals += 1


@_counts(e.StepCompleted)
def _(meters: Meters, run: Run, fact: e.StepCompleted, now: int) -> None:
    meter = meters.steps[run.workflow_type, fact.name]
    meter.completed += 1
    # Not by `observe` and `lasted`: this is on the way of each step.
    outputs, size = meters.outputs, len(fact.result.data)
    outputs.counts[bisect_left(BYTES, size)] += 1
    outputs.total += size
    if fact.started_at:
        took = now - fact.started_at
        meter.duration.observe(took)
        if meters.is_traced or run.traceparent:
            meter.duration.trace(took, meters.trace_id(run), now)


@_counts(e.StepFailed)
def _(meters: Meters, run: Run, fact: e.StepFailed, now: int) -> Problem | None:
    meter = meters.steps[run.workflow_type, fact.name]
    if fact.failure == ABORTED:
        meter.cancelled += 1
        return None
    meter.failed += 1
    return meters.problem(run, now, "step", fact.name, fact.failure, fact.attempt)


@_counts(e.StepRetried)
def _(meters: Meters, run: Run, fact: e.StepRetried, now: int) -> Problem:
    meters.steps[run.workflow_type, fact.name].retried += 1
    return meters.problem(run, now, "step", fact.name, fact.failure, fact.attempt, fact.next_at)


@_counts(e.TimerFired)
def _(meters: Meters, run: Run, fact: e.TimerFired, now: int) -> None:
    meters.timers_fired += 1
    timer = run.pending[fact.path]
    assert isinstance(timer, Timer)
    meters.timer_lag.observe(now - timer.fire_at)


@_counts(e.ActivityScheduled)
def _(meters: Meters, run: Run, fact: e.ActivityScheduled, now: int) -> None:
    meters.activities[fact.activity_type,].scheduled += 1
    meters.inputs.observe(len(fact.input.data))


@_counts(e.ActivityStarted)
def _(meters: Meters, run: Run, fact: e.ActivityStarted, now: int) -> None:
    meters.activities[_activity(run, fact.path).activity_type,].started += 1


@_counts(e.ActivityRetried)
def _(meters: Meters, run: Run, fact: e.ActivityRetried, now: int) -> Problem:
    activity = _activity(run, fact.path)
    meter = meters.activities[activity.activity_type,]
    meter.retried += 1
    meter.lost += fact.failure.type == "WorkerLost"
    return meters.problem(run, now, "activity", activity.activity_type, fact.failure, fact.attempt, fact.next_at)


@_counts(e.ActivityCompleted)
def _(meters: Meters, run: Run, fact: e.ActivityCompleted, now: int) -> None:
    activity = _activity(run, fact.path)
    meter = meters.activities[activity.activity_type,]
    meter.completed += 1
    meters.outputs.observe(len(fact.result.data))
    meters.lasted(meter.duration, run, now - activity.started_at, now)


@_counts(e.ActivityFailed)
def _(meters: Meters, run: Run, fact: e.ActivityFailed, now: int) -> Problem:
    activity = _activity(run, fact.path)
    meter = meters.activities[activity.activity_type,]
    meter.failed += 1
    meter.lost += fact.failure.type == "WorkerLost"
    return meters.problem(run, now, "activity", activity.activity_type, fact.failure, fact.attempt)


@_counts(e.ActivityCancelled)
def _(meters: Meters, run: Run, fact: e.ActivityCancelled, now: int) -> None:
    meters.activities[_activity(run, fact.path).activity_type,].cancelled += 1


def _activity(run: Run, path: str) -> Activity:
    activity = run.pending[path]
    assert isinstance(activity, Activity)
    return activity
