"""A peer for sans-I/O tests of the protocol: writes frames by hand, and reads what the other side has to say."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import attrs
import hpack

from aether.wire import frames
from aether.wire.calls import Call, Method, ServerLink
from aether.wire.client import ClientLink
from aether.wire.limits import TransportLimits

REQUEST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/t.S/Unary"),
    (b":authority", b"localhost"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
)
ANSWER = ((b":status", b"200"), (b"content-type", b"application/grpc"))
TRAILERS = ((b"grpc-status", b"0"),)


@attrs.frozen
class Frame:
    """One frame as it was on the wire."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        return int.from_bytes(self.payload[4:8] if self.kind == frames.GOAWAY else self.payload, "big")


def split(data: bytes) -> list[Frame]:
    """All frames in `data`, which must be whole."""
    found = []
    at = 0
    while at < len(data):
        word, flags, stream = struct.unpack_from(">IBI", data, at)
        end = at + 9 + (word >> 8)
        assert end <= len(data), "half a frame was written"
        found.append(Frame(word & 0xFF, flags, stream, data[at + 9 : end]))
        at = end
    return found


def message(content: bytes, *, flag: int = 0) -> bytes:
    """With its gRPC prefix."""
    return struct.pack(">BI", flag, len(content)) + content


def with_fields(fields: Sequence[tuple[bytes, bytes]], **changes: bytes | None) -> list[tuple[bytes, bytes]]:
    """`fields` with some replaced, added (at the end) or removed (None); '_' in names stands for '-', 'P_' for ':'."""
    named = {name.replace("P_", ":").replace("_", "-").encode(): value for name, value in changes.items()}
    kept = [(name, named.pop(name, value)) for name, value in fields]
    return [(name, value) for name, value in (*kept, *named.items()) if value is not None]


class _Peer:
    link: ServerLink | ClientLink

    def __init__(self) -> None:
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()
        self.now = 100.0

    def feed(self, *data: bytes) -> list[Frame]:
        """Feeds and reads the answer."""
        self.link.feed(b"".join(data), self.now)
        return self.read()

    def read(self) -> list[Frame]:
        out: list[bytes] = []
        for _ in range(100_000):
            data = self.link.pull()
            if not data:
                return split(data=b"".join(out).removeprefix(frames.PREFACE))
            out.append(data)
        raise AssertionError("output without end")

    def block(self, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
        return bytes(self._encoder.encode(fields))

    def headers(self, stream: int, fields: Sequence[tuple[bytes, bytes]], *, end: bool = False) -> bytes:
        return frames.headers(stream, self.block(fields), end_stream=end)

    def fields(self, frame: Frame) -> dict[str, str]:
        assert frame.kind == frames.HEADERS
        return {bytes(f[0]).decode(): bytes(f[1]).decode() for f in self._decoder.decode(frame.payload, raw=True)}

    @staticmethod
    def data(stream: int, content: bytes, *, end: bool = False) -> bytes:
        return frames.frame(frames.DATA, frames.END_STREAM if end else 0, stream, content)


class RawClient(_Peer):
    """A client by hand, against a server without a socket. Streams get their handlers from `methods`."""

    def __init__(
        self,
        methods: Sequence[Method] = (),
        *,
        limits: TransportLimits | None = None,
        greet: bool = True,
        settings: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__()
        self.failures: list[Exception] = []
        self.calls: list[Call] = []
        self.closed: list[tuple[int, str]] = []
        every = [
            Method("/t.S/Unary", lambda call, request: call.respond(request), "unary"),
            Method("/t.S/Hold", lambda call, request: self._keep(call), "unary"),
            Method("/t.S/Stream", self._keep, "stream"),
            *methods,
        ]
        self.link = self.server = ServerLink(
            {each.path: each for each in every},
            limits or TransportLimits(),
            self.now,
            peer="here",
            report=lambda call, error: self.failures.append(error),
        )
        self.greeting = self.feed(frames.PREFACE, frames.settings(settings)) if greet else []

    def _keep(self, call: Call) -> None:
        self.calls.append(call)
        call.on_closed = lambda reason: self.closed.append((call.stream_id, reason))

    def request(self, stream: int, content: bytes = b"", **changes: bytes | None) -> bytes:
        """A whole unary request."""
        head = self.headers(stream, with_fields(REQUEST, **changes))
        return head + self.data(stream, message(content), end=True)

    def open(self, stream: int = 1, path: bytes = b"/t.S/Stream", **changes: bytes | None) -> Call:
        """Opens a call that is kept, and swallows the answer if there is any."""
        self.feed(self.headers(stream, with_fields(REQUEST, P_path=path, **changes)))
        return self.calls[-1]

    def status(self, got: Sequence[Frame]) -> tuple[str, str]:
        """HTTP and gRPC status of a call that ended without a message."""
        fields = self.fields(next(frame for frame in got if frame.kind == frames.HEADERS))
        return fields[":status"], fields["grpc-status"]


class RawServer(_Peer):
    """A server by hand, against a client without a socket."""

    def __init__(
        self,
        *,
        limits: TransportLimits | None = None,
        greet: bool = True,
        settings: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__()
        self.link = self.client = ClientLink(
            limits or TransportLimits(), self.now, authority="localhost:1", scheme="http"
        )
        self.greeting = self.feed(frames.settings(settings)) if greet else []
