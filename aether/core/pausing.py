"""Holding a run where it is, and letting it go on.

A run that is paused is given to no worker, and none of its activities begins an attempt. What would have happened is
held: `wake_run` and `queue_activity` look whether the run is paused, and leave a mark for `resume`. A run that a worker
executes is taken from it with its next request, when what it was at is recorded; `commands.py` does so.
"""

from __future__ import annotations

from aether.core.dispatch import let_go, record_quietly, unblock, unqueue
from aether.core.effects import NotOpen, PauseChanged
from aether.core.inputs import PauseRun, ResumeRun
from aether.core.lifecycle import find
from aether.core.run import Activity, Run
from aether.core.state import State
from aether.errors import LimitExceeded
from aether.model import events as e


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
