"""Code of users that behaves badly harms its own run alone: the worker goes on, and the run ends with a reason."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import anyio
import pytest

import aether

pytestmark = pytest.mark.anyio
ASYNCIO_ONLY = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Rude:
    """Serves one workflow that takes its behaviour as a function."""

    def __init__(self) -> None:
        self.client = aether.Client(db="memory")
        self.code: Callable[[aether.Context], Awaitable[object]]

        @self.client.workflow("rude")
        async def rude(ctx: aether.Context) -> None:
            await self.code(ctx)

        @self.client.workflow("polite")
        async def polite(ctx: aether.Context) -> str:
            return await ctx.step("greet", lambda: "hello")

        self.rude, self.polite = rude, polite

    async def failure_of(self, code: Callable[[aether.Context], Awaitable[object]]) -> aether.Failure:
        """How the run fails, while the worker goes on in the same session."""
        self.code = code
        async with self.client.serve():
            with pytest.raises(aether.WorkflowFailed) as caught, anyio.fail_after(10):
                await self.rude.start_and_wait()
            assert await self.polite.start_and_wait() == "hello"
            workers = [event async for event in self.client.handle(await self._newest()).history()]
            assert sum(type(event.fact).__name__ == "RunStarted" for event in workers) == 1
        assert caught.value.failure is not None
        return caught.value.failure

    async def _newest(self) -> str:
        return next(iter([info.workflow_id async for info in self.client.list(workflow_type="rude")]))


def leave() -> None:
    sys.exit("enough")


async def leave_async() -> None:
    leave()


async def is_cancelled_by_somebody() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


@pytest.mark.parametrize("function", [leave, leave_async])
async def test_a_step_that_wants_to_end_the_process_fails(function: Callable[[], object]) -> None:
    failure = await Rude().failure_of(lambda ctx: ctx.step("leave", function))
    assert (failure.type, failure.causes[0].type, failure.causes[0].message) == ("StepFailed", "SystemExit", "enough")


async def test_a_workflow_that_wants_to_end_the_process_fails() -> None:
    async def code(ctx: aether.Context) -> None:
        await ctx.parallel([leave_async, lambda: ctx.sleep(days=1)])

    assert (await Rude().failure_of(code)).type == "SystemExit"


@pytest.mark.parametrize("function", [leave, leave_async])
async def test_an_activity_that_wants_to_end_the_process_fails(function: Callable[[], object]) -> None:
    rude = Rude()
    act = rude.client.activity("act", retry=aether.RetryPolicy(max_attempts=1))(function)
    failure = await rude.failure_of(lambda ctx: ctx.activity(act))
    assert (failure.type, failure.causes[0].type) == ("ActivityFailed", "SystemExit")


@ASYNCIO_ONLY
async def test_a_cancel_that_comes_from_nobody_we_know_is_a_failure_of_the_step() -> None:
    failure = await Rude().failure_of(lambda ctx: ctx.step("await", is_cancelled_by_somebody))
    assert (failure.type, failure.causes[0].type) == ("StepFailed", "CancelledError")


@ASYNCIO_ONLY
async def test_a_cancel_that_comes_from_nobody_we_know_is_a_failure_of_the_workflow() -> None:
    async def code(ctx: aether.Context) -> None:
        await ctx.step("first", lambda: 1)
        await is_cancelled_by_somebody()

    assert (await Rude().failure_of(code)).type == "CancelledError"


@ASYNCIO_ONLY
async def test_a_cancel_that_comes_from_nobody_we_know_is_a_failure_of_the_branch() -> None:
    async def code(ctx: aether.Context) -> None:
        await ctx.parallel([is_cancelled_by_somebody, lambda: ctx.sleep(days=1)])

    assert (await Rude().failure_of(code)).type == "CancelledError"


@ASYNCIO_ONLY
async def test_a_cancel_that_comes_from_nobody_we_know_is_a_failure_of_the_attempt() -> None:
    rude = Rude()
    act = rude.client.activity("act", retry=aether.RetryPolicy(max_attempts=1))(is_cancelled_by_somebody)
    failure = await rude.failure_of(lambda ctx: ctx.activity(act))
    assert (failure.type, failure.causes[0].type) == ("ActivityFailed", "CancelledError")


@pytest.mark.parametrize("where", ["workflow", "branch", "step", "activity"])
async def test_code_that_fails_while_it_is_cancelled_ends_its_run_alone(where: str) -> None:
    """Its group holds the cancel of one task and the failure of another one."""
    rude, waits = Rude(), anyio.Event()

    async def clean_up_badly(wait: Callable[[], Awaitable[object]]) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            try:
                waits.set()
                await wait()
            finally:
                raise ValueError("in the way out")

    async def forever() -> None:
        await clean_up_badly(anyio.sleep_forever)

    act = rude.client.activity("act")(forever)
    places: dict[str, Callable[[aether.Context], Awaitable[object]]] = {
        "workflow": lambda ctx: clean_up_badly(lambda: ctx.sleep(days=1)),
        "branch": lambda ctx: ctx.parallel([lambda: clean_up_badly(lambda: ctx.sleep(days=1))]),
        "step": lambda ctx: ctx.step("wait", forever),
        "activity": lambda ctx: ctx.activity(act),
    }
    rude.code = places[where]
    async with rude.client.serve():
        handle = await rude.rude.start()
        with anyio.fail_after(10):
            await waits.wait()
            await handle.cancel()
            with pytest.raises((aether.WorkflowFailed, aether.WorkflowCancelled)) as caught:
                await handle.result()
            assert await rude.polite.start_and_wait() == "hello"
    if where == "workflow":
        failure = caught.value.failure
        assert failure is not None
        assert [cause.type for cause in failure.causes] == ["ValueError"]


def interrupt() -> None:
    raise KeyboardInterrupt


async def interrupted(*_: object) -> None:
    interrupt()


async def compensated(ctx: aether.Context) -> None:
    await ctx.on_failure("undo", interrupt)
    raise ValueError("no")


async def in_a_nursery(ctx: aether.Context) -> None:
    async with ctx.nursery():
        interrupt()


async def with_a_deadline(ctx: aether.Context) -> None:
    async with ctx.move_on_after(60):
        interrupt()


@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.parametrize(
    "code",
    [
        interrupted,
        compensated,
        in_a_nursery,
        with_a_deadline,
        lambda ctx: ctx.step("interrupted", interrupt),
        lambda ctx: ctx.parallel([interrupted, lambda: ctx.sleep(days=1)]),
    ],
    ids=["workflow", "compensation", "nursery", "deadline", "step", "branch"],
)
async def test_who_interrupts_a_program_ends_it_wherever_its_code_is(
    code: Callable[[aether.Context], Awaitable[object]],
) -> None:
    await is_interrupted(Rude(), code)


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_who_interrupts_a_program_ends_it_in_the_middle_of_an_attempt() -> None:
    rude = Rude()
    act = rude.client.activity("act")(interrupted)
    await is_interrupted(rude, lambda ctx: ctx.activity(act))


async def is_interrupted(rude: Rude, code: Callable[[aether.Context], Awaitable[object]]) -> None:
    rude.code = code
    with pytest.raises(BaseException) as caught, anyio.fail_after(10):
        async with rude.client.serve():
            await rude.rude.start_and_wait()
    error = caught.value
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, KeyboardInterrupt)


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb"])
async def test_a_compensation_that_can_not_be_a_step_is_refused_where_it_is_registered(name: str) -> None:
    failure = await Rude().failure_of(lambda ctx: ctx.on_failure(name, print))
    assert (failure.type, failure.group) == ("InvalidArgument", False)
    assert "step name" in failure.message


async def test_a_compensation_that_is_no_function_is_refused_where_it_is_registered() -> None:
    failure = await Rude().failure_of(lambda ctx: ctx.on_failure("undo", 5))  # type: ignore[arg-type]
    assert failure.type == "InvalidArgument"


async def test_a_compensation_that_wants_to_end_the_process_is_a_failure_beside_the_first() -> None:
    async def code(ctx: aether.Context) -> None:
        await ctx.on_failure("undo", leave)
        raise ValueError("no")

    failure = await Rude().failure_of(code)
    assert [cause.type for cause in failure.causes] == ["ValueError", "StepFailed"]


@ASYNCIO_ONLY
@pytest.mark.parametrize("waits", ["sleep", "child", "result"])
async def test_a_workflow_that_ends_while_a_task_of_its_own_is_in_a_durable_call_fails_and_says_so(waits: str) -> None:
    rude = Rude()
    tasks: list[asyncio.Task[None]] = []

    @rude.client.workflow("kid")
    async def kid(ctx: aether.Context) -> None:
        await ctx.sleep(days=1)

    async def code(ctx: aether.Context) -> None:
        spawned = await ctx.spawn(kid)
        calls = {"sleep": lambda: ctx.sleep(1000), "child": lambda: ctx.child(kid), "result": spawned.result}
        tasks.append(asyncio.ensure_future(calls[waits]()))
        await anyio.sleep(0.01)

    failure = await rude.failure_of(code)
    assert failure.type == "InvalidArgument"
    assert "use ctx.nursery" in failure.message
    for task in tasks:
        task.cancel()


async def test_a_failure_of_very_many_parts_reaches_the_server() -> None:
    async def code(ctx: aether.Context) -> None:
        parts = [ExceptionGroup(f"{number}", [ValueError("x" * 2_000)] * 64) for number in range(64)]
        raise ExceptionGroup("all of them", parts)

    failure = await Rude().failure_of(code)
    assert (failure.type, failure.group, failure.message) == ("ExceptionGroup", True, "all of them")


async def test_large_results_that_come_at_once_reach_the_server() -> None:
    async def large() -> str:
        return "x" * 1_500_000

    async def code(ctx: aether.Context) -> None:
        results = await ctx.parallel([lambda n=n: ctx.step(f"s{n}", large) for n in range(6)])  # type: ignore[misc]
        raise ValueError(sum(map(len, results)))

    assert (await Rude().failure_of(code)).message == "9000000"
