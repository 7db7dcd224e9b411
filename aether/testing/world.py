"""One simulation: a server, workers and users in one Trio run, trouble for a while, then none, and then the reckoning.

Everything is the real thing but time, the network, the disk and chance. While there is trouble, promises are watched
(`witness.py`, `checkers.py`). Then everything heals, and whatever is open has to close within a bounded time. At the
end the histories are read once more: they must give the state that the server has, and the code that made them must
find its way through them again.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from typing import Any, Final

import trio
import trio.testing
from attrs import define, evolve, field

import aether
from aether.sdk import entropy as entropy_of_sdk
from aether.sdk.transport import Transport
from aether.sdk.worker import Worker
from aether.server import entropy as entropy_of_server
from aether.server.engine_loop import EngineLoop
from aether.store.interface import StoreError
from aether.testing import reckoning
from aether.testing.audit import audit
from aether.testing.checkers import Journal, Violation
from aether.testing.disk import Disk
from aether.testing.environment import InlineLane, silence
from aether.testing.faults import Ailing, Plan, Storm
from aether.testing.node import Node
from aether.testing.seeded import dice, run_seeded
from aether.testing.trouble import Trouble
from aether.testing.users import User
from aether.testing.witness import Witness
from aether.testing.workload import author_of, define_on

_WALL_NS: Final = 1_767_225_600_000_000_000
# Longer than a run may clean up, and than all that programs wait for.
HEAL_S: Final = 1200.0
_PASSES_MAX: Final = 20_000
_DOWN_S: Final = (0.0, 0.5, 3.0, 20.0)
_TRACE_LINES: Final = 50


class SimulationFailed(AssertionError):
    """A promise was broken, or something stayed open."""


class StandstillAlarm(trio.abc.Instrument):
    """Tells when tasks keep each other busy and time does not pass."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._at = -1.0
        self._passes = 0

    def before_io_wait(self, timeout: float) -> None:
        now = trio.current_time()
        self._passes = self._passes + 1 if now == self._at else 0
        self._at = now
        if self._passes == _PASSES_MAX:
            self._world.fail(Violation(f"time stands still: {_PASSES_MAX} passes of the scheduler at one moment"))


@define(eq=False)
class World:
    plan: Plan
    trace: deque[str] = field(factory=lambda: deque(maxlen=_TRACE_LINES))
    trace_hash: int = 0
    journal: Journal = field(factory=Journal)
    effects: Counter[tuple[str, str]] = field(factory=Counter)
    failures: list[str] = field(factory=list)
    node: Node = field(init=False)
    witness: Witness = field(init=False)
    workers: list[Process] = field(factory=list)
    _scope: trio.CancelScope = field(factory=trio.CancelScope)
    _wall_offset_s: float = 0.0
    # What trouble there was, by kind.
    deeds: Counter[str] = field(factory=Counter)
    # The greatest share of each bound that was in use.
    sizes: defaultdict[str, float] = field(factory=lambda: defaultdict(float))
    # How often memory and disk were compared.
    comparisons: int = 0

    # What happens.

    async def live(self) -> None:
        """From the beginning to the reckoning. Raises SimulationFailed."""
        plan = self.plan
        disk = Disk(Ailing(plan))
        disk.on_commit = self._on_commit
        self.witness = Witness(
            self.journal,
            self.note,
            self.fail,
            # "w1.3" is the third incarnation of number 1.
            lambda worker: plan.labels_of(int(worker[1:].partition(".")[0])),
            is_ahead=plan.tier.is_ahead,
        )
        self.node = Node(
            disk,
            lambda: _WALL_NS + int((trio.current_time() + self._wall_offset_s) * 1e9),
            limits=plan.limits,
            tier=plan.tier,
            keep=plan.keep,
            weather=Storm(plan),
            watch=self.witness.watch,
        )
        plan.crash_at = self.crash_server
        trio.lowlevel.add_instrument(StandstillAlarm(self))
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._run_server)
                    nursery.start_soon(audit, self)
                    for number in range(plan.workers):
                        self.workers.append(Process(self, number))
                        nursery.start_soon(self.workers[-1].run)
                    await self._use(nursery)
                    try:
                        reckoning.settle_accounts(self)
                    except Violation as violation:
                        self.fail(violation)
                    nursery.cancel_scope.cancel()
        except Exception as error:
            if not self.failures:
                raise
            self.note(f"while ending: {error!r}")
        if self.failures:
            raise SimulationFailed(self.failures[0])

    async def _use(self, nursery: trio.Nursery) -> None:
        """Users come, there is trouble, it ends, and they all get what they came for."""
        plan = self.plan
        client = aether.Client(worker_id="user")
        client.make_transport = lambda: Transport(self.node.connect)
        program = define_on(client, "user", self)
        async with client:
            with trio.move_on_after(plan.chaos_s + HEAL_S) as patience:
                async with trio.open_nursery() as users:
                    users.start_soon(Trouble(self).make)
                    for number in range(plan.runs):
                        user = User(self, client, program, number, author_of(f"{plan.seed} {number}"))
                        users.start_soon(user.come)
                # What is told ahead of the disk follows.
                await trio.sleep(10 * plan.tier.interval_s)
                while self.open_runs():  # noqa: ASYNC110 - a simulation's time costs nothing
                    await trio.sleep(1)
            if patience.cancelled_caught:
                self.fail(Violation(f"{HEAL_S:.0f} s after all trouble: {await self._describe_open(client)}"))
            # Nobody asks for anything any more, so what is decided is soon on disk.
            with trio.move_on_after(60):
                while self.loop is None or not self.loop.is_quiet:  # noqa: ASYNC110 - likewise
                    await trio.sleep(0.1)

    async def _describe_open(self, client: aether.Client) -> str:
        """What the open runs wait for."""
        lines = []
        with trio.move_on_after(30):
            for workflow_id in self.open_runs():
                status = await client.handle(workflow_id).status()
                waits = [f"{item.kind} {item.name} at {item.path}" for item in status.pending]
                blocked = f", blocked: {status.failure}" if status.blocked else ""
                lines.append(f"{workflow_id} is {status.state.name}, waits for {waits or 'nothing'}{blocked}")
        return "; ".join(lines) or f"{self.open_runs()} are open, or their users still wait"

    def open_runs(self) -> list[str]:
        return [row.workflow_id for row in self.node.disk.runs.values() if row.closed_at is None]

    async def _run_server(self) -> None:
        draws = dice(f"server {self.plan.seed}")
        while True:
            self.journal.places.begin_server()
            try:
                await self.node.run()
            except* StoreError as error:
                self.note(f"the server ends: {error.exceptions[0]}")
                self.node.disk.crash(keeps_unsynced=draws.random() < 0.5)
            self.note("the server is down")
            if not self.plan.is_healed:
                await trio.sleep(draws.choice(_DOWN_S))
            if self.plan.has("clock steps"):
                # Somebody sets the machine's clock while no server runs.
                self.deeds["clock steps"] += 1
                self._wall_offset_s = draws.choice([0, -1, 1, -3600, 3600])
            self.note("the server comes back")

    def crash_server(self, kind: str = "server crashes", point: str = "") -> None:
        if self.node.is_up:
            self.deeds[kind] += 1
            self.note(f"the server crashes {point}")
            self.node.crash(keeps_unsynced=self.plan.dice.random() < 0.5)

    def mend_disk(self) -> None:
        """Put back what was written, as from a backup, and start anew: a server reads what is open when it starts."""
        self.node.disk.mend()
        self.crash_server("server crashes", "because its disk was mended")

    # What is seen.

    def note(self, line: str) -> None:
        shown = f"{trio.current_time():10.4f} {line}"
        self.trace.append(shown)
        self.trace_hash = reckoning.digest(self.trace_hash, shown)

    def fail(self, violation: Violation) -> None:
        self.failures.append(str(violation))
        self._scope.cancel()

    def _on_commit(self, batches: Any) -> None:
        self.note(f"commit {self.node.disk.commits}: {self.journal.count} events so far")
        if self.loop is not None:
            self.journal.places.withheld = set(self.loop.engine.state.withheld.values())
        try:
            self.journal.on_commit(batches)
        except Violation as violation:
            self.fail(violation)

    def effect(self, worker: str, run_id: str, name: str) -> int:
        """A step or an activity is being done."""
        self.effects[run_id, name] += 1
        self.note(f"{worker} does {name} of {run_id[:6]}")
        account = self.journal.by_run_id.get(run_id)
        if account is None:
            if not self.plan.tier.is_ahead:
                self.fail(Violation(f"{name} of run {run_id} is done, and the run is not on disk"))
        elif account.row.key in self.node.disk.forgotten:
            # Its id is as good as unused: a start that was repeated has made it anew.
            return self.effects[run_id, name]
        elif name in account.step_names and self.witness.holder(run_id) == worker:
            self.fail(Violation(f"{name} of run {run_id} is done by {worker} again, and its outcome is on disk"))
        return self.effects[run_id, name]

    @property
    def loop(self) -> EngineLoop | None:
        return self.node.running.loop if self.node.running is not None else None


@define(eq=False)
class Process:
    """One place for workers: a process, and when it is gone another one."""

    world: World
    number: int
    incarnation: int = 0
    worker: Worker | None = None
    _scope: trio.CancelScope = field(factory=trio.CancelScope)
    _node_wires: list[Any] = field(factory=list)

    async def run(self) -> None:
        draws = dice(f"worker {self.world.plan.seed} {self.number}")
        while True:
            self.incarnation += 1
            with trio.CancelScope() as self._scope:
                await self._run(f"w{self.number}.{self.incarnation}")
            self.worker = None
            if not self.world.plan.is_healed:
                await trio.sleep(draws.choice(_DOWN_S))

    async def _run(self, name: str) -> None:
        client = aether.Client(worker_id=name, workflow_slots=3, activity_slots=2)
        client.make_transport = lambda: Transport(self._connect)
        define_on(client, name, self.world)
        self._node_wires = []
        self.world.note(f"{name} begins")
        async with client:
            labels = self.world.plan.labels_of(self.number)
            settings = evolve(
                client.worker_settings(resident_max=2, labels=labels), make_lane=InlineLane, is_watched=False
            )
            self.worker = Worker(client.transport, settings, client.converter)
            await self.worker.run(lambda: self.world.note(f"{name} is registered"))

    async def _connect(self) -> Any:
        end = await self.world.node.connect()
        self._node_wires.append(end.wire)
        return end

    def crash(self) -> None:
        """As by SIGKILL: nothing more is said."""
        self.world.note(f"w{self.number}.{self.incarnation} crashes")
        for wire in self._node_wires:
            wire.cut()
        self._scope.cancel()

    def vanish(self) -> None:
        """Its machine is gone: nothing more is said, and nobody is told that."""
        self.world.note(f"w{self.number}.{self.incarnation} vanishes")
        for wire in self._node_wires:
            wire.vanish()
        self._scope.cancel()

    def pause(self, seconds: float) -> None:
        """As by SIGSTOP: nothing comes and nothing goes."""
        self.world.note(f"w{self.number}.{self.incarnation} is paused for {seconds:.1f} s")
        for wire in self._node_wires:
            wire.hold(trio.current_time() + seconds)

    async def drain(self) -> None:
        """It is asked to end."""
        if self.worker is not None:
            self.world.note(f"w{self.number}.{self.incarnation} is asked to end")
            try:
                await self.worker.drain(10)
            finally:
                self._scope.cancel()


def simulate(seed: int) -> World:
    """Run one seed. Raises SimulationFailed, or whatever else went wrong."""
    world = World(Plan.draw(seed))
    draws = dice(f"entropy {seed}")
    with silence(), entropy_of_sdk.drawing_from(draws.randbytes), entropy_of_server.drawing_from(draws.randbytes):
        try:
            run_seeded(seed, world.live, clock=trio.testing.MockClock(autojump_threshold=0))
        except BaseException as error:
            error.add_note(f"plan: {world.plan}")
            error.add_note("\n".join(world.trace))
            error.add_note(f"again: tox -e sim -- --seed {seed}")
            raise
    reckoning.replay_all(world)
    return world
