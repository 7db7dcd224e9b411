"""Forks: a new run shares the history of another one up to an event, and goes on from there.

`plan` cuts a history. What was over at the event is kept, and is over in the new run. What was not over begins anew:

    activities, children   their events are left out, so the code asks for them again; attempts count from 1
    steps between attempts the same, but one that the code may have given up is kept as it was
    timers                 kept, with the time at which they fire
    promises               kept open, under the token of the new run, with the time at which they expire
    signals                those that had come are kept
    pauses                 left out: whoever forks a run wants the new one to run

A child that was started with `spawn` and is open can not be left out when the code has gone on behind it; nor can a run
go on that was asked to stop. Such an event is refused, and the nearest earlier one that will do is named.

`retry_point` finds the last event before what made a run fail. `fork` is the engine's rule: all events of the new run
are recorded in one decision, so a crash leaves all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import define, evolve, field

from aether.core import lifecycle
from aether.core.effects import EventRecorded, RunChanged, Started
from aether.core.inputs import ForkRun
from aether.core.run import Promise, Run, Timer, fold
from aether.core.state import State
from aether.errors import InvalidArgument, LimitExceeded, WorkflowAlreadyExists, WorkflowClosed
from aether.model import events as e
from aether.model.payload import Failure
from aether.model.runs import RunState

# Runs that come from one run are found by this tag, whose value is that run's id.
FORK_TAG = "forked_from"

_CLOSING = (e.RunCompleted, e.RunFailed, e.RunCancelled)
_PAUSES = (e.RunPaused, e.RunResumed)
# What begins something that may not be over, what goes on with it, and what ends it. By kind: nothing keeps a worker
# from recording a step where a child is at work.
_STEP, _ACTIVITY, _CHILD = "step", "activity", "child"
_BEGINS: dict[type, str] = {e.StepRetried: _STEP, e.ActivityScheduled: _ACTIVITY, e.ChildStarted: _CHILD}
_GOES_ON: dict[type, str] = {
    e.TimerFired: _STEP,
    e.ActivityStarted: _ACTIVITY,
    e.ActivityProgressed: _ACTIVITY,
    e.ActivityRetried: _ACTIVITY,
    e.ActivityCancelRequested: _ACTIVITY,
    e.ChildCancelRequested: _CHILD,
}
_ENDS: dict[type, str] = {
    e.StepCompleted: _STEP,
    e.StepFailed: _STEP,
    e.TimerCancelled: _STEP,
    e.ActivityCompleted: _ACTIVITY,
    e.ActivityFailed: _ACTIVITY,
    e.ActivityCancelled: _ACTIVITY,
    e.ChildCompleted: _CHILD,
    e.ChildFailed: _CHILD,
    e.ChildCancelled: _CHILD,
}
# What code does to what it does not wait for any more, as a race does that was won, or a deadline that was not needed.
_GIVES_UP = (
    e.TimerCancelled,
    e.ActivityCancelRequested,
    e.ActivityCancelled,
    e.ChildCancelRequested,
    e.ChildCancelled,
    e.PromiseDropped,
)
_STEP_GOES_ON = (e.StepRetried, e.StepCompleted, e.StepFailed)
_FAILS = (e.StepFailed, e.ActivityFailed, e.ChildFailed, e.PromiseRejected)
_WORK = (e.StepCompleted, e.ActivityCompleted, e.ChildCompleted)


def plan(history: Sequence[e.Event], at_seq: int) -> tuple[e.Event, ...]:
    """What a fork at that event begins with, still under the ids of where it comes from. Raises InvalidArgument."""
    if not 1 <= at_seq <= len(history):
        raise InvalidArgument(f"there is no event {at_seq}: the history has events 1 to {len(history)}", field="at_seq")
    shared = history[:at_seq]
    if isinstance(shared[-1].fact, _CLOSING):
        raise InvalidArgument(f"event {at_seq} is the end of the run; fork at an earlier one", field="at_seq")
    for event in shared:
        if isinstance(event.fact, e.CancelRequested):
            before = f"with event {event.seq} the run was asked to stop; fork at {event.seq - 1} or before"
            raise InvalidArgument(before, field="at_seq")
    left_out = _left_out(history, shared)
    kept = [event for event in shared if event.seq not in left_out and not isinstance(event.fact, _PAUSES)]
    return tuple(evolve(event, seq=seq) for seq, event in enumerate(kept, start=1))


def retry_point(history: Sequence[e.Event]) -> int:
    """Where to fork a run that did not end well. Raises WorkflowClosed when there is nothing to retry."""
    last = history[-1].fact
    if not isinstance(last, e.RunFailed | e.RunCancelled):
        how = "is COMPLETED" if isinstance(last, e.RunCompleted) else "is open"
        raise WorkflowClosed(
            f"the run {how}: there is nothing to retry; to go on from one of its events, fork it there"
        )
    asked = next((event.seq for event in history if isinstance(event.fact, e.CancelRequested)), 0)
    undone = _first_undone(history, last.undo_path)
    failed = None
    if isinstance(last, e.RunFailed):
        failed = _first_cause(history if undone is None else history[: undone.seq - 1], list(_chain(last.failure)))
    if undone is not None:
        before = (asked or (undone if failed is None else failed).seq) - 1
        raise WorkflowClosed(
            f"from event {undone.seq} on the run undid what it had done, of which a retry would not know; to go on "
            f"from event {before} all the same, fork it there"
        )
    if asked:
        _refuse_cleaned_up(history, asked)
        return asked - 1
    if failed is None:
        return len(history) - 1
    _refuse_undone_work(history, failed)
    return failed.seq - 1


def fork(state: State, item: ForkRun) -> None:
    there = state.open_ids.get(item.workflow_id)
    closed_id, _, _ = state.recently_closed.get(item.workflow_id, ("", None, None))
    if item.run_id == (closed_id if there is None else there.run_id):
        # The request is a repetition, and the first one was heard.
        state.reply(item.reply, Started(item.workflow_id, item.run_id, existing=True))
        return
    if there is not None:
        text = f"workflow id {item.workflow_id!r} is open (run {there.run_id}); choose another id, or cancel it first"
        state.reply(item.reply, WorkflowAlreadyExists(text))
        return
    if item.workflow_id in state.withheld:
        state.reply(item.reply, WorkflowAlreadyExists(lifecycle.is_withheld(state, item.workflow_id)))
        return
    if len(item.events) > state.limits.forked_events_max:
        text = f"{len(item.events)} events would be shared; at most {state.limits.forked_events_max}"
        state.reply(item.reply, LimitExceeded(text))
        return
    if len(state.runs) >= state.limits.open_runs_max:
        state.reply(item.reply, LimitExceeded(lifecycle.too_many(state)))
        return
    run = _create(state, item)
    if run.concurrency is not None and run.state is not RunState.PENDING:
        # It has begun, and who has begun keeps his place.
        state.queues.take_up(run.concurrency)
    state.reply(item.reply, Started(item.workflow_id, item.run_id, existing=False))
    for pending in run.pending.values():
        if isinstance(pending, Timer):
            state.timers.arm(("timer", run.key, pending.path), pending.fire_at)
        else:
            # Nothing else that waits is kept.
            assert isinstance(pending, Promise)
            lifecycle.arm_promise(state, run, pending.path)
    lifecycle.begin(state, run)


def _create(state: State, item: ForkRun) -> Run:
    item = evolve(item, events=_not_after(item.events, state.now))
    created = _created(state, item)
    run = Run(
        state.next_run_key,
        item.workflow_id,
        item.run_id,
        created.workflow_type,
        created.task_queue,
        None,
        state.now,
    )
    state.next_run_key += 1
    state.open_run(run, created.tags)
    state.meters.note(run, created, state.now)
    for event in (evolve(item.events[0], fact=created), *item.events[1:]):
        before = run.state
        fold(run, event)
        state.records.append(EventRecorded(run.key, event))
        if run.state is not before:
            state.records.append(RunChanged(run.key, run.workflow_type, before, run.state, None))
    state.counters.events += len(item.events)
    state.record(run, e.RunForked(item.source_workflow_id, item.source_run_id, item.at_seq, item.run_id))
    if run.attempts:
        run.interrupted = f"forked from {item.source_workflow_id} at event {item.at_seq}"
    return run


def _not_after(events: tuple[e.Event, ...], now: int) -> tuple[e.Event, ...]:
    """All of it earlier by so much that it lies in the past, if the clock was set back since; what is between stays."""
    ahead = events[-1].at - now
    if ahead <= 0:
        return events
    return tuple(evolve(event, at=event.at - ahead, fact=_earlier(event.fact, ahead)) for event in events)


def _earlier(fact: e.Fact, by: int) -> e.Fact:
    if isinstance(fact, e.TimerStarted):
        return evolve(fact, fire_at=fact.fire_at - by)
    if isinstance(fact, e.StepRetried | e.ActivityRetried):
        return evolve(fact, next_at=fact.next_at - by)
    if isinstance(fact, e.PromiseCreated | e.RunCreated) and fact.expires_at:
        return evolve(fact, expires_at=fact.expires_at - by)
    return fact


def _created(state: State, item: ForkRun) -> e.RunCreated:
    first = item.events[0]
    created = first.fact
    assert isinstance(created, e.RunCreated)
    tags = dict(created.tags) | {FORK_TAG: item.source_run_id}
    return evolve(
        created,
        workflow_id=item.workflow_id,
        run_id=item.run_id,
        parent_workflow_id="",
        parent_run_id="",
        parent_path="",
        start_at=0,
        # It has as long as the other one had.
        expires_at=state.now + created.expires_at - first.at if created.expires_at else 0,
        tags=tuple(sorted(tags.items())),
        forked_from_workflow_id=item.source_workflow_id,
        forked_from_run_id=item.source_run_id,
        forked_at_seq=item.at_seq,
        seed=created.seed or created.run_id,
    )


def _not_over(shared: Sequence[e.Event]) -> list[list[int]]:
    """The events of each thing that was begun and is to begin anew."""
    begun: dict[tuple[str, str], list[int]] = {}
    for event in shared:
        kind, path = type(event.fact), getattr(event.fact, "path", "")
        if kind in _BEGINS:
            begun.setdefault((_BEGINS[kind], path), []).append(event.seq)
        elif kind in _ENDS:
            begun.pop((_ENDS[kind], path), None)
        elif kind in _GOES_ON and (seqs := begun.get((_GOES_ON[kind], path))) is not None:
            seqs.append(event.seq)
    return list(begun.values())


def _left_out(history: Sequence[e.Event], shared: Sequence[e.Event]) -> set[int]:
    """What begins anew. Raises InvalidArgument if what the code did after it rests on a part of that."""
    begun = _not_over(shared)
    last_tries = {seqs[0]: _last_try(shared, seqs) for seqs in begun}
    anew = {seq for seqs in begun for seq in seqs}
    rested_on = _rested_on(shared, set(last_tries.values()), anew)
    for seqs in reversed(begun):
        begins_with = shared[seqs[0] - 1].fact
        if isinstance(begins_with, e.ChildStarted) and seqs[0] in rested_on:
            raise InvalidArgument(
                f"child {begins_with.workflow_id!r} was open and the run had gone on: fork at {seqs[0] - 1} or before, "
                "or at an event by which the child was over",
                field="at_seq",
            )
    # A step that went on later had not been given up.
    went_on = {event.fact.path for event in history[len(shared) :] if isinstance(event.fact, _STEP_GOES_ON)}
    return {
        seq
        for seqs in begun
        if last_tries[seqs[0]] not in rested_on or getattr(shared[seqs[0] - 1].fact, "path", "") in went_on
        for seq in seqs
    }


def _last_try(shared: Sequence[e.Event], seqs: Sequence[int]) -> int:
    """The event behind which the code may have gone on without this. 0: it never does."""
    begins_with = shared[seqs[0] - 1].fact
    if isinstance(begins_with, e.ChildStarted):
        # Not everybody who starts one waits for it.
        return seqs[0]
    # A step that is cancelled between its attempts holds nobody up, and if its timer was faster nothing says so.
    return max((seq for seq in seqs if isinstance(shared[seq - 1].fact, e.StepRetried)), default=0)


def _rested_on(shared: Sequence[e.Event], begun: set[int], anew: set[int]) -> set[int]:
    """Behind which of these events did the code go on, as far as can be told?"""
    rested_on: set[int] = set()
    if not any(begun):
        return rested_on
    # By the branch that opened it and its own path: the number of the call that did, and when something was recorded in
    # it first.
    begins: dict[str, dict[str, tuple[int, int]]] = {}
    for event in shared:
        for opener, number, branch in _branches(getattr(event.fact, "path", "")):
            begins.setdefault(opener, {}).setdefault(branch, (number, event.seq))
    # Of what follows an event: the greatest number in each branch.
    latest: dict[str, int] = {}
    given_up = _GivenUp()
    for event in reversed(shared):
        path = getattr(event.fact, "path", "")
        if event.seq in begun and (
            _is_rested_on(path, event.seq, latest, begins)
            or given_up.may_rest_on(path)
            or (getattr(event.fact, "detached", False) and _is_awaited(path, event.seq, begins))
        ):
            rested_on.add(event.seq)
        for branch, number in _levels(path):
            latest[branch] = max(latest.get(branch, 0), number)
        # What begins anew itself is given up anew.
        if isinstance(event.fact, _GIVES_UP) and event.seq not in anew:
            given_up.add(path)
    return rested_on


def _is_rested_on(child: str, seq: int, latest: dict[str, int], begins: dict[str, dict[str, tuple[int, int]]]) -> bool:
    for branch, number in _levels(child):
        if latest.get(branch, 0) > number:
            return True
        # Branches that were opened before the child are independent of it; if they did nothing yet, nobody knows.
        if any(fork < number and first > seq for fork, first in begins.get(branch, {}).values()):
            return True
    return False


def _is_awaited(path: str, seq: int, begins: dict[str, dict[str, tuple[int, int]]]) -> bool:
    """Is there a branch beside it that may have begun because the path's own had ended, as under a limit?"""
    return any(
        _place(other) > _place(branch) and fork == number and first > seq
        for opener, number, branch in _branches(path)
        for other, (fork, first) in begins[opener].items()
    )


def _place(branch: str) -> int:
    """Among those that were opened with it."""
    return int(branch.rpartition(".")[2])


@define
class _GivenUp:
    """What follows an event and was given up."""

    # Branches in which something was, by what opened them.
    _beside: dict[tuple[str, int], set[str]] = field(factory=dict)
    # The least number in each branch.
    _first: dict[str, int] = field(factory=dict)

    def add(self, path: str) -> None:
        for opener, number, branch in _branches(path):
            self._beside.setdefault((opener, number), set()).add(branch)
        for branch, number in _levels(path):
            self._first[branch] = min(self._first.get(branch, number), number)

    def may_rest_on(self, path: str) -> bool:
        for opener, number, branch in _branches(path):
            ended = self._beside.get((opener, number), set())
            # Beside a branch of the path's: perhaps because that branch had come to its end.
            if ended and branch not in ended:
                return True
        # What was begun before it, a deadline, say: perhaps because what the deadline is for had come to its end.
        return any(self._first.get(branch, number) < number for branch, number in _levels(path))


def _levels(path: str) -> Iterator[tuple[str, int]]:
    """Each branch that a path is in, with the number that it has there; the workflow's own code is branch ""."""
    parts = path.split(".") if path else []
    for at in range(0, len(parts), 2):
        yield ".".join(parts[:at]), int(parts[at])


def _branches(path: str) -> Iterator[tuple[str, int, str]]:
    """Each branch that was opened on the way to a path: where, by the call of which number, and which."""
    parts = path.split(".")
    for at in range(0, len(parts) - 1, 2):
        yield ".".join(parts[:at]), int(parts[at]), ".".join(parts[: at + 2])


def _comes_after(path: str, other: str) -> bool:
    """Does the code that asks for `path` run after it went on behind `other`?"""
    at_other = dict(_levels(other))
    return any(number > at_other[branch] for branch, number in _levels(path) if branch in at_other)


def _chain(failure: Failure) -> Iterator[Failure]:
    yield failure
    for cause in failure.causes:
        yield from _chain(cause)


def _first_cause(history: Sequence[e.Event], chain: Sequence[Failure]) -> e.Event | None:
    """The first event that is a part of why the run failed."""
    parts = {(failure.type, failure.message) for failure in chain}
    for event in history:
        fact = event.fact
        if isinstance(fact, _FAILS) and (fact.failure.type, fact.failure.message) in parts:
            return event
    return None


def _first_undone(history: Sequence[e.Event], undo_path: str) -> e.Event | None:
    """The first event of the steps with which the run undid what it had done."""
    if not undo_path:
        return None
    first = int(undo_path.split(".", maxsplit=1)[0])
    paths = ((event, getattr(event.fact, "path", "")) for event in history)
    return next((event for event, path in paths if path and int(path.split(".")[0]) >= first), None)


def _refuse_cleaned_up(history: Sequence[e.Event], asked: int) -> None:
    """What the code did after it was asked to stop may have undone what came before it.

    The first thing in a branch is what it was at; what comes after that, or began later, is more.
    """
    seen: list[str] = []
    for event in history[asked:]:
        fact, path = event.fact, getattr(event.fact, "path", "")
        began_at = getattr(fact, "started_at", 0)
        if isinstance(fact, _WORK) and (
            began_at > history[asked - 1].at or any(_comes_after(path, other) for other in seen)
        ):
            raise WorkflowClosed(
                f"after it was asked to stop the run did something more (event {event.seq}), of which a retry would "
                f"not know; to go on from event {asked - 1} all the same, fork it there"
            )
        if path:
            seen.append(path)


def _refuse_undone_work(history: Sequence[e.Event], failed: e.Event) -> None:
    """What the code did after the failure may have undone what came before it, and would be forgotten."""
    place = getattr(failed.fact, "path", "")
    for event in history[failed.seq :]:
        if isinstance(event.fact, _WORK) and _comes_after(event.fact.path, place):
            raise WorkflowClosed(
                f"after the failure of event {failed.seq} the run did something more (event {event.seq}), of which a "
                f"retry would not know; to go on from event {failed.seq - 1} all the same, fork it there"
            )
