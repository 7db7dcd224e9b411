"""What a context refuses, and what it makes of outcomes that come from elsewhere."""

import anyio
import pytest

import aether
from aether.model import events as e
from aether.model.payload import Failure, Payload
from tests.unit.sdk.peer import begun, client_of, quiet, serving

pytestmark = pytest.mark.anyio
SCHEDULED = e.ActivityScheduled("1", "a", "q", Payload(b"[]"))
STARTED = e.ChildStarted("1", "id/1", "r", "other")


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request):
    return request.param


async def outcome(function, *facts, client=None):
    """How a run of the function ends that has this history."""
    client = client or client_of()
    client.workflow("w")(function)
    async with serving(client) as peer:
        peer.workflow(*begun(*facts))
        return (await peer.completion()).commands[0]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda ctx: ctx.activity(print), "ctx.activity takes what @client.activity made, .*; use ctx.step"),
        (lambda ctx: ctx.child(print), "ctx.child takes what @client.workflow made"),
        (lambda ctx: ctx.spawn(print), "ctx.spawn takes what @client.workflow made"),
        (lambda ctx: ctx.parallel([], limit=0), "limit must be at least 1, not 0"),
        (lambda ctx: ctx.race([]), "ctx.race needs at least one function"),
        (lambda ctx: ctx.race([5]), "5 is no function"),
        (lambda ctx: ctx.step("a", print, timeout_s=0), "timeout_s must be above 0, not 0"),
        (lambda ctx: ctx.wait_signal(""), "signal name '' must be printable"),
        (lambda ctx: ctx.promise(""), "promise name '' must be printable"),
        (lambda ctx: ctx.publish("", 1), "value name '' must be printable"),
        (lambda ctx: ctx.sleep(-1), "ctx.sleep can not wait for -1 s"),
        (lambda ctx: ctx.sleep(float("nan")), "can not wait for nan s"),
        (lambda ctx: ctx.sleep(days=1e9), "can not wait"),
        (lambda ctx: ctx.parallel([ctx.sleep(1)]), "is no function; write `lambda: ctx.step"),
        (lambda ctx: ctx.parallel([5]), "5 is no function"),
        (lambda ctx: ctx.step("", print), "step name '' must be printable"),
        (lambda ctx: ctx.step("x" * 201, print), "longer than 200 bytes"),
    ],
)
async def test_what_can_not_be_meant_is_refused(call, told):
    async def work(ctx: aether.Context) -> None:
        with pytest.raises(aether.InvalidArgument, match=told):
            await call(ctx)

    assert (await outcome(work)).HasField("complete_run")


@pytest.mark.parametrize(
    ("fact", "kind", "told"),
    [
        (e.ActivityFailed("1", 3, Failure("OSError", "gone")), aether.ActivityFailed, "'a' failed: OSError: gone"),
        (e.ActivityCancelled("1"), aether.ActivityFailed, "'a' was cancelled"),
    ],
)
async def test_an_activity_without_a_result_raises(fact, kind, told):
    client = client_of()

    @client.activity("a")
    async def act() -> None: ...

    async def work(ctx: aether.Context) -> None:
        with pytest.raises(kind, match=told):
            await ctx.activity(act)

    assert (await outcome(work, SCHEDULED, fact, client=client)).HasField("complete_run")


@pytest.mark.parametrize(
    ("fact", "kind", "told"),
    [
        (e.ChildFailed("1", Failure("OSError", "gone")), aether.ChildFailed, "'other' failed: OSError: gone"),
        (e.ChildCancelled("1"), aether.ChildCancelled, "'other' was cancelled"),
    ],
)
async def test_a_child_without_a_result_raises(fact, kind, told):
    client = client_of()

    @client.workflow("other")
    async def other(ctx: aether.Context) -> None: ...

    async def work(ctx: aether.Context) -> None:
        with pytest.raises(kind, match=told):
            await ctx.child(other)

    assert (await outcome(work, STARTED, fact, client=client)).HasField("complete_run")


async def test_no_branches_at_all_are_over_at_once():
    async def work(ctx: aether.Context) -> list[object]:
        return await ctx.parallel([])

    assert (await outcome(work)).complete_run.result.data == b"[]"


async def test_a_failing_block_of_a_nursery_takes_its_branches_along():
    ended = []

    async def work(ctx: aether.Context) -> None:
        async def branch() -> None:
            try:
                await ctx.sleep(days=1)
            finally:
                ended.append("branch")

        async with ctx.nursery() as nursery:
            nursery.start_soon(branch)
            await ctx.step("here", anyio.lowlevel.checkpoint)
            raise ValueError("the block")

    async with serving(client_of(work)) as peer:
        peer.workflow(*begun())
        assert (await peer.completion()).commands[0].HasField("start_timer")
        peer.ack(3)
        assert (await peer.completion()).commands[0].HasField("record_step")
        peer.ack(4)
        commands = [*(await peer.completion()).commands]
        while not commands[-1].HasField("fail_run"):
            commands += (await peer.completion()).commands
        assert commands[0].cancel_pending.path == "1.1.1"
        failure = commands[-1].fail_run.failure
    assert (failure.group, [cause.message for cause in failure.causes]) == (True, ["the block"])
    assert ended == ["branch"]


async def test_a_context_is_refused_in_another_run_and_after_the_end():
    kept: list[aether.Context] = []
    told: list[str] = []

    async def work(ctx: aether.Context) -> None:
        if kept:
            with pytest.raises(aether.InvalidArgument, match="was called in another run"):
                await kept[0].step("not mine", print)
            told.append("other")
        kept.append(ctx)
        await ctx.sleep(0)

    async with serving(client_of(work)) as peer:
        peer.workflow(*begun(), token=1)
        await peer.completion()
        peer.workflow(*begun(), token=2)
        await peer.completion()
        await quiet()
    assert told == ["other"]


async def test_a_branch_that_is_lost_before_its_turn_does_not_begin():
    began = []

    async def work(ctx: aether.Context) -> None:
        async def branch() -> None:
            began.append("branch")

        with anyio.CancelScope(shield=True):
            async with ctx.nursery() as nursery:
                nursery.start_soon(branch)
                # Not at rest, so the branch has to wait for its turn; then the run is taken away.
                ctx._run.drop()

    async with serving(client_of(work)) as peer:
        peer.workflow(*begun())
        await quiet()
    assert began == []
