"""Cancels from the command line, and with everything that can die dying in the middle of the clean-up."""

import signal
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

import aether
from aether.cli.exit_codes import ExitCode
from aether.model.events import RunCancelled
from tests.integration.cancel_grid import cases, until
from tests.processes import Child, Server
from tests.processes import aether as command

pytestmark = pytest.mark.anyio
APP = Path(__file__).with_name("cancel_app.py")


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


class Place:
    """A folder with what the workers have done, and the processes around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.effects = folder / "effects"
        self.effects.touch()

    def words(self) -> list[str]:
        return self.effects.read_text().splitlines()

    async def until(self, words: str, times: int = 1) -> None:
        async def said() -> bool:
            return self.words().count(words) >= times

        with anyio.fail_after(30):
            await until(said)

    def let_go(self) -> None:
        self.effects.with_suffix(".go").touch()

    def worker(self, url: str, name: str) -> Child:
        child = Child(str(APP), url, str(self.effects), name, cwd=self.folder)
        child.wait_for("serving")
        return child


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def victim_of(client: aether.Client) -> Any:
    @client.workflow("victim")
    async def victim(ctx: aether.Context, blocked: str) -> None:
        raise AssertionError("executed by the worker process")

    return victim


async def facts_of(handle: "aether.Handle[Any]") -> list[str]:
    return [type(event.fact).__name__ async for event in handle.history()]


async def cancel_by_command(url: str, *arguments: str) -> int:
    done = await anyio.to_thread.run_sync(lambda: command("cancel", *arguments, AETHER_SERVER=url))
    return done.returncode


async def test_the_command_reaches_runs_whatever_they_wait_for_and_whatever_they_are_doing(place: Place) -> None:
    whats = [blocked for blocked, _ in cases("running", "cli")]
    assert whats == [blocked for blocked, _ in cases("cleaning up", "cli")]
    with Server(place.folder) as server:
        client = aether.Client(server.url)
        victim = victim_of(client)
        async with client:
            late = await victim.options(workflow_id="late").start("sleep")
            assert await cancel_by_command(server.url, "late") == 0
            assert await facts_of(late) == ["RunCreated", "CancelRequested", "RunCancelled"]
            with place.worker(server.url, "alpha"):
                handles = {what: await victim.options(workflow_id=what).start(what) for what in whats}
                for what in whats:
                    await place.until(f"blocked {what}")
                await place.until("aside")
                for _ in ("running", "cleaning up"):
                    async with anyio.create_task_group() as group:
                        for what in whats:
                            group.start_soon(cancel_by_command, server.url, what)
                    for what in whats:
                        await place.until(f"cleaning {what}")
                assert await cancel_by_command(server.url, "sleep", "--force") == 0
                place.let_go()
                for what, handle in handles.items():
                    with pytest.raises(aether.WorkflowCancelled):
                        await handle.result(timeout_s=30)
                    facts = await facts_of(handle)
                    assert facts.count("CancelRequested") == 1
                    assert facts[-1] == "RunCancelled"
                    assert place.words().count(f"cleaned {what}") == (0 if what == "sleep" else 1), what
                assert await cancel_by_command(server.url, "sleep") == ExitCode.OK
                assert not [info async for info in client.list() if not info.state.is_closed]


@pytest.mark.parametrize("dies", ["server at once", "server", "worker", "both"])
async def test_what_dies_during_a_cancel_delays_the_clean_up_and_changes_nothing(place: Place, dies: str) -> None:
    server = Server(place.folder)
    worker = place.worker(server.url, "alpha")
    try:
        client = aether.Client(server.url)
        async with client:
            handle = await victim_of(client).options(workflow_id="w").start("parallel")
            await place.until("blocked parallel")
            await place.until("aside")
            await handle.cancel("enough")
            if dies != "server at once":
                await place.until("cleaning parallel")
            if dies in ("worker", "both"):
                worker.tell(signal.SIGKILL)
            if dies != "worker":
                server.tell(signal.SIGKILL)
                server.process.wait()
                port = server.url.rpartition(":")[2]
                server.__exit__()
                server = Server(place.folder, "--grpc-port", port)
            if dies in ("worker", "both"):
                worker.__exit__()
                worker = place.worker(server.url, "beta")
                await place.until("cleaning parallel", times=2)
            place.let_go()
            with pytest.raises(aether.WorkflowCancelled):
                await handle.result(timeout_s=40)
            history = [event async for event in handle.history()]
            assert not [info async for info in client.list() if not info.state.is_closed]
    finally:
        worker.__exit__()
        server.__exit__()
    facts = [type(event.fact).__name__ for event in history]
    assert facts.count("CancelRequested") == facts.count("StepCompleted") == 1
    assert {"ActivityCancelled", "ChildCancelled"} <= set(facts)
    assert max(facts.index("ActivityCancelled"), facts.index("ChildCancelled")) < facts.index("StepCompleted")
    assert history[-1].fact == RunCancelled("enough")
    words = place.words()
    assert words.count("blocked parallel cleaned") == words.count("cleaned parallel") == 1
    # An attempt that the server took down with it is made again, until the workflow's code gives the activity up.
    assert words.count("aside") <= (2 if dies == "server at once" else 1)
