"""Whole workflows through a real server and a real worker, each a process of its own.

    python benchmarks/workflows.py [--rounds N] [--scale F] [--mode state-action-log|snapshot|memory]

Prints, for each load, the medians over the rounds: workflows and steps per second, latency from start to result, and
the CPU that each process spent. CPU is what noise touches least; rates count only beside other rates of the same run.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio
from attrs import define, frozen

import aether

RESULT = "x" * 96


@frozen
class Load:
    name: str
    steps: int
    clients: int
    runs: int


LOADS = (
    Load("one step, one at a time", 1, 1, 200),
    Load("one step, 64 at a time", 1, 64, 3_000),
    Load("ten steps, 64 at a time", 10, 64, 600),
    Load("backlog of one-step workflows", 1, 2_000, 2_000),
)


@frozen
class Figures:
    workflows_s: float
    steps_s: float
    p50_ms: float
    p99_ms: float
    server_us: float
    worker_us: float
    client_us: float


@define
class Processes:
    """A server on a database of its own, and one worker."""

    server: "subprocess.Popen[str]"
    worker: "subprocess.Popen[str]"
    url: str

    @classmethod
    def start(cls, folder: Path, mode: str) -> "Processes":
        aether_ = [sys.executable, "-m", "aether.cli"]
        serve = [*aether_, "serve", "--grpc-port", "0", "--db", str(folder / "aether.db"), "--persistence", mode]
        server = subprocess.Popen([*serve, "--log-level", "error"], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        command = [sys.executable, __file__, "--worker", url]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return cls(server, worker, url)

    def stop(self) -> None:
        for process in (self.worker, self.server):
            process.send_signal(signal.SIGTERM)
            process.wait(30)


async def answer() -> str:
    return RESULT


def define_on(client: aether.Client) -> aether.Workflow[[int], str]:
    @client.workflow("n-steps")
    async def n_steps(ctx: aether.Context, count: int) -> str:
        result = ""
        for _ in range(count):
            result = await ctx.step("step", answer)
        return result

    return n_steps


async def work(url: str) -> None:
    client = aether.Client(url)
    async with client.serve(define_on(client)):
        print("ready", flush=True)
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                return


def cpu_s(pid: int) -> float:
    """CPU of a process and its threads so far (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(processes: Processes, load: Load) -> Figures:
    client = aether.Client(processes.url)
    workflow = define_on(client)
    latencies: list[float] = []
    left = iter(range(load.runs))

    async def one_after_another() -> None:
        for _ in left:
            began = time.perf_counter()
            await workflow.start_and_wait(load.steps)
            latencies.append(time.perf_counter() - began)

    async with client:
        pids = (processes.server.pid, processes.worker.pid, os.getpid())
        before = [cpu_s(pid) for pid in pids]
        began = time.perf_counter()
        async with anyio.create_task_group() as group:
            for _ in range(load.clients):
                group.start_soon(one_after_another)
        wall_s = time.perf_counter() - began
        spent = [(cpu_s(pid) - was) / load.runs * 1e6 for pid, was in zip(pids, before, strict=True)]
    latencies.sort()
    return Figures(
        load.runs / wall_s,
        load.runs * load.steps / wall_s,
        latencies[len(latencies) // 2] * 1e3,
        latencies[int(len(latencies) * 0.99)] * 1e3,
        *spent,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="how many runs of a load, as a share of the default")
    parser.add_argument("--mode", default="state-action-log")
    parser.add_argument("--folder", type=Path, help="where the databases go; a temporary folder if not given")
    parser.add_argument("--worker", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        anyio.run(work, options.worker, backend="trio")
        return
    print(f"{options.mode}, {options.rounds} rounds; CPU in microseconds a workflow")
    columns = ("load", "workflows/s", "steps/s", "p50 ms", "p99 ms", "server", "worker", "client")
    print("{:32}{:>12}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}".format(*columns))
    for load in LOADS:
        scaled = Load(load.name, load.steps, load.clients, max(load.clients, int(load.runs * options.scale)))
        rounds = []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                processes = Processes.start(Path(folder), options.mode)
                try:
                    rounds.append(anyio.run(measure, processes, scaled, backend="trio"))
                finally:
                    processes.stop()
        middle = [statistics.median(getattr(figures, name) for figures in rounds) for name in Figures.__annotations__]
        print("{:32}{:>12.0f}{:>10.0f}{:>9.2f}{:>9.2f}{:>9.0f}{:>9.0f}{:>9.0f}".format(load.name, *middle))


if __name__ == "__main__":
    main()
