"""A thousand children of one parent: results, failures and cancels travel as for one, also when somebody dies."""

from functools import partial
from typing import Any

import pytest

import aether
from aether.model import events as e
from aether.testing import Environment, Testbed

client = aether.Client(db="memory")
MANY = 1_000


@client.workflow("square")
async def square(ctx: aether.Context, number: int) -> int:
    await ctx.sleep(number % 7)
    if number < 0:
        raise ValueError("negative")
    return number * number


@client.workflow("naps")
async def naps(ctx: aether.Context, number: int) -> None:
    try:
        await ctx.sleep(days=1)
    finally:
        with ctx.shield():
            await ctx.step("tidy", lambda: number)


@client.workflow("awaits")
async def awaits(ctx: aether.Context, numbers: list[int]) -> int:
    return sum(await ctx.parallel([partial(ctx.child, square, number) for number in numbers]))


@client.workflow("spawns")
async def spawns(ctx: aether.Context, count: int, policy: str) -> str:
    kept = naps.options(parent_close_policy=policy)  # type: ignore[arg-type]
    for number in range(count):
        await ctx.spawn(kept, number)
    await ctx.sleep(60)
    return "over"


async def states(workflow_type: str) -> dict[str, int]:
    found: dict[str, int] = {}
    async for info in client.list(workflow_type=workflow_type, limit=1_000):
        found[info.state.name] = found.get(info.state.name, 0) + 1
    return found


@pytest.mark.parametrize("dies", ["nobody", "worker", "server"])
def test_a_thousand_children_are_awaited_and_each_runs_once(dies: str) -> None:
    async def scenario(environment: Environment) -> tuple[int, int]:
        handle = await awaits.start(list(range(MANY)))
        if dies != "nobody":
            await environment.sleep(3.5)
            {"worker": environment.crash_worker, "server": environment.crash_server}[dies]()
        total = await handle.result()
        facts = [event.fact for event in await environment.history(handle)]
        assert await states("square") == {"COMPLETED": MANY}
        return total, sum(isinstance(fact, e.ChildCompleted) for fact in facts)

    assert Testbed(client).play(scenario) == (sum(n * n for n in range(MANY)), MANY)


def test_the_first_failure_of_many_children_cancels_the_others_before_the_parent_goes_on() -> None:
    async def scenario(environment: Environment) -> list[str]:
        handle = await awaits.start([*range(1, MANY // 2), -6])
        with pytest.raises(aether.WorkflowFailed, match="negative"):
            await handle.result()
        counts = await states("square")
        assert counts["FAILED"] == 1
        assert counts["CANCELLED"] > MANY // 8
        assert sum(counts.values()) == MANY // 2
        return [type(event.fact).__name__ for event in await environment.history(handle)]

    facts = Testbed(client).play(scenario)
    assert facts[-1] == "RunFailed"
    ended = sum(facts.count(name) for name in ("ChildCompleted", "ChildFailed", "ChildCancelled"))
    assert ended == facts.count("ChildStarted")


def test_a_parent_that_is_cancelled_ends_after_its_many_children() -> None:
    async def scenario(environment: Environment) -> list[str]:
        handle = await spawns.start(MANY // 4, "cancel")
        await environment.sleep(30)
        await handle.cancel()
        with pytest.raises(aether.WorkflowCancelled):
            await handle.result()
        assert await states("naps") == {"CANCELLED": MANY // 4}
        return [type(event.fact).__name__ for event in await environment.history(handle)]

    facts = Testbed(client).play(scenario)
    assert facts.count("ChildCancelled") == MANY // 4
    assert facts[-1] == "RunCancelled"


@pytest.mark.parametrize(
    ("policy", "expected"), [("cancel", "CANCELLED"), ("terminate", "CANCELLED"), ("abandon", "RUNNING")]
)
@pytest.mark.parametrize("dies", ["nobody", "worker", "server"])
def test_what_becomes_of_many_children_at_the_end_is_the_parents_choice(policy: str, expected: str, dies: str) -> None:
    async def scenario(environment: Environment) -> dict[str, int]:
        handle: Any = await spawns.start(30, policy)
        await environment.sleep(30)
        if dies != "nobody":
            {"worker": environment.crash_worker, "server": environment.crash_server}[dies]()
        assert await handle.result() == "over"
        return await states("naps")

    assert Testbed(client).play(scenario) == {expected: 30}


def test_a_parent_that_is_ended_by_force_leaves_its_children_asked_to_stop() -> None:
    async def scenario(environment: Environment) -> dict[str, int]:
        handle = await spawns.start(100, "cancel")
        await environment.sleep(30)
        await handle.cancel(force=True)
        await environment.sleep(1)
        return await states("naps")

    assert Testbed(client).play(scenario) == {"CANCELLED": 100}
