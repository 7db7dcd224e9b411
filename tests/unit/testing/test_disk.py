"""A commit that a crash meets between writing and flushing is kept as a whole or lost as a whole."""

import pytest
import trio
from trio.testing import MockClock

from aether.store.interface import Batch, StoreFull
from aether.testing.disk import Disk, Reliable
from aether.testing.store_suite import event_row, run_row


class Slow(Reliable):
    def __init__(self):
        self.points = []

    def flush_s(self):
        return 10

    def at(self, point):
        self.points.append(point)


BATCH = Batch([run_row(1)], [], [event_row(1, 1, b"x")])


def crashed(keeps_unsynced):
    disk = Disk(Slow())
    seen = []
    disk.on_commit = lambda batches: seen.append(len(batches))

    async def main():
        with trio.move_on_after(5):
            await disk.write([BATCH])
        assert not disk.runs
        disk.crash(keeps_unsynced=keeps_unsynced)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return disk, seen


def test_a_crash_may_lose_what_was_not_flushed():
    disk, seen = crashed(keeps_unsynced=False)
    assert (disk.runs, disk.logs, disk.commits, seen) == ({}, {}, 0, [])


def test_or_keep_all_of_it():
    disk, seen = crashed(keeps_unsynced=True)
    assert (list(disk.runs), disk.logs[1], disk.commits, seen) == ([1], BATCH.events, 1, [1])


def test_a_flushed_commit_is_seen_when_it_is_flushed():
    moods = Slow()
    disk = Disk(moods)

    async def main():
        started = trio.current_time()
        await disk.write([BATCH])
        assert trio.current_time() - started == pytest.approx(10)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert moods.points == ["write", "flush", "durable"]
    disk.crash(keeps_unsynced=False)
    assert list(disk.runs) == [1]


def test_a_refused_commit_changes_nothing():
    class Full(Reliable):
        def refuse(self):
            raise StoreFull("no room", where="here", advice="wait")

    disk = Disk(Full())

    async def main():
        with pytest.raises(StoreFull):
            await disk.write([BATCH])

    trio.run(main)
    assert not disk.runs
    disk.crash(keeps_unsynced=True)
    assert not disk.runs
