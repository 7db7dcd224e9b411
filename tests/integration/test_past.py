"""What a run did and what it waits for, asked of a real server by the SDK and the command line."""

import json

import pytest
import trio

import aether
from aether import Client, Context
from tests.processes import aether as command

RETRY = aether.RetryPolicy(initial_s=0.01, jitter=0)


@pytest.fixture
def client(server):
    return Client(server.url)


def in_order(*times):
    return None not in times and list(times) == sorted(times)


def test_a_timeline_shows_what_a_run_did(client):
    tries = []

    @client.activity("charge", retry=RETRY)
    async def charge(cents: int) -> int:
        tries.append(cents)
        if len(tries) == 1:
            raise ValueError("not now")
        return cents

    @client.workflow("order")
    async def order(ctx: Context, cents: int) -> int:
        await ctx.step("check", lambda: None)
        await ctx.parallel([lambda: ctx.activity(charge, cents), lambda: ctx.sleep(seconds=0.01)])
        return cents

    async def main() -> list[aether.TimelineRow]:
        async with client.serve():
            await order.options(workflow_id="order-1").start_and_wait(5)
            return await client.handle("order-1").timeline()

    run, check, charged, slept = trio.run(main)
    assert (run.kind, run.name, run.state, run.worker_id != "") == ("run", "order", "completed", True)
    assert (check.path, check.kind, check.name, check.state, check.depth) == ("1", "step", "check", "completed", 0)
    assert (charged.path, charged.kind, charged.state, charged.branch, charged.depth) == (
        "2.1.1", "activity", "completed", "2.1", 1,
    )  # fmt: skip
    failed, done = charged.attempts
    assert failed.failure
    assert (failed.number, failed.failure.message, done.number, done.failure) == (1, "not now", 2, None)
    assert in_order(failed.started_at, failed.ended_at, done.due_at, done.started_at, done.ended_at)
    assert (slept.kind, slept.state, slept.due_at is not None) == ("timer", "completed", True)
    assert in_order(run.created_at, check.started_at, charged.created_at, slept.ended_at, run.ended_at)
    assert (run.first_seq, run.last_seq) == (1, max(run.last_seq, slept.last_seq))


def test_a_run_says_what_it_waits_for_until_it_waits_for_nothing(client, server):
    @client.workflow("order")
    async def order(ctx: Context) -> None:
        await ctx.publish("ready", value=True)
        await ctx.wait_signal("go")

    async def said(handle: aether.Handle[None], words: str) -> aether.Explanation:
        while words not in str(told := await handle.why()):  # noqa: ASYNC110 - no event tells when a worker is there
            await trio.sleep(0.01)
        return told

    async def main() -> None:
        async with client:
            handle = await order.options(workflow_id="order-1").start()
            told = await said(handle, "no worker is connected that has workflow 'order' in task queue 'default'")
            assert (told.state, told.reasons[0].kind) == (aether.RunState.PENDING, "no_worker")
            shown = await trio.to_thread.run_sync(lambda: command("why", "order-1", AETHER_SERVER=server.url))
            assert shown.stdout == told.sentence + "\n"
            async with client.serve():
                assert (await said(handle, "waits for a signal")).reasons[0].kind == "signal"
                await handle.signal("go")
                await handle.result()
            told = await handle.why()
            assert str(told).startswith("workflow 'order-1' waits for nothing: it ended as COMPLETED at 20")

    trio.run(main)
    shown = json.loads(command("why", "order-1", "-o", "json", AETHER_SERVER=server.url).stdout)
    assert (shown["state"], shown["reasons"][0]["kind"]) == ("COMPLETED", "closed")


def test_who_is_asked_for_an_unknown_run_says_so(client, server):
    shown = command("why", "nobody", AETHER_SERVER=server.url)
    assert (shown.returncode, shown.stdout) == (3, "")

    async def main() -> None:
        async with client:
            with pytest.raises(aether.WorkflowNotFound):
                await client.handle("nobody").timeline()
            with pytest.raises(aether.WorkflowNotFound):
                await client.handle("nobody").why()
            with pytest.raises(aether.InvalidArgument):
                await client.handle("x" * 500).timeline()
            with pytest.raises(aether.InvalidArgument):
                await client.handle("x" * 500).why()

    trio.run(main)
