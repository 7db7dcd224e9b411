"""Protobuf messages with any fields that might be sent: right ones, empty, too long, too large, of another form."""

from random import Random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_DEPTH_MAX = 4
_TEXTS = ("", "w", "w0", "1", "0", "1..2", "1.1.1", "default", "x" * 201, "x" * 70_000, "a\nb", "é", "w" * 200)
# What is right more often than not, so that more than the first check is met.
_RIGHT = {
    "path": ("1", "2", "3", "1.1.1"),
    "name": ("s", "p"),
    "key": ("k",),
    "type": ("E",),
    "workflow_id": ("w0", "w1", "w2"),
    "run_id": ("",),
    "workflow_type": ("t",),
    "workflow_types": ("t",),
    "activity_type": ("a",),
    "activity_types": ("a",),
    "task_queue": ("", "default"),
    "encoding": ("",),
    "reason": ("", "enough"),
    "bases": ("E",),
    "non_retryable": ("E",),
}
_BYTES = (b"", b"[]", b"1", b"\xff\xfe", b"x" * 300_000)
_NUMBERS = (0, 1, 1, 2, 3, 5, 1_000, 60_000, 2**31 - 1)
_FLOATS = (0.0, 1.0, 1.0, 2.0, 0.5, -1.0, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"))
_EXTREMES = {
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
}


def message(rng: Random, descriptor: Descriptor, depth: int = 0) -> Message:
    """Any message of that type; most of its fields are set, and mostly one of each that exclude each other."""
    kind = GetMessageClass(descriptor)
    given: dict[str, Any] = {}
    alone = [[field] for field in descriptor.fields if field.containing_oneof is None]
    for group in (*alone, *(list(oneof.fields) for oneof in descriptor.oneofs)):
        field = rng.choice(group)
        if rng.random() < 0.85 and (field.message_type is None or depth < _DEPTH_MAX):
            given[field.name] = _values(rng, field, depth)
    return kind(**given)


def _values(rng: Random, field: FieldDescriptor, depth: int) -> Any:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        value = kind.fields_by_name["value"]
        return {rng.choice(_TEXTS): _value(rng, value, depth) for _ in range(rng.randrange(3))}
    # Asked of an instance: how a field tells it itself has changed between versions of protobuf.
    assert field.containing_type is not None
    if hasattr(getattr(GetMessageClass(field.containing_type)(), field.name), "extend"):
        return [_value(rng, field, depth) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))]
    return _value(rng, field, depth)


def _value(rng: Random, field: FieldDescriptor, depth: int) -> Any:
    if field.message_type is not None:
        return message(rng, field.message_type, depth + 1)
    is_right = rng.random() < 0.95
    if field.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(_RIGHT.get(field.name, _TEXTS) if is_right else _TEXTS)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.choice(_BYTES[:3] if is_right else _BYTES)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.3
    if field.type == FieldDescriptor.TYPE_ENUM:
        assert field.enum_type is not None
        return rng.choice([value.number for value in field.enum_type.values]) if is_right else 99
    if field.type in _EXTREMES:
        return rng.choice(_NUMBERS if is_right else _EXTREMES[field.type])
    return rng.choice(_FLOATS[:4] if is_right else _FLOATS)
