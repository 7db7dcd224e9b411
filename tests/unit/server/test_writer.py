"""Claims about the group-commit writer, on real stores and on one that a test can hold up."""

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from aether.server.desk import SWITCH_INTERVAL_S
from aether.server.writer import DirectWriter, Writer, WriterLimits, new_writer
from aether.store.interface import Batch, StoreBusy, StoreConflict, StoreError, StoreFailed, StoreFull
from aether.store.memory import MemoryStore
from aether.store.sqlite import SqliteStore
from aether.testing.store_suite import event_row, run_row


class GatedStore(MemoryStore):
    """Memory that is written to like a disk: it takes its time, and it can refuse."""

    is_durable = True

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Semaphore(0)
        self.refusals: list[Exception] = []
        self.groups: list[int] = []
        self.threads: set[int] = set()
        self.tidied = 0

    def commit(self, batches: Sequence[Batch]) -> None:
        self.threads.add(threading.get_ident())
        self.gate.acquire()
        if self.refusals:
            raise self.refusals.pop(0)
        super().commit(batches)
        self.groups.append(len(batches))

    def tidy(self) -> None:
        self.tidied += 1


def one(seq: int, size: int = 4) -> Batch:
    return Batch(events=[event_row(1, seq, b"x" * size)])


def refusal(kind: type[StoreError]) -> Exception:
    return kind("no room", where="a file", advice="wait")


@attrs.define
class Durable:
    """Collects what becomes durable and lets a test wait for a ticket."""

    tickets: list[int] = attrs.Factory(list)
    changed: trio.Event = attrs.Factory(trio.Event)

    def __call__(self, ticket: int) -> None:
        self.tickets.append(ticket)
        self.changed.set()
        self.changed = trio.Event()

    async def reach(self, ticket: int) -> None:
        while not self.tickets or self.tickets[-1] < ticket:
            await self.changed.wait()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a fact that a thread brings about and tells nobody."""
    while not is_so():  # noqa: ASYNC110
        await trio.sleep(0.001)


@pytest.fixture
def store() -> GatedStore:
    return GatedStore()


@pytest.fixture
def durable() -> Durable:
    return Durable()


def test_what_waits_during_a_commit_goes_into_the_next_one_together(store: GatedStore, durable: Durable):
    async def main() -> None:
        writer = Writer(store, durable)
        async with trio.open_nursery() as nursery:
            assert writer.submit(one(1)) == 1
            await nursery.start(writer.run)
            await until(lambda: bool(store.threads))
            assert [writer.submit(one(seq)) for seq in range(2, 9)] == list(range(2, 9))
            assert writer.waiting_count == 8
            assert writer.durable_ticket == 0
            store.gate.release(2)
            await durable.reach(8)
            assert writer.durable_ticket == 8
            assert writer.waiting_count == 0
            nursery.cancel_scope.cancel()
        assert store.groups == [1, 7]
        assert len(store.threads) == 1
        assert threading.get_ident() not in store.threads
        assert store.tidied == 2
        assert (writer.stats.commits, writer.stats.rows) == (2, 8)
        assert (writer.stats.batches.count, writer.stats.batches.total) == (2, 8)
        assert writer.stats.commit_us.count == 2
        assert writer.stats.commit_us.total > 0

    trio.run(main)
    assert durable.tickets[-1] == 8


@pytest.mark.parametrize(
    ("limits", "groups"),
    [(WriterLimits(commit_events=3), [3, 3, 1]), (WriterLimits(commit_bytes=8), [2, 2, 2, 1])],
    ids=["rows", "bytes"],
)
def test_a_commit_is_bounded(store: GatedStore, durable: Durable, limits: WriterLimits, groups: list[int]):
    async def main() -> None:
        writer = Writer(store, durable, limits)
        for seq in range(1, 8):
            writer.submit(one(seq))
        store.gate.release(9)
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            await durable.reach(7)
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert store.groups == groups


@pytest.mark.parametrize(
    "limits", [WriterLimits(waiting_batches=3), WriterLimits(waiting_bytes=12)], ids=["batches", "bytes"]
)
def test_too_much_waiting_is_refused_until_some_of_it_is_durable(
    store: GatedStore, durable: Durable, limits: WriterLimits
):
    async def main() -> None:
        writer = Writer(store, durable, limits)
        room = []
        for seq in (1, 2, 3):
            room.append(writer.has_room)
            writer.submit(one(seq))
        room.append(writer.has_room)
        assert room == [True, True, True, False]
        with pytest.raises(StoreFull, match="3 commits wait"):
            writer.submit(one(4))
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            store.gate.release(9)
            await durable.reach(3)
            assert writer.has_room
            assert writer.submit(one(4)) == 4
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert durable.tickets[-1] == 4


def test_cancellation_finishes_what_was_submitted_and_ends_the_thread(store: GatedStore, durable: Durable):
    async def main() -> Writer:
        writer = Writer(store, durable, WriterLimits(commit_events=2))
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            for seq in range(1, 8):
                writer.submit(one(seq))
            nursery.cancel_scope.cancel()
            store.gate.release(99)
        with pytest.raises(AssertionError, match="has ended"):
            writer.submit(one(8))
        return writer

    threads = threading.active_count()
    writer = trio.run(main)
    assert writer.durable_ticket == 7
    assert durable.tickets[-1] == 7
    assert sum(store.groups) == 7
    # Trio keeps idle threads for a while, so the writer's own work is what must have ended.
    assert threading.active_count() <= threads + 1


@pytest.mark.parametrize("kind", [StoreFull, StoreBusy])
def test_a_commit_without_room_is_tried_again_and_nothing_overtakes_it(
    store: GatedStore, durable: Durable, kind: type[StoreError], caplog: pytest.LogCaptureFixture
):
    async def main() -> None:
        writer = Writer(store, durable, WriterLimits(retry_first_s=0.001, retry_max_s=0.002))
        store.refusals = [refusal(kind) for _ in range(4)]
        async with trio.open_nursery() as nursery:
            writer.submit(one(1))
            await nursery.start(writer.run)
            store.gate.release(4)
            await until(lambda: writer.stats.retries == 4)
            writer.submit(one(2))
            faults = [writer.fault]
            assert durable.tickets == []
            store.gate.release(99)
            await durable.reach(2)
            faults.append(writer.fault)
            assert faults == ["a file: no room; wait", None]
            nursery.cancel_scope.cancel()

    caplog.set_level("INFO")
    trio.run(main)
    assert store.groups == [1, 1]
    # Once each, however often it was tried.
    assert [record.message for record in caplog.records] == ["storage_unavailable", "storage_available"]


def test_a_full_disk_does_not_hold_up_the_end_of_the_process(store: GatedStore, durable: Durable):
    async def main() -> None:
        writer = Writer(store, durable, WriterLimits(retry_first_s=3600))
        store.refusals = [refusal(StoreFull) for _ in range(99)]
        store.gate.release(99)
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            writer.submit(one(1))
            await until(lambda: writer.fault is not None)
            nursery.cancel_scope.cancel()

    with pytest.RaisesGroup(StoreFull):
        trio.run(main)
    assert durable.tickets == []


@pytest.mark.parametrize("kind", [StoreFailed, StoreConflict])
def test_a_fatal_fault_ends_run_with_it_and_acknowledges_nothing(
    store: GatedStore, durable: Durable, kind: type[StoreError]
):
    async def main() -> None:
        writer = Writer(store, durable)
        writer.submit(one(1))
        store.refusals = [refusal(kind)]
        store.gate.release(9)
        await writer.run()

    with pytest.raises(kind, match="no room"):
        trio.run(main)
    assert durable.tickets == []
    assert store.groups == []


def test_a_writer_that_has_ended_has_no_room_so_that_nobody_decides_on(store: GatedStore, durable: Durable):
    store.refusals.append(refusal(StoreFailed))
    store.gate.release()
    writer = Writer(store, durable)

    async def main() -> None:
        writer.submit(one(1))
        with pytest.raises(StoreFailed):
            await writer.run()

    trio.run(main)
    assert not writer.has_room


def test_a_fault_of_the_receiver_ends_run_instead_of_crashing_trio(store: GatedStore):
    def on_durable(ticket: int) -> None:
        raise LookupError(ticket)

    async def main() -> None:
        writer = Writer(store, on_durable)
        writer.submit(one(1))
        store.gate.release(9)
        await writer.run()

    with pytest.raises(LookupError):
        trio.run(main)


def test_nothing_is_announced_twice(store: GatedStore, durable: Durable):
    writer = Writer(store, durable)
    writer._announce()
    writer._committed = (3, 0)
    writer._announce()
    writer._announce()
    assert durable.tickets == [3]


def test_the_interpreter_switches_threads_sooner_while_it_runs(store: GatedStore, durable: Durable):
    async def main() -> float:
        async with trio.open_nursery() as nursery:
            await nursery.start(Writer(store, durable).run)
            await trio.testing.wait_all_tasks_blocked()
            seen_s = sys.getswitchinterval()
            nursery.cancel_scope.cancel()
        return seen_s

    before_s = sys.getswitchinterval()
    assert trio.run(main) == pytest.approx(SWITCH_INTERVAL_S)
    assert sys.getswitchinterval() == before_s


def test_an_idle_writer_never_wakes(store: GatedStore, durable: Durable):
    class Steps(trio.abc.Instrument):
        def __init__(self) -> None:
            self.names: list[str] = []

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.names.append(task.name)

    steps = Steps()

    async def main() -> list[str]:
        async with trio.open_nursery() as nursery:
            await nursery.start(Writer(store, durable).run)
            await trio.testing.wait_all_tasks_blocked()
            steps.names.clear()
            await trio.sleep(24 * 3600)
            names = list(steps.names)
            nursery.cancel_scope.cancel()
        return names

    clock = trio.testing.MockClock(autojump_threshold=0)
    names = trio.run(main, clock=clock, instruments=[steps])
    assert not [name for name in names if "Writer" in name]
    assert store.threads == set()


def test_a_disk_that_does_not_answer_is_told_by_how_long(store: GatedStore, durable: Durable):
    now = [100.0]

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            writer = Writer(store, durable, clock=lambda: now[0])
            await nursery.start(writer.run)
            assert writer.stuck_s == 0
            writer.submit(Batch([run_row(1)], [], []))
            while not store.threads:
                await trio.lowlevel.checkpoint()
            now[0] += 30
            assert writer.stuck_s == 30
            store.gate.release()
            await durable.reach(1)
            assert writer.stuck_s == 0
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_store_without_a_disk_is_written_in_submit(durable: Durable):
    async def main() -> None:
        store = MemoryStore()
        writer = new_writer(store, durable)
        assert isinstance(writer, DirectWriter)
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            await trio.testing.wait_all_tasks_blocked()
            assert writer.submit(Batch(runs=[run_row(1)])) == 1
            assert durable.tickets == [1]
            assert writer.submit(one(1)) == 2
            assert (writer.durable_ticket, writer.waiting_count, writer.fault) == (2, 0, None)
            assert writer.has_room
            assert writer.stats.commits == 2
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert durable.tickets == [1, 2]


def test_a_disk_gets_the_writer_with_a_thread(tmp_path: Path, durable: Durable):
    async def main() -> None:
        store = SqliteStore(str(tmp_path / "aether.db"))
        store.open()
        writer = new_writer(store, durable)
        assert isinstance(writer, Writer)
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            writer.submit(Batch(runs=[run_row(1)]))
            for seq in range(1, 500):
                writer.submit(one(seq))
            await durable.reach(500)
            nursery.cancel_scope.cancel()
        reader = store.reader()
        assert [event.seq for event in reader.events(1, 0, 1000)] == list(range(1, 500))
        reader.close()
        store.close()

    trio.run(main)


def test_an_errand_is_done_after_what_was_submitted_and_before_what_follows(tmp_path: Path):
    async def main() -> None:
        store = SqliteStore(str(tmp_path / "a.db"))
        store.open()
        writer = Writer(store, lambda ticket: None)
        reader = store.reader()
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            writer.submit(Batch(runs=[run_row(1)]))
            assert await writer.between(lambda there: (there is store, reader.counts())) == (True, {("order", 1): 1})
            with pytest.raises(ZeroDivisionError):
                await writer.between(lambda there: 1 // 0)
            writer.submit(Batch(runs=[run_row(2)]))
            assert await writer.between(lambda there: reader.counts()) == {("order", 1): 2}
            nursery.cancel_scope.cancel()
        reader.close()
        store.close()

    trio.run(main)


def test_an_errand_waits_for_nobody_where_there_is_no_thread():
    async def main() -> None:
        store = MemoryStore()
        store.open()
        assert await DirectWriter(store, lambda ticket: None).between(lambda there: there.name) == "memory"

    trio.run(main)
