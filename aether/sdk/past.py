"""What the server tells about a run's past and about what it waits for, as frozen classes."""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen

from aether.model.payload import Failure
from aether.model.runs import RunState
from aether.sdk.converters import Converter
from aether.sdk.views import Pending, pending_from_proto, time_of, time_or_none
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.generated.aether.v1 import model_pb2
from aether.wire.values import failure_from_proto, payload_from_proto

_Place = tuple[bool, bool, tuple[int, ...], int]
_KINDS: Final = ("outcome", "pending", "published", "signal")


@frozen
class Attempt:
    """One try. Times that are not known, or have not come yet, are None."""

    number: int
    # From when on it could start. Until `started_at` it was queued; before, since the last attempt, it was backing off.
    due_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    worker_id: str
    # Type and the beginning of the message.
    failure: Failure | None


@frozen
class TimelineRow:
    """Something that took time in a run.

    `kind` is "run", "step", "timer", "activity", "child", "promise", "signal" or "value". `state` is "waiting",
    "queued", "running" or "backing_off" while it is open, and then "completed", "failed", "cancelled", or "abandoned"
    when the run ended first.
    """

    # "" for the run itself, and for signals.
    path: str
    kind: str
    name: str
    state: str
    # Path of the branch that it is in, and how many branches are around it.
    branch: str
    depth: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    # When a timer fires, or the next attempt may start.
    due_at: datetime | None
    worker_id: str
    # The newest hundred, oldest first.
    attempts: tuple[Attempt, ...]
    attempt_count: int
    failure: Failure | None
    child_workflow_id: str
    child_run_id: str
    # The first and the last event that is about it.
    first_seq: int
    last_seq: int


@frozen
class Reason:
    """One of the things that a run waits for.

    `kind` is "worker" (which executes it), "slot", "queue", "no_worker", "start", "blocked", "timer", "retry",
    "activity", "child", "promise", "signal", "cancelling" or "closed".
    """

    kind: str
    text: str
    path: str
    name: str
    due_at: datetime | None
    worker_id: str


@frozen
class Explanation:
    """Why a run does not go on. `str()` of it is the sentence."""

    workflow_id: str
    run_id: str
    state: RunState
    sentence: str
    reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        return self.sentence


@frozen
class Outcome:
    """Something that was over. `state` is "completed", "failed" or "cancelled"."""

    seq: int
    at: datetime
    path: str
    # "step", "timer", "activity", "child" or "promise".
    kind: str
    name: str
    state: str
    attempt: int
    # None unless it was completed.
    result: Any
    failure: Failure | None


@frozen
class ReceivedSignal:
    seq: int
    at: datetime
    name: str
    value: Any


@frozen
class PastState:
    """A run as it was after one of its events."""

    workflow_id: str
    run_id: str
    workflow_type: str
    state: RunState
    seq: int
    at: datetime
    # How often a worker had been given it, and the one that was last.
    attempt: int
    worker_id: str
    cancel_requested: bool
    created_at: datetime
    finished: tuple[Outcome, ...]
    pending: tuple[Pending, ...]
    published: Mapping[str, Any]
    # Those that it had got, also those that its code had not asked for yet.
    signals: tuple[ReceivedSignal, ...]


def state_from_items(items: Sequence[pb.StateItem], converter: Converter) -> PastState:
    """Of the messages of one answer."""
    run = items[0].run
    of = {kind: [getattr(item, kind) for item in items if item.HasField(kind)] for kind in _KINDS}
    return PastState(
        run.workflow_id,
        run.run_id,
        run.workflow_type,
        RunState(run.state),
        run.seq,
        time_of(run.at_us),
        run.attempt,
        run.worker_id,
        run.cancel_requested,
        time_of(run.created_at_us),
        tuple(_outcome(outcome, converter) for outcome in of["outcome"]),
        tuple(pending_from_proto(pending, converter) for pending in of["pending"]),
        {each.key: _value(each.value, converter, f"what is published as {each.key!r}") for each in of["published"]},
        tuple(
            ReceivedSignal(
                each.seq, time_of(each.at_us), each.name, _value(each.value, converter, f"signal {each.name!r}")
            )
            for each in of["signal"]
        ),
    )


def _outcome(message: pb.Outcome, converter: Converter) -> Outcome:
    what = f"the result of {message.kind} {message.name!r}"
    return Outcome(
        message.seq,
        time_of(message.at_us),
        message.path,
        message.kind,
        message.name,
        message.state,
        message.attempt,
        _value(message.result, converter, what) if message.HasField("result") else None,
        failure_from_proto(message.failure) if message.HasField("failure") else None,
    )


def _value(payload: model_pb2.Payload, converter: Converter, what: str) -> Any:
    return converter.decode(payload_from_proto(payload), what)


def timeline_row_from_proto(data: bytes) -> TimelineRow:
    message = pb.TimelineRow.FromString(data)
    return TimelineRow(
        message.path,
        message.kind,
        message.name,
        message.state,
        message.branch,
        message.depth,
        time_of(message.created_at_us),
        time_or_none(message.started_at_us),
        time_or_none(message.ended_at_us),
        time_or_none(message.due_at_us),
        message.worker_id,
        tuple(_attempt(attempt) for attempt in message.attempts),
        message.attempt_count,
        failure_from_proto(message.failure) if message.HasField("failure") else None,
        message.child_workflow_id,
        message.child_run_id,
        message.first_seq,
        message.last_seq,
    )


class FollowedTimeline:
    """The rows of a run that goes on: those that came last take the places of what they were before."""

    def __init__(self) -> None:
        self._rows: dict[_Place, TimelineRow] = {}
        self._places: list[_Place] = []

    def take(self, rows: Iterable[TimelineRow]) -> list[TimelineRow]:
        """All rows, in the order in which `timeline` tells them."""
        for row in rows:
            numbers = tuple(int(part) for part in row.path.split(".")) if row.path else ()
            place = (row.kind != "run", not row.path, numbers, row.first_seq)
            if place not in self._rows:
                insort(self._places, place)
            self._rows[place] = row
        return [self._rows[place] for place in self._places]

    @property
    def is_over(self) -> bool:
        """The run is closed."""
        return bool(self._places) and self._rows[self._places[0]].ended_at is not None


def _attempt(message: pb.TimelineAttempt) -> Attempt:
    return Attempt(
        message.number,
        time_or_none(message.due_at_us),
        time_or_none(message.started_at_us),
        time_or_none(message.ended_at_us),
        message.worker_id,
        failure_from_proto(message.failure) if message.HasField("failure") else None,
    )


def explanation_from_proto(data: bytes) -> Explanation:
    message = pb.Explanation.FromString(data)
    reasons = tuple(
        Reason(reason.kind, reason.text, reason.path, reason.name, time_or_none(reason.due_at_us), reason.worker_id)
        for reason in message.reasons
    )
    return Explanation(message.workflow_id, message.run_id, RunState(message.state), message.sentence, reasons)
