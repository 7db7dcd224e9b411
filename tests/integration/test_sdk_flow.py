"""What users see, from `aether.Client()` to the result: the real server in this process, under both event loops."""

from datetime import UTC, datetime, timedelta
from enum import Enum

import anyio
import attrs
import pytest

import aether
from aether.model import events as e

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request):
    return request.param


class Colour(Enum):
    RED = "red"


@attrs.frozen
class Stock:
    total: int
    seen_at: datetime
    colours: frozenset[Colour] = frozenset()


@attrs.frozen
class Receipt:
    order_id: str
    cents: int
    stock: Stock


STOCK = Stock(5, datetime(2026, 1, 2, tzinfo=UTC), frozenset({Colour.RED}))


async def test_an_order_goes_through_steps_activities_timers_children_and_branches():
    client = aether.Client(db="memory")
    attempts = []

    async def check(order_id: str) -> Stock:
        return STOCK

    @client.activity("charge", retry=aether.RetryPolicy(initial_s=0.01), heartbeat_s=10)
    async def charge(order_id: str, stock: Stock) -> int:
        info = aether.activity_info()
        attempts.append((info.attempt, info.last_heartbeat, stock))
        aether.heartbeat({"at": info.attempt})
        if info.attempt == 1:
            raise OSError("the line is busy")
        return stock.total * 100

    @client.activity("pack")
    def pack(order_id: str) -> str:
        aether.heartbeat("packing")
        assert not aether.cancelled()
        return f"box of {order_id}"

    @client.workflow("ship")
    async def ship(ctx: aether.Context, order_id: str, fast: bool = False) -> str:
        return await ctx.step("ship", lambda: f"shipped {order_id} {fast}")

    @client.workflow("order")
    async def order(ctx: aether.Context, order_id: str) -> Receipt:
        stock = await ctx.step("check", lambda: check(order_id))
        cents = await ctx.activity(charge, order_id, stock)
        await ctx.sleep(seconds=0.01)
        both = await ctx.parallel([lambda: ctx.activity(pack, order_id), lambda: ctx.child(ship, order_id, fast=True)])
        assert both == [f"box of {order_id}", f"shipped {order_id} True"]
        return Receipt(order_id, cents, stock)

    async with client.serve():
        handle = await order.options(workflow_id="order-1").start("a")
        assert await handle.result() == Receipt("a", 500, STOCK)
        status = await handle.status()
        assert (status.state, status.info.workflow_type) == (aether.RunState.COMPLETED, "order")
        facts = [event.fact async for event in handle.history()]
        assert [type(fact).__name__ for fact in facts][:4] == [
            "RunCreated", "RunStarted", "StepCompleted", "ActivityScheduled",
        ]  # fmt: skip
        assert isinstance(facts[-1], e.RunCompleted)
        assert [info.workflow_id async for info in client.list(workflow_type="order")] == ["order-1"]
        assert await client.handle("order-1", result_type=Receipt).result() == Receipt("a", 500, STOCK)
        again = await order.options(workflow_id="order-1").start("a")
        assert again.run_id != handle.run_id, "a closed id may be used again"
        await again.result()
    assert attempts[:2] == [(1, None, STOCK), (2, {"at": 1}, STOCK)]


async def test_a_step_that_raises_is_a_failure_that_code_may_catch():
    client = aether.Client(db="memory")

    class Declined(Exception):
        pass

    def decline() -> None:
        raise Declined("no money")

    @client.workflow("careful")
    async def careful(ctx: aether.Context) -> list[str]:
        with pytest.raises(aether.StepFailed, match="step 'pay' failed: Declined: no money") as caught:
            await ctx.step("pay", decline)
        return [caught.value.type, caught.value.traceback]

    @client.workflow("careless")
    async def careless(ctx: aether.Context) -> None:
        await ctx.step("pay", decline)

    async with client.serve():
        kind, traceback = await careful.start_and_wait()
        assert kind == "Declined"
        assert "in decline" in traceback
        assert "anyio" not in traceback
        with pytest.raises(aether.WorkflowFailed, match="StepFailed: step 'pay' failed: Declined: no money") as caught:
            await careless.start_and_wait()
        assert caught.value.failure is not None
        assert [cause.type for cause in caught.value.failure.causes] == ["Declined"]


async def test_several_failures_side_by_side_are_a_group_and_one_is_itself():
    client = aether.Client(db="memory")

    async def fail(text: str) -> None:
        raise ValueError(text)

    @client.workflow("one")
    async def one(ctx: aether.Context) -> str:
        try:
            await ctx.parallel([lambda: ctx.step("bad", fail, "x"), lambda: ctx.sleep(days=1)])
        except aether.StepFailed as error:
            return str(error)
        return "nothing"

    @client.workflow("two")
    async def two(ctx: aether.Context) -> None:
        async def late() -> None:
            try:
                await ctx.sleep(days=1)
            finally:
                raise KeyError("late")

        await ctx.parallel([late, lambda: ctx.step("bad", fail, "x")])

    @client.workflow("nursery")
    async def nursery(ctx: aether.Context) -> list[str]:
        with pytest.raises(ExceptionGroup) as caught:
            async with ctx.nursery() as group:
                group.start_soon(ctx.step, "good", lambda: 1)
                group.start_soon(ctx.step, "bad", fail, "y")
        return [str(error) for error in caught.value.exceptions]

    async with client.serve():
        assert await one.start_and_wait() == "step 'bad' failed: ValueError: x"
        assert await nursery.start_and_wait() == ["step 'bad' failed: ValueError: y"]
        with pytest.raises(aether.WorkflowFailed) as caught:
            await two.start_and_wait()
        failure = caught.value.failure
        assert failure is not None
        assert (failure.type, failure.group) == ("ExceptionGroup", True)
        assert [cause.type for cause in failure.causes] == ["KeyError", "StepFailed"]


async def test_time_chance_and_ids_are_the_same_in_the_whole_run():
    client = aether.Client(db="memory")

    @client.workflow("draws")
    async def draws(ctx: aether.Context) -> list[str]:
        before = ctx.now()
        drawn = [ctx.random(), ctx.random()]
        await ctx.step("wait", anyio.sleep, 0.01)
        assert timedelta(0) < ctx.now() - before < timedelta(seconds=20)
        assert all(0 <= number < 1 for number in drawn)
        assert drawn[0] != drawn[1]
        first, second = ctx.uuid(), ctx.uuid()
        assert first != second
        assert first.version == 4
        return [ctx.workflow_id, ctx.run_id]

    async with client.serve():
        handle = await draws.options(workflow_id="d").start()
        assert await handle.result() == ["d", handle.run_id]


async def test_a_cancelled_run_cleans_up_under_a_shield_and_its_children_end_first():
    client = aether.Client(db="memory")
    log = []
    waiting = anyio.Event()

    @client.activity("long")
    async def long() -> None:
        waiting.set()
        try:
            await anyio.sleep_forever()
        finally:
            log.append("activity stopped")

    @client.workflow("child")
    async def child(ctx: aether.Context) -> None:
        try:
            await ctx.activity(long)
        finally:
            log.append("child stopped")

    @client.workflow("parent")
    async def parent(ctx: aether.Context) -> None:
        try:
            await ctx.child(child.options(workflow_id="the-child"))
        finally:
            with ctx.shield():
                log.append(await ctx.step("refund", lambda: "refunded"))

    async with client.serve():
        handle = await parent.start()
        await waiting.wait()
        await handle.cancel("changed my mind")
        with pytest.raises(aether.WorkflowCancelled):
            await handle.result()
        assert log == ["activity stopped", "child stopped", "refunded"]
        assert (await client.handle("the-child").status()).state is aether.RunState.CANCELLED
        await handle.cancel()  # as whoever did not hear the answer would


async def test_a_run_that_swallows_the_cancel_is_completed():
    client = aether.Client(db="memory")

    @client.workflow("stubborn")
    async def stubborn(ctx: aether.Context) -> str:
        try:
            await ctx.sleep(days=1)
        except anyio.get_cancelled_exc_class():
            return "done all the same"
        return "not cancelled"

    async with client.serve():
        handle = await stubborn.start()
        while not (await handle.status()).pending:  # noqa: ASYNC110 - the server tells nobody by itself
            await anyio.sleep(0.001)
        await handle.cancel()
        assert await handle.result() == "done all the same"


async def test_the_same_id_is_the_same_run_when_type_and_input_agree():
    client = aether.Client(db="memory")

    @client.workflow("naps")
    async def naps(ctx: aether.Context, name: str) -> None:
        await ctx.sleep(days=1)

    async with client.serve():
        named = naps.options(workflow_id="n")
        first = await named.start("a")
        assert (await named.start("a")).run_id == first.run_id
        with pytest.raises(aether.WorkflowAlreadyExists, match="'n' is open with another input"):
            await named.start("b")
        with pytest.raises(aether.WorkflowNotFound):
            await client.handle("nobody").status()
        with pytest.raises(aether.DeadlineExceeded):
            await first.result(timeout_s=0.05)


async def test_a_client_outside_of_its_block_says_what_to_do():
    client = aether.Client(db="memory")

    @client.workflow("w")
    async def w(ctx: aether.Context) -> None: ...

    with pytest.raises(aether.InvalidArgument, match="async with client"):
        await w.start()
    with pytest.raises(aether.InvalidArgument, match="nothing to serve"):
        async with aether.Client(db="memory").serve():
            pass


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, SystemExit])
async def test_what_the_block_raises_comes_out_as_it_is(kind):
    client = aether.Client(db="memory")

    @client.workflow("w")
    async def w(ctx: aether.Context) -> None: ...

    with pytest.raises(kind, match="mine"):
        async with client.serve(w):
            raise kind("mine")


async def test_a_context_works_only_in_its_own_workflows_code():
    client = aether.Client(db="memory")
    kept = []

    @client.workflow("leaky")
    async def leaky(ctx: aether.Context) -> list[str]:
        kept.append(ctx)
        told = []

        async def inner() -> None:
            await ctx.step("too deep", lambda: 1)

        try:
            await ctx.step("outer", inner)
        except aether.StepFailed as error:
            told.append(error.type)
        both = await ctx.step("first", lambda: 1), await ctx.step("second", lambda: 2)
        assert both == (1, 2)
        return told

    async with client.serve():
        assert await leaky.start_and_wait() == ["InvalidArgument"]
        with pytest.raises(aether.InvalidArgument, match="outside of any workflow"):
            await kept[0].step("late", lambda: 1)


async def test_a_worker_that_the_server_does_not_take_is_told_why():
    client = aether.Client(db="memory", worker_id="x" * 300)

    @client.workflow("w")
    async def w(ctx: aether.Context) -> None: ...

    with pytest.raises(aether.InvalidArgument, match="worker_id"):
        async with client.serve(w):
            raise AssertionError("it is not served")


async def test_two_durable_calls_of_one_branch_at_a_time_are_refused_and_fail_the_run():
    client = aether.Client(db="memory")

    @client.workflow("w")
    async def w(ctx: aether.Context) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ctx.step, "a", anyio.sleep, 0.01)
            group.start_soon(ctx.step, "b", anyio.sleep, 0.01)

    async with client.serve(w):
        with pytest.raises(aether.WorkflowFailed) as caught:
            await w.start_and_wait()
    failure = caught.value.failure
    assert failure is not None
    assert "use ctx.parallel or ctx.nursery" in failure.causes[0].message


async def test_a_codec_sees_every_payload_of_the_user():
    seen = []

    class Mirror:
        def encode(self, payload: aether.Payload) -> aether.Payload:
            seen.append(payload.data)
            return aether.Payload(payload.data[::-1], "mirror/" + payload.encoding)

        def decode(self, payload: aether.Payload) -> aether.Payload:
            assert payload.encoding.startswith("mirror/")
            return aether.Payload(payload.data[::-1], payload.encoding.removeprefix("mirror/"))

    client = aether.Client(db="memory", codec=Mirror())

    @client.activity("act")
    async def act(text: str) -> str:
        return text + "!"

    @client.workflow("w")
    async def w(ctx: aether.Context, text: str) -> list[str]:
        return [await ctx.step("s", lambda: text + "?"), await ctx.activity(act, text)]

    async with client.serve(w):
        assert await w.start_and_wait("hello") == ["hello?", "hello!"]
    assert set(seen) == {b'["hello"]', b'"hello?"', b'"hello!"', b'["hello?","hello!"]'}
