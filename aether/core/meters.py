"""What the engine counts, as plain numbers: the metrics of one process since it started.

`note` sees each fact together with the run as it was before it; whoever shows numbers reads the attributes. What is
counted is what was decided: it may be on its way to disk still.

Names that come from users (types, steps, queues) may be without end, so each table has at most `series_max` rows;
further names share one row called `OTHER`, and `overflowed` counts how often that happened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import define, evolve, field, frozen

from aether.core.histograms import DURATIONS_US, Histogram
from aether.core.run import Activity, Run, Timer
from aether.model import events as e
from aether.model.payload import Failure
from aether.model.runs import TaskKind

M = TypeVar("M")
F = TypeVar("F")
OTHER = "__other__"
# Of a failure's message: what fits into a line; the run's history has it whole.
_MESSAGE_MAX = 200


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
    # Given to a worker again, which has to replay it.
    replayed: int = 0
    signals: int = 0
    blocked: int = 0
    # From the moment at which it might have started until a worker had it.
    start_lag: Histogram = field(factory=Histogram)
    duration: Histogram = field(factory=lambda: Histogram(DURATIONS_US))


@define(eq=False)
class StepMeter:
    """Of one step of one workflow type."""

    completed: int = 0
    failed: int = 0
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
    # From the moment at which a task might have been taken until it was: a run's first, and each attempt.
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
        self.steps = Table(2, series_max, StepMeter)
        self.activities = Table(1, series_max, ActivityMeter)
        self.queues = Table(2, series_max, QueueMeter)
        self.timers_fired = 0
        # Workers that fell silent.
        self.workers_lost = 0
        self.timer_lag = Histogram()

    @property
    def overflowed(self) -> int:
        return sum(table.overflowed for table in (self.runs, self.steps, self.activities, self.queues))

    def added(self, queue: str, kind: TaskKind) -> None:
        """A task became ready."""
        self.queues[queue, _KINDS[kind]].added += 1

    def taken(self, queue: str, kind: TaskKind) -> None:
        """A worker was given it."""
        self.queues[queue, _KINDS[kind]].taken += 1

    def note(self, run: Run, fact: e.Fact, now: int) -> Problem | None:
        """Count a fact of `run`, which is as it was before it; what went wrong, if something did."""
        rule = _RULES.get(type(fact))
        return rule(self, run, fact, now) if rule is not None else None

    def blocked(self, run: Run, failure: Failure, now: int) -> Problem:
        self.runs[run.workflow_type,].blocked += 1
        return _problem(run, now, "blocked", run.workflow_type, failure)


_KINDS = {TaskKind.WORKFLOW: "workflow", TaskKind.ACTIVITY: "activity"}
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


def _problem(run: Run, now: int, kind: str, name: str, failure: Failure, attempt: int = 0, next_at: int = 0) -> Problem:
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
    )


@_counts(e.RunCreated)
def _(meters: Meters, run: Run, fact: e.RunCreated, now: int) -> None:
    meters.runs[run.workflow_type,].started += 1


@_counts(e.RunStarted)
def _(meters: Meters, run: Run, fact: e.RunStarted, now: int) -> None:
    meter = meters.runs[run.workflow_type,]
    if fact.attempt > 1:
        meter.replayed += 1
        return
    waited = now - max(run.created_at, run.start_at)
    meter.start_lag.observe(waited)
    meters.queues[run.task_queue, "workflow"].wait.observe(waited)


@_counts(e.RunCompleted)
def _(meters: Meters, run: Run, fact: e.RunCompleted, now: int) -> None:
    meter = meters.runs[run.workflow_type,]
    meter.completed += 1
    meter.duration.observe(now - run.created_at)


@_counts(e.RunFailed)
def _(meters: Meters, run: Run, fact: e.RunFailed, now: int) -> Problem:
    meter = meters.runs[run.workflow_type,]
    meter.failed += 1
    meter.duration.observe(now - run.created_at)
    return _problem(run, now, "run", run.workflow_type, fact.failure)


@_counts(e.RunCancelled)
def _(meters: Meters, run: Run, fact: e.RunCancelled, now: int) -> None:
    meter = meters.runs[run.workflow_type,]
    meter.cancelled += 1
    meter.duration.observe(now - run.created_at)


@_counts(e.SignalReceived)
def _(meters: Meters, run: Run, fact: e.SignalReceived, now: int) -> None:
    meters.runs[run.workflow_type,].signals += 1


@_counts(e.StepCompleted)
def _(meters: Meters, run: Run, fact: e.StepCompleted, now: int) -> None:
    meter = meters.steps[run.workflow_type, fact.name]
    meter.completed += 1
    if fact.started_at:
        meter.duration.observe(now - fact.started_at)


@_counts(e.StepFailed)
def _(meters: Meters, run: Run, fact: e.StepFailed, now: int) -> Problem:
    meters.steps[run.workflow_type, fact.name].failed += 1
    return _problem(run, now, "step", fact.name, fact.failure, fact.attempt)


@_counts(e.StepRetried)
def _(meters: Meters, run: Run, fact: e.StepRetried, now: int) -> Problem:
    meters.steps[run.workflow_type, fact.name].retried += 1
    return _problem(run, now, "step", fact.name, fact.failure, fact.attempt, fact.next_at)


@_counts(e.TimerFired)
def _(meters: Meters, run: Run, fact: e.TimerFired, now: int) -> None:
    meters.timers_fired += 1
    timer = run.pending[fact.path]
    assert isinstance(timer, Timer)
    meters.timer_lag.observe(now - timer.fire_at)


@_counts(e.ActivityScheduled)
def _(meters: Meters, run: Run, fact: e.ActivityScheduled, now: int) -> None:
    meters.activities[fact.activity_type,].scheduled += 1


@_counts(e.ActivityStarted)
def _(meters: Meters, run: Run, fact: e.ActivityStarted, now: int) -> None:
    activity = _activity(run, fact.path)
    meters.activities[activity.activity_type,].started += 1
    ready_at = activity.next_at or activity.scheduled_at
    meters.queues[activity.task_queue, "activity"].wait.observe(now - ready_at)


@_counts(e.ActivityRetried)
def _(meters: Meters, run: Run, fact: e.ActivityRetried, now: int) -> Problem:
    activity = _activity(run, fact.path)
    meter = meters.activities[activity.activity_type,]
    meter.retried += 1
    meter.lost += fact.failure.type == "WorkerLost"
    return _problem(run, now, "activity", activity.activity_type, fact.failure, fact.attempt, fact.next_at)


@_counts(e.ActivityCompleted)
def _(meters: Meters, run: Run, fact: e.ActivityCompleted, now: int) -> None:
    activity = _activity(run, fact.path)
    meter = meters.activities[activity.activity_type,]
    meter.completed += 1
    meter.duration.observe(now - activity.started_at)


@_counts(e.ActivityFailed)
def _(meters: Meters, run: Run, fact: e.ActivityFailed, now: int) -> Problem:
    activity = _activity(run, fact.path)
    meter = meters.activities[activity.activity_type,]
    meter.failed += 1
    meter.lost += fact.failure.type == "WorkerLost"
    return _problem(run, now, "activity", activity.activity_type, fact.failure, fact.attempt)


@_counts(e.ActivityCancelled)
def _(meters: Meters, run: Run, fact: e.ActivityCancelled, now: int) -> None:
    meters.activities[_activity(run, fact.path).activity_type,].cancelled += 1


def _activity(run: Run, path: str) -> Activity:
    activity = run.pending[path]
    assert isinstance(activity, Activity)
    return activity
