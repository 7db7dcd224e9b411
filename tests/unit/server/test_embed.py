import socket
import threading
from pathlib import Path

import pytest

from aether.errors import AetherError, ServerFault
from aether.server import embed
from aether.server.embed import EmbeddedServer
from aether.store.interface import StoreLocked
from aether.store.memory import MemoryStore

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def greets(sock: socket.socket) -> bool:
    """Whether an HTTP/2 server is at the other end: its first frame is SETTINGS."""
    sock.settimeout(10)
    sock.sendall(PREFACE)
    return sock.recv(9)[3:4] == b"\x04"


@pytest.mark.parametrize("location", ["memory", "file"])
def test_every_connection_reaches_the_same_server(tmp_path: Path, location: str) -> None:
    where = (str(tmp_path / "a.db"), "snapshot") if location == "file" else ("memory", "memory")
    server = EmbeddedServer(*where)
    server.start()
    try:
        for _ in range(3):
            with server.connect() as sock:
                assert greets(sock)
    finally:
        server.stop()
    server.stop()


def test_a_stopped_server_can_not_be_reached_and_may_be_started_again(tmp_path: Path) -> None:
    server = EmbeddedServer(str(tmp_path / "a.db"), "state-action-log")
    with pytest.raises(ServerFault, match="not running"):
        server.connect()
    for _ in range(2):
        server.start()
        with server.connect() as sock:
            assert greets(sock)
            server.stop()
            assert sock.recv(1_000_000) != b"", "it says goodbye"
        with pytest.raises(ServerFault, match="not running"):
            server.connect()


def test_a_database_in_use_is_an_error_of_the_caller(tmp_path: Path) -> None:
    first = EmbeddedServer(str(tmp_path / "a.db"), "state-action-log")
    first.start()
    try:
        second = EmbeddedServer(str(tmp_path / "a.db"), "state-action-log")
        with pytest.raises(StoreLocked):
            second.start()
        with pytest.raises(AetherError):
            second.connect()
    finally:
        first.stop()


class SlowToClose(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.is_closing = threading.Event()
        self.may_close = threading.Event()

    def close(self) -> None:
        self.is_closing.set()
        self.may_close.wait()
        super().close()


def test_who_connects_while_it_stops_is_turned_away_and_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store = SlowToClose()
    monkeypatch.setattr(embed, "open_store", lambda location: store)
    server = EmbeddedServer("memory", "memory")
    server.start()
    failures: list[BaseException] = []

    def stop() -> None:
        try:
            server.stop()
        except BaseException as failure:
            failures.append(failure)

    stopping = threading.Thread(target=stop)
    stopping.start()
    store.is_closing.wait()
    with server.connect() as sock:
        store.may_close.set()
        stopping.join()
        assert failures == []
        assert sock.recv(1) == b""
