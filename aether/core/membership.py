"""Workers come and go: sessions open, beat, drain, fall silent, close; and what they held goes to others."""

from __future__ import annotations

from aether.core import activity as activities
from aether.core import lifecycle
from aether.core.dispatch import STICKY, drop_lease, fill, revoke, wake_run
from aether.core.effects import EndSession, HeartbeatSeen
from aether.core.inputs import CloseSession, DrainSession, Heartbeat, OpenSession
from aether.core.queues import QueueKey
from aether.core.sessions import Lease, Session
from aether.core.state import State
from aether.errors import SessionExpired, StaleLease
from aether.model.runs import TaskKind


def open_session(state: State, item: OpenSession) -> None:
    session = Session(
        item.session_id,
        item.worker_id,
        item.task_queue,
        {TaskKind.WORKFLOW: item.workflow_types, TaskKind.ACTIVITY: item.activity_types},
        {TaskKind.WORKFLOW: item.workflow_slots, TaskKind.ACTIVITY: item.activity_slots},
        state.now,
        dict(item.labels),
    )
    session.gate = state.gates.get(item.task_queue)
    state.sessions[session.session_id] = session
    for key in _keys(session):
        state.takers.setdefault(key, {})[session.session_id] = session
    _watch(state, session)
    fill(state, session)


def drain_session(state: State, item: DrainSession) -> None:
    session = state.sessions.get(item.session_id)
    if session is None or session.draining:
        return
    session.draining = True
    for lease in list(session.leases.values()):
        if lease.is_idle:
            had_news = lease.is_waking
            revoke(state, lease, "the worker is draining")
            if had_news:
                wake_run(state, lease.run)


def close_session(state: State, item: CloseSession) -> None:
    session = state.sessions.get(item.session_id)
    if session is not None:
        _end(state, session, item.reason)


def heartbeat(state: State, item: Heartbeat) -> None:
    session = state.sessions.get(item.session_id)
    if session is None:
        state.reply(item.reply, SessionExpired(f"session {item.session_id} is over; register again"))
        return
    session.last_seen = state.now
    if not item.token:
        state.reply(item.reply, HeartbeatSeen(cancel_requested=False))
        return
    lease = session.leases.get(item.token)
    if lease is None or lease.activity is None:
        state.reply(item.reply, StaleLease(f"attempt {item.token} is not this worker's any more; stop it"))
        return
    activities.beat(state, lease.activity, item.details)
    state.reply(item.reply, HeartbeatSeen(lease.activity.cancel_requested))


def suspect(state: State, session: Session) -> None:
    """Whoever is about to be ended takes nothing from others that are ended in the same tick."""
    if _is_silent(state, session):
        session.draining = True


def silence(state: State, session: Session) -> None:
    """The session's timer: it may have been heard of since it was armed."""
    if not _is_silent(state, session):
        _watch(state, session)
        return
    state.meters.workers_lost += 1
    state.effects.append(EndSession(session.session_id, "no sign of life"))
    _end(state, session, f"worker {session.worker_id} fell silent")


def _is_silent(state: State, session: Session) -> bool:
    return state.now - session.last_seen >= state.limits.session_timeout_ms * 1000


def _watch(state: State, session: Session) -> None:
    due = session.last_seen + state.limits.session_timeout_ms * 1000
    state.timers.arm(("session", session.session_id, ""), due)


def _end(state: State, session: Session, reason: str) -> None:
    del state.sessions[session.session_id]
    state.timers.cancel(("session", session.session_id, ""))
    if session.is_watched:
        state.timers.cancel((STICKY, session.session_id, ""))
    for key in _keys(session):
        del state.takers[key][session.session_id]
        if not state.takers[key]:
            del state.takers[key]
    session.draining = True
    _lose(state, list(session.leases.values()), reason)


def _lose(state: State, leases: list[Lease], reason: str) -> None:
    interrupted = [lease.run for lease in leases if lease.activity is None and not lease.is_idle]
    had_news = [lease.run for lease in leases if lease.is_waking]
    # All of them before anything follows from one: it must not find another in the hands of who is gone.
    for lease in leases:
        if not lease.is_idle:
            state.meters.expired((lease.activity or lease.run).task_queue, lease.kind)
        drop_lease(state, lease)
    for run in interrupted:
        run.interrupted = reason
    for lease in leases:
        if lease.activity is not None:
            activities.lost(state, lease.activity, reason)
    for run in interrupted:
        lifecycle.hand_out_again(state, run, reason)
    for run in had_news:
        if not run.state.is_closed:
            wake_run(state, run)


def _keys(session: Session) -> list[QueueKey]:
    return [QueueKey(session.task_queue, kind, type_) for kind in TaskKind for type_ in session.types[kind]]
