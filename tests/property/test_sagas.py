"""What was done is undone in reverse, each part once, whatever ends the run and whoever dies in between."""

from typing import Any

import anyio
import pytest

import aether
from aether.model import events as e
from aether.testing import Environment, Testbed

client = aether.Client(db="memory")
PARTS = ("flight", "hotel", "car")


def book(what: str) -> str:
    return f"booked {what}"


def undo(what: str, broken: str) -> None:
    if what == broken:
        raise ConnectionError(f"{what} can not be undone")


async def undo_slowly(what: str, seconds: float) -> None:
    await anyio.sleep(seconds)


@client.activity("confirm", retry=aether.RetryPolicy(non_retryable=(ValueError,)))
async def confirm(ends: str) -> None:
    if ends == "fails":
        raise ValueError("sold out")
    await anyio.sleep(100)


@client.workflow("trip")
async def trip(ctx: aether.Context, ends: str, broken: str) -> str:
    for part in PARTS:
        await ctx.step(f"book {part}", book, part)
        await ctx.on_failure(f"undo {part}", undo, part, broken)
    await ctx.activity(confirm, ends)
    return "on the way"


@client.workflow("slow to undo")
async def slow(ctx: aether.Context) -> None:
    for part in PARTS:
        await ctx.on_failure(f"undo {part}", undo_slowly, part, 60)
    await ctx.sleep(1000)


async def undone(environment: Environment, handle: "aether.Handle[Any]") -> list[str]:
    facts = [event.fact for event in await environment.history(handle)]
    steps = [fact.name for fact in facts if isinstance(fact, e.StepCompleted | e.StepFailed)]
    return [name.removeprefix("undo ") for name in steps if name.startswith("undo ")]


def tell(failure: "aether.Failure | None") -> object:
    if failure is None:
        return None
    return [tell(cause) for cause in failure.causes] if failure.group else failure.type


@pytest.mark.parametrize(
    ("ends", "broken", "outcome"),
    [
        ("fails", "", "ActivityFailed"),
        ("fails", "hotel", ["ActivityFailed", "StepFailed"]),
        ("is cancelled", "", "cancelled"),
        ("is cancelled", "hotel", ["StepFailed"]),
        ("well", "", "on the way"),
    ],
)
def test_compensations_run_in_reverse_and_once_wherever_somebody_dies(ends: str, broken: str, outcome: object) -> None:
    async def scenario(environment: Environment) -> object:
        handle = await trip.start(ends, broken)
        if ends == "is cancelled":
            await environment.sleep(50)
            await handle.cancel()
        try:
            told: object = await handle.result()
        except aether.WorkflowFailed as error:
            told = tell(error.failure)
        except aether.WorkflowCancelled:
            told = "cancelled"
        return told, await undone(environment, handle)

    assert Testbed(client).play(scenario) == (outcome, [] if ends == "well" else ["car", "hotel", "flight"])
    report = Testbed(client).crash_everywhere_in(scenario)
    assert report.commits > 6


def test_force_in_the_midst_of_it_leaves_what_is_undone_undone_and_the_rest_as_it_is() -> None:
    async def scenario(environment: Environment) -> object:
        handle = await slow.start()
        await environment.sleep(10)
        await handle.cancel()
        await environment.sleep(90)
        before = await undone(environment, handle)
        await handle.cancel(force=True)
        with pytest.raises(aether.WorkflowCancelled):
            await handle.result()
        await environment.sleep(1000)
        return before, await undone(environment, handle)

    assert Testbed(client).play(scenario) == (["car"], ["car"])


def test_compensations_have_the_grace_of_the_cancel_and_no_longer() -> None:
    """Five minutes: of the parts that take a minute each all are undone, of parts that take longer not all."""

    @client.workflow("far too slow")
    async def far_too_slow(ctx: aether.Context) -> None:
        for part in PARTS:
            await ctx.on_failure(f"undo {part}", undo_slowly, part, 140)
        await ctx.sleep(1000)

    async def scenario(environment: Environment, workflow: aether.Workflow[[], None]) -> list[str]:
        handle = await workflow.start()
        await environment.sleep(10)
        await handle.cancel()
        with pytest.raises(aether.WorkflowCancelled):
            await handle.result()
        return await undone(environment, handle)

    assert Testbed(client).play(lambda env: scenario(env, slow)) == ["car", "hotel", "flight"]
    assert Testbed(client).play(lambda env: scenario(env, far_too_slow)) == ["car", "hotel"]
