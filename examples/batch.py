"""Many at a time: branches side by side, each a child workflow with a history of its own.

python examples/batch.py
"""

from functools import partial

import trio

import aether

client = aether.Client()


@client.workflow("price-item")
async def price_item(ctx: aether.Context, item: str) -> int:
    await ctx.sleep(seconds=0.2)  # the server waits, not a thread
    return await ctx.step("look-up", lambda: len(item) * 100)


@client.workflow("price-batch")
async def price_batch(ctx: aether.Context, items: list[str]) -> dict[str, int]:
    async def price(item: str) -> int:
        return await ctx.child(price_item, item)

    prices = await ctx.parallel([partial(price, item) for item in items])
    return dict(zip(items, prices, strict=True))


async def main() -> None:
    async with client.serve():
        handle = await price_batch.start(["tea", "coffee", "cocoa"])
        print(await handle.result())
        async for child in client.list(prefix=f"{handle.workflow_id}/"):
            print(child.workflow_id, child.state.name)


if __name__ == "__main__":
    trio.run(main)
