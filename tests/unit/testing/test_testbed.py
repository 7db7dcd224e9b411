"""Tests that users write: on a virtual clock, with activities replaced, messages sent and time skipped."""

from datetime import UTC, datetime, timedelta

import pytest
import trio
from trio.testing import MockClock

import aether
from aether.model import events as e
from aether.testing import Environment, Stuck, Testbed, environment, run

client = aether.Client()
bed = Testbed(client)


@client.activity("charge", retry=aether.RetryPolicy(initial_s=60, factor=2, jitter=0, max_attempts=3))
async def charge(order_id: str, cents: int) -> str:
    raise RuntimeError("this test has no bank")


@client.workflow("order")
async def order(ctx: aether.Context, order_id: str) -> str:
    stock = await ctx.step("check", lambda: {"cents": 4200})
    payment = await ctx.activity(charge, order_id, stock["cents"])
    await ctx.sleep(days=30)
    return await ctx.step("ship", lambda: f"parcel for {payment}")


@client.workflow("approval")
async def approval(ctx: aether.Context) -> str:
    promise = await ctx.promise("boss")
    await ctx.publish("token", promise.token)
    who = await ctx.wait_signal("asked", timeout_s=3600)
    return f"{who}: {await promise.result()}"


@client.workflow("clock")
async def clock(ctx: aether.Context) -> list[str]:
    before = ctx.now()
    await ctx.sleep(hours=1)
    return [before.isoformat(), str((ctx.now() - before).total_seconds()), str(ctx.uuid())]


def test_a_month_passes_in_no_time():
    tested = Testbed(client)
    tested.replace(charge, lambda order_id, cents: f"{order_id}/{cents}")
    assert tested.run(order, "o-1") == "parcel for o-1/4200"


@bed.test
async def test_a_fake_may_be_async_and_may_change_while_the_test_runs(env: Environment):
    calls = []

    async def fails(order_id: str, cents: int) -> str:
        calls.append(env.now())
        await trio.sleep(1)
        raise ValueError(order_id)

    env.replace(charge, fails)
    handle = await order.start("o-1")
    await env.settle()
    (waits,) = await env.pending(handle)
    assert (waits.kind, waits.name) == ("activity", "charge")
    await env.sleep(62)
    env.replace(charge, lambda order_id, cents: "paid")
    assert await handle.result() == "parcel for paid"
    assert [(at - calls[0]).total_seconds() for at in calls] == pytest.approx([0, 61], abs=0.001)
    assert env.now() - calls[0] > timedelta(days=30)


@bed.test
async def test_what_was_replaced_in_one_test_is_not_replaced_in_the_next(env: Environment):
    with pytest.raises(aether.WorkflowFailed) as failed:
        await order.start_and_wait("o-1")
    assert "this test has no bank" in str(failed.value.failure)


@bed.test
async def test_signals_and_promises_come_from_the_test(env: Environment):
    handle = await approval.options(workflow_id="a").start()
    await env.settle()
    await handle.signal("asked", "Ada")
    assert await client.complete_promise(await handle.read("token"), "yes")
    assert await handle.result() == "Ada: yes"
    facts = [type(event.fact) for event in await env.history(handle)]
    assert facts[-1] is e.RunCompleted
    assert facts.count(e.SignalReceived) == facts.count(e.PromiseResolved) == 1


@bed.test
async def test_a_time_that_nobody_uses_is_over_when_the_test_says_so(env: Environment):
    handle = await approval.start()
    await env.sleep(minutes=59)
    assert (await handle.status()).state is aether.RunState.RUNNING
    await env.sleep(minutes=2)
    with pytest.raises(aether.WorkflowFailed, match="TimeoutError"):
        await handle.result()


def test_two_runs_with_one_seed_are_equal_and_begin_when_they_are_told_to():
    start = datetime(2030, 2, 3, tzinfo=UTC)
    first, second = (Testbed(client, seed=7, start=start).run(clock) for _ in range(2))
    assert first == second
    assert first[:2] == [start.isoformat(), "3600.000001"]
    assert Testbed(client, seed=8, start=start).run(clock)[2] != first[2]


@bed.test
async def test_a_crash_of_worker_or_server_is_survived(env: Environment):
    env.replace(charge, lambda order_id, cents: "paid")
    handle = await order.start("o-1")
    await env.sleep(days=10)
    env.crash_worker()
    await env.sleep(days=1)
    env.crash_server()
    await env.sleep(days=1)
    assert await handle.result() == "parcel for paid"
    assert [run.name for run in env.step_runs] == ["check", "ship"]


@pytest.fixture
def name():
    return "fixture"


@bed.test
async def test_fixtures_follow_behind_the_environment(env: Environment, name: str):
    assert name == "fixture"
    await env.settle()


def test_a_test_that_waits_for_ever_says_what_it_waits_for():
    with pytest.raises(Stuck, match="order 'o-7' waits for worker"):
        Testbed(client).play(_start_without_worker)
    with pytest.raises(Stuck, match=r"approval-endless 'approval-.*' waits for"):
        run(endless)


@client.workflow("approval-endless")
async def endless(ctx: aether.Context) -> None:
    await ctx.wait_signal("never")


async def _start_without_worker(env: Environment) -> None:
    handle = await order.options(workflow_id="o-7", task_queue="nobody").start("o-7")
    await handle.result()


def test_what_a_scenario_raises_is_raised_as_it_is():
    async def scenario(env: Environment) -> None:
        await env.settle()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bed.play(scenario)


def test_only_activities_can_be_replaced():
    with pytest.raises(aether.InvalidArgument, match="only activities can be replaced"):
        bed.replace(order, lambda: None)  # type: ignore[arg-type]


def test_a_client_has_one_environment_at_a_time():
    async def scenario(env: Environment) -> None:
        async with environment(client):
            pass

    with pytest.raises(aether.InvalidArgument, match="has a test environment already"):
        bed.play(scenario)


def test_a_virtual_clock_of_ones_own_will_do():
    async def main() -> str:
        async with environment(client) as env:
            env.replace(charge, lambda order_id, cents: "paid")
            return await order.start_and_wait("o-1")

    assert trio.run(main, clock=MockClock(autojump_threshold=0)) == "parcel for paid"


def test_where_time_is_real_an_environment_is_refused():
    async def main() -> None:
        async with environment(client):
            pass

    with pytest.raises(aether.InvalidArgument, match=r"use aether\.testing\.Testbed"):
        trio.run(main)


def test_the_client_is_as_it_was_afterwards():
    assert client.make_transport is None
    with pytest.raises(aether.InvalidArgument, match="not connected"):
        _ = client.transport
