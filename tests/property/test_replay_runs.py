"""Whatever a workflow does and whenever its worker dies: a replay does the same again, and does nothing twice.

Random programs of everything that a `Context` offers run against a small model of the server, which
answers late, in batches and in any order. The worker is killed in between, any number of times. In the end a replay of
the whole history, under another order of Trio's scheduler, must go through the same places in the same order, send
nothing, and end the same way.
"""

import random
from collections.abc import Callable

import anyio
import pytest
import trio
import trio.testing
from attrs import define, field, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aether
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.sdk.context import Context
from aether.sdk.converters import Converter
from aether.sdk.run import Run

CLIENT = aether.Client(db="memory")
INPUT = Payload(b"[]")
ONE = Payload(b"1")
DONE = Payload(b'"done"')
OOPS = Failure("Oops", "no")


@CLIENT.activity("act")
async def act(label: str) -> str:
    return label


@CLIENT.workflow("kid")
async def kid(ctx: aether.Context, label: str) -> str:
    return label


SIGNALS_MAX = 50


@frozen
class Op:
    """`kind` is one of LEAVES, or try, deadline, parallel, race or nursery."""

    kind: str
    parts: tuple[tuple["Op", ...], ...] = ()


_KINDS = (
    "step",
    "fail",
    "retried",
    "sleep",
    "activity",
    "pause",
    "signal",
    "promise",
    "publish",
    "spawn",
    "leave",
    "undo",
)
LEAVES = st.sampled_from([Op(kind) for kind in ("step", *_KINDS)])


def _nodes(inner):
    program = st.lists(inner, min_size=1, max_size=3).map(tuple)
    branches = st.lists(program, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Op, st.sampled_from(["try", "deadline"]), program.map(lambda part: (part,))),
        st.builds(Op, st.sampled_from(["parallel", "race", "nursery"]), branches),
    )


PROGRAMS = st.lists(st.recursive(LEAVES, _nodes, max_leaves=8), min_size=1, max_size=4).map(tuple)


@define
class World:
    """The server, the clock, and what the code did: everything that outlives a worker."""

    rng: random.Random
    history: list[e.Event] = field(factory=list)
    pending: dict[str, str] = field(factory=dict)
    # Sent to the worker in this order; either the events of a push or the answer to a request.
    mail: list[tuple[list[e.Event], int | None]] = field(factory=list)
    ran: list[str] = field(factory=list)
    log: list[str] = field(factory=list)
    closed: c.RunCommand | None = None
    # What one request asks for is recorded at one time.
    now: int = 1_000_000
    signals: int = 0
    then: list[c.FailStep] = field(factory=list)

    def record(self, fact: e.Fact) -> e.Event:
        event = e.Event(len(self.history) + 1, self.now, fact)
        self.history.append(event)
        return event

    def record_one_of(self, *facts: e.Fact) -> e.Event:
        return self.record(self.rng.choice(facts))

    def steps_recorded(self) -> set[str]:
        return {event.fact.name for event in self.history if isinstance(event.fact, e.StepCompleted)}

    def answer(self, commands: list[c.RunCommand]) -> None:
        self.now += 1_000
        for command in commands:
            self.apply(command)
        self.mail.append(([], len(self.history)))
        failed, self.then = self.then, []
        for command in failed:
            self.mail.append(([self.fail_step(command)], None))

    def fail_step(self, command: c.FailStep) -> e.Event:
        """An event like others, for the worker does not know how it is decided."""
        if self.closed is not None or self.rng.random() < 0.3:
            return self.record(e.StepFailed(command.path, command.name, command.failure, command.attempt))
        self.pending[command.path] = "timer"
        return self.record(e.StepRetried(command.path, command.name, command.failure, command.attempt, self.now))

    def apply(self, command: c.RunCommand) -> None:
        if isinstance(command, c.RecordStep):
            if command.failure is not None:
                self.record(e.StepFailed(command.path, command.name, command.failure, command.attempt))
            else:
                assert command.result is not None
                self.record(e.StepCompleted(command.path, command.name, command.result, command.attempt))
        elif isinstance(command, c.StartTimer):
            self.record(e.TimerStarted(command.path, 0))
            self.pending[command.path] = "timer"
        elif isinstance(command, c.ScheduleActivity):
            self.record(e.ActivityScheduled(command.path, command.activity_type, "q", command.input))
            self.pending[command.path] = "activity"
        elif isinstance(command, c.FailStep):
            self.then.append(command)
        elif isinstance(command, c.PublishValue):
            self.record(e.ValuePublished(command.path, command.key, command.value))
        elif isinstance(command, c.CreatePromise):
            self.record(e.PromiseCreated(command.path, command.name))
            self.pending[command.path] = "promise"
        elif isinstance(command, c.StartChild):
            self.record(e.ChildStarted(command.path, "kid", "r2", command.workflow_type))
            self.pending[command.path] = "child"
        elif isinstance(command, c.CancelPending):
            self.give_up(command.path)
        else:
            assert isinstance(command, c.CompleteRun | c.FailRun | c.CancelRun), command
            self.closed = command

    def give_up(self, path: str) -> None:
        kind = self.pending.get(path)
        if kind == "timer":
            del self.pending[path]
            self.record(e.TimerCancelled(path))
        elif kind == "promise":
            del self.pending[path]
            self.record(e.PromiseDropped(path))
        elif kind == "activity":
            self.pending[path] = "cancelling"
            self.record(e.ActivityCancelRequested(path))
        elif kind == "child":
            self.pending[path] = "ending"
            self.record(e.ChildCancelRequested(path))

    def progress(self) -> None:
        """Something of what is pending comes to its end, and the worker is told."""
        self.now += 1_000
        path = self.rng.choice(sorted(self.pending))
        kind = self.pending.pop(path)
        if kind == "timer":
            event = self.record(e.TimerFired(path))
        elif kind == "promise":
            event = self.record_one_of(e.PromiseResolved(path, ONE), e.PromiseRejected(path, OOPS))
        elif kind == "child":
            event = self.record_one_of(e.ChildCompleted(path, DONE), e.ChildFailed(path, OOPS))
        elif kind == "ending":
            event = self.record_one_of(e.ChildCompleted(path, DONE), e.ChildCancelled(path))
        elif kind == "cancelling" and self.rng.random() < 0.5:
            event = self.record(e.ActivityCancelled(path))
        elif self.rng.random() < 0.2:
            event = self.record(e.ActivityFailed(path, 1, OOPS))
        else:
            event = self.record(e.ActivityCompleted(path, 1, DONE))
        self.mail.append(([event], None))

    def signal(self) -> None:
        self.signals += 1
        self.mail.append(([self.record(e.SignalReceived("s", Payload(b"%d" % self.signals)))], None))

    def request_cancel(self) -> None:
        if not any(isinstance(event.fact, e.CancelRequested) for event in self.history):
            self.mail.append(([self.record(e.CancelRequested("enough"))], None))


@define(eq=False)
class WorkerEnd:
    """What the session is to a run."""

    nursery: trio.Nursery
    world: World
    converter: Converter = field(factory=Converter)
    new_event: Callable[[], anyio.Event] = anyio.Event
    threads: anyio.CapacityLimiter = field(factory=lambda: anyio.CapacityLimiter(1))
    is_draining: bool = False
    restless: bool = False
    is_traced: bool = False

    def now(self) -> int:
        return 0

    def mark(self, run: Run) -> None: ...

    def fidget(self, run: Run) -> None:
        self.restless = True

    def spawn(self, function) -> None:
        self.nursery.start_soon(function)

    def reuse(self, run_id: str, path: str) -> None:
        return None

    def keep(self, run_id: str, command: c.RecordStep) -> None: ...


class Interpreter:
    """Makes a workflow function of a program. Every place has a name of its own."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def main(self, ctx: aether.Context, program: tuple[Op, ...]) -> object:
        try:
            return await self.block(ctx, program, "")
        finally:
            with ctx.shield():
                await self.step(ctx, "tidy")

    async def block(self, ctx: aether.Context, program: tuple[Op, ...], place: str) -> list[object]:
        results = []
        for number, op in enumerate(program):
            here = f"{place}/{number}{op.kind}"
            results.append(await self.op(ctx, op, here))
            self.world.log.append(here)
        return results

    async def op(self, ctx: aether.Context, op: Op, here: str) -> object:
        if op.kind == "step":
            return await self.step(ctx, here)
        if op.kind == "fail":
            return await ctx.step(here, self.fail, here)
        if op.kind == "sleep":
            return await ctx.sleep(1)
        if op.kind == "activity":
            return await ctx.activity(act, here)
        if op.kind == "pause":
            await anyio.lowlevel.checkpoint()
            return str(ctx.uuid()) + str(ctx.now()) + str(ctx.random())
        if op.kind in ("signal", "promise", "publish", "spawn", "leave", "undo", "retried"):
            return await self.other(ctx, op, here)
        if op.kind == "deadline":
            async with ctx.move_on_after(1) as deadline:
                await self.block(ctx, op.parts[0], here)
            return deadline.expired
        if op.kind == "try":
            return await self.attempt(ctx, op.parts[0], here)
        functions = [self.branch(ctx, part, f"{here}.{number}") for number, part in enumerate(op.parts)]
        if op.kind == "parallel":
            return await ctx.parallel(functions)
        if op.kind == "race":
            return await ctx.race(functions)
        async with ctx.nursery() as nursery:
            for function in functions:
                nursery.start_soon(function)
            await self.step(ctx, f"{here} beside")
        return None

    async def other(self, ctx: aether.Context, op: Op, here: str) -> object:
        if op.kind == "signal":
            return await ctx.wait_signal("s")
        if op.kind == "publish":
            return await ctx.publish("k", here)
        if op.kind == "undo":
            return await ctx.on_failure(f"{here} undo", self.work, f"{here} undo")
        if op.kind == "retried":
            return await ctx.step(here, self.unsteady, here, retry=aether.RetryPolicy())
        pending = await (ctx.promise("p") if op.kind == "promise" else ctx.spawn(kid, here))
        await self.step(ctx, f"{here} meanwhile")
        return None if op.kind == "leave" else await pending.result()

    def branch(self, ctx, program, place):
        async def run() -> object:
            try:
                return await self.block(ctx, program, place)
            finally:
                # Branches that are cancelled together share variables like any others.
                self.world.log.append(f"{place} left")

        return run

    async def attempt(self, ctx: aether.Context, program: tuple[Op, ...], here: str) -> object:
        try:
            return await self.block(ctx, program, here)
        except Exception as error:
            return type(error).__name__

    async def step(self, ctx: aether.Context, here: str) -> str:
        return await ctx.step(here, self.work, here)

    async def work(self, here: str) -> str:
        assert here not in self.world.steps_recorded(), f"{here} ran again"
        for _ in range(self.world.rng.randrange(3)):
            await anyio.lowlevel.checkpoint()
        return here

    async def unsteady(self, here: str) -> str:
        if self.world.rng.random() < 0.6:
            raise ValueError(here)
        return await self.work(here)

    async def fail(self, here: str) -> None:
        await anyio.lowlevel.checkpoint()
        raise ValueError(here)


async def lease(world: World, program: tuple[Op, ...], *, moves: int | None, cancel_at: int | None) -> Run:
    """Hand the run to a new worker; it dies after so many moves of the server, or ends the run."""
    attempt = 1 + sum(isinstance(event.fact, e.RunStarted) for event in world.history)
    if not world.history:
        world.record(e.RunCreated("w", "run-1", "t", "q", INPUT))
    world.record(e.RunStarted("worker", attempt, "" if attempt == 1 else "lost"))
    world.mail.clear()
    world.log.clear()
    async with trio.open_nursery() as nursery:
        run = begin(nursery, world, program)
        run.receive(world.history)
        made = 0
        try:
            while world.closed is None and made != moves:
                await at_rest(run)
                made += 1
                if cancel_at is not None and len(world.history) >= cancel_at:
                    world.request_cancel()
                move(world, run)
                assert made < 2_000, f"it does not come to an end: {run.replay}"
            await at_rest(run)
        finally:
            run.drop()
            nursery.cancel_scope.cancel()
    return run


def begin(nursery: trio.Nursery, world: World, program: tuple[Op, ...]) -> Run:
    interpreter = Interpreter(world)

    async def function(ctx: aether.Context) -> object:
        return await interpreter.main(ctx, program)

    workflow = aether.Client(db="memory").workflow("t")(function)
    end = WorkerEnd(nursery, world)
    run = Run(end, 1, world.history[0].fact, world.history[0].at, workflow)  # type: ignore[arg-type]
    run.port_of_test = end  # type: ignore[attr-defined]
    nursery.start_soon(run.main, Context(run, end.converter))
    return run


async def at_rest(run: Run) -> None:
    """Nothing moves by itself any more; nudged like the session does it."""
    await trio.testing.wait_all_tasks_blocked()
    while run.port_of_test.restless:  # type: ignore[attr-defined]
        run.port_of_test.restless = False  # type: ignore[attr-defined]
        run.hurry()
        await trio.testing.wait_all_tasks_blocked()


def move(world: World, run: Run) -> None:
    """One of the things that may happen next."""
    choices = ["take"]
    if world.mail:
        choices += ["deliver", "deliver"]
    if world.pending:
        choices.append("progress")
    if world.signals < SIGNALS_MAX:
        choices.append("signal")
    choice = world.rng.choice(choices)
    if choice == "take":
        output = run.take(world.rng.choice([1, 2, 1_000]))
        if output is not None:
            world.answer(output[0])
    elif choice == "progress":
        world.progress()
    elif choice == "signal":
        world.signal()
    else:
        for _ in range(min(world.rng.choice([1, 2, 100]), len(world.mail))):
            events, seq = world.mail.pop(0)
            if seq is None:
                run.receive(events)
            else:
                run.acknowledge(seq, world.history[seq - 1].at)


async def replay_all(world: World, program: tuple[Op, ...]) -> tuple[list[c.RunCommand], list[str]]:
    """A worker that is given the whole history at once: what it sends, and the places it came through."""
    again = World(random.Random(0), history=world.history)
    async with trio.open_nursery() as nursery:
        run = begin(nursery, again, program)
        run.receive(world.history)
        await at_rest(run)
        output = run.take()
        nursery.cancel_scope.cancel()
    return (output[0] if output else []), again.log


def run_seeded(seed: int, function, *args, **kwargs):
    """`trio.run` with a scheduler order of its own. Both names are private to Trio; there is no public way yet."""
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]

    async def main():
        trio._core._run._r.seed(seed)
        return await function(*args, **kwargs)

    return trio.run(main)


def check(program, seed, crashes, cancel_at):
    world = World(random.Random(seed))
    for number, moves in enumerate([*crashes, None]):
        run_seeded(seed + number, lease, world, program, moves=moves, cancel_at=cancel_at)
        if world.closed is not None:
            break
    log = list(world.log)
    recorded = [event.fact.name for event in world.history if isinstance(event.fact, e.StepCompleted)]
    assert len(recorded) == len(set(recorded)), "a step was recorded twice"
    for other in range(3):
        sent, places = run_seeded(1_000 + other, replay_all, world, program)
        assert places == log
        assert sent == [world.closed]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    program=PROGRAMS,
    seed=st.integers(0, 2**16),
    crashes=st.lists(st.integers(0, 30), max_size=3),
    cancel_at=st.one_of(st.none(), st.integers(2, 20)),
)
def test_a_replay_of_any_history_does_the_same_and_sends_nothing_again(program, seed, crashes, cancel_at):
    check(program, seed, crashes, cancel_at)


EVERYTHING = (
    Op("step"),
    Op("parallel", ((Op("step"), Op("sleep")), (Op("activity"), Op("pause"), Op("step")), (Op("step"),))),
    Op("try", ((Op("nursery", ((Op("activity"),), (Op("step"), Op("fail")))),),)),
    Op("race", ((Op("sleep"), Op("step")), (Op("signal"), Op("retried")), (Op("activity"),))),
    Op("undo"),
    Op("deadline", ((Op("promise"), Op("spawn")),)),
    Op("leave"),
    Op("activity"),
)


@pytest.mark.parametrize("cancel_at", [None, 9])
@pytest.mark.parametrize("seed", range(3))
def test_a_crash_after_every_move_of_the_server_changes_nothing(seed, cancel_at):
    for moves in range(60):
        check(EVERYTHING, seed, [moves], cancel_at)
