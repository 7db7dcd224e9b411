"""A worker process for tests that take its session away. Usage: lost_session.py SERVER EFFECTS LOOP

Each workflow waits for something in a block whose `finally` undoes what was done, by a step under a shield.
"""

import os
import signal
import sys

import anyio

import aether

client = aether.Client(sys.argv[1])
_effects = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(word: str) -> None:
    os.write(_effects, f"{word}\n".encode())


@client.activity("slow", start_to_close_s=20)
async def slow() -> str:
    note("attempt")
    await anyio.sleep(1.5)
    return "done"


@client.workflow("kid")
async def kid(ctx: aether.Context) -> str:
    await ctx.sleep(1.5)
    return "done"


@client.workflow("waits")
async def waits(ctx: aether.Context, kind: str) -> str:
    await ctx.step("reserve", note, "reserved")
    try:
        if kind == "sleep":
            await ctx.sleep(1.5)
            return "done"
        if kind == "activity":
            return await ctx.activity(slow)
        if kind == "child":
            return await ctx.child(kid)
        return await ctx.step("long", in_step)
    finally:
        with ctx.shield():
            await ctx.step("release", note, "released")


async def in_step() -> str:
    note("step")
    await anyio.sleep(1.5)
    return "done"


async def main() -> None:
    async with client.serve():
        print("ready", flush=True)
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                print("stopping", flush=True)
                return


if __name__ == "__main__":
    anyio.run(main, backend=sys.argv[3])
