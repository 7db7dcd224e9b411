"""What workflow code may ask for. Every durable call is recorded at its path and answered from the record on replay."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from inspect import iscoroutine
from math import ceil, isfinite
from typing import Any, Final, ParamSpec, TypeVar, overload
from uuid import UUID

import anyio
from anyio.abc import TaskGroup

from aether.errors import ActivityFailed, ChildCancelled, ChildFailed, InvalidArgument
from aether.model import commands as c
from aether.model.limits import DEFAULT_LIMITS
from aether.model.payload import Failure
from aether.sdk.converters import Converter
from aether.sdk.define import Activity, Workflow
from aether.sdk.failures import from_failure
from aether.sdk.replay import OVER, Branch, Fork, Kind, Waiter
from aether.sdk.run import PLACE, Run

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

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
    async def step(self, name: str, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def step(self, name: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    async def step(self, name: str, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run `fn` in this process and record what it returns; once that is recorded, it never runs again in this run.

        An async function is awaited here; a plain one is called in a thread. The result is what the record gives back:
        values other than JSON's are restored by the annotation of what `fn` returns, or, without one, by their class.

        Raises:
            StepFailed: `fn` raised. `failure` has the original's type, message and traceback.

        """
        branch = self._run.branch("step")
        await self._run.admit()
        return await self._run.step(branch, name, fn, args, kwargs)

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
            branch.next_path(), activity.name, activity.task_queue, payload, activity.retry, activity.timeouts
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
        if not isinstance(workflow, Workflow):
            raise InvalidArgument(f"ctx.child takes what @client.workflow made, not {workflow!r}")
        await self._run.admit()
        payload = workflow.arguments.encode(self._converter, args, kwargs)
        command = c.StartChild(branch.next_path(), workflow.name, workflow.workflow_id, workflow.task_queue, payload)
        waiter = await self._wait(branch, "child", workflow.name, command)
        subject = f"child workflow {workflow.name!r}"
        if waiter.failure is not None:
            raise from_failure(ChildFailed, subject, waiter.failure)
        if waiter.result is None:
            raise ChildCancelled(f"{subject} was cancelled", Failure("Cancelled", f"{subject} was cancelled"))
        result: T = self._converter.decode(waiter.result, f"the result of {subject}", workflow.arguments.returned)
        return result

    async def sleep(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Wait, without a worker being needed: the server keeps the timer, over restarts too."""
        branch = self._run.branch("sleep")
        delay_s = seconds + 60 * minutes + 3600 * hours + 86400 * days
        if not isfinite(delay_s) or delay_s < 0 or delay_s * 1000 > DEFAULT_LIMITS.delay_max_ms:
            raise InvalidArgument(f"ctx.sleep can not wait for {delay_s} s")
        await self._run.admit()
        await self._wait(branch, "timer", "", c.StartTimer(branch.next_path(), ceil(delay_s * 1000)))

    @overload
    async def parallel(self, branches: Sequence[Callable[[], Awaitable[T]]], /) -> list[T]: ...
    @overload
    async def parallel(self, branches: Sequence[Callable[[], Awaitable[Any]]], /) -> list[Any]: ...
    async def parallel(self, branches: Sequence[Callable[[], Awaitable[Any]]], /) -> list[Any]:
        """Run async functions side by side; their results in the order written.

        The first that fails cancels the others. If it stays the only failure it is raised as it is; several are raised
        as an `ExceptionGroup`.
        """
        place = self._run.branch("parallel")
        functions = list(branches)
        _refuse_coroutines(functions)
        await self._run.admit()
        family = _Family(self._run, self._run.fork(place))
        results: list[Any] = [None] * len(functions)
        opened = [self._run.open_branch(family.fork) for _ in functions]
        async with anyio.create_task_group() as group:
            for index, (function, branch) in enumerate(zip(functions, opened, strict=True)):

                async def collect(index: int = index, function: Callable[[], Awaitable[Any]] = function) -> None:
                    results[index] = await function()

                group.start_soon(family.grow, group, branch, collect)
            self._run.join(family.fork)
        failures = family.failures_in_order()
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise ExceptionGroup("several branches of ctx.parallel failed", failures)
        return results

    @asynccontextmanager
    async def nursery(self) -> AsyncIterator["Nursery"]:
        """`async with ctx.nursery() as n: n.start_soon(fn, ...)`: branches side by side with the code of the block.

        The block ends when all branches have. The first failure cancels the rest, and failures are always raised as an
        `ExceptionGroup`.
        """
        place = self._run.branch("nursery")
        await self._run.admit()
        family = _Family(self._run, self._run.fork(place))
        async with anyio.create_task_group() as group:
            try:
                yield Nursery(family, group)
            except Exception as error:  # noqa: BLE001 - whatever the block raises joins the failures
                await family.fail("", error, group)
            finally:
                self._run.join(family.fork)
        if failures := family.failures_in_order():
            raise ExceptionGroup("branches of ctx.nursery failed", failures)

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
        place = f"{self._run.run_id}/{branch.prefix}{branch.count}/{branch.draws}"
        return blake2b(place.encode(), digest_size=16).digest()

    async def _wait(self, branch: Branch, kind: Kind, name: str, command: c.RunCommand) -> Waiter:
        waiter = self._run.register(branch, kind, name, command)
        if waiter.state is not OVER:
            await self._run.wait(waiter)
        return waiter


class Nursery:
    """Starts branches of `ctx.nursery`, numbered in the order of the calls."""

    def __init__(self, family: "_Family", group: TaskGroup) -> None:
        self._family = family
        self._group = group

    def start_soon(self, fn: Callable[P, Awaitable[object]], /, *args: P.args, **kwargs: P.kwargs) -> None:
        _refuse_coroutines([fn])

        async def run() -> None:
            await fn(*args, **kwargs)

        family = self._family
        self._group.start_soon(family.grow, self._group, family.run.open_branch(family.fork), run)


class _Family:
    """The branches of one fork: who failed, and how a failure reaches the others before anything else happens."""

    def __init__(self, run: Run, fork: Fork) -> None:
        self.run = run
        self.fork = fork
        self._failures: list[tuple[list[int], Exception]] = []

    async def grow(self, group: TaskGroup, branch: Branch, function: Callable[[], Awaitable[None]]) -> None:
        """The task of one branch."""
        PLACE.set((self.run, branch))
        try:
            await self.run.begin(branch)
            await function()
        except Exception as error:  # noqa: BLE001 - it is raised by whoever opened the branches
            await self.fail(branch.prefix, error, group)
        finally:
            self.run.close_branch(self.fork, branch)

    async def fail(self, prefix: str, error: Exception, group: TaskGroup) -> None:
        self._failures.append(([int(part) for part in prefix.split(".") if part], error))
        group.cancel_scope.cancel()
        # The failed branch stays active meanwhile, so nothing is delivered to branches that are about to be cancelled.
        self.run.has_cancels = True
        await self.run.settle()

    def failures_in_order(self) -> list[Exception]:
        return [error for _, error in sorted(self._failures, key=lambda item: item[0])]


def _refuse_coroutines(functions: Sequence[object]) -> None:
    for function in functions:
        if not callable(function):
            if iscoroutine(function):
                function.close()
            raise InvalidArgument(f"{function!r} is no function; write `lambda: ctx.step(...)`, or pass the function")
