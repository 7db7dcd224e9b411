"""What an open run waits for, in one sentence and as data: nothing is open without a reason.

The places in which a run can be are those of `dispatch.py`; what it may have pending is of `run.py`. Each of them has
its words here, and `explain` puts them together.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from aether.core.effects import NotOpen
from aether.core.inputs import ExplainRun
from aether.core.lifecycle import ClosingFact, find
from aether.core.queues import Item, QueueKey, key_of
from aether.core.run import RESTARTED, Activity, Child, Pending, Promise, Run, Timer
from aether.core.sessions import Lease
from aether.core.state import State
from aether.core.views import awaited_turn, lacking_labels, takers_of, why_shut
from aether.model import events as e
from aether.model.events import AwaitedSignal
from aether.model.frozen import frozen
from aether.model.payload import UNREADABLE, Failure
from aether.model.runs import RunState, TaskKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# In the sentence; the reasons are told up to their own bound.
_NAMED_MAX = 5
REASONS_MAX = 100
_MESSAGE_MAX = 500
# Entries of a line that are looked through for a place in it.
_LOOK_MAX = 10_000


class ReasonKind(StrEnum):
    CLOSED = "closed"
    CANCELLING = "cancelling"
    WORKER = "worker"
    SLOT = "slot"
    SIGNAL = "signal"
    QUEUE = "queue"
    LIMIT = "limit"
    NO_WORKER = "no_worker"
    BLOCKED = "blocked"
    PAUSED = "paused"
    START = "start"
    TIMER = "timer"
    RETRY = "retry"
    ACTIVITY = "activity"
    CHILD = "child"
    PROMISE = "promise"


@frozen
class Reason:
    kind: ReasonKind
    # A part of a sentence that tells all of it.
    text: str
    path: str = ""
    # Activity type, child's workflow id, promise, signal, step, or task queue.
    name: str = ""
    # 0 if no time will change it.
    due_at: int = 0
    worker_id: str = ""


@frozen
class Explanation:
    workflow_id: str
    run_id: str
    state: RunState
    sentence: str
    reasons: tuple[Reason, ...]


def explain_run(state: State, item: ExplainRun) -> None:
    run = find(state, item.workflow_id, item.run_id)
    state.reply(item.reply, NotOpen(item.workflow_id, item.run_id) if run is None else explain(state, run))


def explain(state: State, run: Run) -> Explanation:
    """Of an open run."""
    place = _place(state, run)
    pending = [_signal(awaited) for awaited in run.awaits]
    pending += [_pending(state, item) for item in list(run.pending.values())[:REASONS_MAX]]
    sentence = f"workflow {run.workflow_id!r} {_whole(place, pending, len(run.awaits) + len(run.pending))}"
    reasons = [*place, *pending]
    if run.paused:
        why = f" ({run.pause_reason})" if run.pause_reason else ""
        held = Reason(ReasonKind.PAUSED, f"is paused{why} until somebody resumes it")
        reasons.insert(0, held)
        sentence = f"{sentence}; it {held.text}"
    if run.cancel_requested:
        stopping = _cancelling(state, run)
        reasons.insert(0, stopping)
        sentence = f"{sentence}; it {stopping.text}"
    return Explanation(run.workflow_id, run.run_id, run.state, sentence + ".", tuple(reasons))


def explain_end(workflow_id: str, run_id: str, state: RunState, closed_at: int, fact: ClosingFact) -> Explanation:
    """Of a closed run: how it ended."""
    how = ""
    if isinstance(fact, e.RunFailed):
        how = f" with {_said(fact.failure)}"
    elif isinstance(fact, e.RunCancelled) and fact.reason:
        how = f": {fact.reason}"
    text = f"waits for nothing: it ended as {state.name} at {time_text(closed_at)}{how}"
    reason = Reason(ReasonKind.CLOSED, text)
    return Explanation(workflow_id, run_id, state, f"workflow {workflow_id!r} {text}.", (reason,))


def time_text(at: int) -> str:
    """As 2026-11-25T15:04:05Z, in UTC."""
    return (_EPOCH + timedelta(seconds=at // 1_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def span_text(length: int) -> str:
    """A length of time for people: 5 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    seconds = length // 1_000_000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"


def _whole(place: list[Reason], pending: list[Reason], pending_count: int) -> str:
    named = [reason.text for reason in pending[:_NAMED_MAX]]
    more = pending_count - len(named)
    if more:
        named.append(f"{more} more")
    waits = ", and ".join(filter(None, (", ".join(named[:-1]), named[-1]))) if named else ""
    if not place:
        return f"waits for {waits}"
    return f"{place[0].text}, and waits for {waits}" if waits else place[0].text


def _due(state: State, at: int) -> str:
    left = at - state.now
    return f"due at {time_text(at)} (in {span_text(left)})" if left > 0 else f"due since {time_text(at)}"


def _said(failure: Failure) -> str:
    message = failure.message[:_MESSAGE_MAX]
    return f"{failure.type}: {message}" if message else failure.type


def _cancelling(state: State, run: Run) -> Reason:
    until = state.timers.due_at(("grace", run.key, "")) or state.now
    why = f" ({run.cancel_reason})" if run.cancel_reason else ""
    text = f"was asked to stop{why}, cleans up, and is ended at {time_text(until)} at the latest"
    return Reason(ReasonKind.CANCELLING, text, due_at=until)


# Where the run is.


def _place(state: State, run: Run) -> list[Reason]:
    if run.blocked is not None and run.blocked.type == UNREADABLE:
        text = (
            f"is blocked, because its history can not be read from disk ({run.blocked.message[:_MESSAGE_MAX]}); "
            "it is read again for a worker that comes later"
        )
        return [Reason(ReasonKind.BLOCKED, text, name=UNREADABLE)]
    if run.blocked is not None:
        text = (
            f"is blocked, because the code of its worker does not fit its history ({_said(run.blocked)}); "
            "it goes on when a worker that comes later brings code that does"
        )
        return [Reason(ReasonKind.BLOCKED, text, name=run.blocked.type)]
    if run.is_early:
        return [
            Reason(ReasonKind.START, f"begins later: its start is {_due(state, run.start_at)}", due_at=run.start_at)
        ]
    if run.queued and run.interrupted == RESTARTED and not run.pending:
        # That it was parked is known from an event, and this one had none to say it with.
        line = _line(state, run)
        text = (
            "waits for a worker, which finds out whether its code has more to do or waited for a signal when the "
            f"server was restarted: {line.text}"
        )
        return [Reason(line.kind, text, name=run.task_queue)]
    if run.queued:
        since = f" since it was interrupted ({run.interrupted})" if run.interrupted else ""
        line = _line(state, run)
        return [Reason(line.kind, f"waits for a worker{since}: {line.text}", name=run.task_queue)]
    if run.lease is not None and (run.lease.is_waking or not run.lease.is_idle):
        return [_at_worker(state, run.lease)]
    if run.held:
        return [Reason(ReasonKind.PAUSED, "is ready to go on" if run.attempts else "is ready to begin")]
    # Its worker said that only news can make it go on, and there is nothing else that could bring any.
    return [] if run.pending or run.awaits else [Reason(ReasonKind.SIGNAL, "waits for a signal")]


def _at_worker(state: State, lease: Lease) -> Reason:
    session = lease.session
    worker = f"worker {session.worker_id}" + (", which is draining" if session.draining else "")
    gate = session.gate
    if lease.is_waking and gate is not None and gate.paused:
        text = f"has news and waits for {worker}: {gate.why_shut(TaskKind.WORKFLOW)}"
        return Reason(ReasonKind.SLOT, text, worker_id=session.worker_id)
    if lease.is_waking:
        slots = session.slots[TaskKind.WORKFLOW]
        text = f"has news and waits for a slot of {worker}, all {slots} of which are in use"
        return Reason(ReasonKind.SLOT, text, worker_id=session.worker_id)
    text = f"has been executed for {span_text(state.now - lease.busy_since)} by {worker}"
    return Reason(ReasonKind.WORKER, text, worker_id=session.worker_id)


def _line(state: State, item: Item) -> Reason:
    """Why nobody takes it."""
    key = key_of(item)
    what = f"{key.kind.name.lower()} {key.type!r} in task queue {key.task_queue!r}"
    shut = why_shut(state, item)
    also = f", and {shut}" if shut else ""
    if turn := awaited_turn(state, item):
        return Reason(ReasonKind.LIMIT, f"{what} {turn}{also}")
    takers = takers_of(state, key)
    if not takers:
        return Reason(ReasonKind.NO_WORKER, f"no worker is connected that has {what}{also}")
    lacking = lacking_labels(takers, item.labels)
    if lacking:
        return Reason(ReasonKind.NO_WORKER, f"no worker that has {what} has {lacking}{also}")
    if shut:
        return Reason(ReasonKind.QUEUE, f"{what}: {shut}")
    place, count = state.queues.place(key, item, _LOOK_MAX), state.queues.count(key)
    where = f"number {place} of {count}" if place else f"one of {count}"
    return Reason(ReasonKind.QUEUE, f"it is {where} for {what}, and {_who_is_busy(state, key)}")


def _who_is_busy(state: State, key: QueueKey) -> str:
    sessions = [session for session in takers_of(state, key) if session.has_labels(key.labels)]
    draining = sum(session.draining for session in sessions)
    active = len(sessions) - draining
    slots = sum(session.slots[key.kind] for session in sessions if not session.draining)
    full = f"all {slots} slots of the {_workers(active)} that can do it are in use" if active else ""
    leaving = f"{_workers(draining)} that could do it will soon be gone" if draining else ""
    return " and ".join(filter(None, (full, leaving)))


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


# What it waits for.


def _pending(state: State, item: Pending) -> Reason:
    if isinstance(item, Timer):
        return _timer(state, item)
    if isinstance(item, Promise):
        until = f", {_due(state, item.expires_at)}" if item.expires_at else ""
        text = f"promise {item.name!r} at {item.path}, which somebody outside keeps{until}"
        return Reason(ReasonKind.PROMISE, text, item.path, item.name, item.expires_at)
    if isinstance(item, Child):
        return _child(state, item)
    return _activity(state, item)


def _signal(awaited: AwaitedSignal) -> Reason:
    return Reason(ReasonKind.SIGNAL, f"signal {awaited.name!r} at {awaited.path}", awaited.path, awaited.name)


def _timer(state: State, timer: Timer) -> Reason:
    due = _due(state, timer.fire_at)
    if not timer.step_name:
        return Reason(ReasonKind.TIMER, f"the timer at {timer.path}, {due}", timer.path, due_at=timer.fire_at)
    assert timer.last_failure is not None
    text = (
        f"attempt {timer.attempt + 1} of step {timer.step_name!r} at {timer.path}, {due}, "
        f"after {_said(timer.last_failure)}"
    )
    return Reason(ReasonKind.RETRY, text, timer.path, timer.step_name, timer.fire_at)


def _child(state: State, child: Child) -> Reason:
    run = find(state, child.workflow_id, child.run_id)
    doing = f", which is {run.state.name}" if run is not None else ""
    if state.withheld.get(child.workflow_id) == child.run_id:
        doing = ", which can not go on, because its history is damaged on disk"
    asked = " and was asked to stop" if child.cancel_requested else ""
    text = f"its child {child.workflow_id!r} at {child.path}{doing}{asked}"
    return Reason(ReasonKind.CHILD, text, child.path, child.workflow_id)


def _activity(state: State, activity: Activity) -> Reason:
    name, path, due_at, worker_id = activity.activity_type, activity.path, 0, ""
    kind = ReasonKind.ACTIVITY
    failed = f", after {_said(activity.last_failure)}" if activity.last_failure is not None else ""
    if activity.lease is not None:
        session = activity.lease.session
        worker_id = session.worker_id
        draining = ", which is draining" if session.draining else ""
        asked = ", and was asked to stop" if activity.cancel_requested else ""
        text = f"activity {name!r} at {path}, whose attempt {activity.attempt} runs at worker {worker_id}"
        text += f"{draining}{asked}{failed}"
    elif activity.held:
        text = f"attempt {activity.attempt + 1} of activity {name!r} at {path}, which its run holds{failed}"
    elif activity.queued:
        line = _line(state, activity)
        kind = line.kind
        text = f"attempt {activity.attempt + 1} of activity {name!r} at {path}, which waits for a worker ({line.text})"
        text += failed
    else:
        kind, due_at = ReasonKind.RETRY, activity.next_at
        text = f"attempt {activity.attempt + 1} of activity {name!r} at {path}, {_due(state, due_at)}{failed}"
    return Reason(kind, text, path, name, due_at, worker_id)
