"""Messages of the server as plain data for JSON that is read, not read back. Pure.

It goes by the fields that a message has, so it needs no change when a message gets more.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message

from aether.wire.generated.aether.v1 import model_pb2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plain(message: Message) -> dict[str, object]:
    """The fields of a message: times as ISO 8601 in UTC, payloads as what they hold, unset messages left out."""
    out: dict[str, object] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if isinstance(value, Message):
            if message.HasField(field.name):
                out[field.name] = _plain_message(value)
        elif isinstance(value, int | str | bytes | float):
            out[_plain_name(field.name)] = _plain_scalar(field.name, value)
        elif isinstance(value, Mapping):
            # Message maps and scalar maps of protobuf alike.
            out[field.name] = {
                key: _plain_message(each) if isinstance(each, Message) else each for key, each in sorted(value.items())
            }
        else:
            out[field.name] = [_plain_message(each) if isinstance(each, Message) else each for each in value]
    return out


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


def _plain_name(name: str) -> str:
    return name.removesuffix("_us") if name.endswith("at_us") else name


def _plain_scalar(name: str, value: float | str | bytes) -> object:
    if name == "state" and isinstance(value, int):
        return state_name(value)
    if name.endswith("at_us") and isinstance(value, int):
        return iso_time(value) or None
    return value


def iso_time(at_us: int) -> str:
    """A time as text that sorts; empty for 0, which stands for none."""
    if not at_us:
        return ""
    try:
        moment = _EPOCH + timedelta(microseconds=at_us)
    except OverflowError:
        return f"{at_us} us"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def state_name(state: int) -> str:
    """PENDING, RUNNING, COMPLETED, FAILED, CANCELLED, or the number of a state that is not known here."""
    try:
        return model_pb2.RunState.Name(state).removeprefix("RUN_STATE_")
    except ValueError:
        return str(state)
