"""The server's side of the protocol: calls, and the connection that opens them. Without I/O.

Theory of operation. A header block opens a `Call`; its messages go to the method's handler as plain function
calls made from within `feed`, on the turn in which the octets arrived. No task belongs to a call. A handler
may answer at once or keep the call and answer later from anywhere in the same thread. A call ends once: by
`finish` (ours) or by `on_closed` (reset, lost, deadline); after that its methods do nothing, so late answers
need no check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

import attrs

from aether.wire import frames
from aether.wire.frames import ErrorCode, LinkError
from aether.wire.grpc import ANSWER_BLOCK, RequestHead, RequestParser, trailers_block, trailers_only_block
from aether.wire.headers import HeaderReader
from aether.wire.limits import TransportLimits
from aether.wire.link import Link
from aether.wire.messages import MessageError, MessageReader
from aether.wire.metadata import Metadata, MetadataItem, encode_metadata
from aether.wire.status import OK, Code, Status
from aether.wire.stream import Stream

RESET: Final = "reset"
LOST: Final = "lost"
DEADLINE: Final = "deadline"

_DRAIN_PING: Final = b"aethdrai"
_REQUEST_ID_MAX: Final = 100
_EXPIRED: Final = Status(Code.DEADLINE_EXCEEDED, "deadline exceeded")
_TOO_MUCH_HELD: Final = Status(Code.RESOURCE_EXHAUSTED, "too many unfinished requests on this connection")
_NO_ROOM: Final = Status(Code.UNAVAILABLE, "too many answers on this connection wait to be read; ask again")
_TOO_SLOW: Final = Status(Code.RESOURCE_EXHAUSTED, "answers are not read")

UnaryHandler = Callable[["Call", bytes], None]
StreamHandler = Callable[["Call"], None]


@attrs.frozen
class Method:
    """A method that is served: `path` is "/package.Service/Method".

    A unary handler is called once with the whole request; a stream handler when the call opens, to set its
    callbacks.
    """

    path: str
    handler: UnaryHandler | StreamHandler
    kind: Literal["unary", "stream"]


def _ignore(_: object = None) -> None:
    """Stands in for the callbacks that a handler does not set."""


def count_nothing(path: str, code: int, began_at: float | None) -> None:
    """Stands in for the metrics."""


def report_nothing(call: Call, error: Exception) -> None:
    """Stands in for the log."""


def internal_error(call: Call) -> str:
    """What a client is told of a fault that is ours."""
    return f"internal error; the server's log tells more of request {call.request_id}"


class Call(Stream):
    """One call as the server sees it. All methods are synchronous and do nothing once the call has ended."""

    on_message: Callable[[bytes], None] = staticmethod(_ignore)
    """Each message of the client, in order."""
    on_half_close: Callable[[], None] = staticmethod(_ignore)
    """The client sends no more."""
    on_closed: Callable[[str], None] = staticmethod(_ignore)
    """The call ended by RESET, LOST or DEADLINE. Called once, at once, and never after `finish`."""
    on_writable: Callable[[], None] = staticmethod(_ignore)
    """What waits to be written is below the mark again, or there is the room that `await_room` asked for."""

    is_timed = True
    """How long it takes says something of the server. Handlers that wait for long set it to False."""

    _has_answered = False
    _is_remote_done = False
    _reader: MessageReader | None = None
    _request: bytes | None = None
    _answer_metadata = b""
    _trailing_metadata = b""
    _trailers = b""
    _held = 0  # octets of a request that cannot be acted on yet
    _large = 0  # octets of a large answer, until the end of the call

    def __init__(self, link: ServerLink, stream_id: int, head: RequestHead[Method], method: Method) -> None:
        Stream.__init__(self, link, stream_id)
        self._server = link
        self._request_head = head
        self._method = method
        self._is_unary = self.is_timed = method.kind == "unary"
        self._began_at = link.now
        self.path = head.path

    @property
    def peer(self) -> str:
        """The address of the client, for logs and limits."""
        return self._server.peer

    @property
    def request_id(self) -> str:
        """By which logs and refusals name it: what the client calls it in `x-request-id`, or where it came in."""
        given = self.metadata.get("x-request-id")
        if isinstance(given, str) and 0 < len(given) <= _REQUEST_ID_MAX:
            return given
        return f"{self.peer}/{self.stream_id}"

    @property
    def metadata(self) -> Metadata:
        return self._request_head.metadata

    @property
    def has_ended(self) -> bool:
        """By `finish`, or by what `on_closed` is told of; whoever sets that now will not hear of it."""
        return self._is_finishing

    @property
    def has_lasted(self) -> bool:
        link = self._server
        return link.now - self._began_at >= link.limits.lasting_s

    def set_answer_metadata(self, items: Iterable[MetadataItem]) -> None:
        """Sent before the first message; too late after it. Raises ValueError for what cannot be sent."""
        self._answer_metadata = encode_metadata(items)

    def set_trailing_metadata(self, items: Iterable[MetadataItem]) -> None:
        """Sent with the status. Raises ValueError for what cannot be sent."""
        self._trailing_metadata = encode_metadata(items)

    def send(self, message: bytes) -> None:
        """Queues a message; look at `is_congested` when sending many."""
        if self._is_closed or self._is_finishing:
            return
        if not self._has_answered:
            self._has_answered = True
            self._link.write(frames.headers(self.stream_id, ANSWER_BLOCK + self._answer_metadata))
        if not self._enqueue(message):
            self._end_by(RESET, _TOO_SLOW)

    def finish(self, status: Status = OK) -> None:
        """Ends the call with `status`, after what was sent before."""
        if self._is_closed or self._is_finishing:
            return
        self._is_finishing = True
        self._tell_end(status.code)
        if not self._has_answered:
            self._end_with(trailers_only_block(status, extra=self._answer_metadata + self._trailing_metadata))
            return
        block = trailers_block(status, self._trailing_metadata)
        if self._queued:
            self._trailers = block
            return
        self._end_with(block)

    def respond(self, message: bytes) -> None:
        """Sends `message` and ends the call with OK; where there is no room for it, with a status that says so."""
        if not self.has_room_for(message):
            self.finish(_NO_ROOM)
            return
        size = len(message)
        if size > self._link.limits.outbound_mark and not self._is_finishing:
            self._large = size
            self._link.large_bytes += size
        self.send(message)
        self.finish()

    def has_room_for(self, message: bytes) -> bool:
        """Whether `respond` takes it: small ones always, large ones while not too much of them is under way."""
        size = len(message)
        link = self._link
        limits = link.limits
        has_room = size <= limits.outbound_mark or link.large_bytes + size <= limits.outbound_large_bytes
        return has_room or self._is_finishing

    def await_room(self) -> None:
        """Has `on_writable` called when there is room for large answers again. What waits should hold nothing large."""
        self.awaits_room = self._link.is_crowded = True

    def _tell_end(self, code: int) -> None:
        self._server.told(self.path, code, self._began_at if self.is_timed else None)

    def _end_with(self, block: bytes) -> None:
        self._link.write(frames.headers(self.stream_id, block, end_stream=True))
        self._close()

    def _emit_end(self, out: list[bytes]) -> None:
        out.append(frames.headers(self.stream_id, self._trailers, end_stream=True))
        if not self._is_remote_done:
            out.append(frames.rst_stream(self.stream_id, ErrorCode.NO_ERROR))
            self._is_remote_done = True
        self._close()

    def _close(self) -> None:
        if not self._is_remote_done:
            # RFC 9113, 8.1: the answer is complete, so the rest of the request need not be sent.
            self._link.write(frames.rst_stream(self.stream_id, ErrorCode.NO_ERROR))
        self._is_closed = True
        self._release()
        self._server.forget(self.stream_id)

    def _release(self) -> None:
        link = self._link
        link.partial_bytes -= self._held
        self._held = 0
        if self._large:
            link.large_bytes -= self._large
            self._large = 0
            if link.is_crowded:
                link.want_flush()

    def refuse(self, status: Status, http_status: int = 200) -> None:
        """Ends a call that no handler has seen."""
        self._is_finishing = True
        self._tell_end(status.code)
        self._end_with(trailers_only_block(status, http_status))

    def _end_by(self, reason: str, status: Status) -> None:
        """Ends the call from our side for a cause that the handler is told of."""
        self._drop_queue()
        self._is_finishing = True
        self._tell_end(status.code)
        self._end_with(trailers_block(status) if self._has_answered else trailers_only_block(status))
        self._server.run(self, self.on_closed, reason)

    # From the connection

    def on_data(self, data: bytes, at: int, stop: int, *, is_last: bool) -> None:
        limits = self._link.limits
        if not is_last and self.receive_window < limits.stream_window // 2:
            self._link.write(frames.window_update(self.stream_id, limits.stream_window - self.receive_window))
            self.receive_window = limits.stream_window
        if self._is_remote_done:
            self._server.refuse_more(self)
            return
        if self._is_finishing:
            self._is_remote_done = is_last
            return
        reader = self._reader
        if reader is None:
            reader = self._reader = MessageReader(limits.message_bytes, self._request_head.encoding)
        try:
            messages = reader.push(data, at, stop)
        except MessageError as error:
            self._end_by(RESET, error.status)
            return
        held = reader.pending
        if self._is_unary and not is_last:
            # Whole, but not to be acted on before the client has half-closed, which it may never do.
            held += len(self._request or b"") + sum(map(len, messages))
        if held != self._held and not self._may_hold(held):
            self._end_by(RESET, _TOO_MUCH_HELD)
            return
        self._is_remote_done = is_last
        if self._is_unary:
            self._take_request(messages, is_last=is_last)
            return
        for message in messages:
            if self.has_ended:
                return
            self._server.run(self, self.on_message, message)
        if is_last:
            self.on_end()

    def _may_hold(self, held: int) -> bool:
        link = self._link
        link.partial_bytes += held - self._held
        self._held = held
        return link.partial_bytes <= link.limits.partial_bytes

    def _take_request(self, messages: list[bytes], *, is_last: bool) -> None:
        if len(messages) > 1 or (messages and self._request is not None):
            self._end_by(RESET, Status(Code.INTERNAL, "more than one request message"))
            return
        if messages:
            self._request = messages[0]
        if is_last:
            self.on_end()

    def on_end(self) -> None:
        """The client has half-closed."""
        self._is_remote_done = True
        if self._is_finishing:
            return
        if self._reader is not None and self._reader.pending:
            self._end_by(RESET, Status(Code.INTERNAL, "stream ended within a message"))
            return
        if not self._is_unary:
            self._server.run(self, self.on_half_close)
            return
        request = self._request
        self._request = None
        if request is None:
            self._end_by(RESET, Status(Code.INTERNAL, "no request message"))
            return
        if self.expires_at is not None and self.expires_at <= self._link.now:
            self.refuse(_EXPIRED)
            return
        self._server.run(self, self._method.handler, self, request)

    def on_reset(self, error: int) -> None:
        self._vanish(RESET)

    def on_lost(self, reason: str) -> None:
        self._vanish(LOST)

    def _vanish(self, reason: str) -> None:
        was_finishing = self._is_finishing
        self._drop_queue()
        self._release()
        self._is_closed = self._is_finishing = True
        if not was_finishing:
            self._tell_end(Code.CANCELLED)
            self._server.run(self, self.on_closed, reason)

    def on_expired(self) -> None:
        if self._is_finishing:
            self._drop_queue()
            self._end_with(trailers_block(_EXPIRED))
            return
        self._end_by(DEADLINE, _EXPIRED)

    def on_relieved(self) -> None:
        if not self._is_finishing:
            self._server.run(self, self.on_writable)


class ServerLink(Link[Call]):
    """A connection from a client: opens calls and runs their handlers."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        limits: TransportLimits,
        now: float,
        *,
        peer: str = "",
        report: Callable[[Call, Exception], None] = report_nothing,
        told: Callable[[str, int, float | None], None] = count_nothing,
    ) -> None:
        super().__init__(limits, now)
        self.peer = peer
        # Told each call that has ended: its path, its code, and when it came; empty for a method that there is not.
        self.told = told
        self._report = report
        self._heads: HeaderReader[RequestHead[Method]] = HeaderReader(
            RequestParser(methods, limits.header_list),
            max_list=limits.header_block,
            memo_entries=limits.header_memo,
        )
        self._last_stream = 0
        self._last_taken = 0
        self._preface = frames.PREFACE
        self._drain_stage: Literal["no", "asked", "told"] = "no"
        self._readers = self._only(frames.SETTINGS, self._read_settings, self._refuse_before_settings)
        self.write(
            frames.settings(
                (
                    (frames.SETTING_STREAMS, limits.streams),
                    (frames.SETTING_WINDOW, limits.stream_window),
                    (frames.SETTING_HEADER_LIST, limits.header_list),
                )
            )
            + frames.window_update(0, limits.connection_window - frames.DEFAULT_WINDOW)
        )

    @property
    def is_drained(self) -> bool:
        """Told to go away, and nothing is open or unwritten any more."""
        return self._drain_stage == "told" and not self.streams and not self._out

    def feed(self, data: bytes, now: float) -> None:
        preface = self._preface
        if preface:
            size = min(len(preface), len(data))
            if data[:size] != preface[:size]:
                self.fail(ErrorCode.PROTOCOL_ERROR, "not HTTP/2 with prior knowledge")
                return
            self._preface = preface[size:]
            data = data[size:]
        super().feed(data, now)

    def _refuse_before_settings(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        raise LinkError(ErrorCode.PROTOCOL_ERROR, "the first frame must be SETTINGS")

    def run(self, call: Call, callback: Callable[..., None], *args: object) -> None:
        """Runs a handler's code; what it raises ends the call and nothing else."""
        try:
            callback(*args)
        except Exception as error:  # noqa: BLE001 - the seam between our code and handlers
            self._report(call, error)
            call.finish(Status(Code.UNKNOWN, internal_error(call)))

    def refuse_more(self, call: Call) -> None:
        """The client goes on after it has half-closed (RFC 9113, 5.1)."""
        self._guard.reset(self.now)
        self.reset(call, ErrorCode.STREAM_CLOSED)
        call.on_reset(ErrorCode.STREAM_CLOSED)

    def _is_idle(self, stream_id: int) -> bool:
        return stream_id > self._last_stream or stream_id % 2 == 0

    def _last_peer_stream(self) -> int:
        return self._last_taken

    def _on_goaway(self, last_stream: int, code: int) -> None:
        """A client that goes away closes its socket when its calls are done."""

    def drain(self) -> None:
        """Asks the client to open no more calls, then tells it for good (RFC 9113, 6.8)."""
        if self.is_closed or self._drain_stage != "no":
            return
        if not self.streams:
            self._tell_to_go()
            return
        self._drain_stage = "asked"
        self.write(frames.goaway(frames.LAST_STREAM, ErrorCode.NO_ERROR) + frames.ping(_DRAIN_PING))

    def _tell_to_go(self) -> None:
        self._drain_stage = "told"
        self.write(frames.goaway(self._last_taken, ErrorCode.NO_ERROR))

    def _on_ping_ack(self, opaque: bytes) -> None:
        if opaque == _DRAIN_PING and self._drain_stage == "asked":
            self._tell_to_go()

    def _read_block(self, stream_id: int, block: bytes, *, is_last: bool) -> None:
        head = self._heads.read(block)
        if stream_id <= self._last_stream:
            self._read_more_fields(stream_id, head, is_last=is_last)
            return
        if stream_id % 2 == 0:
            raise LinkError(ErrorCode.PROTOCOL_ERROR, "clients open odd streams")
        self._last_stream = stream_id
        if self._drain_stage == "told":
            # It crossed our GOAWAY, which told the client that this stream was not processed.
            return
        self._last_taken = stream_id
        if head.malformed:
            self._guard.reset(self.now)
            self.write(frames.rst_stream(stream_id, ErrorCode.PROTOCOL_ERROR))
            return
        streams = self.streams
        if len(streams) >= self.limits.streams:
            self._guard.reset(self.now)
            self.write(frames.rst_stream(stream_id, ErrorCode.REFUSED_STREAM))
            return
        method = head.method
        if method is None:
            self._refuse(stream_id, head, is_last=is_last)
            return
        call = Call(self, stream_id, head, method)
        streams[stream_id] = call
        if len(streams) == 1:
            self.arm(self.now + self.limits.keepalive_s)
        if head.timeout_s is not None:
            call.expires_at = self.now + head.timeout_s
            self.arm(call.expires_at)
        if method.kind == "stream":
            self.run(call, method.handler, call)
        if is_last:
            call.on_end()

    def _refuse(self, stream_id: int, head: RequestHead[Method], *, is_last: bool) -> None:
        assert head.refusal is not None
        self.told("", head.refusal.code, None)
        block = trailers_only_block(head.refusal, head.http_status)
        self.write(frames.headers(stream_id, block, end_stream=True))
        if not is_last:
            self.write(frames.rst_stream(stream_id, ErrorCode.NO_ERROR))

    def _read_more_fields(self, stream_id: int, head: RequestHead[Method], *, is_last: bool) -> None:
        self._guard.noise(self.now)
        call = self.streams.get(stream_id)
        if call is None:
            # Trailers that crossed our end of the call.
            self._refuse_idle(stream_id)
            return
        if call._is_remote_done or not is_last:  # noqa: SLF001 - one class in two halves
            self.refuse_more(call)
            return
        call.on_end()
