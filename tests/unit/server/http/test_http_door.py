"""The door of the HTTP ports when it is crowded."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from aether.server.http.door import HttpDoor
from aether.server.http.limits import HttpLimits
from aether.server.http.messages import Request, Response

ROOM = 3
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Crowd:
    """A door with little room. A request for /slow is answered when `go` is set."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.go = trio.Event()
        self.begun = trio.Event()

    async def handle(self, request: Request) -> Response:
        if request.path == "/slow":
            self.begun.set()
            self.begun = trio.Event()
            await self.go.wait()
        return Response(200, b"ok")

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def ask_slowly(self) -> trio.SocketStream:
        stream = await self.connect()
        begun = self.begun
        await stream.send_all(GET.replace(b"/", b"/slow", 1))
        await begun.wait()
        return stream

    async def ask(self, stream: trio.SocketStream) -> bytes:
        await stream.send_all(GET)
        return bytes(await stream.receive_some())


@asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        bound.setblocking(False)
        made = Crowd(bound.getsockname()[1])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(HttpDoor(made.handle, HttpLimits(connections=ROOM)).serve, bound)
            yield made
            nursery.cancel_scope.cancel()


def test_silent_connections_shut_nobody_out():
    async def main() -> None:
        async with crowd() as door:
            silent = [await door.connect() for _ in range(4 * ROOM)]
            asking = await door.connect()
            assert (await door.ask(asking)).startswith(b"HTTP/1.1 200 ")
            # The oldest gave way, and were told so.
            for stream in silent[: -ROOM + 1]:
                assert await stream.receive_some() == b""
            for stream in silent[-ROOM + 1 :]:
                assert (await door.ask(stream)).startswith(b"HTTP/1.1 200 ")
            for stream in (*silent, asking):
                await stream.aclose()

    trio.run(main)


def test_a_half_sent_request_gives_way_too_but_one_in_hand_does_not():
    async def main() -> None:
        async with crowd() as door:
            slow = await door.ask_slowly()
            half = await door.connect()
            await half.send_all(GET[:9])
            others = [await door.connect() for _ in range(ROOM)]
            assert await half.receive_some() == b""
            assert (await door.ask(others[-1])).startswith(b"HTTP/1.1 200 ")
            door.go.set()
            assert (await slow.receive_some()).startswith(b"HTTP/1.1 200 ")
            for stream in (slow, half, *others):
                await stream.aclose()

    trio.run(main)


def test_when_all_have_a_request_in_hand_the_new_one_is_closed():
    async def main() -> None:
        async with crowd() as door:
            slow = [await door.ask_slowly() for _ in range(ROOM)]
            late = await door.connect()
            assert await late.receive_some() == b""
            door.go.set()
            for stream in slow:
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 ")
                await stream.aclose()
            await late.aclose()

    trio.run(main)
