"""Makes the trouble that a plan has drawn, and ends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio
from attrs import define

from aether.sdk.transport import RpcError, Transport
from aether.testing.checkers import Violation
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.status import Code

if TYPE_CHECKING:
    from aether.testing.world import World

_COMPLETE: Final = "/aether.v1.WorkerService/CompleteStep"


@define(eq=False)
class Trouble:
    world: World

    async def make(self) -> None:
        """For as long as the plan says; then everything behaves."""
        plan = self.world.plan
        deeds: dict[str, Callable[[], Awaitable[None]]] = {
            "cuts": self._cut,
            "holds": self._hold,
            "worker crashes": self._crash_worker,
            "worker drains": self._drain_worker,
            "server crashes": self._crash_server,
            "server stops": self._stop_server,
            "full disk": self._fill_disk,
            "failing disk": self._break_disk,
            "late completions": self._come_late,
        }
        chosen = [kind for kind in deeds if plan.has(kind)]
        async with trio.open_nursery() as nursery:
            with trio.move_on_after(plan.chaos_s):
                while chosen:
                    await trio.sleep(plan.dice.expovariate(1 / plan.period_s))
                    kind = plan.dice.choice(chosen)
                    self.world.deeds[kind] += kind != "server crashes"
                    nursery.start_soon(deeds[kind])
                await trio.sleep_forever()
            nursery.cancel_scope.cancel()
        plan.is_healed = True
        self.world.note("all trouble is over")

    async def _cut(self) -> None:
        wires = self.world.node.wires
        if wires:
            self.world.note("a wire is cut")
            self.world.plan.dice.choice(wires).cut()

    async def _hold(self) -> None:
        draws = self.world.plan.dice
        draws.choice(self.world.workers).pause(draws.choice([0.5, 5, 25, 40]))

    async def _crash_worker(self) -> None:
        self.world.plan.dice.choice(self.world.workers).crash()

    async def _drain_worker(self) -> None:
        await self.world.plan.dice.choice(self.world.workers).drain()

    async def _crash_server(self) -> None:
        self.world.crash_server()

    async def _stop_server(self) -> None:
        running = self.world.node.running
        if running is None:
            return
        self.world.note("the server is asked to stop")
        try:
            await running.drain(3)
        finally:
            if self.world.node.running is running:
                self.world.node.stop()

    async def _fill_disk(self) -> None:
        seconds = self.world.plan.dice.choice([1, 10, 30])
        self.world.note(f"the disk is full for {seconds} s")
        self.world.plan.full_until = trio.current_time() + seconds

    async def _break_disk(self) -> None:
        self.world.note("the disk will fail")
        self.world.plan.fails_next = True

    async def _come_late(self) -> None:
        """Somebody whose lease is over says that the run has failed, or that the attempt has."""
        stale = self.world.witness.stale
        if not stale:
            return
        token, is_attempt = self.world.plan.dice.choice(stale)
        failure = pb.FailRun().failure
        failure.type = "Late"
        command = pb.Command()
        if is_attempt:
            command.fail_activity.failure.CopyFrom(failure)
        else:
            command.fail_run.failure.CopyFrom(failure)
        request = pb.CompleteStepRequest(token=token, commands=[command])
        async with Transport(self.world.node.connect) as transport:
            try:
                await transport.unary(_COMPLETE, request.SerializeToString(), timeout_s=20)
            except RpcError as refusal:
                self.world.note(f"token {token} is refused: {Code(refusal.code).name}")
            else:
                self.world.fail(Violation(f"token {token} is stale, and was heard"))
