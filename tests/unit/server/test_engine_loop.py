import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing
from attrs import define, field

from aether.core.effects import Recorded, Reply, Started
from aether.core.engine import Engine
from aether.core.inputs import Complete, DescribeRun, Input, OpenSession, StartRun
from aether.core.views import RunView
from aether.model import commands as c
from aether.model.payload import Payload
from aether.server.clock import Clock
from aether.server.engine_loop import EngineLoop
from aether.server.histories import Histories
from aether.server.sinks import Outbox, PollStream
from aether.server.tally import Tally
from aether.server.writer import Writer
from aether.store.interface import Batch, StoreFull
from aether.store.memory import MemoryStore
from aether.wire.generated.aether.v1 import worker_pb2 as wpb


class SlowDisk(MemoryStore):
    """A durable store whose commits wait until the test lets them through, and may find the disk full."""

    is_durable = True

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Semaphore(0)
        self.is_full = False

    def commit(self, batches: Sequence[Batch]) -> None:
        if self.is_full:
            raise StoreFull("no space left", where="disk", advice="free some")
        self.gate.acquire()
        super().commit(batches)


@define
class Loop:
    loop: EngineLoop
    disk: SlowDisk
    answers: list[object] = field(factory=list)
    heard: trio.Event = field(factory=trio.Event)

    def reply(self, name: str, answer: object) -> None:
        self.answers.append((name, answer))
        self.heard.set()

    def post(self, kind: type, name: str, *args: object) -> None:
        item: Input = kind(partial(self.reply, name), *args)
        self.loop.post(item)

    async def hear(self) -> None:
        await self.heard.wait()
        self.heard = trio.Event()

    def names(self) -> list[object]:
        return [answer[0] for answer in self.answers]  # type: ignore[index]


@asynccontextmanager
async def running() -> AsyncIterator[Loop]:
    disk = SlowDisk()
    opened = disk.open()
    clock = Clock()
    loop = EngineLoop(Engine(clock.now(), epoch=opened.epoch), clock, Histories(1_000_000), Tally({}))
    loop.outbox = Outbox(lambda *args: None, loop.block)
    writer = Writer(disk, loop.on_durable)
    loop.attach(writer)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        nursery.start_soon(loop.run)
        yield Loop(loop, disk)
        disk.is_full = False
        disk.gate.release(1_000)
        nursery.cancel_scope.cancel()


def started(names: Loop, name: str) -> None:
    names.post(StartRun, name, "t", name, f"run-{name}", "default", Payload(b"1"))


def test_nobody_is_told_of_anything_before_it_is_durable() -> None:
    async def main() -> None:
        async with running() as it:
            started(it, "a")
            it.post(DescribeRun, "read of a", "a")
            await trio.testing.wait_all_tasks_blocked()
            assert it.answers == []
            it.disk.gate.release()
            await it.hear()
            assert it.names() == ["a", "read of a"]
            assert isinstance(it.answers[0][1], Started)  # type: ignore[index]
            assert isinstance(it.answers[1][1], RunView)  # type: ignore[index]

    trio.run(main)


def test_the_engine_decides_on_while_a_commit_is_under_way_and_answers_keep_their_order() -> None:
    async def main() -> None:
        async with running() as it:
            for name in "abc":
                started(it, name)
                await trio.testing.wait_all_tasks_blocked()
            it.loop.post(Reply(partial(it.reply, "note"), None))
            assert len(it.loop.engine.state.runs) == 3
            it.disk.gate.release(3)
            while len(it.answers) < 4:
                await it.hear()
            assert it.names() == ["a", "b", "c", "note"]

    trio.run(main)


def test_a_full_disk_delays_and_loses_nothing() -> None:
    async def main() -> None:
        async with running() as it:
            it.disk.is_full = True
            started(it, "a")
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert it.answers == []
            it.disk.is_full = False
            it.disk.gate.release()
            await it.hear()
            assert it.names() == ["a"]

    trio.run(main)


def test_a_run_that_starts_and_ends_in_one_batch_is_written_once_as_it_ended_up() -> None:
    async def main() -> None:
        async with running() as it:
            sink = PollStream(1, it.loop.outbox)
            it.loop.sinks[1] = sink
            it.loop.post(OpenSession(1, "w", "default", ("t",), (), 10, 10))
            started(it, "a")
            await trio.testing.wait_all_tasks_blocked()
            token = next(iter(it.loop.engine.state.leases))
            it.post(Complete, "steps", token, (c.RecordStep("1", "s", Payload(b"2")), c.CompleteRun(Payload(b"3"))))
            it.disk.gate.release(3)
            while len(it.answers) < 2:
                await it.hear()
            assert it.answers[1][1] == Recorded(token, 4, it.answers[1][1].at)  # type: ignore[index]
            row = it.disk.reader().run("a", None)
            assert row is not None
            assert row.closed_at is not None
            assert [event.seq for event in it.disk.reader().events(row.key, 0, 10)] == [1, 2, 3, 4]
            assert list(it.loop.tally) == [("t", 3, 1)]

    trio.run(main)


def test_a_task_reaches_its_worker_with_the_bytes_that_were_stored() -> None:
    async def main() -> None:
        async with running() as it:
            sink = PollStream(1, it.loop.outbox)
            it.loop.sinks[1] = sink
            it.loop.post(OpenSession(1, "w", "default", ("t",), (), 10, 10))
            started(it, "a")
            await trio.testing.wait_all_tasks_blocked()
            assert not sink._waiting, "not before it is durable"
            it.disk.gate.release(2)
            await it.hear()
            task = wpb.Task.FromString(sink._waiting[0])
            row = it.disk.reader().run("a", None)
            assert row is not None
            stored = [event.body for event in it.disk.reader().events(row.key, 0, 10)]
            assert [event.SerializeToString() for event in task.workflow.events] == stored

    trio.run(main)


def read_together(it: Loop, *names: str) -> int:
    """As when a connection takes in what it has read; how many batches that made, at once."""
    before = it.loop.last_ticket
    it.loop.burst.begin_reading()
    for name in names:
        started(it, name)
    it.loop.burst.end_reading()
    return it.loop.last_ticket - before


def test_where_little_comes_in_it_is_decided_as_soon_as_it_was_read() -> None:
    async def main() -> None:
        async with running() as it:
            it.disk.gate.release(1_000)
            for number in range(8):
                assert read_together(it, f"first-{number}") == 0
                await it.hear()
            assert read_together(it, "a") == 1
            # What is on its way to the disk is what a next commit gathers behind.
            assert read_together(it, "b") == 0
            while len(it.answers) < 10:
                await it.hear()
            assert read_together(it, "c", "d", "e") == 0
            while len(it.answers) < 13:
                await it.hear()
            assert read_together(it, "f") == 0, "many came in a moment ago"
            await it.hear()
            assert it.names()[-4:] == ["c", "d", "e", "f"]

    trio.run(main)


def test_a_fault_in_what_was_read_ends_the_loop_and_not_who_read() -> None:
    async def main() -> None:
        async with running() as it:
            it.disk.gate.release(1_000)
            for number in range(8):
                started(it, f"first-{number}")
                await it.hear()
            it.loop.burst.begin_reading()
            it.loop.post(object())  # type: ignore[arg-type]
            it.loop.burst.end_reading()
            assert await trio.sleep(5) is None

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    assert caught.group_contains(KeyError)
