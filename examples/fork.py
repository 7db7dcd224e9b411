"""Go on from the middle of a run that failed, once what was wrong is mended: nothing that was done is done again.

python examples/fork.py
"""

import trio

import aether

client = aether.Client()
rates = {"usd": 100}


def draw_number() -> int:
    print("drawing a number")
    return 17


@client.workflow("invoice")
async def invoice(ctx: aether.Context, currency: str) -> str:
    number = await ctx.step("draw a number", draw_number)
    rate = await ctx.step("look up the rate", lambda: rates[currency])
    return f"invoice {number}: {rate}"


async def main() -> None:
    async with client.serve():
        run = await invoice.start("eur")
        try:
            await run.result()
        except aether.WorkflowFailed as failure:
            print(failure)
        rates["eur"] = 92
        again = await run.retry()
        print(await again.result())
        if origin := (await again.status()).info.forked_from:
            print("events that both share:", origin.seq)


trio.run(main)
