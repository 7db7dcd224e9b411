"""Forty runs of ten steps each, while what executes them is killed with SIGKILL and started again."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

import aether
from tests.integration.peers import ServerProcess

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

RUNS = 40
STEPS = 10
KILLS = 4
WORKER = Path(__file__).with_name("ten_steps.py")


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Processes:
    """A server and a worker that can be killed and started again in the same place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.effects = folder / "effects"
        self.effects.touch()
        self.server = ServerProcess.start(folder / "aether.db")
        self.url = f"http://{self.server.address}"
        self.worker = self._start_worker()

    def _start_worker(self) -> "subprocess.Popen[str]":
        command = [sys.executable, str(WORKER), self.url, str(self.effects)]
        environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return worker

    def kill_server(self) -> None:
        self.server.kill()
        self.server = ServerProcess.start(self.folder / "aether.db", port=self.server.port)

    def kill_worker(self) -> None:
        self._end_worker()
        self.worker = self._start_worker()

    def _end_worker(self) -> None:
        self.worker.kill()
        self.worker.wait(10)
        assert self.worker.stdout is not None
        self.worker.stdout.close()

    def lines(self) -> list[tuple[str, str, int]]:
        return [(word, run, int(number)) for word, run, number in map(str.split, self.effects.read_text().splitlines())]

    def close(self) -> None:
        self._end_worker()
        self.server.kill()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path)
    yield started
    started.close()


async def finish_all(processes: Processes, kill: Callable[[], None]) -> dict[str, int]:
    """Start all runs, kill again and again while they work, and collect what they return."""
    client = aether.Client(processes.url)

    @client.workflow("ten-steps")
    async def ten_steps(ctx: aether.Context, pause_s: float) -> int:
        raise AssertionError("executed by the worker process")

    results: dict[str, int] = {}

    async def collect(handle: aether.Handle[int]) -> None:
        results[handle.workflow_id] = await handle.result()

    async with client, anyio.create_task_group() as group:
        for number in range(RUNS):
            group.start_soon(collect, await ten_steps.options(workflow_id=f"run-{number}").start(0.05))
        for number in range(1, KILLS + 1):
            enough = number * 2 * RUNS * STEPS // (KILLS + 2)
            while len(processes.lines()) < enough:  # noqa: ASYNC110 - other processes bring it about
                await anyio.sleep(0.01)
            kill()
    return results


def check(processes: Processes, results: dict[str, int]) -> Counter[tuple[str, int]]:
    assert results == {f"run-{number}": 45 for number in range(RUNS)}
    acknowledged: set[tuple[str, int]] = set()
    ran: Counter[tuple[str, int]] = Counter()
    for word, run, number in processes.lines():
        if word == "acknowledged":
            acknowledged.add((run, number))
        else:
            assert (run, number) not in acknowledged, f"step {number} of {run} ran again after it was acknowledged"
            ran[run, number] += 1
    assert acknowledged == {(f"run-{run}", number) for run in range(RUNS) for number in range(STEPS)}
    return ran


async def test_all_runs_finish_and_no_acknowledged_step_runs_twice_while_the_server_is_killed(
    processes: Processes,
) -> None:
    check(processes, await finish_all(processes, processes.kill_server))


async def test_all_runs_finish_and_no_acknowledged_step_runs_twice_while_the_worker_is_killed(
    processes: Processes,
) -> None:
    ran = check(processes, await finish_all(processes, processes.kill_worker))
    assert max(ran.values()) > 1, "no step was interrupted: the kills came at the wrong moments"
