"""How a call ends: gRPC status codes, the status as data, and the exception that a client sees."""

from __future__ import annotations

import enum
from typing import Final

import attrs


class Code(enum.IntEnum):
    """Status codes of gRPC (statuscodes.md); the numbers are on the wire."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@attrs.frozen
class Status:
    """The end of one call; `details` is a serialised google.rpc.Status or empty."""

    code: int
    message: str = ""
    details: bytes = b""


OK: Final = Status(Code.OK)


class RpcError(Exception):
    """A call that did not end with OK.

    `is_unprocessed` says that the server never started on the call, so repeating it is always safe.
    """

    def __init__(self, code: int, message: str, details: bytes = b"", *, is_unprocessed: bool = False) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = details
        self.is_unprocessed = is_unprocessed

    def __str__(self) -> str:
        return f"{code_name(self.code)}: {self.message}"


def code_name(code: int) -> str:
    """The name of a code; unknown numbers are shown as such, for a peer may know more of them."""
    try:
        return Code(code).name
    except ValueError:
        return f"CODE_{code}"


_FROM_HTTP: Final = {
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    431: Code.RESOURCE_EXHAUSTED,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}

# By HTTP/2 error code (RFC 9113, 7): what a stream reset means to a caller (gRPC over HTTP/2, "Errors").
_FROM_RESET: Final = {
    0x7: Code.UNAVAILABLE,  # REFUSED_STREAM
    0x8: Code.CANCELLED,  # CANCEL
    0xB: Code.RESOURCE_EXHAUSTED,  # ENHANCE_YOUR_CALM
    0xC: Code.PERMISSION_DENIED,  # INADEQUATE_SECURITY
}


def code_from_http(status: int) -> Code:
    """What an answer without grpc-status means, by its HTTP status (http-grpc-status-mapping.md)."""
    return _FROM_HTTP.get(status, Code.UNKNOWN)


def code_from_reset(error: int) -> Code:
    """What RST_STREAM means to the caller."""
    return _FROM_RESET.get(error, Code.INTERNAL)
