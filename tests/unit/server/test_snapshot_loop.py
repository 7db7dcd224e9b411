"""Who is told when in tier L1: of open runs at once, of the end of a run when it is on disk."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio
import trio.testing
from attrs import define, field

from aether.core.effects import Closed, Effect, EndSession, Recorded, Reply, SendEvents, Signalled, Started
from aether.core.engine import Engine
from aether.core.inputs import (
    AwaitRun,
    CancelRun,
    CloseSession,
    Complete,
    DescribeRun,
    Input,
    OpenSession,
    SetQueue,
    SignalRun,
    StartRun,
    Tick,
)
from aether.errors import StaleLease
from aether.model import commands as c
from aether.model.payload import Failure, Payload
from aether.server.clock import Clock
from aether.server.gathering import GatheringWriter
from aether.server.histories import Histories
from aether.server.sinks import Outbox, PollStream
from aether.server.snapshot_loop import SnapshotLoop
from aether.server.tally import Tally
from aether.store.memory import MemoryStore
from aether.wire.generated.aether.v1 import worker_pb2 as wpb
from tests.unit.server.task_desk import TaskDesk

COMMIT_S = 0.5


class Disk(MemoryStore):
    is_durable = True


class Watched(SnapshotLoop):
    """Notes every effect that goes out, with the ticket that is durable then."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.performed: list[tuple[Effect, int]] = []

    def _perform(self, effects: list[Effect]) -> None:
        self.performed += [(effect, self._gathering.durable_ticket) for effect in effects]
        super()._perform(effects)


@define
class It:
    loop: Watched
    writer: GatheringWriter
    disk: Disk
    desk: TaskDesk
    answers: list[tuple[str, object]] = field(factory=list)
    sinks: dict[int, PollStream] = field(factory=dict)

    def post(self, kind: Callable[..., Input], name: str, *args: object) -> None:
        self.loop.post(kind(partial(self.note, name), *args))

    def note(self, name: str, answer: object) -> None:
        self.answers.append((name, answer))

    def start(self, name: str) -> None:
        self.post(StartRun, name, "t", name, f"run-{name}", "default", Payload(b"1"))

    def open(self, number: int, slots: int = 10) -> None:
        sink = PollStream(number, self.loop.outbox)
        self.sinks[number] = self.loop.sinks[number] = sink
        self.loop.post(OpenSession(number, f"w{number}", "default", ("t",), (), slots, slots))

    def complete(self, name: str, token: int, *commands: c.Command, **fields: bool | int) -> None:
        item = Complete(partial(self.note, name), token, commands, **fields)  # type: ignore[arg-type]
        self.loop.post(item)

    def token(self, workflow_id: str) -> int:
        lease = self.loop.engine.state.open_ids[workflow_id].lease
        assert lease is not None
        return lease.token

    def tasks(self, number: int) -> list[tuple[str, list[str]]]:
        """What a worker was sent: of which run, and which facts."""
        tasks = [wpb.Task.FromString(task).workflow for task in self.sinks[number]._waiting]
        return [(task.workflow_id, [str(event.WhichOneof("fact")) for event in task.events]) for task in tasks]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.answers]


@asynccontextmanager
async def running() -> AsyncIterator[It]:
    disk, desk, clock = Disk(), TaskDesk(COMMIT_S), Clock()
    loop = Watched(Engine(clock.now(), epoch=disk.open().epoch), clock, Histories(1_000_000), Tally({}))
    loop.outbox = Outbox(lambda *args: None, loop.block)
    writer = GatheringWriter(disk, loop.on_durable, 1.0, desk=desk)
    loop.attach(writer)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        nursery.start_soon(loop.run)
        yield It(loop, writer, disk, desk)
        nursery.cancel_scope.cancel()


def run(main: object) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))  # type: ignore[arg-type]


async def soon() -> None:
    await trio.sleep(0.01)


DONE = c.CompleteRun(Payload(b"3"))


def step(path: str) -> c.RecordStep:
    return c.RecordStep(path, "s", Payload(b"2"))


def test_a_start_and_a_step_are_acknowledged_before_they_are_on_disk() -> None:
    async def main() -> None:
        async with running() as it:
            it.open(1)
            it.start("a")
            await soon()
            it.complete("step", it.token("a"), step("1"))
            await soon()
            assert it.names == ["a", "step"]
            assert isinstance(it.answers[0][1], Started)
            assert isinstance(it.answers[1][1], Recorded)
            assert it.tasks(1) == [("a", ["run_created", "run_started"])]
            assert it.disk.runs == {}
            await trio.sleep(1 + COMMIT_S)
            assert len(it.disk.logs[1]) == 3

    run(main)


def test_how_a_run_ended_is_told_when_it_is_on_disk_and_that_is_soon() -> None:
    async def main() -> None:
        async with running() as it:
            it.open(1)
            it.start("a")
            it.start("b")
            it.post(AwaitRun, "result", "a")
            await soon()
            it.complete("end", it.token("a"), DONE)
            await soon()
            it.complete("step of b", it.token("b"), step("1"))
            it.start("c")
            await soon()
            assert it.names == ["a", "b", "step of b", "c"], "whoever is not concerned does not wait"
            assert it.loop.histories.events(1, 1, 1) is not None
            await trio.sleep(COMMIT_S)
            assert it.names[4:] == ["end", "result"] or it.names[4:] == ["result", "end"]
            assert isinstance(dict(it.answers)["result"], Closed)
            assert it.disk.runs[1].closed_at is not None
            assert it.loop.histories.events(1, 1, 1) is None
            assert it.loop._held == {}
            assert not it.loop._holds

    run(main)


def test_who_asks_after_a_run_has_ended_is_told_when_that_is_on_disk() -> None:
    async def main() -> None:
        async with running() as it:
            it.open(1)
            it.start("a")
            await soon()
            it.complete("end", it.token("a"), DONE)
            await soon()
            it.post(AwaitRun, "result", "a")
            await soon()
            assert it.names == ["a"]
            await trio.sleep(2 * COMMIT_S)
            assert isinstance(dict(it.answers)["result"], Closed)
            assert it.disk.runs[1].closed_at is not None

    run(main)


async def parent_and_child(it: It) -> None:
    """The child has just ended, and nothing of it is on disk."""
    it.open(1)
    it.start("parent")
    await soon()
    start_child = c.StartChild("1", "t", "child", "", Payload(b"1"))
    it.complete("child", it.token("parent"), start_child)
    await soon()
    it.complete("end", it.token("child"), DONE)
    await soon()


def test_a_parent_hears_of_its_child_when_that_is_on_disk_and_in_order() -> None:
    async def main() -> None:
        async with running() as it:
            await parent_and_child(it)
            it.post(SignalRun, "signal", "parent", "", "s", Payload(b"1"))
            await soon()
            assert isinstance(it.answers[-1][1], Signalled)
            before = len(it.tasks(1))
            await trio.sleep(2 * COMMIT_S)
            assert [facts for _, facts in it.tasks(1)[before:]] == [["child_completed"], ["signal_received"]]

    run(main)


def test_a_parent_that_is_handed_to_another_worker_does_not_tell_it_too_early() -> None:
    async def main() -> None:
        async with running() as it:
            await parent_and_child(it)
            it.loop.post(CloseSession(1, "gone"))
            it.open(2)
            await soon()
            assert it.tasks(2) == []
            await trio.sleep(2 * COMMIT_S)
            ((name, facts),) = it.tasks(2)
            assert name == "parent"
            assert "child_completed" in facts

    run(main)


def test_a_refusal_and_the_end_of_a_session_come_behind_what_waits() -> None:
    async def main() -> None:
        async with running() as it:
            it.open(1)
            it.start("a")
            await soon()
            token = it.token("a")
            it.complete("end", token, DONE)
            it.complete("late", token, step("9"))
            it.loop.post(Reply(partial(it.note, "garbled"), StaleLease("x")))
            await soon()
            it.complete("later", token, step("9"))
            await soon()
            assert it.names == ["a"]
            await trio.sleep(2 * COMMIT_S)
            assert it.names == ["a", "end", "late", "garbled", "later"]
            it.complete("much later", token, step("9"))
            await soon()
            assert it.names[-1] == "much later", "nothing waits any more"

    run(main)


def test_a_session_that_falls_silent_ends_behind_what_waits() -> None:
    async def main() -> None:
        async with running() as it:
            it.desk.commit_s = 0.9
            it.open(1)
            it.start("a")
            await trio.sleep(14.5)
            # The end of a run that nobody has begun: a commit is under way while the worker is given up.
            it.post(StartRun, "b", "other", "b", "run-b", "default", Payload(b"1"))
            it.post(CancelRun, "cancel", "b")
            await trio.sleep(0.6)
            it.loop.post(Tick())
            await soon()
            assert it.names == ["a", "b"]
            assert not it.loop.engine.state.sessions
            assert 1 in it.loop.sinks
            await trio.sleep(1.5)
            assert it.names == ["a", "b", "cancel"]
            assert 1 not in it.loop.sinks

    run(main)


def test_nobody_is_told_of_anything_while_the_disk_does_not_keep_up() -> None:
    async def main() -> None:
        async with running() as it:
            it.desk.commit_s = 30
            it.start("a")
            await trio.sleep(2.1)
            it.start("b")
            it.post(DescribeRun, "status", "a")
            await trio.sleep(20)
            assert it.names == ["a"]
            it.desk.commit_s = COMMIT_S
            await trio.sleep(15)
            assert it.names == ["a", "b", "status"]
            it.start("c")
            await soon()
            assert it.names[-1] == "c"

    run(main)


class Decided:
    """An engine that notes what it decided, in order."""

    def __init__(self, engine: Engine, it: It) -> None:
        self.engine, self.it = engine, it
        self.effects: list[Effect] = []
        self.closing: dict[int, int] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self.engine, name)

    def apply(self, item: Input, now: int) -> object:
        before = self.engine.state.counters.runs_closed
        decision = self.engine.apply(item, now)
        if self.engine.state.counters.runs_closed > before:
            for effect in decision.effects:
                self.closing[id(effect)] = self.it.loop._last_ticket + 1
        self.effects += decision.effects
        return decision


def random_input(it: It, draw: random.Random, number: int) -> None:
    state = it.loop.engine.state
    leases = [lease for lease in state.leases.values() if lease.activity is None]
    chance = draw.random()
    if chance < 0.15 or not leases:
        it.start(f"r{number}")
    elif chance < 0.2:
        it.open(number + 10, draw.choice([1, 3, 50]))
    elif chance < 0.24 and len(it.loop.sinks) > 1:
        session = draw.choice(list(it.loop.sinks))
        del it.loop.sinks[session]
        it.loop.post(CloseSession(session, "gone"))
    elif chance < 0.35:
        it.post(SignalRun, "", draw.choice(list(state.open_ids)), "", "s", Payload(b"1"))
    elif chance < 0.38:
        it.post(CancelRun, "", draw.choice(list(state.open_ids)))
    else:
        lease = draw.choice(leases)
        child = c.StartChild(f"{number}", "t", f"c{number}", "", Payload(b"1"))
        choices: list[tuple[c.Command, ...]] = [
            (step("1"),),
            (child,),
            (DONE,),
            (DONE,),
            (step("1"), c.FailRun(Failure("E", "e"))),
        ]
        commands = draw.choice(choices)
        it.complete("", lease.token, *commands, blocked=draw.random() < 0.3, known_seq=lease.pushed_seq)


def names_of(effect: Effect) -> list[object]:
    if isinstance(effect, Reply):
        return [effect.answer.token] if isinstance(effect.answer, Recorded) else []
    if isinstance(effect, EndSession):
        return []
    return [effect.token, ("run", effect.run_key)] if isinstance(effect, SendEvents) else [effect.token]


def test_each_lease_and_each_run_gets_its_news_in_order_and_no_end_before_it_is_on_disk() -> None:
    async def main(seed: int) -> None:
        draw = random.Random(seed)
        async with running() as it:
            it.desk.commit_s = 0.03
            decided = Decided(it.loop.engine, it)
            it.loop.engine = decided  # type: ignore[assignment]
            it.open(1, 50)
            for number in range(250):
                random_input(it, draw, number)
                if draw.random() < 0.6:
                    await trio.sleep(draw.choice([0, 0.001, 0.02]))
            await trio.sleep(3)
            performed = [effect for effect, _ in it.loop.performed]
            assert sorted(map(id, performed)) == sorted(map(id, decided.effects)), "all of it, once"
            place = {id(effect): number for number, effect in enumerate(performed)}
            last: dict[object, int] = {}
            for effect in decided.effects:
                for name in names_of(effect):
                    assert place[id(effect)] > last.get(name, -1), "news of one lease out of order"
                    last[name] = place[id(effect)]
            early = 0
            for effect, durable in it.loop.performed:
                assert durable >= decided.closing.get(id(effect), 0), "told before it was on disk"
                early += id(effect) not in decided.closing
            assert early > 100
            assert len(decided.closing) > 20
            assert it.loop._held == {}

    for seed in range(8):
        trio.run(main, seed, clock=trio.testing.MockClock(autojump_threshold=0))


def test_what_is_set_of_a_task_queue_is_on_disk_when_it_is_told() -> None:
    async def main() -> None:
        async with running() as it:
            it.post(SetQueue, "pause", "default", True, "deploy")
            await trio.sleep(COMMIT_S / 2)
            assert (it.names, it.disk.settings) == ([], {})
            await trio.sleep(COMMIT_S)
            assert it.names == ["pause"]
            assert list(it.disk.settings) == ["queue/default"]

    run(main)
