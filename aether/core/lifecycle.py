"""How runs begin and end: start, wait for the result, cancel, close, and what that means for parents and children."""

from __future__ import annotations

from hashlib import blake2b

from aether.core import activity as activities
from aether.core.dispatch import drop_lease, fill, unblock, unqueue, wake_run
from aether.core.effects import CancelAccepted, Closed, NotOpen, Started
from aether.core.inputs import AwaitRun, CancelRun, DescribeRun, ForgetAwait, StartRun
from aether.core.run import Activity, Child, Run, Timer, digest
from aether.core.state import State
from aether.core.views import describe
from aether.errors import LimitExceeded, WorkflowAlreadyExists
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure
from aether.model.runs import RunState

ClosingFact = e.RunCompleted | e.RunFailed | e.RunCancelled


def start(state: State, item: StartRun) -> None:
    there = state.open_ids.get(item.workflow_id)
    if there is None:
        if len(state.runs) >= state.limits.open_runs_max:
            state.reply(item.reply, LimitExceeded(f"{len(state.runs)} runs are open, the most this server holds"))
            return
        run = create(
            state,
            e.RunCreated(item.workflow_id, item.run_id, item.workflow_type, item.task_queue, item.input),
            None,
        )
        state.reply(item.reply, Started(item.workflow_id, item.run_id, existing=False))
        wake_run(state, run)
    elif there.workflow_type == item.workflow_type and there.input_digest == digest(item.input):
        state.reply(item.reply, Started(there.workflow_id, there.run_id, existing=True))
    else:
        state.reply(item.reply, already_exists(there, item.workflow_type))


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
    state.open_run(run)
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
    if run is None:
        state.reply(item.reply, NotOpen(item.workflow_id, item.run_id))
    elif state.waiter_count >= state.limits.waiters_max:
        state.reply(item.reply, LimitExceeded(f"{state.waiter_count} programs wait for results; no room for another"))
    else:
        state.waiter_count += 1
        if run.awaited_by is None:
            run.awaited_by = []
        run.awaited_by.append(item.reply)


def forget_await(state: State, item: ForgetAwait) -> None:
    run = state.open_ids.get(item.workflow_id)
    if run is not None and run.awaited_by and item.reply in run.awaited_by:
        run.awaited_by.remove(item.reply)
        state.waiter_count -= 1


def cancel(state: State, item: CancelRun) -> None:
    run = find(state, item.workflow_id, item.run_id)
    if run is None:
        state.reply(item.reply, NotOpen(item.workflow_id, item.run_id))
        return
    request_cancel(state, run, item.reason)
    state.reply(item.reply, CancelAccepted(run.run_id, run.state))


def request_cancel(state: State, run: Run, reason: str) -> None:
    """Asks the run to stop; one that nobody has begun is over at once."""
    if run.cancel_requested:
        return
    state.record(run, e.CancelRequested(reason))
    if run.state is RunState.PENDING:
        close(state, run, e.RunCancelled(reason))
    else:
        wake_run(state, run)


def close(state: State, run: Run, fact: ClosingFact) -> None:
    """The run's last fact."""
    _clear_pending(state, run)
    state.record(run, fact)
    session = run.lease.session if run.lease else None
    if run.lease is not None:
        drop_lease(state, run.lease)
    unqueue(state, run)
    if run.blocked is not None:
        unblock(state, run)
    del state.runs[run.key]
    if state.open_ids.get(run.workflow_id) is run:
        del state.open_ids[run.workflow_id]
    state.counters.runs_closed += 1
    if run.awaited_by:
        outcome = Closed(
            run.workflow_id,
            run.run_id,
            run.state,
            fact.result if isinstance(fact, e.RunCompleted) else None,
            fact.failure if isinstance(fact, e.RunFailed) else None,
        )
        state.waiter_count -= len(run.awaited_by)
        for reply in run.awaited_by:
            state.reply(reply, outcome)
    _tell_parent(state, run, fact)
    if session is not None:
        fill(state, session)


def _clear_pending(state: State, run: Run) -> None:
    for pending in list(run.pending.values()):
        if isinstance(pending, Timer):
            state.timers.cancel(("timer", run.key, pending.path))
        elif isinstance(pending, Activity):
            activities.abandon(state, pending)
        else:
            child = find(state, pending.workflow_id, pending.run_id)
            if child is not None:
                request_cancel(state, child, "its parent is closed")
    run.pending = {}


def _tell_parent(state: State, run: Run, fact: ClosingFact) -> None:
    parent = state.runs.get(run.parent_key) if run.parent_key is not None else None
    child = parent.pending.get(run.parent_path) if parent else None
    if parent is None or not isinstance(child, Child) or child.run_id != run.run_id:
        return
    news: e.Fact
    if isinstance(fact, e.RunCompleted):
        news = e.ChildCompleted(run.parent_path, fact.result)
    elif isinstance(fact, e.RunFailed):
        news = e.ChildFailed(run.parent_path, fact.failure)
    else:
        news = e.ChildCancelled(run.parent_path)
    state.record(parent, news)
    wake_run(state, parent)


def child_ids(parent: Run, command: c.StartChild) -> tuple[str, str]:
    """(workflow id, run id) of a child, the same each time they are asked for."""
    run_id = blake2b(f"{parent.run_id}/{command.path}".encode(), digest_size=16).hexdigest()
    return command.workflow_id or f"{parent.workflow_id}/{command.path}", run_id


def begin_child(state: State, parent: Run, command: c.StartChild) -> None:
    """The parent has recorded the child: make it, unless its id is taken."""
    workflow_id, run_id = child_ids(parent, command)
    there = state.open_ids.get(workflow_id)
    if there is not None:
        failure = Failure("WorkflowAlreadyExists", str(already_exists(there, command.workflow_type)))
        state.record(parent, e.ChildFailed(command.path, failure))
        wake_run(state, parent)
        return
    run = create(
        state,
        e.RunCreated(
            workflow_id,
            run_id,
            command.workflow_type,
            command.task_queue or parent.task_queue,
            command.input,
            parent.workflow_id,
            parent.run_id,
            command.path,
        ),
        parent,
    )
    wake_run(state, run)
