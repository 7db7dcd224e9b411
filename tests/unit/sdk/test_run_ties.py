"""A cancel, a deadline and the end of what a run waits for reach its code in one message, in every order.

The code is cancelled if there is anything left of it that can be, it cleans up once, and a replay of the same history
does the same and sends nothing but the last command.
"""

from itertools import permutations
from typing import Any

import anyio
import pytest

import aether
from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from tests.integration.cancel_grid import cases
from tests.unit.sdk.peer import Peer, begun, client_of, quiet, serving

pytestmark = pytest.mark.anyio
ONE = Payload(b"1")
CANCEL = e.CancelRequested("enough")
DEADLINE = e.TimerFired("1.1.1")
POLICY = aether.RetryPolicy()


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def fail() -> None:
    raise ValueError("no")


def client_that(blocked: str, notes: list[str]) -> aether.Client:
    client = client_of()

    @client.activity("a")
    async def act() -> int:
        return 1

    @client.workflow("kid")
    async def kid(ctx: aether.Context) -> int:
        return 1

    def block(ctx: aether.Context, what: str) -> Any:
        calls = {
            "step": lambda: ctx.step("s", anyio.sleep_forever),
            "activity": lambda: ctx.activity(act),
            "queue": lambda: ctx.activity(act),
            "child": lambda: ctx.child(kid),
            "sleep": lambda: ctx.sleep(5),
            "back-off": lambda: ctx.step("s", fail, retry=POLICY),
            "parallel": lambda: ctx.parallel([lambda: block(ctx, "activity"), lambda: block(ctx, "sleep")]),
        }
        return calls[what]()

    @client.workflow("w")
    async def w(ctx: aether.Context) -> str:
        async with ctx.move_on_after(60):
            try:
                await block(ctx, blocked)
                notes.append("went on")
                await ctx.sleep(1000)
            finally:
                notes.append("cleaned up")
                with ctx.shield():
                    await ctx.step("clean up", lambda: None)
        await ctx.sleep(0)
        return "done"

    return client


FAILED = Failure("ValueError", "no")
# How the wait began, and how it ends.
FACTS: dict[str, tuple[list[e.Fact], list[e.Fact]]] = {
    "step": ([], []),
    "activity": ([e.ActivityScheduled("2", "a", "q", Payload(b"[]"))], [e.ActivityCompleted("2", 1, ONE)]),
    "queue": ([e.ActivityScheduled("2", "a", "q", Payload(b"[]"))], [e.ActivityStarted("2", 1, "worker")]),
    "child": ([e.ChildStarted("2", "id/2", "r", "kid")], [e.ChildCompleted("2", ONE)]),
    "sleep": ([e.TimerStarted("2", 9)], [e.TimerFired("2")]),
    "back-off": ([e.StepRetried("2", "s", FAILED, 1, 9)], [e.TimerFired("2")]),
    "parallel": (
        [e.ActivityScheduled("2.1.1", "a", "q", Payload(b"[]")), e.TimerStarted("2.2.1", 9)],
        [e.TimerFired("2.2.1"), e.ActivityCompleted("2.1.1", 1, ONE)],
    ),
}


class Server:
    """Records what the run asks for, and ends at once what it gives up."""

    def __init__(self, peer: Peer, facts: list[e.Fact]) -> None:
        self.peer = peer
        self.facts = facts

    async def serve(self) -> pb.Command:
        """Until the run ends; its last command."""
        while True:
            request = await self.peer.completion()
            news: list[e.Fact] = []
            before = len(self.facts)
            for command in request.commands:
                kind = command.WhichOneof("command")
                if kind in ("complete_run", "cancel_run", "fail_run", "block_run"):
                    return command
                self.record(kind, command, news)
            self.peer.ack(len(self.facts) if len(self.facts) > before else 0)
            first = len(self.facts) + 1
            self.facts += news
            if news:
                self.peer.workflow(*news, first=first)

    def record(self, kind: str | None, command: pb.Command, news: list[e.Fact]) -> None:
        if kind == "record_step":
            step = command.record_step
            failed = step.HasField("failure")
            self.facts.append(
                e.StepFailed(step.path, step.name, Failure(step.failure.type, ""))
                if failed
                else e.StepCompleted(step.path, step.name, Payload(step.result.data))
            )
        elif kind == "start_timer":
            path = command.start_timer.path
            self.facts.append(e.TimerStarted(path, 9))
            if command.start_timer.delay_ms == 0:
                news.append(e.TimerFired(path))
        elif kind == "fail_step":
            attempt = command.fail_step
            news.append(e.StepRetried(attempt.path, attempt.name, FAILED, 2, 9))
        else:
            assert kind == "cancel_pending", command
            self.give_up(command.cancel_pending.path, news)

    def give_up(self, path: str, news: list[e.Fact]) -> None:
        begun = next(fact for fact in reversed(self.facts) if getattr(fact, "path", "") == path)
        if isinstance(begun, e.ActivityScheduled | e.ActivityStarted):
            self.facts.append(e.ActivityCancelRequested(path))
            news.append(e.ActivityCancelled(path))
        elif isinstance(begun, e.ChildStarted):
            self.facts.append(e.ChildCancelRequested(path))
            news.append(e.ChildCancelled(path))
        elif isinstance(begun, e.TimerStarted | e.StepRetried):
            self.facts.append(e.TimerCancelled(path))


def orders(asked: tuple[e.Fact, ...]) -> list[tuple[str, list[e.Fact]]]:
    waits = [blocked for blocked, _ in cases("same tick", "api")]
    return [(blocked, list(order)) for blocked in waits for order in permutations((*FACTS[blocked][1], *asked))]


@pytest.mark.parametrize(("blocked", "news"), [*orders((CANCEL,)), *orders((DEADLINE,)), *orders((CANCEL, DEADLINE))])
async def test_the_order_of_what_comes_together_is_the_order_of_the_history(blocked: str, news: list[e.Fact]) -> None:
    notes: list[str] = []
    facts: list[e.Fact] = [*begun(e.TimerStarted("1.1.1", 9), *FACTS[blocked][0])]
    async with serving(client_that(blocked, notes)) as peer:
        server = Server(peer, facts)
        peer.workflow(*facts)
        await quiet()
        await quiet()
        first = len(facts) + 1
        facts += news
        peer.workflow(*news, first=first)
        last = await server.serve()
    assert last.WhichOneof("command") == ("cancel_run" if CANCEL in news else "complete_run")
    assert notes.count("cleaned up") == 1
    again: list[str] = []
    async with serving(client_that(blocked, again)) as peer:
        peer.workflow(*facts)
        request = await peer.completion()
    assert [command.WhichOneof("command") for command in request.commands] == [last.WhichOneof("command")]
    assert again == notes
