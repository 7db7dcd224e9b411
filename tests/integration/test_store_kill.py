"""A server is killed in mid-commit, many times: what it acknowledged is there, and nothing is half there.

The child commits batches as fast as it can through the writer and prints the last durable ticket of each
wake. A line that is cut off was not received, so it does not count. After each SIGKILL the file must hold all
tickets that were received, each of them whole, and tickets only up to some point, without a hole.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aether.store.sqlite import SqliteStore

EVENTS_PER_BATCH = 7

CHILD = """
import sys
import trio
from aether.server.writer import Writer
from aether.store import sqlite, sqlite_log
from aether.store.interface import Batch, EventRow, RunRow

path, per_batch = sys.argv[1], int(sys.argv[2])
# So that kills hit also the making of room and the copying back.
sqlite_log.FILL_FROM_PAGES, sqlite_log.CHECKPOINT_PAGES = 10, 50

def durable(ticket):
    sys.stdout.write(f"{ticket}\\n")
    sys.stdout.flush()

async def main():
    store = sqlite.SqliteStore(path)
    key = store.open().next_run_key
    writer = Writer(store, durable)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        while True:
            if writer.waiting_count > 40:
                await trio.sleep(0.0005)
                continue
            # One run a batch: run number n is whole or not there at all.
            run = RunRow(key, f"w{key}", f"r{key}", "t", "q", 0, None, 0, None)
            events = [EventRow(key, seq, 0, 0, bytes([seq]) * 500) for seq in range(1, per_batch + 1)]
            writer.submit(Batch(runs=[run], events=events))
            key += 1

trio.run(main)
"""


def run_until_killed(path: str, after_s: float) -> tuple[int, str]:
    """Let a child write for a moment, kill it, and give the last ticket that it acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, path, str(EVENTS_PER_BATCH)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    time.sleep(after_s)  # the moment of death is what is being varied: there is no fact to wait for
    process.kill()
    rest, errors = process.communicate()
    lines = [line for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]
    return (int(lines[-1]) if lines else 0), errors


@pytest.mark.timeout(180)
def test_nothing_acknowledged_is_lost_and_no_batch_is_half_there_after_sigkill(tmp_path: Path):
    path = str(tmp_path / "a.db")
    draw = random.Random(7)
    expected = epoch = 0
    for _ in range(25):
        acked, errors = run_until_killed(path, draw.uniform(0, 0.12))
        assert acked, errors
        store = SqliteStore(path)
        opened = store.open()
        assert opened.damage == ()
        assert opened.epoch == epoch + 2  # the child's and ours
        epoch = opened.epoch
        reader = store.reader()
        present = opened.next_run_key - 1
        assert present >= expected + acked
        assert [run.key for run in reader.open_runs()] == list(range(1, present + 1))
        for key in range(expected + 1, present + 1):
            assert len(reader.events(key, 0, 100)) == EVENTS_PER_BATCH
        reader.close()
        store.close()
        expected = present
    assert list(SqliteStore(path).check()) == []
    assert expected > 25
