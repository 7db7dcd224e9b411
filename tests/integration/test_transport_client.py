"""Our client against grpcio's server and against servers that misbehave: an answer or an error, never nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.abc
import anyio.lowlevel
import grpc
import pytest

from aether.errors import InvalidArgument
from aether.sdk.transport import Transport
from aether.server.connection import Method
from aether.wire import frames
from aether.wire.limits import TransportLimits
from aether.wire.status import Code, RpcError
from tests.conformance.wire_server import running_server

pytestmark = pytest.mark.anyio
QUICK = TransportLimits(keepalive_s=0.1, keepalive_timeout_s=0.1, handshake_s=0.3)


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _metadata(request: bytes, context: grpc.ServicerContext) -> bytes:
    context.set_trailing_metadata((("x-trailer", "1"),))
    return repr(sorted((key, value) for key, value in context.invocation_metadata() if key.startswith("x-"))).encode()


def _fail(request: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.ALREADY_EXISTS, "schön % da")
    raise AssertionError("abort raises")


def _wait(request: bytes, context: grpc.ServicerContext) -> bytes:
    over = threading.Event()
    context.add_callback(over.set)
    over.wait(20)
    return b"%.0f" % (context.time_remaining() or 0)


@pytest.fixture(scope="module")
def grpcio_server() -> Iterator[str]:
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(lambda request, context: request),
        "Metadata": grpc.unary_unary_rpc_method_handler(_metadata),
        "Fail": grpc.unary_unary_rpc_method_handler(_fail),
        "Wait": grpc.unary_unary_rpc_method_handler(_wait),
        "Count": grpc.unary_stream_rpc_method_handler(
            lambda request, context: (b"%d" % n for n in range(int(request)))
        ),
        "Bidi": grpc.stream_stream_rpc_method_handler(lambda requests, context: requests),
    }
    server = grpc.server(ThreadPoolExecutor(8), compression=grpc.Compression.Gzip)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Peer", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(0).wait(20)


async def test_grpcio_answers_our_unary_calls(grpcio_server: str) -> None:
    async with Transport(grpcio_server) as transport:
        for content in (b"", b"hello", b"x" * 2_000_000):
            assert await transport.unary("/test.Peer/Unary", content, timeout_s=20) == content


async def test_grpcio_gets_our_metadata(grpcio_server: str) -> None:
    async with Transport(grpcio_server) as transport:
        answer = await transport.unary("/test.Peer/Metadata", b"", metadata=[("x-a", "1"), ("x-b-bin", b"\x00\xff")])
    assert answer == repr([("x-a", "1"), ("x-b-bin", b"\x00\xff")]).encode()


async def test_grpcio_statuses_reach_the_caller(grpcio_server: str) -> None:
    async with Transport(grpcio_server) as transport:
        with pytest.raises(RpcError) as caught:
            await transport.unary("/test.Peer/Fail", b"")
        assert (caught.value.code, caught.value.message) == (Code.ALREADY_EXISTS, "schön % da")
        with pytest.raises(RpcError) as caught:
            await transport.unary("/test.Peer/Nothing", b"")
        assert caught.value.code == Code.UNIMPLEMENTED


async def test_grpcio_streams_reach_the_caller(grpcio_server: str) -> None:
    async with Transport(grpcio_server) as transport:
        stream = await transport.open_stream("/test.Peer/Count")
        stream.send(b"5000")
        stream.half_close()
        got: list[bytes] = []
        while messages := await stream.receive():
            got += messages
    assert got == [b"%d" % number for number in range(5000)]


async def test_grpcio_echoes_our_stream(grpcio_server: str) -> None:
    async with Transport(grpcio_server) as transport, await transport.open_stream("/test.Peer/Bidi") as stream:
        for round_ in range(20):
            stream.send(b"%d" % round_ * 1_000)
            assert b"".join(await stream.receive()) == b"%d" % round_ * 1_000
        stream.half_close()
        assert await stream.receive() == []


async def test_a_deadline_and_a_cancellation_reach_grpcio(grpcio_server: str) -> None:
    async with Transport(grpcio_server) as transport:
        with pytest.raises(RpcError) as caught:
            await transport.unary("/test.Peer/Wait", b"", timeout_s=0.1)
        assert caught.value.code == Code.DEADLINE_EXCEEDED
        with anyio.move_on_after(0.1) as scope:
            await transport.unary("/test.Peer/Wait", b"")
        assert scope.cancelled_caught
        assert await transport.unary("/test.Peer/Unary", b"on", timeout_s=20) == b"on"


# 22 of docs/decisions/own-grpc-codec.md: servers that die, go silent, or never were servers.


@contextlib.contextmanager
def scripted(*scripts: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does one script per connection, in order, and then listens no more."""

    def run() -> None:
        with contextlib.suppress(OSError), listener:
            for script in scripts:
                peer, _ = listener.accept()
                with peer, contextlib.suppress(OSError):
                    peer.settimeout(20)
                    script(peer)

    listener = socket.create_server(("127.0.0.1", 0))
    target = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=run)
    thread.start()
    yield target
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread if it waits for a client still
    thread.join(20)
    assert not thread.is_alive()


def read_on(peer: socket.socket) -> None:
    while peer.recv(65_536):
        pass


def silent(peer: socket.socket) -> None:
    peer.sendall(frames.settings(()) + frames.SETTINGS_ACK)
    read_on(peer)


def mute(peer: socket.socket) -> None:
    read_on(peer)


def drops(peer: socket.socket) -> None:
    peer.sendall(frames.settings(()))
    peer.recv(100)


def junk(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    read_on(peer)


def goes_away(peer: socket.socket) -> None:
    peer.sendall(frames.settings(()) + frames.goaway(0, 0))
    read_on(peer)


@pytest.mark.parametrize("script", [silent, mute, drops, junk])
async def test_a_server_that_does_not_answer_fails_the_call(script: Callable[[socket.socket], None]) -> None:
    with scripted(script) as target, anyio.fail_after(15):
        async with Transport(target, limits=QUICK) as transport:
            with pytest.raises(RpcError) as caught:
                await transport.unary("/test.Echo/Unary", b"")
    assert caught.value.code == Code.UNAVAILABLE


async def test_a_server_that_only_ever_goes_away_is_given_up() -> None:
    with scripted(goes_away, goes_away, goes_away) as target, anyio.fail_after(15):
        async with Transport(target) as transport:
            with pytest.raises(RpcError) as caught:
                await transport.unary("/test.Echo/Unary", b"")
    assert caught.value.code == Code.UNAVAILABLE


async def test_a_call_that_a_leaving_server_did_not_take_is_made_again_elsewhere() -> None:
    async def first_leaves() -> anyio.abc.ByteStream:
        target = targets.pop(0)
        host, _, port = target.removeprefix("http://").partition(":")
        return await anyio.connect_tcp(host, int(port))

    with scripted(goes_away) as leaving, running_server() as staying:
        targets = [leaving, staying.address]
        async with Transport(first_leaves) as transport:
            assert await transport.unary("/test.Echo/Unary", b"moved", timeout_s=15) == b"moved"
        assert targets == []


async def test_draining_moves_new_calls_to_a_new_connection_and_lets_old_ones_finish() -> None:
    def who(name: bytes) -> Method:
        return Method("/test.Echo/Who", lambda call, _: call.respond(name), "unary")

    async def connect() -> anyio.abc.ByteStream:
        return await anyio.connect_tcp("127.0.0.1", servers[0].port)

    with running_server(extra=[who(b"old")]) as old, running_server(extra=[who(b"new")]) as new:
        servers = [old]
        async with Transport(connect) as transport:
            stream = await transport.open_stream("/test.Echo/Bidi")
            stream.send(b"one")
            assert await stream.receive() == [b"one"]
            servers[0] = new
            old.drain(10)
            with anyio.fail_after(10):
                while await transport.unary("/test.Echo/Who", b"") != b"new":
                    await anyio.lowlevel.checkpoint()
            stream.send(b"two")
            stream.half_close()
            assert await stream.receive() == [b"two"]
            assert await stream.receive() == []


async def test_the_room_that_a_server_leaves_is_shared_by_waiting() -> None:
    with running_server(limits=TransportLimits(streams=3)) as server:
        async with Transport(f"http://{server.address}") as transport:
            assert await transport.unary("/test.Echo/Unary", b"") == b""
            done = []

            async def call(number: int) -> None:
                done.append(await transport.unary("/test.Echo/Unary", b"%d" % number, timeout_s=20))

            async with anyio.create_task_group() as group:
                for number in range(200):
                    group.start_soon(call, number)
            assert sorted(done) == sorted(b"%d" % number for number in range(200))


async def test_calls_that_wait_for_long_keep_no_others_from_being_made() -> None:
    with running_server(limits=TransportLimits(streams=100)) as server:
        async with Transport(f"http://{server.address}") as transport, anyio.create_task_group() as group:
            for _ in range(250):
                group.start_soon(transport.unary, "/test.Echo/Hold", b"")
            while server.seen.count("hold", "started") < 250:
                assert await transport.unary("/test.Echo/Unary", b"room", timeout_s=5) == b"room"
            group.cancel_scope.cancel()


async def test_a_deadline_holds_while_waiting_for_room() -> None:
    with running_server(limits=TransportLimits(streams=1)) as server:
        async with Transport(f"http://{server.address}") as transport:
            assert await transport.unary("/test.Echo/Unary", b"") == b""
            async with await transport.open_stream("/test.Echo/Bidi"):
                with pytest.raises(RpcError) as caught:
                    await transport.unary("/test.Echo/Unary", b"", timeout_s=0.1)
                assert caught.value.code == Code.DEADLINE_EXCEEDED
            assert await transport.unary("/test.Echo/Unary", b"room", timeout_s=20) == b"room"


async def test_a_connected_socket_will_do(tmp_path: object) -> None:
    with running_server() as server:

        async def connect() -> socket.socket:
            sock = socket.create_connection(("127.0.0.1", server.port))
            sock.setblocking(False)
            return sock

        async with Transport(connect) as transport:
            assert await transport.unary("/test.Echo/Unary", b"x" * 3_000_000, timeout_s=20) == b"x" * 3_000_000


class Watched(socket.socket):
    """Remembers which task sends how much, and may be broken for who sends."""

    def __init__(self, *args: int) -> None:
        super().__init__(*args)
        self.sent: list[tuple[int, int]] = []
        self.is_broken = False

    def send(self, data: object, *args: int) -> int:
        if self.is_broken:
            raise BrokenPipeError("broken")
        size = super().send(data, *args)  # type: ignore[arg-type]
        self.sent.append((anyio.get_current_task().id, size))
        return size


@contextlib.asynccontextmanager
async def watched(port: int) -> AsyncIterator[tuple[Transport, Watched]]:
    sock = Watched()
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)

    async def connect() -> socket.socket:
        return sock

    async with Transport(connect) as transport:
        yield transport, sock


async def test_who_calls_alone_writes_at_once_and_what_the_socket_does_not_take_follows() -> None:
    own, large = anyio.get_current_task().id, b"x" * 3_900_000
    with running_server() as server:
        async with watched(server.port) as (transport, sock):
            for number in range(7):
                assert await transport.unary("/test.Echo/Unary", b"%d" % number) == b"%d" % number
            assert own not in {task for task, _ in sock.sent}
            sock.sent.clear()
            assert await transport.unary("/test.Echo/Unary", b"now") == b"now"
            assert sock.sent[0][0] == own
            assert await transport.unary("/test.Echo/Unary", large, timeout_s=20) == large
            assert await transport.unary("/test.Echo/Unary", b"after") == b"after"


async def test_a_crowd_behind_who_calls_alone_is_not_left_behind() -> None:
    answers: list[bytes] = []

    async def ask(transport: Transport, message: bytes) -> None:
        answers.append(await transport.unary("/test.Echo/Unary", message, timeout_s=20))

    large = b"x" * 3_900_000
    with running_server() as server:
        async with Transport(f"http://{server.address}") as transport:
            for message in (b"small", large):
                for _ in range(8):
                    await ask(transport, b"")
                answers.clear()
                async with anyio.create_task_group() as group:
                    for _ in range(5):
                        group.start_soon(ask, transport, message)
                assert answers == [message] * 5


async def test_a_socket_that_breaks_under_who_calls_alone_is_told_as_any_other() -> None:
    with running_server() as server:
        async with watched(server.port) as (transport, sock):
            for _ in range(10):
                await transport.unary("/test.Echo/Unary", b"")
            sock.is_broken = True
            with pytest.raises(RpcError) as caught:
                await transport.unary("/test.Echo/Unary", b"", timeout_s=20)
            assert caught.value.code == Code.UNAVAILABLE


@pytest.mark.parametrize(
    "target",
    [
        "localhost:7233",
        "ftp://x",
        "http://",
        "unix:",
        "unix://relative/path",
        "http://h:x",
        "http://h:0",
        "http://h:99999",
        "http://[x",
        "http://a..b",
    ],
)
async def test_what_is_no_target_is_refused_at_once(target: str) -> None:
    with pytest.raises(InvalidArgument, match="is no address of a server: write http://host:port"):
        Transport(target)


async def test_an_error_in_the_block_comes_out_as_it_is() -> None:
    with running_server() as server, pytest.raises(KeyError, match="mine"):
        async with Transport(f"http://{server.address}") as transport:
            await transport.unary("/test.Echo/Unary", b"")
            raise KeyError("mine")


async def test_a_closed_transport_says_so() -> None:
    async with Transport("http://127.0.0.1:1") as transport:
        pass
    with pytest.raises(RpcError, match="closed"):
        await transport.unary("/test.Echo/Unary", b"")


async def test_metadata_that_cannot_be_sent_is_refused_by_name() -> None:
    with running_server() as server:
        async with Transport(f"http://{server.address}") as transport:
            with pytest.raises(ValueError, match="'Bad'"):
                await transport.unary("/test.Echo/Unary", b"", metadata=[("Bad", "1")])
            assert await transport.unary("/test.Echo/Unary", b"on") == b"on"
