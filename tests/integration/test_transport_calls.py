"""Our client against our server over a real socket, under Trio and under asyncio."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest

from aether.sdk.transport import Transport
from aether.wire.status import Code, RpcError
from tests.conformance.wire_server import RunningServer, running_server

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


async def test_a_unary_call_gets_its_answer(server: RunningServer) -> None:
    async with Transport(f"http://{server.address}") as transport:
        assert await transport.unary("/test.Echo/Unary", b"hello") == b"hello"
        assert await transport.unary("/test.Echo/Unary", b"") == b""


async def test_a_status_comes_with_code_message_and_details(server: RunningServer) -> None:
    async with Transport(f"http://{server.address}") as transport:
        with pytest.raises(RpcError) as caught:
            await transport.unary("/test.Echo/Status", "nöt % yet\n".encode())
    assert caught.value.code == Code.FAILED_PRECONDITION
    assert caught.value.message == "nöt % yet\n"
    assert caught.value.details == b"\x08\x09details"


async def test_an_unknown_method_is_unimplemented(server: RunningServer) -> None:
    async with Transport(f"http://{server.address}") as transport:
        with pytest.raises(RpcError) as caught:
            await transport.unary("/test.Echo/Nothing", b"")
    assert caught.value.code == Code.UNIMPLEMENTED


async def test_a_thousand_messages_come_back_in_order(server: RunningServer) -> None:
    sent = [b"%d" % number * (number % 50) for number in range(1000)]
    async with Transport(f"http://{server.address}") as transport:
        stream = await transport.open_stream("/test.Echo/Bidi")
        for message in sent:
            stream.send(message)
        stream.half_close()
        got: list[bytes] = []
        while messages := await stream.receive():
            got += messages
    assert got == sent


async def test_many_calls_share_one_connection(server: RunningServer) -> None:
    answers: dict[int, bytes] = {}

    async def call(number: int) -> None:
        answers[number] = await transport.unary("/test.Echo/Unary", b"%d" % number, timeout_s=20)

    async with Transport(f"http://{server.address}") as transport, anyio.create_task_group() as group:
        for number in range(1500):
            group.start_soon(call, number)
    assert answers == {number: b"%d" % number for number in range(1500)}


async def test_a_message_larger_than_every_window_passes_both_ways(server: RunningServer) -> None:
    message = bytes(range(256)) * 16_000
    async with Transport(f"http://{server.address}") as transport:
        assert await transport.unary("/test.Echo/Unary", message, timeout_s=20) == message


async def test_metadata_travels_both_ways(server: RunningServer) -> None:
    metadata: list[tuple[str, str | bytes]] = [
        ("x-text", "a value"),
        ("x-raw-bin", b"\x00\x01"),
        ("x-text", "another"),
    ]
    async with Transport(f"http://{server.address}") as transport:
        answer = await transport.unary("/test.Echo/Metadata", b"", metadata=metadata)
    assert answer.decode().splitlines() == ["x-text='a value'", r"x-raw-bin=b'\x00\x01'", "x-text='another'"]


async def test_a_deadline_ends_the_call_on_both_sides(server: RunningServer) -> None:
    async with Transport(f"http://{server.address}") as transport:
        before = server.seen.count("hold", "deadline") + server.seen.count("hold", "reset")
        with pytest.raises(RpcError) as caught:
            await transport.unary("/test.Echo/Hold", b"", timeout_s=0.05)
        assert caught.value.code == Code.DEADLINE_EXCEEDED
        assert await transport.unary("/test.Echo/Unary", b"still here") == b"still here"
        assert server.seen.count("hold", "deadline") + server.seen.count("hold", "reset") == before + 1


async def test_cancelling_a_call_resets_its_stream(server: RunningServer) -> None:
    async with Transport(f"http://{server.address}") as transport:
        before = server.seen.count("hold", "reset")

        async def hold() -> None:
            await transport.unary("/test.Echo/Hold", b"")

        async with anyio.create_task_group() as group:
            started = server.seen.count("hold", "started")
            group.start_soon(hold)
            await anyio.to_thread.run_sync(server.seen.wait, "hold", "started", started + 1)
            group.cancel_scope.cancel()
        assert await transport.unary("/test.Echo/Unary", b"after it") == b"after it"
        assert server.seen.count("hold", "reset") == before + 1


async def test_nobody_listening_is_unavailable_at_once(server: RunningServer) -> None:
    with running_server() as other:
        address = other.address
    async with Transport(f"http://{address}") as transport:
        with pytest.raises(RpcError) as caught:
            await transport.unary("/test.Echo/Unary", b"")
    assert caught.value.code == Code.UNAVAILABLE
    assert address in caught.value.message


async def test_losing_the_server_fails_open_calls_at_once_and_the_next_call_reconnects() -> None:
    from aether.server.listener import bind_tcp

    with running_server() as first:
        port = first.port
        async with Transport(f"http://{first.address}") as transport:
            stream = await transport.open_stream("/test.Echo/Bidi")
            stream.send(b"one")
            assert await stream.receive() == [b"one"]
            first.drain(0.0)
            with pytest.raises(RpcError) as caught:
                await stream.receive()
            assert caught.value.code == Code.UNAVAILABLE
            await anyio.to_thread.run_sync(first.join)
            with running_server(listeners=[bind_tcp("127.0.0.1", port)]):
                assert await transport.unary("/test.Echo/Unary", b"again", timeout_s=20) == b"again"


async def test_a_handed_over_stream_takes_and_gives_without_a_task(server: RunningServer) -> None:
    async with Transport(f"http://{server.address}") as transport:
        stream = await transport.open_stream("/test.Echo/Bidi")
        waiting, got = [b"one", b"two"], []

        def take(message: bytes) -> None:
            got.append(message)
            if len(got) == 2:
                waiting.append(b"three")
                stream.ask()
            elif len(got) == 3:
                stream.half_close()

        def give() -> None:
            while waiting:
                stream.send(waiting.pop(0))

        stream.hand_over(take, give)
        stream.ask()
        stream.ask()
        assert await stream.receive() == []
    assert got == [b"one", b"two", b"three"]


async def test_a_handed_over_stream_gives_no_more_than_the_server_takes(server: RunningServer) -> None:
    async with Transport(f"http://{server.address}") as transport:
        stream = await transport.open_stream("/test.Echo/Bidi")
        counts = {"given": 0, "taken": 0, "most": 0}

        def take(message: bytes) -> None:
            counts["taken"] += len(message)
            if counts["taken"] == 10_000_000:
                stream.half_close()

        def give() -> None:
            size = min(500_000, 10_000_000 - counts["given"])
            if size:
                stream.send(b"x" * size)
                counts["given"] += size
                counts["most"] = max(counts["most"], stream._call._queued)
                stream.ask()

        stream.hand_over(take, give)
        stream.ask()
        assert await stream.receive() == []
    assert counts["taken"] == 10_000_000
    assert counts["most"] < 3_000_000


@pytest.mark.parametrize("side", ["take", "give"])
async def test_a_fault_of_whom_a_stream_was_handed_to_ends_that_stream_only(server: RunningServer, side: str) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with Transport(f"http://{server.address}") as transport:
        stream = await transport.open_stream("/test.Echo/Bidi")
        if side == "take":
            stream.hand_over(fail, lambda: None)
            stream.send(b"one")
        else:
            stream.hand_over(lambda _: None, fail)
            stream.ask()
        with pytest.raises(ZeroDivisionError):
            await stream.receive()
        assert await transport.unary("/test.Echo/Unary", b"still there", timeout_s=20) == b"still there"
