"""All or nothing over several systems: each booking says how it is undone, and a failure undoes them in reverse.

python examples/saga.py
"""

import trio

import aether

client = aether.Client()


def book(what: str) -> None:
    if what == "car":
        raise RuntimeError("no car is left")
    print("booked", what)


def cancel(what: str) -> None:
    print("cancelled", what)


@client.workflow("trip")
async def trip(ctx: aether.Context, parts: list[str]) -> None:
    for part in parts:
        await ctx.step(f"book {part}", book, part, retry=aether.RetryPolicy(initial_s=0.05, max_attempts=2))
        await ctx.on_failure(f"cancel {part}", cancel, part)


async def main() -> None:
    async with client.serve():
        try:
            await trip.start_and_wait(["flight", "hotel", "car"])
        except aether.WorkflowFailed as error:
            print("failed:", error)


if __name__ == "__main__":
    trio.run(main)
