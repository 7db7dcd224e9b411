"""What users say to a run while it is open, and what they ask about it: each a talk of its own, until the run is over.

A server that answers ahead of its disk may forget what it was told: it is said again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio
from attrs import define

from aether.errors import AetherError, InvalidArgument, WorkflowClosed, WorkflowNotFound
from aether.model import events as e
from aether.sdk.handle import Handle
from aether.testing.seeded import Dice
from aether.wire.convert import decode_event

if TYPE_CHECKING:
    from aether.testing.users import User

Talk = Callable[[], Awaitable[None]]


@define(eq=False)
class Talks:
    """With one run: the user's own, or one that was forked from it."""

    user: User
    handle: Handle[Any]
    draws: Dice

    def begin(self, nursery: trio.Nursery) -> None:
        author, draws, span_s = self.user.author, self.draws, self.user.world.plan.chaos_s
        talks: list[Talk] = [self._signaller(name, times) for name, times in author.signals]
        talks += [self._keeper(name, draws.random() < 0.4) for name in author.promises]
        for share, talk in (
            (0.2, self._canceller(draws.random() < 0.3)),
            (0.25, self._pauser(draws.choice([0.1, 2, 10]))),
            (0.2, self._follow),
            (0.2, self._look),
        ):
            if draws.random() < share:
                talks.append(talk)
        for talk in talks:
            nursery.start_soon(self._talk, talk, draws.uniform(0, span_s))

    async def _talk(self, talk: Talk, after_s: float) -> None:
        await trio.sleep(after_s)
        while True:
            try:
                await talk()
            except WorkflowClosed:
                return
            except AetherError as error:
                is_early = isinstance(error, WorkflowNotFound | InvalidArgument)
                if not is_early and not error.is_retryable and not self.user.is_damage(error):
                    raise
                # Not started yet, or forgotten; a promise may be forgotten while its run is not.
                await trio.sleep(1)
                continue
            if not self.user.world.plan.tier.is_ahead:
                return
            await trio.sleep(2)

    def _signaller(self, name: str, times: int) -> Talk:
        async def talk() -> None:
            for value in range(times):
                signal_id = f"{name}-{value}"
                await self.user.insist(lambda: self.handle.signal(name, value, signal_id=signal_id))  # noqa: B023 - awaited at once

        return talk

    def _keeper(self, name: str, again: bool) -> Talk:
        async def talk() -> None:
            handle, insist = self.handle, self.user.insist
            while (shown := await insist(lambda: handle.read(name))) is None:  # noqa: ASYNC110 - as users do
                await trio.sleep(1)
            # A fork shows what its origin has published; its promise is its own.
            run_id = handle.run_id or shown.split("/")[1]
            token = f"{shown.partition('/')[0]}/{run_id}/{handle.workflow_id}"
            self.user.tokens.append((token, name))
            await insist(lambda: self.user.client.complete_promise(token, name))
            if again and not self.user.world.plan.tier.is_ahead:
                # It is kept, so this changes nothing.
                await insist(lambda: self.user.client.complete_promise(token, "another value"))

        return talk

    def _canceller(self, is_forced: bool) -> Talk:
        async def talk() -> None:
            await self.user.insist(lambda: self.handle.cancel("the user is tired", force=is_forced))

        return talk

    def _pauser(self, seconds: float) -> Talk:
        async def talk() -> None:
            world = self.user.world
            if not world.plan.is_healed:
                await self.user.insist(lambda: self.handle.pause("the user thinks"))
                world.note(f"{self.handle.workflow_id} is paused for {seconds} s")
                await trio.sleep(seconds)
            await self.user.insist(self.handle.resume)
            world.note(f"{self.handle.workflow_id} goes on")

        return talk

    async def _follow(self) -> None:
        """The history as it grows: each event once, in order, and none that is not on disk."""
        seen = 0
        run_id = ""
        async for event in self.handle.history(follow=True):
            fact = event.fact
            if isinstance(fact, e.RunCreated):
                run_id = fact.run_id
            account = self.user.world.journal.by_run_id.get(run_id)
            seen += 1
            if event.seq != seen:
                raise self.user.broken(f"event {event.seq} of run {run_id} is followed by {seen}")
            if account is None or event != decode_event(account.bodies[seen - 1]):
                raise self.user.broken(f"event {seen} of run {run_id} is shown and is not what is on disk")

    async def _look(self) -> None:
        """Ask around, which must not disturb anybody; a run that is open always waits for something."""
        for _ in range(5):
            why = await self.user.insist(self.handle.why)
            if not why.sentence:
                raise self.user.broken(f"nobody knows what {self.handle.workflow_id} waits for")
            await self.user.insist(self._list)
            await trio.sleep(self.draws.choice([0.1, 1, 5]))

    async def _list(self) -> None:
        async for info in self.user.client.list(filter=f"tag.number:{self.user.number}"):
            if info.tags.get("number") != str(self.user.number):
                raise self.user.broken(f"{info.workflow_id} is listed and has other tags")
