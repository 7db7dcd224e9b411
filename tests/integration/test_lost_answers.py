"""Who repeats a request because its answer was lost is told the same, also when the run is closed by then."""

import contextlib
from collections.abc import Awaitable, Callable

import pytest
import trio

import aether
from aether.testing import Environment, Testbed

client = aether.Client()
bed = Testbed(client)


@client.workflow("asks")
async def asks(ctx: aether.Context) -> str:
    await ctx.publish("asked", True)
    await ctx.publish("asked", await ctx.wait_signal("answer"))
    return "done"


@client.workflow("promises")
async def promises(ctx: aether.Context) -> str:
    kept, broken, unused = await ctx.promise("kept"), await ctx.promise("broken"), await ctx.promise("unused")
    await ctx.publish("tokens", [kept.token, broken.token, unused.token])
    try:
        await broken.result()
    except aether.PromiseFailed:
        return str(await kept.result())
    return "it was kept"


@client.workflow("waits")
async def waits(ctx: aether.Context) -> None:
    await ctx.sleep(days=1)


@bed.test
async def test_a_signal_of_a_closed_run_is_a_duplicate_if_the_run_had_it(env: Environment):
    handle = await asks.start()
    await handle.signal("answer", "yes", signal_id="s-1")
    assert await handle.result() == "done"
    await handle.signal("answer", "yes", signal_id="s-1")
    with pytest.raises(aether.WorkflowClosed, match="COMPLETED already"):
        await handle.signal("answer", "yes", signal_id="s-2")
    assert await handle.read("asked") == "yes"
    assert await handle.read("nothing") is None


@bed.test
async def test_a_promise_of_a_closed_run_was_kept_before_or_is_not_wanted_any_more(env: Environment):
    handle = await promises.start()
    await env.settle()
    kept, broken, unused = await handle.read("tokens")
    assert await client.complete_promise(kept, "yes")
    assert await client.fail_promise(broken, ValueError("no"))
    assert await handle.result() == "yes"
    assert not await client.complete_promise(kept, "yes")
    assert not await client.fail_promise(broken, ValueError("no"))
    with pytest.raises(aether.WorkflowNotFound, match="not open any more"):
        await client.complete_promise(unused, "late")
    with pytest.raises(aether.WorkflowNotFound):
        await client.complete_promise("1/nobody/nowhere", "late")


@bed.test
async def test_a_cancel_of_a_run_that_was_asked_before_is_harmless(env: Environment):
    handle = await waits.start()
    await handle.cancel()
    with pytest.raises(aether.WorkflowCancelled):
        await handle.result()
    await handle.cancel()
    closed = await asks.start()
    await closed.signal("answer", "yes")
    await closed.result()
    with pytest.raises(aether.WorkflowClosed):
        await closed.cancel()


@pytest.mark.parametrize("seed", range(30))
def test_what_comes_while_a_run_is_being_started_is_not_told_that_it_is_closed(seed):
    async def scenario(env: Environment) -> None:
        handle = client.handle("asks-1")

        async def tell(say: Callable[[], Awaitable[None]]) -> None:
            with contextlib.suppress(aether.WorkflowNotFound):
                await say()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(asks.options(workflow_id="asks-1").start)
            for _ in range(3):
                nursery.start_soon(tell, lambda: handle.signal("other"))
                await trio.lowlevel.checkpoint()
            nursery.start_soon(tell, handle.cancel)

    Testbed(client, seed=seed).play(scenario)
