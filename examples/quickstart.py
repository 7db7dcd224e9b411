"""The smallest workflow: two steps, each recorded once.

python examples/quickstart.py      the engine works inside this process; its data are in data/aether.db
AETHER_SERVER=http://localhost:7233 python examples/quickstart.py      against `aether serve`
"""

import trio

import aether

client = aether.Client()


@client.workflow("greet")
async def greet(ctx: aether.Context, name: str) -> str:
    greeting = await ctx.step("create-message", lambda: f"Hello, {name}!")
    await ctx.step("log", lambda: print(greeting))
    return greeting


async def main() -> None:
    async with client.serve(greet):  # a worker, for as long as the block lasts
        result = await greet.start_and_wait("World")
        print("result:", result)


if __name__ == "__main__":
    trio.run(main)
