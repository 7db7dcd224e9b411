"""Keeps the hot paths from growing: instructions per operation, counted by valgrind, against a stored baseline.

    python benchmarks/guard.py            exits with 1 if a path costs over 10 % more than the baseline says
    python benchmarks/guard.py --store    writes the baseline anew

Instructions are the same whatever else the machine is doing. They differ between builds of Python, so each path is told
as a multiple of a piece of plain Python that is counted in the same run. The program under valgrind calls `sched_yield`
between the paths, and valgrind writes a count down at each call.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

BASELINE = Path(__file__).with_name("guard.json")
LOSS_MAX = 0.10
# Of each path, first to load its code and fill its caches, then counted.
WARM, COUNTED = 5, 40


def plain_python() -> Callable[[int], None]:
    def run(count: int) -> None:
        for number in range(count):
            seen = {str(index): (index, number) for index in range(100)}
            sorted(seen.values(), key=lambda pair: -pair[0])

    return run


def engine(steps: int) -> Callable[[int], None]:
    """A workflow of so many steps through the engine loop, encoded, and committed to a store in memory."""
    from aether.core.effects import SendEvents
    from aether.core.engine import Engine
    from aether.core.inputs import Complete, OpenSession, StartRun
    from aether.model.commands import CompleteRun, RecordStep
    from aether.model.payload import Payload
    from aether.server.engine_loop import EngineLoop
    from aether.server.histories import Histories
    from aether.server.tally import Tally
    from aether.server.writer import DirectWriter
    from aether.store.memory import MemoryStore

    class Clock:
        def now(self) -> int:
            return 1_000_000

    class Sink:
        token = 0

        def send_events(self, effect: SendEvents, events: object) -> None:
            self.token = effect.token

    class Outbox:
        def flush(self) -> None: ...

    sink, store = Sink(), MemoryStore()
    store.open()
    loop = EngineLoop(Engine(1_000_000), Clock(), Histories(1 << 26), Tally({}))  # type: ignore[arg-type]
    loop.outbox = Outbox()  # type: ignore[assignment]
    loop.sinks = {1: sink}  # type: ignore[dict-item]
    loop.attach(DirectWriter(store, loop.on_durable))
    loop.post(OpenSession(1, "worker", "q", ("t",), (), 10, 10))
    result = Payload(b"x" * 96)
    made = 0

    def ignore(_: object) -> None: ...

    def run(count: int) -> None:
        nonlocal made
        for _ in range(count):
            made += 1
            loop.post(StartRun(ignore, "t", f"w{made}", f"r{made}", "q", result))
            loop._decide()
            token = sink.token
            for number in range(1, steps + 1):
                loop.post(Complete(ignore, token, (RecordStep(str(number), "step", result, None, 1, 5),)))
                loop._decide()
            loop.post(Complete(ignore, token, (CompleteRun(result),)))
            loop._decide()

    return run


def whole(steps: int) -> Callable[[int], None]:
    """A client, an embedded server in memory, and a worker: everything but the disk, one workflow after the other."""
    import trio

    import aether

    client = aether.Client(db="memory")

    async def answer() -> str:
        return "x" * 96

    @client.workflow("n-steps")
    async def n_steps(ctx: aether.Context) -> str:
        result = ""
        for _ in range(steps):
            result = await ctx.step("step", answer)
        return result

    async def session(count: int) -> None:
        async with client.serve(n_steps):
            for _ in range(WARM):
                await n_steps.start_and_wait()
            os.sched_yield()
            for _ in range(count):
                await n_steps.start_and_wait()
            os.sched_yield()

    return lambda count: trio.run(session, count)


def commit() -> Callable[[int], None]:
    """64 events of 64 runs in one transaction of SQLite."""
    from aether.store.interface import Batch, EventRow, RunRow
    from aether.store.sqlite import SqliteStore

    folder = tempfile.TemporaryDirectory()
    store = SqliteStore(str(Path(folder.name) / "aether.db"))
    store.open()
    store.commit([Batch([RunRow(key, f"w{key}", f"r{key}", "t", "q", 2, None, 1, None) for key in range(1, 65)])])
    seq = 0

    def run(count: int) -> None:
        nonlocal seq
        assert folder
        for _ in range(count):
            seq += 1
            store.commit([Batch(events=[EventRow(key, seq, 1, 20, b"x" * 150) for key in range(1, 65)])])

    return run


PATHS: dict[str, Callable[[], Callable[[int], None]]] = {
    "plain Python": plain_python,
    "engine, one-step workflow": lambda: engine(1),
    "engine, ten-step workflow": lambda: engine(10),
    "commit of 64 events": commit,
    "everything, one-step workflow": lambda: whole(1),
    "everything, ten-step workflow": lambda: whole(10),
}


def run_paths() -> None:
    """Under valgrind: two calls of sched_yield a path, around what is counted."""
    for name, make in PATHS.items():
        run = make()
        if name.startswith("everything"):
            run(COUNTED)
            continue
        run(WARM)
        os.sched_yield()
        run(COUNTED)
        os.sched_yield()


def count() -> dict[str, float]:
    """Instructions a path and operation, as multiples of the plain Python of the same run."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--dump-before=sched_yield"]
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(
            [*command, sys.executable, __file__, "--run"], check=True, env=environment, stderr=subprocess.PIPE
        )
        dumps = sorted(Path(folder).glob("counts.*"), key=lambda path: int(path.suffix[1:]))
        totals = [int(re.search(r"^(?:summary|totals): (\d+)", dump.read_text(), re.MULTILINE)[1]) for dump in dumps]  # type: ignore[index]
    # The dump before the first call of a pair is what came before it; the one before the second is what is wanted.
    counted = dict(zip(PATHS, totals[1 : 2 * len(PATHS) : 2], strict=True))
    plain = counted.pop("plain Python")
    return {name: round(total / plain, 3) for name, total in counted.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_paths()
        return 0
    if shutil.which("valgrind") is None:
        print("valgrind is not installed, so nothing was counted")
        return int("CI" in os.environ)
    counts = count()
    if options.store:
        BASELINE.write_text(json.dumps(counts, indent=1) + "\n")
    before: dict[str, float] = json.loads(BASELINE.read_text())
    worst = 0.0
    print("multiples of plain Python".ljust(34) + "baseline       now    change")
    for name, now in counts.items():
        change = now / before[name] - 1
        worst = max(worst, change)
        print(f"{name:34}{before[name]:>8.2f}{now:>10.2f}{change:>+10.1%}")
    if worst > LOSS_MAX:
        print(f"a path costs {worst:.0%} more than it did: find out why, or store a new baseline and say why")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
