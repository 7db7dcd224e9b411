"""From a target to a connected byte stream: TCP, TLS, Unix socket, or whatever a callable opens."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import anyio
import attrs
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute, TLSStream

READ_BYTES: Final = 65_536
GONE: Final = (
    OSError,  # with ssl.SSLError
    EOFError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

Opener = Callable[[], Awaitable[ByteStream | socket.socket]]


class Pipe(Protocol):
    """What a connection needs of its byte stream; anything in `GONE` means that it is no more."""

    async def read(self) -> bytes:
        """Octets, or nothing at the end."""

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


class SocketPipe:
    """A connected non-blocking socket; tried before it is waited for."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock

    async def read(self) -> bytes:
        while True:
            await anyio.wait_readable(self._sock)
            try:
                return self._sock.recv(READ_BYTES)
            except BlockingIOError:
                continue

    async def write(self, data: bytes) -> None:
        sent = self._send(data)
        if sent < len(data):
            view = memoryview(data)
            while sent < len(data):
                await anyio.wait_writable(self._sock)
                sent += self._send(view[sent:])

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    async def close(self) -> None:
        if self._sock.fileno() >= 0:
            anyio.notify_closing(self._sock)
            self._sock.close()


class StreamPipe:
    """Any byte stream of anyio."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    async def read(self) -> bytes:
        try:
            return await self._stream.receive(READ_BYTES)
        except anyio.EndOfStream:
            return b""

    async def write(self, data: bytes) -> None:
        await self._stream.send(data)

    async def close(self) -> None:
        await anyio.aclose_forcefully(self._stream)


@attrs.frozen
class Target:
    """Where a transport connects to, parsed."""

    shown: str
    scheme: str
    authority: str
    open: Callable[[], Awaitable[Pipe]]


def parse_target(target: str | Opener, tls: ssl.SSLContext | None) -> Target:
    """Raises ValueError for a text that is no target."""
    if not isinstance(target, str):
        return Target("embedded", "http", "localhost", lambda: _open_by(target))
    parts = urlsplit(target)
    if parts.scheme == "unix":
        path = unquote(parts.path)
        if not path or parts.netloc:
            raise ValueError(f"target {target!r} has no absolute path: write unix:///run/aether.sock")
        return Target(target, "http", "localhost", lambda: _open_unix(path))
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"target {target!r} is not http://host:port, https://host:port or unix:///path")
    host, port = parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]
    if parts.scheme == "http":
        return Target(target, "http", parts.netloc, lambda: _open_tcp(host, port))
    context = tls or client_tls()
    return Target(target, "https", parts.netloc, lambda: _open_tls(host, port, context))


def client_tls(*, ca: str | None = None, certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """TLS that checks the server's name; with `certificate` and `key` the client shows its own (mTLS)."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


async def _open_by(opener: Opener) -> Pipe:
    opened = await opener()
    return SocketPipe(opened) if isinstance(opened, socket.socket) else StreamPipe(opened)


async def _open_unix(path: str) -> Pipe:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    await _connect(sock, path)
    return SocketPipe(sock)


async def _open_tcp(host: str, port: int) -> Pipe:
    return SocketPipe(await _connect_tcp(host, port))


async def _connect_tcp(host: str, port: int) -> socket.socket:
    failure: OSError | None = None
    for family, kind, protocol, _, address in await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            await _connect(sock, address)
        except OSError as error:
            failure = error
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    raise failure or OSError(f"{host} has no address")


async def _connect(sock: socket.socket, address: str | tuple[str, int]) -> None:
    sock.setblocking(False)
    try:
        try:
            sock.connect(address)
        except BlockingIOError:
            await anyio.wait_writable(sock)
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error)) from None
    except BaseException:
        sock.close()
        raise


async def _open_tls(host: str, port: int, context: ssl.SSLContext) -> Pipe:
    plain = await anyio.connect_tcp(host, port)
    try:
        stream = await TLSStream.wrap(plain, hostname=host, ssl_context=context, standard_compatible=False)
    except BaseException:
        await anyio.aclose_forcefully(plain)
        raise
    protocol = stream.extra(TLSAttribute.alpn_protocol)  # noqa: S610 - not Django's
    if protocol != "h2":
        await anyio.aclose_forcefully(stream)
        raise OSError("the server does not speak HTTP/2 over TLS (no ALPN)")
    return StreamPipe(stream)
