"""Crashes at every recorded position make no difference to code that is right, and one does to code that is not."""

import pytest

import aether
from aether.testing import CrashFaults, Environment, Stuck, Testbed, crash_everywhere
from aether.testing.crashes import Crash, Plug, Trial, find_faults

client = aether.Client()
CALLS: dict[str, int] = {}


def count(name):
    CALLS[name] = CALLS.get(name, 0) + 1
    return CALLS[name]


@client.activity("charge", retry=aether.RetryPolicy(initial_s=1))
def charge(cents: int) -> str:
    return f"paid {cents}"


@client.workflow("ship")
async def ship(ctx: aether.Context, what: str) -> str:
    return await ctx.step("pack", lambda: f"packed {what}")


@client.workflow("order")
async def order(ctx: aether.Context, cents: int) -> list[str]:
    async def wait_and_charge() -> str:
        await ctx.sleep(hours=1)
        return await ctx.activity(charge, cents)

    paid, packed = await ctx.parallel([wait_and_charge, lambda: ctx.child(ship, "tea")])
    return [paid, packed, await ctx.step("thank", lambda: "thanks")]


@client.workflow("fails")
async def fails(ctx: aether.Context) -> None:
    await ctx.on_failure("undo", count, "undone")
    await ctx.step("do", lambda: 1)
    raise ValueError("on purpose")


@client.workflow("counts")
async def counts(ctx: aether.Context) -> int:
    await ctx.step("one", lambda: 1)
    # Not in a step, so each replay does it again.
    return await ctx.step("two", lambda: 2) + count("replays")


@client.workflow("asks")
async def asks(ctx: aether.Context) -> list[str]:
    return [await ctx.wait_signal("answer") for _ in range(2)]


def test_a_workflow_of_many_features_comes_to_the_same_end_wherever_somebody_dies():
    report = crash_everywhere(order, 4200)
    assert report.commits > 8
    assert report.crashes == 4 * report.commits
    # Only where both die before the outcome is on disk.
    assert report.step_runs == {"pack": 2, "thank": 2}


def test_a_failure_is_an_end_like_any_other():
    report = crash_everywhere(fails)
    assert report.step_runs == {"do": 2, "undo": 2}


def test_code_that_counts_its_replays_is_found_out():
    CALLS.clear()
    with pytest.raises(CrashFaults, match="the worker died before it was told of commit 3") as found:
        crash_everywhere(counts)
    assert "without a crash: returned 3" in str(found.value)
    assert len(found.value.faults) > 2


turns: list[int] = []


@client.workflow("crashes-fickle")
async def fickle(ctx: aether.Context) -> None:
    turns.append(1)
    await ctx.step("first", lambda: 1)
    await ctx.step(f"turn-{len(turns)}", lambda: 2)
    await ctx.step("last", lambda: 3)


def test_code_that_does_not_fit_its_history_is_told_with_both_sides():
    told = r"its code does not fit its history: at 2 the history holds step 'turn-\d+', the code asks for"
    with pytest.raises(Stuck, match=told) as caught:
        crash_everywhere(fickle)
    assert "died" in str(caught.value)


def test_a_scenario_may_do_more_than_start_a_run():
    async def scenario(env: Environment) -> list[str]:
        handle = await asks.options(workflow_id="a").start()
        for answer in ("yes", "no"):
            await handle.signal("answer", answer)
            await env.sleep(minutes=5)
        return await handle.result()

    report = Testbed(client).crash_everywhere_in(scenario)
    assert report.commits >= 4


def test_replaced_activities_are_replaced_in_every_trial():
    bed = Testbed(client)
    bed.replace(charge, lambda cents: f"fake {count('charged')}")
    with pytest.raises(CrashFaults, match=r"fake 2"):
        bed.crash_everywhere(order, 1)


def test_what_ran_again_after_it_was_recorded_is_a_fault():
    calm = Trial(Plug(), returned=1, commits=1)
    again = Trial(Plug(Crash.UNTOLD, 1), returned=1, repeated=("step 'pay' at 1 of run r",))
    with pytest.raises(CrashFaults, match="before anybody was told: step 'pay' at 1 of run r ran again"):
        find_faults(calm, [again])


def test_another_error_is_another_end():
    calm = Trial(Plug(), raised=ValueError("a"), commits=1)
    with pytest.raises(CrashFaults, match="raised ValueError"):
        find_faults(calm, [Trial(Plug(Crash.WORKER, 1), returned=1)])
