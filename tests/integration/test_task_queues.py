"""Which worker takes what, and when, with real processes: labels, limits, pauses."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

import aether
from aether.model import events as e
from tests.integration import queue_tasks as app
from tests.processes import Child, Server
from tests.processes import aether as command

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "trio"


class Worker(Child):
    def __init__(self, folder: Path, name: str, url: str, *options: str) -> None:
        shutil.copy(app.__file__, folder)
        line = ("-m", "aether.cli", "worker", "queue_tasks:client", *options)
        super().__init__(*line, cwd=folder, AETHER_SERVER=url, WORKER=name)
        self.wait_for("serving")


async def until_waiting(handle: "aether.Handle[Any]", reason: str) -> None:
    with anyio.fail_after(30):
        while not any(reason in (item.reason or item.name) for item in (await handle.status()).pending):  # noqa: ASYNC110
            await anyio.sleep(0.005)


async def test_an_activity_runs_only_where_its_labels_are_and_says_which_one_is_missing(server, tmp_path):
    async with aether.Client(server.url) as client:
        handle = await client.start(app.trains.options(workflow_id="t"))
        with Worker(tmp_path, "plain", server.url), Worker(tmp_path, "small", server.url, "--label", "gpu=t4"):
            await until_waiting(handle, "no worker has label gpu=a100")
            assert "no worker has label gpu=a100" in command("status", "t", AETHER_SERVER=server.url).stdout
            with Worker(tmp_path, "large", server.url, "--label", "gpu=a100", "--label", "zone=b"):
                assert await handle.result(timeout_s=30) == "large"


def test_a_label_without_a_value_is_refused(tmp_path):
    done = command("worker", "queue_tasks:client", "--label", "gpu", cwd=Path(app.__file__).parent)
    assert done.returncode == 2
    assert "must be NAME=VALUE, not 'gpu'" in done.stderr


def ran(folder: Path) -> list[str]:
    notes = folder / "ran.txt"
    return notes.read_text().split("\n")[:-1] if notes.exists() else []


def begun(folder: Path) -> list[str]:
    return [line for line in ran(folder) if line.startswith("begins bank")]


async def test_a_killed_worker_gives_its_places_of_a_limit_to_others_and_no_more_ever_run(server, tmp_path):
    async with aether.Client(server.url) as client:
        with Worker(tmp_path, "first", server.url) as first:
            handles = []
            for number in range(4):
                handle = await client.start(app.calls.options(workflow_id=f"c{number}"), "bank", number)
                handles.append(handle)
                if number < 2:
                    await until(lambda: len(begun(tmp_path)) == len(handles))
                else:
                    await until_waiting(handle, "waits for its turn: 2 of at most 2 with key 'activity call/bank' run")
            other = await client.start(app.calls.options(workflow_id="o"), "other", 9)
            await until(lambda: "begins other 9" in ran(tmp_path))
            assert begun(tmp_path) == ["begins bank 0", "begins bank 1"]
            with Worker(tmp_path, "second", server.url):
                first.tell(signal.SIGKILL)
                # Those that waited are first; what was lost comes after them.
                await until(lambda: len(begun(tmp_path)) == 4)
                assert sorted(begun(tmp_path)[2:]) == ["begins bank 2", "begins bank 3"]
                for number in (2, 3, 0, 1, 9):
                    tmp_path.joinpath(f"open-{number}").touch()
                for number, handle in enumerate(handles):
                    assert await handle.result(timeout_s=30) == f"bank {number}"
                assert await other.result(timeout_s=30) == "other 9"
    running, most = 0, 0
    for line in ran(tmp_path)[4:]:
        if " bank " in line:
            running += 1 if line.startswith("begins") else -1
            most = max(most, running)
    assert most <= 2


async def test_runs_with_one_key_take_turns_also_while_they_sleep(server, tmp_path):
    async with aether.Client(server.url) as client:
        with Worker(tmp_path, "a", server.url), Worker(tmp_path, "b", server.url):
            turns = [app.turn.options(workflow_id=f"t{number}") for number in range(4)]
            handles = [await client.start(turn, "ann", number) for number, turn in enumerate(turns)]
            assert [await handle.result(timeout_s=30) for handle in handles] == [0, 1, 2, 3]
    assert ran(tmp_path) == [f"ann {number} {what}" for number in range(4) for what in ("begins", "ends")]


async def until(fact: Callable[[], bool]) -> None:
    """Until the fact holds; it is looked at, for it has no way of telling."""
    with anyio.fail_after(30):
        while not fact():  # noqa: ASYNC110
            await anyio.sleep(0.005)


async def test_a_paused_run_stays_where_it_is_over_a_kill_of_the_server_until_it_is_resumed(tmp_path):
    with Server(tmp_path) as first, Worker(tmp_path, "a", first.url) as worker:
        async with aether.Client(first.url) as client:
            handle = await client.start(app.parts.options(workflow_id="p"))
            await until(lambda: "part 1" in ran(tmp_path))
            while not any([isinstance(event.fact, e.ActivityCompleted) async for event in handle.history()]):  # noqa: ASYNC110
                await anyio.sleep(0.005)
            paused = command("pause", "p", "--reason", "deploy", AETHER_SERVER=first.url)
            assert paused.stdout.splitlines()[-1] == "done\tpaused"
            assert "paused\tdeploy" in command("status", "p", AETHER_SERVER=first.url).stdout
            tmp_path.joinpath("go").touch()
            # What it is at may finish, and is recorded; then its worker lets go of it.
            while not any([isinstance(event.fact, e.StepCompleted) async for event in handle.history()]):  # noqa: ASYNC110
                await anyio.sleep(0.005)
            first.tell(signal.SIGKILL)
            first.process.wait()
            with Server(tmp_path, "--grpc-port", first.url.rpartition(":")[2]) as second:
                worker.wait_for("again in")
                status = await handle.status()
                assert (status.paused, status.pause_reason) == (True, "deploy")
                assert status.state is aether.RunState.RUNNING
                # Whoever waits in the same queue is served by the same worker, and this run is not.
                other = await client.start(app.trains.options(workflow_id="other", labels={}))
                with Worker(tmp_path, "b", second.url, "--label", "gpu=a100"):
                    assert await other.result(timeout_s=30) == "b"
                    assert ran(tmp_path) == ["part 1"]
                    assert "resumed" in command("resume", "p", AETHER_SERVER=second.url).stdout
                    assert await handle.result(timeout_s=30) == [1, 2]
                    again = command("resume", "p", AETHER_SERVER=second.url)
                    assert again.returncode == 6
                    assert "COMPLETED already" in again.stderr
    assert ran(tmp_path) == ["part 1", "woken", "part 2"]


async def test_a_paused_task_queue_hands_out_nothing_until_it_is_resumed(server, tmp_path):
    def queue(*words: str) -> list[list[str]]:
        done = command("queue", *words, AETHER_SERVER=server.url)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()[1:]]

    async with aether.Client(server.url) as client:
        with Worker(tmp_path, "a", server.url):
            shown = ["default", "nothing, paused: deploy", "1", "0", "0", "0", "0"]
            assert queue("pause", "default", "--reason", "deploy") == [shown]
            handle = await client.start(app.turn.options(workflow_id="t"), "ann", 1)
            await until_waiting(handle, "task queue default is paused (deploy)")
            assert queue("list") == [["default", "nothing, paused: deploy", "1", "1", "0", "0", "0"]]
            assert queue("resume", "default")[0][1] == "all"
            assert await handle.result(timeout_s=30) == 1
            assert queue("limit", "default", "1")[0][1] == "at most 1 activity"
            assert queue("limit", "default", "2")[0][1] == "at most 2 activities"
            (listed,) = json.loads(command("queue", "list", "-o", "json", AETHER_SERVER=server.url).stdout)
            assert (listed["task_queue"], listed["activity_limit"], listed["workers"]) == ("default", 2, 1)
            as_line, as_yaml, as_name = (
                command("queue", "list", "-o", form, AETHER_SERVER=server.url).stdout
                for form in ("jsonl", "yaml", "name")
            )
            assert json.loads(as_line)["task_queue"] == "default"
            assert as_yaml.startswith("- schema: aether.queue/v1\n  task_queue: default\n")
            assert as_name == "default\n"
    refused = command("queue", "limit", "default", "1000000", AETHER_SERVER=server.url)
    assert refused.returncode == 2
    assert "activity_limit is 1000000; at most 100000" in refused.stderr


@pytest.mark.parametrize("mode", ["state-action-log", "snapshot"])
async def test_what_was_set_of_task_queues_holds_over_a_kill_of_the_server(tmp_path, mode):
    with Server(tmp_path, "--persistence", mode) as first:
        async with aether.Client(first.url) as client:
            await client.update_queue("default", paused=True, reason="deploy")
            await client.update_queue("gpu", activity_limit=2)
            await client.update_queue("gone", paused=True)
            await client.update_queue("gone", paused=False)
            first.tell(signal.SIGKILL)
            first.process.wait()
    with Server(tmp_path, "--persistence", mode) as second, Worker(tmp_path, "a", second.url):
        async with aether.Client(second.url) as client:
            queues = {
                each.task_queue: (each.paused, each.reason, each.activity_limit) for each in await client.queues()
            }
            assert queues == {"default": (True, "deploy", 0), "gpu": (False, "", 2)}
            handle = await client.start(app.turn.options(workflow_id="t"), "ann", 1)
            await until_waiting(handle, "task queue default is paused (deploy)")
            assert command("queue", "resume", "default", AETHER_SERVER=second.url).returncode == 0
            assert await handle.result(timeout_s=30) == 1
