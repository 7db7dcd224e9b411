"""How many durable steps per second the writer reaches, beside what the disk and SQLite alone could do.

    python benchmarks/store.py [--dir DIRECTORY] [--seconds 2] [--body 256] [--waiters 1,16,64,256,1024]

A step is one event, made durable, whose waiter goes on only then. All waiters are tasks of one Trio loop, as in the
server. Long runs are the worst case of the index (each waiter has a page of its own in it); runs of ten steps are the
usual one. Numbers of different runs compare badly on a shared machine: look at the ratios within one. The first 16 MiB
make the write-ahead log grow, which makes flushes dearer; a server that has been up for a while is faster with few
waiters than this shows.
"""

import argparse
import gc
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import apsw
import attrs
import trio

from aether.server.writer import BatchWriter, new_writer
from aether.store.interface import Batch, EventRow, RunChange, RunRow, Store
from aether.store.memory import MemoryStore
from aether.store.sqlite import SqliteStore


@attrs.frozen
class Measured:
    name: str
    waiters: int
    per_s: float
    p50_ms: float
    p99_ms: float
    batch: float

    def line(self) -> str:
        return (
            f"{self.name:<34} {self.waiters:>7} {self.per_s:>10,.0f} {self.p50_ms:>9.2f} {self.p99_ms:>9.2f}"
            f" {self.batch:>9.1f}"
        )


HEADER = f"{'what':<34} {'waiters':>7} {'steps/s':>10} {'p50 ms':>9} {'p99 ms':>9} {'per flush':>9}"


def measured(name: str, waiters: int, took: list[float], elapsed_s: float, steps: int, flushes: int) -> Measured:
    took.sort()
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    return Measured(name, waiters, steps / elapsed_s, p50 * 1000, p99 * 1000, steps / flushes)


def new_run(key: int) -> RunRow:
    return RunRow(key, f"w-{key}", f"r-{key}", "bench", "q", 1, None, 0, None)


def new_runs(count: int) -> Batch:
    return Batch(runs=[new_run(key) for key in range(1, count + 1)])


def flush_loop(directory: Path, size: int, seconds: float) -> Measured:
    """Append and flush: the fastest that one waiter could ever be."""
    took = []
    file = os.open(directory / "flush", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    block = bytes(size)
    start = now = time.perf_counter()
    while now - start < seconds:
        os.write(file, block)
        os.fdatasync(file)
        then, now = now, time.perf_counter()
        took.append(now - then)
    os.close(file)
    return measured(f"bare write of {size} B and fdatasync", 0, took, now - start, len(took), len(took))


def sqlite_loop(directory: Path, body: bytes, batch: int, seconds: float) -> Measured:
    """SQLite and nothing else: rows made beforehand, into a table without an index, every commit flushed."""
    connection = apsw.Connection(str(directory / "bare.db"))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c, d, body)")
    insert = "INSERT INTO t(a, b, c, d, body) VALUES " + ", ".join(["(?, ?, ?, ?, ?)"] * batch)
    values = (1, 2, 3, 4, body) * batch
    took = []
    start = now = time.perf_counter()
    while now - start < seconds:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(insert, values)
        connection.execute("COMMIT")
        then, now = now, time.perf_counter()
        took.append(now - then)
    connection.close()
    return measured(f"bare SQLite, {batch} to a commit", 0, took, now - start, len(took) * batch, len(took))


def store_loop(store: Store, body: bytes, batch: int, seconds: float) -> Measured:
    """The store alone: ready-made batches, nobody to wake."""
    store.open()
    store.commit([new_runs(batch)])
    took = []
    seq = 0
    start = now = time.perf_counter()
    while now - start < seconds:
        seq += 1
        store.commit([Batch(events=[EventRow(k, seq, 1, 1, body)]) for k in range(1, batch + 1)])
        store.tidy()
        then, now = now, time.perf_counter()
        took.append(now - then)
    store.close()
    return measured(f"store alone, {batch} to a commit", 0, took, now - start, len(took) * batch, len(took))


class Durability:
    """Wakes each waiter when its ticket is durable, with as little as that takes."""

    def __init__(self) -> None:
        self.waiting: dict[int, trio.lowlevel.Task] = {}
        self.reached = 0

    def __call__(self, ticket: int) -> None:
        for reached in range(self.reached + 1, ticket + 1):
            task = self.waiting.pop(reached, None)
            if task is not None:
                trio.lowlevel.reschedule(task)
        self.reached = ticket

    async def wait(self, ticket: int) -> None:
        if ticket <= self.reached:
            await trio.lowlevel.checkpoint()
            return
        self.waiting[ticket] = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            self.waiting.pop(ticket, None)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)


async def writer_loop(store: Store, body: bytes, waiters: int, seconds: float, run_length: int = 0) -> Measured:
    """The writer as the server uses it: one long run to a waiter, or one run after the other of `run_length`."""
    store.open()
    durability = Durability()
    writer: BatchWriter = new_writer(store, durability)
    took: list[float] = []
    clock = time.perf_counter

    keys = count(waiters + 1)

    async def wait_for_steps(key: int, until: float) -> None:
        seq, now = 0, clock()
        while now < until:
            batch = Batch()
            if run_length and seq == run_length:
                batch.changes.append(RunChange(key, 2, 1))
                key, seq = next(keys), 0
                batch.runs.append(new_run(key))
            seq += 1
            batch.events.append(EventRow(key, seq, 1, 1, body))
            await durability.wait(writer.submit(batch))
            then, now = now, clock()
            took.append(now - then)

    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        await durability.wait(writer.submit(new_runs(waiters)))
        commits = writer.stats.commits
        start = clock()
        async with trio.open_nursery() as steps:
            for key in range(1, waiters + 1):
                steps.start_soon(wait_for_steps, key, start + seconds)
        elapsed_s = clock() - start
        commits = writer.stats.commits - commits
        nursery.cancel_scope.cancel()
    store.close()
    name = f"writer on {store.name}, {f'runs of {run_length}' if run_length else 'long runs'}"
    return measured(name, waiters, took, elapsed_s, len(took), commits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, help="where the database goes (default: a temporary directory)")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--body", type=int, default=256)
    parser.add_argument("--waiters", default="1,16,64,256,1024")
    arguments = parser.parse_args()
    body = os.urandom(arguments.body)
    seconds = arguments.seconds
    print(HEADER)
    measure(lambda directory: flush_loop(directory, 4096, seconds), arguments.dir)
    for batch in (1, 64, 256):
        measure(partial(sqlite_loop, body=body, batch=batch, seconds=seconds), arguments.dir)
        measure(lambda directory: store_loop(new_store(directory), body, batch, seconds), arguments.dir)  # noqa: B023
    for waiters in [int(text) for text in arguments.waiters.split(",")]:
        loop = partial(writer_loop, body=body, waiters=waiters, seconds=seconds)
        measure(lambda _: trio.run(loop, MemoryStore()), arguments.dir)  # noqa: B023
        measure(lambda directory: trio.run(loop, new_store(directory)), arguments.dir)  # noqa: B023
        short = partial(loop, run_length=10)
        measure(lambda directory: trio.run(short, new_store(directory)), arguments.dir)  # noqa: B023


def new_store(directory: Path) -> SqliteStore:
    return SqliteStore(str(directory / "aether.db"))


def measure(loop: Callable[[Path], Measured], parent: Path | None) -> None:
    """Run one loop in a directory of its own, which is gone before the system starts to write it back."""
    gc.collect()
    with tempfile.TemporaryDirectory(dir=parent) as name:
        print(loop(Path(name)).line(), flush=True)


if __name__ == "__main__":
    main()
