"""Makes the trouble that a plan has drawn, and ends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio
from attrs import define

from aether.sdk.transport import RpcError, Transport
from aether.testing.checkers import Violation
from aether.testing.strangers import visit
from aether.testing.wires import ClientEnd, Wire
from aether.wire.generated.aether.v1 import admin_pb2 as apb
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.status import Code

if TYPE_CHECKING:
    from aether.testing.world import World

_UPDATE_QUEUE: Final = "/aether.v1.AdminService/UpdateQueue"
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
            "dead wires": self._kill_wire,
            "flipped bits on wires": self._spoil_wire,
            "strangers": self._let_stranger_in,
            "worker crashes": self._crash_worker,
            "worker drains": self._drain_worker,
            "vanished workers": self._lose_worker,
            "server crashes": self._crash_server,
            "server stops": self._stop_server,
            "full disk": self._fill_disk,
            "failing disk": self._break_disk,
            "unreadable disk": self._break_reading,
            "flipped bits on disk": self._flip_on_disk,
            "paused queues": self._pause_queue,
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
        if "flipped bits on disk" in plan.kinds or "unreadable disk" in plan.kinds:
            # A run whose history could not be read waits until its worker comes anew.
            self.world.mend_disk()
        if "paused queues" in plan.kinds:
            # Nobody else would let it go on; and a server that is ahead of its disk may forget what it was told before.
            await self._resume_queue()

    async def _cut(self) -> None:
        wires = self.world.node.wires
        if wires:
            self.world.note("a wire is cut")
            self.world.plan.dice.choice(wires).cut()

    async def _kill_wire(self) -> None:
        wires = self.world.node.wires
        if wires:
            self.world.note("a wire is dead")
            self.world.plan.dice.choice(wires).vanish()

    async def _spoil_wire(self) -> None:
        draws, wires = self.world.plan.dice, self.world.node.wires
        if wires:
            self.world.note("a bit flips on a wire")
            wire = draws.choice(wires)
            draws.choice([wire.to_server, wire.to_client]).spoil()

    async def _let_stranger_in(self) -> None:
        await visit(self.world)

    async def _hold(self) -> None:
        draws = self.world.plan.dice
        draws.choice(self.world.workers).pause(draws.choice([0.5, 5, 25, 40]))

    async def _crash_worker(self) -> None:
        self.world.plan.dice.choice(self.world.workers).crash()

    async def _lose_worker(self) -> None:
        self.world.plan.dice.choice(self.world.workers).vanish()

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

    async def _break_reading(self) -> None:
        seconds = self.world.plan.dice.choice([0.1, 1, 5])
        self.world.note(f"the disk can not be read for {seconds} s")
        self.world.plan.unreadable_until = trio.current_time() + seconds

    async def _flip_on_disk(self) -> None:
        draws, disk = self.world.plan.dice, self.world.node.disk
        keys = [key for key in disk.keys if disk.logs.get(key)]
        if keys:
            key = draws.choice(keys)
            seq = draws.randint(1, len(disk.logs[key]))
            self.world.note(f"a bit flips in event {seq} of run {disk.runs[key].run_id[:6]} on disk")
            disk.flip(key, seq, draws.randrange(1 << 20))

    async def _pause_queue(self) -> None:
        """For a while; or a limit, until the server is gone."""
        draws = self.world.plan.dice
        request = apb.UpdateQueueRequest(task_queue="default", reason="maintenance")
        if draws.random() < 0.3:
            request.activity_limit = draws.choice([0, 1, 2])
            await self._update(request)
            return
        request.paused = True
        await self._update(request)
        await trio.sleep(draws.choice([0.1, 3, 20]))
        await self._resume_queue()

    async def _resume_queue(self) -> None:
        while not await self._update(apb.UpdateQueueRequest(task_queue="default", paused=False)):  # noqa: ASYNC110
            await trio.sleep(1)

    async def _update(self, request: apb.UpdateQueueRequest) -> bool:
        """Whether it was heard. When this is over, however it ends, it is not heard any more."""
        self.world.note(f"the queue is paused: {request.paused}, its limit: {request.activity_limit}")
        wires: list[Wire] = []

        async def connect() -> ClientEnd:
            end = await self.world.node.connect()
            wires.append(end.wire)
            return end

        try:
            async with Transport(connect) as transport:
                await transport.unary(_UPDATE_QUEUE, request.SerializeToString(), timeout_s=20)
        except RpcError as refusal:
            self.world.note(f"that is refused: {Code(refusal.code).name}")
            return False
        finally:
            for wire in wires:
                wire.cut()
        return True

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
