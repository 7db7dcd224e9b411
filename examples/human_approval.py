"""A person decides: the run hands out a token and waits, for days if need be, until somebody completes its promise.

python examples/human_approval.py
"""

import trio

import aether

client = aether.Client()


@client.workflow("purchase")
async def purchase(ctx: aether.Context, item: str) -> str:
    approval = await ctx.promise("approval", result_type=str)
    # In earnest the token goes into a mail, or behind a button.
    await ctx.publish("token", approval.token)
    await ctx.step("ask", lambda: print("waiting for approval of", item))
    try:
        return f"{item} approved by {await approval.result()}"
    except aether.PromiseFailed as refused:
        return f"{item} refused: {refused}"


async def approve(handle: aether.Handle[str]) -> None:
    """What the person's mail program or browser does, in any process."""
    token = None
    while token is None:
        await trio.sleep(0.05)
        token = await handle.read("token", result_type=str)
    await client.complete_promise(token, "Ada")


async def main() -> None:
    async with client.serve():
        handle = await purchase.start("laptop")
        await approve(handle)
        print("result:", await handle.result())


if __name__ == "__main__":
    trio.run(main)
