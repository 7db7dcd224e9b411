"""Holding a run where it is, and letting it go on; the same for task queues.

A run that is paused is given to no worker, and none of its activities begins an attempt. What would have happened is
held: `wake_run` and `queue_activity` look whether the run is paused, and leave a mark for `resume`. A run that a worker
executes is taken from it with its next request, when what it was at is recorded; `commands.py` does so.
"""

from __future__ import annotations

from aether.core.dispatch import fill, let_go, record_quietly, unblock, unqueue
from aether.core.effects import NotOpen, PauseChanged, QueueSet
from aether.core.gates import Gate
from aether.core.inputs import PauseRun, ResumeRun, SetQueue
from aether.core.lifecycle import find
from aether.core.run import Activity, Run
from aether.core.state import State
from aether.core.views import queue_state
from aether.errors import LimitExceeded
from aether.model import events as e
from aether.model.runs import TaskKind


def pause(state: State, item: PauseRun) -> None:
    run = find(state, item.workflow_id, item.run_id)
    if run is None:
        state.reply(item.reply, NotOpen(item.workflow_id, item.run_id))
        return
    if run.last_seq >= state.limits.history_max:
        state.reply(item.reply, LimitExceeded(f"the history of workflow {run.workflow_id!r} is full"))
        return
    existing = run.paused
    if not existing:
        record_quietly(state, run, e.RunPaused(item.reason))
        _hold(state, run)
    state.reply(item.reply, PauseChanged(run.run_id, existing))


def resume(state: State, item: ResumeRun) -> None:
    run = find(state, item.workflow_id, item.run_id)
    if run is None:
        state.reply(item.reply, NotOpen(item.workflow_id, item.run_id))
        return
    existing = not run.paused
    if not existing:
        let_go(state, run)
    state.reply(item.reply, PauseChanged(run.run_id, existing))


def _hold(state: State, run: Run) -> None:
    """Take it, and what it waits for, out of every line."""
    lease = run.lease
    if lease is not None and lease.is_waking:
        lease.is_waking = False
        del lease.session.waking[lease.token]
        run.held = True
    if run.blocked is not None:
        unblock(state, run)
        run.held = True
    if run.queued:
        unqueue(state, run)
        run.held = True
    for pending in run.pending.values():
        if isinstance(pending, Activity) and pending.queued:
            unqueue(state, pending)
            pending.held = True


def set_queue(state: State, item: SetQueue) -> None:
    gate = state.gates.get(item.task_queue)
    if gate is None and len(state.gates) >= state.limits.gates_max:
        state.reply(item.reply, LimitExceeded(f"{len(state.gates)} task queues are paused or have a limit, the most"))
        return
    if gate is None:
        gate = _make_gate(state, item.task_queue)
    if item.paused is not None:
        gate.paused, gate.reason = item.paused, item.reason if item.paused else ""
    if item.activity_limit is not None:
        gate.limit = item.activity_limit
    state.records.append(QueueSet(gate.task_queue, gate.paused, gate.reason, gate.limit))
    sessions = [session for session in state.sessions.values() if session.gate is gate]
    if not gate.is_needed:
        del state.gates[gate.task_queue]
        for session in sessions:
            session.gate = None
    for session in sessions:
        fill(state, session)
    state.reply(item.reply, queue_state(state, item.task_queue))


def _make_gate(state: State, task_queue: str) -> Gate:
    gate = state.gates[task_queue] = Gate(task_queue)
    for session in state.sessions.values():
        if session.task_queue == task_queue:
            session.gate = gate
            gate.running += session.used[TaskKind.ACTIVITY]
    return gate
