"""One client's connection as tasks: what it costs, when it ends, and that silence is noticed. On a clock of its own."""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from aether.server.connection import Call, Connection, Method, current_burst, serve_stream
from aether.wire import frames
from aether.wire.client import ClientLink
from aether.wire.limits import TransportLimits
from aether.wire.status import Code


class Client:
    """Our protocol over a Trio stream, without any timer of its own."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.link = ClientLink(TransportLimits(), trio.current_time(), authority="a", scheme="http")
        self.reads: list[bytes] = []

    async def flush(self) -> None:
        while data := self.link.pull():
            await self.stream.send_all(data)

    async def read(self) -> bytes:
        data = bytes(await self.stream.receive_some(65_536))
        self.reads.append(data)
        self.link.feed(data, trio.current_time())
        return data

    async def until_ended(self, call) -> None:
        await self.flush()
        while call.status is None:
            assert await self.read(), "the server has closed the connection"
            await self.flush()

    async def until_closed(self) -> None:
        while await self.read():
            pass

    async def unary(self, path: str, content: bytes = b"", timeout_s: float | None = None):
        call = self.link.open(path, timeout_s=timeout_s)
        call.send(content)
        call.half_close()
        await self.until_ended(call)
        return call


def boom(call: Call, request: bytes) -> None:
    raise ZeroDivisionError


class Calls:
    """Methods that keep what they are given."""

    def __init__(self) -> None:
        self.kept: list[Call] = []
        self.closed: list[tuple[str, float]] = []

    def keep(self, call: Call, _: bytes = b"") -> None:
        self.kept.append(call)
        call.on_closed = lambda reason: self.closed.append((reason, trio.current_time()))

    def methods(self) -> dict[str, Method]:
        every = [
            Method("/t.S/Echo", lambda call, request: call.respond(request), "unary"),
            Method("/t.S/Hold", self.keep, "unary"),
            Method("/t.S/Stream", self.keep, "stream"),
            Method("/t.S/Boom", boom, "unary"),
        ]
        return {each.path: each for each in every}


@contextlib.asynccontextmanager
async def connected(calls: Calls, limits: TransportLimits | None = None) -> AsyncIterator[Client]:
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, far, calls.methods(), limits)
        client = Client(near)
        await client.flush()
        await client.read()
        yield client
        nursery.cancel_scope.cancel()


def run(main, *args, autojump=True):
    clock = trio.testing.MockClock(autojump_threshold=0 if autojump else math.inf)
    trio.run(main, *args, clock=clock)


def test_a_call_is_answered_over_any_stream():
    async def main() -> None:
        async with connected(Calls()) as client:
            call = await client.unary("/t.S/Echo", b"hello")
            assert call.take() == [b"hello"]

    run(main)


def test_a_call_is_answered_over_a_plain_socket():
    async def main() -> None:
        near, far = socket.socketpair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, far, Calls().methods())
            client = Client(trio.SocketStream(trio.socket.from_stdlib_socket(near)))
            call = await client.unary("/t.S/Echo", b"x" * 3_000_000)
            assert call.take() == [b"x" * 3_000_000]
            await client.stream.aclose()

    trio.run(main)


def test_calls_are_no_tasks_and_idle_connections_have_no_timer():
    async def main() -> None:
        calls = Calls()
        async with connected(calls) as client:
            await client.unary("/t.S/Echo")
            before = trio.lowlevel.current_statistics().tasks_living
            for _ in range(90):
                client.link.open("/t.S/Stream")
            await client.flush()
            await trio.testing.wait_all_tasks_blocked()
            assert len(calls.kept) == 90
            assert trio.lowlevel.current_statistics().tasks_living == before
            for call in calls.kept:
                call.finish()
            await trio.sleep(60)  # virtual: what was armed for them goes off once, and is not armed again
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().seconds_to_next_deadline == math.inf

    run(main)


def test_what_is_sent_in_one_pass_leaves_in_one_write():
    async def main() -> None:
        calls = Calls()
        async with connected(calls) as client:
            opened = [client.link.open("/t.S/Stream") for _ in range(20)]
            await client.flush()
            await trio.testing.wait_all_tasks_blocked()
            client.reads.clear()

            async def answer(call: Call) -> None:
                call.send(b"a")
                call.respond(b"b")

            async with trio.open_nursery() as nursery:
                for call in calls.kept:
                    nursery.start_soon(answer, call)
            await client.until_ended(opened[-1])
            assert len(client.reads) == 1
            assert all(call.take() == [b"a", b"b"] for call in opened)

    run(main)


def test_a_deadline_falls_when_it_is_due():
    async def main() -> None:
        calls = Calls()
        async with connected(calls) as client:
            started = trio.current_time()
            call = await client.unary("/t.S/Hold", timeout_s=7.0)
            assert trio.current_time() == pytest.approx(started + 7.0, abs=0.01)
            assert call.status.code == Code.DEADLINE_EXCEEDED
            assert [reason for reason, _ in calls.closed] == ["deadline"]

    run(main)


def test_an_earlier_deadline_overtakes_a_later_one():
    async def main() -> None:
        calls = Calls()
        async with connected(calls) as client:
            started = trio.current_time()
            late = client.link.open("/t.S/Stream", timeout_s=20.0)
            await client.flush()
            await trio.testing.wait_all_tasks_blocked()
            soon = client.link.open("/t.S/Stream", timeout_s=2.0)
            await client.until_ended(soon)
            assert trio.current_time() == pytest.approx(started + 2.0, abs=0.01)
            await client.until_ended(late)
            assert trio.current_time() == pytest.approx(started + 20.0, abs=0.01)

    run(main)


def test_a_silent_client_with_an_open_call_is_given_up_after_forty_seconds():
    async def main() -> None:
        calls = Calls()
        async with connected(calls) as client:
            client.link.open("/t.S/Stream")
            await client.flush()
            started = trio.current_time()
            await client.until_closed()
            ((reason, at),) = calls.closed
            assert reason == "lost"
            assert at == pytest.approx(started + 40, abs=0.01)
            assert b"aethkeep" in b"".join(client.reads)

    run(main)


def test_a_client_that_never_says_hello_is_turned_away_after_ten_seconds():
    async def main() -> None:
        near, far = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, far, {})
            client = Client(near)
            started = trio.current_time()
            await client.until_closed()
            assert trio.current_time() == pytest.approx(started + 10, abs=0.01)
            await near.aclose()

    run(main)


def test_a_client_that_leaves_ends_its_calls_and_the_connection():
    async def main() -> None:
        calls = Calls()
        near, far = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, far, calls.methods())
            client = Client(near)
            client.link.open("/t.S/Stream")
            await client.flush()
            await trio.testing.wait_all_tasks_blocked()
            await near.aclose()
        assert [reason for reason, _ in calls.closed] == ["lost"]

    run(main)


def test_a_client_that_breaks_the_rules_hears_why_and_is_left():
    async def main() -> None:
        near, far = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, far, {})
            await near.send_all(b"GET / HTTP/1.1\r\n\r\n")
            got = b""
            while data := await near.receive_some():
                got += bytes(data)
            assert b"not HTTP/2" in got
            await near.send_all(b"more of it")
            started = trio.current_time()
        assert trio.current_time() == started + 1.0  # the moment that it may take to read

    run(main)


def test_a_client_that_provokes_replies_and_reads_none_is_held_back_and_then_left():
    class Unread(trio.abc.Stream):
        """A client that sends pings for ever and takes no octet."""

        def __init__(self) -> None:
            self.pings = 0
            self.is_closed = False

        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            await trio.lowlevel.checkpoint()
            self.pings += 1_000
            return (frames.PREFACE + frames.settings(())) * (self.pings == 1_000) + frames.ping(b"12345678") * 1_000

        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            await trio.sleep_forever()

        async def wait_send_all_might_not_block(self) -> None:
            await trio.sleep_forever()

        async def aclose(self) -> None:
            self.is_closed = True

    async def main() -> None:
        stream, limits = Unread(), TransportLimits(control_bytes=100_000, pings=10**9)
        started = trio.current_time()
        await serve_stream(stream, {}, limits)
        assert trio.current_time() == pytest.approx(started + limits.write_s, abs=0.01)
        assert stream.pings * len(frames.ping(b"12345678")) < 200_000
        assert stream.is_closed

    run(main)


def test_a_handlers_failure_is_logged_and_the_connection_lives_on(caplog):
    async def main() -> None:
        async with connected(Calls()) as client:
            with caplog.at_level("INFO", "aether.transport"):
                call = await client.unary("/t.S/Boom")
            (record,) = caplog.records
            request_id = record.fields["request_id"]
            told = f"internal error; the server's log tells more of request {request_id}"
            assert (call.status.code, call.status.message) == (Code.UNKNOWN, told)
            assert record.message == "handler_failed"
            assert (record.fields["path"], record.fields["peer"]) == ("/t.S/Boom", "embedded")
            assert isinstance(record.exc_info[1], ZeroDivisionError)
            assert (await client.unary("/t.S/Echo", b"on")).take() == [b"on"]

    run(main)


def test_stopping_the_server_ends_calls_at_once():
    async def main() -> None:
        calls = Calls()
        async with connected(calls) as client:
            client.link.open("/t.S/Stream")
            await client.flush()
            await trio.testing.wait_all_tasks_blocked()
        assert [reason for reason, _ in calls.closed] == ["lost"]

    run(main)


class NarrowPipe:
    """Takes so many octets at once; the rest only when it is waited for."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.now: list[bytes] = []
        self.later: list[bytes] = []
        self.fault: Exception | None = None
        self.is_closed = False

    async def read(self) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    def write_now(self, data: bytes) -> int:
        if self.fault is not None:
            raise self.fault
        self.now.append(bytes(data[: self.room]))
        return len(self.now[-1])

    async def write(self, data: bytes | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self.later.append(bytes(data))

    async def end_writing(self) -> None: ...

    async def close(self) -> None:
        self.is_closed = True


@contextlib.asynccontextmanager
async def at_rest(pipe: NarrowPipe) -> AsyncIterator[Connection]:
    """A connection that has greeted and has nothing to write."""
    connection = Connection(pipe, {}, TransportLimits(), "peer")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        await trio.testing.wait_all_tasks_blocked()
        pipe.now.clear()
        pipe.later.clear()
        yield connection
        nursery.cancel_scope.cancel()


def test_what_is_said_in_a_burst_is_written_at_its_end_in_the_same_pass():
    async def main() -> None:
        pipe = NarrowPipe(1_000)
        async with at_rest(pipe) as connection:
            with current_burst():
                connection._link.write(b"one")
                connection._link.write(b"two")
                assert pipe.now == []
            assert pipe.now == [b"onetwo"]
            await trio.testing.wait_all_tasks_blocked()
            assert (pipe.now, pipe.later) == ([b"onetwo"], [])

    trio.run(main)


def test_a_fault_within_a_burst_holds_nobody_back():
    async def main() -> None:
        pipe = NarrowPipe(1_000)
        async with at_rest(pipe) as connection:
            with pytest.raises(ZeroDivisionError), current_burst():
                connection._link.write(b"one")
                raise ZeroDivisionError
            assert pipe.now == [b"one"]
            connection._link.write(b"two")
            await trio.testing.wait_all_tasks_blocked()
            assert pipe.now == [b"one", b"two"]

    trio.run(main)


def test_outside_of_a_burst_the_writer_writes():
    async def main() -> None:
        pipe = NarrowPipe(1_000)
        async with at_rest(pipe) as connection:
            connection._link.write(b"one")
            assert pipe.now == []
            await trio.testing.wait_all_tasks_blocked()
            assert pipe.now == [b"one"]

    trio.run(main)


def test_what_the_socket_does_not_take_in_a_burst_goes_out_before_anything_else():
    async def main() -> None:
        pipe = NarrowPipe(2)
        async with at_rest(pipe) as connection:
            with current_burst():
                connection._link.write(b"first")
            with current_burst():
                connection._link.write(b"second")
            await trio.testing.wait_all_tasks_blocked()
            assert (pipe.now, pipe.later) == ([b"fi", b"se"], [b"rst", b"cond"])

    trio.run(main)


def test_a_socket_that_is_gone_ends_its_connection_and_not_the_burst():
    async def main() -> None:
        gone, sound = NarrowPipe(1_000), NarrowPipe(1_000)
        async with at_rest(gone) as first, at_rest(sound) as second:
            gone.fault = BrokenPipeError()
            with current_burst():
                first._link.write(b"one")
                second._link.write(b"two")
            await trio.testing.wait_all_tasks_blocked()
            assert gone.is_closed
            assert (sound.now, sound.is_closed) == ([b"two"], False)

    trio.run(main)


def test_a_connection_that_is_over_after_a_burst_ends():
    async def main() -> None:
        pipe = NarrowPipe(1_000)
        async with at_rest(pipe) as connection:
            with current_burst():
                connection.drain()
            await trio.testing.wait_all_tasks_blocked()
            assert len(pipe.now) == 1
            assert connection._scope.deadline < math.inf

    trio.run(main)
