"""Claims about the task that removes old closed runs: when, how much, and in nobody's way."""

import logging
from functools import partial
from itertools import pairwise

import pytest
import trio
import trio.testing

from aether.model.runs import RunState
from aether.server.clock import Clock
from aether.server.retention import LOOK_S, Keep, retain
from aether.server.tally import Tally
from aether.server.writer import DirectWriter, Writer
from aether.store.interface import Batch, Forgotten, Retention, StoreBusy, StoreFailed
from aether.store.memory import MemoryStore
from aether.testing.store_suite import event_row, run_row
from tests.unit.server.task_desk import TaskDesk

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


DAY_US = 86_400_000_000


def test_settings_become_bounds():
    assert Keep(0, 0).at(5 * DAY_US) is None
    assert Keep(10, 0).at(5 * DAY_US) == Retention(None, 10)
    assert Keep(0, 1.5).at(5 * DAY_US) == Retention(7 * DAY_US // 2, None)
    assert Keep().at(0) == Retention(None, 1_000_000)


def filled(count: int) -> MemoryStore:
    store = MemoryStore(closed_max=10**6)
    store.open()
    store.commit([Batch(runs=[run_row(key, state=3, closed_at=key) for key in range(1, count + 1)])])
    return store


async def test_what_is_too_much_is_removed_at_once_and_later_again(caplog):
    caplog.set_level(logging.INFO, "aether.server")
    store = filled(500)
    tally = Tally(store.reader().counts())
    writer = DirectWriter(store, lambda ticket: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(retain, Keep(100), writer, Clock(), tally)
        await trio.sleep(LOOK_S / 2)
        assert len(store.runs) == 100
        assert [count for _, _, count in tally] == [100]
        store.commit([Batch(runs=[run_row(501, state=3, closed_at=501)])])
        tally.open("t")
        tally.change("t", RunState.PENDING, RunState.COMPLETED)
        await trio.sleep(LOOK_S + 1)
        assert sorted(store.runs) == list(range(402, 502))
        nursery.cancel_scope.cancel()
    assert [(record.msg, record.__dict__["fields"]) for record in caplog.records if record.msg == "runs_removed"] == [
        ("runs_removed", {"count": 400}),
        ("runs_removed", {"count": 1}),
    ]


@pytest.mark.parametrize("keep", [Keep(100), Keep(100, 1.0), Keep(0, 1.0)])
async def test_the_disk_is_left_alone_while_nothing_can_have_to_go(keep):
    store = Watched()
    store.open()
    writer = DirectWriter(store, lambda ticket: None)
    tally = Tally({})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(retain, keep, writer, Clock(), tally)
        await trio.sleep(3600)
        assert store.said == ["part"]
        tally.open("t")
        tally.change("t", RunState.PENDING, RunState.COMPLETED)
        await trio.sleep(3600)
        # That one may grow old; then it is looked for a thousand times in its life.
        looks = 1 + int(3600 / (86.4 + LOOK_S)) if keep.closed_days else 1
        assert abs(store.said.count("part") - looks) <= 1
        nursery.cancel_scope.cancel()


async def test_without_a_bound_there_is_nothing_to_do():
    await retain(Keep(0, 0), DirectWriter(filled(1), lambda ticket: None), Clock(), Tally({}))


class Watched(MemoryStore):
    is_durable = True

    def __init__(self) -> None:
        super().__init__(closed_max=10**6)
        self.said: list[str] = []
        self.refusals: list[Exception] = []

    def commit(self, batches):
        self.said.append("commit")
        super().commit(batches)

    def forget(self, keep: Retention, rows_max: int) -> Forgotten:
        if self.refusals:
            raise self.refusals.pop(0)
        self.said.append("part")
        return super().forget(keep, rows_max)


async def test_commits_have_their_turn_between_two_parts():
    store = Watched()
    store.open()
    store.commit([Batch(runs=[run_row(key, state=3, closed_at=key) for key in range(1, 2_001)])])
    store.said.clear()
    keys = iter(range(10_001, 10_041))

    def submit_another(ticket: int) -> None:
        for key in keys:
            writer.submit(Batch(runs=[run_row(key)], events=[event_row(key, 1)]))
            return

    writer = Writer(store, submit_another, desk=TaskDesk(commit_s=0))
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        submit_another(0)
        nursery.start_soon(retain, Keep(1), writer, Clock(), Tally({}))
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert store.said.count("part") == 20
    assert store.said.count("commit") == 40
    assert ("part", "part") not in pairwise(store.said)


async def test_a_full_disk_is_waited_for_and_a_broken_one_is_not():
    store = Watched()
    store.open()
    store.commit([Batch(runs=[run_row(key, state=3, closed_at=key) for key in (1, 2)])])
    fault = partial(StoreBusy, "busy", where="a file", advice="wait")
    store.refusals = [fault(), fault(), StoreFailed("broken", where="a file", advice="mend it")]
    writer = DirectWriter(store, lambda ticket: None)
    started = trio.current_time()
    with pytest.raises(StoreFailed):
        await retain(Keep(1), writer, Clock(), Tally({}))
    assert trio.current_time() - started == 2 * LOOK_S
