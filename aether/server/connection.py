"""One client's connection as tasks: reader, writer and timer around the protocol in `wire`; none per call.

Theory of operation. The reader feeds the protocol, which runs handlers on the spot. Whatever they send only
marks the connection as having output; the writer, rescheduled once, runs after everybody else in that
scheduler pass and puts all of it in one `send`. Where whoever speaks knows that nothing follows in that pass, it
says so by a `Burst`, and all is sent at its end, a pass sooner. The socket is tried first without waiting, because
it nearly always has room. The timer sleeps until the protocol's next alarm (a deadline, a keepalive, the handshake) and
for ever when there is none.

When either side ends the connection: every open call is told at once, what is still to be said (GOAWAY) is
written, and the peer gets a moment to read it before the socket goes.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import trio

from aether.server.gate import Gate
from aether.server.telemetry import Log
from aether.server.traffic import Traffic
from aether.wire.calls import (
    DEADLINE,
    LOST,
    RESET,
    Call,
    Method,
    ServerLink,
    StreamHandler,
    UnaryHandler,
)
from aether.wire.limits import TransportLimits

__all__ = [
    "DEADLINE",
    "LOST",
    "RESET",
    "Call",
    "Connection",
    "Method",
    "StreamHandler",
    "UnaryHandler",
    "serve_stream",
]

# Four frames: at most this much of one peer is worked on before the others get a turn. Of one that fills that, and so
# has a large message under way, sixteen.
_READ_BYTES: Final = 65_536
_READ_BYTES_MAX: Final = 262_144
_GONE: Final = (OSError, trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError)
_log = Log("aether.transport")


class Pipe(Protocol):
    """What a connection needs of its byte stream; anything in `_GONE` means that it is no more."""

    async def read(self) -> bytes:
        """Octets, or nothing at the end."""

    def write_now(self, data: bytes) -> int:
        """Writes what can be written without waiting, and says how much that was."""

    async def write(self, data: bytes | memoryview) -> None: ...

    async def end_writing(self) -> None:
        """Tells the peer that nothing follows."""

    async def close(self) -> None: ...


class SocketPipe:
    """A connected non-blocking socket, tried before it is waited for, without Trio's own layer between."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self._read_bytes = _READ_BYTES

    async def read(self) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            try:
                data = self._sock.recv(self._read_bytes)
            except BlockingIOError:
                continue
            self._read_bytes = _READ_BYTES if len(data) < self._read_bytes else _READ_BYTES_MAX
            return data

    def write_now(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    async def write(self, data: bytes | memoryview) -> None:
        while data:
            await trio.lowlevel.wait_writable(self._fd)
            data = data[self.write_now(data) :]

    async def end_writing(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        trio.lowlevel.notify_closing(self._fd)
        self._sock.close()


class StreamPipe:
    """Any Trio byte stream: TLS, memory, or what else a caller has."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def read(self) -> bytes:
        return bytes(await self._stream.receive_some(_READ_BYTES))

    def write_now(self, data: bytes) -> int:
        return 0

    async def write(self, data: bytes | memoryview) -> None:
        await self._stream.send_all(data)

    async def end_writing(self) -> None:
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            await self._stream.send_eof()

    async def close(self) -> None:
        await self._stream.aclose()


class Burst:
    """What is done together without a scheduler pass between. One for each Trio run.

    As a block, which never suspends: connections only note that they have something to write; its end writes all of it.
    While a connection takes in what it has read: whoever is handed something there may act on it at the end of that.
    """

    def __init__(self) -> None:
        self._connections: list[Connection] | None = None
        self._readers: list[Callable[[], None]] | None = None

    def __enter__(self) -> None:
        self._connections = []

    def __exit__(self, *_: object) -> None:
        connections, self._connections = self._connections, None
        for connection in connections or ():
            connection.write_now()

    def holds(self, connection: Connection) -> bool:
        """Whether the connection will be asked to write."""
        if self._connections is None:
            return False
        self._connections.append(connection)
        return True

    def begin_reading(self) -> None:
        self._readers = []

    def end_reading(self) -> None:
        readers, self._readers = self._readers, None
        for act in readers or ():
            act()

    def after_reading(self, act: Callable[[], None]) -> bool:
        """Whether a connection is taking in what it has read; then `act` is called, and must not raise."""
        if self._readers is None:
            return False
        self._readers.append(act)
        return True


_burst: Final[trio.lowlevel.RunVar[Burst]] = trio.lowlevel.RunVar("burst")


def current_burst() -> Burst:
    """That of the Trio run."""
    try:
        return _burst.get()
    except LookupError:
        _burst.set(Burst())
        return _burst.get()


class Connection:
    """Serves one client until it leaves, misbehaves, or is told to go."""

    def __init__(
        self,
        pipe: Pipe,
        methods: Mapping[str, Method],
        limits: TransportLimits,
        peer: str,
        traffic: Traffic | None = None,
    ) -> None:
        self._pipe = pipe
        self._limits = limits
        self._traffic = traffic = traffic or Traffic()
        now = trio.current_time()
        self._link = ServerLink(methods, limits, now, peer=peer, report=_report, told=traffic.call_ended)
        self._burst = current_burst()
        self._output = Gate()
        self._alarm = Gate()
        self._written = Gate()
        self._scope = trio.CancelScope()
        self._unsent: memoryview | None = None
        self._link.wake = self._wake
        self._link.wake_timer = self._alarm.open

    def drain(self) -> None:
        """Opens no more calls; the connection ends when the last one has."""
        self._link.drain()

    def _wake(self) -> None:
        # A writer that waits for the socket goes on by itself, and nobody may write beside it.
        if not (self._output.is_waited_for and self._burst.holds(self)):
            self._output.open()

    def write_now(self) -> None:
        """Write what the socket takes at once; the writer does the rest."""
        if not self._output.is_waited_for:
            return
        link = self._link
        data = link.pull()
        try:
            sent = self._pipe.write_now(data) if data else 0
        except _GONE:
            self._scope.cancel()
            return
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
        self._written.open()
        if self._unsent is not None or link.is_closed or link.is_drained:
            self._output.open()

    async def run(self) -> None:
        """Returns when the connection is over; the pipe is closed in any case."""
        self._traffic.connections += 1
        try:
            async with trio.open_nursery() as nursery:
                self._scope = nursery.cancel_scope
                nursery.start_soon(self._run_timer)
                nursery.start_soon(self._write)
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            self._traffic.connections -= 1
            self._link.lost("server closed the connection")
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self._limits.linger_s):
                await self._pipe.close()

    async def _read(self) -> None:
        link = self._link
        pipe = self._pipe
        burst = self._burst
        while True:
            while link.is_clogged:
                await self._written.wait()
            try:
                data = await pipe.read()
            except _GONE:
                data = b""
            if not data:
                link.lost("connection lost")
                return
            burst.begin_reading()
            try:
                link.feed(data, trio.current_time())
            finally:
                burst.end_reading()
            if link.is_closed:
                self._end_soon()

    async def _write(self) -> None:
        link = self._link
        try:
            while True:
                if self._unsent is not None:
                    await self._finish_writing(self._unsent)
                    self._unsent = None
                data = link.pull()
                if data:
                    sent = self._pipe.write_now(data)
                    if sent < len(data):
                        await self._finish_writing(memoryview(data)[sent:])
                    self._written.open()
                if link.is_closed or link.is_drained:
                    if not data:
                        break
                else:
                    await self._output.wait()
            self._end_soon()
            # A drained client closes by itself; one that sees the end of the stream first may drop its last answer.
            if link.is_closed:
                await self._pipe.end_writing()
        except _GONE:
            self._scope.cancel()

    async def _finish_writing(self, rest: memoryview) -> None:
        with trio.fail_after(self._limits.write_s):
            await self._pipe.write(rest)

    def _end_soon(self) -> None:
        # Closing with unread input makes the kernel discard our last words, so the peer's are read for a
        # moment. The first to notice sets the moment.
        if math.isinf(self._scope.deadline):
            self._scope.deadline = trio.current_time() + self._limits.linger_s

    async def _run_timer(self) -> None:
        link = self._link
        while True:
            with trio.CancelScope(deadline=link.alarm_at):
                await self._alarm.wait()
            now = trio.current_time()
            if now >= link.alarm_at:
                link.on_alarm(now)
                if link.is_closed:
                    self._end_soon()


def _report(call: Call, error: Exception) -> None:
    _log.error("handler_failed", path=call.path, peer=call.peer, request_id=call.request_id, exc_info=error)


async def serve_stream(
    stream: trio.abc.Stream | socket.socket,
    methods: Mapping[str, Method],
    limits: TransportLimits | None = None,
    *,
    peer: str = "embedded",
    traffic: Traffic | None = None,
) -> None:
    """Serves the peer of a connected byte stream until it leaves; the stream is closed after that."""
    if isinstance(stream, socket.socket):
        stream.setblocking(False)
        pipe: Pipe = SocketPipe(stream)
    else:
        pipe = StreamPipe(stream)
    await Connection(pipe, methods, limits or TransportLimits(), peer, traffic).run()
