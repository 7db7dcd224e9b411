"""A worker process for tests that kill. Usage: ten_steps.py SERVER EFFECTS

Each step leaves a line in the file EFFECTS when it runs, and one when it is acknowledged.
"""

import os
import sys

import anyio

import aether

client = aether.Client(sys.argv[1])
_effects = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(word: str, run: str, number: int) -> None:
    os.write(_effects, f"{word} {run} {number}\n".encode())


@client.workflow("ten-steps")
async def ten_steps(ctx: aether.Context, pause_s: float) -> int:
    total = 0
    for number in range(10):

        async def work(number: int = number) -> int:
            note("ran", ctx.workflow_id, number)
            await anyio.sleep(pause_s)
            return number

        total += await ctx.step(f"step-{number}", work)
        note("acknowledged", ctx.workflow_id, number)
    return total


async def main() -> None:
    async with client.serve(ten_steps):
        print("ready", flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main, backend="trio")
