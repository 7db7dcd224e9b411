"""One run: its states, and what each fact does to it.

    PENDING ──RunStarted──> RUNNING ──RunCompleted──> COMPLETED
       │                       ├──────RunFailed─────> FAILED
       └──────RunCancelled─────┴──────RunCancelled──> CANCELLED

`fold` is the only way in which the durable part of a run changes. The engine folds a fact when it decides it, and folds
the same fact again when it reads it back from disk, so what was decided and what is recovered can not differ. What is
not durable (who has the lease, whether a task waits in a queue) is set by `dispatch.py` and is empty after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar, get_args

from attrs import define, field

from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.model.policy import ActivityTimeouts, ConcurrencyLimit, RetryPolicy
from aether.model.runs import Labels, ParentClosePolicy, RunState

if TYPE_CHECKING:
    from aether.core.sessions import Lease

F = TypeVar("F")
# 1 is the most urgent.
DEFAULT_PRIORITY = 3
LOWEST_PRIORITY = 5

TRANSITIONS: dict[tuple[RunState, type], RunState] = {
    (RunState.PENDING, e.RunStarted): RunState.RUNNING,
    (RunState.PENDING, e.RunFailed): RunState.FAILED,
    (RunState.PENDING, e.RunCancelled): RunState.CANCELLED,
    (RunState.RUNNING, e.RunStarted): RunState.RUNNING,
    (RunState.RUNNING, e.RunCompleted): RunState.COMPLETED,
    (RunState.RUNNING, e.RunFailed): RunState.FAILED,
    (RunState.RUNNING, e.RunCancelled): RunState.CANCELLED,
}

# Why a run waits for a worker that one had when the server ended.
RESTARTED = "the server was restarted"
# Facts that change nothing for the workflow's code: a run that is parked stays parked.
QUIET_FACTS = (
    e.RunPaused,
    e.RunResumed,
    e.ActivityStarted,
    e.ActivityProgressed,
    e.ActivityRetried,
    e.ActivityCancelRequested,
    e.ChildCancelRequested,
)


class ActivityState(IntEnum):
    """SCHEDULED (in a queue) -> STARTED (a worker has it) -> over, or BACKING_OFF until the next attempt."""

    SCHEDULED = 1
    STARTED = 2
    BACKING_OFF = 3


@define(eq=False)
class Timer:
    path: str
    fire_at: int
    # Of a step that is tried again when it fires.
    step_name: str = ""
    attempt: int = 0
    last_failure: Failure | None = None


@define(eq=False)
class Child:
    path: str
    workflow_id: str
    run_id: str
    policy: ParentClosePolicy = ParentClosePolicy.CANCEL
    cancel_requested: bool = False


@define(eq=False)
class Promise:
    path: str
    name: str
    # When it is rejected if nobody has completed it; 0: never.
    expires_at: int = 0


@define(eq=False)
class Activity:
    run: Run
    path: str
    activity_type: str
    task_queue: str
    input: Payload
    retry: RetryPolicy
    timeouts: ActivityTimeouts
    scheduled_at: int
    # What the worker that takes it must have.
    labels: Labels = ()
    concurrency: ConcurrencyLimit | None = None
    state: ActivityState = ActivityState.SCHEDULED
    # Of the attempt that runs or ran last; 0 before the first.
    attempt: int = 0
    next_at: int = 0
    started_at: int = 0
    heartbeat: Payload | None = None
    last_failure: Failure | None = None
    cancel_requested: bool = False
    # Not durable.
    lease: Lease | None = None
    queued: int = 0
    last_beat: Payload | None = None
    # It may begin, but its run is paused.
    held: bool = False
    # When its details were recorded last, or the attempt began.
    kept_at: int = 0
    # When details that are not recorded yet will be; 0 if there are none.
    keep_at: int = 0


Pending = Timer | Child | Activity | Promise


@define(eq=False)
class Run:
    key: int
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    parent_key: int | None
    created_at: int
    parent_workflow_id: str = ""
    parent_path: str = ""
    state: RunState = RunState.PENDING
    input_digest: bytes = b""
    last_seq: int = 0
    attempts: int = 0
    cancel_requested: bool = False
    cancel_reason: str = ""
    paused: bool = False
    pause_reason: str = ""
    start_at: int = 0
    expires_at: int = 0
    priority: int = DEFAULT_PRIORITY
    # The trace that its start is part of; may be empty.
    traceparent: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    memo: tuple[tuple[str, Payload], ...] = ()
    # Of a fork: workflow id and run id of where it comes from, and the last event that it shares.
    forked_from: tuple[str, str, int] | None = None
    # What the worker that takes it must have.
    labels: Labels = ()
    concurrency: ConcurrencyLimit | None = None
    # What it has published, with when; None until it publishes.
    published: dict[str, tuple[Payload, int]] | None = None
    signal_ids: dict[str, None] | None = None
    # Paths at which it has made a promise, kept or not.
    promises: set[str] | None = None
    # The last fact that mattered to its code parked it.
    parked: bool = False
    # The signals for which it waits, for people; what its worker has told since its last event is not durable.
    awaits: tuple[e.AwaitedSignal, ...] = ()
    pending: dict[str, Pending] = field(factory=dict)
    # Not durable.
    # The last event when its worker said that only news can make its code go on.
    rest_seq: int = 0
    # It has something to do, but is paused.
    held: bool = False
    # Its start is not due yet.
    is_early: bool = False
    lease: Lease | None = None
    # Place in a queue, 0 when it is in none.
    queued: int = 0
    # Why the worker that had it does not any more; empty when it was parked or never had.
    interrupted: str = ""
    blocked: Failure | None = None
    # The session whose code did not fit.
    blocked_by: int = 0
    awaited_by: dict[object, None] | None = None


def digest(payload: Payload) -> bytes:
    """Enough of an input to tell a repeated start from another one."""
    encoding = payload.encoding.encode()
    return blake2b(b"%d %b%b" % (len(encoding), encoding, payload.data), digest_size=16).digest()


def fold(run: Run, event: e.Event) -> None:
    """Apply one event; seqs are without gaps."""
    assert event.seq == run.last_seq + 1, f"run {run.run_id}: event {event.seq} after {run.last_seq}"
    run.last_seq = event.seq
    fact = event.fact
    if not isinstance(fact, QUIET_FACTS):
        run.parked = event.parked
        run.awaits = event.awaits
    handler = _FOLDS.get(type(fact))
    if handler is not None:
        handler(run, fact, event.at)
    if isinstance(fact, _STATE_FACTS):
        run.state = TRANSITIONS[run.state, type(fact)]


_FOLDS: dict[type, Callable[[Run, e.Fact, int], None]] = {}
_STATE_FACTS = (e.RunStarted, e.RunCompleted, e.RunFailed, e.RunCancelled)


def _folds(kind: type[F]) -> Callable[[Callable[[Run, F, int], None]], Callable[[Run, F, int], None]]:
    def register(handler: Callable[[Run, F, int], None]) -> Callable[[Run, F, int], None]:
        _FOLDS[kind] = handler  # type: ignore[assignment]
        return handler

    return register


@_folds(e.RunCreated)
def _(run: Run, fact: e.RunCreated, at: int) -> None:
    run.input_digest = digest(fact.input)
    run.parent_workflow_id = fact.parent_workflow_id
    run.parent_path = fact.parent_path
    run.start_at = fact.start_at
    run.expires_at = fact.expires_at
    run.priority = fact.priority or DEFAULT_PRIORITY
    run.tags = fact.tags
    run.memo = fact.memo
    if fact.forked_from_run_id:
        run.forked_from = (fact.forked_from_workflow_id, fact.forked_from_run_id, fact.forked_at_seq)
    run.labels = fact.labels
    run.concurrency = fact.concurrency
    run.traceparent = fact.traceparent


@_folds(e.RunStarted)
def _(run: Run, fact: e.RunStarted, at: int) -> None:
    run.attempts = fact.attempt


@_folds(e.CancelRequested)
def _(run: Run, fact: e.CancelRequested, at: int) -> None:
    run.cancel_requested = True
    run.cancel_reason = fact.reason


@_folds(e.RunPaused)
def _(run: Run, fact: e.RunPaused, at: int) -> None:
    run.paused = True
    run.pause_reason = fact.reason


@_folds(e.RunResumed)
def _(run: Run, fact: e.RunResumed, at: int) -> None:
    run.paused = False
    run.pause_reason = ""


@_folds(e.SignalReceived)
def _(run: Run, fact: e.SignalReceived, at: int) -> None:
    if fact.signal_id:
        if run.signal_ids is None:
            run.signal_ids = {}
        run.signal_ids[fact.signal_id] = None


@_folds(e.PromiseCreated)
def _(run: Run, fact: e.PromiseCreated, at: int) -> None:
    run.pending[fact.path] = Promise(fact.path, fact.name, fact.expires_at)
    if run.promises is None:
        run.promises = set()
    run.promises.add(fact.path)


@_folds(e.ValuePublished)
def _(run: Run, fact: e.ValuePublished, at: int) -> None:
    if run.published is None:
        run.published = {}
    run.published[fact.key] = (fact.value, at)


@_folds(e.StepRetried)
def _(run: Run, fact: e.StepRetried, at: int) -> None:
    run.pending[fact.path] = Timer(fact.path, fact.next_at, fact.name, fact.attempt, fact.failure)


@_folds(e.TimerStarted)
def _(run: Run, fact: e.TimerStarted, at: int) -> None:
    run.pending[fact.path] = Timer(fact.path, fact.fire_at)


@_folds(e.ActivityScheduled)
def _(run: Run, fact: e.ActivityScheduled, at: int) -> None:
    run.pending[fact.path] = Activity(
        run,
        fact.path,
        fact.activity_type,
        fact.task_queue,
        fact.input,
        fact.retry,
        fact.timeouts,
        at,
        fact.labels,
        fact.concurrency,
    )


@_folds(e.ActivityStarted)
def _(run: Run, fact: e.ActivityStarted, at: int) -> None:
    activity = _activity(run, fact.path)
    activity.state = ActivityState.STARTED
    activity.attempt = fact.attempt
    activity.started_at = at


@_folds(e.ActivityProgressed)
def _(run: Run, fact: e.ActivityProgressed, at: int) -> None:
    _activity(run, fact.path).heartbeat = fact.heartbeat


@_folds(e.ActivityRetried)
def _(run: Run, fact: e.ActivityRetried, at: int) -> None:
    activity = _activity(run, fact.path)
    activity.state = ActivityState.BACKING_OFF
    activity.next_at = fact.next_at
    activity.last_failure = fact.failure
    activity.heartbeat = fact.heartbeat


@_folds(e.ActivityCancelRequested)
def _(run: Run, fact: e.ActivityCancelRequested, at: int) -> None:
    _activity(run, fact.path).cancel_requested = True


@_folds(e.ChildStarted)
def _(run: Run, fact: e.ChildStarted, at: int) -> None:
    run.pending[fact.path] = Child(fact.path, fact.workflow_id, fact.run_id, fact.parent_close_policy)


@_folds(e.ChildCancelRequested)
def _(run: Run, fact: e.ChildCancelRequested, at: int) -> None:
    child = run.pending[fact.path]
    assert isinstance(child, Child)
    child.cancel_requested = True


def _over(run: Run, fact: e.Fact, at: int) -> None:
    path: str = fact.path  # type: ignore[union-attr]
    del run.pending[path]


for _kind in (
    e.TimerFired,
    e.TimerCancelled,
    e.ActivityCompleted,
    e.ActivityFailed,
    e.ActivityCancelled,
    e.ChildCompleted,
    e.ChildFailed,
    e.ChildCancelled,
    e.PromiseResolved,
    e.PromiseRejected,
    e.PromiseDropped,
):
    _FOLDS[_kind] = _over


INERT_FACTS = tuple(kind for kind in get_args(e.Fact) if kind not in {*_FOLDS, *_STATE_FACTS, *QUIET_FACTS})
"""Facts that leave the run as it is, but for how many events it has and whether the last one parked it."""


def _activity(run: Run, path: str) -> Activity:
    activity = run.pending[path]
    assert isinstance(activity, Activity)
    return activity
