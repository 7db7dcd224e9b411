"""Events as they lie on disk -> the short form in which those who watch all runs are told of them. Pure.

It goes by the fields that a fact has, so that new facts need nothing here.
"""

from typing import Final

from google.protobuf.message import Message

from aether.wire.generated.aether.v1 import admin_pb2, model_pb2

# What a fact calls the thing that it is about, and the times that it may tell.
_NAMES: Final = ("name", "activity_type", "key", "workflow_id")
_TIMES: Final = ("next_at_us", "fire_at_us", "start_at_us", "expires_at_us")
_MESSAGE_MAX: Final = 200
_NAMES_MAX: Final = 10_000

# Every kind of event by its name.
KIND_NUMBERS: Final = {
    field.name.title().replace("_", ""): field.number
    for field in model_pb2.Event.DESCRIPTOR.oneofs_by_name["fact"].fields
}
# Those whose things go on, and are named by them alone.
_NAMING: Final = {"activity_scheduled", "child_started", "promise_created"}
NAMING_NUMBERS: Final = {KIND_NUMBERS[name.title().replace("_", "")] for name in _NAMING}


class EventNames:
    """What is at the paths of runs: the first fact of a thing names it, and those that follow do not repeat it."""

    def __init__(self) -> None:
        self._names: dict[tuple[int, str], str] = {}

    def of(self, run_key: int, path: str, told: str) -> str:
        """The name that is told now, or was before; "" where it was told before anybody listened."""
        if not path:
            return told
        if not told:
            return self._names.get((run_key, path), "")
        if len(self._names) >= _NAMES_MAX:
            # The oldest half: what is long over.
            for key in list(self._names)[: _NAMES_MAX // 2]:
                del self._names[key]
        self._names[run_key, path] = told
        return told

    def learn(self, run_key: int, body: bytes) -> None:
        """From an event that is not told, but names what later ones are about."""
        event = model_pb2.Event.FromString(body)
        fact: Message = getattr(event, event.WhichOneof("fact") or "")
        self.of(run_key, getattr(fact, "path", ""), _name_of(fact))


def _name_of(fact: Message) -> str:
    if isinstance(fact, model_pb2.RunCreated):
        return fact.workflow_type
    fields = fact.DESCRIPTOR.fields_by_name
    return next((getattr(fact, name) for name in _NAMES if name in fields), "")


def logged_event(position: int, run_key: int, body: bytes, names: EventNames, *, whole: bool) -> admin_pb2.LoggedEvent:
    """All but what only the run itself knows: its ids, type and queue."""
    event = model_pb2.Event.FromString(body)
    member = event.WhichOneof("fact") or "unknown"
    fact: Message = getattr(event, member, event)
    fields = fact.DESCRIPTOR.fields_by_name
    path = getattr(fact, "path", "")
    logged = admin_pb2.LoggedEvent(
        position=position,
        kind=member.title().replace("_", ""),
        at_us=event.at_us,
        seq=event.seq,
        path=path,
        name=names.of(run_key, path, _name_of(fact)),
        attempt=getattr(fact, "attempt", 0),
        due_at_us=next((getattr(fact, name) for name in _TIMES if name in fields), 0),
        worker_id=getattr(fact, "worker_id", ""),
        message=getattr(fact, "reason", "")[:_MESSAGE_MAX],
    )
    if "failure" in fields:
        failure = fact.failure  # type: ignore[attr-defined]
        logged.failure_type, logged.message = failure.type, failure.message[:_MESSAGE_MAX]
    if whole:
        logged.event.CopyFrom(event)
    return logged
