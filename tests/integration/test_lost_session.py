"""A worker whose session is taken away changes nothing any more: no clean-up that nobody asked for, and no hanging."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

import aether
from aether.server.settings import Persistence
from tests.integration.peers import ServerProcess

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90), pytest.mark.parametrize("anyio_backend", ["trio"])]

SCRIPT = Path(__file__).with_name("lost_session.py")
CASES = (("sleep", "trio"), ("activity", "trio"), ("child", "trio"), ("step", "trio"), ("activity", "asyncio"))


class Place:
    def __init__(self, folder: Path, loop: str) -> None:
        self.folder = folder
        self.loop = loop
        self.effects = folder / "effects"
        self.effects.touch()
        self.server = self.start_server(0)
        self.url = f"http://{self.server.address}"
        self.workers: list[subprocess.Popen[str]] = []

    def start_server(self, port: int) -> ServerProcess:
        return ServerProcess.start(self.folder / "aether.db", Persistence.STATE_ACTION_LOG, port, session_timeout_s=1.5)

    def start_worker(self) -> "subprocess.Popen[str]":
        command = [sys.executable, str(SCRIPT), self.url, str(self.effects), self.loop]
        environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        self.workers.append(worker)
        return worker

    def words(self) -> list[str]:
        return self.effects.read_text().split()

    async def until(self, word: str) -> None:
        while word not in self.words():  # noqa: ASYNC110 - another process brings it about
            await anyio.sleep(0.01)

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait(10)
            assert worker.stdout is not None
            worker.stdout.close()
        self.server.kill()


@pytest.fixture
def place(loop: str, tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, loop)
    yield made
    made.close()


def waits(client: aether.Client) -> aether.Workflow[[str], str]:
    @client.workflow("waits")
    async def workflow(ctx: aether.Context, kind: str) -> str:
        raise AssertionError("executed by the worker process")

    return workflow


FIRST_WORD = {"sleep": "reserved", "child": "reserved", "activity": "attempt", "step": "step"}


@pytest.mark.parametrize(("kind", "loop"), CASES)
async def test_when_the_server_dies_nothing_is_cleaned_up_and_the_worker_comes_back(place: Place, kind: str) -> None:
    worker = place.start_worker()
    client = aether.Client(place.url)
    async with client:
        handle = await waits(client).start(kind)
        await place.until(FIRST_WORD[kind])
        await anyio.sleep(0.2)
        place.server.kill()
        await anyio.sleep(0.5)
        assert "released" not in place.words(), "the run was not cancelled"
        place.server = place.start_server(place.server.port)
        with anyio.fail_after(30):
            assert await handle.result() == "done"
        history = [event async for event in handle.history()]
    assert place.words().count("released") == 1
    assert place.words().count("reserved") == 1
    assert [type(event.fact).__name__ for event in history][-2:] == ["StepCompleted", "RunCompleted"]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0


@pytest.mark.parametrize(("kind", "loop"), CASES)
async def test_a_worker_that_is_frozen_beyond_its_session_changes_nothing_when_it_wakes(
    place: Place, kind: str
) -> None:
    frozen = place.start_worker()
    client = aether.Client(place.url)
    async with client:
        handle = await waits(client).start(kind)
        await place.until(FIRST_WORD[kind])
        await anyio.sleep(0.2)
        frozen.send_signal(signal.SIGSTOP)
        place.start_worker()
        with anyio.fail_after(30):
            assert await handle.result() == "done"
        before = place.words()
        frozen.send_signal(signal.SIGCONT)
        await anyio.sleep(0.5)
        assert place.words() == before
        assert before.count("released") == 1
    frozen.send_signal(signal.SIGTERM)
    assert frozen.wait(10) == 0


@pytest.mark.parametrize(("kind", "loop"), CASES)
async def test_a_worker_that_is_told_to_stop_hands_its_run_on_and_ends(place: Place, kind: str) -> None:
    stopping = place.start_worker()
    client = aether.Client(place.url)
    async with client:
        handle = await waits(client).start(kind)
        await place.until(FIRST_WORD[kind])
        await anyio.sleep(0.2)
        stopping.send_signal(signal.SIGTERM)
        assert stopping.wait(20) == 0
        if kind in ("sleep", "child"):
            assert "released" not in place.words(), "the run goes on elsewhere"
        place.start_worker()
        with anyio.fail_after(30):
            assert await handle.result() == "done"
    assert place.words().count("released") == 1
