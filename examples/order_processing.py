"""An order: stock, payment, parcel. The payment is an activity: retried with growing delays, bounded in time.

python examples/order_processing.py
"""

import asyncio

from attrs import frozen

import aether

client = aether.Client()


class OutOfStockError(aether.NonRetryable):
    pass


@frozen
class Receipt:
    order_id: str
    payment: str
    tracking: str


def check_inventory(order_id: str) -> int:
    if order_id.endswith("-0"):
        raise OutOfStockError(order_id)
    return 10


@client.activity("charge", retry=aether.RetryPolicy(initial_s=0.05, max_attempts=5), start_to_close_s=30)
async def charge(order_id: str, cents: int) -> str:
    attempt = aether.activity_info().attempt
    if attempt < 3:
        raise ConnectionError(f"the payment gateway hung up (attempt {attempt})")
    return f"tx-{order_id}-{cents}"


@client.workflow("order-processing")
async def process_order(ctx: aether.Context, order_id: str) -> Receipt:
    await ctx.step("check-inventory", check_inventory, order_id)
    await ctx.step("reserve-inventory", lambda: True)
    payment = await ctx.activity(charge, order_id, 4200)
    tracking = await ctx.step("ship-order", lambda: f"TRK-{order_id}")
    return Receipt(order_id, payment, tracking)


async def main() -> None:
    async with client.serve():
        print(await process_order.start_and_wait("order-123"))
        try:
            await process_order.start_and_wait("order-0")
        except aether.WorkflowFailed as failed:
            print("refused:", failed)


if __name__ == "__main__":
    asyncio.run(main())
