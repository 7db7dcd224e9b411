"""Who gets what: from ready tasks and free slots to leases.

A run is in one of these places while it is open:
  leased and active   its worker executes it; new events are pushed at once
  leased and idle     its worker keeps it in memory, it takes no slot; news wake it, after `Session.waking` if need be;
                      if it has to wait for a slot there and another worker has one, it moves (`move_waking`)
  queued              in a task queue, for any worker that has its type
  early               nowhere: its start is not due yet
  held                nowhere, or leased and idle: it has something to do and is paused
  parked              nowhere: it waits for a timer, an activity, a child, a promise, a signal or a cancel
  blocked             the code of the workers does not fit, or the history can not be read; waits for a worker that
                      came later than theirs
"""

from __future__ import annotations

from aether.core.effects import Revoke, RunTask, SendActivity, SendEvents
from aether.core.groups import limit_of
from aether.core.queues import QueueKey, Rank, key_of
from aether.core.run import Activity, Run
from aether.core.sessions import Lease, Session
from aether.core.state import State
from aether.model import events as e
from aether.model.payload import Failure
from aether.model.runs import TaskKind

# The timer of a worker that has runs in memory which wait for its slots.
STICKY = "sticky"


def wake_run(state: State, run: Run) -> None:
    """The run has something to do."""
    lease = run.lease
    if run.paused and (lease is None or lease.is_idle):
        run.held = run.held or not run.is_early
        return
    if lease is None:
        if not run.queued and run.blocked is None and not run.is_early:
            _place(state, run)
        return
    if not lease.is_idle:
        push_news(state, lease)
        return
    session = lease.session
    if session.draining:
        revoke(state, lease, "the worker is draining")
        _place(state, run)
    elif session.has_slot(TaskKind.WORKFLOW):
        state.meters.woken(run.task_queue, 0)
        resume(state, lease)
    elif not lease.is_waking:
        lease.is_waking = True
        lease.woken_at = state.now
        session.waking[lease.token] = lease
        _watch_waking(state, session)


def push_news(state: State, lease: Lease) -> None:
    """Send what the worker of an active run does not know yet."""
    run = lease.run
    if lease.known_seq < run.last_seq:
        state.effects.append(
            SendEvents(lease.session.session_id, lease.token, run.key, lease.known_seq + 1, run.last_seq)
        )
        lease.known_seq = lease.pushed_seq = run.last_seq


def resume(state: State, lease: Lease) -> None:
    """An idle run goes on at the worker that has it."""
    lease.is_idle = lease.is_waking = False
    lease.run.awaits = ()
    lease.busy_since = state.now
    lease.session.waking.pop(lease.token, None)
    lease.session.used[TaskKind.WORKFLOW] += 1
    push_news(state, lease)


def _watch_waking(state: State, session: Session) -> None:
    if not session.is_watched:
        session.is_watched = True
        state.timers.arm((STICKY, session.session_id, ""), state.now + state.limits.sticky_ms * 1000)


def move_waking(state: State, session: Session) -> None:
    """Runs have waited for a while for a slot of the worker that keeps them: to others, if those have room."""
    session.is_watched = False
    full: set[QueueKey] = set()
    for lease in list(session.waking.values()):
        key = key_of(lease.run)
        other = None if key in full else _free_taker(state, key)
        if other is None:
            full.add(key)
            continue
        revoke(state, lease, "its worker has no free slot, and another one has")
        state.meters.added(key.task_queue, key.kind)
        grant(state, other, lease.run, state.now - lease.woken_at)
    if session.waking:
        _watch_waking(state, session)


def queue_activity(state: State, activity: Activity) -> None:
    """An attempt of the activity may start."""
    if activity.run.paused:
        activity.held = True
    else:
        _place(state, activity)


def _place(state: State, item: Run | Activity) -> None:
    key = key_of(item)
    state.meters.added(key.task_queue, key.kind)
    # Who waits already is first, even if a slot has just become free: it is filled when the caller is done.
    may_pass = not state.queues.head(key) and state.queues.admits(key, item)
    session = _free_taker(state, key) if may_pass else None
    if session is None:
        state.queues.push(key, item, state.now)
    else:
        grant(state, session, item)


def record_quietly(state: State, run: Run, fact: e.RunPaused | e.RunResumed) -> None:
    """It changes nothing for the code: a run that rests goes on resting."""
    rests = run.rest_seq == run.last_seq
    state.record(run, fact)
    if rests:
        run.rest_seq = run.last_seq
    if run.lease is not None and not run.lease.is_idle:
        push_news(state, run.lease)


def let_go(state: State, run: Run) -> None:
    """It is not paused any more: what was held goes on."""
    record_quietly(state, run, e.RunResumed())
    for pending in run.pending.values():
        if isinstance(pending, Activity) and pending.held:
            pending.held = False
            queue_activity(state, pending)
    if run.held:
        run.held = False
        wake_run(state, run)


def _free_taker(state: State, key: QueueKey) -> Session | None:
    takers = state.takers.get(key.plain)
    if not takers:
        return None
    for session_id, session in takers.items():
        if session.has_slot(key.kind) and (not key.labels or session.has_labels(key.labels)):
            # To the end of the line: whoever was served longest ago is next.
            del takers[session_id]
            takers[session_id] = session
            return session
    return None


def grant(state: State, session: Session, item: Run | Activity, waited: int = 0) -> None:
    """Give the session a lease on a run or on an activity's next attempt, which was ready for so long."""
    limit = limit_of(item)
    if limit is not None:
        state.queues.begin(limit)
    if isinstance(item, Run):
        lease = Lease(state.tokens.draw(), session, item)
        _start_run(state, lease)
    else:
        lease = Lease(state.tokens.draw(), session, item.run, item)
        _start_attempt(state, lease, item)
    state.meters.taken(item.task_queue, lease.kind, waited)
    state.leases[lease.token] = lease
    session.leases[lease.token] = lease
    session.used[lease.kind] += 1
    if session.gate is not None and lease.activity is not None:
        session.gate.running += 1


def _start_run(state: State, lease: Lease) -> None:
    run, session = lease.run, lease.session
    lease.busy_since = state.now
    if run.attempts:
        state.meters.replayed(run)
    if run.attempts == 0 or run.interrupted:
        state.record(run, e.RunStarted(session.worker_id, run.attempts + 1, run.interrupted))
        run.interrupted = ""
    run.lease = lease
    lease.known_seq = lease.pushed_seq = run.last_seq
    task = RunTask(run.workflow_id, run.run_id, run.workflow_type)
    state.effects.append(SendEvents(session.session_id, lease.token, run.key, 1, run.last_seq, task))


def _start_attempt(state: State, lease: Lease, activity: Activity) -> None:
    run, session = lease.run, lease.session
    state.record(run, e.ActivityStarted(activity.path, activity.attempt + 1, session.worker_id))
    activity.lease = lease
    activity.last_beat = None
    activity.kept_at = state.now
    state.timers.cancel(("schedule_to_start", run.key, activity.path))
    if run.lease is not None and not run.lease.is_idle:
        push_news(state, run.lease)
    for name, bound_s in (
        ("start_to_close", activity.timeouts.start_to_close_s),
        ("heartbeat", activity.timeouts.heartbeat_s),
    ):
        if bound_s:
            state.timers.arm((name, run.key, activity.path), state.now + int(bound_s * 1e6))
    state.effects.append(
        SendActivity(
            session.session_id,
            lease.token,
            run.workflow_id,
            run.run_id,
            activity.path,
            activity.activity_type,
            activity.input,
            activity.attempt,
            activity.heartbeat,
            activity.timeouts,
            activity.scheduled_at,
            state.meters.traceparent(run, activity.path, activity.attempt),
        )
    )


def drop_lease(state: State, lease: Lease) -> None:
    """The lease is over; its slot is free, and is filled by `fill` when the caller is done."""
    del state.leases[lease.token]
    session = lease.session
    del session.leases[lease.token]
    session.waking.pop(lease.token, None)
    if not lease.is_idle:
        session.used[lease.kind] -= 1
    if lease.activity is None:
        if not lease.is_idle:
            state.meters.rested(lease.run.workflow_type, state.now - lease.busy_since)
        lease.run.lease = None
    else:
        lease.activity.lease = None
        if session.gate is not None:
            session.gate.running -= 1
            state.opened_gates.append(session.gate)
        if lease.activity.concurrency is not None:
            state.queues.end(lease.activity.concurrency)


def revoke(state: State, lease: Lease, reason: str) -> None:
    """End a lease from this side and tell the worker."""
    drop_lease(state, lease)
    state.effects.append(Revoke(lease.session.session_id, lease.token, reason))


def fill(state: State, session: Session) -> None:
    """Give the session tasks while it has slots and there is something for it."""
    while session.waking and session.has_slot(TaskKind.WORKFLOW):
        lease = next(iter(session.waking.values()))
        state.meters.woken(lease.run.task_queue, state.now - lease.woken_at)
        resume(state, lease)
    while session.has_slot(TaskKind.WORKFLOW) and (run := _blocked_for(state, session)) is not None:
        unblock(state, run)
        state.meters.added(run.task_queue, TaskKind.WORKFLOW)
        grant(state, session, run)
    for kind in TaskKind:
        while session.has_slot(kind):
            key = _first_in_line(state, session, kind)
            if key is None:
                break
            since = state.queues.head_since(key)
            grant(state, session, state.queues.pop(key), state.now - since)


def serve_opened(state: State) -> None:
    """The end of an input: tasks whose turn has come may be for others than the worker that made room for them."""
    for gate in state.opened_gates:
        for member in [each for each in state.sessions.values() if each.gate is gate]:
            fill(state, member)
    state.opened_gates.clear()
    queues = state.queues
    while queues.opened:
        group = queues.opened.popitem()[1]
        for key in list(group.lines):
            while queues.head(key) is not None and (session := _free_taker(state, key)) is not None:
                fill(state, session)


def _first_in_line(state: State, session: Session, kind: TaskKind) -> QueueKey | None:
    best: tuple[Rank, QueueKey] | None = None
    queues = state.queues
    for type_ in session.types[kind]:
        plain = QueueKey(session.task_queue, kind, type_)
        for key in (plain, *queues.labelled(plain, session.labels)):
            head = queues.head(key)
            if head is not None and (best is None or head[0] < best[0]):
                best = (head[0], key)
    return None if best is None else best[1]


def block(state: State, lease: Lease, failure: Failure) -> None:
    """The code of the worker that has the run does not fit its history, or that can not be read: `UNREADABLE`."""
    run = lease.run
    drop_lease(state, lease)
    state.tell(state.meters.blocked(run, failure, state.now))
    run.blocked = failure
    run.blocked_by = lease.session.session_id
    run.interrupted = run.interrupted or f"blocked: {failure.type}"
    if run.paused:
        # Tried again when it is resumed, whoever has it then.
        run.blocked, run.blocked_by, run.held = None, 0, True
        fill(state, lease.session)
        return
    state.blocked.setdefault(key_of(run), {}).setdefault(run.blocked_by, {})[run.key] = run
    fill(state, lease.session)
    for session in state.takers.get(key_of(run).plain, {}).values():
        is_later = session.session_id > run.blocked_by and session.has_labels(run.labels)
        if is_later and session.has_slot(TaskKind.WORKFLOW):
            fill(state, session)
            return


def unblock(state: State, run: Run) -> None:
    by_session = state.blocked[key_of(run)]
    run.blocked = None
    del by_session[run.blocked_by][run.key]
    if not by_session[run.blocked_by]:
        del by_session[run.blocked_by]
    if not by_session:
        del state.blocked[key_of(run)]


def _blocked_for(state: State, session: Session) -> Run | None:
    """A worker that came after the one whose code did not fit may bring code that does."""
    if not state.blocked:
        return None
    for key, by_session in state.blocked.items():
        if session.session_id in state.takers.get(key.plain, ()) and session.has_labels(key.labels):
            oldest = min(by_session)
            if oldest < session.session_id:
                return next(iter(by_session[oldest].values()))
    return None


def unqueue(state: State, item: Run | Activity) -> None:
    """Take it out of its queue, if it is in one."""
    if item.queued:
        state.queues.remove(key_of(item), item)
