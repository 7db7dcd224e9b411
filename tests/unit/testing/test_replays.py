"""New code against old histories, from files and from events."""

import asyncio
import contextlib
import json
import sys

import pytest
import trio

import aether
from aether.testing import Environment, Testbed, load_history, replay
from aether.wire.convert import event_to_proto
from aether.wire.documents import event_document


def client_with(function, name="order"):
    client = aether.Client()
    client.activity("charge", retry=aether.RetryPolicy(max_attempts=1))(_charge)
    return client.workflow(name)(function)


def _charge(cents: int) -> str:
    return "paid"


def never():
    raise AssertionError("a replay calls no step")


async def written(ctx, cents: int = 1) -> str:
    await ctx.step("check", lambda: 1)
    await ctx.sleep(hours=1)
    return await ctx.step("ship", lambda: "shipped")


def history_of(function, scenario=None):
    workflow = client_with(function)

    async def play(env: Environment):
        handle = await workflow.start(1)
        if scenario is None:
            with contextlib.suppress(aether.RunError):
                await handle.result()
        else:
            await scenario(env, handle)
        return await env.history(handle)

    return Testbed(workflow.client).play(play)


@pytest.fixture(scope="module")
def history():
    return history_of(written)


def test_the_code_that_made_a_history_fits_it(history):
    replay(history, client_with(written))


def test_steps_are_not_called(history):
    async def again(ctx, cents: int = 1) -> str:
        await ctx.step("check", never)
        await ctx.sleep(hours=2)
        return await ctx.step("ship", never)

    replay(history, client_with(again))


async def renamed(ctx, cents: int = 1) -> str:
    await ctx.step("inspect", lambda: 1)
    await ctx.sleep(hours=1)
    return await ctx.step("ship", lambda: "shipped")


async def shortened(ctx, cents: int = 1) -> str:
    await ctx.step("check", lambda: 1)
    return await ctx.step("ship", lambda: "shipped")


async def lengthened(ctx, cents: int = 1) -> str:
    await written(ctx)
    return await ctx.step("bill", never)


async def charging(ctx, cents: int = 1) -> str:
    await written(ctx)
    await ctx.activity(ctx.charge)
    return ""


async def silent(ctx, cents: int = 1) -> str:
    await ctx.step("check", lambda: 1)
    await ctx.sleep(hours=1)
    return "nothing is shipped"


async def failing(ctx, cents: int = 1) -> str:
    await written(ctx)
    raise ValueError("changed its mind")


async def broken(ctx, cents: int = 1) -> str:
    checked = await ctx.step("check", lambda: {"items": 10})
    return str(checked["cents"])


async def waiting(ctx, cents: int = 1) -> str:
    await written(ctx)
    return str(await ctx.wait_signal("more"))


async def sleeping(ctx, cents: int = 1) -> str:
    await written(ctx)
    await ctx.sleep(hours=1)
    return "late"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (renamed, "at 1 the history holds step 'check', the code asks for step 'inspect'"),
        (shortened, "at 2 the history holds timer, the code asks for step 'ship'"),
        (silent, "at 3 the history holds step 'ship', the code has ended without it"),
        (broken, "at 2 the history holds timer, the code has failed (TypeError: 'int' object is not"),
        (lengthened, "the history ends with RunCompleted, the code asks for step 'bill' at 4"),
        (sleeping, "the history ends with RunCompleted, the code asks for StartTimer at 4"),
        (failing, "the history ends with RunCompleted, the code fails with ValueError: changed its mind"),
        (waiting, "the history ends with RunCompleted, the code still waits"),
    ],
)
def test_code_that_does_not_fit_is_named_with_what_the_history_holds(history, function, words):
    with pytest.raises(aether.NonDeterminism) as refused:
        replay(history, client_with(function))
    assert words in str(refused.value)


def test_an_open_run_may_go_on_otherwise_behind_its_history():
    async def asleep(env, handle):
        await env.sleep(minutes=1)

    history = history_of(written, asleep)
    replay(history, client_with(lengthened))
    with pytest.raises(aether.NonDeterminism):
        replay(history, client_with(renamed))


def test_failed_and_cancelled_runs_are_checked_as_well():
    history = history_of(failing)
    replay(history, client_with(failing))
    with pytest.raises(aether.NonDeterminism, match=r"ends with RunFailed \(ValueError\), the code completes"):
        replay(history, client_with(written))

    async def cancelled(env, handle):
        await env.sleep(minutes=1)
        await handle.cancel()
        await env.sleep(minutes=1)

    history = history_of(written, cancelled)
    replay(history, client_with(written))


def test_an_end_that_came_from_outside_asks_nothing_of_the_code():
    async def forced(env, handle):
        await env.sleep(minutes=1)
        await handle.cancel(force=True)

    replay(history_of(written, forced), client_with(written))


def test_a_file_of_the_command_line_is_a_history(history, tmp_path):
    path = tmp_path / "order-1.json"
    path.write_text(json.dumps([event_document(event_to_proto(event)) for event in history]))
    assert load_history(path) == history
    replay(path, client_with(written))
    replay(str(path), client_with(written))
    replay(json.loads(path.read_text()), client_with(written))


@pytest.mark.parametrize("run", [trio.run, lambda function: asyncio.run(function())], ids=["trio", "asyncio"])
def test_an_async_test_may_replay_too(history, run):
    async def main():
        replay(history, client_with(written))
        with pytest.raises(aether.NonDeterminism):
            replay(history, client_with(renamed))

    run(main)
    assert "trio" in sys.modules


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "is not JSON"),
        ("{}", "does not hold a list of events"),
        ("[]", "a history begins with RunCreated"),
        ('[{"seq": 1, "at": null, "event": "Nonsense"}]', "which this version does not know"),
        ('[{"seq": 1, "at": null, "event": "TimerFired", "path": "1"}]', "a history begins with RunCreated"),
    ],
)
def test_what_is_no_history_is_refused(text, words, tmp_path):
    path = tmp_path / "history.json"
    path.write_text(text)
    with pytest.raises(aether.InvalidArgument, match=words):
        replay(path, client_with(written))


def test_a_history_of_another_workflow_is_refused(history):
    with pytest.raises(aether.InvalidArgument, match="a history of workflow 'order', not of 'invoice'"):
        replay(history, client_with(written, "invoice"))
