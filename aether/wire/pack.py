"""Messages put together from parts that are bytes already.

An event is encoded once, when it is recorded. A task that carries it is the protobuf encoding of the fields around it,
with those bytes in their place: protobuf fields may be concatenated, and a message field is its number, its length and
its bytes (protobuf.dev, "Encoding").

A large payload is put into its place in the same way. Memory for a megabyte comes fresh from the kernel each time it is
asked for, which takes longer than to fill it, so one copy is made in place of five.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from aether.model.payload import Payload

_LENGTH_DELIMITED = 2

# Field numbers of worker.proto; a test holds them against the generated code.
TASK_TOKEN = 1
TASK_WORKFLOW = 2
WORKFLOW_TASK_EVENTS = 4
SERVER_MESSAGE_DELIVERIES = 2
DELIVERY_TASK = 1
DELIVERY_RESPONSE = 2
PAYLOAD_DATA = 1
PAYLOAD_ENCODING = 2

LARGE: Final = 64 * 1024
"""Bytes of a payload from which on it is worth `pack_payload`."""

_DELIVERY_TAG: Final = SERVER_MESSAGE_DELIVERIES << 3 | _LENGTH_DELIMITED
_SHORT: Final = 0x80 - 2

Level = tuple[bytes, int]
"""A message without one of its fields, and the number of that field."""


def varint(number: int) -> bytes:
    """A non-negative number in base 128, least significant first."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def bytes_field(number: int, data: bytes) -> bytes:
    return _head(number, len(data)) + data


def _head(number: int, size: int) -> bytes:
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(size)


_EVENT_TAG = varint(WORKFLOW_TASK_EVENTS << 3 | _LENGTH_DELIMITED)


def pack_workflow_task(token: int, head: bytes, events: Iterable[bytes]) -> bytes:
    """A `Task` with a `WorkflowTask`: `head` is a WorkflowTask without its events."""
    parts = [head]
    for event in events:
        parts += (_EVENT_TAG, varint(len(event)), event)
    return varint(TASK_TOKEN << 3) + varint(token) + bytes_field(TASK_WORKFLOW, b"".join(parts))


def pack_delivery(kind: int, message: bytes) -> bytes:
    """A `Delivery` in its place in a `ServerMessage`; `kind` is DELIVERY_TASK or DELIVERY_RESPONSE."""
    size = len(message)
    if size < _SHORT:
        # All tags and lengths are of one byte each.
        return bytes((_DELIVERY_TAG, size + 2, kind << 3 | _LENGTH_DELIMITED, size)) + message
    return bytes_field(SERVER_MESSAGE_DELIVERIES, bytes_field(kind, message))


def pack_payload(levels: Sequence[Level], payload: Payload) -> bytes:
    """A message with a payload somewhere in it: `levels` lead from the outermost message to the payload's field."""
    data, encoding = payload.data, payload.encoding.encode()
    # From the end, where everything is known that a length in front of it depends on.
    parts = [bytes_field(PAYLOAD_ENCODING, encoding) if encoding else b"", data]
    parts.append(_head(PAYLOAD_DATA, len(data)))
    size = sum(map(len, parts))
    for rest, number in reversed(levels):
        head = _head(number, size)
        parts += (head, rest)
        size += len(head) + len(rest)
    parts.reverse()
    return b"".join(parts)
