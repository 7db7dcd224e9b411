"""Windows that fail, and ports that are taken."""

import socket
from itertools import pairwise

import pytest
import trio
import trio.testing

from aether.server.listener import BindError
from aether.server.settings import Settings
from aether.server.windows import bind_windows, close_windows, keep_open


@pytest.fixture
def taken():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def test_a_default_port_that_is_taken_is_a_warning(taken, caplog):
    caplog.set_level("INFO", "aether.server")
    assert bind_windows(Settings(metrics_port=taken, web_enabled=False)) == []
    assert "window_closed" in caplog.text


def test_a_port_that_somebody_asked_for_and_that_is_taken_is_an_error(taken):
    with pytest.raises(BindError, match="in use"):
        bind_windows(Settings(metrics_port=taken, web_enabled=False, given={"metrics_port": "--metrics-port"}))


def test_a_window_says_where_it_is():
    windows = bind_windows(Settings(metrics_port=0, web_enabled=False))
    assert [(window.name, window.url) for window in windows] == [
        ("metrics", f"http://127.0.0.1:{windows[0].listener.port}/metrics")
    ]
    close_windows(windows)
    assert bind_windows(Settings(metrics_enabled=False, web_enabled=False)) == []


def test_a_window_that_fails_is_opened_again_after_pauses_that_grow(caplog):
    caplog.set_level("INFO", "aether.server")
    opened: list[float] = []

    async def serve() -> None:
        opened.append(trio.current_time())
        raise RuntimeError("boom")

    async def main() -> None:
        with trio.move_on_after(20):
            await keep_open("web", serve)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    pauses = [later - earlier for earlier, later in pairwise(opened)]
    assert len(pauses) >= 6
    assert pauses == sorted(pauses)
    assert "window_failed" in caplog.text


def test_a_window_that_held_for_long_is_opened_again_soon():
    opened: list[float] = []

    async def serve() -> None:
        opened.append(trio.current_time())
        if len(opened) % 4 == 0:
            await trio.sleep(100)
        raise RuntimeError("boom")

    async def main() -> None:
        with trio.move_on_after(500):
            await keep_open("web", serve)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert opened[4] - opened[3] == pytest.approx(100.1)


def test_a_window_that_is_cancelled_with_its_failing_parts_ends():
    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise RuntimeError("while ending")

    async def main() -> None:
        with trio.move_on_after(1) as scope:
            await keep_open("web", serve)
        assert scope.cancelled_caught

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
