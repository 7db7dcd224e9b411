"""Connections in memory behave as sockets do, and as the weather says."""

import anyio
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aether.testing.wires import Calm, ClientEnd, ServerEnd, Wire


def run(main):
    return trio.run(main, clock=MockClock(autojump_threshold=0))


def test_octets_arrive_in_order_and_the_end_behind_them():
    async def main():
        wire = Wire()
        client, server = ClientEnd(wire), ServerEnd(wire)
        await client.send(b"one")
        await client.send(b"two")
        await client.send_eof()
        assert [await server.read(), await server.read(), await server.read()] == [b"one", b"two", b""]
        assert server.write_now(b"back") == 4
        await server.end_writing()
        assert await client.receive() == b"back"
        with pytest.raises(anyio.EndOfStream):
            await client.receive()

    run(main)


def test_a_sender_waits_for_room():
    async def main():
        wire = Wire()
        client, server = ClientEnd(wire), ServerEnd(wire)
        size = 1_000_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, bytes(size))
            await wait_all_tasks_blocked()
            received = 0
            while received < size:
                received += len(await server.read())
        assert received == size

    run(main)


@pytest.mark.parametrize("end", ["client", "server"])
def test_who_closes_is_not_written_to_any_more(end):
    async def main():
        wire = Wire()
        client, server = ClientEnd(wire), ServerEnd(wire)
        if end == "client":
            await client.aclose()
            assert await server.read() == b""
            with pytest.raises(ConnectionResetError):
                server.write_now(b"x")
        else:
            await server.write(b"last words")
            await server.close()
            assert await client.receive() == b"last words"
            with pytest.raises(anyio.EndOfStream):
                await client.receive()
            with pytest.raises(ConnectionResetError):
                await client.send(b"x")

    run(main)


def test_a_cut_loses_what_is_under_way_and_wakes_both_sides():
    async def main():
        wire = Wire()
        client, server = ClientEnd(wire), ServerEnd(wire)
        await client.send(b"lost")

        async def read(receive):
            with pytest.raises(ConnectionResetError):
                await receive()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, client.receive)
            await wait_all_tasks_blocked()
            wire.cut()
        await read(server.read)

    run(main)


def test_a_held_wire_delivers_later_and_loses_nothing():
    async def main():
        wire = Wire()
        wire.hold(trio.current_time() + 20)
        started = trio.current_time()
        await ClientEnd(wire).send(b"late")
        assert await ServerEnd(wire).read() == b"late"
        assert trio.current_time() - started == pytest.approx(20)

    run(main)


class Slow(Calm):
    delays = (5.0, 1.0)

    def __init__(self):
        self._delays = iter(self.delays)

    def delay_s(self):
        return next(self._delays)

    def piece(self, size):
        return 1


def test_what_is_sent_later_does_not_overtake_and_may_come_in_pieces():
    async def main():
        wire = Wire(Slow())
        started = trio.current_time()
        await ClientEnd(wire).send(b"ab")
        await ClientEnd(wire).send(b"c")
        server = ServerEnd(wire)
        assert [await server.read() for _ in range(3)] == [b"a", b"b", b"c"]
        assert trio.current_time() - started == pytest.approx(5)

    run(main)
