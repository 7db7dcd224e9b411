"""What workflow code may ask for. Every durable call is recorded at its path and answered from the record on replay."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import ceil, isfinite
from typing import Any, Final, Literal, ParamSpec, TypeVar, TypeVarTuple, Unpack, overload
from uuid import UUID

import anyio

from aether.errors import ActivityFailed, InvalidArgument
from aether.model import commands as c
from aether.model.limits import DEFAULT_LIMITS
from aether.model.payload import Failure
from aether.model.policy import RetryPolicy
from aether.model.runs import ParentClosePolicy
from aether.sdk.branches import Deadline, Family, Nursery, refuse_coroutines
from aether.sdk.converters import UNDECLARED, Converter
from aether.sdk.define import Activity, Workflow, check_name
from aether.sdk.detached import Promise, Spawned, child_result
from aether.sdk.failures import failure_in, from_failure
from aether.sdk.meanings import Kind
from aether.sdk.run import Run
from aether.sdk.steps import StepRules
from aether.sdk.waiters import OVER, Branch, Waiter

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Context:
    """The first argument of every workflow function; it belongs to one run.

    Calls that stand side by side go through `parallel` or `nursery`, which give each branch a numbering of its own; two
    durable calls of one branch at the same time are refused.
    """

    def __init__(self, run: Run, converter: Converter) -> None:
        self._run = run
        self._converter = converter

    @property
    def workflow_id(self) -> str:
        return self._run.workflow_id

    @property
    def run_id(self) -> str:
        return self._run.run_id

    @overload
    async def step(
        self,
        name: str,
        fn: Callable[[Unpack[Ts]], Awaitable[T]],
        /,
        *args: *Ts,
        retry: RetryPolicy | None = None,
        timeout_s: float | None = None,
    ) -> T: ...
    @overload
    async def step(
        self,
        name: str,
        fn: Callable[[Unpack[Ts]], T],
        /,
        *args: *Ts,
        retry: RetryPolicy | None = None,
        timeout_s: float | None = None,
    ) -> T: ...
    async def step(
        self,
        name: str,
        fn: Callable[[Unpack[Ts]], Any],
        /,
        *args: *Ts,
        retry: RetryPolicy | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Run `fn` in this process and record what it returns; once that is recorded, it never runs again in this run.

        An async function is awaited here; a plain one is called in a thread. The result is what the record gives back:
        values other than JSON's are restored by the annotation of what `fn` returns, or, without one, by their class.

        With `retry`, an attempt that fails is followed by others as the policy says; the run takes no slot of its
        worker while it waits for the next one. An attempt fails after `timeout_s` seconds; a plain function is then
        left to itself in its thread, which nothing can stop.

        Raises:
            StepFailed: `fn` raised, and there is no further attempt. `failure` has the original's type, message and
                traceback.

        """
        branch = self._run.branch("step")
        if timeout_s is not None and not timeout_s > 0:
            raise InvalidArgument(f"ctx.step: timeout_s must be above 0, not {timeout_s}")
        await self._run.admit()
        return await self._run.step(branch, name, fn, StepRules(args, retry, timeout_s))

    async def activity(self, activity: Activity[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Have the server dispatch the activity to a worker, with the retries and bounds it was defined with.

        Raises:
            ActivityFailed: It failed for good, or ran out of time.

        """
        branch = self._run.branch("activity")
        if not isinstance(activity, Activity):
            raise InvalidArgument(f"ctx.activity takes what @client.activity made, not {activity!r}; use ctx.step")
        await self._run.admit()
        payload = activity.arguments.encode(self._converter, args, kwargs)
        command = c.ScheduleActivity(
            branch.next_path(),
            activity.name,
            activity.task_queue,
            payload,
            activity.retry,
            activity.timeouts,
            activity.labels,
            activity.limit(args, kwargs),
        )
        waiter = await self._wait(branch, "activity", activity.name, command)
        subject = f"activity {activity.name!r}"
        if waiter.failure is not None:
            raise from_failure(ActivityFailed, subject, waiter.failure)
        if waiter.result is None:
            raise ActivityFailed(f"{subject} was cancelled", Failure("Cancelled", f"{subject} was cancelled"))
        result: T = self._converter.decode(waiter.result, f"the result of {subject}", activity.arguments.returned)
        return result

    async def child(self, workflow: Workflow[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Start a run of another workflow, any worker's, and wait for its result.

        `workflow.options(workflow_id=…)` names the run; otherwise it is this run's id, a slash, and the call's path.

        Raises:
            ChildFailed: The child failed, or its id was taken.
            ChildCancelled: Somebody cancelled the child.

        """
        branch = self._run.branch("child")
        command = self._child_command(branch, workflow, args, kwargs, what="child")
        await self._run.admit()
        waiter = await self._wait(branch, "child", workflow.name, command)
        return child_result(waiter, workflow, self._converter)

    async def spawn(self, workflow: Workflow[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Spawned[T]:
        """Start a run of another workflow and go on; `await spawned.result()` waits for it.

        What becomes of a child that is open when this run ends is told by `workflow.options(parent_close_policy=…)`:
        "cancel" (it is asked to stop, and waited for), "terminate" or "abandon".
        """
        branch = self._run.branch("spawn")
        command = self._child_command(branch, workflow, args, kwargs, what="spawn")
        await self._run.admit()
        waiter = self._run.register(branch, "child", workflow.name, command, is_detached=True)
        await self._run.wait_for_start(waiter)
        workflow_id = command.workflow_id or f"{self.workflow_id}/{waiter.path}"
        return Spawned(self._run, waiter, workflow, self._converter, workflow_id)

    def _child_command(
        self,
        branch: Branch,
        workflow: Workflow[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        what: str,
    ) -> c.StartChild:
        if not isinstance(workflow, Workflow):
            raise InvalidArgument(f"ctx.{what} takes what @client.workflow made, not {workflow!r}")
        # A child that its parent waits for is closed before its parent, or cancelled by it.
        policy = ParentClosePolicy[workflow.parent_close_policy.upper() if what == "spawn" else "CANCEL"]
        payload = workflow.arguments.encode(self._converter, args, kwargs)
        return c.StartChild(
            branch.next_path(),
            workflow.name,
            workflow.workflow_id,
            workflow.task_queue,
            payload,
            policy,
            workflow.labels,
            workflow.limit(args, kwargs),
            detached=what == "spawn",
        )

    @overload
    async def promise(self, name: str = "promise", /, *, timeout_s: float | None = None) -> Promise[Any]: ...
    @overload
    async def promise(
        self, name: str = "promise", /, *, result_type: type[T], timeout_s: float | None = None
    ) -> Promise[T]: ...
    async def promise(
        self, name: str = "promise", /, *, result_type: Any = UNDECLARED, timeout_s: float | None = None
    ) -> Promise[Any]:
        """Something that somebody outside will bring about: hand out its `token`, then `await promise.result()`.

        Any process completes it with `client.complete_promise(token, value)` or `client.fail_promise(token, error)`,
        also while no worker is there. When nobody has within `timeout_s` seconds, counted from here, it is over, and
        its result is a TimeoutError.
        """
        branch = self._run.branch("promise")
        if timeout_s is not None and not 0 < timeout_s * 1000 <= DEFAULT_LIMITS.delay_max_ms:
            raise InvalidArgument(f"ctx.promise: timeout_s must be above 0 and at most ten years, not {timeout_s}")
        await self._run.admit()
        command = c.CreatePromise(branch.next_path(), name, ceil((timeout_s or 0) * 1000))
        waiter = self._run.register(branch, "promise", name, command, is_detached=True)
        await self._run.wait_for_start(waiter)
        return Promise(self._run, waiter, result_type, self._converter)

    @overload
    async def wait_signal(self, name: str, /, *, timeout_s: float | None = None) -> Any: ...
    @overload
    async def wait_signal(self, name: str, /, *, result_type: type[T], timeout_s: float | None = None) -> T: ...
    async def wait_signal(self, name: str, /, *, result_type: Any = UNDECLARED, timeout_s: float | None = None) -> Any:
        """The value of the next signal of that name, in the order in which they were sent; none is lost or seen twice.

        Raises:
            TimeoutError: None came within `timeout_s` seconds.

        """
        if timeout_s is not None:
            async with self.fail_after(timeout_s):
                return await self.wait_signal(name, result_type=result_type)
        branch = self._run.branch("wait_signal")
        await self._run.admit()
        waiter = await self._wait(branch, "signal", name)
        assert waiter.result is not None
        return self._converter.decode(waiter.result, f"the value of signal {name!r}", result_type)

    async def publish(self, key: str, value: object) -> None:
        """Show `value` to whoever calls `handle.read(key)`, until something else is published under the same key."""
        branch = self._run.branch("publish")
        await self._run.admit()
        payload = self._converter.encode(value, f"what is published as {key!r}")
        await self._wait(branch, "value", key, c.PublishValue(branch.next_path(), key, payload))

    async def sleep(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Wait, without a worker being needed: the server keeps the timer, over restarts too."""
        branch = self._run.branch("sleep")
        delay_s = seconds + 60 * minutes + 3600 * hours + 86400 * days
        if not isfinite(delay_s) or delay_s < 0 or delay_s * 1000 > DEFAULT_LIMITS.delay_max_ms:
            raise InvalidArgument(f"ctx.sleep can not wait for {delay_s} s")
        await self._run.admit()
        await self._wait(branch, "timer", "", c.StartTimer(branch.next_path(), ceil(delay_s * 1000)))

    @overload
    async def parallel(
        self, branches: Sequence[Callable[[], Awaitable[T]]], /, *, limit: int | None = None
    ) -> list[T]: ...
    @overload
    async def parallel(
        self,
        branches: Sequence[Callable[[], Awaitable[T]]],
        /,
        *,
        return_exceptions: Literal[True],
        limit: int | None = None,
    ) -> list[T | Exception]: ...
    @overload
    async def parallel(
        self, branches: Sequence[Callable[[], Awaitable[Any]]], /, *, limit: int | None = None
    ) -> list[Any]: ...
    async def parallel(
        self,
        branches: Sequence[Callable[[], Awaitable[Any]]],
        /,
        *,
        return_exceptions: bool = False,
        limit: int | None = None,
    ) -> list[Any]:
        """Run async functions side by side; their results in the order written.

        The first that fails cancels the others. If it stays the only failure it is raised as it is; several are raised
        as an `ExceptionGroup`. With `return_exceptions` failures are results like others. At most `limit` branches run
        at the same time; the next in order begins when one has ended.
        """
        place = self._run.branch("parallel")
        functions = list(branches)
        refuse_coroutines(functions)
        if limit is not None and limit < 1:
            raise InvalidArgument(f"ctx.parallel: limit must be at least 1, not {limit}")
        await self._run.admit()
        family = Family(self._run, self._run.fork(place))
        results: list[Any] = [None] * len(functions)
        waiting = deque(enumerate(functions))
        async with anyio.create_task_group() as group:

            def grow() -> None:
                index, function = waiting.popleft()

                async def collect() -> None:
                    try:
                        results[index] = await function()
                    except Exception as error:
                        if not return_exceptions:
                            raise
                        results[index] = error
                    if waiting:
                        grow()

                family.start(group, collect)

            for _ in range(len(functions) if limit is None else min(limit, len(functions))):
                grow()
            self._run.join(family.fork)
        failures = family.failures_in_order()
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise BaseExceptionGroup("several branches of ctx.parallel failed", failures)
        return results

    async def race(self, branches: Sequence[Callable[[], Awaitable[T]]], /) -> T:
        """Run async functions side by side; the first to finish wins, well or badly, and the others are cancelled.

        Returns what the winner returned, or raises what it raised. Activities and children of the losers are over when
        this returns.
        """
        place = self._run.branch("race")
        functions = list(branches)
        refuse_coroutines(functions)
        if not functions:
            raise InvalidArgument("ctx.race needs at least one function")
        await self._run.admit()
        family = Family(self._run, self._run.fork(place))
        won: list[T] = []
        async with anyio.create_task_group() as group:
            for function in functions:

                async def run(function: Callable[[], Awaitable[T]] = function) -> None:
                    value = await function()
                    if not won:
                        won.append(value)
                        await family.cancel(group)

                family.start(group, run)
            self._run.join(family.fork)
        if won:
            return won[0]
        raise family.failures_in_time()[0]

    @asynccontextmanager
    async def move_on_after(self, seconds: float) -> AsyncIterator[Deadline]:
        """`async with ctx.move_on_after(60) as deadline:` cancels the block when the time is up; it survives restarts.

        Afterwards `deadline.expired` tells whether it did.
        """
        place = self._run.branch("move_on_after")
        await self._run.admit()
        family = Family(self._run, self._run.fork(place))
        deadline = Deadline()
        block, timer = anyio.CancelScope(), anyio.CancelScope()
        failure: BaseException | None = None
        async with anyio.create_task_group() as group:

            async def expire() -> None:
                with timer:
                    await self.sleep(seconds)
                    deadline.expired = True
                    await family.cancel(block)

            family.start(group, expire)
            try:
                with block:
                    yield deadline
            except BaseException as error:
                # Raised below, outside of the group that would wrap it.
                if (failure := failure_in(error)) is None:
                    raise
            finally:
                await family.cancel(timer)
                self._run.join(family.fork)
        if failure is not None:
            raise failure

    @asynccontextmanager
    async def fail_after(self, seconds: float) -> AsyncIterator[Deadline]:
        """Like `move_on_after`, and raises TimeoutError if the time was up before the block had ended."""
        async with self.move_on_after(seconds) as deadline:
            yield deadline
            deadline.completed = True
        if not deadline.completed:
            raise TimeoutError(f"the block took longer than {seconds:g} s")

    async def on_failure(self, name: str, fn: Callable[[Unpack[Ts]], object], /, *args: *Ts) -> None:
        """Undo something if the run fails or is cancelled: `fn` then runs as a step called `name`.

        Compensations run one after the other, the last registered first, under a shield. One that fails does not keep
        the others from running; the run's failure then names it as well.
        """
        self._run.branch("on_failure")
        check_name(name, "step name")
        refuse_coroutines([fn])
        self._run.compensations.append((name, fn, args))

    @asynccontextmanager
    async def nursery(self) -> AsyncIterator[Nursery]:
        """`async with ctx.nursery() as n: n.start_soon(fn, ...)`: branches side by side with the code of the block.

        The block ends when all branches have. The first failure cancels the rest, and failures are always raised as an
        `ExceptionGroup`.
        """
        place = self._run.branch("nursery")
        await self._run.admit()
        family = Family(self._run, self._run.fork(place))
        async with anyio.create_task_group() as group:
            try:
                yield Nursery(family, group)
            except BaseException as error:
                if (failure := failure_in(error)) is None:
                    raise
                await family.fail("", failure, group)
            finally:
                self._run.join(family.fork)
        if failures := family.failures_in_order():
            raise BaseExceptionGroup("branches of ctx.nursery failed", failures)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Inside, durable calls work although the run is being cancelled: for cleaning up."""
        self._run.branch("shield")
        with self._run.shield():
            yield

    def now(self) -> datetime:
        """When the server recorded what this branch was last resumed with: the same on replay."""
        return _EPOCH + timedelta(microseconds=self._run.branch("now").clock)

    def random(self) -> float:
        """A number from 0 up to 1, drawn from the run's id and the place of the call: the same on replay."""
        return int.from_bytes(self._draw("random")[:7]) / 2**56

    def uuid(self) -> UUID:
        """A UUID, drawn from the run's id and the place of the call: the same on replay."""
        return UUID(bytes=self._draw("uuid"), version=4)

    def _draw(self, what: str) -> bytes:
        branch = self._run.branch(what)
        branch.draws += 1
        place = f"{self._run.seed}/{branch.prefix}{branch.count}/{branch.draws}"
        return blake2b(place.encode(), digest_size=16).digest()

    async def _wait(self, branch: Branch, kind: Kind, name: str, command: c.RunCommand | None = None) -> Waiter:
        waiter = self._run.register(branch, kind, name, command)
        if waiter.state is not OVER:
            await self._run.wait(waiter)
        return waiter
