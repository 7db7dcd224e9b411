"""The workflows behind the golden databases. They must never change: old histories are replayed with them."""

import anyio

import aether

client = aether.Client(worker_id="golden")
NO_RETRY = aether.RetryPolicy(max_attempts=1)


class Refused(Exception):
    """What a golden run fails with."""


@client.activity("double", retry=NO_RETRY, start_to_close_s=600, heartbeat_s=600)
async def double(number: int) -> int:
    aether.heartbeat({"at": number})
    return number * 2


@client.activity("refuse", retry=NO_RETRY)
async def refuse(what: str) -> None:
    raise Refused(what)


@client.workflow("child")
async def child(ctx: aether.Context, number: int) -> int:
    return await ctx.step("add", lambda: number + 1)


@client.workflow("everything")
async def everything(ctx: aether.Context, number: int) -> dict[str, object]:
    """One of each fact that a run which completes can have."""
    doubled = await ctx.activity(double, number)
    await ctx.sleep(seconds=0.01)
    both = await ctx.parallel([lambda: ctx.step("left", lambda: "l"), lambda: ctx.child(child, doubled)])
    await ctx.publish("progress", {"done": 1})
    word = await ctx.wait_signal("word", result_type=str)
    try:
        await ctx.activity(refuse, "no")
    except aether.ActivityFailed as error:
        refused = type(error).__name__
    return {"doubled": doubled, "both": both, "word": word, "refused": refused}


@client.workflow("failing")
async def failing(ctx: aether.Context) -> None:
    await ctx.step("before", lambda: None)
    raise Refused("by its own code")


@client.workflow("waiting")
async def waiting(ctx: aether.Context, name: str) -> str:
    """Open for ever, until it is given its signal."""
    first = await ctx.step("first", lambda: f"hello {name}")
    second = await ctx.wait_signal("go on", result_type=str)
    return f"{first}, {second}"


@client.workflow("sleeping")
async def sleeping(ctx: aether.Context) -> str:
    await ctx.sleep(hours=24 * 365 * 5)
    return "awake"


@client.workflow("lasting")
async def lasting(ctx: aether.Context) -> None:
    await ctx.step("last", anyio.sleep_forever)


TRIES: list[int] = []


def flaky() -> str:
    TRIES.append(1)
    if len(TRIES) == 1:
        raise Refused("the first time")
    return "steady"


@client.workflow("various")
async def various(ctx: aether.Context) -> list[str]:
    """Facts that came later: retried steps, promises, deadlines, races, compensations, detached children."""
    said = [await ctx.step("flaky", flaky, retry=aether.RetryPolicy(initial_s=0.01, max_attempts=3))]
    receipt = await ctx.promise("paid", result_type=str)
    await ctx.publish("token", receipt.token)
    said.append(await receipt.result())
    async with ctx.move_on_after(0.01) as deadline:
        await ctx.sleep(days=1)
    said.append(f"moved on: {deadline.expired}")
    spawned = await ctx.spawn(child, 1)
    said.append(str(await spawned.result()))
    await ctx.on_failure("undo", said.clear)
    raise Refused(", ".join(said))
