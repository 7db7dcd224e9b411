"""Claims about the writer of tier L1, in virtual time."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from attrs import define, field

from aether.errors import StorageUnavailable
from aether.server.gathering import GatheringWriter
from aether.server.writer import WriterLimits
from aether.store.interface import Batch, StoreFull
from aether.store.memory import MemoryStore
from aether.testing.store_suite import event_row
from tests.unit.server.task_desk import TaskDesk

INTERVAL_S = 1.0


class Disk(MemoryStore):
    is_durable = True
    is_full = False

    def commit(self, batches: Sequence[Batch]) -> None:
        if self.is_full:
            raise StoreFull("no room to write", where="disk", advice="free some")
        super().commit(batches)


@define
class Writing:
    writer: GatheringWriter
    desk: TaskDesk
    disk: Disk
    durable: list[int]
    seq: int = 0
    submitted_at: list[float] = field(factory=list)

    def submit(self, size: int = 4) -> int:
        self.seq += 1
        self.submitted_at.append(trio.current_time())
        return self.writer.submit(Batch(events=[event_row(1, self.seq, b"x" * size)]))


@asynccontextmanager
async def writing(limits: WriterLimits | None = None, commit_s: float = 0.01) -> AsyncIterator[Writing]:
    durable: list[int] = []
    disk, desk = Disk(), TaskDesk(commit_s)
    writer = GatheringWriter(disk, durable.append, INTERVAL_S, limits, desk=desk)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        yield Writing(writer, desk, disk, durable)
        nursery.cancel_scope.cancel()


def run(main: object) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))  # type: ignore[arg-type]


def test_what_gathers_goes_to_the_disk_together_an_interval_after_the_first_of_it() -> None:
    async def main() -> None:
        async with writing() as it:
            for _ in range(5):
                it.submit()
                await trio.sleep(0.1)
            assert it.durable == []
            assert it.writer.waiting_count == 5
            assert it.writer.oldest_s == pytest.approx(0.5)
            await trio.sleep(0.6)
            assert it.durable == [5]
            assert it.desk.commits == [(pytest.approx(INTERVAL_S + it.desk.commit_s), 5)]
            assert it.writer.oldest_s == 0
            it.submit()
            await trio.sleep(INTERVAL_S + 0.02)
            assert it.durable == [5, 6]

    run(main)


@pytest.mark.parametrize(
    "limits", [WriterLimits(commit_events=3), WriterLimits(commit_bytes=12)], ids=["rows", "bytes"]
)
def test_no_more_gathers_than_one_commit_holds(limits: WriterLimits) -> None:
    async def main() -> None:
        async with writing(limits) as it:
            for _ in range(4):
                it.submit()
            await trio.sleep(0.05)
            assert it.durable == [3]

    run(main)


def test_who_urges_does_not_wait_for_the_interval_and_the_next_interval_begins_anew() -> None:
    async def main() -> None:
        async with writing() as it:
            it.writer.urge()
            it.submit()
            await trio.sleep(0.9)
            it.writer.urge()
            it.submit()
            await trio.sleep(0.2)
            assert it.durable == [1]
            await trio.sleep(0.85)
            assert it.durable == [1, 2]

    run(main)


def test_who_settles_goes_on_when_everything_so_far_is_on_disk() -> None:
    async def main() -> None:
        async with writing() as it:
            await it.writer.settle(False)
            it.submit()
            it.submit()
            await it.writer.settle(False)
            assert it.durable == [2]
            assert trio.current_time() == pytest.approx(it.desk.commit_s)

    run(main)


def test_what_a_crash_at_any_moment_takes_away_is_no_older_than_an_interval_and_a_commit() -> None:
    async def main(seed: int) -> None:
        draw = random.Random(seed)
        async with writing(WriterLimits(commit_events=40)) as it:
            worst_s = 0.0
            for _ in range(400):
                await trio.sleep(draw.expovariate(30))
                if draw.random() < 0.03:
                    it.writer.urge()
                lost = it.submitted_at[it.writer.durable_ticket :]
                worst_s = max(worst_s, trio.current_time() - lost[0] if lost else 0.0)
                it.submit()
            assert INTERVAL_S / 2 < worst_s <= INTERVAL_S + 2 * it.desk.commit_s
            kept = it.disk.reader().events(1, 0, 1_000)
            assert [event.seq for event in kept] == list(range(1, it.writer.durable_ticket + 1)), "a prefix"

    for seed in range(5):
        trio.run(main, seed, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_disk_that_stands_still_is_noticed_before_two_intervals_are_at_risk() -> None:
    async def main() -> None:
        async with writing(commit_s=10.0) as it:
            it.submit()
            await trio.sleep(2 * INTERVAL_S - 0.01)
            assert not it.writer.is_behind
            it.submit()
            await trio.sleep(0.02)
            assert it.writer.is_behind
            await trio.sleep(20)
            assert it.durable == [1, 2]
            assert not it.writer.is_behind

    run(main)


def test_a_full_disk_is_behind_at_once_and_reads_that_can_not_be_right_are_refused() -> None:
    async def main() -> None:
        async with writing() as it:
            it.disk.is_full = True
            it.submit()
            it.writer.urge()
            await trio.sleep(0.02)
            assert it.writer.is_behind
            with pytest.raises(StorageUnavailable, match="no room to write"):
                await it.writer.settle(False)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(it.writer.settle, True)
                await trio.sleep(5)
                it.disk.is_full = False
            assert it.durable == [1]
            assert not it.writer.is_behind

    run(main)


def test_the_end_of_the_writer_writes_what_had_gathered() -> None:
    async def main() -> None:
        async with writing() as it:
            it.submit()
            it.submit()
        assert it.durable == [2]

    run(main)
