"""Testing workflows: `pytest examples/test_order.py`. A month passes in milliseconds, and everybody dies everywhere."""

import aether
from aether.testing import Environment, Testbed

client = aether.Client()


@client.activity("charge", retry=aether.RetryPolicy(initial_s=60, max_attempts=5))
async def charge(order_id: str, cents: int) -> str:
    raise RuntimeError("tests do not pay")


@client.workflow("order")
async def order(ctx: aether.Context, order_id: str) -> str:
    payment = await ctx.activity(charge, order_id, 4200)
    await ctx.sleep(days=30)
    return await ctx.step("ship", lambda: f"parcel for {payment}")


testbed = Testbed(client)
testbed.replace(charge, lambda order_id, cents: f"tx-{order_id}")


@testbed.test
async def test_a_parcel_is_shipped_after_a_month(env: Environment) -> None:
    started_at = env.now()
    assert await order.start_and_wait("order-1") == "parcel for tx-order-1"
    assert (env.now() - started_at).days == 30


@testbed.test
async def test_a_bank_that_is_down_is_asked_again(env: Environment) -> None:
    attempts: list[int] = []

    def flaky(order_id: str, cents: int) -> str:
        attempts.append(aether.activity_info().attempt)
        if len(attempts) < 3:
            raise ConnectionError
        return "tx-late"

    env.replace(charge, flaky)
    assert await order.start_and_wait("order-2") == "parcel for tx-late"
    assert attempts == [1, 2, 3]


def test_it_does_not_matter_where_somebody_dies() -> None:
    report = testbed.crash_everywhere(order, "order-3")
    print(f"survived {report.crashes} crashes at {report.commits} positions")


if __name__ == "__main__":
    test_a_parcel_is_shipped_after_a_month()
    test_a_bank_that_is_down_is_asked_again()
    test_it_does_not_matter_where_somebody_dies()
