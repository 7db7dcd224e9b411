"""Events as JSON documents that people read, and back again without loss. Pure.

    {"seq": 3, "at": "2026-09-21T14:13:20.000000Z", "event": "StepCompleted", "path": "1", "name": "pay", "result": 7}

A document is the event's own fields and those of its fact side by side. It goes by the fields that a message has, so
it needs no change when facts are added. Times are ISO 8601 in UTC, to the microsecond, and `null` where there is none.
A payload is the JSON value that it holds. One of another encoding is `{"encoding": …, "value": …}` if it holds JSON all
the same, and `{"encoding": …, "base64": …}` if not, or if it is bytes of the user's own; a value that looks like these
is wrapped like these.
"""

import base64
import json
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final

from google.protobuf.message import Message

from aether.errors import InvalidArgument
from aether.model.payload import RAW
from aether.wire.generated.aether.v1 import model_pb2 as pb

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FACTS: Final = {
    field.name.title().replace("_", ""): field.name for field in pb.Event.DESCRIPTOR.oneofs_by_name["fact"].fields
}
_WRAPPED: Final = frozenset({"encoding", "value", "base64"})
_US: Final = " us"
_SCALARS: Final = (int, float, str, bytes)


def event_document(event: pb.Event) -> dict[str, object]:
    """The event and its fact as one document."""
    name = event.WhichOneof("fact")
    document: dict[str, object] = {
        "seq": event.seq,
        "at": _time_text(event.at_us),
        "event": (name or "unknown").title().replace("_", ""),
    }
    if event.parked:
        document["parked"] = True
    if event.awaits:
        document["awaits"] = [{"path": awaited.path, "name": awaited.name} for awaited in event.awaits]
    if name:
        document |= _document(getattr(event, name))
    return document


def event_of_document(document: object) -> pb.Event:
    """Raises InvalidArgument, naming the event and what is wrong with it."""
    if not isinstance(document, Mapping):
        raise InvalidArgument(f"an event is an object, not {_shown(document)}", field="event")
    fact_name = _FACTS.get(str(document.get("event")))
    where = f"event {_shown(document.get('seq'))}"
    if fact_name is None:
        known = "which this version does not know"
        raise InvalidArgument(f"{where} is {_shown(document.get('event'))}, {known}", field="event")
    event = pb.Event()
    fact = getattr(event, fact_name)
    fact.SetInParent()
    own: dict[str, object] = {"seq": None, "at": None, "parked": False, "awaits": []}
    rest = {key: value for key, value in document.items() if key not in {*own, "event"}}
    _fill(event, {key: document.get(key, value) for key, value in own.items()}, where)
    _fill(fact, rest, where)
    return event


def payload_document(payload: pb.Payload) -> object:
    """What a payload holds, in a form that tells how it was encoded."""
    value, is_json = _parsed(payload)
    if is_json and not payload.encoding and not _looks_wrapped(value):
        return value
    if is_json:
        return {"encoding": payload.encoding, "value": value}
    return {"encoding": payload.encoding, "base64": base64.b64encode(payload.data).decode()}


def payload_of_document(document: object) -> pb.Payload:
    """Raises ValueError."""
    if isinstance(document, Mapping) and _looks_wrapped(document):
        encoding = document.get("encoding", "")
        if not isinstance(encoding, str):
            raise ValueError("an encoding is a text")
        if "base64" in document:
            return pb.Payload(data=base64.b64decode(str(document["base64"]), validate=True), encoding=encoding)
        return pb.Payload(data=_dumped(document["value"]), encoding=encoding)
    return pb.Payload(data=_dumped(document))


def _looks_wrapped(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and value.keys() <= _WRAPPED and value.keys() != {"encoding"}


def _parsed(payload: pb.Payload) -> tuple[object, bool]:
    """The value, and whether it is JSON that means the same when it is written again."""
    if payload.encoding == RAW:
        return None, False
    try:
        value: object = json.loads(payload.data, parse_constant=_refuse, parse_float=_finite)
        _dumped(value)
    except (ValueError, RecursionError):
        return None, False
    return value, True


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else float(str(_refuse(text)))


def _dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _document(message: Message) -> dict[str, object]:
    out: dict[str, object] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if isinstance(value, Message):
            if message.HasField(field.name):
                out[field.name] = _plain(value)
        elif field.name.endswith("_us"):
            out[field.name.removesuffix("_us")] = _time_text(value) if value else None
        elif isinstance(value, Mapping):
            out[field.name] = {key: _plain(each) for key, each in sorted(value.items())}
        elif isinstance(value, _SCALARS):
            out[field.name] = value
        else:
            out[field.name] = [_plain(each) for each in value]
    return out


def _plain(value: object) -> object:
    if isinstance(value, pb.Payload):
        return payload_document(value)
    return _document(value) if isinstance(value, Message) else value


def _fill(message: Message, document: Mapping[str, object], where: str) -> None:
    names = {field.name.removesuffix("_us"): field.name for field in message.DESCRIPTOR.fields}
    for key, value in document.items():
        name = names.get(str(key))
        if name is None:
            raise InvalidArgument(f"{where}: nothing is known of {_shown(key)}", field=str(key))
        try:
            _set(message, name, value, where)
        except (TypeError, ValueError, KeyError) as error:
            raise InvalidArgument(f"{where}: {key} can not be {_shown(value)} ({error})", field=str(key)) from error


def _set(message: Message, name: str, value: object, where: str) -> None:
    there = getattr(message, name)
    if isinstance(there, Message):
        there.SetInParent()
        _set_message(there, value, where)
    elif name.endswith("_us"):
        setattr(message, name, 0 if value is None else _time_us(value))
    elif isinstance(there, _SCALARS):
        if type(value) is not type(there) and not (isinstance(there, float) and type(value) is int):
            raise TypeError(f"not of type {type(there).__name__}")
        setattr(message, name, value)
    elif isinstance(there, MutableMapping):
        _fill_map(there, value)
    else:
        for each in _sequence(value):
            if hasattr(there, "add"):
                _set_message(there.add(), each, where)
            else:
                there.append(each)


def _fill_map(target: MutableMapping[str, object], value: object) -> None:
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    for key, each in value.items():
        if hasattr(target, "get_or_create"):
            target.get_or_create(key).CopyFrom(payload_of_document(each))
        else:
            target[key] = each


def _set_message(target: Message, value: object, where: str) -> None:
    if isinstance(target, pb.Payload):
        target.CopyFrom(payload_of_document(value))
    elif isinstance(value, Mapping):
        _fill(target, value, where)
    else:
        raise TypeError("not an object")


def _sequence(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _time_text(at_us: int) -> str:
    """A time that sorts as text; a number of microseconds where no calendar reaches."""
    try:
        moment = _EPOCH + timedelta(microseconds=at_us)
    except OverflowError:
        return f"{at_us}{_US}"
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _time_us(text: object) -> int:
    if not isinstance(text, str):
        raise TypeError("not a time")
    if text.endswith(_US):
        return int(text.removesuffix(_US))
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
