"""The writer on a real file whose disk gets full, fails or is busy: nobody is told of what is not durable."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from aether.server.writer import Writer, WriterLimits
from aether.store.interface import Batch, StoreFailed
from aether.store.sqlite import SqliteStore
from aether.testing.store_suite import event_row, run_row
from tests.unit.store.faulty_disk import FLUSH_FAILED, NO_SPACE, FaultyDisk

LIMITS = WriterLimits(retry_first_s=0.001, retry_max_s=0.01)


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    disk = FaultyDisk()
    yield disk
    disk.unregister()


def stored_seqs(path: str) -> list[int]:
    store = SqliteStore(path)
    store.open()
    reader = store.reader()
    seqs = [event.seq for event in reader.events(1, 0, 10_000)]
    reader.close()
    store.close()
    return seqs


def test_a_disk_that_was_full_for_a_while_costs_time_and_nothing_else(tmp_path: Path, disk: FaultyDisk):
    store = SqliteStore(str(tmp_path / "a.db"), vfs=disk.vfs_name)
    store.open()
    announced: list[int] = []

    async def main() -> None:
        writer = Writer(store, announced.append, LIMITS)
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            writer.submit(Batch(runs=[run_row(1)]))
            for seq in range(1, 301):
                if seq == 100:
                    disk.fail_always("write", NO_SPACE)
                writer.submit(Batch(events=[event_row(1, seq)]))
                if seq == 200:
                    while writer.stats.retries < 5:  # noqa: ASYNC110 - a thread brings it about
                        await trio.sleep(0.001)
                    assert writer.fault is not None
                    assert "no room to write" in writer.fault
                    disk.heal()
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert writer.fault is None

    trio.run(main)
    store.close()
    assert announced == sorted(announced)
    assert announced[-1] == 301
    assert stored_seqs(store.location) == list(range(1, 301))


@pytest.mark.parametrize("nth", [1, 2, 5, 20])
def test_after_a_failed_flush_nobody_is_told_anything_and_what_was_told_is_there(
    tmp_path: Path, disk: FaultyDisk, nth: int
):
    store = SqliteStore(str(tmp_path / "a.db"), vfs=disk.vfs_name)
    store.open()
    announced: list[int] = []

    async def main() -> None:
        writer = Writer(store, announced.append, LIMITS)

        async def submit_for_ever() -> None:
            writer.submit(Batch(runs=[run_row(1)]))
            disk.fail_nth(nth, FLUSH_FAILED, "flush")
            for seq in range(1, 100_000):
                writer.submit(Batch(events=[event_row(1, seq)]))
                while writer.waiting_count > 10:  # noqa: ASYNC110 - a thread brings it about
                    await trio.sleep(0.001)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(submit_for_ever)
            await writer.run()

    with pytest.RaisesGroup(pytest.RaisesExc(StoreFailed, match="SQLITE_IOERR_FSYNC")):
        trio.run(main)
    store.close()
    told = announced[-1] - 1 if announced else 0
    assert disk.failures == 1
    assert len(stored_seqs(store.location)) >= told
