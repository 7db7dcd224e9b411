"""What gRPC says with HTTP/2 header fields: requests judged, answers as constant bytes (PROTOCOL-HTTP2.md).

Theory of operation. A call is one HTTP/2 stream: request fields, length-prefixed messages, end of stream;
then answer fields, messages, and trailers with the status. This module knows the fields; link.py the frames,
stream.py and messages.py the messages, calls.py (server) and client.py the life of a call.

A request is judged once per distinct header block, for HeaderReader remembers the verdict with the block: it
is either malformed in the sense of HTTP/2 (the stream is reset), or refused (an RPC status, with the HTTP
status that a client which is no gRPC client understands), or a method to be run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar

import attrs

from aether.wire.headers import Field, literal, literal_indexed_name
from aether.wire.metadata import (
    Metadata,
    from_base64,
    is_text,
    parse_timeout,
    percent_decode,
    percent_encode,
    to_base64,
)
from aether.wire.status import OK, Code, Status, code_from_http

M = TypeVar("M")

_STATUS_200: Final = b"\x88"  # static table (RFC 7541, A): :status 200
_CONTENT_TYPE: Final = literal_indexed_name(31, b"application/grpc")
_ACCEPT: Final = literal(b"grpc-accept-encoding", b"identity,gzip")
ANSWER_BLOCK: Final = _STATUS_200 + _CONTENT_TYPE
_OK_TRAILERS: Final = literal(b"grpc-status", b"0")

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_FORBIDDEN_IN_VALUE: Final = re.compile(rb"[\x00\r\n]|^[ \t]|[ \t]$")
_CONNECTION_FIELDS: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade",
})  # fmt: skip
_PSEUDO: Final = frozenset({b":method", b":scheme", b":path", b":authority"})
_NOT_METADATA: Final = frozenset({b"te", b"content-type", b"content-length", b"host"})
_PATH: Final = re.compile(rb"/[A-Za-z0-9_.]+/[A-Za-z0-9_.]+")
_FIELD_OVERHEAD: Final = 32  # RFC 9113, 6.5.2
_PATH_SHOWN: Final = 200
# Together below the 8 KiB of trailers that grpc clients accept by default.
_MESSAGE_BYTES: Final = 2_048
_DETAILS_BYTES: Final = 4_096


@attrs.frozen
class RequestHead(Generic[M]):
    """A request as its header block describes it.

    Exactly one of `malformed`, `refusal` and `method` says what to do.
    """

    path: str
    method: M | None = None
    timeout_s: float | None = None
    encoding: bytes = b""
    metadata: Metadata = attrs.field(factory=Metadata)
    refusal: Status | None = None
    http_status: int = 200
    malformed: str = ""


class _RefusedError(Exception):
    def __init__(self, http_status: int, code: Code, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.status = Status(code, message)


class RequestParser(Generic[M]):
    """Judges requests against the methods there are."""

    def __init__(self, methods: Mapping[str, M], max_list: int) -> None:
        self._methods = methods
        self._max_list = max_list

    def __call__(self, fields: Sequence[Field]) -> RequestHead[M]:
        malformed = find_malformed(fields, _PSEUDO)
        pseudo = {name: value for name, value in fields if name.startswith(b":")}
        malformed = malformed or _find_bad_request(fields, pseudo)
        path = pseudo.get(b":path", b"").decode("latin-1")
        if malformed:
            return RequestHead(path, malformed=malformed)
        try:
            return self._judge(path, fields, pseudo)
        except _RefusedError as refused:
            return RequestHead(path, refusal=refused.status, http_status=refused.http_status)

    def _judge(self, path: str, fields: Sequence[Field], pseudo: Mapping[bytes, bytes]) -> RequestHead[M]:
        if sum(len(name) + len(value) + _FIELD_OVERHEAD for name, value in fields) > self._max_list:
            raise _RefusedError(431, Code.RESOURCE_EXHAUSTED, f"header list is larger than {self._max_list} octets")
        if pseudo[b":method"] != b"POST":
            raise _RefusedError(405, Code.INTERNAL, "gRPC requests are POST")
        regular = dict(fields)
        if not _is_grpc(regular.get(b"content-type", b"")):
            raise _RefusedError(415, Code.INTERNAL, "content-type must be application/grpc")
        if b"te" not in regular:
            raise _RefusedError(400, Code.INTERNAL, "te: trailers is required")
        metadata = _read_metadata(fields)
        encoding = _read_encoding(regular)
        timeout_s = _read_timeout(regular)
        method = self._methods.get(path)
        if method is None:
            known = _PATH.fullmatch(pseudo[b":path"])
            raise _RefusedError(
                200, Code.UNIMPLEMENTED, f"unknown method {path[:_PATH_SHOWN]}" if known else "malformed method path"
            )
        return RequestHead(path, method, timeout_s, encoding, metadata)


def find_malformed(fields: Sequence[Field], pseudo_names: frozenset[bytes]) -> str:
    """Why these fields are malformed in the sense of RFC 9113, 8.2 and 8.3, or nothing."""
    seen: set[bytes] = set()
    is_regular = False
    for name, value in fields:
        if name[:1] == b":":
            if is_regular or name in seen or name not in pseudo_names:
                return "pseudo-header fields must be known, single and first"
            seen.add(name)
        else:
            is_regular = True
            if _NAME.fullmatch(name) is None:
                return "field name with forbidden characters"
            if name in _CONNECTION_FIELDS:
                return "connection-specific field"
        if _FORBIDDEN_IN_VALUE.search(value) is not None:
            return "field value with forbidden characters"
    return ""


def _find_bad_request(fields: Sequence[Field], pseudo: Mapping[bytes, bytes]) -> str:
    if not (pseudo.get(b":method") and pseudo.get(b":scheme") and pseudo.get(b":path")):
        return ":method, :scheme and :path are required"
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1 or (hosts and pseudo.get(b":authority", hosts[0]) != hosts[0]):
        return "more than one host"
    te = [value for name, value in fields if name == b"te"]
    if te and te != [b"trailers"]:
        return "te may only be trailers, once"
    return ""


def _is_grpc(content_type: bytes) -> bool:
    return content_type == b"application/grpc" or content_type.startswith((b"application/grpc+", b"application/grpc;"))


def _read_metadata(fields: Sequence[Field]) -> Metadata:
    kept: list[Field] = []
    for name, value in fields:
        if name[:1] == b":" or name in _NOT_METADATA or name.startswith(b"grpc-"):
            continue
        if name.endswith(b"-bin"):
            _check_binary(name, value)
        elif not is_text(value):
            raise _RefusedError(200, Code.INTERNAL, f"metadata {name.decode()} is not printable ASCII")
        kept.append((name, value))
    return Metadata(kept)


def _check_binary(name: bytes, value: bytes) -> None:
    try:
        for part in value.split(b","):
            from_base64(part)
    except ValueError:
        raise _RefusedError(200, Code.INTERNAL, f"metadata {name.decode()} is not base64") from None


def _read_encoding(regular: Mapping[bytes, bytes]) -> bytes:
    encoding = regular.get(b"grpc-encoding", b"identity")
    if encoding == b"identity":
        return b""
    if encoding != b"gzip":
        raise _RefusedError(200, Code.UNIMPLEMENTED, "grpc-encoding is neither identity nor gzip")
    return encoding


def _read_timeout(regular: Mapping[bytes, bytes]) -> float | None:
    raw = regular.get(b"grpc-timeout")
    if raw is None:
        return None
    try:
        return parse_timeout(raw)
    except ValueError:
        raise _RefusedError(200, Code.INTERNAL, "malformed grpc-timeout") from None


def trailers_block(status: Status, extra: bytes = b"") -> bytes:
    """The trailers of an answer that has begun; `extra` are literals of the application's own."""
    if status is OK:
        return _OK_TRAILERS + extra
    block = literal(b"grpc-status", b"%d" % status.code)
    if status.message:
        block += literal(b"grpc-message", percent_encode(status.message, _MESSAGE_BYTES))
    if 0 < len(status.details) <= _DETAILS_BYTES:
        block += literal(b"grpc-status-details-bin", to_base64(status.details))
    return block + extra


def trailers_only_block(status: Status, http_status: int = 200, extra: bytes = b"") -> bytes:
    """Answer and trailers in one, for a call that ends without a message."""
    head = _STATUS_200 if http_status == 200 else literal_indexed_name(8, b"%d" % http_status)
    accept = _ACCEPT if status.code == Code.UNIMPLEMENTED else b""
    return b"".join((head, _CONTENT_TYPE, accept, trailers_block(status, extra)))


@attrs.frozen
class AnswerHead:
    """A header block from a server: the start of an answer, its trailers, or both."""

    status: Status | None = None
    encoding: bytes = b""
    metadata: Metadata = attrs.field(factory=Metadata)
    is_informational: bool = False
    is_trailers: bool = False
    malformed: str = ""


def parse_answer(fields: Sequence[Field]) -> AnswerHead:
    """What a client makes of a header block from a server."""
    malformed = find_malformed(fields, frozenset({b":status"}))
    if malformed:
        return AnswerHead(malformed=malformed)
    by_name = dict(fields)
    http_status = by_name.get(b":status")
    if http_status is not None and (len(http_status) != 3 or not http_status.isdigit()):
        return AnswerHead(malformed=":status is not a number")
    if http_status is not None and http_status[0] == ord("1"):
        return AnswerHead(is_informational=True)
    status = _read_status(by_name)
    if status is None and http_status not in {None, b"200"}:
        code = int(http_status or b"0")
        status = Status(code_from_http(code), f"server answered with HTTP status {code}")
    is_trailers = http_status is None
    if not is_trailers and status is None and not _is_grpc(by_name.get(b"content-type", b"")):
        status = Status(Code.UNKNOWN, "server did not answer with gRPC")
    try:
        metadata = _read_metadata(fields)
        encoding = _read_encoding(by_name)
    except _RefusedError as refused:
        return AnswerHead(status=Status(Code.INTERNAL, f"bad answer: {refused.status.message}"))
    return AnswerHead(status, encoding, metadata, is_trailers=is_trailers)


def _read_status(by_name: Mapping[bytes, bytes]) -> Status | None:
    raw = by_name.get(b"grpc-status")
    if raw is None:
        return None
    if not raw.isdigit() or len(raw) > 9:
        return Status(Code.UNKNOWN, "malformed grpc-status")
    message = percent_decode(by_name.get(b"grpc-message", b""))
    try:
        details = from_base64(by_name.get(b"grpc-status-details-bin", b""))
    except ValueError:
        details = b""
    code = int(raw)
    return OK if code == 0 and not message and not details else Status(code, message, details)
