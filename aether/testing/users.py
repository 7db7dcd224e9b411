"""The users of a simulated world: each wants one run, and does what such users do until it has its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio
from attrs import define, field

import aether
from aether.errors import AetherError, ServerFault, WorkflowClosed, WorkflowNotFound
from aether.sdk.handle import Handle
from aether.testing.checkers import Violation
from aether.testing.sequels import go_back
from aether.testing.talks import Talks
from aether.testing.workload import Author, Program, fits, may_fail

if TYPE_CHECKING:
    from aether.testing.world import World

T = TypeVar("T")

# How a run may end without its program having a say.
_OF_THE_SERVER: Final = ("WorkflowTimeout", "LimitExceeded")
_SIBLINGS: Final[Program] = [["step", "s1", 0, False, 0]]


@define(eq=False)
class User:
    """Starts one run, tells it what it waits for, perhaps cancels it, and wants its result."""

    world: World
    client: aether.Client
    workflow: aether.Workflow[[Program], list[Any]]
    number: int
    author: Author
    program: Program = field(factory=list)
    # Of promises that were kept, with their values.
    tokens: list[tuple[str, str]] = field(factory=list)

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
            labels=draws.choice([None, None, None, None, {"zone": "a"}]),
            concurrency=draws.choice([None, None, None, aether.Concurrency(2, name="users")]),
            id_reuse="reject",
        )
        handle: Handle[Any] = self.client.handle(workflow_id)
        manner = draws.choice(["start", "start and wait", "start many"])
        async with trio.open_nursery() as nursery:
            Talks(self, handle, draws).begin(nursery)
            await self._expect_end(workflow, handle, manner)
            nursery.cancel_scope.cancel()
        await self._come_too_late()
        if draws.random() < 0.4:
            await go_back(self, handle, draws)

    async def insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer that more asking does not change."""
        while True:
            try:
                return await ask()
            except AetherError as error:
                if not error.is_retryable and not self.is_damage(error):
                    raise
            await trio.sleep(1)

    def is_damage(self, error: AetherError) -> bool:
        """Whether it says that the run can not be read, where disks flip bits: somebody will mend that."""
        kinds = self.world.plan.kinds
        return (
            isinstance(error, ServerFault)
            and ("flipped bits on disk" in kinds or "unreadable disk" in kinds)
            and ("damaged on disk" in str(error) or "input/output error" in str(error))
        )

    def broken(self, what: str) -> Violation:
        """A promise is broken: the world ends."""
        violation = Violation(what)
        self.world.fail(violation)
        return violation

    # How it ends.

    async def _expect_end(
        self, workflow: aether.Workflow[[Program], list[Any]], handle: Handle[Any], manner: str
    ) -> None:
        while True:
            try:
                if manner == "start and wait":
                    result = await self.insist(lambda: workflow.start_and_wait(self.program))
                else:
                    await self.insist(lambda: self._start(workflow, manner))
                    self.world.note(f"{handle.workflow_id} is started")
                    result = await self.insist(handle.result)
            except aether.WorkflowAlreadyExists:
                # An earlier try was heard, and the run is over.
                result = await self._result_of_closed(handle)
            except WorkflowNotFound:
                if self.is_forgotten(handle):
                    return
                if not self.world.plan.tier.is_ahead:
                    raise
                continue
            except (aether.WorkflowFailed, aether.WorkflowCancelled) as end:
                self.judge_end(handle, end)
                return
            self.judge_result(handle, result)
            return

    async def _start(self, workflow: aether.Workflow[[Program], list[Any]], manner: str) -> None:
        if manner == "start":
            await workflow.start(self.program)
            return
        # Side by side with others, of which nobody wants the result.
        plain = self.workflow.options(tags={"number": str(self.number)}, id_reuse="allow")
        others = [plain.options(workflow_id=f"many-{self.number}-{each}").prepare(_SIBLINGS) for each in range(2)]
        await self.client.start_many([workflow.prepare(self.program), *others])

    async def _result_of_closed(self, handle: Handle[Any]) -> Any:
        """None if it did not end well, or is not kept any more."""
        try:
            return await self.insist(handle.result)
        except WorkflowNotFound:
            if not self.is_forgotten(handle):
                raise
        except (aether.WorkflowFailed, aether.WorkflowCancelled) as end:
            self.judge_end(handle, end)
        return None

    def is_forgotten(self, handle: Handle[Any]) -> bool:
        """Whether a run of that id was closed and has been removed since."""
        forgotten = self.world.node.disk.forgotten
        return any(
            account.row.workflow_id == handle.workflow_id and key in forgotten
            for key, account in self.world.journal.accounts.items()
        )

    def judge_result(self, handle: Handle[Any], result: Any) -> None:
        if result is None:
            return
        self.world.note(f"{handle.workflow_id} is complete")
        if not fits(self.program, result, in_order=not self.world.plan.tier.is_ahead):
            self.broken(f"{handle.workflow_id} of program {self.program} returned {result}")

    def judge_end(self, handle: Handle[Any], end: aether.RunError) -> None:
        self.world.note(f"{handle.workflow_id} ends: {end}")
        is_failed = isinstance(end, aether.WorkflowFailed) and end.failure is not None
        if is_failed and not may_fail(self.program) and not any(kind in str(end) for kind in _OF_THE_SERVER):
            self.broken(f"{handle.workflow_id} of program {self.program} failed: {end.failure}")

    async def _come_too_late(self) -> None:
        """A promise of a run that is over is kept once more: nothing comes of it, and it is said so."""
        for token, _ in self.tokens[:1]:
            try:
                await self.insist(lambda: self.client.complete_promise(token, "too late"))  # noqa: B023 - awaited at once
            except (WorkflowNotFound, WorkflowClosed, aether.InvalidArgument) as refusal:
                self.world.note(f"a promise is kept too late: {type(refusal).__name__}")
