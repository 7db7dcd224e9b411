"""A whole server in the Trio run of a test: the real nursery tree, on a simulated disk and behind wires.

It can be stopped, which flushes, or crash: then its wires are cut, its disk keeps what was flushed, and whatever its
tasks would still like to do has no effect.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

import trio

from aether.model.limits import DEFAULT_LIMITS, Limits
from aether.server.clock import Clock
from aether.server.connection import Connection
from aether.server.machine import Machine
from aether.server.retention import Keep
from aether.server.serve import Running, run_engine
from aether.server.tiers import Tier
from aether.testing.disk import Disk, TaskDesk
from aether.testing.wires import CALM, ClientEnd, ServerEnd, Weather, Wire
from aether.wire.calls import Method
from aether.wire.limits import TransportLimits

R = TypeVar("R")

_TRANSPORT: Final = TransportLimits()
Methods = Mapping[str, Method]


async def call_inline(function: Callable[[], R], /) -> R:
    """What threads do elsewhere."""
    await trio.lowlevel.checkpoint()
    return function()


class Node:
    """One process after the other on one disk. `run` is one process."""

    def __init__(
        self,
        disk: Disk,
        wall_ns: Callable[[], int],
        *,
        limits: Limits = DEFAULT_LIMITS,
        tier: Tier | None = None,
        keep: Keep | None = None,
        transport: TransportLimits = _TRANSPORT,
        weather: Weather = CALM,
        watch: Callable[[Methods], Methods] = lambda methods: methods,
    ) -> None:
        self.disk = disk
        self.running: Running | None = None
        self.weather = weather
        self.has_crashed = False
        # From the first thing that a server does to the last.
        self.is_up = False
        self._wall_ns = wall_ns
        self._limits = limits
        self._tier = tier or Tier()
        self._keep = keep
        self._transport = transport
        self._watch = watch
        self._methods: Methods = {}
        self._doors: trio.Nursery
        self._scope = trio.CancelScope()
        self._desk = TaskDesk()
        # In the order in which they were opened, so that a crash is felt in that order.
        self._wires: dict[Wire, Connection] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until `stop` or `crash`. Raises what ends a server: a StoreError, mostly, in an exception group."""
        self.has_crashed = False
        self.is_up = True
        self._desk = TaskDesk()
        desk = self._desk
        machine = Machine(partial(Clock, self._wall_ns), call_inline, lambda: desk)
        try:
            with trio.CancelScope() as self._scope:
                async with (
                    run_engine(self.disk, self._tier, self._limits, machine, self._keep) as running,
                    trio.open_nursery() as self._doors,
                ):
                    self._methods = self._watch(running.methods)
                    self.running = running
                    task_status.started()
                    try:
                        await trio.sleep_forever()
                    finally:
                        # From here on nobody is let in.
                        self.running = None
        except Exception:
            # What it stumbles over while it falls is nobody's business.
            if not self.has_crashed:
                raise
        finally:
            self.is_up = False
            self.running = None
            for wire in list(self._wires):
                wire.cut()
            self._wires.clear()

    def stop(self) -> None:
        """End in an orderly way; `run` returns when all is on disk."""
        self._scope.cancel()

    def crash(self, *, keeps_unsynced: bool = False) -> None:
        """Die here and now, as by SIGKILL or a power cut."""
        self.has_crashed = True
        self.is_up = False
        self.running = None
        for wire in self._wires:
            wire.cut()
        self.disk.crash(keeps_unsynced=keeps_unsynced)
        self._desk.crash()
        self._scope.cancel()

    async def connect(self) -> ClientEnd:
        """What a client opens its connections with. Raises ConnectionRefusedError."""
        await trio.sleep(self.weather.delay_s())
        if self.running is None:
            raise ConnectionRefusedError("nobody listens")
        wire = Wire(self.weather)
        self._wires[wire] = Connection(ServerEnd(wire), self._methods, self._transport, "memory")
        self._doors.start_soon(self._serve, wire, self._wires[wire])
        return ClientEnd(wire)

    @property
    def wires(self) -> list[Wire]:
        """Those that are open."""
        return list(self._wires)

    @property
    def connections(self) -> list[Connection]:
        """The server's ends of them."""
        return list(self._wires.values())

    async def _serve(self, wire: Wire, connection: Connection) -> None:
        try:
            await connection.run()
        finally:
            self._wires.pop(wire, None)
