"""What a run did and when, one row for each thing that took time: events in, rows out.

`Timeline` takes the events of one run in order, as many as there are by now, and can tell its rows at any time. The
first row is the run itself. A row holds every attempt of its thing; of attempt n, `due_at` to `started_at` is the time
in a queue, and from the end of the attempt before to `due_at` it was backing off.

A run's end also ends what it has not waited for: such rows are `ABANDONED`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TypeVar

from attrs import define, field, frozen

from aether.model import events as e
from aether.model.payload import ABORTED, Failure

F = TypeVar("F")
# Of an activity that is tried again and again the newest attempts are kept, and of their messages the beginning: a row
# has to fit into one message.
ATTEMPTS_MAX = 100
_MESSAGE_MAX = 1_000


class RowKind(StrEnum):
    RUN = "run"
    STEP = "step"
    TIMER = "timer"
    ACTIVITY = "activity"
    CHILD = "child"
    PROMISE = "promise"
    SIGNAL = "signal"
    VALUE = "value"


class RowState(StrEnum):
    """The first four are of what is open."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    BACKING_OFF = "backing_off"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"

    @property
    def is_open(self) -> bool:
        return self in _OPEN


_OPEN = (RowState.WAITING, RowState.QUEUED, RowState.RUNNING, RowState.BACKING_OFF)


@frozen
class Attempt:
    """Times are 0 where they are not known: steps that ran when their worker died leave no trace."""

    number: int
    # From when on it could start.
    due_at: int
    started_at: int
    # 0 while it runs.
    ended_at: int = 0
    worker_id: str = ""
    failure: Failure | None = None


@define
class Row:
    path: str
    kind: RowKind
    name: str
    state: RowState
    created_at: int
    # The first and the last event that is about it.
    first_seq: int
    last_seq: int
    # When it began to do something: of an activity its first attempt.
    started_at: int = 0
    # 0 while it is open.
    ended_at: int = 0
    # When a timer fires, the next attempt may start, or a run that is not due begins; 0 if no time is known.
    due_at: int = 0
    # Of the worker that has or had it last.
    worker_id: str = ""
    attempts: deque[Attempt] = field(factory=lambda: deque(maxlen=ATTEMPTS_MAX))
    # How many there were, also those that are not kept.
    attempt_count: int = 0
    # Of the attempt that failed last, or of the thing itself.
    failure: Failure | None = None
    child_workflow_id: str = ""
    child_run_id: str = ""

    @property
    def branch(self) -> str:
        """Path of the branch that it is in; empty for the workflow's own code."""
        return self.path.rpartition(".")[0]

    @property
    def depth(self) -> int:
        """In how many branches, one inside the other, it is; the run itself is outside of all."""
        return self.path.count(".") // 2


class Timeline:
    def __init__(self) -> None:
        self.last_seq = 0
        self._run: Row | None = None
        self._rows: list[Row] = []
        # What waits, or waited last, at a path.
        self._pending: dict[str, Row] = {}

    def add(self, event: e.Event) -> None:
        self.last_seq = event.seq
        rule = _RULES.get(type(event.fact))
        if rule is not None:
            rule(self, event.fact, event)

    def rows(self) -> list[Row]:
        """The run, then what it did in the order of its code, then the signals that it got."""
        run = [self._run] if self._run is not None else []
        return [*run, *sorted(self._rows, key=_place)]

    def changed(self, seq: int) -> list[Row]:
        """Those that an event behind `seq` was about, in the same order."""
        run = [self._run] if self._run is not None and self._run.last_seq > seq else []
        return [*run, *sorted((row for row in self._rows if row.last_seq > seq), key=_place)]

    @property
    def run(self) -> Row:
        assert self._run is not None, "a history begins with RunCreated"
        return self._run

    # For the rules below.

    def begin_run(self, row: Row) -> None:
        self._run = row

    def begin(self, row: Row) -> Row:
        """A row that goes on at its path."""
        self._pending[row.path] = row
        return self.put(row)

    def put(self, row: Row) -> Row:
        self._rows.append(row)
        return row

    def retried(self, path: str) -> Row | None:
        """The step that is to be tried again there."""
        row = self._pending.get(path)
        return row if row is not None and row.kind is RowKind.STEP and row.state.is_open else None

    def touch(self, path: str, event: e.Event) -> Row:
        row = self._pending[path]
        row.last_seq = event.seq
        return row

    def close(self, row: Row, event: e.Event, state: RowState, failure: Failure | None = None) -> None:
        row.last_seq = event.seq
        row.state = state
        row.ended_at = event.at
        if row.kind is not RowKind.TIMER:
            row.due_at = 0
        row.failure = failure
        if row.attempts and not row.attempts[-1].ended_at:
            _end_attempt(row, event.at, failure)

    def close_run(self, event: e.Event, state: RowState, failure: Failure | None = None) -> None:
        self.close(self.run, event, state, failure)
        for row in self._rows:
            if row.state.is_open:
                self.close(row, event, RowState.ABANDONED, row.failure)


def project(events: Iterable[e.Event]) -> list[Row]:
    """The rows of a whole history, or of its beginning."""
    timeline = Timeline()
    for event in events:
        timeline.add(event)
    return timeline.rows()


def _place(row: Row) -> tuple[bool, list[int], int]:
    return not row.path, [int(part) for part in row.path.split(".")] if row.path else [], row.first_seq


def _brief(failure: Failure | None) -> Failure | None:
    return failure and Failure(failure.type, failure.message[:_MESSAGE_MAX])


def _begin_attempt(row: Row, number: int, due_at: int, started_at: int, worker_id: str = "") -> None:
    row.attempts.append(Attempt(number, due_at, started_at, worker_id=worker_id))
    row.attempt_count = number
    row.worker_id = worker_id
    row.due_at = 0


def _end_attempt(row: Row, at: int, failure: Failure | None) -> None:
    last = row.attempts.pop()
    row.attempts.append(
        Attempt(last.number, last.due_at, last.started_at, at, last.worker_id, _brief(failure) or last.failure)
    )


_RULES: dict[type, Callable[[Timeline, e.Fact, e.Event], None]] = {}


def _rule(kind: type[F]) -> Callable[[Callable[[Timeline, F, e.Event], None]], Callable[[Timeline, F, e.Event], None]]:
    def register(rule: Callable[[Timeline, F, e.Event], None]) -> Callable[[Timeline, F, e.Event], None]:
        _RULES[kind] = rule  # type: ignore[assignment]
        return rule

    return register


def _new(path: str, kind: RowKind, name: str, state: RowState, event: e.Event, started_at: int = 0) -> Row:
    return Row(path, kind, name, state, event.at, event.seq, event.seq, started_at)


# The run as a whole.


@_rule(e.RunCreated)
def _(timeline: Timeline, fact: e.RunCreated, event: e.Event) -> None:
    row = _new("", RowKind.RUN, fact.workflow_type, RowState.QUEUED, event)
    row.due_at = fact.start_at
    timeline.begin_run(row)


@_rule(e.RunStarted)
def _(timeline: Timeline, fact: e.RunStarted, event: e.Event) -> None:
    row = timeline.run
    due_at = row.due_at or row.created_at
    if row.attempts:
        # When its worker lost it nobody wrote down; that another one has it is the first that is known of it.
        due_at = event.at
        _end_attempt(row, event.at, Failure("Interrupted", fact.reason))
    _begin_attempt(row, fact.attempt, due_at, event.at, fact.worker_id)
    row.last_seq = event.seq
    row.state = RowState.RUNNING
    row.started_at = row.started_at or event.at


@_rule(e.RunCompleted)
def _(timeline: Timeline, fact: e.RunCompleted, event: e.Event) -> None:
    timeline.close_run(event, RowState.COMPLETED)


@_rule(e.RunFailed)
def _(timeline: Timeline, fact: e.RunFailed, event: e.Event) -> None:
    timeline.close_run(event, RowState.FAILED, fact.failure)


@_rule(e.RunCancelled)
def _(timeline: Timeline, fact: e.RunCancelled, event: e.Event) -> None:
    timeline.close_run(event, RowState.CANCELLED, Failure("Cancelled", fact.reason) if fact.reason else None)


# Steps, whose first outcome is the first that is known of them.


def _step(fact: e.StepCompleted | e.StepFailed | e.StepRetried, event: e.Event) -> Row:
    began = fact.started_at or event.at
    return Row(fact.path, RowKind.STEP, fact.name, RowState.RUNNING, began, event.seq, event.seq, began)


def _step_attempt(row: Row, fact: e.StepCompleted | e.StepFailed | e.StepRetried) -> None:
    started_at = fact.started_at or row.due_at
    _begin_attempt(row, fact.attempt, row.due_at or started_at, started_at)


def _step_over(
    timeline: Timeline, fact: e.StepCompleted | e.StepFailed, event: e.Event, state: RowState, failure: Failure | None
) -> None:
    row = timeline.retried(fact.path) or timeline.put(_step(fact, event))
    _step_attempt(row, fact)
    timeline.close(row, event, state, failure)


@_rule(e.StepCompleted)
def _(timeline: Timeline, fact: e.StepCompleted, event: e.Event) -> None:
    _step_over(timeline, fact, event, RowState.COMPLETED, None)


@_rule(e.StepFailed)
def _(timeline: Timeline, fact: e.StepFailed, event: e.Event) -> None:
    if fact.failure == ABORTED:
        _step_over(timeline, fact, event, RowState.CANCELLED, None)
    else:
        _step_over(timeline, fact, event, RowState.FAILED, fact.failure)


@_rule(e.StepRetried)
def _(timeline: Timeline, fact: e.StepRetried, event: e.Event) -> None:
    row = timeline.retried(fact.path) or timeline.begin(_step(fact, event))
    _step_attempt(row, fact)
    _end_attempt(row, event.at, fact.failure)
    row.last_seq = event.seq
    row.state = RowState.BACKING_OFF
    row.due_at = fact.next_at
    row.failure = fact.failure


# Timers; one that fires at the path of a step lets its next attempt begin.


@_rule(e.TimerStarted)
def _(timeline: Timeline, fact: e.TimerStarted, event: e.Event) -> None:
    row = timeline.begin(_new(fact.path, RowKind.TIMER, "", RowState.WAITING, event, event.at))
    row.due_at = fact.fire_at


@_rule(e.TimerFired)
def _(timeline: Timeline, fact: e.TimerFired, event: e.Event) -> None:
    row = timeline.touch(fact.path, event)
    if row.kind is not RowKind.STEP:
        timeline.close(row, event, RowState.COMPLETED)
    elif row.state is RowState.BACKING_OFF:
        row.state = RowState.RUNNING


@_rule(e.TimerCancelled)
def _(timeline: Timeline, fact: e.TimerCancelled, event: e.Event) -> None:
    row = timeline.touch(fact.path, event)
    if row.state.is_open:
        timeline.close(row, event, RowState.CANCELLED, row.failure)


# Activities.


@_rule(e.ActivityScheduled)
def _(timeline: Timeline, fact: e.ActivityScheduled, event: e.Event) -> None:
    timeline.begin(_new(fact.path, RowKind.ACTIVITY, fact.activity_type, RowState.QUEUED, event))


@_rule(e.ActivityStarted)
def _(timeline: Timeline, fact: e.ActivityStarted, event: e.Event) -> None:
    row = timeline.touch(fact.path, event)
    _begin_attempt(row, fact.attempt, row.due_at or row.created_at, event.at, fact.worker_id)
    row.state = RowState.RUNNING
    row.started_at = row.started_at or event.at


@_rule(e.ActivityRetried)
def _(timeline: Timeline, fact: e.ActivityRetried, event: e.Event) -> None:
    row = timeline.touch(fact.path, event)
    _end_attempt(row, event.at, fact.failure)
    row.state = RowState.BACKING_OFF
    row.due_at = fact.next_at
    row.failure = fact.failure


# What is over, one way or another.


def _over(kind: type, state: RowState) -> None:
    def rule(timeline: Timeline, fact: e.Fact, event: e.Event) -> None:
        row = timeline.touch(fact.path, event)  # type: ignore[union-attr]
        timeline.close(row, event, state, getattr(fact, "failure", None))

    _RULES[kind] = rule


_over(e.ActivityCompleted, RowState.COMPLETED)
_over(e.ActivityFailed, RowState.FAILED)
_over(e.ActivityCancelled, RowState.CANCELLED)
_over(e.ChildCompleted, RowState.COMPLETED)
_over(e.ChildFailed, RowState.FAILED)
_over(e.ChildCancelled, RowState.CANCELLED)
_over(e.PromiseResolved, RowState.COMPLETED)
_over(e.PromiseRejected, RowState.FAILED)
_over(e.PromiseDropped, RowState.CANCELLED)


def _touched(
    timeline: Timeline,
    fact: e.ActivityProgressed | e.ActivityCancelRequested | e.ChildCancelRequested,
    event: e.Event,
) -> None:
    timeline.touch(fact.path, event)


for _kind in (e.ActivityProgressed, e.ActivityCancelRequested, e.ChildCancelRequested):
    _RULES[_kind] = _touched  # type: ignore[assignment]


@_rule(e.ChildStarted)
def _(timeline: Timeline, fact: e.ChildStarted, event: e.Event) -> None:
    row = timeline.begin(_new(fact.path, RowKind.CHILD, fact.workflow_type, RowState.RUNNING, event, event.at))
    row.child_workflow_id, row.child_run_id = fact.workflow_id, fact.run_id


@_rule(e.PromiseCreated)
def _(timeline: Timeline, fact: e.PromiseCreated, event: e.Event) -> None:
    timeline.begin(_new(fact.path, RowKind.PROMISE, fact.name, RowState.WAITING, event, event.at))


# What takes no time.


def _moment(timeline: Timeline, path: str, kind: RowKind, name: str, event: e.Event) -> None:
    row = timeline.put(_new(path, kind, name, RowState.COMPLETED, event, event.at))
    row.ended_at = event.at


@_rule(e.SignalReceived)
def _(timeline: Timeline, fact: e.SignalReceived, event: e.Event) -> None:
    _moment(timeline, "", RowKind.SIGNAL, fact.name, event)


@_rule(e.ValuePublished)
def _(timeline: Timeline, fact: e.ValuePublished, event: e.Event) -> None:
    _moment(timeline, fact.path, RowKind.VALUE, fact.key, event)
