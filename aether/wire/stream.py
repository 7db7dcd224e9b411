"""The half of a call that sends, alike for server and client: what waits, and within which windows.

Messages wait here, not in the connection's output: the connection asks each ready stream for one frame at a
time while it writes, so a peer that does not read holds back its own streams and nothing piles up behind the
socket.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from aether.wire.frames import DATA, MAX_FRAME, ErrorCode, pack_head
from aether.wire.limits import TransportLimits
from aether.wire.messages import PREFIX_BYTES, pack_prefix


class Outlet(Protocol):
    """What a stream needs of its connection."""

    limits: TransportLimits
    now: float
    peer_window: int
    send_window: int
    queued: int
    partial_bytes: int
    ready: deque[Stream]
    relieved: list[Stream]
    large_bytes: int
    is_crowded: bool

    def write(self, data: bytes) -> None:
        """Queue frames that are not flow-controlled."""

    def fail(self, code: ErrorCode, message: str) -> None:
        """End the connection."""

    def want_flush(self) -> None:
        """See to it that `Stream.emit` is called."""


class Stream:
    """One HTTP/2 stream that carries one call.

    Fields with a common start value live on the class: calls are many.
    """

    is_congested = False
    """More than the high-water mark waits to be written."""
    awaits_room = False
    """To be told when the connection has room for a large answer."""
    expires_at: float | None = None
    _queued = 0
    _head = b""  # rest of messages that did not fit in one frame, already joined
    _offset = 0
    _is_ready = False
    _is_finishing = False  # nothing will be queued any more; the end follows the last octet
    _is_closed = False

    def __init__(self, link: Outlet, stream_id: int) -> None:
        self._link = link
        self.stream_id = stream_id
        self.send_window = link.peer_window
        self.receive_window = link.limits.stream_window
        self._queue: list[bytes] = []

    @property
    def has_lasted(self) -> bool:
        """Whoever ends it now is in no haste."""
        return False

    def _enqueue(self, message: bytes) -> bool:
        """Takes one message to be sent; False when far too much waits already."""
        size = len(message)
        self._queue += (pack_prefix(0, size), message)
        size += PREFIX_BYTES
        self._queued += size
        link = self._link
        link.queued += size
        limits = link.limits
        if self._queued > limits.outbound_mark:
            self.is_congested = True
            if self._queued > limits.outbound_stream_bytes:
                return False
        if link.queued > limits.outbound_unread_bytes:
            link.fail(ErrorCode.ENHANCE_YOUR_CALM, "peer does not read what it is sent")
            return True
        if not self._is_ready and self.send_window > 0:
            self._is_ready = True
            link.ready.append(self)
            link.want_flush()
        return True

    def emit(self, out: list[bytes]) -> int:
        """Appends one DATA frame to `out`, as large as the windows allow, and the end after the last."""
        link = self._link
        queued = self._queued
        room = min(self.send_window, link.send_window, MAX_FRAME)
        if room <= 0:
            # The peer has shrunk its windows meanwhile.
            self._is_ready = False
            return 0
        if queued <= room and not self._head:
            size = queued
            out.append(pack_head(size << 8 | DATA, self._end_flag(), self.stream_id))
            out += self._queue
            self._queue.clear()
        else:
            size = self._emit_part(out, min(room, queued))
        queued -= size
        self._queued = queued
        self.send_window -= size
        link.send_window -= size
        link.queued -= size
        self._is_ready = queued > 0 and self.send_window > 0
        if self._is_ready:
            link.ready.append(self)
        if self.is_congested and queued <= link.limits.outbound_mark:
            self.is_congested = False
            link.relieved.append(self)
        if self._is_finishing and not queued:
            self._emit_end(out)
        return size

    def _emit_part(self, out: list[bytes], size: int) -> int:
        head, offset = self._head, self._offset
        if len(head) - offset < size:
            if not head and len(self._queue[1]) >= MAX_FRAME and size > PREFIX_BYTES:
                # A large message is not copied only for its prefix to be in front of it.
                prefix, self._head = self._queue[:2]
                del self._queue[:2]
                self._offset = size - PREFIX_BYTES
                out += (pack_head(size << 8 | DATA, 0, self.stream_id), prefix, self._head[: self._offset])
                return size
            head = b"".join((head[offset:], *self._queue))
            offset = 0
            self._queue.clear()
        end = offset + size
        out += (
            pack_head(size << 8 | DATA, self._end_flag() if size == self._queued else 0, self.stream_id),
            head[offset:end],
        )
        self._head, self._offset = (b"", 0) if end == len(head) else (head, end)
        return size

    def _drop_queue(self) -> None:
        self._link.queued -= self._queued
        self._queue.clear()
        self._head = b""
        self._queued = self._offset = 0

    def widen(self, credit: int) -> None:
        """The peer allows `credit` more octets on this stream (negative when it shrinks its windows)."""
        self.send_window += credit
        if self._queued and not self._is_ready and self.send_window > 0:
            self._is_ready = True
            self._link.ready.append(self)
            self._link.want_flush()

    def _end_flag(self) -> int:
        """END_STREAM when the last octet of the stream is a DATA frame (the client's half)."""
        return 0

    def _emit_end(self, out: list[bytes]) -> None:
        """Appends what follows the last message; called once."""
        raise NotImplementedError

    # What the connection tells a stream; see calls.py (server) and client.py.

    def on_data(self, data: bytes, at: int, stop: int, *, is_last: bool) -> None:
        raise NotImplementedError

    def on_reset(self, error: int) -> None:
        raise NotImplementedError

    def on_lost(self, reason: str) -> None:
        raise NotImplementedError

    def on_expired(self) -> None:
        raise NotImplementedError

    def on_relieved(self) -> None:
        raise NotImplementedError
