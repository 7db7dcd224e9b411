"""What the engine answers with: records to make durable, and effects to perform once they are."""

from aether.errors import AetherError
from aether.model.events import Event
from aether.model.frozen import frozen
from aether.model.payload import Failure, Payload
from aether.model.policy import ActivityTimeouts
from aether.model.runs import RunState

# Records.


@frozen
class RunOpened:
    key: int
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    parent_key: int | None
    created_at: int
    tags: tuple[tuple[str, str], ...] = ()


@frozen
class RunChanged:
    """The run has another state; `closed_at` is set when it is its last."""

    key: int
    workflow_type: str
    before: RunState
    state: RunState
    closed_at: int | None
    # The class of the error of which it failed.
    error: str = ""


@frozen
class QueueSet:
    """What was asked of a task queue, all of it; when nothing is, it is like any other again."""

    task_queue: str
    paused: bool
    reason: str
    activity_limit: int

    @property
    def is_needed(self) -> bool:
        return self.paused or self.activity_limit > 0


@frozen
class EventRecorded:
    run_key: int
    event: Event


Record = RunOpened | RunChanged | EventRecorded | QueueSet


# Answers, as they go into a Reply.


@frozen
class Started:
    workflow_id: str
    run_id: str
    existing: bool


@frozen
class Closed:
    """How a run ended; the `failure` of a cancelled one has the reason as its message."""

    workflow_id: str
    run_id: str
    state: RunState
    result: Payload | None
    failure: Failure | None


@frozen
class NotOpen:
    """No open run has that id: if there is one, it is closed and on disk."""

    workflow_id: str
    run_id: str


@frozen
class CancelAccepted:
    run_id: str
    state: RunState


@frozen
class PauseChanged:
    """The run is paused, or is not; `existing`: it was so already."""

    run_id: str
    existing: bool


@frozen
class Recorded:
    """A worker's commands became events up to `seq`, at `at`."""

    token: int
    seq: int
    at: int


@frozen
class HeartbeatSeen:
    cancel_requested: bool


@frozen
class Signalled:
    run_id: str
    duplicate: bool


@frozen
class PromiseCompleted:
    duplicate: bool


@frozen
class ValueRead:
    """`value` is None if the run has published nothing under that key."""

    value: Payload | None
    published_at: int


# Effects.


@frozen
class Reply:
    to: object
    answer: object | AetherError


@frozen
class RunTask:
    """What a worker is told with the first task of a lease."""

    workflow_id: str
    run_id: str
    workflow_type: str


@frozen
class SendEvents:
    """Events `first_seq` to `last_seq` of a run; `task` is set with the first task of a lease."""

    session_id: int
    token: int
    run_key: int
    first_seq: int
    last_seq: int
    task: RunTask | None = None


@frozen
class SendActivity:
    session_id: int
    token: int
    workflow_id: str
    run_id: str
    path: str
    activity_type: str
    input: Payload
    attempt: int
    last_heartbeat: Payload | None
    timeouts: ActivityTimeouts
    scheduled_at: int
    # Of this attempt; empty if nobody traces the run.
    traceparent: str = ""


@frozen
class CancelAttempt:
    session_id: int
    token: int
    reason: str


@frozen
class Revoke:
    session_id: int
    token: int
    reason: str


@frozen
class EndSession:
    """The session is over for the engine; close its stream."""

    session_id: int
    reason: str


Effect = Reply | SendEvents | SendActivity | CancelAttempt | Revoke | EndSession


@frozen
class Decision:
    records: list[Record]
    effects: list[Effect]
