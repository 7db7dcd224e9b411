"""What Aether alone is held to: branches, children, sleepers, a kill in the middle, large results, idleness.

    python benchmarks/loads.py [--rounds 3] [--mode state-action-log|snapshot|memory] [--only W3,W7,…]

Each load has a server on an empty database and a worker, both processes of their own. Prints medians beside what is
aimed at.
"""

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import anyio
from attrs import define

sys.path.insert(0, str(Path(__file__).parents[1]))

import aether
from aether.model.events import TimerStarted
from benchmarks.processes import aether_server, cpu_s, free_port, line_of, rss_mb, spawn, stop, wakeups, wakeups_since

BRANCHES = 100
SLEEPERS, SLEEP_S = 5_000, 5.0
# Of how many sleepers the lateness is read.
SAMPLE = 1_000
KILLED_RUNS, KILLED_STEPS = 500, 10
LARGE = 1024 * 1024


async def answer() -> str:
    return "x" * 96


async def clock() -> float:
    return time.time()


class Workflows:
    """Defined on the client that starts them and on the worker's."""

    def __init__(self, client: aether.Client) -> None:
        @client.workflow("child")
        async def child(ctx: aether.Context) -> str:
            return "x" * 96

        @client.workflow("branches")
        async def branches(ctx: aether.Context) -> int:
            return len(await ctx.parallel([lambda: ctx.step("step", answer)] * BRANCHES))

        @client.workflow("children")
        async def children(ctx: aether.Context) -> int:
            return len(await ctx.parallel([lambda: ctx.child(child)] * BRANCHES))

        @client.workflow("sleeper")
        async def sleeper(ctx: aether.Context) -> float:
            await ctx.sleep(SLEEP_S)
            return await ctx.step("wake", clock)

        @client.workflow("steps")
        async def steps(ctx: aether.Context, count: int) -> str:
            result = ""
            for _ in range(count):
                result = await ctx.step("step", answer)
            return result

        @client.workflow("large")
        async def large(ctx: aether.Context) -> bytes:
            return await ctx.step("read", lambda: bytes(LARGE))

        self.branches, self.children, self.sleeper, self.steps, self.large = branches, children, sleeper, steps, large


@define
class Place:
    """A server and a worker, and the client that measures."""

    folder: Path
    mode: str
    port: int
    server: "subprocess.Popen[str]"
    worker: "subprocess.Popen[str]"
    client: aether.Client
    workflows: Workflows


Row = tuple[str, str, float, float | None]


async def w3(place: Place) -> list[Row]:
    rows: list[Row] = []
    for name, workflow, target in (
        ("100 parallel steps", place.workflows.branches, 25.0),
        ("100 children", place.workflows.children, 80.0),
    ):
        times = []
        for _ in range(12):
            began = time.perf_counter()
            await workflow.start_and_wait()
            times.append((time.perf_counter() - began) * 1e3)
        rows.append(("W3", f"{name}, p50 ms", statistics.median(times), target))
    return rows


async def w4(place: Place) -> list[Row]:
    handles = await place.client.start_many([place.workflows.sleeper.prepare() for _ in range(SLEEPERS)])
    await until_closed(place.client, SLEEPERS)
    late = sorted([await lateness(handle) for handle in handles[:: SLEEPERS // SAMPLE]])
    return [
        ("W4", f"{SLEEPERS} asleep {SLEEP_S:g} s, lateness p99 ms", late[int(len(late) * 0.99)] * 1e3, 50.0),
        ("W4", "earliest, ms after it was due", late[0] * 1e3, None),
    ]


async def until_closed(client: aether.Client, count: int) -> None:
    """Nobody asks for results meanwhile: that would be another load."""
    while (await client.metrics()).runs_closed < count:  # noqa: ASYNC110 - it is in another process
        await asyncio.sleep(0.05)


async def lateness(handle: aether.Handle[float]) -> float:
    """From when the timer was due, as the history has it, to when the code went on."""
    async for event in handle.history():
        if isinstance(event.fact, TimerStarted):
            return await handle.result() - event.fact.fire_at / 1e6
    raise LookupError("a run that has not slept")


async def w5(place: Place) -> list[Row]:
    count = 5_000
    stop(place.worker)
    handles = await place.client.start_many([place.workflows.steps.prepare(1) for _ in range(count)])
    began = time.perf_counter()
    place.worker = start_worker(f"http://127.0.0.1:{place.port}", place.folder)
    await until_closed(place.client, count)
    took_s = time.perf_counter() - began
    assert await handles[-1].result() == await answer()
    return [("W5", f"backlog of {count} one-step workflows, s, a worker's start included", took_s, 2.0)]


async def w6(place: Place) -> list[Row]:
    async def all_of_them(*, is_killed: bool) -> tuple[float, float]:
        handles = await place.client.start_many(
            [place.workflows.steps.prepare(KILLED_STEPS) for _ in range(KILLED_RUNS)]
        )
        began = time.perf_counter()
        down_s = 0.0
        for number, handle in enumerate(handles):
            await handle.result()
            if is_killed and number == KILLED_RUNS // 4:
                place.server.kill()
                place.server.wait()
                killed = time.perf_counter()
                place.server, _ = aether_server(place.folder, place.mode, port=place.port)
                down_s = time.perf_counter() - killed
        return time.perf_counter() - began, down_s

    whole_s, _ = await all_of_them(is_killed=False)
    broken_s, down_s = await all_of_them(is_killed=True)
    return [
        ("W6", "ready again after SIGKILL, s", down_s, 0.5),
        ("W6", "rate with the kill, % of that without", 100 * whole_s / broken_s, 70.0),
        ("W6", "the same beside the time until it was ready", 100 * whole_s / (broken_s - down_s), None),
        ("W6", "all of them without the kill, s", whole_s, None),
    ]


async def w7(place: Place) -> list[Row]:
    times = []
    for _ in range(30):
        began = time.perf_counter()
        await place.workflows.large.start_and_wait()
        times.append((time.perf_counter() - began) * 1e3)
    return [("W7", "1 MiB result, p50 ms", statistics.median(times), 15.0)]


async def w8(place: Place) -> list[Row]:
    idle_s = 5
    # The worker that is there keeps its session alive, and is answered: all of that is its doing.
    await asyncio.sleep(1)
    with_worker = wakeups(place.server.pid)
    await asyncio.sleep(idle_s)
    with_worker_count = wakeups_since(place.server.pid, with_worker)
    stop(place.worker)
    # Threads that have nothing to do end after ten seconds, and with them what they have woken up for.
    await asyncio.sleep(11)
    before, cpu_before = wakeups(place.server.pid), cpu_s([place.server.pid])
    await asyncio.sleep(idle_s)
    count, cpu_ms = wakeups_since(place.server.pid, before), (cpu_s([place.server.pid]) - cpu_before) * 1e3
    import_code = "import time; began = time.perf_counter(); import aether; print(time.perf_counter() - began)"
    imported = await anyio.run_process([sys.executable, "-c", import_code])
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        second, _ = aether_server(Path(folder), place.mode)
        ready_s = time.perf_counter() - began
        stop(second)
    return [
        ("W8", "ready after start, s", ready_s, 0.4),
        ("W8", "memory of the idle server, MB", rss_mb(place.server.pid), 45.0),
        ("W8", f"wake-ups in {idle_s} s", count, 0.0),
        ("W8", f"CPU in {idle_s} s, ms", cpu_ms, 0.0),
        ("W8", f"wake-ups in {idle_s} s with a worker at rest", with_worker_count, None),
        ("W8", "import of the SDK, ms", float(imported.stdout) * 1e3, 150.0),
    ]


LOADS: dict[str, Callable[[Place], Awaitable[list[Row]]]] = {"W3": w3, "W4": w4, "W5": w5, "W6": w6, "W7": w7, "W8": w8}


def start_worker(url: str, folder: Path) -> "subprocess.Popen[str]":
    worker = spawn(sys.executable, __file__, "--work", url, log=folder / "worker.log")
    assert line_of(worker) == "ready"
    return worker


async def work(url: str) -> None:
    client = aether.Client(url)
    Workflows(client)
    async with client.serve():
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def measure(name: str, mode: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        port = free_port()
        server, url = aether_server(Path(folder), mode, port=port)
        client = aether.Client(url)
        place = Place(Path(folder), mode, port, server, start_worker(url, Path(folder)), client, Workflows(client))
        stack.callback(lambda: (stop(place.worker), stop(place.server)))
        async with client:
            return await LOADS[name](place)


def medians(rounds: list[list[Row]]) -> list[Row]:
    rows = []
    for same in zip(*rounds, strict=True):
        load, what, _, target = same[0]
        rows.append((load, what, statistics.median(row[2] for row in same), target))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mode", default="state-action-log")
    parser.add_argument("--only", default=",".join(LOADS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        asyncio.run(work(options.work))
        return
    names = re.split(r",\s*", options.only)
    rounds = [
        [row for name in names for row in asyncio.run(measure(name, options.mode))] for _ in range(options.rounds)
    ]
    rows = medians(rounds)
    print(f"{options.mode}, {options.rounds} rounds")
    for load, what, value, target in rows:
        print(f"{load}  {what:48}{value:>10.1f}{'' if target is None else f'   target {target:g}'}")
    if options.json is not None:
        options.json.write_text(json.dumps({"mode": options.mode, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
