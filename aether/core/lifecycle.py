"""How runs begin and end: start, wait for the result, cancel, close, and what that means for parents and children."""

from __future__ import annotations

from collections import deque
from hashlib import blake2b

from aether.core import activity as activities
from aether.core.dispatch import drop_lease, fill, let_go, revoke, unblock, unqueue, wake_run
from aether.core.effects import CancelAccepted, Closed, NotOpen, Started
from aether.core.inputs import AwaitRun, CancelRun, DescribeRun, ForgetAwait, StartRun
from aether.core.run import Activity, Child, Promise, Run, Timer, digest
from aether.core.sessions import Session
from aether.core.state import State
from aether.core.views import describe
from aether.errors import AetherError, LimitExceeded, WorkflowAlreadyExists
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure
from aether.model.runs import IdReusePolicy, ParentClosePolicy, RunState

# Timers of a run as a whole; the others are of its positions.
RUN_TIMERS = ("start", "expiry", "grace")
PROMISE = "promise"
ClosingFact = e.RunCompleted | e.RunFailed | e.RunCancelled
_PARENT_CLOSED = "its parent is closed"


def start(state: State, item: StartRun) -> None:
    there = state.open_ids.get(item.workflow_id)
    if there is None:
        closed_id, closed, _ = state.recently_closed.get(item.workflow_id, ("", None, None))
        if closed_id == item.run_id:
            # The request is a repetition, and the run that the first one made is over.
            existing = Started(item.workflow_id, item.run_id, existing=True)
            state.reply(item.reply, NotOpen(item.workflow_id, item.run_id) if item.awaited else existing)
            return
        refusal = _why_not_anew(state, item, closed)
        if refusal is not None:
            state.reply(item.reply, refusal)
            return
        run = create(state, _created(state, item), None)
        _tell_start(state, item, run, existing=False)
        begin(state, run)
    elif there.workflow_type == item.workflow_type and there.input_digest == digest(item.input):
        _tell_start(state, item, there, existing=True)
    else:
        state.reply(item.reply, already_exists(there, item.workflow_type))


def _tell_start(state: State, item: StartRun, run: Run, *, existing: bool) -> None:
    if item.awaited:
        _wait(state, run, item.reply)
    else:
        state.reply(item.reply, Started(run.workflow_id, run.run_id, existing))


def _created(state: State, item: StartRun) -> e.RunCreated:
    return e.RunCreated(
        item.workflow_id,
        item.run_id,
        item.workflow_type,
        item.task_queue,
        item.input,
        start_at=state.now + item.start_delay_ms * 1000 if item.start_delay_ms else 0,
        expires_at=state.now + item.run_timeout_ms * 1000 if item.run_timeout_ms else 0,
        priority=item.priority,
        tags=item.tags,
        memo=item.memo,
        labels=item.labels,
        concurrency=item.concurrency,
        traceparent=item.traceparent,
    )


def _why_not_anew(state: State, item: StartRun, closed: RunState | None) -> AetherError | None:
    """`closed`: how the last run of that id ended, if that was a moment ago. Others were looked up on disk before."""
    if len(state.runs) >= state.limits.open_runs_max:
        return LimitExceeded(too_many(state))
    if item.awaited and state.waiter_count >= state.limits.waiters_max:
        return LimitExceeded(_too_many_wait(state))
    if item.workflow_id in state.withheld:
        return WorkflowAlreadyExists(is_withheld(state, item.workflow_id))
    if closed is not None and not may_reuse(item.reuse, closed):
        return id_is_used(item.workflow_id, closed)
    return None


def may_reuse(policy: IdReusePolicy, last: RunState) -> bool:
    """May an id be used again whose last run ended so?"""
    if policy is IdReusePolicy.ALLOW_IF_FAILED:
        return last is not RunState.COMPLETED
    return policy is IdReusePolicy.ALLOW


def id_is_used(workflow_id: str, last: RunState) -> WorkflowAlreadyExists:
    return WorkflowAlreadyExists(
        f"workflow id {workflow_id!r} was used before, by a run that is {last.name}, and its reuse was not allowed"
    )


def begin(state: State, run: Run) -> None:
    """A new run: its timers, and its place in a queue if it is due."""
    arm(state, run)
    wake_run(state, run)


def arm(state: State, run: Run) -> None:
    """The timers of the run as a whole."""
    if run.expires_at:
        state.timers.arm(("expiry", run.key, ""), run.expires_at)
    if run.start_at > state.now and run.state is RunState.PENDING:
        run.is_early = True
        state.timers.arm(("start", run.key, ""), run.start_at)
    if run.cancel_requested:
        # From now and not from the request: while the server was down, nobody could clean up.
        state.timers.arm(("grace", run.key, ""), state.now + state.limits.cancel_grace_ms * 1000)


def arm_promise(state: State, run: Run, path: str) -> None:
    """The bound of a promise, if it has one."""
    promise = run.pending[path]
    assert isinstance(promise, Promise)
    if promise.expires_at:
        state.timers.arm((PROMISE, run.key, path), promise.expires_at)


def disarm_promise(state: State, run: Run, promise: Promise) -> None:
    if promise.expires_at:
        state.timers.cancel((PROMISE, run.key, promise.path))


def promise_due(state: State, run: Run, path: str) -> None:
    """Nobody has completed it in time."""
    promise = run.pending[path]
    assert isinstance(promise, Promise)
    failure = Failure("PromiseTimeout", f"nobody has completed promise {promise.name!r} in time")
    state.record(run, e.PromiseRejected(path, failure))
    wake_run(state, run)


def start_due(state: State, run: Run) -> None:
    run.is_early = False
    wake_run(state, run)


def already_exists(there: Run, workflow_type: str) -> WorkflowAlreadyExists:
    other = f"as a {there.workflow_type}" if there.workflow_type != workflow_type else "with another input"
    return WorkflowAlreadyExists(
        f"workflow id {there.workflow_id!r} is open {other} (run {there.run_id}); choose another id, or cancel it first"
    )


def create(state: State, fact: e.RunCreated, parent: Run | None) -> Run:
    """A new run, recorded and not yet placed in a queue."""
    run = Run(
        state.next_run_key,
        fact.workflow_id,
        fact.run_id,
        fact.workflow_type,
        fact.task_queue,
        parent.key if parent else None,
        state.now,
    )
    state.next_run_key += 1
    state.open_run(run, fact.tags)
    state.record(run, fact)
    return run


def find(state: State, workflow_id: str, run_id: str) -> Run | None:
    """The open run of that id; `run_id` empty means whichever it is."""
    run = state.open_ids.get(workflow_id)
    return run if run is not None and run_id in ("", run.run_id) else None


def describe_run(state: State, item: DescribeRun) -> None:
    run = find(state, item.workflow_id, item.run_id)
    state.reply(item.reply, NotOpen(item.workflow_id, item.run_id) if run is None else describe(state, run))


def await_run(state: State, item: AwaitRun) -> None:
    run = find(state, item.workflow_id, item.run_id)
    if run is not None:
        _wait(state, run, item.reply)
        return
    run_id, how, result = state.recently_closed.get(item.workflow_id, ("", None, None))
    if how is None or result is None or item.run_id not in {"", run_id}:
        state.reply(item.reply, NotOpen(item.workflow_id, item.run_id))
    else:
        # It is likely that the result is asked for a moment after its run has closed: that is not worth a look on disk.
        state.reply(item.reply, Closed(item.workflow_id, run_id, how, result, None))


def _wait(state: State, run: Run, reply: object) -> None:
    if state.waiter_count >= state.limits.waiters_max:
        state.reply(reply, LimitExceeded(_too_many_wait(state)))
        return
    state.waiter_count += 1
    if run.awaited_by is None:
        run.awaited_by = {}
    run.awaited_by[reply] = None


def _too_many_wait(state: State) -> str:
    return f"{state.waiter_count} programs wait for results; no room for another"


def forget_await(state: State, item: ForgetAwait) -> None:
    run = state.open_ids.get(item.workflow_id)
    if run is not None and run.awaited_by and item.reply in run.awaited_by:
        del run.awaited_by[item.reply]
        state.waiter_count -= 1


def cancel(state: State, item: CancelRun) -> None:
    run = find(state, item.workflow_id, item.run_id)
    if run is None:
        state.reply(item.reply, NotOpen(item.workflow_id, item.run_id))
        return
    if item.force:
        terminate(state, run, item.reason or "ended by force")
    else:
        request_cancel(state, run, item.reason)
    state.reply(item.reply, CancelAccepted(run.run_id, run.state))


def terminate(state: State, run: Run, reason: str) -> None:
    """End it here and now, whatever its code is doing."""
    if not run.cancel_requested:
        state.record(run, e.CancelRequested(reason))
    _end(state, run, e.RunCancelled(reason), reason)


def request_cancel(state: State, run: Run, reason: str) -> None:
    """Asks the run to stop; one that nobody has begun is over at once."""
    if run.paused and run.state is not RunState.PENDING:
        # Or it could not clean up.
        let_go(state, run)
    if run.cancel_requested:
        return
    state.record(run, e.CancelRequested(reason))
    if run.state is RunState.PENDING:
        close(state, run, e.RunCancelled(reason))
        return
    arm(state, run)
    wake_run(state, run)


def grace_over(state: State, run: Run) -> None:
    seconds = state.limits.cancel_grace_ms / 1000
    terminate(state, run, f"it did not end within {seconds:g} s of being asked to")


def expired(state: State, run: Run) -> None:
    """Its run timeout has passed."""
    seconds = (run.expires_at - run.created_at) / 1e6
    failure = Failure("WorkflowTimeout", f"workflow {run.workflow_id!r} was open for longer than {seconds:g} s")
    _end(state, run, e.RunFailed(failure), failure.message)


def _end(state: State, run: Run, fact: ClosingFact, reason: str) -> None:
    """Close a run that its worker does not know to be over."""
    session = run.lease.session if run.lease is not None else None
    if run.lease is not None:
        revoke(state, run.lease, reason)
    close(state, run, fact)
    if session is not None:
        fill(state, session)


def close(state: State, run: Run, fact: ClosingFact) -> None:
    """The run's last fact, and what becomes of its children.

    Every run is out of all tables before anything follows from its end: what follows would otherwise find it, and wake
    it or start its activities.
    """
    freed: list[Session] = []
    closing = deque([(run, fact)])
    asked: list[Run] = []
    while closing:
        each, last = closing.popleft()
        children = _remove(state, each, last, freed)
        for child in children:
            there = find(state, child.workflow_id, child.run_id)
            if there is None or child.policy is ParentClosePolicy.ABANDON:
                continue
            if child.policy is ParentClosePolicy.CANCEL:
                asked.append(there)
                continue
            if there.lease is not None:
                freed.append(there.lease.session)
                revoke(state, there.lease, _PARENT_CLOSED)
            closing.append((there, e.RunCancelled(_PARENT_CLOSED)))
    for there in asked:
        request_cancel(state, there, _PARENT_CLOSED)
    _tell_parent(state, run, fact)
    # Only now that nothing is left which could take a slot in vain.
    for session in freed:
        fill(state, session)


def _remove(state: State, run: Run, fact: ClosingFact, freed: list[Session]) -> list[Child]:
    """Record the end of the run and take it out of everything; its children, and in `freed` who has a slot now."""
    del state.runs[run.key]
    del state.open_ids[run.workflow_id]
    if run.lease is not None:
        freed.append(run.lease.session)
        drop_lease(state, run.lease)
    unqueue(state, run)
    if run.concurrency is not None and run.state is RunState.RUNNING:
        state.queues.end(run.concurrency)
    if run.blocked is not None:
        unblock(state, run)
    for name in RUN_TIMERS:
        state.timers.cancel((name, run.key, ""))
    children = _clear_pending(state, run, freed)
    state.record(run, fact)
    state.counters.runs_closed += 1
    state.remember_closed(run, fact.result if isinstance(fact, e.RunCompleted) else None)
    _tell_waiters(state, run, fact)
    return children


def _tell_waiters(state: State, run: Run, fact: ClosingFact) -> None:
    if not run.awaited_by:
        return
    outcome = Closed(
        run.workflow_id,
        run.run_id,
        run.state,
        fact.result if isinstance(fact, e.RunCompleted) else None,
        failure_of(fact),
    )
    state.waiter_count -= len(run.awaited_by)
    for reply in run.awaited_by:
        state.reply(reply, outcome)


def failure_of(fact: e.Fact) -> Failure | None:
    """What went wrong, if this is the end of a run; of one that was cancelled, why."""
    if isinstance(fact, e.RunFailed):
        return fact.failure
    return Failure("Cancelled", fact.reason) if isinstance(fact, e.RunCancelled) and fact.reason else None


def hand_out_again(state: State, run: Run, reason: str) -> None:
    """Its worker does not have it any more: another one replays it, unless its history is full."""
    if run.lease is not None or run.state.is_closed:
        # What happened meanwhile has woken it, and somebody has it already; or it ended with its parent.
        return
    if run.last_seq >= state.limits.history_max:
        close(state, run, e.RunFailed(outgrown(state)))
        return
    run.interrupted = reason
    wake_run(state, run)


def outgrown(state: State) -> Failure:
    bound = state.limits.history_max
    return Failure(
        "LimitExceeded", f"its history would grow beyond {bound} events; divide the work among child workflows"
    )


def _clear_pending(state: State, run: Run, freed: list[Session]) -> list[Child]:
    children = []
    for pending in run.pending.values():
        if isinstance(pending, Timer):
            state.timers.cancel(("timer", run.key, pending.path))
        elif isinstance(pending, Promise):
            disarm_promise(state, run, pending)
        elif isinstance(pending, Activity):
            freed += activities.abandon(state, pending)
        else:
            children.append(pending)
    run.pending = {}
    return children


def _tell_parent(state: State, run: Run, fact: ClosingFact) -> None:
    parent = state.runs.get(run.parent_key) if run.parent_key is not None else None
    if parent is None:
        return
    child = parent.pending[run.parent_path]
    assert isinstance(child, Child)
    assert child.run_id == run.run_id
    record_end(state, parent, run.parent_path, fact)
    wake_run(state, parent)


def record_end(state: State, parent: Run, path: str, fact: ClosingFact) -> None:
    """What the end of a child is for its parent."""
    news: e.Fact
    if isinstance(fact, e.RunCompleted):
        news = e.ChildCompleted(path, fact.result)
    elif isinstance(fact, e.RunFailed):
        news = e.ChildFailed(path, fact.failure)
    else:
        news = e.ChildCancelled(path)
    state.record(parent, news)


def catch_up_with_children(state: State, run: Run) -> None:
    """They could not be read when their parent gave them up: they are told now."""
    for pending in list(run.pending.values()):
        if isinstance(pending, Child) and pending.cancel_requested:
            there = find(state, pending.workflow_id, pending.run_id)
            if there is not None:
                request_cancel(state, there, "its parent cancelled it")


def child_of(parent: Run, command: c.StartChild) -> e.ChildStarted:
    """The fact that a command for a child becomes. The child's run id follows from it: randomness is an input."""
    place = f"{parent.run_id}/{parent.last_seq + 1}"
    run_id = blake2b(place.encode(), digest_size=16).hexdigest()
    workflow_id = command.workflow_id or f"{parent.workflow_id}/{command.path}"
    return e.ChildStarted(
        command.path, workflow_id, run_id, command.workflow_type, command.parent_close_policy, command.detached
    )


def begin_child(state: State, parent: Run, command: c.StartChild, fact: e.ChildStarted) -> None:
    """The parent has recorded the child: make it, if there can be one. The caller tells the parent's worker."""
    failure = _why_no_child(state, fact)
    if failure is not None:
        state.record(parent, e.ChildFailed(fact.path, failure))
        return
    run = create(
        state,
        e.RunCreated(
            fact.workflow_id,
            fact.run_id,
            fact.workflow_type,
            command.task_queue or parent.task_queue,
            command.input,
            parent.workflow_id,
            parent.run_id,
            fact.path,
            priority=parent.priority,
            labels=command.labels,
            concurrency=command.concurrency,
            # One that goes on for itself has a trace for itself.
            traceparent=""
            if fact.parent_close_policy is ParentClosePolicy.ABANDON
            else state.meters.traceparent(parent, fact.path),
        ),
        parent,
    )
    begin(state, run)


def _why_no_child(state: State, fact: e.ChildStarted) -> Failure | None:
    there = state.open_ids.get(fact.workflow_id)
    if there is not None:
        message = f"workflow id {fact.workflow_id!r} is open (run {there.run_id}); choose another id for the child"
        return Failure("WorkflowAlreadyExists", message)
    if fact.workflow_id in state.withheld:
        return Failure("WorkflowAlreadyExists", is_withheld(state, fact.workflow_id))
    longest = state.limits.name_max
    if len(fact.workflow_id) > longest:
        message = (
            f"the child's workflow id would have {len(fact.workflow_id)} characters; at most {longest}: choose one"
        )
        return Failure("InvalidArgument", message)
    if len(state.runs) >= state.limits.open_runs_max:
        return Failure("LimitExceeded", too_many(state))
    return None


def is_withheld(state: State, workflow_id: str) -> str:
    return (
        f"workflow id {workflow_id!r} is open, and its run {state.withheld[workflow_id]} can not go on, because its "
        "history is damaged; choose another id, or restore a backup"
    )


def too_many(state: State) -> str:
    return f"{len(state.runs)} runs are open, the most this server holds"
