"""The client's connection to a server: made when used, made anew with back-off; no call is left hanging.

Theory of operation. `Transport` owns one usable connection, and a further one when as many calls are open on each
as the server allows: a program may wait for more results than that, and what brings them about must not wait behind
them. A connection is a reader, a writer and a timer around the protocol in `wire`, under Trio or asyncio. A call is
no task: it is opened in the protocol, and the caller sleeps at a gate that the protocol opens. Everything that calls
queue in one scheduler pass leaves in one write. A connection that was lost or told to go is replaced at the next
call. A call that the server surely never started on is repeated by itself; every other failure is the caller's to
judge.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Self
from urllib.parse import SplitResult, unquote, urlsplit

import anyio
import anyio.abc
import attrs
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute

from aether.errors import AetherError, InvalidArgument
from aether.sdk.channel import Channel
from aether.sdk.gate import Gate, loop_clock
from aether.sdk.pipe import GONE, ConnectedSocket, Pipe, pipe_over
from aether.wire.client import ClientCall
from aether.wire.limits import TransportLimits
from aether.wire.metadata import MetadataItem
from aether.wire.status import Code, RpcError

__all__ = ["Opener", "RpcError", "Transport", "TransportStream", "check_target", "client_tls"]

Opener = Callable[[], Awaitable[ByteStream | ConnectedSocket]]
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_CONNECT_S: Final = 10.0
_BACKOFF_S: Final = 0.05
_BACKOFF_FACTOR: Final = 1.15
_BACKOFF_MAX_S: Final = 5.0
_TRIES: Final = 3  # of a call that the server did not start on
_CONNECTIONS_MAX: Final = 100  # with a thousand calls each, as many as a server lets wait
_PATIENCE_S: Final = 0.1  # calls that do not wait for something to happen are over by then, and there is room


class TransportStream:
    """A call with many messages. Leaving it with `async with` cancels it if it is open still."""

    def __init__(self, call: ClientCall) -> None:
        self._call = call
        self._received = Gate()
        self._take: Callable[[bytes], None] | None = None
        self._give: Callable[[], None] | None = None
        self._is_asked = self._is_in_line = False
        self._fault: Exception | None = None
        call.on_event = self._on_event

    def _on_event(self) -> None:
        call = self._call
        if self._take is not None and call.messages:
            try:
                for message in call.take():
                    self._take(message)
            except Exception as fault:  # noqa: BLE001 - of the one who takes, so this call's end and nobody else's
                self._fail(fault)
        if self._is_asked:
            self._line_up()
        if self._take is None or call.status is not None:
            self._received.open()

    def hand_over(self, take: Callable[[bytes], None], give: Callable[[], None]) -> None:
        """No task is to stand between this call and the connection, which costs a scheduler pass each way.

        From now on `take` is called with each message when it comes in, and `give` as the connection is about to write,
        if `ask` was called and not too much waits to be sent; it says what there is by `send`. What either raises ends
        the call. `receive` returns at the end.
        """
        self._take, self._give = take, give
        self._on_event()

    def flush(self) -> None:
        """Send at once what there is, where whoever calls knows that nothing follows in this scheduler pass."""
        self._call.flush()

    def ask(self) -> None:
        """Have `give` called."""
        if not self._is_asked:
            self._is_asked = True
            self._line_up()

    def _line_up(self) -> None:
        if self._give is not None and not self._is_in_line and not self._call.is_congested:
            self._is_in_line = True
            self._call.before_writing(self._produce)

    def _produce(self) -> None:
        self._is_asked = self._is_in_line = False
        assert self._give is not None
        try:
            self._give()
        except Exception as fault:  # noqa: BLE001 - see above
            self._fail(fault)

    def _fail(self, fault: Exception) -> None:
        self._fault = fault
        self._call.cancel()

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
                if self._fault is not None:
                    raise self._fault
                call.raise_for_status()
                return []
            await self._received.wait()

    @property
    def is_congested(self) -> bool:
        """So much waits to be sent that whoever has more to say should wait until `give` is called again."""
        return self._call.is_congested

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()


@attrs.frozen
class _Target:
    """Where a transport connects to, parsed."""

    shown: str
    scheme: str
    authority: str
    open: Callable[[], Awaitable[Pipe]]


def client_tls(*, ca: str | None = None, certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """TLS that checks the server's name; with `certificate` and `key` the client shows its own (mTLS)."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def check_target(target: str) -> SplitResult:
    """Raises InvalidArgument for a text that is no target."""
    try:
        parts = urlsplit(target)
        if parts.scheme == "unix":
            is_right = bool(parts.path) and not parts.netloc
        else:
            # A name that can not be looked up, like "a..b", is found here.
            host = (parts.hostname or "").encode("idna")
            is_right = parts.scheme in _DEFAULT_PORTS and parts.port != 0 and bool(host)
    except ValueError:
        is_right = False
    if not is_right:
        forms = "http://host:port, https://host:port or unix:///path"
        raise InvalidArgument(f"{target!r} is no address of a server: write {forms}")
    return parts


def _parse_target(target: str | Opener, tls: ssl.SSLContext | None) -> _Target:
    if not isinstance(target, str):
        return _Target("the embedded server", "http", "localhost", lambda: _open_by(target))
    parts = check_target(target)
    if parts.scheme == "unix":
        path = unquote(parts.path)
        return _Target(target, "http", "localhost", lambda: _open_unix(path))
    host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]
    if parts.scheme == "http":
        return _Target(target, "http", parts.netloc, lambda: _open_tcp(host, port))
    context = tls or client_tls()
    return _Target(target, "https", parts.netloc, lambda: _open_tls(host, port, context))


async def _open_by(opener: Opener) -> Pipe:
    return pipe_over(await opener())


async def _open_unix(path: str) -> Pipe:
    return pipe_over(await anyio.connect_unix(path))


async def _open_tcp(host: str, port: int) -> Pipe:
    return pipe_over(await anyio.connect_tcp(host, port))


async def _open_tls(host: str, port: int, context: ssl.SSLContext) -> Pipe:
    stream = await anyio.connect_tcp(host, port, ssl_context=context, tls_standard_compatible=False, tls_hostname=host)
    if stream.extra(TLSAttribute.alpn_protocol) != "h2":  # noqa: S610 - not Django's
        await anyio.aclose_forcefully(stream)
        raise OSError("the server does not speak HTTP/2 over TLS (no ALPN)")
    return pipe_over(stream)


@attrs.define
class _Dialing:
    """One attempt to connect, which any number of calls wait for. Without a connection at its end it has failed."""

    is_over: anyio.Event = attrs.field(factory=anyio.Event)
    connection: Channel | None = None


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
        self._target = _parse_target(target, tls)
        self._limits = limits or TransportLimits()
        # The one to try first, and all that are open.
        self._connection: Channel | None = None
        self._connections: list[Channel] = []
        self._dialing: _Dialing | None = None
        self._dial_failure = ""
        # There is no server, and there will be none: what whoever opens connections has said.
        self._dial_refusal: AetherError | None = None
        self._dial_not_before = -math.inf
        self._backoff_s = _BACKOFF_S
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._clock = loop_clock()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_open = False
        self._group.cancel_scope.cancel()
        # What the block raised is not shown to the group, which would wrap it: it goes on as it is.
        await self._group.__aexit__(None, None, None)

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
            gate = Gate()
            call.on_event = gate.open
            call.send(message)
            call.half_close()
            if call.is_alone:
                call.flush()
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
        return TransportStream(call)

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

    async def _connect(self, deadline: float) -> Channel:
        """A connection with room for a call."""
        patient_until = self._clock() + _PATIENCE_S
        with anyio.CancelScope(deadline=deadline) as scope:
            for _ in range(_TRIES):
                connection = self._choose(patient_until) or await self._dial()
                while connection.is_usable and connection.link.is_full:
                    with anyio.CancelScope(deadline=patient_until if self._clock() < patient_until else math.inf):
                        await connection.wait_for_room()
                    connection = self._choose(patient_until) or await self._dial()
                if connection.is_usable:
                    self._connection = connection
                    return connection
        if scope.cancelled_caught:
            raise RpcError(Code.DEADLINE_EXCEEDED, f"deadline exceeded before {self._target.shown} took the call")
        message = f"{self._target.shown} takes connections but does not keep them"
        raise RpcError(Code.UNAVAILABLE, message, is_unprocessed=True)

    def _choose(self, patient_until: float) -> Channel | None:
        """One with room, or where room is waited for. None: there has to be another."""
        usable = [each for each in self._connections if each.is_usable]
        for each in usable:
            if not each.link.is_full:
                return each
        if usable and (self._clock() < patient_until or len(usable) >= _CONNECTIONS_MAX):
            return usable[0]
        return next((each for each in usable if not each.link.is_taken), None)

    async def _dial(self) -> Channel:
        """Waits for the one attempt that is under way, or begins it. Raises RpcError when it fails.

        Where a server is embedded, raises the AetherError that says why there is none any more.
        """
        if not self._is_open:
            raise RpcError(Code.UNAVAILABLE, "the transport is closed")
        dialing = self._dialing
        if dialing is None:
            dialing = self._dialing = _Dialing()
            # In a task of its own: a caller that gives up must not take the attempt from the others.
            self._group.start_soon(self._run_connection, dialing)
        await dialing.is_over.wait()
        if dialing.connection is None:
            if self._dial_refusal is not None:
                raise self._dial_refusal
            message = f"cannot connect to {self._target.shown}: {self._dial_failure}"
            raise RpcError(Code.UNAVAILABLE, message, is_unprocessed=True)
        return dialing.connection

    async def _run_connection(self, dialing: _Dialing) -> None:
        connection: Channel | None = None
        try:
            await anyio.sleep_until(self._dial_not_before)
            pipe = await self._try_to_open()
            if pipe is not None:
                connection = dialing.connection = Channel(
                    pipe,
                    self._limits,
                    self._clock,
                    authority=self._target.authority,
                    scheme=self._target.scheme,
                )
                if self._connections:
                    # Until the server has said here how many calls it takes, it is as many as there.
                    connection.link.max_streams = self._connections[0].link.max_streams
                self._connections.append(connection)
        finally:
            self._dialing = None
            dialing.is_over.set()
        if connection is not None:
            try:
                await connection.run()
            finally:
                self._connections.remove(connection)

    async def _try_to_open(self) -> Pipe | None:
        # The last digits of the clock differ between clients, which is all that jitter is for.
        wait_s = self._backoff_s * (0.8 + 0.4 * (self._clock() * 1e4 % 1))
        self._dial_failure, self._dial_refusal = "timed out", None
        try:
            with anyio.move_on_after(_CONNECT_S):
                pipe = await self._target.open()
                self._backoff_s = _BACKOFF_S
                self._dial_not_before = self._clock() + _BACKOFF_S
                return pipe
        except GONE as error:
            self._dial_failure = str(error) or type(error).__name__
        except AetherError as error:
            self._dial_refusal = error
        self._dial_not_before = self._clock() + wait_s
        self._backoff_s = min(self._backoff_s * _BACKOFF_FACTOR, _BACKOFF_MAX_S)
        return None
