"""What workflow code can do beyond steps: deadlines, races, signals, promises, retries of steps, compensations."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

import aether

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client() -> aether.Client:
    return aether.Client(db="memory")


@asynccontextmanager
async def replayed(client: aether.Client) -> AsyncIterator[aether.Client]:
    """A worker that keeps no run in memory: whatever waits is replayed when it goes on."""
    async with client.serve(resident_max=0):
        yield client


async def facts(handle: "aether.Handle[Any]") -> list[str]:
    return [type(event.fact).__name__ async for event in handle.history()]


async def test_a_failing_step_is_tried_again_as_its_policy_says(client: aether.Client) -> None:
    tries: list[int] = []

    def flaky() -> int:
        tries.append(len(tries))
        if len(tries) < 3:
            raise ValueError("not yet")
        return len(tries)

    @client.workflow("w")
    async def w(ctx: aether.Context) -> int:
        policy = aether.RetryPolicy(initial_s=0.01, factor=1, max_attempts=5)
        return await ctx.step("flaky", flaky, retry=policy)

    async with replayed(client):
        handle = await w.start()
        assert await handle.result() == 3
        history = await facts(handle)
        assert history.count("StepRetried") == 2
        assert history.count("StepCompleted") == 1
    assert len(tries) == 3


async def test_runs_that_wait_for_signals_take_no_slot_and_are_left_in_peace() -> None:
    client = aether.Client(db="memory", workflow_slots=1)

    @client.workflow("w")
    async def w(ctx: aether.Context) -> int:
        return await ctx.wait_signal("go", result_type=int)

    async def is_resting(handle: aether.Handle[int]) -> bool:
        return (await handle.why()).reasons[0].kind == "signal"

    async with replayed(client):
        handles = [await w.start() for _ in range(5)]
        for handle in handles:
            while not await is_resting(handle):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            # Nobody takes it up and puts it down again.
            assert await facts(handle) == ["RunCreated", "RunStarted"]
        for number, handle in enumerate(handles):
            await handle.signal("go", number)
        assert [await handle.result() for handle in handles] == [0, 1, 2, 3, 4]


async def test_a_step_fails_for_good_when_no_attempt_is_left_or_it_is_not_retryable(client: aether.Client) -> None:
    tries: list[str] = []

    class Hopeless(aether.NonRetryable):
        pass

    def fail(word: str) -> None:
        tries.append(word)
        raise Hopeless if word == "hopeless" else ValueError(word)

    @client.workflow("w")
    async def w(ctx: aether.Context, word: str) -> str:
        try:
            await ctx.step("fail", fail, word, retry=aether.RetryPolicy(initial_s=0, max_attempts=2))
        except aether.StepFailed as error:
            return error.type
        return "no failure"

    async with replayed(client):
        assert await w.start_and_wait("again") == "ValueError"
        assert await w.start_and_wait("hopeless") == "Hopeless"
    assert tries == ["again", "again", "hopeless"]


async def test_a_step_that_takes_too_long_fails(client: aether.Client) -> None:
    @client.workflow("w")
    async def w(ctx: aether.Context) -> str:
        try:
            await ctx.step("slow", anyio.sleep_forever, timeout_s=0.01)
        except aether.StepFailed as error:
            return str(error)
        return "no failure"

    async with replayed(client):
        assert "took longer than 0.01 s" in await w.start_and_wait()


async def test_a_deadline_cancels_its_block_and_the_run_goes_on(client: aether.Client) -> None:
    cleaned: list[str] = []

    @client.workflow("w")
    async def w(ctx: aether.Context) -> list[object]:
        async with ctx.move_on_after(0.02) as first:
            try:
                await ctx.sleep(days=1)
            finally:
                cleaned.append("up")
        async with ctx.move_on_after(1000) as second:
            await ctx.step("quick", lambda: 1)
        try:
            async with ctx.fail_after(0.02):
                await ctx.sleep(days=1)
        except TimeoutError:
            return [first.expired, second.expired, await ctx.step("after", lambda: "here")]
        return []

    async with replayed(client):
        handle = await w.start()
        assert await handle.result() == [True, False, "here"]
        history = await facts(handle)
        assert history.count("TimerCancelled") == 3
    assert "up" in cleaned


async def test_a_failure_inside_a_deadline_is_raised_as_it_is(client: aether.Client) -> None:
    @client.workflow("w")
    async def w(ctx: aether.Context) -> str:
        try:
            async with ctx.fail_after(1000):
                raise KeyError("inside")
        except KeyError:
            return "as it is"

    async with replayed(client):
        assert await w.start_and_wait() == "as it is"


async def test_the_first_to_finish_wins_and_the_losers_are_cancelled(client: aether.Client) -> None:
    @client.workflow("slow")
    async def slow(ctx: aether.Context) -> str:
        await ctx.sleep(days=1)
        return "late"

    @client.workflow("w")
    async def w(ctx: aether.Context) -> str:
        async def nap(seconds: float, word: str) -> str:
            await ctx.sleep(seconds)
            return word

        won = await ctx.race([lambda: ctx.child(slow), lambda: nap(0.02, "won"), lambda: nap(1000, "lost")])
        return await ctx.step("after", lambda: won)

    async with replayed(client):
        handle = await w.start()
        assert await handle.result() == "won"
        history = await facts(handle)
        assert "ChildCancelled" in history
        assert history.index("ChildCancelled") < history.index("StepCompleted")


async def test_a_race_is_lost_for_all_when_the_first_to_finish_fails(client: aether.Client) -> None:
    @client.workflow("w")
    async def w(ctx: aether.Context) -> str:
        async def fail() -> str:
            raise ValueError("first")

        try:
            return await ctx.race([fail, lambda: ctx.step("never", lambda: "second")])
        except ValueError as error:
            return str(error)

    async with replayed(client):
        assert await w.start_and_wait() == "first"


async def test_parallel_keeps_to_its_limit_and_returns_failures_if_asked(client: aether.Client) -> None:
    running = peak = 0

    async def work(number: int) -> int:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await anyio.sleep(0.002)
        running -= 1
        if number == 3:
            raise ValueError("three")
        return number

    @client.workflow("w")
    async def w(ctx: aether.Context) -> list[object]:
        branches = [lambda n=n: ctx.step(f"s{n}", work, n) for n in range(8)]
        results = await ctx.parallel(branches, limit=2, return_exceptions=True)
        return [str(type(result).__name__) if isinstance(result, Exception) else result for result in results]

    async with replayed(client):
        assert await w.start_and_wait() == [0, 1, 2, "StepFailed", 4, 5, 6, 7]
    assert peak == 2


async def test_signals_are_taken_in_order_whether_they_come_before_or_after_the_wait(client: aether.Client) -> None:
    @client.workflow("w")
    async def w(ctx: aether.Context) -> list[int]:
        got = [await ctx.wait_signal("n", result_type=int)]
        await ctx.publish("ready", value=True)
        got += [await ctx.wait_signal("n", result_type=int) for _ in range(2)]
        try:
            await ctx.wait_signal("n", timeout_s=0.02)
        except TimeoutError:
            got.append(-1)
        return got

    async with client:
        handle = await w.start()
        await handle.signal("n", 1)
        await handle.signal("other", 9)
        async with replayed(client):
            while not await handle.read("ready"):  # noqa: ASYNC110 - the run brings it about
                await anyio.sleep(0.001)
            await handle.signal("n", 2, signal_id="two")
            await handle.signal("n", 2, signal_id="two")
            await handle.signal("n", 3)
            assert await handle.result() == [1, 2, 3, -1]


async def test_a_promise_is_completed_from_outside(client: aether.Client) -> None:
    @client.workflow("w")
    async def w(ctx: aether.Context) -> str:
        approval = await ctx.promise("approval", result_type=str)
        await ctx.publish("token", approval.token)
        await ctx.step("work meanwhile", lambda: None)
        try:
            return await approval.result()
        except aether.PromiseFailed as error:
            return f"refused: {error.failure.message if error.failure else ''}"

    async with replayed(client):
        for settle, outcome in (
            (lambda token: client.complete_promise(token, "yes"), "yes"),
            (lambda token: client.fail_promise(token, ValueError("no")), "refused: no"),
        ):
            handle = await w.start()
            while (token := await handle.read("token", result_type=str)) is None:  # noqa: ASYNC110 - the run brings it about
                await anyio.sleep(0.001)
            assert await settle(token)
            assert await handle.result() == outcome
            assert not await settle(token)


async def test_a_spawned_child_runs_beside_its_parent(client: aether.Client) -> None:
    @client.workflow("child")
    async def child(ctx: aether.Context, number: int) -> int:
        await ctx.sleep(0.01)
        return number * number

    @client.workflow("w")
    async def w(ctx: aether.Context) -> list[int]:
        spawned = [await ctx.spawn(child, number) for number in range(3)]
        mine = await ctx.step("mine", lambda: 100)
        return [mine, *[await each.result() for each in spawned]]

    async with replayed(client):
        assert await w.start_and_wait() == [100, 0, 1, 4]


@pytest.mark.parametrize(
    ("policy", "state"), [("cancel", "CANCELLED"), ("terminate", "CANCELLED"), ("abandon", "RUNNING")]
)
async def test_a_spawned_child_that_is_open_at_the_end_goes_the_way_that_was_chosen(
    client: aether.Client, policy: str, state: str
) -> None:
    @client.workflow("child")
    async def child(ctx: aether.Context) -> None:
        await ctx.sleep(days=1)

    @client.workflow("w")
    async def w(ctx: aether.Context) -> str:
        spawned = await ctx.spawn(child.options(parent_close_policy=policy))  # type: ignore[arg-type]
        await ctx.sleep(0.02)
        return spawned.workflow_id

    async with replayed(client):
        workflow_id = await w.start_and_wait()
        assert (await client.handle(workflow_id).status()).state.name == state


async def test_compensations_run_in_reverse_when_the_run_fails_or_is_cancelled(client: aether.Client) -> None:
    undone: list[str] = []

    @client.workflow("w")
    async def w(ctx: aether.Context, end: str) -> str:
        for name in ("flight", "hotel"):
            await ctx.step(f"book {name}", lambda: None)
            await ctx.on_failure(f"cancel {name}", undone.append, name)
        if end == "fails":
            raise ValueError("no car")
        if end == "is cancelled":
            await ctx.publish("booked", value=True)
            await ctx.sleep(days=1)
        return end

    async with replayed(client):
        with pytest.raises(aether.WorkflowFailed, match="no car"):
            await w.start_and_wait("fails")
        assert undone == ["hotel", "flight"]
        handle = await w.start("is cancelled")
        while not await handle.read("booked"):  # noqa: ASYNC110 - the run brings it about
            await anyio.sleep(0.001)
        await handle.cancel()
        with pytest.raises(aether.WorkflowCancelled):
            await handle.result()
        assert undone == ["hotel", "flight"] * 2
        assert await w.start_and_wait("succeeds") == "succeeds"
        assert undone == ["hotel", "flight"] * 2


async def test_many_runs_are_started_at_once(client: aether.Client) -> None:
    @client.workflow("w")
    async def w(ctx: aether.Context, number: int) -> int:
        return number

    async with replayed(client):
        handles = await client.start_many([w.prepare(number) for number in range(250)])
        assert [await handle.result() for handle in handles] == list(range(250))


async def test_start_options_are_kept(client: aether.Client) -> None:
    @client.workflow("w")
    async def w(ctx: aether.Context) -> None:
        await ctx.sleep(days=1)

    async with replayed(client):
        handle = await w.options(workflow_id="a", run_timeout_s=0.05, tags={"team": "x"}).start()
        with pytest.raises(aether.WorkflowFailed, match="was open for longer"):
            await handle.result()
        with pytest.raises(aether.WorkflowAlreadyExists):
            await w.options(workflow_id="a", id_reuse="reject").start()
        forced = await w.options(workflow_id="b").start()
        await forced.cancel("stuck", force=True)
        with pytest.raises(aether.WorkflowCancelled):
            await forced.result()


async def test_a_promise_that_nobody_completes_in_time_is_a_timeout(client: aether.Client) -> None:
    tokens: list[str] = []

    @client.workflow("w")
    async def w(ctx: aether.Context) -> str:
        late = await ctx.promise("late", timeout_s=0.2)
        kept = await ctx.promise("kept", timeout_s=3600, result_type=str)
        tokens.extend((late.token, kept.token))
        try:
            await late.result()
        except TimeoutError as error:
            return f"{error}; {await kept.result()}"
        return "kept"

    async with client.serve():
        handle = await w.start()
        while "PromiseRejected" not in await facts(handle):  # noqa: ASYNC110
            await anyio.sleep(0.01)
        assert await client.complete_promise(tokens[0]) is False
        assert await client.complete_promise(tokens[1], "yes") is True
        assert await handle.result() == "nobody has completed promise 'late' in time; yes"
        kinds = await facts(handle)
    assert kinds.count("PromiseRejected") == 1
    assert kinds.count("PromiseResolved") == 1


async def test_the_limit_of_a_promise_is_a_time(client: aether.Client) -> None:
    @client.workflow("w")
    async def w(ctx: aether.Context) -> None:
        for nonsense in (0, -1, 1e12, float("nan")):
            with pytest.raises(aether.InvalidArgument, match="timeout_s must be above 0"):
                await ctx.promise(timeout_s=nonsense)

    async with client.serve():
        await w.start_and_wait()
