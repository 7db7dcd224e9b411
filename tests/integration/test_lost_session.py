"""A worker whose session is taken away changes nothing any more: no clean-up that nobody asked for, and no hanging."""

import signal
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

import aether
from aether.model.events import RunStarted
from aether.model.runs import RunState
from aether.server.settings import Persistence
from tests.integration.peers import ServerProcess
from tests.processes import Child

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
        self.workers: list[Child] = []

    def start_server(self, port: int) -> ServerProcess:
        return ServerProcess.start(self.folder / "aether.db", Persistence.STATE_ACTION_LOG, port, session_timeout_s=1.5)

    def start_worker(self) -> Child:
        worker = Child(str(SCRIPT), self.url, str(self.effects), self.loop, cwd=self.folder)
        self.workers.append(worker)
        worker.wait_for("ready")
        return worker

    def words(self) -> list[str]:
        return self.effects.read_text().split()

    async def until(self, word: str) -> None:
        while word not in self.words():  # noqa: ASYNC110 - another process brings it about
            await anyio.sleep(0.01)

    def close(self) -> None:
        for worker in self.workers:
            worker.__exit__()
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


# What is on disk, and done, when the run waits.
FACT = {"sleep": "TimerStarted", "child": "ChildStarted", "activity": "ActivityStarted", "step": "StepCompleted"}
WORD = {"sleep": "reserved", "child": "reserved", "activity": "attempt", "step": "step"}


async def until_waiting(place: Place, handle: aether.Handle[str], kind: str) -> None:
    while FACT[kind] not in [type(event.fact).__name__ async for event in handle.history()]:  # noqa: ASYNC110 - another process brings it about
        await anyio.sleep(0.01)
    await place.until(WORD[kind])


@pytest.mark.parametrize(("kind", "loop"), CASES)
async def test_when_the_server_dies_nothing_is_cleaned_up_and_the_worker_comes_back(place: Place, kind: str) -> None:
    worker = place.start_worker()
    client = aether.Client(place.url)
    async with client:
        handle = await waits(client).start(kind)
        await until_waiting(place, handle, kind)
        place.server.kill()
        worker.wait_for("again in")
        assert "released" not in place.words(), "the run was not cancelled"
        place.server = place.start_server(place.server.port)
        with anyio.fail_after(30):
            assert await handle.result() == "done"
        history = [event async for event in handle.history()]
    assert place.words().count("released") == 1
    assert place.words().count("reserved") == 1
    assert [type(event.fact).__name__ for event in history][-2:] == ["StepCompleted", "RunCompleted"]
    worker.tell()
    assert worker.finish()[0] == 0


@pytest.mark.parametrize(("kind", "loop"), CASES)
async def test_a_worker_that_is_frozen_beyond_its_session_changes_nothing_when_it_wakes(
    place: Place, kind: str
) -> None:
    frozen = place.start_worker()
    client = aether.Client(place.url)
    async with client:
        handle = await waits(client).start(kind)
        await until_waiting(place, handle, kind)
        frozen.tell(signal.SIGSTOP)
        place.start_worker()
        with anyio.fail_after(30):
            assert await handle.result() == "done"
        before = place.words()
        frozen.tell(signal.SIGCONT)
        frozen.wait_for("again in")
        assert place.words() == before
        assert before.count("released") == 1
    frozen.tell()
    assert frozen.finish()[0] == 0


@pytest.mark.parametrize(("kind", "loop"), CASES)
async def test_a_worker_that_is_told_to_stop_hands_its_run_on_and_ends(place: Place, kind: str) -> None:
    stopping = place.start_worker()
    client = aether.Client(place.url)
    async with client:
        handle = await waits(client).start(kind)
        await until_waiting(place, handle, kind)
        stopping.tell()
        assert stopping.finish()[0] == 0
        if kind in ("sleep", "child"):
            assert "released" not in place.words(), "the run goes on elsewhere"
        place.start_worker()
        with anyio.fail_after(30):
            assert await handle.result() == "done"
    assert place.words().count("released") == 1


@pytest.mark.parametrize(("kind", "loop"), [("step", "trio"), ("step", "asyncio")])
async def test_a_worker_that_is_told_to_stop_takes_nothing_from_a_server_that_comes_back(
    place: Place, kind: str
) -> None:
    stopping = place.start_worker()
    client = aether.Client(place.url)
    async with client:
        handle = await waits(client).start(kind)
        await until_waiting(place, handle, kind)
        stopping.tell()
        stopping.wait_for("stopping")
        place.server.kill()
        place.server = place.start_server(place.server.port)
        assert stopping.finish()[0] == 0
        assert (await handle.status()).state is RunState.RUNNING
        started = [event async for event in handle.history() if isinstance(event.fact, RunStarted)]
        assert len(started) == 1
