"""JSON of the API to messages of the public contract, and what their JSON looks like as a schema.

Goes by the descriptors of the messages, so the API has every field that the contract has.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from aether.server.http.messages import HttpError
from aether.wire.documents import payload_of_document
from aether.wire.generated.aether.v1 import model_pb2

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
}
_PAYLOAD = model_pb2.Payload.DESCRIPTOR.full_name


def fill(message: Message, document: object, kind: str = "field") -> None:
    """Set the fields that `document` has; raises HttpError with everything that is wrong with it.

    `kind` is what its names are called.
    """
    faults = list(_fill(message, document, "", kind))
    if faults:
        raise HttpError(400, "; ".join(faults), code="INVALID_ARGUMENT")


def _fill(message: Message, document: object, where: str, kind: str = "field") -> Iterator[str]:
    if not isinstance(document, Mapping):
        yield f"{where or 'the body'} must be an object"
        return
    fields = message.DESCRIPTOR.fields_by_name
    for key, value in document.items():
        field = fields.get(key)
        name = f"{where}.{key}" if where else str(key)
        if field is None:
            yield f"there is no {kind} {name[:100]!r}"
        elif value is not None or _is_payload(field):
            yield from _set(message, field, value, name)


def _set(message: Message, field: Any, value: object, name: str) -> Iterator[str]:
    if _is_map(field):
        yield from _set_map(message, field, value, name)
    elif field.message_type is not None and not is_repeated(field):
        target = getattr(message, field.name)
        target.SetInParent()
        if _is_payload(field):
            try:
                target.CopyFrom(payload_of_document(value))
            except (ValueError, RecursionError) as error:
                yield f"{name}: {error}"
        else:
            yield from _fill(target, value, name)
    elif is_repeated(field):
        yield f"{name} can not be set here"
    else:
        try:
            setattr(message, field.name, _scalar(field, value))
        except (TypeError, ValueError, KeyError):
            yield f"{name} must be {_kind(field)}"


def _set_map(message: Message, field: Any, value: object, name: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{name} must be an object"
        return
    target = getattr(message, field.name)
    for key, each in value.items():
        try:
            if hasattr(target, "get_or_create"):
                target.get_or_create(key).CopyFrom(payload_of_document(each))
            else:
                target[key] = each
        except (TypeError, ValueError, RecursionError):
            yield f"{name}.{key[:100]} has a wrong value"


def _scalar(field: Any, value: object) -> object:
    if field.enum_type is not None:
        return _enum(field, value)
    if field.cpp_type in _INTEGERS:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,20}", value):
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError
        return value
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL and isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}[value.lower()]
    return value


def _enum(field: Any, value: object) -> int:
    names = {each.name: each.number for each in field.enum_type.values}
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", field.enum_type.name).upper()
    return int(names[f"{prefix}_{str(value).upper()}"])


def _kind(field: Any) -> str:
    if field.enum_type is not None:
        return "one of its names"
    if field.cpp_type in _INTEGERS:
        return "a whole number that is not too large"
    return "true or false" if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else "a text"


def is_repeated(field: Any) -> bool:
    # Protobuf before 6 has no such attribute; newer ones warn of the other.
    return bool(field.is_repeated) if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED


def _is_payload(field: Any) -> bool:
    """Then null is a value like any other."""
    return field.message_type is not None and field.message_type.full_name == _PAYLOAD


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def schema_name(descriptor: Any) -> str:
    return str(descriptor.name)


def schemas_of(descriptor: Any, found: dict[str, object], *, of_request: bool) -> None:
    """Adds the JSON schema of a message, and of the messages in it. Answers have times as text."""
    name = schema_name(descriptor)
    if name in found:
        return
    properties: dict[str, object] = {}
    found[name] = {"type": "object", "properties": properties}
    for field in descriptor.fields:
        key, schema = _property(field, found, of_request=of_request)
        properties[key] = schema


def _property(field: Any, found: dict[str, object], *, of_request: bool) -> tuple[str, object]:
    if _is_map(field):
        value = field.message_type.fields_by_name["value"]
        return field.name, {"type": "object", "additionalProperties": _one(value, found, of_request=of_request)}
    if not of_request and field.name.endswith("at_us"):
        return field.name.removesuffix("_us"), {"type": ["string", "null"], "format": "date-time"}
    one = _one(field, found, of_request=of_request)
    return field.name, {"type": "array", "items": one} if is_repeated(field) else one


def _one(field: Any, found: dict[str, object], *, of_request: bool) -> object:
    if field.message_type is not None:
        if field.message_type.full_name == _PAYLOAD:
            return {"description": "Any JSON value."}
        schemas_of(field.message_type, found, of_request=of_request)
        return {"$ref": f"#/components/schemas/{schema_name(field.message_type)}"}
    if field.enum_type is not None:
        return {"type": "string"}
    if field.cpp_type in _INTEGERS:
        return {"type": "integer"}
    return {"type": "boolean"} if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else {"type": "string"}
