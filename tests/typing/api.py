"""What type checkers see of the public API; checked by mypy and pyright, both strict, and never run.

A line that ends in `# type: ignore[...]` is a wrong use that must be refused: both checkers are told to complain about
an ignore that nothing needs.
"""

from collections.abc import Coroutine
from datetime import datetime
from typing import Any, assert_type
from uuid import UUID

import attrs

import aether

client = aether.Client("http://localhost:7233", task_queue="orders")


@attrs.frozen
class Stock:
    total: int


@attrs.frozen
class Receipt:
    order_id: str
    cents: int


@client.activity("charge", retry=aether.RetryPolicy(max_attempts=3), start_to_close_s=30)
async def charge(order_id: str, cents: int) -> Receipt:
    aether.heartbeat({"at": 1})
    assert_type(aether.activity_info().attempt, int)
    return Receipt(order_id, cents)


def order_of(order_id: str, fast: bool = False) -> str:
    return order_id


@client.activity("pack", labels={"zone": "b"}, concurrency=aether.Concurrency(3, key=order_of, name="packing"))
def pack(order_id: str) -> bytes:
    return order_id.encode()


async def check(order_id: str) -> Stock:
    return Stock(len(order_id))


def count(text: str, times: int = 1) -> int:
    return len(text) * times


@client.workflow("ship", concurrency=aether.Concurrency(1, key=order_of))
async def ship(ctx: aether.Context, order_id: str, fast: bool = False) -> str:
    return order_id


@client.workflow("order")
async def order(ctx: aether.Context, order_id: str) -> Receipt:
    assert_type(await ctx.step("check", check, order_id), Stock)
    assert_type(await ctx.step("check", lambda: check(order_id)), Stock)
    assert_type(await ctx.step("count", lambda: count("a", times=3)), int)
    assert_type(await ctx.step("check", check, order_id, retry=aether.RetryPolicy(), timeout_s=5), Stock)
    assert_type(await ctx.step("pack", pack, order_id, timeout_s=5), bytes)
    assert_type(await ctx.step("count", lambda: 1.5), float)
    assert_type(await ctx.activity(charge, order_id, 5), Receipt)
    assert_type(await ctx.activity(pack, order_id), bytes)
    assert_type(await ctx.child(ship, order_id, fast=True), str)
    assert_type(await ctx.child(ship.options(workflow_id="s"), order_id), str)
    assert_type(await ctx.parallel([lambda: ctx.step("a", check, "a"), lambda: ctx.step("b", check, "b")]), list[Stock])
    assert_type(await ctx.parallel([lambda: ctx.step("a", check, "a")], limit=1), list[Stock])
    assert_type(
        await ctx.parallel([lambda: ctx.step("a", check, "a")], return_exceptions=True), list[Stock | Exception]
    )
    assert_type(await ctx.race([lambda: ctx.step("a", check, "a"), lambda: ctx.step("b", check, "b")]), Stock)
    async with ctx.move_on_after(5) as deadline:
        assert_type(deadline.expired, bool)
    async with ctx.fail_after(5):
        await ctx.sleep(1)
    assert_type(await ctx.wait_signal("go"), Any)
    assert_type(await ctx.wait_signal("go", result_type=Stock, timeout_s=5), Stock)
    approval = await ctx.promise("approval", result_type=Stock)
    assert_type(approval.token, str)
    assert_type(await approval.result(), Stock)
    await ctx.publish("token", approval.token)
    spawned = await ctx.spawn(ship.options(parent_close_policy="abandon"), order_id, fast=True)
    assert_type(await spawned.result(), str)
    await ctx.on_failure("unpack", pack, order_id)
    assert_type(ctx.now(), datetime)
    assert_type(ctx.uuid(), UUID)
    assert_type(ctx.random(), float)
    await ctx.sleep(hours=1, minutes=30)
    async with ctx.nursery() as nursery:
        nursery.start_soon(ctx.step, "c", check, "c")
        nursery.start_soon(ship, ctx, "c")
    with ctx.shield():
        assert_type(await ship(ctx, order_id), str)

    await ctx.step("check", check, 5)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await ctx.step("count", count, "a", times=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await ctx.spawn(ship, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await ctx.on_failure("unpack", pack, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ship.options(parent_close_policy="leave")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await ctx.activity(charge, order_id, "5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await ctx.activity(charge, order_id)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await ctx.activity(check, order_id)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await ctx.child(ship, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await ctx.child(charge, order_id, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await ctx.sleep(weeks=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    return Receipt(order_id, 5)


async def use() -> None:
    assert_type(await order.start_and_wait("a"), Receipt)
    handle = await order.options(workflow_id="a").start("a")
    assert_type(handle, aether.Handle[Receipt])
    assert_type(await handle.result(timeout_s=5), Receipt)
    assert_type((await handle.status()).state, aether.RunState)
    assert_type([event.seq async for event in handle.history()], list[int])
    assert_type(await handle.fork(at=3, workflow_id="b"), aether.Handle[Receipt])
    assert_type(await handle.retry(), aether.Handle[Receipt])
    assert_type([fork.run_id async for fork in handle.forks()], list[str])
    assert_type((await handle.at(3)).finished, tuple[aether.Outcome, ...])
    assert_type((await handle.timeline())[0].attempts, tuple[aether.Attempt, ...])
    assert_type((await handle.why()).reasons, tuple[aether.Reason, ...])
    assert_type([info.run_id async for info in client.list(state=aether.RunState.FAILED)], list[str])
    assert_type(await client.handle("a", result_type=Receipt).result(), Receipt)
    assert_type(client.handle("a"), aether.Handle[Any])
    await handle.signal("go", Stock(1), signal_id="1")
    assert_type(await handle.read("token"), Any)
    assert_type(await handle.read("token", result_type=str), str | None)
    await handle.cancel("stuck", force=True)
    assert_type(await client.start_many([order.prepare("a"), order.prepare("b")]), list[aether.Handle[Receipt]])
    assert_type(await client.complete_promise("token", Stock(1)), bool)
    assert_type(await client.fail_promise("token", ValueError("no")), bool)
    later = order.options(
        id_reuse="reject", start_delay_s=5, run_timeout_s=60, priority=1, tags={"a": "b"}, memo={"c": 1}
    )
    assert_type(await later.start_and_wait("a"), Receipt)
    called: Coroutine[Any, Any, Receipt] = charge("a", 1)
    assert_type(await called, Receipt)
    assert_type(pack("a"), bytes)
    async with client.serve(order, ship) as served:
        assert_type(served, aether.Client)

    order.prepare(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await order.start(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await order.start()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await order.start_and_wait("a", "b")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await charge("a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@client.workflow("plain")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
def plain(ctx: aether.Context) -> int:
    return 1


@client.workflow("no-context")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
async def no_context(order_id: str) -> int:
    return 1


class Zip:
    def encode(self, payload: aether.Payload) -> aether.Payload:
        return payload

    def decode(self, payload: aether.Payload) -> aether.Payload:
        return payload


class HalfACodec:
    def encode(self, payload: aether.Payload) -> aether.Payload:
        return payload


aether.Client(codec=Zip())
aether.Client(codec=HalfACodec())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
