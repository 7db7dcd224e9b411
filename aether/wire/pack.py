"""Messages put together from parts that are bytes already.

An event is encoded once, when it is recorded. A task that carries it is the protobuf encoding of the fields around it,
with those bytes in their place: protobuf fields may be concatenated, and a message field is its number, its length and
its bytes (protobuf.dev, "Encoding").
"""

from collections.abc import Iterable

_LENGTH_DELIMITED = 2

# Field numbers of worker.proto; a test holds them against the generated code.
TASK_TOKEN = 1
TASK_WORKFLOW = 2
WORKFLOW_TASK_EVENTS = 4
SERVER_MESSAGE_DELIVERIES = 2
DELIVERY_TASK = 1
DELIVERY_RESPONSE = 2


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
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(len(data)) + data


_EVENT_TAG = varint(WORKFLOW_TASK_EVENTS << 3 | _LENGTH_DELIMITED)


def pack_workflow_task(token: int, head: bytes, events: Iterable[bytes]) -> bytes:
    """A `Task` with a `WorkflowTask`: `head` is a WorkflowTask without its events."""
    parts = [head]
    for event in events:
        parts += (_EVENT_TAG, varint(len(event)), event)
    return varint(TASK_TOKEN << 3) + varint(token) + bytes_field(TASK_WORKFLOW, b"".join(parts))


def pack_delivery(kind: int, message: bytes) -> bytes:
    """A `Delivery` in its place in a `ServerMessage`; `kind` is DELIVERY_TASK or DELIVERY_RESPONSE."""
    return bytes_field(SERVER_MESSAGE_DELIVERIES, bytes_field(kind, message))
