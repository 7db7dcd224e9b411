"""What systemd is told."""

import socket

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aether.server.notify import Notifier


@pytest.fixture(params=["file", "abstract"])
def manager(request, tmp_path):
    """(its socket, how NOTIFY_SOCKET names it)."""
    path = str(tmp_path / "notify")
    name = f"\0{path}" if request.param == "abstract" else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
        sock.setblocking(False)
        yield sock, name.replace("\0", "@")


def heard(sock):
    messages = []
    while True:
        try:
            messages.append(sock.recv(1_000).decode().split("\n"))
        except BlockingIOError:
            return messages


def test_a_server_is_ready_and_stops(manager):
    sock, where = manager
    notifier = Notifier.of({"NOTIFY_SOCKET": where}, 1)
    notifier.ready()
    notifier.stopping()
    ready, stopping = heard(sock)
    assert "READY=1" in ready
    assert "STOPPING=1" in stopping


def test_signs_of_life_come_three_times_in_the_time_that_is_given(manager):
    sock, where = manager
    notifier = Notifier.of({"NOTIFY_SOCKET": where, "WATCHDOG_USEC": "6000000"}, 1)
    mock = MockClock()

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notifier.live)
            for _ in range(6):
                await wait_all_tasks_blocked()
                mock.jump(1)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=mock)
    assert heard(sock) == [["WATCHDOG=1"]] * 3


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": "/x"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "many"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "2"},
        {"WATCHDOG_USEC": "5"},
    ],
)
def test_nobody_waits_for_signs_of_life(environ):
    trio.run(Notifier.of(environ, 1).live)


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "@nobody", "/" + "x" * 500, "/a\0b"])
def test_whoever_does_not_listen_stops_nothing(address):
    Notifier(address, 1.0).ready()
