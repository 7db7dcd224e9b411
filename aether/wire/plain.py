"""Messages of the server as plain data for JSON that is read, not read back. Pure.

It goes by the fields that a message has, so it needs no change when a message gets more.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from aether.wire.generated.aether.v1 import model_pb2

# Its name, the name that it is shown by, whether it may be unset, and what makes of it what is shown.
_Field = tuple[str, str, bool, Callable[..., object] | None]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plain(message: Message) -> dict[str, object]:
    """The fields of a message: times as ISO 8601 in UTC, payloads as what they hold, unset messages left out."""
    out: dict[str, object] = {}
    for name, shown, is_one, make in _plan(message.DESCRIPTOR):
        if is_one and not message.HasField(name):
            continue
        value = getattr(message, name)
        out[shown] = make(value) if make is not None else value
    return out


@cache
def _plan(descriptor: Descriptor) -> tuple[_Field, ...]:
    """How each field is shown: a long answer has the same fields thousands of times."""
    return tuple(_shown(field) for field in descriptor.fields)


def _shown(field: FieldDescriptor) -> _Field:
    name, of = str(field.name), field.message_type
    if of is not None and of.GetOptions().map_entry:
        return name, name, False, _plain_map
    if field.has_presence and of is not None:
        return name, name, True, _plain_message
    # Protobuf before 6 has no such attribute.
    if getattr(field, "is_repeated", isinstance(field.default_value, list)):
        return name, name, False, _plain_list
    if name.endswith("at_us"):
        return name, name.removesuffix("_us"), False, _time
    return name, name, False, state_name if name == "state" and field.enum_type is not None else None


def plain_payload(payload: model_pb2.Payload) -> object:
    """What a payload holds; bytes that are not JSON are given in base64."""
    if payload.encoding.partition(";")[0] in {"", "json"}:
        try:
            return json.loads(payload.data, parse_constant=str)
        except (ValueError, RecursionError):
            pass
    held = {"base64": base64.b64encode(payload.data).decode()}
    return {"encoding": payload.encoding, **held} if payload.encoding else held


def _plain_message(message: Message) -> object:
    return plain_payload(message) if isinstance(message, model_pb2.Payload) else plain(message)


def _plain_list(values: Sequence[object]) -> list[object]:
    return [_plain_message(each) if isinstance(each, Message) else each for each in values]


def _plain_map(values: Mapping[str, object]) -> dict[str, object]:
    """Maps of messages and of scalars alike."""
    return {key: _plain_message(each) if isinstance(each, Message) else each for key, each in sorted(values.items())}


def _time(at_us: int) -> str | None:
    return iso_time(at_us) or None


def iso_time(at_us: int) -> str:
    """A time as text that sorts; empty for 0, which stands for none."""
    if not at_us:
        return ""
    second, rest_us = divmod(at_us, 1_000_000)
    try:
        return f"{_second(second)}.{rest_us // 1000:03}Z"
    except OverflowError:
        return f"{at_us} us"


@lru_cache(maxsize=1024)
def _second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat(timespec="seconds").removesuffix("+00:00")


def state_name(state: int) -> str:
    """PENDING, RUNNING, COMPLETED, FAILED, CANCELLED, or the number of a state that is not known here."""
    try:
        return model_pb2.RunState.Name(state).removeprefix("RUN_STATE_")
    except ValueError:
        return str(state)
