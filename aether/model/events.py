"""Facts of a run, in the past tense: one class for each member of `Event.fact` in `protos/aether/v1/model.proto`.

Times are microseconds since the Unix epoch. `path` is the position in the workflow's code; `model.proto` tells how it
is counted.
"""

from aether.model.frozen import frozen
from aether.model.payload import Failure, Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS, ActivityTimeouts, ConcurrencyLimit, RetryPolicy
from aether.model.runs import Labels, ParentClosePolicy


@frozen
class RunCreated:
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    input: Payload
    parent_workflow_id: str = ""
    parent_run_id: str = ""
    parent_path: str = ""
    start_at: int = 0
    expires_at: int = 0
    priority: int = 0
    tags: tuple[tuple[str, str], ...] = ()
    memo: tuple[tuple[str, Payload], ...] = ()
    labels: Labels = ()
    concurrency: ConcurrencyLimit | None = None
    # Of a fork: the run that it was forked from, the last event that it shares with it, and what its code draws at
    # random from until `RunForked`.
    forked_from_workflow_id: str = ""
    forked_from_run_id: str = ""
    forked_at_seq: int = 0
    seed: str = ""
    traceparent: str = ""


@frozen
class RunForked:
    """From here on the history is the run's own: up to here it is that of another run up to event `shared_seq`.

    What the code draws at random after this follows from `seed`.
    """

    workflow_id: str
    run_id: str
    shared_seq: int
    seed: str


@frozen
class RunStarted:
    worker_id: str
    attempt: int
    reason: str = ""


@frozen
class RunCompleted:
    result: Payload


@frozen
class RunFailed:
    failure: Failure
    # Where its code began to undo what it had done.
    undo_path: str = ""


@frozen
class RunCancelled:
    reason: str = ""
    undo_path: str = ""


@frozen
class CancelRequested:
    reason: str = ""


@frozen
class RunPaused:
    reason: str = ""


@frozen
class RunResumed:
    pass


@frozen
class StepCompleted:
    path: str
    name: str
    result: Payload
    attempt: int = 1
    started_at: int = 0


@frozen
class StepFailed:
    path: str
    name: str
    failure: Failure
    attempt: int = 1
    started_at: int = 0


@frozen
class StepRetried:
    path: str
    name: str
    failure: Failure
    attempt: int
    next_at: int
    started_at: int = 0


@frozen
class TimerStarted:
    path: str
    fire_at: int


@frozen
class TimerFired:
    path: str


@frozen
class TimerCancelled:
    path: str


@frozen
class ActivityScheduled:
    path: str
    activity_type: str
    task_queue: str
    input: Payload
    retry: RetryPolicy = DEFAULT_RETRY
    timeouts: ActivityTimeouts = NO_TIMEOUTS
    labels: Labels = ()
    concurrency: ConcurrencyLimit | None = None


@frozen
class ActivityStarted:
    path: str
    attempt: int
    worker_id: str


@frozen
class ActivityProgressed:
    path: str
    attempt: int
    heartbeat: Payload


@frozen
class ActivityRetried:
    path: str
    attempt: int
    failure: Failure
    next_at: int
    heartbeat: Payload | None = None


@frozen
class ActivityCompleted:
    path: str
    attempt: int
    result: Payload


@frozen
class ActivityFailed:
    path: str
    attempt: int
    failure: Failure


@frozen
class ActivityCancelRequested:
    path: str


@frozen
class ActivityCancelled:
    path: str


@frozen
class ChildStarted:
    path: str
    workflow_id: str
    run_id: str
    workflow_type: str
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.CANCEL
    # The code went on once it was started.
    detached: bool = False


@frozen
class ChildCompleted:
    path: str
    result: Payload


@frozen
class ChildFailed:
    path: str
    failure: Failure


@frozen
class ChildCancelRequested:
    path: str


@frozen
class ChildCancelled:
    path: str


@frozen
class SignalReceived:
    name: str
    value: Payload
    signal_id: str = ""
    traceparent: str = ""


@frozen
class PromiseCreated:
    path: str
    name: str
    expires_at: int = 0


@frozen
class PromiseResolved:
    path: str
    result: Payload


@frozen
class PromiseRejected:
    path: str
    failure: Failure


@frozen
class PromiseDropped:
    path: str


@frozen
class ValuePublished:
    path: str
    key: str
    value: Payload


Fact = (
    RunCreated
    | RunForked
    | RunStarted
    | RunCompleted
    | RunFailed
    | RunCancelled
    | CancelRequested
    | RunPaused
    | RunResumed
    | StepCompleted
    | StepFailed
    | StepRetried
    | TimerStarted
    | TimerFired
    | TimerCancelled
    | ActivityScheduled
    | ActivityStarted
    | ActivityProgressed
    | ActivityRetried
    | ActivityCompleted
    | ActivityFailed
    | ActivityCancelRequested
    | ActivityCancelled
    | ChildStarted
    | ChildCompleted
    | ChildFailed
    | ChildCancelRequested
    | ChildCancelled
    | SignalReceived
    | PromiseCreated
    | PromiseResolved
    | PromiseRejected
    | PromiseDropped
    | ValuePublished
)


@frozen
class AwaitedSignal:
    """A place in the code of a run at which it waits for a signal."""

    path: str
    name: str


@frozen
class Event:
    """A fact with its place in the run's history (`seq`, from 1, no gaps) and in time (`at`).

    `parked` says that with it the run began to wait for the server alone, `awaits` then for which signals.
    """

    seq: int
    at: int
    fact: Fact
    parked: bool = False
    awaits: tuple[AwaitedSignal, ...] = ()
