"""Our client over byte streams that are opened for it: Unix sockets, streams of anyio, and sockets that fill up."""

from __future__ import annotations

import socket

import anyio
import anyio.abc
import pytest

from aether.sdk.pipe import SocketPipe, StreamPipe, pipe_over
from aether.sdk.transport import Transport
from aether.server.listener import bind_unix
from aether.wire.status import Code, RpcError
from tests.conformance.wire_server import running_server

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_unix_socket_is_a_target(tmp_path):
    with running_server(listeners=[bind_unix(tmp_path / "s")]):
        async with Transport(f"unix://{tmp_path}/s") as transport:
            assert await transport.unary("/test.Echo/Unary", b"hello", timeout_s=20) == b"hello"


async def test_a_unix_socket_that_nobody_serves_is_unavailable(tmp_path):
    async with Transport(f"unix://{tmp_path}/none") as transport:
        with pytest.raises(RpcError) as caught:
            await transport.unary("/test.Echo/Unary", b"", timeout_s=20)
    assert caught.value.code == Code.UNAVAILABLE


class Wrapped(anyio.abc.ByteStream):
    """A byte stream that is no socket's own."""

    def __init__(self, inner: anyio.abc.ByteStream) -> None:
        self._inner = inner

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        return await self._inner.receive(max_bytes)

    async def send(self, item: bytes) -> None:
        await self._inner.send(item)

    async def send_eof(self) -> None:
        await self._inner.send_eof()

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_any_byte_stream_will_do():
    with running_server() as server:

        async def connect() -> anyio.abc.ByteStream:
            return Wrapped(await anyio.connect_tcp("127.0.0.1", server.port))

        async with Transport(connect) as transport:
            assert await transport.unary("/test.Echo/Unary", b"x" * 300_000, timeout_s=20) == b"x" * 300_000
            stream = await transport.open_stream("/test.Echo/Bidi")
            server.drain(0.0)
            with pytest.raises(RpcError) as caught:
                await stream.receive()
            assert caught.value.code == Code.UNAVAILABLE


async def test_a_full_socket_is_waited_for():
    near, far = socket.socketpair()
    for sock in (near, far):
        sock.setblocking(False)
    pipe = pipe_over(near)
    assert isinstance(pipe, SocketPipe)
    received = bytearray()

    async def read() -> None:
        other = SocketPipe(far)
        while data := await other.read():
            received.extend(data)
        await other.close()

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await pipe.write(bytes(range(256)) * 10_000)
        await pipe.close()
        await pipe.close()
    assert received == bytes(range(256)) * 10_000


async def test_the_end_of_a_stream_reads_as_nothing():
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.shutdown(socket.SHUT_WR)
        assert await SocketPipe(near).read() == b""


async def test_a_stream_that_has_ended_reads_as_nothing():
    class Ended(Wrapped):
        async def receive(self, max_bytes: int = 65_536) -> bytes:
            raise anyio.EndOfStream

    assert await StreamPipe(Ended(Wrapped.__new__(Wrapped))).read() == b""


async def test_a_deadline_of_a_stream_is_kept():
    with running_server() as server:
        async with Transport(f"http://{server.address}") as transport:
            stream = await transport.open_stream("/test.Echo/Bidi", timeout_s=0.1)
            with pytest.raises(RpcError) as caught:
                await stream.receive()
            assert caught.value.code == Code.DEADLINE_EXCEEDED
            stream.cancel()
            stream.send(b"late")


async def test_an_answer_that_is_not_one_message_is_an_error():
    with running_server() as server:
        async with Transport(f"http://{server.address}") as transport:
            with pytest.raises(RpcError, match="2 messages") as caught:
                await transport.unary("/test.Echo/Flow", b"2", timeout_s=20)
            assert caught.value.code == Code.INTERNAL
