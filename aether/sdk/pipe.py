"""A byte stream as a connection uses it: read some, write all, close; on a plain socket where there is one.

Under Trio the socket itself is read and written, because the layers above it cost more than the system call.
Under asyncio the event loop reads sockets on its own account, so there its stream is used as it is.
"""

from __future__ import annotations

from typing import Final, Protocol

import anyio
import sniffio
from anyio.abc import ByteStream, SocketAttribute, SocketStream

from aether.sdk.gate import readiness

_READ_BYTES: Final = 65_536
GONE: Final = (
    OSError,  # with what TLS raises
    EOFError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
)


class ConnectedSocket(Protocol):
    """What is needed of a standard socket; it must not block."""

    def fileno(self) -> int: ...

    def recv(self, size: int, /) -> bytes: ...

    def send(self, data: bytes | memoryview, /) -> int: ...

    def close(self) -> None: ...


class Pipe(Protocol):
    """What a connection needs of its byte stream; anything in `GONE` means that it is no more."""

    async def read(self) -> bytes:
        """Octets, or nothing at the end."""

    def write_now(self, data: bytes) -> int:
        """Write what can be written without waiting, and say how much that was."""

    async def write(self, data: bytes | memoryview) -> None: ...

    async def close(self) -> None: ...


class SocketPipe:
    """A connected non-blocking socket, tried before it is waited for."""

    def __init__(self, sock: ConnectedSocket, owner: ByteStream | None = None) -> None:
        self._wait_readable, self._closed_error = readiness()
        self._sock = sock
        self._fd = sock.fileno()
        self._owner = owner

    async def read(self) -> bytes:
        while True:
            try:
                await self._wait_readable(self._fd)
            except self._closed_error:
                raise anyio.ClosedResourceError from None
            try:
                return self._sock.recv(_READ_BYTES)
            except BlockingIOError:
                continue

    def write_now(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    async def write(self, data: bytes | memoryview) -> None:
        sent = self.write_now(data)
        if sent < len(data):
            view = memoryview(data)
            while sent < len(data):
                await anyio.wait_writable(self._fd)
                sent += self.write_now(view[sent:])

    async def close(self) -> None:
        if self._owner is not None:
            await anyio.aclose_forcefully(self._owner)
        elif self._sock.fileno() >= 0:
            anyio.notify_closing(self._fd)
            self._sock.close()


class StreamPipe:
    """Any byte stream of anyio."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    async def read(self) -> bytes:
        try:
            return await self._stream.receive(_READ_BYTES)
        except anyio.EndOfStream:
            return b""

    def write_now(self, data: bytes) -> int:
        return 0

    async def write(self, data: bytes | memoryview) -> None:
        await self._stream.send(bytes(data))

    async def close(self) -> None:
        await anyio.aclose_forcefully(self._stream)


def pipe_over(opened: ByteStream | ConnectedSocket) -> Pipe:
    """The quickest pipe over what a caller or anyio has opened."""
    if not isinstance(opened, ByteStream):
        return SocketPipe(opened)
    # Only a socket's own stream: over TLS the socket below is there to be found, but carries other octets.
    if isinstance(opened, SocketStream) and sniffio.current_async_library() == "trio":
        return SocketPipe(opened.extra(SocketAttribute.raw_socket), opened)  # noqa: S610 - not Django's
    return StreamPipe(opened)
