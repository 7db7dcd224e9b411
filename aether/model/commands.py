"""What a worker asks for, in the imperative: one class for each member of `Command` in `worker.proto`."""

from aether.model.frozen import frozen
from aether.model.payload import Failure, Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS, ActivityTimeouts, ConcurrencyLimit, RetryPolicy
from aether.model.runs import Labels, ParentClosePolicy


@frozen
class RecordStep:
    """Exactly one of `result` and `failure` is set."""

    path: str
    name: str
    result: Payload | None
    failure: Failure | None = None
    attempt: int = 1
    started_at: int = 0


@frozen
class FailStep:
    path: str
    name: str
    failure: Failure
    attempt: int
    retry: RetryPolicy
    started_at: int = 0


@frozen
class CreatePromise:
    path: str
    name: str
    timeout_ms: int = 0


@frozen
class PublishValue:
    path: str
    key: str
    value: Payload


@frozen
class StartTimer:
    path: str
    delay_ms: int


@frozen
class ScheduleActivity:
    path: str
    activity_type: str
    task_queue: str
    input: Payload
    retry: RetryPolicy = DEFAULT_RETRY
    timeouts: ActivityTimeouts = NO_TIMEOUTS
    labels: Labels = ()
    concurrency: ConcurrencyLimit | None = None


@frozen
class StartChild:
    path: str
    workflow_type: str
    workflow_id: str
    task_queue: str
    input: Payload
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.CANCEL
    labels: Labels = ()
    concurrency: ConcurrencyLimit | None = None
    # The code goes on once it is started.
    detached: bool = False


@frozen
class CancelPending:
    path: str


@frozen
class CompleteRun:
    result: Payload


@frozen
class FailRun:
    failure: Failure
    # Of the first step that undoes what the run had done.
    undo_path: str = ""


@frozen
class CancelRun:
    reason: str = ""
    undo_path: str = ""


@frozen
class BlockRun:
    failure: Failure


@frozen
class CompleteActivity:
    result: Payload


@frozen
class FailActivity:
    failure: Failure


@frozen
class CancelActivity:
    pass


RunCommand = (
    RecordStep
    | FailStep
    | CreatePromise
    | PublishValue
    | StartTimer
    | ScheduleActivity
    | StartChild
    | CancelPending
    | CompleteRun
    | FailRun
    | CancelRun
    | BlockRun
)
ActivityCommand = CompleteActivity | FailActivity | CancelActivity
Command = RunCommand | ActivityCommand
