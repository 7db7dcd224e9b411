"""Branches of one run side by side: how they are opened, how one that fails reaches the others, and deadlines."""

from collections.abc import Awaitable, Callable, Sequence
from inspect import iscoroutine
from typing import ParamSpec

import anyio
from anyio.abc import TaskGroup
from attrs import define

from aether.errors import InvalidArgument
from aether.sdk.failures import failure_in
from aether.sdk.run import PLACE, Run
from aether.sdk.waiters import Branch, Fork

P = ParamSpec("P")


@define
class Deadline:
    """What `ctx.move_on_after` and `ctx.fail_after` hand to their block."""

    # The time was up before the block had ended.
    expired: bool = False
    completed: bool = False


class Nursery:
    """Starts branches of `ctx.nursery`, numbered in the order of the calls."""

    def __init__(self, family: "Family", group: TaskGroup) -> None:
        self._family = family
        self._group = group

    def start_soon(self, fn: Callable[P, Awaitable[object]], /, *args: P.args, **kwargs: P.kwargs) -> None:
        refuse_coroutines([fn])

        async def run() -> None:
            await fn(*args, **kwargs)

        self._family.start(self._group, run)


class Family:
    """The branches of one fork: who failed, and how a failure reaches the others before anything else happens."""

    def __init__(self, run: Run, fork: Fork) -> None:
        self.run = run
        self.fork = fork
        self._failures: list[tuple[list[int], BaseException]] = []

    async def grow(self, group: TaskGroup, branch: Branch, function: Callable[[], Awaitable[None]]) -> None:
        """The task of one branch."""
        PLACE.set((self.run, branch))
        try:
            await self.run.begin(branch)
            await function()
        except BaseException as error:
            if (failure := failure_in(error)) is None:
                raise
            # It is raised by whoever opened the branches.
            await self.fail(branch.prefix, failure, group)
        finally:
            self.run.close_branch(self.fork, branch)

    def start(self, group: TaskGroup, function: Callable[[], Awaitable[None]]) -> None:
        """Open a branch; its place among the others is that of this call."""
        group.start_soon(self.grow, group, self.run.open_branch(self.fork), function)

    async def fail(self, prefix: str, error: BaseException, group: TaskGroup) -> None:
        self._failures.append(([int(part) for part in prefix.split(".") if part], error))
        await self.cancel(group)

    async def cancel(self, what: TaskGroup | anyio.CancelScope) -> None:
        """The branch that calls stays active meanwhile, so nothing is delivered to those about to be cancelled."""
        scope = what if isinstance(what, anyio.CancelScope) else what.cancel_scope
        scope.cancel()
        self.run.has_cancels = True
        await self.run.settle()

    def failures_in_time(self) -> list[BaseException]:
        return [error for _, error in self._failures]

    def failures_in_order(self) -> list[BaseException]:
        return [error for _, error in sorted(self._failures, key=lambda item: item[0])]


def refuse_coroutines(functions: Sequence[object]) -> None:
    for function in functions:
        if not callable(function):
            if iscoroutine(function):
                function.close()
            raise InvalidArgument(f"{function!r} is no function; write `lambda: ctx.step(...)`, or pass the function")
