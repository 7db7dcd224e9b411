"""The client's connection to a server: made when used, made anew with back-off; no call is left hanging.

Theory of operation. `Transport` owns at most one usable connection; a connection is a reader, a writer and a
timer around the protocol in `wire`, under Trio or asyncio. A call is no task: it is opened in the protocol,
and the caller sleeps at a gate that the protocol opens. Everything that calls queue in one scheduler pass
leaves in one write. A connection that was lost or told to go is replaced at the next call. A call that the
server surely never started on is repeated by itself; every other failure is the caller's to judge.
"""

from __future__ import annotations

import math
import random
import ssl
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.abc

from aether.sdk.dial import GONE, Opener, Pipe, Target, parse_target
from aether.sdk.gate import Gate, gate_type
from aether.wire.client import ClientCall, ClientLink
from aether.wire.limits import TransportLimits
from aether.wire.metadata import MetadataItem
from aether.wire.status import Code, RpcError

__all__ = ["RpcError", "Transport", "TransportStream"]

_CONNECT_S: Final = 10.0
_BACKOFF_S: Final = 0.1
_BACKOFF_FACTOR: Final = 1.6
_BACKOFF_MAX_S: Final = 5.0
_CLOSE_S: Final = 1.0
_TRIES: Final = 3  # of a call that the server did not start on


class TransportStream:
    """A call with many messages. Leaving it with `async with` cancels it if it is open still."""

    def __init__(self, call: ClientCall, received: Gate, room: Gate) -> None:
        self._call = call
        self._received = received
        self._room = room
        call.on_event = self._on_event

    def _on_event(self) -> None:
        self._received.open()
        self._room.open()

    def send(self, message: bytes) -> None:
        """Queues a message. Once the call has ended this does nothing: `receive` says how it ended."""
        self._call.send(message)

    def half_close(self) -> None:
        """Nothing more will be sent."""
        self._call.half_close()

    def cancel(self) -> None:
        """Gives the call up; `receive` raises RpcError with CANCELLED from now on."""
        self._call.cancel()

    async def receive(self) -> list[bytes]:
        """All messages that are ready; none at the end. Raises RpcError. For one task at a time."""
        call = self._call
        while True:
            messages = call.take()
            if messages:
                return messages
            if call.status is not None:
                call.raise_for_status()
                return []
            await self._received.wait()

    async def drained(self) -> None:
        """Returns when little enough waits to be sent, or the call has ended. One task at a time."""
        while self._call.is_congested:
            await self._room.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()


class _Connection:
    """One connection to the server: the protocol, and what moves its octets."""

    def __init__(
        self,
        pipe: Pipe,
        target: Target,
        limits: TransportLimits,
        clock: Callable[[], float],
        gate: type[Gate],
    ) -> None:
        self._pipe = pipe
        self._clock = clock
        self.link = ClientLink(limits, clock(), authority=target.authority, scheme=target.scheme)
        self._output = gate()
        self._alarm = gate()
        self._written = gate()
        self._room = anyio.Event()
        self.link.wake = self._output.open
        self.link.wake_timer = self._alarm.open
        self.link.on_room = self._on_room

    @property
    def is_usable(self) -> bool:
        return not (self.link.is_closed or self.link.is_going_away)

    def _on_room(self) -> None:
        if self._room.statistics().tasks_waiting:
            self._room.set()
            self._room = anyio.Event()
        if self.link.is_spent:
            self._output.open()

    async def wait_for_room(self) -> None:
        """Returns when a call may be opened here or never again."""
        while self.is_usable and self.link.is_full:
            await self._room.wait()

    async def run(self) -> None:
        """Returns when the connection is over; every call on it has ended then."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._write, group.cancel_scope)
                group.start_soon(self._run_timer)
                await self._read()
                group.cancel_scope.cancel()
        finally:
            self.link.lost("closed by the client")
            self._on_room()
            with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_S):
                await self._pipe.close()

    async def _read(self) -> None:
        link = self.link
        while not link.is_closed:
            while link.is_clogged:
                await self._written.wait()
            try:
                data = await self._pipe.read()
            except GONE:
                data = b""
            if not data:
                link.lost("the server closed the connection")
                return
            link.feed(data, self._clock())

    async def _write(self, scope: anyio.CancelScope) -> None:
        link = self.link
        try:
            while True:
                data = link.pull()
                if data:
                    await self._pipe.write(data)
                    self._written.open()
                elif link.is_closed or link.is_spent:
                    break
                await self._output.wait()
        except GONE as error:
            link.lost(str(error) or "connection reset")
        scope.cancel()

    async def _run_timer(self) -> None:
        link = self.link
        while True:
            with anyio.CancelScope(deadline=link.alarm_at):
                await self._alarm.wait()
            now = self._clock()
            if now >= link.alarm_at:
                link.on_alarm(now)


class Transport:
    """A server as the SDK sees it. Use as `async with Transport("http://localhost:7233") as transport`.

    `target` is "http://host:port", "https://host:port" (then `tls` may be a client-side SSL context),
    "unix:///path", or an async callable that opens a byte stream of anyio or a connected socket.
    """

    def __init__(
        self,
        target: str | Opener,
        *,
        tls: ssl.SSLContext | None = None,
        limits: TransportLimits | None = None,
    ) -> None:
        self._target = parse_target(target, tls)
        self._limits = limits or TransportLimits()
        self._connection: _Connection | None = None
        self._dialing: anyio.Event | None = None
        self._dial_failure = ""
        self._dial_not_before = -math.inf
        self._backoff_s = _BACKOFF_S
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._gate = gate_type()
        self._clock = anyio.current_time
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._is_open = False
        self._group.cancel_scope.cancel()
        return await self._group.__aexit__(kind, error, traceback)

    async def unary(
        self,
        path: str,
        message: bytes,
        *,
        timeout_s: float | None = None,
        metadata: Sequence[MetadataItem] = (),
    ) -> bytes:
        """One message there, one back. Raises RpcError; `timeout_s` bounds all of it, connecting included."""
        deadline = math.inf if timeout_s is None else self._clock() + timeout_s
        for tries_left in reversed(range(_TRIES)):
            call = await self._open(path, metadata, deadline)
            gate = self._gate()
            call.on_event = gate.open
            call.send(message)
            call.half_close()
            try:
                while call.status is None:
                    await gate.wait()
            finally:
                call.cancel()
            if not (call.is_unprocessed and tries_left):
                break
        call.raise_for_status()
        if len(call.messages) != 1:
            raise RpcError(Code.INTERNAL, f"answer has {len(call.messages)} messages in place of one")
        return call.messages[0]

    async def open_stream(
        self, path: str, metadata: Sequence[MetadataItem] = (), *, timeout_s: float | None = None
    ) -> TransportStream:
        """Opens a call with many messages either way. Raises RpcError when there is no server."""
        deadline = math.inf if timeout_s is None else self._clock() + timeout_s
        call = await self._open(path, metadata, deadline)
        return TransportStream(call, self._gate(), self._gate())

    async def _open(self, path: str, metadata: Sequence[MetadataItem], deadline: float) -> ClientCall:
        connection = self._connection
        if connection is None or not connection.is_usable or connection.link.is_full:
            connection = await self._connect(deadline)
        link = connection.link
        if deadline == math.inf:
            return link.open(path, metadata)
        call = link.open(path, metadata, deadline - self._clock())
        link.expire(call, deadline)
        return call

    async def _connect(self, deadline: float) -> _Connection:
        """A connection with room for a call."""
        with anyio.CancelScope(deadline=deadline) as scope:
            while True:
                connection = self._connection
                if connection is None or not connection.is_usable:
                    await self._dial()
                    continue
                await connection.wait_for_room()
                if connection.is_usable and not connection.link.is_full:
                    return connection
        assert scope.cancelled_caught
        raise RpcError(Code.DEADLINE_EXCEEDED, f"deadline exceeded before {self._target.shown} took the call")

    async def _dial(self) -> None:
        """Waits for the one attempt that is under way, or begins it. Raises RpcError when it fails."""
        if not self._is_open:
            raise RpcError(Code.UNAVAILABLE, "the transport is closed")
        if self._dialing is None:
            self._dialing = anyio.Event()
            # In a task of its own: a caller that gives up must not take the attempt from the others.
            self._group.start_soon(self._run_connection)
        await self._dialing.wait()
        if self._connection is None:
            message = f"cannot connect to {self._target.shown}: {self._dial_failure}"
            raise RpcError(Code.UNAVAILABLE, message, is_unprocessed=True)

    async def _run_connection(self) -> None:
        dialing = self._dialing
        assert dialing is not None
        self._connection = None
        pipe: Pipe | None = None
        try:
            await anyio.sleep_until(self._dial_not_before)
            pipe = await self._try_to_open()
            if pipe is not None:
                self._connection = _Connection(pipe, self._target, self._limits, self._clock, self._gate)
        finally:
            self._dialing = None
            dialing.set()
        if self._connection is not None:
            await self._connection.run()

    async def _try_to_open(self) -> Pipe | None:
        # The back-off starts over only after a handshake, so a server that accepts and drops is not hammered.
        wait_s = self._backoff_s * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        self._dial_failure = "timed out"
        try:
            with anyio.move_on_after(_CONNECT_S):
                pipe = await self._target.open()
                self._backoff_s = _BACKOFF_S
                self._dial_not_before = self._clock() + _BACKOFF_S
                return pipe
        except GONE as error:
            self._dial_failure = str(error) or type(error).__name__
        self._dial_not_before = self._clock() + wait_s
        self._backoff_s = min(self._backoff_s * _BACKOFF_FACTOR, _BACKOFF_MAX_S)
        return None
