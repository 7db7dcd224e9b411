"""The users of a simulated world: each wants one run, and does what such users do until it has its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import trio
from attrs import define, field

import aether
from aether.errors import AetherError, WorkflowClosed, WorkflowNotFound
from aether.sdk.handle import Handle
from aether.testing.checkers import Violation
from aether.testing.workload import Author, Program, fits, may_fail

if TYPE_CHECKING:
    from aether.testing.world import World

T = TypeVar("T")


@define(eq=False)
class User:
    """Starts one run, tells it what it waits for, perhaps cancels it, and wants its result."""

    world: World
    client: aether.Client
    workflow: aether.Workflow[[Program], list[Any]]
    number: int
    author: Author
    program: Program = field(factory=list)

    async def come(self) -> None:
        draws, plan = self.author.draws, self.world.plan
        self.program = self.author.program()
        workflow_id = f"run-{self.number}"
        await trio.sleep(draws.uniform(0, plan.chaos_s * 0.7))
        workflow = self.workflow.options(
            workflow_id=workflow_id,
            start_delay_s=draws.choice([0, 0, 0, 2]),
            run_timeout_s=draws.choice([0, 0, 0, 0, 20]),
            priority=draws.choice([0, 1, 5]),
            tags={"number": str(self.number)},
            memo={"program": self.program},
            id_reuse="reject",
        )
        handle: Handle[Any] = self.client.handle(workflow_id)
        manner = draws.choice(["start", "start and wait", "start many"])
        async with trio.open_nursery() as talk:
            for name, times in self.author.signals:
                talk.start_soon(self._talk, self._signal, handle, draws.uniform(0, plan.chaos_s), name, times)
            for name in self.author.promises:
                talk.start_soon(self._talk, self._keep, handle, draws.uniform(0, plan.chaos_s), name)
            if draws.random() < 0.2:
                is_forced = draws.random() < 0.3
                talk.start_soon(self._talk, self._cancel, handle, draws.uniform(0, plan.chaos_s), is_forced)
            await self._expect_end(workflow, handle, manner)
            talk.cancel_scope.cancel()

    async def insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer that more asking does not change."""
        while True:
            try:
                return await ask()
            except AetherError as error:
                if not error.is_retryable:
                    raise
            await trio.sleep(1)

    # What is said to the run while it is open. A server that answers ahead of its disk may forget it: say it again.

    async def _talk(
        self, say: Callable[..., Awaitable[None]], handle: Handle[Any], after_s: float, *details: object
    ) -> None:
        await trio.sleep(after_s)
        while True:
            try:
                await say(handle, *details)
            except WorkflowClosed:
                return
            except (WorkflowNotFound, aether.InvalidArgument):
                # Not started yet, or forgotten; a promise may be forgotten while its run is not.
                await trio.sleep(1)
                continue
            if not self.world.plan.tier.is_ahead:
                return
            await trio.sleep(2)

    async def _signal(self, handle: Handle[Any], name: str, times: int) -> None:
        for value in range(times):
            signal_id = f"{name}-{value}"
            await self.insist(lambda: handle.signal(name, value, signal_id=signal_id))  # noqa: B023 - awaited at once

    async def _keep(self, handle: Handle[Any], name: str) -> None:
        while (token := await self.insist(lambda: handle.read(name))) is None:  # noqa: ASYNC110 - as users do
            await trio.sleep(1)
        await self.insist(lambda: self.client.complete_promise(token, name))

    async def _cancel(self, handle: Handle[Any], is_forced: bool) -> None:
        await self.insist(lambda: handle.cancel("the user is tired", force=is_forced))

    # How it ends.

    async def _expect_end(
        self, workflow: aether.Workflow[[Program], list[Any]], handle: Handle[Any], manner: str
    ) -> None:
        while True:
            try:
                if manner == "start and wait":
                    result = await self.insist(lambda: workflow.start_and_wait(self.program))
                else:
                    if manner == "start":
                        await self.insist(lambda: workflow.start(self.program))
                    else:
                        await self.insist(lambda: self.client.start_many([workflow.prepare(self.program)]))
                    self.world.note(f"{handle.workflow_id} is started")
                    result = await self.insist(handle.result)
            except aether.WorkflowAlreadyExists:
                # An earlier try was heard, and the run is over.
                result = await self._result_of_closed(handle)
            except WorkflowNotFound:
                if not self.world.plan.tier.is_ahead:
                    raise
                continue
            except (aether.WorkflowFailed, aether.WorkflowCancelled) as end:
                self._judge_end(handle, end)
                return
            if result is not None:
                self.world.note(f"{handle.workflow_id} is complete")
                if not fits(self.program, result, in_order=not self.world.plan.tier.is_ahead):
                    self.world.fail(Violation(f"{handle.workflow_id} of program {self.program} returned {result}"))
            return

    async def _result_of_closed(self, handle: Handle[Any]) -> Any:
        """None if it did not end well."""
        try:
            return await self.insist(handle.result)
        except (aether.WorkflowFailed, aether.WorkflowCancelled) as end:
            self._judge_end(handle, end)
        return None

    def _judge_end(self, handle: Handle[Any], end: aether.RunError) -> None:
        self.world.note(f"{handle.workflow_id} ends: {end}")
        is_failed = isinstance(end, aether.WorkflowFailed) and end.failure is not None
        if is_failed and not may_fail(self.program) and "WorkflowTimeout" not in str(end):
            self.world.fail(Violation(f"{handle.workflow_id} of program {self.program} failed: {end.failure}"))
