"""Everything that can happen to the engine. The list is closed: `engine.py` has one handler for each.

`reply` is whatever the shell wants back with the answer; the engine never looks inside.
"""

from aether.model.commands import Command
from aether.model.events import AwaitedSignal, Event
from aether.model.frozen import frozen
from aether.model.payload import Failure, Payload
from aether.model.policy import ConcurrencyLimit
from aether.model.runs import IdReusePolicy, Labels


@frozen
class StartRun:
    reply: object
    workflow_type: str
    workflow_id: str
    # Drawn by the shell, as are the ids of sessions: randomness is an input.
    run_id: str
    task_queue: str
    input: Payload
    reuse: IdReusePolicy = IdReusePolicy.ALLOW
    start_delay_ms: int = 0
    run_timeout_ms: int = 0
    priority: int = 0
    tags: tuple[tuple[str, str], ...] = ()
    memo: tuple[tuple[str, Payload], ...] = ()
    labels: Labels = ()
    concurrency: ConcurrencyLimit | None = None
    # Answer with how it ended.
    awaited: bool = False
    traceparent: str = ""


@frozen
class ForkRun:
    """A new run that begins with `events`, which `fork.plan` has cut from the history of `source`."""

    reply: object
    workflow_id: str
    run_id: str
    source_workflow_id: str
    source_run_id: str
    at_seq: int
    events: tuple[Event, ...]


@frozen
class DescribeRun:
    reply: object
    workflow_id: str
    run_id: str = ""


@frozen
class SurveyRuns:
    """What these runs do, as far as they are open."""

    reply: object
    keys: tuple[int, ...]


@frozen
class ExplainRun:
    reply: object
    workflow_id: str
    run_id: str = ""


@frozen
class AwaitRun:
    reply: object
    workflow_id: str
    run_id: str = ""


@frozen
class ForgetAwait:
    """Whoever sent the `AwaitRun` with this reply does not wait any more."""

    reply: object
    workflow_id: str


@frozen
class CancelRun:
    reply: object
    workflow_id: str
    run_id: str = ""
    reason: str = ""
    # End it here and now.
    force: bool = False


@frozen
class PauseRun:
    reply: object
    workflow_id: str
    run_id: str = ""
    reason: str = ""


@frozen
class ResumeRun:
    reply: object
    workflow_id: str
    run_id: str = ""


@frozen
class SetQueue:
    """What is None stays as it is."""

    reply: object
    task_queue: str
    paused: bool | None = None
    reason: str = ""
    activity_limit: int | None = None


@frozen
class SignalRun:
    reply: object
    workflow_id: str
    run_id: str
    name: str
    value: Payload
    signal_id: str = ""
    traceparent: str = ""


@frozen
class CompletePromise:
    """Exactly one of `result` and `failure` is set."""

    reply: object
    token: str
    result: Payload | None
    failure: Failure | None = None


@frozen
class ReadValue:
    reply: object
    workflow_id: str
    run_id: str
    key: str


@frozen
class OpenSession:
    session_id: int
    worker_id: str
    task_queue: str
    workflow_types: tuple[str, ...]
    activity_types: tuple[str, ...]
    workflow_slots: int
    activity_slots: int
    labels: Labels = ()


@frozen
class CloseSession:
    session_id: int
    reason: str


@frozen
class DrainSession:
    """The worker wants no more tasks."""

    session_id: int


@frozen
class Heartbeat:
    """A sign of life of a session, and of one attempt if `token` is not 0."""

    reply: object
    session_id: int
    token: int = 0
    details: Payload | None = None


@frozen
class Complete:
    """A worker's commands for one task."""

    reply: object
    token: int
    commands: tuple[Command, ...]
    blocked: bool = False
    known_seq: int = 0
    release: bool = False
    number: int = 0
    # With `blocked`: which signals it waits for.
    awaits: tuple[AwaitedSignal, ...] = ()


@frozen
class Tick:
    """Time has passed."""


Input = (
    StartRun
    | ForkRun
    | DescribeRun
    | SurveyRuns
    | ExplainRun
    | AwaitRun
    | ForgetAwait
    | CancelRun
    | PauseRun
    | ResumeRun
    | SetQueue
    | SignalRun
    | CompletePromise
    | ReadValue
    | OpenSession
    | CloseSession
    | DrainSession
    | Heartbeat
    | Complete
    | Tick
)
