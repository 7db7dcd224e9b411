"""Limits: two calls of the bank at a time, and one order of a customer after the other, over any number of workers."""

import anyio

import aether

client = aether.Client()
charging: set[str] = set()
most = [0]


@client.activity("charge", concurrency=aether.Concurrency(2, name="bank"))
async def charge(customer: str, item: str) -> str:
    charging.add(f"{item} of {customer}")
    most[0] = max(most[0], len(charging))
    print("charging", " and ".join(sorted(charging)))
    await anyio.sleep(0.05)
    charging.remove(f"{item} of {customer}")
    return f"{customer} has paid for {item}"


@client.workflow("order", concurrency=aether.Concurrency(1, key=lambda customer, item: customer))
async def order(ctx: aether.Context, customer: str, item: str) -> str:
    return await ctx.activity(charge, customer, item)


async def main() -> None:
    async with client.serve():
        starts = [order.prepare(customer, item) for customer in ("Ann", "Bob", "Cid") for item in ("tea", "cup")]
        for handle in await client.start_many(starts):
            print(await handle.result())
    print(f"{most[0]} charges at a time at most")


if __name__ == "__main__":
    anyio.run(main)
