"""One end of an HTTP/2 connection for gRPC, without I/O: frames in and out, windows, limits, timers.

Theory of operation. The owner of a socket calls `feed` with what it read, and `pull` for what to write next,
until `pull` answers with nothing; `wake` tells it that there is something again. Streams get their frames as
method calls at once, in place of event objects. What the owner has to write is made when it asks: replies to
control frames first, then one DATA frame per ready stream in turn, within the windows.

Frames go through a table with one entry per type. While a header block is unfinished, or before the peer's
SETTINGS, another table is in force in which all but one entry end the connection: the hot path has no state
to ask for.

A peer's fault ends as little as HTTP/2 allows: the call (an RPC status), the stream (RST_STREAM), or the
connection (GOAWAY, then closed). No clock here: `now` comes with each input, and `alarm_at` says when to call
`on_alarm`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from aether.wire import frames
from aether.wire.flood import FloodGuard
from aether.wire.frames import ErrorCode, LinkError
from aether.wire.headers import HeaderError
from aether.wire.limits import TransportLimits
from aether.wire.stream import Stream

_KEEPALIVE: Final = b"aethkeep"
_FrameReader = Callable[[int, int, bytes, int, int], None]  # flags, stream id, data, start, stop
AnyStream = TypeVar("AnyStream", bound=Stream)


def _nothing() -> None:
    """Stands in until the owner of the socket sets its own."""


class Link(Generic[AnyStream]):
    """What server and client have in common. Not for use by itself: see calls.py and client.py."""

    def __init__(self, limits: TransportLimits, now: float) -> None:
        self.limits = limits
        self.now = now
        self.wake: Callable[[], None] = _nothing
        """Called when `pull` has something again."""
        self.wake_timer: Callable[[], None] = _nothing
        """Called when `alarm_at` has moved to an earlier time."""
        self.streams: dict[int, AnyStream] = {}
        self.ready: deque[Stream] = deque()
        self.relieved: list[Stream] = []
        self.queued = 0
        self.large_bytes = 0
        """Of large unary answers under way, each counted whole until its end: the peer holds what it has of them."""
        self.is_crowded = False
        """Large answers wait for room."""
        self.partial_bytes = 0
        self.peer_window = frames.DEFAULT_WINDOW
        self.send_window = frames.DEFAULT_WINDOW
        self.receive_window = limits.connection_window
        self.alarm_at = now + limits.handshake_s
        self.is_closed = False
        """Nothing more will be read; what `pull` still has is written, then the socket is closed."""
        self.closed_because = ""
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._rest = b""
        self._is_flush_wanted = False
        self._guard = FloodGuard(limits, now)
        self._is_greeted = False
        self._greet_by = now + limits.handshake_s
        self._ping_sent_at: float | None = None
        self._block: list[bytes] | None = None
        self._block_stream = 0
        self._block_flags = 0
        self._block_bytes = 0
        table = self._table()
        self._readers: Sequence[_FrameReader] = table
        self._normal: Sequence[_FrameReader] = table
        self._awaiting_block_end = self._only(frames.CONTINUATION, self._read_continuation, self._refuse_in_block)

    @staticmethod
    def _only(kind: int, read: _FrameReader, refuse: _FrameReader) -> Sequence[_FrameReader]:
        """Make a table in which one type of frame is read and all others are refused."""
        return [read if each == kind else refuse for each in range(256)]

    def _table(self) -> Sequence[_FrameReader]:
        return [
            self._read_data,
            self._read_headers,
            self._read_priority,
            self._read_rst,
            self._read_settings,
            self._read_push,
            self._read_ping,
            self._read_goaway,
            self._read_window_update,
            self._refuse_continuation,
            *[self._read_unknown] * 246,
        ]

    # What differs between the two sides.

    def _read_block(self, stream_id: int, block: bytes, *, is_last: bool) -> None:
        raise NotImplementedError

    def _is_idle(self, stream_id: int) -> bool:
        """True for a stream that neither side has opened yet."""
        raise NotImplementedError

    def _on_goaway(self, last_stream: int, code: int) -> None:
        raise NotImplementedError

    def _on_setting(self, key: int, value: int) -> None:
        """A setting that only one side cares for."""

    def _last_peer_stream(self) -> int:
        return 0

    # Input

    def feed(self, data: bytes, now: float) -> None:
        """Takes octets from the peer. Never raises for what a peer can send."""
        self.now = now
        if self.is_closed:
            return
        if self._rest:
            data = self._rest + data
            self._rest = b""
        try:
            at = self._read_frames(data)
        except LinkError as fault:
            self.fail(fault.code, str(fault))
            return
        except HeaderError as error:
            code = ErrorCode.ENHANCE_YOUR_CALM if error.too_large else ErrorCode.COMPRESSION_ERROR
            self.fail(code, str(error))
            return
        if at < len(data):
            self._rest = data[at:]

    def _read_frames(self, data: bytes) -> int:
        at = 0
        size = len(data)
        unpack = frames.unpack_head
        while size - at >= 9 and not self.is_closed:
            word, flags, stream_id = unpack(data, at)
            start = at + 9
            stop = start + (word >> 8)
            if stop > size:
                if word >> 8 > frames.MAX_FRAME:
                    raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "frame is larger than 16384 octets")
                break
            if stop - start > frames.MAX_FRAME:
                raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "frame is larger than 16384 octets")
            at = stop
            self._readers[word & 0xFF](flags, stream_id & frames.LAST_STREAM, data, start, stop)
        return at

    def lost(self, reason: str) -> None:
        """The socket is gone: every open call ends now."""
        self.is_closed = True
        self.closed_because = self.closed_because or reason
        self.ready.clear()
        self.alarm_at = math.inf
        streams = list(self.streams.values())
        self.streams.clear()
        for stream in streams:
            stream.on_lost(reason)

    def fail(self, code: ErrorCode, message: str) -> None:
        """Says GOAWAY and ends every call; the owner closes the socket once that is written."""
        if self.is_closed:
            return
        self.lost(message)
        self.write(frames.goaway(self._last_peer_stream(), code, message.encode("ascii", "replace")[:128]))

    # Output

    def write(self, data: bytes) -> None:
        """Queues frames that are not flow-controlled."""
        self._out.append(data)
        self._out_bytes += len(data)
        if not self._is_flush_wanted:
            self._is_flush_wanted = True
            self.wake()

    @property
    def is_clogged(self) -> bool:
        """The peer does not read what it is owed: read nothing more from it until `pull` was called."""
        return self._out_bytes > self.limits.control_bytes

    def want_flush(self) -> None:
        if not self._is_flush_wanted:
            self._is_flush_wanted = True
            self.wake()

    def pull(self) -> bytes:
        """What to write next, or nothing; call it again after each write."""
        self._is_flush_wanted = False
        self._out_bytes = 0
        out = self._out
        ready = self.ready
        if ready:
            budget = self.limits.write_bytes
            while ready and budget > 0 and self.send_window > 0:
                stream = ready.popleft()
                if stream._queued:  # noqa: SLF001 - one class in two files; may have been reset while it waited
                    budget -= stream.emit(out)
            if self.relieved:
                self._tell_relieved()
            if ready and self.send_window > 0:
                self.want_flush()
        if self.is_crowded and self.large_bytes <= self.limits.outbound_large_bytes // 2:
            self._tell_crowd()
        if not out:
            return b""
        self._out = []
        return b"".join(out)

    def _tell_relieved(self) -> None:
        relieved, self.relieved = self.relieved, []
        for stream in relieved:
            stream.on_relieved()

    def _tell_crowd(self) -> None:
        self.is_crowded = False
        for stream in list(self.streams.values()):
            if stream.awaits_room:
                stream.awaits_room = False
                stream.on_relieved()

    def reset(self, stream: AnyStream, error: ErrorCode) -> None:
        """Ends a stream from this side without further ado."""
        self.write(frames.rst_stream(stream.stream_id, error))
        self.forget(stream.stream_id)

    def forget(self, stream_id: int) -> None:
        """The stream is closed on both sides."""
        self.streams.pop(stream_id, None)

    # Time

    def arm(self, at: float) -> None:
        """Makes sure that `on_alarm` runs no later than `at`."""
        if at < self.alarm_at:
            self.alarm_at = at
            self.wake_timer()

    def on_alarm(self, now: float) -> None:
        """Ends what has expired, asks after silent peers, and sets the next alarm."""
        if self.is_closed:
            self.alarm_at = math.inf
            return
        next_at = math.inf
        if not self._is_greeted:
            if now >= self._greet_by:
                self.fail(ErrorCode.SETTINGS_TIMEOUT, "no HTTP/2 handshake in time")
                return
            next_at = self._greet_by
        for stream in list(self.streams.values()):
            due = stream.expires_at
            if due is not None and due <= now:
                stream.on_expired()
            elif due is not None and due < next_at:
                next_at = due
        if self.streams:
            next_at = min(next_at, self._keep_alive(now))
        else:
            self._ping_sent_at = None
        self.alarm_at = math.inf if self.is_closed else next_at

    def _keep_alive(self, now: float) -> float:
        sent_at = self._ping_sent_at
        if sent_at is not None and self.now < sent_at:
            answer_by = sent_at + self.limits.keepalive_timeout_s
            if now >= answer_by:
                self.fail(ErrorCode.NO_ERROR, "peer does not answer")
            return answer_by
        self._ping_sent_at = None
        ask_at = self.now + self.limits.keepalive_s
        if now < ask_at:
            return ask_at
        self._ping_sent_at = now
        self.write(frames.ping(_KEEPALIVE))
        return now + self.limits.keepalive_timeout_s

    # Frames

    def _read_data(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        size = stop - start
        self.receive_window -= size
        full = self.limits.connection_window
        if self.receive_window < full // 2:
            if self.receive_window < 0:
                raise LinkError(ErrorCode.FLOW_CONTROL_ERROR, "more than the connection window")
            # Credited before anybody looks at it, so that aborted and refused uploads are credited as well.
            self.write(frames.window_update(0, full - self.receive_window))
            self.receive_window = full
        if flags & frames.PADDED:
            start, stop = _without_padding(data, start, stop)
        stream = self.streams.get(stream_id)
        if stream is None:
            self._refuse_idle(stream_id)
            self._guard.noise(self.now)
            return
        is_last = bool(flags & frames.END_STREAM)
        if not size and not is_last:
            self._guard.noise(self.now)
        stream.receive_window -= size
        if stream.receive_window < 0:
            self._guard.reset(self.now)
            self.reset(stream, ErrorCode.FLOW_CONTROL_ERROR)
            stream.on_reset(ErrorCode.FLOW_CONTROL_ERROR)
            return
        stream.on_data(data, start, stop, is_last=is_last)

    def _refuse_idle(self, stream_id: int) -> None:
        if stream_id == 0 or self._is_idle(stream_id):
            raise LinkError(ErrorCode.PROTOCOL_ERROR, "frame on a stream that was never opened")

    def _read_headers(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        if flags & (frames.PADDED | frames.HAS_PRIORITY):
            if flags & frames.PADDED:
                start, stop = _without_padding(data, start, stop)
            if flags & frames.HAS_PRIORITY:
                start += 5
                if start > stop:
                    raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for its priority")
        block = data[start:stop]
        if flags & frames.END_HEADERS:
            self._read_block(stream_id, block, is_last=bool(flags & frames.END_STREAM))
            return
        self._block = [block]
        self._block_bytes = len(block)
        self._block_stream = stream_id
        self._block_flags = flags
        self._readers = self._awaiting_block_end

    def _read_continuation(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        block = self._block
        assert block is not None
        if stream_id != self._block_stream:
            raise LinkError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of another stream")
        block.append(data[start:stop])
        self._block_bytes += stop - start
        if self._block_bytes > self.limits.header_block or len(block) > self.limits.continuations:
            raise LinkError(ErrorCode.ENHANCE_YOUR_CALM, "header block far too large")
        if flags & frames.END_HEADERS:
            self._block = None
            self._readers = self._normal
            self._read_block(stream_id, b"".join(block), is_last=bool(self._block_flags & frames.END_STREAM))

    def _refuse_in_block(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        raise LinkError(ErrorCode.PROTOCOL_ERROR, "another frame within a header block")

    def _refuse_continuation(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        raise LinkError(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS")

    def _read_priority(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        if stream_id == 0:
            raise LinkError(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0")
        if stop - start != 5:
            raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY has five octets")
        self._guard.noise(self.now)

    def _read_rst(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        if stop - start != 4:
            raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM has four octets")
        self._refuse_idle(stream_id)
        stream = self.streams.get(stream_id)
        if stream is None:
            # It crossed the end.
            self._guard.noise(self.now)
            return
        if not stream.has_lasted:
            self._guard.reset(self.now)
        del self.streams[stream_id]
        stream.on_reset(int.from_bytes(data[start:stop], "big"))

    def _read_settings(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        if stream_id:
            raise LinkError(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & frames.ACK:
            if stop != start:
                raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS acknowledgement with content")
            self._guard.settings(self.now)
            return
        if (stop - start) % 6:
            raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS is not a list of settings")
        self._guard.settings(self.now)
        for key, value in frames.iter_settings(data[start:stop]):
            self._apply_setting(key, value)
        self._is_greeted = True
        self._readers = self._normal
        self.write(frames.SETTINGS_ACK)

    def _apply_setting(self, key: int, value: int) -> None:
        if key == frames.SETTING_WINDOW:
            if value > frames.MAX_WINDOW:
                raise LinkError(ErrorCode.FLOW_CONTROL_ERROR, "initial window is too large")
            change = value - self.peer_window
            self.peer_window = value
            for stream in self.streams.values():
                if stream.send_window + change > frames.MAX_WINDOW:
                    raise LinkError(ErrorCode.FLOW_CONTROL_ERROR, "initial window makes a window too large")
                stream.widen(change)
        elif key == frames.SETTING_FRAME:
            if not frames.MAX_FRAME <= value <= 0xFF_FFFF:
                raise LinkError(ErrorCode.PROTOCOL_ERROR, "frame size is out of range")
        elif key == frames.SETTING_PUSH and value > 1:
            raise LinkError(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
        else:
            self._on_setting(key, value)

    def _read_push(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        raise LinkError(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE is not allowed")

    def _read_ping(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        if stream_id:
            raise LinkError(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
        if stop - start != 8:
            raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "PING has eight octets")
        self._guard.ping(self.now)
        opaque = data[start:stop]
        if flags & frames.ACK:
            self._on_ping_ack(opaque)
            return
        self.write(frames.ping(opaque, ack=True))

    def _on_ping_ack(self, opaque: bytes) -> None:
        """An answer counts by having arrived: anything received shows that the peer lives."""

    def _read_goaway(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        if stream_id:
            raise LinkError(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        if stop - start < 8:
            raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY has at least eight octets")
        self._guard.noise(self.now)
        last_stream = int.from_bytes(data[start : start + 4], "big") & frames.LAST_STREAM
        self._on_goaway(last_stream, int.from_bytes(data[start + 4 : start + 8], "big"))

    def _read_window_update(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        if stop - start != 4:
            raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE has four octets")
        self._guard.noise(self.now)
        credit = int.from_bytes(data[start:stop], "big") & frames.MAX_WINDOW
        if stream_id == 0:
            self.send_window += credit
            if not credit:
                raise LinkError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
            if self.send_window > frames.MAX_WINDOW:
                raise LinkError(ErrorCode.FLOW_CONTROL_ERROR, "connection window is too large")
            if self.ready:
                self.want_flush()
            return
        stream = self.streams.get(stream_id)
        if stream is None:
            self._refuse_idle(stream_id)
            return
        if not credit or stream.send_window + credit > frames.MAX_WINDOW:
            error = ErrorCode.FLOW_CONTROL_ERROR if credit else ErrorCode.PROTOCOL_ERROR
            self._guard.reset(self.now)
            self.reset(stream, error)
            stream.on_reset(error)
            return
        stream.widen(credit)

    def _read_unknown(self, flags: int, stream_id: int, data: bytes, start: int, stop: int) -> None:
        # RFC 9113, 4.1: types that are not known are ignored, within reason.
        self._guard.noise(self.now)


def _without_padding(data: bytes, start: int, stop: int) -> tuple[int, int]:
    if start == stop:
        raise LinkError(ErrorCode.FRAME_SIZE_ERROR, "padded frame without its pad length")
    end = stop - data[start]
    if end < start + 1:
        raise LinkError(ErrorCode.PROTOCOL_ERROR, "more padding than frame")
    return start + 1, end
