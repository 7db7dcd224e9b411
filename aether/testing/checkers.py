"""What must be true of histories, told without the engine: rules over facts, in the order in which they were written.

`Journal` is shown each commit as it becomes durable and raises at the first fact that no run can have. It knows the
promises that the documentation makes and nothing of how they are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field

from aether.model import events as e
from aether.model.payload import Payload
from aether.model.runs import RunState
from aether.store.interface import Batch, EventRow, RunRow
from aether.testing.places import Places, limit_of
from aether.wire.convert import decode_event


class Violation(AssertionError):
    """A promise was broken."""


@define(eq=False)
class Account:
    """What is known of one run by its facts."""

    row: RunRow
    bodies: list[bytes] = field(factory=list)
    last_at: int = 0
    starts: int = 0
    closing: e.Fact | None = None
    is_cancelled: bool = False
    steps: set[str] = field(factory=set)
    step_names: set[str] = field(factory=set)
    # Path -> what is owed there, and when it is due at the earliest.
    timers: dict[str, int] = field(factory=dict)
    retries_at: dict[str, int] = field(factory=dict)
    activities: dict[str, e.ActivityScheduled] = field(factory=dict)
    attempts: dict[str, int] = field(factory=dict)
    children: dict[str, e.ChildStarted] = field(factory=dict)
    promises: set[str] = field(factory=set)
    kept: set[str] = field(factory=set)
    over: set[str] = field(factory=set)
    # Children that were not made, because their id was taken.
    refused: set[str] = field(factory=set)
    signal_ids: set[str] = field(factory=set)
    published: dict[str, list[Payload]] = field(factory=dict)
    created: e.RunCreated | None = None
    is_paused: bool = False
    # Of a fork: what comes now is its own, not history that it shares.
    is_on_its_own: bool = True

    @property
    def is_fork(self) -> bool:
        return self.created is not None and bool(self.created.forked_from_run_id)


def _need(condition: object, account: Account, what: str) -> None:
    if not condition:
        raise Violation(f"run {account.row.run_id} of {account.row.workflow_id!r}, event {len(account.bodies)}: {what}")


@define(eq=False)
class Journal:
    """All runs by their facts."""

    accounts: dict[int, Account] = field(factory=dict)
    by_run_id: dict[str, Account] = field(factory=dict)
    count: int = 0
    places: Places = field(factory=Places)
    # What happened how often, to tell whether the workload reaches everything.
    kinds: dict[str, int] = field(factory=dict)

    def on_commit(self, batches: Sequence[Batch]) -> None:
        """Raises Violation."""
        for batch in batches:
            for run in batch.runs:
                account = self.accounts[run.key] = self.by_run_id[run.run_id] = Account(run)
                _need(not account.bodies, account, "it is opened twice")
        for batch in batches:
            for row in batch.events:
                self._take(self.accounts[row.run_key], row)
            for change in batch.changes:
                account = self.accounts[change.key]
                state = RunState(change.state)
                _need(state.is_closed == (account.closing is not None), account, f"its state is {state.name}")

    def _take(self, account: Account, row: EventRow) -> None:
        event = decode_event(row.body)
        fact = event.fact
        account.bodies.append(row.body)
        self.count += 1
        name = type(fact).__name__
        self.kinds[name] = self.kinds.get(name, 0) + 1
        _need(row.seq == event.seq == len(account.bodies), account, f"its number is {row.seq}")
        _need(row.at == event.at >= account.last_at, account, f"{name} is older than the event before")
        _need(account.closing is None, account, f"{name} follows the end of the run")
        _need((row.seq == 1) == isinstance(fact, e.RunCreated), account, f"{name} stands at the wrong place")
        account.last_at = event.at
        rule = _RULES.get(type(fact))
        if rule is not None:
            rule(account, fact, event.at)
        self._see_places(account, fact)

    def _see_places(self, account: Account, fact: e.Fact) -> None:
        run_id, places = account.row.run_id, self.places
        is_shared = not account.is_on_its_own
        wrong = ""
        if isinstance(fact, e.RunStarted):
            wrong = places.take(run_id, "", limit_of(account.created), is_shared=is_shared)
        elif isinstance(fact, e.ActivityStarted):
            wrong = places.take(run_id, fact.path, limit_of(account.activities[fact.path]), is_shared=is_shared)
        elif isinstance(fact, e.ActivityRetried | e.ActivityCompleted | e.ActivityFailed | e.ActivityCancelled):
            places.give_back(run_id, fact.path, limit_of(account.activities[fact.path]))
        elif account.closing is not None:
            places.close(run_id)
        _need(not wrong, account, wrong)


def _is_created(account: Account, fact: e.RunCreated, at: int) -> None:
    account.created = fact
    account.is_on_its_own = not fact.forked_from_run_id


def _is_forked(account: Account, fact: e.RunForked, at: int) -> None:
    account.is_on_its_own = True


def _pauses(account: Account, fact: e.RunPaused, at: int) -> None:
    _need(not account.is_paused, account, "it is paused twice")
    account.is_paused = True


def _resumes(account: Account, fact: e.RunResumed, at: int) -> None:
    _need(account.is_paused, account, "it is resumed and was not paused")
    account.is_paused = False


def _starts(account: Account, fact: e.RunStarted, at: int) -> None:
    _need(not account.is_paused, account, "it is given to a worker while it is paused")
    account.starts += 1
    _need(fact.attempt == account.starts, account, f"attempt {fact.attempt} follows attempt {account.starts - 1}")


def _closes(account: Account, fact: e.Fact, at: int) -> None:
    account.closing = fact
    if isinstance(fact, e.RunCompleted):
        _need(account.starts, account, "it is complete and nobody has begun it")
        left = {*account.timers, *account.activities} - account.over
        _need(not left, account, f"it is complete and waits at {sorted(left)}")
    if isinstance(fact, e.RunCancelled):
        # A child may be ended by its parent's end.
        _need(account.is_cancelled or account.row.parent_key, account, "it was cancelled and nobody asked for it")


def _cancels(account: Account, fact: e.CancelRequested, at: int) -> None:
    account.is_cancelled = True


def _step_ends(account: Account, fact: e.StepCompleted | e.StepFailed, at: int) -> None:
    _need(fact.path not in account.steps, account, f"step {fact.name!r} at {fact.path} has a second outcome")
    account.steps.add(fact.path)
    account.step_names.add(fact.name)
    account.retries_at.pop(fact.path, None)


def _step_is_retried(account: Account, fact: e.StepRetried, at: int) -> None:
    _need(fact.path not in account.steps, account, f"step {fact.name!r} is retried after its end")
    _need(fact.next_at >= at, account, "the next attempt lies in the past")
    account.retries_at[fact.path] = account.timers[fact.path] = fact.next_at
    account.over.discard(fact.path)


def _timer_starts(account: Account, fact: e.TimerStarted, at: int) -> None:
    _need(fact.path not in account.timers, account, f"a second timer at {fact.path}")
    _need(fact.fire_at >= at, account, "the timer is due before it is started")
    account.timers[fact.path] = fact.fire_at


def _timer_fires(account: Account, fact: e.TimerFired, at: int) -> None:
    due = account.timers.get(fact.path)
    _need(due is not None and fact.path not in account.over, account, f"no timer waits at {fact.path}")
    assert due is not None
    _need(at >= due, account, f"the timer at {fact.path} fired {due - at} us early")
    account.over.add(fact.path)


def _is_scheduled(account: Account, fact: e.ActivityScheduled, at: int) -> None:
    _need(fact.path not in account.activities, account, f"a second activity at {fact.path}")
    account.activities[fact.path] = fact


def _attempt_starts(account: Account, fact: e.ActivityStarted, at: int) -> None:
    scheduled = account.activities.get(fact.path)
    _need(scheduled is not None, account, f"no activity was scheduled at {fact.path}")
    assert scheduled is not None
    _need(fact.path not in account.over, account, f"the activity at {fact.path} is started after its end")
    _need(not account.is_paused, account, f"attempt {fact.attempt} begins while the run is paused")
    before = account.attempts.get(fact.path, 0)
    _need(fact.attempt == before + 1, account, f"attempt {fact.attempt} follows attempt {before}")
    most = scheduled.retry.max_attempts
    _need(not most or fact.attempt <= most, account, f"attempt {fact.attempt} of {most}")
    _need(at >= account.retries_at.get(fact.path, 0), account, f"attempt {fact.attempt} comes before its time")
    account.attempts[fact.path] = fact.attempt


def _attempt_is_retried(account: Account, fact: e.ActivityRetried, at: int) -> None:
    _need(fact.attempt == account.attempts.get(fact.path), account, f"attempt {fact.attempt} failed and never began")
    account.retries_at[fact.path] = fact.next_at


def _ends(account: Account, fact: Any, at: int) -> None:
    known = {**account.timers, **account.activities, **account.children}
    _need(fact.path in known or fact.path in account.promises, account, f"nothing waits at {fact.path}")
    _need(fact.path not in account.over, account, f"what waits at {fact.path} ends twice")
    account.over.add(fact.path)


def _child_starts(account: Account, fact: e.ChildStarted, at: int) -> None:
    _need(fact.path not in account.children, account, f"a second child at {fact.path}")
    account.children[fact.path] = fact


def _child_fails(account: Account, fact: e.ChildFailed, at: int) -> None:
    _ends(account, fact, at)
    if fact.failure.type == "WorkflowAlreadyExists":
        account.refused.add(fact.path)


def _signalled(account: Account, fact: e.SignalReceived, at: int) -> None:
    _need(fact.signal_id not in account.signal_ids, account, f"signal {fact.signal_id} came twice")
    account.signal_ids.add(fact.signal_id)


def _promises(account: Account, fact: e.PromiseCreated, at: int) -> None:
    _need(fact.path not in account.promises, account, f"a second promise at {fact.path}")
    account.promises.add(fact.path)


def _keeps(account: Account, fact: e.PromiseResolved | e.PromiseRejected, at: int) -> None:
    _ends(account, fact, at)
    account.kept.add(fact.path)


def _publishes(account: Account, fact: e.ValuePublished, at: int) -> None:
    account.published.setdefault(fact.key, []).append(fact.value)


_RULES: dict[type, Callable[[Account, Any, int], None]] = {
    e.RunCreated: _is_created,
    e.RunForked: _is_forked,
    e.RunPaused: _pauses,
    e.RunResumed: _resumes,
    e.RunStarted: _starts,
    e.RunCompleted: _closes,
    e.RunFailed: _closes,
    e.RunCancelled: _closes,
    e.CancelRequested: _cancels,
    e.StepCompleted: _step_ends,
    e.StepFailed: _step_ends,
    e.StepRetried: _step_is_retried,
    e.TimerStarted: _timer_starts,
    e.TimerFired: _timer_fires,
    e.TimerCancelled: _ends,
    e.ActivityScheduled: _is_scheduled,
    e.ActivityStarted: _attempt_starts,
    e.ActivityRetried: _attempt_is_retried,
    e.ActivityCompleted: _ends,
    e.ActivityFailed: _ends,
    e.ActivityCancelled: _ends,
    e.ChildStarted: _child_starts,
    e.ChildCompleted: _ends,
    e.ChildFailed: _child_fails,
    e.ChildCancelled: _ends,
    e.SignalReceived: _signalled,
    e.PromiseCreated: _promises,
    e.PromiseResolved: _keeps,
    e.PromiseRejected: _keeps,
    e.PromiseDropped: _ends,
    e.ValuePublished: _publishes,
}
