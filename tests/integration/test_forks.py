"""Forks of real workflows: at any event, of runs that failed, and over a server that is killed."""

import json
import signal
from functools import partial

import pytest
import trio

import aether
from aether import Client, Context
from aether.testing import Environment, Testbed
from tests.processes import Server
from tests.processes import aether as command

client = Client()
testbed = Testbed(client)


@client.activity("charge", retry=aether.RetryPolicy(initial_s=5, max_attempts=3))
async def charge(cents: int) -> int:
    if aether.activity_info().attempt == 1:
        raise ConnectionError("not now")
    return cents


@client.workflow("ship")
async def ship(ctx: Context, count: int) -> int:
    await ctx.sleep(seconds=3)
    return count + 1


@client.workflow("order")
async def order(ctx: Context, count: int) -> list[object]:
    key = str(ctx.uuid())
    first = await ctx.step("check", lambda: key)
    tries: list[int] = []

    def flaky() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("again")
        return "ok"

    second = await ctx.step("flaky", flaky, retry=aether.RetryPolicy(initial_s=1))

    async def pay_and_ship() -> list[int]:
        return [await ctx.activity(charge, count), await ctx.child(ship, count)]

    both, _, packed = await ctx.parallel(
        [pay_and_ship, lambda: ctx.sleep(seconds=20), lambda: ctx.step("pack", lambda: "packed")]
    )
    async with ctx.move_on_after(2) as deadline:
        await ctx.activity(charge, 9)
    who = await ctx.wait_signal("go", timeout_s=86_400)
    await ctx.publish("who", who)
    return [first == key, second, both, packed, deadline.expired, who]


@client.workflow("booking")
async def booking(ctx: Context, how: str) -> None:
    await ctx.step("room", lambda: None)
    await ctx.on_failure("free the room", lambda: None)
    if how == "fails twice":
        await ctx.on_failure("fail", lambda: 1 // 0)
    if how == "is cancelled":
        await ctx.sleep(hours=1)
    raise ValueError(how)


@client.workflow("batch")
async def batch(ctx: Context) -> list[int]:
    spawned: list[aether.Spawned[int]] = []

    async def part(number: int) -> int:
        if number % 2:
            return await ctx.step(f"part {number}", lambda: number)
        spawned.append(await ctx.spawn(ship, number))
        return number

    parts = await ctx.parallel([partial(part, number) for number in range(4)], limit=1)
    return [*parts, *[await child.result() for child in spawned]]


@client.workflow("draw")
async def draw(ctx: Context) -> list[str]:
    first = str(ctx.uuid())
    await ctx.step("one", lambda: None)
    await ctx.step("two", lambda: None)
    return [first, str(ctx.uuid())]


mended: list[bool] = []
ran: list[str] = []


@client.workflow("fragile")
async def fragile(ctx: Context) -> str:
    await ctx.step("before", lambda: ran.append("before"))

    def pay() -> str:
        if not mended:
            raise ValueError("broken")
        return "paid"

    return await ctx.step("pay", pay)


@client.workflow("saga")
async def saga(ctx: Context) -> None:
    await ctx.step("book", lambda: None)
    await ctx.on_failure("unbook", lambda: None)

    def fail() -> None:
        raise ValueError("no room")

    await ctx.step("pay", fail)


@testbed.test
async def test_a_fork_at_any_event_comes_to_the_same_end(env: Environment) -> None:
    async def finish(handle: "aether.Handle[list[object]]") -> list[object]:
        await env.sleep(seconds=60)
        if not (await handle.status()).state.is_closed:
            await handle.signal("go", "Ada")
        return await handle.result()

    handle = await order.options(workflow_id="order-1").start(7)
    result = await finish(handle)
    assert result == [True, "ok", [7, 8], "packed", True, "Ada"]
    count = len([event async for event in handle.history()])
    assert count > 25
    for at in range(1, count):
        fork = await handle.fork(at=at, workflow_id=f"fork-{at}")
        assert await finish(fork) == result, f"the fork at event {at}"
        origin = (await fork.status()).info.forked_from
        assert origin == aether.ForkOrigin("order-1", handle.run_id, at)
    assert [info.workflow_id async for info in handle.forks()] == [f"fork-{at}" for at in range(count - 1, 0, -1)]


@testbed.test
async def test_a_run_whose_branches_wait_for_each_other_is_forked_or_refused(
    env: Environment,
) -> None:
    handle = await batch.start()
    result = await handle.result()
    assert result == [0, 1, 2, 3, 1, 3]
    forked = 0
    for at in range(1, len(await env.history(handle))):
        try:
            fork = await handle.fork(at=at)
        except aether.InvalidArgument as refused:
            assert "was open and the run had gone on: fork at" in str(refused)  # noqa: PT017
            continue
        forked += 1
        assert await fork.result() == result, f"the fork at event {at}"
    assert forked == 4


@testbed.test
async def test_a_fork_draws_what_was_drawn_before_and_then_draws_anew(env: Environment) -> None:
    drawn = {}
    handle = await draw.start()
    drawn["run"] = await handle.result()
    drawn["fork"] = await (await handle.fork(at=3)).result()
    drawn["fork of it"] = await (await (await handle.fork(at=3)).fork(at=4)).result()
    assert len({pair[0] for pair in drawn.values()}) == 1
    assert len({pair[1] for pair in drawn.values()}) == 3


@testbed.test
async def test_a_run_that_failed_goes_on_when_it_is_retried(env: Environment) -> None:
    handle = await fragile.options(workflow_id="fragile-1").start()
    with pytest.raises(aether.WorkflowClosed, match="is open"):
        await (await order.options(workflow_id="open").start(1)).retry()
    with pytest.raises(aether.WorkflowFailed):
        await handle.result()
    mended.append(True)
    again = await client.handle("fragile-1").retry()
    assert (again.workflow_id, again.run_id != handle.run_id) == ("fragile-1", True)
    assert await again.result() == "paid"
    assert ran == ["before"]
    with pytest.raises(aether.WorkflowClosed, match="is COMPLETED: there is nothing to retry"):
        await client.handle("fragile-1").retry()
    with pytest.raises(aether.InvalidArgument, match="forks"):
        client.handle("fragile-1").forks()


@pytest.mark.parametrize("how", ["fails", "fails twice", "is cancelled"])
@testbed.test
async def test_a_run_that_was_undone_is_not_retried_but_may_be_forked(env: Environment, how: str) -> None:
    handle = await booking.start(how)
    await env.sleep(seconds=1)
    if how == "is cancelled":
        await handle.cancel()
    with pytest.raises((aether.WorkflowFailed, aether.WorkflowCancelled)):
        await handle.result()
    with pytest.raises(aether.WorkflowClosed, match=r"from event \d on the run undid what it had done") as refused:
        await handle.retry()
    at = int(str(refused.value).split("go on from event ")[1].split(" ")[0])
    again = await handle.fork(at=at)
    await env.sleep(hours=2)
    assert (await again.status()).state is aether.RunState.FAILED


@testbed.test
async def test_a_run_that_cleaned_up_is_not_retried_but_may_be_forked(env: Environment) -> None:
    handle = await saga.start()
    with pytest.raises(aether.WorkflowFailed):
        await handle.result()
    with pytest.raises(aether.WorkflowClosed, match=r"from event 5 on the run undid .* from event 3 all"):
        await handle.retry()
    with pytest.raises(aether.WorkflowFailed):
        await (await handle.fork(at=3)).result()


STEPS = 200


def counting(url: str, *, may_run: bool) -> tuple[Client, "aether.Workflow[[], int]"]:
    local = Client(url)

    @local.workflow("steps")
    async def steps(ctx: Context) -> int:
        for number in range(STEPS):
            await ctx.step(f"step {number}", (lambda: None) if may_run else (lambda: pytest.fail("it ran again")))
        await ctx.wait_signal("go")
        return STEPS

    return local, steps


def test_a_fork_is_there_whole_or_not_at_all_when_its_server_is_killed(tmp_path):
    acknowledged: list[str] = []

    async def fork_until_killed(first: Server) -> None:
        local, steps = counting(first.url, may_run=True)
        async with local:
            async with local.serve():
                handle = await steps.options(workflow_id="w").start()
                while (await handle.why()).reasons[0].kind != "signal":  # noqa: ASYNC110 - nothing tells
                    await trio.sleep(0.01)
            async with trio.open_nursery() as nursery:

                async def fork(number: int) -> None:
                    forked = await handle.fork(at=2 + STEPS, workflow_id=f"fork-{number}")
                    acknowledged.append(forked.workflow_id)
                    if len(acknowledged) == 2:
                        first.tell(signal.SIGKILL)
                        nursery.cancel_scope.cancel()

                for number in range(20):
                    nursery.start_soon(fork, number)

    async def check(second: Server) -> None:
        local, _ = counting(second.url, may_run=False)
        async with local.serve():
            there = [info.workflow_id async for info in local.list("fork-*")]
            assert set(acknowledged) <= set(there)
            for workflow_id in there:
                handle = local.handle(workflow_id, result_type=int)
                facts = [type(event.fact).__name__ async for event in handle.history()]
                assert facts[: STEPS + 3] == ["RunCreated", "RunStarted", *["StepCompleted"] * STEPS, "RunForked"]
                await handle.signal("go")
                assert await handle.result() == STEPS

    with Server(tmp_path) as first:
        trio.run(fork_until_killed, first)
    with Server(tmp_path) as second:
        trio.run(check, second)


def test_the_command_line_forks_and_retries(server):
    local, steps = counting(server.url, may_run=True)
    is_mended = False

    @local.workflow("fragile")
    async def fragile(ctx: Context) -> str:
        await ctx.step("before", lambda: None)
        if not is_mended:
            raise ValueError("broken")
        return "mended"

    async def run(*options: str) -> str:
        """What the command says, on stdout or else on stderr."""
        done = await trio.to_thread.run_sync(lambda: command(*options, AETHER_SERVER=server.url))
        return f"{done.returncode} {done.stdout or done.stderr}"

    async def main() -> None:
        nonlocal is_mended
        async with local.serve():
            handle = await fragile.options(workflow_id="f").start()
            with pytest.raises(aether.WorkflowFailed):
                await handle.result()
            is_mended = True
            assert (await run("fork", "f", "--at", "3", "--dry-run")).startswith("0 workflow\tf-fork-")
            said = await run("fork", "f", "--at", "3", "--id", "g")
            assert said.startswith("0 workflow\tg\nrun\t")
            assert said.endswith("\nforked at\tevent 3\n")
            assert await local.handle("g").result() == "mended"
            shown = await run("status", "g")
            assert f"forked from\tf (run {handle.run_id}) at event 3\n" in shown
            assert "fork\tg (run " in await run("status", "f")
            document = json.loads((await run("retry", "f", "-o", "json")).removeprefix("0 "))
            assert (document["workflow_id"], document["at_seq"], document["run_id"] != handle.run_id) == ("f", 3, True)
            assert await local.handle("f").result() == "mended"
            assert await run("retry", "f") == (
                "6 aether: the run is COMPLETED: there is nothing to retry; "
                "to go on from one of its events, fork it there\n"
            )
            assert (await run("fork", "f", "--at", "99")).startswith("2 aether: there is no event 99: the history has ")
            assert (await run("fork", "nobody", "--at", "1")).startswith("3 aether: no workflow 'nobody'")
            await steps.options(workflow_id="open").start()
            assert (await run("fork", "f", "--at", "1", "--id", "open")).startswith(
                "6 aether: workflow id 'open' is open"
            )

    trio.run(main)
