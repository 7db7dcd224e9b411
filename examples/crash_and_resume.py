"""Dies in the middle and goes on where it was: the first process is killed behind step 2, the second one finishes.

python examples/crash_and_resume.py
"""

import os
import signal
import subprocess
import sys
import uuid

import trio

import aether

client = aether.Client()


def work(number: int) -> int:
    print(f"  process {os.getpid()}: step {number}", flush=True)
    return number * number


def crash_once() -> None:
    if "CRASH" in os.environ:
        print(f"  process {os.getpid()}: killed", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


@client.workflow("four-steps")
async def four_steps(ctx: aether.Context) -> int:
    first = await ctx.step("one", work, 1)
    second = await ctx.step("two", work, 2)
    await ctx.step("dangerous", crash_once)
    return first + second + await ctx.step("three", work, 3)


async def main(workflow_id: str) -> None:
    async with client.serve(four_steps):
        # Starting an id that is open gives the run that is there.
        print("result:", await four_steps.options(workflow_id=workflow_id).start_and_wait())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        trio.run(main, sys.argv[1])
    else:
        command = [sys.executable, __file__, f"four-steps-{uuid.uuid4()}"]
        for title, variables in (("first process", {"CRASH": "1"}), ("second process", {})):
            print(title)
            ended = subprocess.run(command, env=os.environ | variables, check=False)
            print("  ended with", ended.returncode)
