"""A worker process for tests of cancels. Usage: cancel_app.py SERVER EFFECTS NAME

What it does outside is a line in EFFECTS. Each clean-up step waits until the file EFFECTS.go is there.
"""

import os
import sys
from pathlib import Path

import anyio

import aether

client = aether.Client(sys.argv[1], worker_id=sys.argv[3])
EFFECTS = Path(sys.argv[2])
NEVER_S = 100_000.0
_effects = os.open(EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(words: str) -> None:
    os.write(_effects, f"{words}\n".encode())


async def hang(words: str) -> None:
    note(words)
    await anyio.sleep_forever()


async def clean_up(blocked: str) -> None:
    note(f"cleaning {blocked}")
    while not EFFECTS.with_suffix(".go").exists():  # noqa: ASYNC110
        await anyio.sleep(0.01)
    note(f"cleaned {blocked}")


async def fail(words: str) -> None:
    note(words)
    raise OSError("not now")


@client.activity("hang", heartbeat_s=600)
async def hang_in_activity(words: str) -> None:
    await hang(words)


@client.activity("queued", task_queue="nobody is here")
async def queued() -> None: ...


@client.workflow("kid")
async def kid(ctx: aether.Context, words: str) -> None:
    try:
        await ctx.step("begin", note, words)
        await ctx.sleep(NEVER_S)
    finally:
        with ctx.shield():
            await ctx.step("clean up", note, f"{words} cleaned")


@client.workflow("victim")
async def victim(ctx: aether.Context, blocked: str) -> None:
    words = f"blocked {blocked}"
    try:
        if blocked == "step":
            await ctx.step("hang", hang, words)
        elif blocked == "activity":
            await ctx.activity(hang_in_activity, words)
        elif blocked == "child":
            await ctx.child(kid, words)
        elif blocked == "back-off":
            await ctx.step("fail", fail, words, retry=aether.RetryPolicy(initial_s=NEVER_S, maximum_s=NEVER_S))
        elif blocked == "queue":
            await ctx.step("begin", note, words)
            await ctx.activity(queued)
        elif blocked == "parallel":
            await ctx.parallel([lambda: ctx.child(kid, words), lambda: ctx.activity(hang_in_activity, "aside")])
        else:
            await ctx.step("begin", note, words)
            await ctx.sleep(NEVER_S)
    finally:
        with ctx.shield():
            await ctx.step("clean up", clean_up, blocked)


async def main() -> None:
    async with client.serve():
        print("serving", flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main, backend="trio")
