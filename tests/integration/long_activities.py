"""What the worker processes of the tests of activities serve. Attempts say what they see in `ran.txt`."""

import time
from pathlib import Path

import anyio

import aether

client = aether.Client()


def note(text):
    with Path("ran.txt").open("a") as notes:
        notes.write(text + "\n")


class Declined(ValueError):
    pass


@client.activity("count", retry=aether.RetryPolicy(initial_s=0))
async def count() -> int:
    info = aether.activity_info()
    note(f"attempt {info.attempt} finds {info.last_heartbeat}")
    if info.last_heartbeat is None:
        for number in range(1, 1_000):
            aether.heartbeat({"at": number, "pad": "x" * 100})
        await anyio.sleep_forever()
    return info.last_heartbeat["at"]


@client.activity("wait")
async def wait() -> None:
    note("async begins")
    try:
        await anyio.sleep_forever()
    finally:
        note("async stops")


@client.activity("work")
def work() -> None:
    note("thread begins")
    while not aether.cancelled():
        time.sleep(0.002)
    note("thread stops")


@client.activity("charge", retry=aether.RetryPolicy(initial_s=0, non_retryable=(ValueError,)))
async def charge(how: str) -> int:
    info = aether.activity_info()
    if how == "declined":
        raise Declined("no money")
    if info.attempt == 1:
        raise aether.RetryAfter(0.3, "busy")
    return info.attempt


@client.workflow("counts")
async def counts(ctx: aether.Context) -> int:
    return await ctx.activity(count)


@client.workflow("waits")
async def waits(ctx: aether.Context) -> None:
    await ctx.parallel([lambda: ctx.activity(wait), lambda: ctx.activity(work)])


@client.workflow("charges")
async def charges(ctx: aether.Context, how: str) -> int:
    return await ctx.activity(charge, how)


@client.workflow("steps")
async def steps(ctx: aether.Context) -> list[str]:
    tried: list[str] = []

    def declined() -> str:
        tried.append("declined")
        raise Declined("no money")

    def busy() -> str:
        tried.append("busy")
        if tried.count("busy") == 1:
            raise aether.RetryAfter(0.05)
        return "done"

    await ctx.step("busy", busy, retry=aether.RetryPolicy(initial_s=3600, max_attempts=2))
    try:
        await ctx.step("declined", declined, retry=aether.RetryPolicy(initial_s=0, non_retryable=("ValueError",)))
    except aether.StepFailed as error:
        tried.append(error.type)
    return tried
