"""The client's side of the protocol: calls that were made, and the connection they go through. Without I/O.

A `ClientCall` collects what arrives and calls `on_event` whenever its user has something to look at:
messages, room to send again, or the end. The user's task takes all of it in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from aether.wire import frames
from aether.wire.frames import ErrorCode
from aether.wire.grpc import AnswerHead, parse_answer
from aether.wire.headers import Field, HeaderReader, RequestWriter, literal
from aether.wire.limits import TransportLimits
from aether.wire.link import Link
from aether.wire.messages import MessageError, MessageReader
from aether.wire.metadata import Metadata, MetadataItem, encode_metadata, format_timeout
from aether.wire.status import Code, RpcError, Status, code_from_reset
from aether.wire.stream import Stream

_EXPIRED: Final = Status(Code.DEADLINE_EXCEEDED, "deadline exceeded")
_STREAMS_BEFORE_SETTINGS: Final = 100  # RFC 9113, 6.5.2 advises at least this many; the peer has not yet said
_FRAME_TYPE_AT: Final = 3
_ALONE_COUNT: Final = 8  # with fewer in a row it is the first of a crowd
# An alert, and a handshake.
_TLS_RECORDS: Final = (21, 22)
_USER_AGENT: Final = b"grpc-python-aether/1"


def _nothing() -> None:
    """Stands in until the user of the call sets its own."""


class ClientCall(Stream):
    """One call as the client sees it. All methods are synchronous and do nothing once the call has ended."""

    on_event: Callable[[], None] = staticmethod(_nothing)
    status: Status | None = None
    """How the call ended; None while it is open."""
    is_unprocessed = False
    """The server never started on this call."""
    answer_metadata: Metadata | None = None
    trailing_metadata: Metadata | None = None
    _reader: MessageReader | None = None
    _encoding = b""
    _unread = 0
    _is_trailed = False

    def __init__(self, link: ClientLink, stream_id: int) -> None:
        Stream.__init__(self, link, stream_id)
        self._client = link
        self.messages: list[bytes] = []

    def send(self, message: bytes) -> None:
        """Queues a message; look at `is_congested` when sending many."""
        if self._is_closed or self._is_finishing:
            return
        if not self._enqueue(message):
            self._give_up(Status(Code.RESOURCE_EXHAUSTED, "the server does not read what is sent"))

    def before_writing(self, give: Callable[[], None]) -> None:
        """Have `give` called once, when the connection is about to write; what it sends goes out with that."""
        if not self._is_closed:
            self._client.before_writing(give)

    @property
    def is_alone(self) -> bool:
        """No other call is open on its connection, and so it was with those before."""
        return self._client.alone_count >= _ALONE_COUNT

    def flush(self) -> None:
        """Have the connection write at once, if it can."""
        self._client.flush()

    def half_close(self) -> None:
        """Nothing more will be sent."""
        if self._is_closed or self._is_finishing:
            return
        self._is_finishing = True
        if not self._queued:
            self._link.write(frames.pack_head(frames.DATA, frames.END_STREAM, self.stream_id))

    def _end_flag(self) -> int:
        return frames.END_STREAM if self._is_finishing else 0

    def _emit_end(self, out: list[bytes]) -> None:
        """The last DATA frame has ended our half."""

    def cancel(self) -> None:
        """Gives the call up; the server is told."""
        if not self._is_closed:
            self._give_up(Status(Code.CANCELLED, "cancelled by the caller"))

    def take(self) -> list[bytes]:
        """All messages that are ready; the server may send as much again."""
        messages = self.messages
        if messages:
            self.messages = []
            self._unread = 0
            self._credit()
        return messages

    def raise_for_status(self) -> None:
        """Raises RpcError when the call has ended with anything but OK."""
        status = self.status
        if status is not None and status.code != Code.OK:
            raise RpcError(status.code, status.message, status.details, is_unprocessed=self.is_unprocessed)

    def _credit(self) -> None:
        full = self._link.limits.stream_window
        if not self._is_closed and self.receive_window + self._unread < full // 2:
            credit = full - self.receive_window - self._unread
            self.receive_window += credit
            self._link.write(frames.window_update(self.stream_id, credit))

    def _give_up(self, status: Status) -> None:
        self._client.reset(self, ErrorCode.CANCEL)
        self.end(status)

    def end(self, status: Status, *, is_unprocessed: bool = False) -> None:
        """Closes the call; its user is told."""
        self._drop_queue()
        self._link.partial_bytes -= self._reader.pending if self._reader is not None else 0
        self._reader = None
        self._is_closed = self._is_finishing = True
        self.is_congested = False
        self.status = status
        self.is_unprocessed = is_unprocessed
        self.on_event()

    # From the connection

    def on_fields(self, head: AnswerHead, *, is_last: bool) -> None:
        if head.malformed:
            self._give_up(Status(Code.INTERNAL, f"malformed answer: {head.malformed}"))
            return
        if head.is_informational and not is_last:
            return
        if not is_last:
            if head.status is not None and head.status.code != Code.OK:
                self._give_up(head.status)
            elif head.status is not None or self.answer_metadata is not None or head.is_trailers:
                self._give_up(Status(Code.INTERNAL, "malformed answer: fields out of order"))
            else:
                self.answer_metadata = head.metadata
                self._encoding = head.encoding
            return
        self.trailing_metadata = head.metadata
        if self._reader is not None and self._reader.pending:
            self._finish_by_server(Status(Code.INTERNAL, "answer ended within a message"))
            return
        self._finish_by_server(head.status or Status(Code.UNKNOWN, "answer without grpc-status"))

    def _finish_by_server(self, status: Status) -> None:
        if self._queued or not self._is_finishing:
            # Our half is open still; this closes it (RFC 9113, 5.1).
            self._link.write(frames.rst_stream(self.stream_id, ErrorCode.CANCEL))
        self._client.forget(self.stream_id)
        self.end(status)

    def on_data(self, data: bytes, at: int, stop: int, *, is_last: bool) -> None:
        if self.answer_metadata is None:
            self._give_up(Status(Code.INTERNAL, "malformed answer: DATA before HEADERS"))
            return
        reader = self._reader
        if reader is None:
            reader = self._reader = MessageReader(self._link.limits.message_bytes, self._encoding)
        held = reader.pending
        try:
            messages = reader.push(data, at, stop)
        except MessageError as error:
            self._give_up(error.status)
            return
        link = self._link
        link.partial_bytes += reader.pending - held
        if link.partial_bytes > link.limits.partial_bytes:
            self._give_up(Status(Code.RESOURCE_EXHAUSTED, "too many unfinished messages on this connection"))
            return
        if messages:
            self.messages += messages
            for message in messages:
                self._unread += len(message)
        if is_last:
            self._finish_by_server(Status(Code.UNKNOWN, "answer without trailers"))
            return
        self._credit()
        if messages:
            self.on_event()

    def on_reset(self, error: int) -> None:
        refused = error == ErrorCode.REFUSED_STREAM
        if error == ErrorCode.NO_ERROR and self.status is None:
            error = ErrorCode.INTERNAL_ERROR
        self.end(
            Status(code_from_reset(error), f"stream was reset by the server, HTTP/2 error {error}"),
            is_unprocessed=refused,
        )

    def on_lost(self, reason: str) -> None:
        self.end(Status(Code.UNAVAILABLE, f"connection lost: {reason}"))

    def on_expired(self) -> None:
        self._give_up(_EXPIRED)

    def on_relieved(self) -> None:
        if not self._is_closed:
            self.on_event()


def _foreign(begin: bytes) -> str:
    """What it is that answers, by its first octets."""
    if begin.startswith(b"HTTP"):
        return "it speaks HTTP/1 and not gRPC: is this another port of the server, or a proxy?"
    if begin[0] in _TLS_RECORDS and begin[1] == 3:
        return "it speaks TLS: write https://"
    return "it does not speak gRPC: no Aether server listens there"


class ClientLink(Link[ClientCall]):
    """A connection to a server."""

    def __init__(self, limits: TransportLimits, now: float, *, authority: str, scheme: str) -> None:
        super().__init__(limits, now)
        self.max_streams = _STREAMS_BEFORE_SETTINGS
        self.is_going_away = False
        """No more calls may be opened here."""
        self.flush: Callable[[], None] = _nothing
        """Writes at once what is queued, as far as that is possible without waiting; set by the owner."""
        self.on_room: Callable[[], None] = _nothing
        """A call has ended, so another may be opened."""
        self.alone_count = 0
        """Calls in a row at whose opening no other one was open."""
        self._next_stream = 1
        # Far below what ends the connection: those who wait go on one after the other.
        self._queued_mark = limits.outbound_unread_bytes // 8
        self._givers: list[Callable[[], None]] = []
        self._answers: HeaderReader[AnswerHead] = HeaderReader(
            parse_answer, max_list=limits.header_block, memo_entries=limits.header_memo
        )
        fixed: Sequence[Field] = (
            (b":method", b"POST"),
            (b":scheme", scheme.encode()),
            (b":authority", authority.encode()),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
            (b"user-agent", _USER_AGENT),
            (b"grpc-accept-encoding", b"identity,gzip"),
        )
        self._requests = RequestWriter(fixed, memo_entries=limits.header_memo)
        self.write(
            frames.PREFACE
            + frames.settings(
                (
                    (frames.SETTING_PUSH, 0),
                    (frames.SETTING_WINDOW, limits.stream_window),
                    (frames.SETTING_HEADER_LIST, limits.header_list),
                )
            )
            + frames.window_update(0, limits.connection_window - frames.DEFAULT_WINDOW)
        )

    def feed(self, data: bytes, now: float) -> None:
        begin = b"" if self._is_greeted or self.is_closed else self._rest + data
        if len(begin) > _FRAME_TYPE_AT and begin[_FRAME_TYPE_AT] != frames.SETTINGS:
            # Only here can be told what is wrong; among frames it would be one that is too large.
            self.now = now
            self.lost(_foreign(begin))
            return
        super().feed(data, now)

    def before_writing(self, give: Callable[[], None]) -> None:
        self._givers.append(give)
        self.want_flush()

    def pull(self) -> bytes:
        was_full = self.queued > self._queued_mark
        data = self._pull()
        if was_full and self.queued <= self._queued_mark:
            self.on_room()
        return data

    def _pull(self) -> bytes:
        if self._givers:
            # The flush is on its way: nothing that they send asks for another one, and what they ask for is asked anew.
            givers, self._givers = self._givers, []
            for give in givers:
                give()
            data = super().pull()
            if self._givers:
                self.want_flush()
            return data
        return super().pull()

    @property
    def is_full(self) -> bool:
        """As many calls are open as the server allows, or so much waits to be sent that another had to wait."""
        return len(self.streams) >= self.max_streams or self.queued > self._queued_mark

    @property
    def is_taken(self) -> bool:
        """As many calls are open as the server has said that it allows: that may last as long as they do."""
        return self._is_greeted and len(self.streams) >= self.max_streams

    @property
    def is_spent(self) -> bool:
        """Nothing new may be opened and nothing is open: to be closed."""
        return self.is_going_away and not self.streams

    def open(self, path: str, metadata: Sequence[MetadataItem] = (), timeout_s: float | None = None) -> ClientCall:
        """Opens a call. The caller has looked at `is_full`, `is_going_away` and `is_closed`."""
        extra = encode_metadata(metadata) if metadata else b""
        if timeout_s is not None:
            extra += literal(b"grpc-timeout", format_timeout(timeout_s))
        stream_id = self._next_stream
        self._next_stream += 2
        if stream_id > frames.LAST_STREAM - 2:
            self.is_going_away = True
        call = ClientCall(self, stream_id)
        self.streams[stream_id] = call
        if len(self.streams) == 1:
            self.alone_count += 1
            self.arm(self.now + self.limits.keepalive_s)
        else:
            self.alone_count = 0
        self.write(frames.headers(stream_id, self._requests.write(path.encode(), extra)))
        return call

    def expire(self, call: ClientCall, at: float) -> None:
        """Ends `call` at that time, if it is open still."""
        call.expires_at = at
        self.arm(at)

    def forget(self, stream_id: int) -> None:
        super().forget(stream_id)
        self.on_room()

    def _is_idle(self, stream_id: int) -> bool:
        return stream_id >= self._next_stream or stream_id % 2 == 0

    def _read_settings(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        super()._read_settings(flags, stream_id, data, start, stop)
        self.on_room()

    def _on_setting(self, key: int, value: int) -> None:
        if key == frames.SETTING_STREAMS:
            self.max_streams = value
        elif key == frames.SETTING_HEADER_TABLE:
            self._requests.resize_table(value)

    def _on_goaway(self, last_stream: int, code: int) -> None:
        self.is_going_away = True
        for stream_id in [each for each in self.streams if each > last_stream]:
            call = self.streams.pop(stream_id)
            call.end(Status(Code.UNAVAILABLE, "server goes away before it took the call"), is_unprocessed=True)
        self.on_room()
        if not self.streams:
            self.wake()

    def _read_block(self, stream_id: int, block: bytes, *, is_last: bool) -> None:
        head = self._answers.read(block)
        call = self.streams.get(stream_id)
        if call is None:
            self._refuse_idle(stream_id)
            self._guard.noise(self.now)
            return
        call.on_fields(head, is_last=is_last)
