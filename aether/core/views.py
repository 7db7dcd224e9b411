"""What may be asked of the engine without changing it: one answer for API, command line, dashboard and metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from aether.core.gates import QueueState
from aether.core.groups import limit_of
from aether.core.queues import QueueKey, key_of
from aether.core.run import Activity, ActivityState, Child, Pending, Promise, Run, Timer
from aether.core.sessions import Session
from aether.core.state import State
from aether.model.frozen import frozen
from aether.model.payload import Failure, Payload
from aether.model.runs import Labels, RunState, TaskKind


class Detail(StrEnum):
    """What an open run does, in one word."""

    RUNNING = "running"
    QUEUED = "queued"
    SLEEPING = "sleeping"
    WAITING = "waiting"
    RETRYING = "retrying"
    BLOCKED = "blocked"
    PAUSED = "paused"


@frozen
class PendingView:
    path: str
    kind: str
    name: str = ""
    attempt: int = 0
    due_at: int = 0
    worker_id: str = ""
    last_failure: Failure | None = None
    heartbeat: Payload | None = None
    # Why it has not begun.
    reason: str = ""


@frozen
class RunView:
    key: int
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    state: RunState
    created_at: int
    parent_workflow_id: str
    history_length: int
    worker_id: str
    pending: tuple[PendingView, ...]
    cancel_requested: bool
    blocked: Failure | None
    paused: bool
    pause_reason: str
    tags: tuple[tuple[str, str], ...]
    memo: tuple[tuple[str, Payload], ...]
    forked_from: tuple[str, str, int] | None = None
    trace_id: str = ""


@frozen
class WorkerView:
    worker_id: str
    task_queue: str
    workflow_types: tuple[str, ...]
    activity_types: tuple[str, ...]
    workflow_slots: int
    workflow_slots_used: int
    activity_slots: int
    activity_slots_used: int
    last_seen_at: int
    draining: bool
    labels: Labels = ()


@frozen
class QueueView:
    key: QueueKey
    ready: int
    oldest_at: int


@frozen
class EngineView:
    runs_started: int
    runs_closed: int
    events: int
    open_runs: int
    queues: tuple[QueueView, ...]
    workers: tuple[WorkerView, ...]


def detail_of(run: Run) -> Detail:
    """What keeps the run open; what it waits for is told by the item that is most likely to need a look."""
    if run.paused and (run.lease is None or run.lease.is_idle):
        return Detail.PAUSED
    if run.blocked is not None:
        return Detail.BLOCKED
    if run.queued or (run.lease is not None and run.lease.is_waking):
        return Detail.QUEUED
    if run.lease is not None and not run.lease.is_idle:
        return Detail.RUNNING
    if run.is_early:
        return Detail.SLEEPING
    waits = {_waits_for(item) for item in run.pending.values()}
    if Detail.RETRYING in waits:
        return Detail.RETRYING
    return Detail.SLEEPING if waits == {Detail.SLEEPING} and not run.awaits else Detail.WAITING


def _waits_for(item: Pending) -> Detail:
    if isinstance(item, Timer):
        return Detail.RETRYING if item.step_name else Detail.SLEEPING
    if isinstance(item, Activity) and item.state is ActivityState.BACKING_OFF:
        return Detail.RETRYING
    return Detail.WAITING


def describe(state: State, run: Run) -> RunView:
    pending = awaited_signals(run)
    pending += [_pending(state, item) for item in run.pending.values()]
    if run.lease is not None and run.lease.is_waking:
        pending.append(PendingView("", "worker", "waits for a slot", worker_id=run.lease.session.worker_id))
    elif run.held:
        pending.append(PendingView("", "worker", "paused"))
    elif run.blocked is not None:
        pending.append(PendingView("", "worker", "blocked"))
    elif run.queued:
        pending.append(PendingView("", "worker", why_queued(state, run)))
    elif run.is_early:
        pending.append(PendingView("", "start", due_at=run.start_at))
    elif not pending and (run.lease is None or run.lease.is_idle):
        pending.append(PendingView("", "signal"))
    return RunView(
        run.key,
        run.workflow_id,
        run.run_id,
        run.workflow_type,
        run.task_queue,
        run.state,
        run.created_at,
        run.parent_workflow_id,
        run.last_seq,
        run.lease.session.worker_id if run.lease else "",
        tuple(pending),
        run.cancel_requested,
        run.blocked,
        run.paused,
        run.pause_reason,
        run.tags,
        run.memo,
        run.forked_from,
        state.meters.trace_id(run),
    )


def awaited_signals(run: Run) -> list[PendingView]:
    return [PendingView(awaited.path, "signal", awaited.name) for awaited in run.awaits]


def takers_of(state: State, key: QueueKey) -> list[Session]:
    """Who has its type; not everybody need have its labels."""
    return list(state.takers.get(key.plain, {}).values())


def why_queued(state: State, item: Run | Activity) -> str:
    """Why no worker has what waits in a task queue, in words for people."""
    reasons = filter(None, (_why_not_taken(state, item), why_shut(state, item)))
    return ", and ".join(reasons) or f"waits in task queue {item.task_queue}"


def _why_not_taken(state: State, item: Run | Activity) -> str:
    """Empty if somebody would take it for whom its task queue is open."""
    if turn := awaited_turn(state, item):
        return turn
    takers = takers_of(state, key_of(item))
    if not takers:
        return "no worker has its type"
    lacking = lacking_labels(takers, item.labels)
    return f"no worker has {lacking}" if lacking else ""


def why_shut(state: State, item: Run | Activity) -> str:
    """Empty if its task queue hands out what there are slots for."""
    gate = state.gates.get(item.task_queue)
    return gate.why_shut(key_of(item).kind) if gate is not None else ""


def queue_state(state: State, task_queue: str) -> QueueState:
    return next(each for each in queue_states(state, (task_queue,)) if each.task_queue == task_queue)


def queue_states(state: State, wanted: Iterable[str] = ()) -> list[QueueState]:
    """Of all task queues in which anything waits, from which a worker takes, that have a gate, or that are wanted."""
    waiting: Counter[tuple[str, TaskKind]] = Counter()
    for key, count, _ in state.queues.depths():
        waiting[key.task_queue, key.kind] += count
    active: Counter[tuple[str, TaskKind]] = Counter()
    workers: Counter[str] = Counter()
    for session in state.sessions.values():
        workers[session.task_queue] += 1
        for kind in TaskKind:
            active[session.task_queue, kind] += session.used[kind]
    names = {*wanted, *workers, *state.gates, *(name for name, _ in waiting)}
    return [
        QueueState(
            name,
            name in state.gates and state.gates[name].paused,
            state.gates[name].reason if name in state.gates else "",
            state.gates[name].limit if name in state.gates else 0,
            workers[name],
            waiting[name, TaskKind.WORKFLOW],
            waiting[name, TaskKind.ACTIVITY],
            active[name, TaskKind.WORKFLOW],
            active[name, TaskKind.ACTIVITY],
        )
        for name in sorted(names)
    ]


def awaited_turn(state: State, item: Run | Activity) -> str:
    """Empty if its concurrency key does not keep it waiting."""
    limit = limit_of(item)
    if limit is None or state.queues.groups.of(limit).has_room:
        return ""
    group = state.queues.groups.of(limit)
    return f"waits for its turn: {group.running} of at most {group.limit} with key {group.key!r} run"


def lacking_labels(takers: Iterable[Session], wanted: Labels) -> str:
    """Which of the labels nobody has, or that nobody has all of them; empty if somebody has."""
    if any(session.has_labels(wanted) for session in takers):
        return ""
    missing = [label for label in wanted if not any(session.has_labels((label,)) for session in takers)]
    named = ", ".join(f"{name}={value}" for name, value in missing or wanted)
    return f"label {named}" if missing else f"all its labels {named}"


def overview(state: State) -> EngineView:
    counters = state.counters
    return EngineView(
        counters.runs_started,
        counters.runs_closed,
        counters.events,
        len(state.runs),
        tuple(QueueView(key, ready, oldest_at) for key, ready, oldest_at in state.queues.depths()),
        tuple(
            WorkerView(
                session.worker_id,
                session.task_queue,
                session.types[TaskKind.WORKFLOW],
                session.types[TaskKind.ACTIVITY],
                session.slots[TaskKind.WORKFLOW],
                session.used[TaskKind.WORKFLOW],
                session.slots[TaskKind.ACTIVITY],
                session.used[TaskKind.ACTIVITY],
                session.last_seen,
                session.draining,
                tuple(session.labels.items()),
            )
            for session in state.sessions.values()
        ),
    )


def _pending(state: State, item: Pending) -> PendingView:
    if not isinstance(item, Activity):
        return pending_view(item)
    reason = "its run is paused" if item.held else why_queued(state, item) if item.queued else ""
    return pending_view(item, item.lease.session.worker_id if item.lease else "", reason)


def pending_view(item: Pending, worker_id: str = "", reason: str = "") -> PendingView:
    """Who has it, and why it has not begun, are said of activities only."""
    if isinstance(item, Promise):
        return PendingView(item.path, "promise", item.name, due_at=item.expires_at)
    if isinstance(item, Timer):
        kind = "step" if item.step_name else "timer"
        return PendingView(
            item.path, kind, item.step_name, item.attempt, due_at=item.fire_at, last_failure=item.last_failure
        )
    if isinstance(item, Child):
        return PendingView(item.path, "child", item.workflow_id)
    return PendingView(
        item.path,
        "activity",
        item.activity_type,
        item.attempt,
        item.next_at if item.state is ActivityState.BACKING_OFF else 0,
        worker_id,
        item.last_failure,
        item.last_beat or item.heartbeat,
        reason,
    )
