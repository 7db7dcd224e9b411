"""The windows of a server: what goes wrong in them ends nothing else."""

import http.client
import json
import socket
from pathlib import Path

import pytest
import trio

from aether.server.http.door import HttpDoor
from aether.server.serve import serve
from aether.server.settings import Settings
from tests.integration.peers import peer_of
from tests.processes import ROOT, Server


async def ask(where: str, path: str) -> tuple[int, bytes]:
    def get() -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(where, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    return await trio.to_thread.run_sync(get)


def test_a_crash_of_the_page_does_not_touch_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = HttpDoor.serve
    crashes: list[str] = []

    async def fragile(self, bound):
        if len(crashes) < 3:
            crashes.append("boom")
            raise RuntimeError("boom")
        await real(self, bound)

    monkeypatch.setattr(HttpDoor, "serve", fragile)

    async def main() -> None:
        opened: dict[str, str] = {}
        settings = Settings(grpc_port=0, db_path=tmp_path / "a.db", http_port=0, metrics_enabled=False)
        async with trio.open_nursery() as nursery:
            address = await nursery.start(lambda **kw: serve(settings, opened=opened.__setitem__, **kw))
            async with peer_of(address) as peer:
                run_id = (await peer.start("a")).run_id
                where = opened["web"].removeprefix("http://").strip("/")
                # The connection waits in the backlog until the window is open again.
                status, body = await ask(where, "/api/v1/workflows/a")
                assert (status, json.loads(body)["info"]["run_id"]) == (200, run_id)
                assert len(crashes) == 3
                assert (await peer.status("a")).info.run_id == run_id
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_server_without_windows_imports_nothing_for_them(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "atexit.register(lambda: print('modules', *(name for name in sys.modules if 'h11' in name)))\n"
    )
    with Server(tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}") as server:
        server.tell()
        code, said = server.finish()
    assert code == 0
    assert said.splitlines()[-1].strip() == "modules"


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_token_that_others_can_read_is_a_warning(tmp_path: Path, mode: int, told: bool) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    token.chmod(mode)
    with Server(tmp_path, "--web-token-file", str(token)) as server:
        server.tell()
        code, said = server.finish()
    assert (code, "token_readable" in said) == (0, told)


def test_who_does_not_know_the_token_is_refused_before_a_large_body_has_come(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef")
    (tmp_path / "token").chmod(0o600)
    with Server(
        tmp_path, "--http-port", "0", "--web-token-file", str(tmp_path / "token"), AETHER_WEB_ENABLED="true"
    ) as server:
        port = int(server.wait_for("web ").split()[1].strip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
            peer.sendall(b"POST /api/v1/workflows HTTP/1.1\r\nhost: localhost\r\ncontent-length: 8000000\r\n\r\n{")
            assert peer.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_page_is_served_where_the_server_says(tmp_path: Path) -> None:
    with Server(tmp_path, "--http-port", "0", AETHER_WEB_ENABLED="true") as server:
        where = server.wait_for("web ").split()[1].removeprefix("http://").strip("/")
        status, body = trio.run(ask, where, "/")
        assert (status, body[:15]) == (200, b"<!doctype html>")
        assert trio.run(ask, where, "/readyz")[0] == 200
