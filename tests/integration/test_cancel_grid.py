"""No cancel is lost, whatever the run waits for, whoever asks and whenever: see `cancel_grid.py` for the table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest
from attrs import define, evolve, field

import aether
from aether.model.limits import DEFAULT_LIMITS
from aether.server import embed, serve
from tests.integration.cancel_grid import ASKED_BY, BLOCKED, SENSELESS, WHEN, cases, until

pytestmark = pytest.mark.anyio

NEVER_S = 100_000.0
DEADLINE_S = 0.1


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@define(eq=False)
class Stage:
    """A client with a workflow that blocks as it is told to, in a block that cleans up by a step under a shield."""

    client: aether.Client
    notes: list[str] = field(factory=list)
    reached: dict[str, anyio.Event] = field(factory=dict)
    # Closed: the clean-up waits for it.
    gate: anyio.Event | None = None
    victim: Any = None
    parent: Any = None

    def __attrs_post_init__(self) -> None:
        self._define()

    def point(self, name: str) -> anyio.Event:
        return self.reached.setdefault(name, anyio.Event())

    def stopped(self, who: str) -> None:
        self.notes.append(f"{who} stopped")
        self.point(f"{who} stopped").set()

    async def hang(self, who: str) -> None:
        self.point(who).set()
        try:
            await anyio.sleep_forever()
        finally:
            self.stopped(who)

    async def clean_up(self) -> None:
        self.point("cleaning").set()
        if self.gate is not None:
            await self.gate.wait()
        self.notes.append("cleaned up")

    async def fail(self) -> None:
        self.point("failed").set()
        raise OSError("not now")

    def _define(self) -> None:
        client = self.client

        @client.activity("hang")
        async def hang() -> None:
            await self.hang("activity")

        @client.workflow("kid")
        async def kid(ctx: aether.Context) -> None:
            self.point("child").set()
            try:
                await ctx.sleep(NEVER_S)
            finally:
                self.stopped("child")

        @client.activity("queued", task_queue="nobody is here")
        async def queued() -> None: ...

        def block(ctx: aether.Context, blocked: str) -> Any:
            if blocked == "step":
                return ctx.step("hang", self.hang, "step")
            if blocked == "activity":
                return ctx.activity(hang)
            if blocked == "child":
                return ctx.child(kid)
            if blocked == "sleep":
                return ctx.sleep(NEVER_S)
            if blocked == "back-off":
                return ctx.step("fail", self.fail, retry=aether.RetryPolicy(initial_s=NEVER_S, maximum_s=NEVER_S))
            if blocked == "queue":
                return ctx.parallel(
                    [lambda: ctx.activity(queued), lambda: ctx.child(kid.options(task_queue="nobody is here"))]
                )
            parts = ("step", "activity", "child", "sleep", "back-off", "queue")
            return ctx.parallel([partial(block, ctx, part) for part in parts])

        @client.workflow("victim")
        async def victim(ctx: aether.Context, blocked: str, deadline_s: float) -> str:
            async with ctx.move_on_after(deadline_s) as deadline:
                try:
                    await block(ctx, blocked)
                finally:
                    with ctx.shield():
                        await ctx.step("clean up", self.clean_up)
            await ctx.step("after", lambda: None)
            return "moved on" if deadline.expired else "not cancelled"

        @client.workflow("parent")
        async def parent(ctx: aether.Context, blocked: str) -> str:
            return await ctx.child(victim.options(workflow_id="victim"), blocked, NEVER_S)

        self.victim, self.parent = victim.options(workflow_id="victim"), parent.options(workflow_id="parent")

    async def start(self, blocked: str, asked_by: str) -> "aether.Handle[str]":
        """The run that the result is asked of."""
        if asked_by == "parent":
            return await self.parent.start(blocked)
        if asked_by == "run timeout":
            return await self.victim.options(run_timeout_s=DEADLINE_S).start(blocked, NEVER_S)
        return await self.victim.start(blocked, DEADLINE_S if asked_by == "deadline" else NEVER_S)

    async def until_blocked(self, blocked: str) -> None:
        """Everything that the run begins has begun, and the server knows what it waits for."""
        for name in {"back-off": ["failed"], "parallel": ["step", "activity", "child", "failed"]}.get(
            blocked, [blocked]
        ):
            if name in ("step", "activity", "child", "failed"):
                await self.point(name).wait()
        # The deadline is a timer too.
        count = {"step": 1, "queue": 3, "parallel": 7}.get(blocked, 2)

        async def waits() -> bool:
            try:
                return len((await self.client.handle("victim").status()).pending) >= count
            except aether.WorkflowNotFound:
                return False

        await until(waits)

    async def facts(self, workflow_id: str) -> list[str]:
        return [type(event.fact).__name__ async for event in self.client.handle(workflow_id).history()]

    async def open_runs(self) -> list[str]:
        return [info.workflow_id async for info in self.client.list() if not info.state.is_closed]

    async def all_is_closed(self) -> bool:
        return not await self.open_runs()


async def _pending(handle: "aether.Handle[Any]") -> object:
    return (await handle.status()).pending


async def _listed(client: aether.Client, workflow_type: str) -> list[object]:
    return [info async for info in client.list(workflow_type=workflow_type)]


@asynccontextmanager
async def stage(**options: Any) -> AsyncIterator[Stage]:
    made = Stage(aether.Client(db="memory", **options))
    with anyio.fail_after(20):
        async with made.client.serve():
            yield made


async def check_cleaned(made: Stage, blocked: str) -> None:
    """What was begun is stopped, the clean-up is recorded once and last, and nothing is left open."""
    assert made.notes.count("cleaned up") == 1
    assert made.notes[-1] == "cleaned up"
    stopped = {"step", "activity", "child"} & ({"step", "activity", "child"} if blocked == "parallel" else {blocked})
    assert {f"{name} stopped" for name in stopped} <= set(made.notes)
    facts = await made.facts("victim")
    steps = [position for position, fact in enumerate(facts) if fact == "StepCompleted"]
    ends = [position for position, fact in enumerate(facts) if fact in ("ActivityCancelled", "ChildCancelled")]
    expected = {"activity": 1, "child": 1, "queue": 2, "parallel": 4}.get(blocked, 0)
    assert len(ends) == expected
    assert all(position < steps[0] for position in ends), "what was begun ends before the code goes on"
    assert facts.count("CancelRequested") <= 1
    assert await made.open_runs() == []


async def test_every_case_of_the_grid_is_tested_or_named_with_a_reason() -> None:
    everything = {(blocked, who, when) for blocked in BLOCKED for who in ASKED_BY for when in WHEN}
    tested = {(*case, when) for when in WHEN for case in cases(when, *ASKED_BY)}
    assert tested | SENSELESS.keys() == everything
    assert not tested & SENSELESS.keys()


@pytest.mark.parametrize(("blocked", "asked_by"), cases("running", "api", "parent"))
async def test_a_cancel_reaches_a_run_where_it_waits(blocked: str, asked_by: str) -> None:
    async with stage() as made:
        handle = await made.start(blocked, asked_by)
        await made.until_blocked(blocked)
        await handle.cancel("enough")
        with pytest.raises(aether.WorkflowCancelled):
            await handle.result()
        await check_cleaned(made, blocked)
        assert (await made.facts("victim"))[-1] == "RunCancelled"
        if asked_by == "parent":
            parent = await made.facts("parent")
            assert parent.index("ChildCancelled") < parent.index("RunCancelled")


@pytest.mark.parametrize(("blocked", "asked_by"), cases("running", "deadline"))
async def test_a_deadline_reaches_a_block_where_it_waits_and_the_run_goes_on(blocked: str, asked_by: str) -> None:
    async with stage() as made:
        handle = await made.start(blocked, asked_by)
        assert await handle.result() == "moved on"
        await check_cleaned(made, blocked)
        assert (await made.facts("victim"))[-1] == "RunCompleted"


@pytest.mark.parametrize(("blocked", "asked_by"), cases("running", "run timeout"))
async def test_the_timeout_of_a_run_ends_it_at_once_and_stops_what_it_has_begun(blocked: str, asked_by: str) -> None:
    async with stage() as made:
        handle = await made.start(blocked, asked_by)
        with pytest.raises(aether.WorkflowFailed, match="was open for longer"):
            await handle.result()
        await until(made.all_is_closed)
        assert (await made.facts("victim"))[-1] == "RunFailed"
        for name in {"step", "activity", "child"} & made.reached.keys():
            await made.point(f"{name} stopped").wait()
        assert "cleaned up" not in made.notes


@pytest.mark.parametrize(("blocked", "asked_by"), cases("cleaning up", "api", "parent", "deadline"))
async def test_whoever_asks_again_does_not_disturb_the_clean_up(blocked: str, asked_by: str) -> None:
    async with stage() as made:
        made.gate = anyio.Event()
        handle = await made.start(blocked, asked_by)
        victim = made.client.handle("victim")
        if asked_by != "deadline":
            await made.until_blocked(blocked)
            await victim.cancel("first")
        await made.point("cleaning").wait()
        await handle.cancel("again")
        assert (await victim.status()).state is aether.RunState.RUNNING
        made.gate.set()
        with pytest.raises(aether.WorkflowCancelled):
            await handle.result()
        await check_cleaned(made, blocked)
        assert (await made.facts("victim"))[-1] == "RunCancelled"


@pytest.mark.parametrize(("blocked", "asked_by"), cases("before start", "api", "parent", "deadline", "run timeout"))
async def test_a_run_that_nobody_has_begun_ends_at_once_and_is_never_begun(blocked: str, asked_by: str) -> None:
    client = aether.Client(db="memory")
    begun: list[str] = []

    @client.workflow("late")
    async def late(ctx: aether.Context) -> None:
        begun.append("late")

    late = late.options(task_queue="later", workflow_id="late")

    @client.workflow("parent")
    async def parent(ctx: aether.Context, deadline_s: float) -> bool:
        async with ctx.move_on_after(deadline_s) as deadline:
            await ctx.child(late)
        return deadline.expired

    with anyio.fail_after(20):
        async with client.serve(parent):
            if asked_by in ("parent", "deadline"):
                handle: aether.Handle[Any] = await parent.start(0.02 if asked_by == "deadline" else NEVER_S)
            else:
                timeout_s = 0.02 if asked_by == "run timeout" else 0
                handle = await late.options(run_timeout_s=timeout_s).start()
            if asked_by in ("api", "parent"):
                await until(lambda: _listed(client, "late"))
                await handle.cancel()
                with pytest.raises(aether.WorkflowCancelled):
                    await handle.result()
            elif asked_by == "deadline":
                assert await handle.result() is True
            else:
                with pytest.raises(aether.WorkflowFailed):
                    await handle.result()
            assert (await client.handle("late").status()).state.is_closed
    assert begun == []


async def test_a_run_whose_worker_has_no_slot_is_cancelled_when_it_has_one() -> None:
    client, free = aether.Client(db="memory", workflow_slots=1), anyio.Event()
    cleaned: list[str] = []

    @client.workflow("hog")
    async def hog(ctx: aether.Context) -> None:
        await ctx.step("hold", free.wait)

    @client.workflow("parked")
    async def parked(ctx: aether.Context) -> None:
        try:
            await ctx.sleep(NEVER_S)
        finally:
            with ctx.shield():
                await ctx.step("clean up", lambda: cleaned.append("up"))

    with anyio.fail_after(20):
        async with client.serve():
            handle = await parked.start()
            await until(lambda: _pending(handle))
            holding = await hog.start()
            await handle.cancel()
            waiting = (await handle.status()).pending
            assert ("worker", "waits for a slot") in [(item.kind, item.name) for item in waiting]
            assert cleaned == []
            free.set()
            with pytest.raises(aether.WorkflowCancelled):
                await handle.result()
            await holding.result()
    assert cleaned == ["up"]


async def test_an_activity_that_waits_for_a_slot_is_never_begun_when_it_is_cancelled() -> None:
    client = aether.Client(db="memory", activity_slots=1)
    begun: list[str] = []
    free, has_begun = anyio.Event(), anyio.Event()

    @client.activity("hold")
    async def hold(who: str) -> None:
        begun.append(who)
        has_begun.set()
        await free.wait()

    @client.workflow("w")
    async def w(ctx: aether.Context, who: str) -> None:
        await ctx.activity(hold, who)

    with anyio.fail_after(20):
        async with client.serve():
            first = await w.start("first")
            await has_begun.wait()
            second = await w.start("second")
            await until(lambda: _pending(second))
            await second.cancel()
            with pytest.raises(aether.WorkflowCancelled):
                await second.result()
            free.set()
            await first.result()
    assert begun == ["first"]


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = evolve(DEFAULT_LIMITS, cancel_grace_ms=100)
    monkeypatch.setattr(embed, "run_engine", partial(serve.run_engine, limits=limits))


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize("blocked", BLOCKED)
async def test_a_clean_up_that_does_not_end_is_ended_when_its_time_is_over(blocked: str) -> None:
    async with stage() as made:
        made.gate = anyio.Event()
        handle = await made.start(blocked, "api")
        await made.until_blocked(blocked)
        await handle.cancel()
        with pytest.raises(aether.WorkflowCancelled):
            await handle.result()
        assert (await made.facts("victim"))[-2:] != ["CancelRequested", "RunCancelled"]
        assert await made.open_runs() == []
    assert "cleaned up" not in made.notes


@pytest.mark.usefixtures("short_grace")
async def test_a_run_that_is_asked_to_stop_while_no_worker_is_there_is_ended_when_its_time_is_over() -> None:
    made = Stage(aether.Client(db="memory"))
    async with made.client:
        async with made.client.serve():
            handle = await made.start("sleep", "api")
            await made.until_blocked("sleep")
        await handle.cancel()
        with pytest.raises(aether.WorkflowCancelled), anyio.fail_after(20):
            await handle.result()
        assert (await made.facts("victim"))[-2:] == ["CancelRequested", "RunCancelled"]
    assert made.notes == []


@pytest.mark.parametrize("blocked", BLOCKED)
async def test_force_ends_a_run_that_will_not_end_and_what_it_has_begun(blocked: str) -> None:
    async with stage() as made:
        made.gate = anyio.Event()
        handle = await made.start(blocked, "api")
        await made.until_blocked(blocked)
        await handle.cancel()
        await made.point("cleaning").wait()
        await handle.cancel("now", force=True)
        with pytest.raises(aether.WorkflowCancelled):
            await handle.result()
        await until(made.all_is_closed)
        await handle.cancel(force=True)
        assert (await made.facts("victim")).count("CancelRequested") == 1, "asking again changes nothing"
    assert "cleaned up" not in made.notes
