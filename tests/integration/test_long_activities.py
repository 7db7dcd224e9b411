"""Activities in real processes: what a kill leaves of their heartbeats, how a cancel reaches them, their delays."""

import json
import shutil
import signal
from pathlib import Path

import anyio
import pytest

import aether
from aether.model import events as e
from tests.integration import long_activities as app
from tests.processes import Child
from tests.processes import aether as command

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "trio"


class Server(Child):
    def __init__(self, folder: Path, port: str = "0") -> None:
        super().__init__("-m", "tests.integration.quick_server", "serve", "--grpc-port", port, cwd=folder)
        self.url = self.wait_for("://")


class Worker(Child):
    def __init__(self, folder: Path, url: str, loop: str = "trio") -> None:
        shutil.copy(app.__file__, folder)
        command = ("-m", "aether.cli", "worker", "long_activities:client", "--loop", loop)
        super().__init__(*command, cwd=folder, AETHER_SERVER=url)
        self.wait_for("serving")


def ran(folder: Path) -> list[str]:
    notes = folder / "ran.txt"
    return notes.read_text().split("\n")[:-1] if notes.exists() else []


async def until(fact):
    """Until the fact holds; it is looked at, for it has no way of telling."""
    with anyio.fail_after(30):
        while not fact():  # noqa: ASYNC110
            await anyio.sleep(0.005)


async def until_recorded(handle, kind):
    with anyio.fail_after(30):
        while not any([isinstance(event.fact, kind) async for event in handle.history()]):  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def test_the_last_heartbeat_outlives_the_server_and_the_worker(tmp_path):
    with Server(tmp_path) as first, Worker(tmp_path, first.url) as worker:
        async with aether.Client(first.url) as client:
            handle = client.handle("c", result_type=int)
            await client.start(app.counts.options(workflow_id="c"))
            await until_recorded(handle, e.ActivityProgressed)
            status = json.loads(command("status", "c", "-o", "json", AETHER_SERVER=first.url).stdout)
            assert status["pending"][0]["heartbeat"]["at"] == 999
            assert "last heartbeat" in command("status", "c", AETHER_SERVER=first.url).stdout
            first.tell(signal.SIGKILL)
            first.process.wait()
            worker.tell(signal.SIGKILL)
            worker.process.wait()
            with Server(tmp_path, first.url.rpartition(":")[2]) as second, Worker(tmp_path, second.url):
                assert await handle.result(timeout_s=30) == 999
                recorded = [event.fact async for event in handle.history()]
    assert [line.split("'pad'")[0] for line in ran(tmp_path)] == [
        "attempt 1 finds None",
        "attempt 2 finds {'at': 999, ",
    ]
    assert sum(isinstance(fact, e.ActivityProgressed) for fact in recorded) <= 2


@pytest.mark.parametrize("loop", ["trio", "asyncio"])
async def test_a_cancel_reaches_async_code_and_threads_at_once(tmp_path, loop):
    with Server(tmp_path) as server, Worker(tmp_path, server.url, loop):
        async with aether.Client(server.url) as client:
            handle = await client.start(app.waits.options(workflow_id="w"))
            await until(lambda: {"async begins", "thread begins"} <= set(ran(tmp_path)))
            await handle.cancel()
            with pytest.raises(aether.WorkflowCancelled):
                await handle.result(timeout_s=30)
            facts = [event.fact async for event in handle.history()]
    # Neither sends heartbeats or has bounds: only the stream can have told them.
    assert {"async stops", "thread stops"} <= set(ran(tmp_path))
    assert not any(isinstance(fact, e.ActivityRetried) for fact in facts)


async def test_failures_steer_their_retries(tmp_path):
    with Server(tmp_path) as server, Worker(tmp_path, server.url):
        async with aether.Client(server.url) as client:
            busy = await client.start(app.charges.options(workflow_id="busy"), "busy")
            declined = await client.start(app.charges.options(workflow_id="declined"), "declined")
            steps = await client.start(app.steps.options(workflow_id="steps"))
            assert await busy.result(timeout_s=30) == 2
            retried = [(event.at, event.fact) async for event in busy.history()]
            assert [fact.next_at - at for at, fact in retried if isinstance(fact, e.ActivityRetried)] == [300_000]
            with pytest.raises(aether.WorkflowFailed, match="Declined: no money"):
                await declined.result(timeout_s=30)
            failed = [event.fact async for event in declined.history() if isinstance(event.fact, e.ActivityFailed)]
            assert [fact.attempt for fact in failed] == [1], "ValueError in the policy covers what derives from it"
            assert await steps.result(timeout_s=30) == ["busy", "busy", "declined", "Declined"]
