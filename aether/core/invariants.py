"""What is true of a `State` between two inputs, whatever came in: asserts only, run after each input in tests.

An open run is in one place: at a worker, in a queue, blocked, early (its start is not due), or parked: with something
pending, or because its worker said that only a signal can wake it. Whatever is pending has what ends it: a timer in
the wheel, an open child, an attempt at a worker, a place in a queue, or somebody outside who made a promise. Nothing
else is armed, queued or leased.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aether.core.groups import limit_of
from aether.core.queues import QueueKey, key_of
from aether.core.run import LOWEST_PRIORITY, Activity, ActivityState, Child, Pending, Promise, Run, Timer
from aether.core.sessions import Lease, Session
from aether.core.state import State, TimerKey
from aether.model.runs import RunState, TaskKind


def check(state: State) -> None:
    """Raises AssertionError, and changes nothing."""
    _check_names(state)
    for session_id, session in state.sessions.items():
        assert session.session_id == session_id, f"session {session_id} is filed under another id"
        _check_session(state, session)
    for lease in state.leases.values():
        _check_lease(state, lease)
    for run in state.runs.values():
        _check_run(state, run)
    _check_takers(state)
    _check_queues(state)
    _check_groups(state)
    _check_gates(state)
    _check_blocked(state)
    _check_timers(state)
    waiting = sum(len(run.awaited_by) for run in state.runs.values() if run.awaited_by)
    assert state.waiter_count == waiting, f"{state.waiter_count} waiters counted, {waiting} wait"
    assert not state.records, "records that no decision took"
    assert not state.effects, "effects that no decision took"


def _check_names(state: State) -> None:
    assert len(state.recently_closed) <= state.limits.recently_closed_max, "too many closed ids are remembered"
    states = [how for _, how, _ in state.recently_closed.values()]
    assert all(how.is_closed for how in states), "an id is remembered that was not closed"
    for key, run in state.runs.items():
        assert run.key == key < state.next_run_key, f"run {run.run_id} is filed under {key}"
        assert state.open_ids.get(run.workflow_id) is run, f"run {run.run_id} can not be found by its id"
        assert not run.state.is_closed, f"run {run.run_id} is closed and still there"
    assert len(state.open_ids) == len(state.runs), "ids without a run"
    counters = state.counters
    assert counters.runs_closed >= 0, "fewer than no runs were closed"
    assert 0 <= counters.runs_started <= counters.events, "a run without an event"


def _check_session(state: State, session: Session) -> None:
    name = f"session {session.session_id}"
    for token, lease in session.leases.items():
        assert lease.token == token, f"{name} files lease {lease.token} under {token}"
        assert lease.session is session, f"{name} has a lease of another session"
        assert state.leases.get(token) is lease, f"{name} has a lease {token} that is over"
    for kind in TaskKind:
        active = sum(lease.kind is kind and not lease.is_idle for lease in session.leases.values())
        assert session.used[kind] == active, f"{name} counts {session.used[kind]} {kind.name} slots, {active} are used"
    for token, lease in session.waking.items():
        assert session.leases.get(token) is lease, f"{name} wakes lease {token}, which it does not have"
        assert lease.is_waking, f"{name} wakes lease {token}, which does not know"
    assert session.is_watched or not session.waking, f"{name} has runs that wait for its slots alone"
    if session.draining:
        assert not session.waking, f"{name} drains, and runs wait for its slots"
    assert not (session.waking and session.has_slot(TaskKind.WORKFLOW)), f"{name} has a slot that nobody told its runs"


def _check_lease(state: State, lease: Lease) -> None:
    name, run = f"lease {lease.token}", lease.run
    assert lease.token <= state.tokens.last, f"{name} was not drawn"
    assert state.sessions.get(lease.session.session_id) is lease.session, f"{name} belongs to a session that is over"
    assert lease.session.leases.get(lease.token) is lease, f"{name} is not known to its session"
    assert state.runs.get(run.key) is run, f"{name} is of a run that is closed"
    assert lease.is_waking == (lease.token in lease.session.waking), f"{name} waits for a slot in no line"
    if lease.activity is not None:
        assert lease.activity.lease is lease, f"{name} is not known to its activity"
        assert not lease.is_idle, f"{name} of an attempt is idle"
        return
    assert run.lease is lease, f"{name} is not known to its run"
    assert lease.pushed_seq <= lease.known_seq <= run.last_seq, f"{name} knows events that there are not"
    if lease.is_idle:
        waits = run.pending or run.rest_seq == run.last_seq or run.held
        assert waits or lease.is_waking, f"{name} is idle, and nothing will ever wake it"
    else:
        assert not lease.is_waking, f"{name} is awake and waits for a slot"
        assert lease.known_seq == run.last_seq, f"{name} was not sent events after {lease.known_seq}"


def _check_run(state: State, run: Run) -> None:
    name = f"run {run.run_id}"
    places = [run.lease is not None, run.queued > 0, run.blocked is not None, run.is_early]
    assert sum(places) <= 1, f"{name} is in several places: leased, queued, blocked, early = {places}"
    assert run.paused or not run.held, f"{name} is held for nothing"
    assert not run.held or not any(places) or run.lease is not None, f"{name} is held and somewhere else"
    rests = bool(run.pending) or run.rest_seq == run.last_seq or run.held
    assert any(places) or rests, f"{name} is stuck: nobody has it, and it waits for nothing"
    if run.lease is not None:
        assert state.leases.get(run.lease.token) is run.lease, f"{name} has a lease that is over"
        assert not run.interrupted, f"{name} is in hand and would count as lost when it is handed out next"
    assert (run.state is RunState.PENDING) == (run.attempts == 0), f"{name} is {run.state.name} at {run.attempts}"
    assert len(run.pending) <= state.limits.pending_max, f"{name} waits for too much"
    _check_messages(state, run)
    for path, pending in run.pending.items():
        assert pending.path == path, f"{name} files {pending.path} under {path}"
        if isinstance(pending, Activity):
            _check_activity(state, run, pending)
        elif isinstance(pending, Child):
            if state.withheld.get(pending.workflow_id) == pending.run_id:
                continue
            child = state.open_ids.get(pending.workflow_id)
            assert child is not None, f"{name} waits for child {pending.workflow_id}, which is not open"
            assert child.run_id == pending.run_id, f"{name} waits for another run of {pending.workflow_id}"
            assert (child.parent_key, child.parent_path) == (run.key, path), f"{name} has a child of somebody else"
            assert child.cancel_requested or not pending.cancel_requested, f"{name} cancelled a child that was not told"


def _check_messages(state: State, run: Run) -> None:
    name, limits = f"run {run.run_id}", state.limits
    assert 1 <= run.priority <= LOWEST_PRIORITY, f"{name} has priority {run.priority}"
    assert len(run.signal_ids or ()) <= limits.signal_ids_max, f"{name} remembers too many signals"
    assert len(run.published or ()) <= limits.published_max, f"{name} shows too much"
    promised = {path for path, pending in run.pending.items() if isinstance(pending, Promise)}
    assert promised <= (run.promises or set()), f"{name} waits for promises that it does not know"


def _check_activity(state: State, run: Run, activity: Activity) -> None:
    name = f"activity {activity.path} of run {run.run_id}"
    assert activity.run is run, f"{name} belongs to another run"
    assert (activity.state is ActivityState.STARTED) == (activity.lease is not None), f"{name} is with nobody"
    if activity.lease is not None:
        assert state.leases.get(activity.lease.token) is activity.lease, f"{name} has a lease that is over"
        assert not activity.queued, f"{name} is queued and with a worker"
    else:
        assert not activity.cancel_requested, f"{name} is cancelled, and nobody has it, and it is not over"
    assert run.paused or not activity.held, f"{name} is held for nothing"
    assert not (run.paused and activity.queued), f"{name} is queued, and its run is paused"
    if activity.state is ActivityState.SCHEDULED:
        assert activity.queued or activity.held, f"{name} is scheduled and in no queue"
        assert activity.attempt == 0, f"{name} is scheduled for the first time after {activity.attempt} attempts"
    most = activity.retry.max_attempts
    assert not most or activity.attempt <= most, f"{name} had {activity.attempt} attempts of {most}"


def _check_takers(state: State) -> None:
    offered = {
        (QueueKey(session.task_queue, kind, type_), session.session_id)
        for session in state.sessions.values()
        for kind in TaskKind
        for type_ in session.types[kind]
    }
    filed = {(key, session_id) for key, takers in state.takers.items() for session_id in takers}
    assert filed == offered, "sessions are not filed under what they take"
    for takers in state.takers.values():
        for session_id, session in takers.items():
            assert state.sessions.get(session_id) is session, f"session {session_id} takes tasks and is over"


def _check_queues(state: State) -> None:
    queued = [item for run in state.runs.values() for item in _items(run) if item.queued]
    lines = {key: count for key, count, _ in state.queues.depths()}
    in_line = [(key, item) for key in lines for item in state.queues.waiting(key)]
    assert {id(item) for _, item in in_line} == {id(item) for item in queued}, "queues and runs do not agree"
    assert len(in_line) == len(queued) == sum(lines.values()), "somebody is queued twice"
    for key, item in in_line:
        assert key_of(item) == key, f"somebody waits in the wrong line {key}"
    for key in lines:
        if state.queues.head(key) is None:
            continue
        takers = state.takers.get(key.plain, {}).values()
        idle = [session for session in takers if session.has_slot(key.kind) and session.has_labels(key.labels)]
        assert not idle, f"tasks wait in {key}, and session {idle[0].session_id} has a slot for them"


def _check_gates(state: State) -> None:
    assert not state.opened_gates, "task queues that have opened and nobody was told"
    for name, gate in state.gates.items():
        assert gate.task_queue == name, f"the gate of {gate.task_queue} is filed under {name}"
        assert gate.is_needed, f"the gate of {name} keeps nothing"
        used = sum(each.used[TaskKind.ACTIVITY] for each in state.sessions.values() if each.task_queue == name)
        assert gate.running == used, f"{gate.running} attempts are counted for queue {name}, {used} run"
    for session in state.sessions.values():
        its = state.gates.get(session.task_queue)
        assert session.gate is its, f"session {session.session_id} knows another gate"


def _check_groups(state: State) -> None:
    running: Counter[str] = Counter()
    waiting: dict[str, list[Run | Activity]] = {}
    for run in state.runs.values():
        if run.concurrency is not None and run.state is RunState.RUNNING:
            running[run.concurrency.key] += 1
        for item in _items(run):
            limit = limit_of(item)
            if limit is not None and item.queued:
                waiting.setdefault(limit.key, []).append(item)
            if isinstance(item, Activity) and limit is not None and item.lease is not None:
                running[limit.key] += 1
    groups = {group.key: group for group in state.queues.groups}
    assert groups.keys() == running.keys() | waiting.keys(), "concurrency keys of nobody, or unknown ones"
    for key, group in groups.items():
        assert group.running == running[key], f"{group.running} are counted for {key}, {running[key]} run"
        assert group.waiting == len(waiting.get(key, ())), f"of those with key {key} not all are known to wait"
        for line, first in group.firsts():
            is_offered = any(entry is first for entry in state.queues.offered(line))
            assert is_offered or not group.has_room, f"there is room for {key}, and the first in {line} is not offered"
    assert not state.queues.opened, "turns that nobody was told of"


def _items(run: Run) -> Iterator[Run | Activity]:
    yield run
    yield from (pending for pending in run.pending.values() if isinstance(pending, Activity))


def _check_blocked(state: State) -> None:
    assert all(state.blocked.values()), "a line of blocked runs without a session"
    groups = [(key, by, runs) for key, line in state.blocked.items() for by, runs in line.items()]
    assert all(runs for _, _, runs in groups), "a group of blocked runs without a run"
    blocked = [run for run in state.runs.values() if run.blocked is not None]
    assert len(blocked) == sum(len(runs) for _, _, runs in groups), "blocked runs are not filed, or filed twice"
    for run in blocked:
        filed = state.blocked[key_of(run)][run.blocked_by]
        assert filed[run.key] is run, f"run {run.run_id} is blocked and can not be found"
    for key, by, _ in groups:
        for session in state.takers.get(key.plain, {}).values():
            is_later = (
                session.session_id > by and session.has_slot(TaskKind.WORKFLOW) and session.has_labels(key.labels)
            )
            assert not is_later, f"session {session.session_id} may have the code for runs that {by} did not fit"


def _check_timers(state: State) -> None:
    armed = dict(state.timers.deadlines())
    wanted: dict[TimerKey, int | None] = {("session", session_id, ""): None for session_id in state.sessions}
    wanted.update({("sticky", key, ""): None for key, session in state.sessions.items() if session.is_watched})
    for run in state.runs.values():
        wanted.update(_deadlines_of_run(run))
        for pending in run.pending.values():
            wanted.update(_deadlines(run, pending))
    assert armed.keys() == wanted.keys(), f"armed for nothing or not armed: {armed.keys() ^ wanted.keys()}"
    for key, at in wanted.items():
        assert at is None or armed[key] == -(-at // 1000) * 1000, f"{key} is due at {armed[key]}, not at {at}"
    next_due = state.timers.next_due()
    assert (next_due is None) == (not armed), "the wheel and its next deadline do not agree"
    assert next_due is None or next_due <= min(armed.values()), "a timer is due before the wheel wants to be asked"


def _deadlines_of_run(run: Run) -> Iterator[tuple[TimerKey, int | None]]:
    if run.is_early:
        yield ("start", run.key, ""), run.start_at
    if run.expires_at:
        yield ("expiry", run.key, ""), run.expires_at
    if run.cancel_requested:
        # From the request, or from when the server was started again.
        yield ("grace", run.key, ""), None


def _deadlines(run: Run, pending: Pending) -> Iterator[tuple[TimerKey, int | None]]:
    """Timers that must be armed for it; None where the deadline moves with the signs of life."""
    if isinstance(pending, Timer):
        yield ("timer", run.key, pending.path), pending.fire_at
    if isinstance(pending, Promise) and pending.expires_at:
        yield ("promise", run.key, pending.path), pending.expires_at
    if not isinstance(pending, Activity):
        return
    bounds = pending.timeouts
    if bounds.schedule_to_start_s and pending.attempt == 0:
        due = pending.scheduled_at + int(bounds.schedule_to_start_s * 1e6)
        yield ("schedule_to_start", run.key, pending.path), due
    if bounds.schedule_to_close_s:
        due = pending.scheduled_at + int(bounds.schedule_to_close_s * 1e6)
        yield ("schedule_to_close", run.key, pending.path), due
    if pending.lease is not None and bounds.start_to_close_s:
        yield ("start_to_close", run.key, pending.path), None
    if pending.lease is not None and bounds.heartbeat_s:
        yield ("heartbeat", run.key, pending.path), None
    if pending.keep_at:
        assert pending.lease is not None, f"activity {pending.path} keeps details of an attempt that is over"
        yield ("progress", run.key, pending.path), pending.keep_at
    if pending.state is ActivityState.BACKING_OFF and not pending.queued and not pending.held:
        yield ("retry", run.key, pending.path), pending.next_at
