"""Protobuf messages to model classes and back: events and commands. Their values: `values.py`.

The names are the mapping. A fact or command is an attrs class whose attributes are called like the fields of its
message (times end in `_us` there), so the plan by which one becomes the other is read off both when this module is
imported, and fails then if they do not agree. A new fact is a class and a message.

Everything is total and round-trip tested: a message that no model class can stand for raises `InvalidArgument`, which
names the field.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import get_args

import attrs
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from aether.errors import InvalidArgument
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS, ActivityTimeouts, ConcurrencyLimit, RetryPolicy
from aether.model.runs import ParentClosePolicy
from aether.wire.generated.aether.v1 import model_pb2 as pb
from aether.wire.generated.aether.v1 import worker_pb2 as wpb
from aether.wire.pack import LARGE, Level, pack_payload
from aether.wire.values import (
    awaits_from_proto,
    concurrency_from_proto,
    concurrency_to_proto,
    failure_from_proto,
    failure_to_proto,
    memo_from_proto,
    payload_from_proto,
    payload_to_proto,
    policy_from_proto,
    retry_from_proto,
    retry_to_proto,
    tags_from_proto,
    timeouts_from_proto,
    timeouts_to_proto,
)

# How the value of an attribute becomes the value of a field, by the attribute's type: (to protobuf, from it, what an
# absent message stands for). What is not here is the same on both sides.
_CODECS: dict[object, tuple[Callable[..., object], Callable[..., object], object]] = {
    Payload: (payload_to_proto, payload_from_proto, Payload(b"")),
    Payload | None: (payload_to_proto, payload_from_proto, None),
    Failure: (failure_to_proto, failure_from_proto, Failure("", "")),
    Failure | None: (failure_to_proto, failure_from_proto, None),
    RetryPolicy: (retry_to_proto, retry_from_proto, DEFAULT_RETRY),
    ActivityTimeouts: (timeouts_to_proto, timeouts_from_proto, NO_TIMEOUTS),
    ConcurrencyLimit | None: (concurrency_to_proto, concurrency_from_proto, None),
    # CANCEL is the default and takes no room.
    ParentClosePolicy: (
        lambda policy: 0 if policy is ParentClosePolicy.CANCEL else int(policy),
        policy_from_proto,
        None,
    ),
    tuple[tuple[str, str], ...]: (dict, tags_from_proto, None),
    tuple[tuple[str, Payload], ...]: (
        lambda memo: {key: payload_to_proto(value) for key, value in memo},
        memo_from_proto,
        None,
    ),
}


@attrs.frozen
class _Part:
    """One attribute and its field."""

    attribute: str
    field: str
    to_proto: Callable[..., object] | None
    from_proto: Callable[..., object] | None
    is_message: bool
    # What an absent message stands for, and the value that is as good as no field.
    absent: object
    unset: object
    number: int


def _part(attribute: "attrs.Attribute[object]", fields: Mapping[str, FieldDescriptor]) -> _Part:
    name = attribute.name if attribute.name in fields else f"{attribute.name}_us"
    to_proto, from_proto, absent = _CODECS.get(attribute.type, (None, None, None))
    unset = () if attribute.default == () else "" if attribute.type is str else 0 if attribute.type is int else None
    return _Part(
        attribute.name, name, to_proto, from_proto, fields[name].has_presence, absent, unset, fields[name].number
    )


def _absent(part: _Part, default: object) -> object:
    if part.is_message:
        return part.absent
    return default if part.from_proto is None else part.from_proto(default)


class _Plan:
    """How one class and one member of a oneof stand for each other."""

    def __init__(self, kind: type, member: FieldDescriptor, messages: ModuleType) -> None:
        assert member.message_type is not None
        self.kind = kind
        self.member = member.name
        self.number = member.number
        self._message: Callable[..., Message] = getattr(messages, member.message_type.name)
        fields = member.message_type.fields_by_name
        self._parts = [_part(attribute, fields) for attribute in attrs.fields(kind)]
        self._payload = next((part for part in self._parts if part.to_proto is payload_to_proto), None)
        self._places = {fields[part.field].number: (place, part.from_proto) for place, part in enumerate(self._parts)}
        # What comes of a message in which nothing is set.
        empty = self._message()
        self._empty = [_absent(part, getattr(empty, part.field)) for part in self._parts]

    def large(self, value: object) -> Payload | None:
        """The payload that is worth being put into its place by itself, if there is one."""
        if self._payload is None:
            return None
        payload: Payload | None = getattr(value, self._payload.attribute)
        return payload if payload is not None and len(payload.data) >= LARGE else None

    def levels(self, rest: bytes, value: object) -> list[Level]:
        """Where the payload is, from the holder of the oneof on, of which `rest` is everything else."""
        assert self._payload is not None
        bare = self._message(**self._fields(value, but=self._payload))
        return [(rest, self.number), (bare.SerializeToString(), self._payload.number)]

    def to_proto(self, value: object) -> dict[str, object]:
        """What the holder of the oneof is made with."""
        return {self.member: self._message(**self._fields(value))}

    def _fields(self, value: object, but: _Part | None = None) -> dict[str, object]:
        fields = {}
        for part in self._parts:
            given = getattr(value, part.attribute)
            if part is but or given is None or given == part.unset:
                continue
            fields[part.field] = given if part.to_proto is None else part.to_proto(given)
        return fields

    def event(self, fact: e.Fact) -> pb.Event:
        return pb.Event(**self.to_proto(fact))  # type: ignore[arg-type]

    def from_proto(self, holder: Message) -> object:
        # Most messages have many fields, of which few are set: only those are looked at.
        values = self._empty.copy()
        for field, given in getattr(holder, self.member).ListFields():
            place, from_proto = self._places[field.number]
            values[place] = given if from_proto is None else from_proto(given)
        return self.kind(*values)


def _plans(kinds: Iterable[type], holder: type[Message], messages: ModuleType) -> dict[type, _Plan]:
    members = holder.DESCRIPTOR.fields_by_name
    plans = {kind: _Plan(kind, members[_snake_case(kind.__name__)], messages) for kind in kinds}  # type: ignore[arg-type]
    assert len(plans) == sum(len(oneof.fields) for oneof in holder.DESCRIPTOR.oneofs)
    return plans


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


_FACTS = _plans(get_args(e.Fact), pb.Event, pb)
_FACTS_BY_MEMBER = {plan.member: plan for plan in _FACTS.values()}
# The kind of an event on disk is the number of its member in `Event.fact`.
KINDS = {kind: plan.number for kind, plan in _FACTS.items()}
_COMMANDS = _plans(get_args(c.Command), wpb.Command, wpb)
_COMMANDS_BY_MEMBER = {plan.member: plan for plan in _COMMANDS.values()}
_COMPLETIONS = wpb.WorkerMessage.DESCRIPTOR.fields_by_name["completions"].number
_COMPLETION_COMMANDS = wpb.CompleteStepRequest.DESCRIPTOR.fields_by_name["commands"].number


def event_to_proto(event: e.Event) -> pb.Event:
    fact = event.fact
    message = _step_to_proto(fact) if type(fact) is e.StepCompleted else _FACTS[type(fact)].event(fact)
    message.seq = event.seq
    message.at_us = event.at
    _tell_rest(message, event)
    return message


def _tell_rest(message: pb.Event, event: e.Event) -> None:
    if event.parked:
        message.parked = True
        for awaited in event.awaits:
            message.awaits.add(path=awaited.path, name=awaited.name)


def event_from_proto(message: pb.Event) -> e.Event:
    member = message.WhichOneof("fact")
    if member is None:
        raise InvalidArgument("an event of a kind that this version does not know", field="fact")
    fact = _FACTS_BY_MEMBER[member].from_proto(message)
    awaits = awaits_from_proto(message.awaits) if message.parked else ()
    return e.Event(message.seq, message.at_us, fact, message.parked, awaits)  # type: ignore[arg-type]


def encode_event(event: e.Event) -> bytes:
    """The bytes that go to disk, to workers and to whoever reads a history."""
    fact = event.fact
    if type(fact) is e.StepCompleted and len(fact.result.data) < LARGE:
        return event_to_proto(event).SerializeToString()
    plan = _FACTS[type(fact)]
    payload = plan.large(fact)
    if payload is None:
        return event_to_proto(event).SerializeToString()
    head = pb.Event(seq=event.seq, at_us=event.at)
    _tell_rest(head, event)
    return pack_payload(plan.levels(head.SerializeToString(), fact), payload)


def decode_event(body: bytes) -> e.Event:
    return event_from_proto(pb.Event.FromString(body))


def command_to_proto(command: c.Command) -> wpb.Command:
    message = wpb.Command()
    fill_command(message, command)
    return message


def fill_command(message: wpb.Command, command: c.Command) -> None:
    """The command into an empty message, in the place where it is sent from."""
    if type(command) is c.RecordStep and command.result is not None and command.failure is None:
        _fill_record(message.record_step, command, command.result)
    else:
        message.MergeFrom(wpb.Command(**_COMMANDS[type(command)].to_proto(command)))  # type: ignore[arg-type]


def has_large_payload(command: c.Command) -> bool:
    """It is worth being sent by `pack_completion`."""
    if type(command) is c.RecordStep:
        return command.result is not None and len(command.result.data) >= LARGE
    return _COMMANDS[type(command)].large(command) is not None


def pack_completion(head: wpb.CompleteStepRequest, command: c.Command) -> bytes:
    """A `WorkerMessage` with a request that has one command, with a large payload."""
    plan = _COMMANDS[type(command)]
    payload = plan.large(command)
    assert payload is not None
    around = [(b"", _COMPLETIONS), (head.SerializeToString(), _COMPLETION_COMMANDS)]
    return pack_payload([*around, *plan.levels(b"", command)], payload)


def command_from_proto(message: wpb.Command) -> c.Command:
    member = message.WhichOneof("command")
    if member is None:
        raise InvalidArgument("a command of no kind, or of one that this server does not know", field="commands")
    if member == "record_step" and not (step := message.record_step).HasField("failure"):
        return _record_from_proto(step)
    return _COMMANDS_BY_MEMBER[member].from_proto(message)  # type: ignore[return-value]


# Completed steps are by far the most frequent facts and commands, and are worth ways of their own: setting fields in
# place takes half the time of building messages to be copied.


def _step_to_proto(fact: e.StepCompleted) -> pb.Event:
    message = pb.Event()
    step = message.step_completed
    step.path = fact.path
    step.name = fact.name
    step.attempt = fact.attempt
    step.started_at_us = fact.started_at
    step.result.data = fact.result.data
    if fact.result.encoding:
        step.result.encoding = fact.result.encoding
    return message


def _fill_record(step: wpb.RecordStep, command: c.RecordStep, result: Payload) -> None:
    step.path = command.path
    step.name = command.name
    step.attempt = command.attempt
    step.started_at_us = command.started_at
    step.result.data = result.data
    if result.encoding:
        step.result.encoding = result.encoding


def _record_from_proto(step: wpb.RecordStep) -> c.RecordStep:
    result = step.result
    payload = Payload(result.data, result.encoding) if step.HasField("result") else None
    return c.RecordStep(step.path, step.name, payload, None, step.attempt, step.started_at_us)
