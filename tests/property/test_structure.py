"""Branches inside branches: one outcome under every order of the scheduler and wherever somebody dies."""

from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import aether
from aether.model import events as e
from aether.testing import Environment, Testbed, replay
from aether.testing.seeded import seeded_scheduling

client = aether.Client(db="memory")
SEEDS = range(8)


class NoStock(Exception):
    pass


class NoMoney(aether.NonRetryable):
    pass


@client.activity("fetch", retry=aether.RetryPolicy(initial_s=1, max_attempts=2))
async def fetch(what: str, seconds: float) -> str:
    await anyio.sleep(seconds)
    if what == "gold":
        raise NoMoney(what)
    return what


@client.workflow("kid")
async def kid(ctx: aether.Context, seconds: float) -> str:
    try:
        await ctx.sleep(seconds)
    finally:
        with ctx.shield():
            await ctx.step("tidy", lambda: None)
    return "kid"


async def fail(error: Exception) -> None:
    await anyio.lowlevel.checkpoint()
    raise error


def tell(error: BaseException) -> object:
    """The tree of an exception, as data."""
    if isinstance(error, BaseExceptionGroup):
        return [tell(each) for each in error.exceptions]
    return error.type if isinstance(error, aether.RunError) else type(error).__name__


@client.workflow("several failures")
async def several_failures(ctx: aether.Context) -> object:
    async def inner(name: str) -> None:
        async def late() -> None:
            try:
                await ctx.sleep(3600)
            finally:
                with ctx.shield():
                    await ctx.step(f"{name} cleans up", lambda: None)
                raise KeyError(name)

        await ctx.parallel([late, lambda: ctx.step(f"{name} fails", fail, NoStock(name)), lambda: ctx.child(kid, 50)])

    try:
        async with ctx.nursery() as nursery:
            nursery.start_soon(inner, "left")
            nursery.start_soon(inner, "right")
            await ctx.sleep(7200)
    except* Exception as group:
        # Which of the two fails first is nobody's promise; that the other one is cancelled and cleans up, is.
        told = tell(group)
    return sorted(map(str, told))  # type: ignore[call-overload]


@client.workflow("races in branches")
async def races(ctx: aether.Context) -> object:
    async def race(number: int) -> str:
        return await ctx.race(
            [lambda: ctx.activity(fetch, f"fast {number}", number), lambda: ctx.child(kid, 500), lambda: nap(ctx, 1000)]
        )

    won = await ctx.parallel([lambda number=number: race(number) for number in (3, 1)])  # type: ignore[misc]
    try:
        await ctx.race([lambda: ctx.activity(fetch, "gold", 5), lambda: nap(ctx, 1000)])
    except aether.ActivityFailed as error:
        won.append(error.type)
    return won


async def nap(ctx: aether.Context, seconds: float) -> str:
    await ctx.sleep(seconds)
    return f"slept {seconds:g}"


@client.workflow("deadlines in deadlines")
async def deadlines(ctx: aether.Context) -> object:
    said: list[str] = []

    async def patient(name: str, seconds: float) -> None:
        try:
            async with ctx.fail_after(seconds):
                await ctx.activity(fetch, name, 1000)
        except TimeoutError:
            said.append(f"{name} timed out")
            await ctx.step(f"{name} goes on", lambda: None)
            await ctx.sleep(5)
            said.append(f"{name} is over")
        finally:
            with ctx.shield():
                await ctx.step(f"{name} cleans up", said.append, f"{name} cleaned up")

    async with ctx.move_on_after(60) as outer:
        await ctx.parallel([lambda: patient("a", 10), lambda: patient("b", 40), lambda: patient("c", 100)])
    said.append(f"expired: {outer.expired}")
    return [words for words in said if "cleaned" not in words]


@client.workflow("shared variables")
async def shared(ctx: aether.Context) -> object:
    """What branches leave behind when one cancel reaches them names the steps that follow."""
    left: list[str] = []

    async def branch(name: str) -> None:
        try:
            if name in "ae":
                await ctx.sleep(1000)
            elif name == "b":
                await ctx.wait_signal("never")
            elif name == "c":
                await (await ctx.promise("never")).result()
            else:
                await ctx.activity(fetch, name, 1000)
        finally:
            left.append(name)
            with ctx.shield():
                await ctx.step(f"{name} leaves after {''.join(left[:-1])}", lambda: None)

    async with ctx.move_on_after(10):
        await ctx.parallel([lambda name=name: branch(name) for name in "abcde"])  # type: ignore[misc]
    return left if left[:-1] == ["a", "b", "c", "e"] else f"out of order: {left}"


@client.workflow("limited")
async def limited(ctx: aether.Context) -> object:
    calls = [partial(ctx.activity, fetch, "gold" if n % 3 == 0 else f"{n}", 7 - n) for n in range(5)]
    results = await ctx.parallel(calls, limit=2, return_exceptions=True)
    return [tell(result) if isinstance(result, Exception) else result for result in results]


@client.workflow("spawned")
async def spawned(ctx: aether.Context) -> object:
    """The end of the parent takes along what it has begun, and waits for it."""
    first = await ctx.spawn(kid, 10)
    await ctx.spawn(kid.options(workflow_id="left behind"), 100_000)
    async with ctx.nursery() as nursery:
        nursery.start_soon(first.result)
        nursery.start_soon(ctx.child, kid, 20)
    return await first.result()


EXPECTED: dict[Any, object] = {
    several_failures: ["KeyError", "NoStock"],
    races: ["fast 3", "fast 1", "NoMoney"],
    deadlines: ["a timed out", "a is over", "b timed out", "b is over", "expired: True"],
    shared: ["a", "b", "c", "e", "d"],
    limited: ["NoMoney", "1", "2", "NoMoney", "4"],
    spawned: "kid",
}
WORKFLOWS = pytest.mark.parametrize("workflow", list(EXPECTED), ids=lambda workflow: workflow.name)


def facts_of(workflow: Any, seed: int) -> tuple[object, list[e.Event]]:
    async def scenario(environment: Environment) -> tuple[object, list[e.Event]]:
        handle = await workflow.start()
        result = await handle.result()
        open_ids = [info.workflow_id async for info in client.list() if not info.state.is_closed]
        assert open_ids == [], "a parent has ended before its children"
        return result, await environment.history(handle)

    return Testbed(client, seed=seed).play(scenario)


@WORKFLOWS
def test_the_outcome_is_the_same_under_every_order_of_the_scheduler_and_so_is_a_replay(workflow: Any) -> None:
    for seed in SEEDS:
        result, history = facts_of(workflow, seed)
        if workflow is several_failures:
            assert isinstance(result, list)
            assert {each for each in ("KeyError", "NoStock") if each in str(result)} == {"KeyError", "NoStock"}
        else:
            assert result == EXPECTED[workflow], f"seed {seed}"
        with seeded_scheduling(1_000 + seed):
            replay(history, workflow)


@WORKFLOWS
def test_the_outcome_is_the_same_wherever_somebody_dies(workflow: Any) -> None:
    report = Testbed(client).crash_everywhere(workflow)
    assert report.commits > 5
