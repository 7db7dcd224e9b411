"""The door: binding, accepting, refusing and draining."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import Any

import pytest
import trio
import trio.testing

from aether.server.connection import Method
from aether.server.listener import BindError, Drain, Listener, bind_tcp, bind_unix, serve_connections, tune
from aether.wire.client import ClientLink
from aether.wire.limits import TransportLimits

ECHO = Method("/t.S/Echo", lambda call, request: call.respond(request), "unary")


def test_the_system_chooses_a_port_when_asked_to():
    listener = bind_tcp("127.0.0.1", 0)
    assert listener.port > 0
    assert listener.address == f"127.0.0.1:{listener.port}"
    listener.close()
    assert listener.port > 0


def test_an_ipv6_address_is_shown_in_brackets():
    listener = bind_tcp("::1", 0)
    assert listener.address == f"[::1]:{listener.port}"
    listener.close()


def test_a_port_in_use_is_an_error_that_says_what_to_do():
    first = bind_tcp("127.0.0.1", 0)
    with pytest.raises(BindError, match=rf"127.0.0.1:{first.port}: it is in use.*choose another"):
        bind_tcp("127.0.0.1", first.port)
    first.close()
    bind_tcp("127.0.0.1", first.port).close()


def test_an_unknown_host_is_an_error_that_names_it():
    with pytest.raises(BindError, match=r"no-such-host\.invalid:7233: unknown address"):
        bind_tcp("no-such-host.invalid", 7233)


def test_a_socket_file_that_nobody_listens_on_is_replaced(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    listener = bind_unix(path)
    assert (listener.address, listener.port) == (f"unix://{path}", 0)
    with pytest.raises(BindError, match="in use"):
        bind_unix(path)
    listener.close()
    assert not path.exists()
    listener.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(BindError, match="in use"):
        bind_unix(path)
    assert path.read_text() == "data"


def test_a_socket_in_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(BindError, match="No such file"):
        bind_unix(tmp_path / "none" / "s")


def test_a_socket_that_another_has_bound_since_is_not_removed(tmp_path):
    path = tmp_path / "s"
    first = bind_unix(path)
    path.unlink()
    second = bind_unix(path)
    first.close()
    assert path.exists()
    second.close()


def test_idle_clients_that_vanish_are_the_systems_to_notice():
    with socket.socket() as sock:
        tune(sock)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


class Client:
    """Our protocol over TCP."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.link = ClientLink(TransportLimits(), trio.current_time(), authority="a", scheme="http")

    async def step(self) -> bool:
        while data := self.link.pull():
            await self.stream.send_all(data)
        data = bytes(await self.stream.receive_some())
        self.link.feed(data, trio.current_time())
        return bool(data)

    async def echo(self, content: bytes) -> list[bytes]:
        call = self.link.open("/t.S/Echo")
        call.send(content)
        call.half_close()
        while call.status is None:
            assert await self.step()
        return call.take()


async def connect(port: int) -> Client:
    return Client(await trio.open_tcp_stream("127.0.0.1", port))


def test_clients_are_served_on_every_listener_until_drained(tmp_path):
    async def main() -> None:
        tcp, unix = bind_tcp("127.0.0.1", 0), bind_unix(tmp_path / "s")
        drain = Drain()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: serve_connections([tcp, unix], [ECHO], drain=drain))
            over_tcp = await connect(tcp.port)
            over_unix = Client(await trio.open_unix_socket(tmp_path / "s"))
            assert await over_tcp.echo(b"a") == [b"a"]
            assert await over_unix.echo(b"b") == [b"b"]
            drain.start(5)
            for client in (over_tcp, over_unix):
                while await client.step():
                    pass
                assert client.link.is_going_away
                await client.stream.aclose()
        assert drain.is_started
        with pytest.raises(OSError, match=r".*"):
            await connect(tcp.port)

    trio.run(main)


def test_open_calls_have_until_the_end_of_the_grace_and_a_second_order_cuts_it_short():
    async def main() -> None:
        closed: list[tuple[str, float]] = []

        def keep(call) -> None:
            call.on_closed = lambda reason: closed.append((reason, trio.current_time()))

        listener, drain = bind_tcp("127.0.0.1", 0), Drain()
        async with trio.open_nursery() as nursery:
            methods = [ECHO, Method("/t.S/Keep", keep, "stream")]
            nursery.start_soon(lambda: serve_connections([listener], methods, drain=drain))
            client = await connect(listener.port)
            client.link.open("/t.S/Keep")
            assert await client.echo(b"a") == [b"a"]
            started = trio.current_time()
            drain.start(1_000)
            drain.start(0.05)
            drain.start(1_000)
            while await client.step():
                pass
            await client.stream.aclose()
        ((reason, at),) = closed
        assert reason == "lost"
        assert at - started < 5

    trio.run(main)


def test_more_connections_than_allowed_are_closed_at_once(caplog):
    async def main() -> None:
        listener, drain = bind_tcp("127.0.0.1", 0), Drain()
        async with trio.open_nursery() as nursery:
            limits = TransportLimits(connections=1)
            nursery.start_soon(lambda: serve_connections([listener], [ECHO], limits, drain=drain))
            first = await connect(listener.port)
            assert await first.echo(b"a") == [b"a"]
            with caplog.at_level("INFO", "aether.transport"):
                second = await connect(listener.port)
                assert await second.stream.receive_some() == b""
            assert caplog.records[0].message == "connection_refused"
            assert await first.echo(b"b") == [b"b"]
            await second.stream.aclose()
            await first.stream.aclose()
            await trio.testing.wait_all_tasks_blocked(0.01)
            third = await connect(listener.port)
            assert await third.echo(b"c") == [b"c"]
            await third.stream.aclose()
            drain.start(0)

    trio.run(main)


def test_a_connection_that_fails_inside_is_logged_and_concerns_nobody_else(caplog):
    class Broken:
        """A table of methods that breaks the connection that looks into it."""

        path = "/t.S/Broken"
        kind = "unary"

        @property
        def handler(self) -> None:
            raise ZeroDivisionError

    async def main() -> None:
        listener, drain = bind_tcp("127.0.0.1", 0), Drain()
        async with trio.open_nursery() as nursery:
            methods: dict[str, Any] = {"/t.S/Echo": ECHO, "/t.S/Broken": Broken()}
            nursery.start_soon(lambda: serve_connections([listener], methods, drain=drain))
            broken, other = await connect(listener.port), await connect(listener.port)
            with caplog.at_level("INFO", "aether.transport"):
                call = broken.link.open("/t.S/Broken")
                call.send(b"")
                call.half_close()
                with contextlib.suppress(trio.BrokenResourceError):
                    while await broken.step():
                        pass
            assert caplog.records[0].message == "connection_failed"
            assert await other.echo(b"on") == [b"on"]
            await broken.stream.aclose()
            await other.stream.aclose()
            drain.start(0)

    trio.run(main)


def test_listeners_are_closed_when_serving_is_cancelled():
    async def main() -> None:
        listener = bind_tcp("127.0.0.1", 0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_connections, [listener], [ECHO])
            client = await connect(listener.port)
            assert await client.echo(b"a") == [b"a"]
            nursery.cancel_scope.cancel()
        assert listener.socket.fileno() == -1
        await client.stream.aclose()

    trio.run(main)


def test_a_port_that_is_bound_and_not_yet_served_keeps_its_clients_waiting():
    async def main() -> None:
        listener, drain = bind_tcp("127.0.0.1", 0), Drain()
        client = await connect(listener.port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: serve_connections([listener], [ECHO], drain=drain))
            assert await client.echo(b"early") == [b"early"]
            await client.stream.aclose()
            drain.start(0)

    trio.run(main)


class Unlucky(socket.socket):
    """Whose next connections have met with faults on their way."""

    def accept(self) -> tuple[socket.socket, Any]:
        if faults := self.faults:
            code = faults.pop()
            super().accept()[0].close()
            raise OSError(code, os.strerror(code))
        return super().accept()

    faults: list[int]


def test_what_befell_a_connection_on_its_way_does_not_end_the_server():
    async def main() -> None:
        sock = Unlucky(socket.AF_INET, socket.SOCK_STREAM)
        sock.faults = [errno.EHOSTUNREACH, errno.ENETDOWN, errno.ETIMEDOUT]
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        sock.setblocking(False)
        drain = Drain()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: serve_connections([Listener(sock, "here", None, None)], [ECHO], drain=drain))
            clients = [await connect(sock.getsockname()[1]) for _ in range(4)]
            assert await clients[3].echo(b"a") == [b"a"]
            assert sock.faults == []
            drain.start(0)
        for client in clients:
            await client.stream.aclose()

    trio.run(main)


def test_a_client_that_comes_while_draining_is_not_left_waiting():
    async def main() -> None:
        listener, drain = bind_tcp("127.0.0.1", 0), Drain()
        client = await connect(listener.port)
        drain.start(0.2)
        await serve_connections([listener], [ECHO], drain=drain)
        # Nobody accepted it, so it goes with the listener.
        with pytest.raises((trio.BrokenResourceError, AssertionError)):
            await client.echo(b"late")
        await client.stream.aclose()

    trio.run(main)
