"""What open runs and idle workers cost a server: CPU a step beside 1,000 and 100,000 of them, and memory of each.

    python benchmarks/open_runs.py [--few 1000] [--many 100000] [--streams 200] [--rounds 5]

Two servers at once, on databases that hold few and many sleeping runs, are given the same workflows of ten steps in
turns: the ratio of their CPU a step is what counts. Memory is that after the start, when nothing of a history is kept
but what the engine needs; each run has an input and steps of 120 bytes, which it does not keep either.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from attrs import frozen

sys.path.insert(0, str(Path(__file__).parents[1]))

import aether
from aether.store.sqlite import SqliteStore
from benchmarks.loads import Workflows, start_worker
from benchmarks.processes import aether_server, cpu_s, rss_mb, stop
from benchmarks.scale import fill

MODE = "state-action-log"
RUNS, STEPS, CLIENTS = 300, 10, 64


@frozen
class Place:
    count: int
    pid: int
    url: str


def start(stack: ExitStack, folder: Path, count: int) -> Place:
    folder.mkdir()
    store = SqliteStore(str(folder / "aether.db"))
    store.open()
    fill(store, 0, count)
    store.close()
    server, url = aether_server(folder, MODE)
    stack.callback(stop, server)
    return Place(count, server.pid, url)


async def step_us(place: Place) -> float:
    """CPU of the server for each step of workflows that are started 64 at a time."""
    client = aether.Client(place.url, timeout_s=300)
    steps = Workflows(client).steps
    left = iter(range(RUNS))

    async def one_after_another() -> None:
        for _ in left:
            await steps.start_and_wait(STEPS)

    async with client:
        before = cpu_s([place.pid])
        await asyncio.gather(*[one_after_another() for _ in range(CLIENTS)])
        return (cpu_s([place.pid]) - before) / RUNS / STEPS * 1e6


async def stream_kb(url: str, pid: int, count: int) -> float:
    """Memory of the server for each worker that has a connection and a session, and nothing to do."""
    async with AsyncExitStack() as stack:

        async def serve_another() -> None:
            client = aether.Client(url, timeout_s=300)
            await stack.enter_async_context(client.serve(Workflows(client).steps))

        # The first ones find room that the server has already.
        for _ in range(count // 10):
            await serve_another()
        before = rss_mb(pid)
        for _ in range(count):
            await serve_another()
        await asyncio.sleep(1)
        return (rss_mb(pid) - before) * 1e3 / count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        places = [start(stack, Path(folder) / str(count), count) for count in (options.few, options.many)]
        few, many = (rss_mb(place.pid) for place in places)
        more = options.many - options.few
        print(f"memory of an open run: {(many - few) * 1e6 / more:,.0f} B   target 2,048")
        workers = [start_worker(place.url, Path(folder)) for place in places]
        for worker in workers:
            stack.callback(stop, worker)
        ratios, costs = [], []
        for number in range(options.rounds + 1):
            spent = [asyncio.run(step_us(place)) for place in places]
            # The first round loads code and fills caches.
            if number:
                ratios.append(spent[1] / spent[0])
                costs.append(spent)
        for place, cost in zip(places, zip(*costs, strict=True), strict=True):
            print(f"server's CPU a step beside {place.count:,} open runs: {statistics.median(cost):.1f} us")
        print(f"ratio: {statistics.median(ratios):.2f}   target 1.2")
        streams = asyncio.run(stream_kb(places[0].url, places[0].pid, options.streams))
        print(f"memory of an idle worker's stream: {streams:.1f} KB   target 20")


if __name__ == "__main__":
    main()
