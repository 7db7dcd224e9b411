"""A run as it was after any of its events: what was over and how, what was pending, what it had shown and been told."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, mutable

from aether.core.run import Activity, ActivityState, Pending, Run, Timer, fold
from aether.core.views import PendingView, awaited_signals, pending_view
from aether.model import events as e
from aether.model.frozen import frozen
from aether.model.payload import ABORTED, Failure, Payload

# How something ended, by the fact that says so.
_ENDS: dict[type, str] = {
    e.StepCompleted: "completed",
    e.StepFailed: "failed",
    e.TimerFired: "completed",
    e.TimerCancelled: "cancelled",
    e.ActivityCompleted: "completed",
    e.ActivityFailed: "failed",
    e.ActivityCancelled: "cancelled",
    e.ChildCompleted: "completed",
    e.ChildFailed: "failed",
    e.ChildCancelled: "cancelled",
    e.PromiseResolved: "completed",
    e.PromiseRejected: "failed",
    e.PromiseDropped: "cancelled",
}


@frozen
class Outcome:
    """Something that was over."""

    seq: int
    at: int
    path: str
    kind: str
    name: str
    state: str
    attempt: int
    result: Payload | None
    failure: Failure | None


@frozen
class Signal:
    seq: int
    at: int
    name: str
    value: Payload


@mutable(eq=False)
class PastRun:
    """Give it the events in order, from the first one on."""

    run: Run | None = None
    last: e.Event | None = None
    worker_id: str = ""
    outcomes: list[Outcome] = field(factory=list)
    signals: list[Signal] = field(factory=list)
    # Who had the attempt of an activity that runs.
    _workers: dict[str, str] = field(factory=dict)

    def add(self, event: e.Event) -> None:
        fact = event.fact
        if isinstance(fact, e.RunCreated):
            self.run = Run(0, fact.workflow_id, fact.run_id, fact.workflow_type, fact.task_queue, None, event.at)
        assert self.run is not None, "a history begins with RunCreated"
        if isinstance(fact, e.SignalReceived):
            self.signals.append(Signal(event.seq, event.at, fact.name, fact.value))
        elif isinstance(fact, e.RunStarted):
            self.worker_id = fact.worker_id
        elif isinstance(fact, e.ActivityStarted):
            self._workers[fact.path] = fact.worker_id
        elif type(fact) in _ENDS:
            self._note_end(self.run, event)
        fold(self.run, event)
        self.last = event

    def pending(self) -> list[PendingView]:
        """What it waited for. A closed run waits for nothing."""
        assert self.run is not None
        if self.run.state.is_closed:
            return []
        return awaited_signals(self.run) + [self._view(item) for item in self.run.pending.values()]

    def _note_end(self, run: Run, event: e.Event) -> None:
        fact = event.fact
        path: str = fact.path  # type: ignore[union-attr]
        item = run.pending.get(path)
        if isinstance(fact, e.StepCompleted | e.StepFailed):
            kind, name, attempt = "step", fact.name, fact.attempt
        elif isinstance(item, Timer) and item.step_name:
            # The next attempt of a step is due.
            return
        else:
            assert item is not None
            view = pending_view(item)
            kind, name, attempt = view.kind, view.name, view.attempt
        result, failure = getattr(fact, "result", None), getattr(fact, "failure", None)
        end = "cancelled" if failure == ABORTED else _ENDS[type(fact)]
        self.outcomes.append(Outcome(event.seq, event.at, path, kind, name, end, attempt, result, failure))

    def _view(self, item: Pending) -> PendingView:
        runs = isinstance(item, Activity) and item.state is ActivityState.STARTED
        return pending_view(item, self._workers.get(item.path, "") if runs else "")


def past_run(events: Iterable[e.Event]) -> PastRun:
    """After the last of these events."""
    past = PastRun()
    for event in events:
        past.add(event)
    return past
