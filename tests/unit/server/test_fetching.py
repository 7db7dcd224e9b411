"""Histories that are read for workers, from a disk that does not always want to."""

import pytest
import trio
import trio.testing

from aether.model.payload import UNREADABLE, Failure
from aether.server.archive import Archive
from aether.server.fetching import TRIES_MAX, fetch
from aether.store.interface import Batch, EventRow, StoreDamaged, StoreError, StoreFailed
from aether.store.memory import MemoryReader, MemoryStore
from aether.testing.store_suite import event_row, run_row

FAILED = StoreFailed("the disk failed", where="a file", advice="look into the system's log")
DAMAGED = StoreDamaged("event 1 is not what was written", where="a file", advice="restore it", run_key=1, seq=1)


class Disk(MemoryStore):
    """Refuses so many reads."""

    def __init__(self, fault: StoreError, refusals: int) -> None:
        super().__init__()
        self.fault = fault
        self.refusals = refusals
        self.readers: list[DiskReader] = []

    def reader(self) -> "DiskReader":
        self.readers.append(DiskReader(self))
        return self.readers[-1]


class DiskReader(MemoryReader):
    def __init__(self, disk: Disk) -> None:
        super().__init__(disk)
        self.disk = disk
        self.is_closed = False

    def events(self, run_key: int, after_seq: int, limit: int) -> list[EventRow]:
        assert not self.is_closed
        if self.disk.refusals:
            self.disk.refusals -= 1
            raise self.disk.fault
        return super().events(run_key, after_seq, limit)

    def close(self) -> None:
        self.is_closed = True


def fetched(disk: Disk) -> tuple[list[list[bytes]], list[Failure], float]:
    """What was read, what was given up, and how long it took."""
    disk.open()
    disk.commit([Batch(runs=[run_row(1)], events=[event_row(1, 1), event_row(1, 2)])])
    read: list[list[bytes]] = []
    given_up: list[Failure] = []

    async def main() -> float:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            fetch(nursery, Archive(disk), 1, 1, 2, read.append, given_up.append)
        return trio.current_time() - began

    took = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return read, given_up, took


BOTH = [event_row(1, 1).body, event_row(1, 2).body]


def test_what_can_be_read_is_read_at_once() -> None:
    assert fetched(Disk(FAILED, 0)) == ([BOTH], [], 0)


def test_a_disk_that_refuses_for_a_moment_is_asked_again_by_another_reader() -> None:
    disk = Disk(FAILED, 3)
    read, given_up, took = fetched(disk)
    assert (read, given_up) == ([BOTH], [])
    assert took == pytest.approx(0.1 + 0.2 + 0.4)
    assert [reader.is_closed for reader in disk.readers] == [True, True, True, False]


def test_a_disk_that_refuses_for_a_minute_is_given_up() -> None:
    disk = Disk(FAILED, TRIES_MAX)
    read, given_up, took = fetched(disk)
    assert (read, given_up) == ([], [Failure(UNREADABLE, str(FAILED))])
    assert 45 < took < 75
    assert disk.refusals == 0


def test_what_is_damaged_is_not_read_again() -> None:
    disk = Disk(DAMAGED, 1)
    assert fetched(disk) == ([], [Failure(UNREADABLE, str(DAMAGED))], 0)
    assert [reader.is_closed for reader in disk.readers] == [False]
