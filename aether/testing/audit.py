"""Looks at the whole server again and again while a simulation runs: its memory, its disk, its bounds.

Between two passes of the scheduler the engine is between two inputs, so its invariants must hold whenever this looks.
Memory and disk are compared when everything that was decided is durable: then folding what is on disk must give the
state that the engine has, and counting it must give the numbers that the server tells.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import attrs
import trio

from aether.core import invariants
from aether.core.run import Activity, Pending, Run, fold
from aether.testing.bounds import check_bounds
from aether.testing.checkers import Violation
from aether.testing.seeded import dice
from aether.wire.convert import decode_event

if TYPE_CHECKING:
    from aether.server.engine_loop import EngineLoop
    from aether.testing.world import World

_EVERY_S: Final = 1.5
# What is not written down.
_VOLATILE: Final = frozenset(
    {"lease", "queued", "held", "interrupted", "blocked", "blocked_by", "awaited_by", "is_early", "rest_seq", "awaits",
     "run", "last_beat", "begun_at", "kept_at", "keep_at", "pending"}
)  # fmt: skip


async def audit(world: World) -> None:
    """For ever. Tells the world what is wrong."""
    draws = dice(f"audit {world.plan.seed}")
    while True:
        await trio.sleep(draws.expovariate(1 / _EVERY_S))
        try:
            check_bounds(world)
            compare_memory(world)
        except (Violation, AssertionError) as wrong:
            world.fail(Violation(str(wrong)))


def compare_memory(world: World) -> None:
    """The state that the server has is in order, and is the one that the disk gives. Raises AssertionError."""
    loop = world.loop
    if loop is None:
        return
    invariants.check(loop.engine.state)
    writer = loop.metrics.writer
    assert writer is not None
    if not loop.is_quiet or loop.last_ticket != writer.durable_ticket:
        return
    world.comparisons += 1
    for key, live in loop.engine.state.runs.items():
        row = world.node.disk.runs[key]
        read = Run(key, row.workflow_id, row.run_id, row.type, row.queue, row.parent_key, row.created_at)
        # As it was written: a disk may have flipped a bit meanwhile.
        for body in world.journal.accounts[key].bodies:
            fold(read, decode_event(body))
        _compare(live, read, f"run {live.run_id}")
        if live.pending.keys() != read.pending.keys():
            raise Violation(f"run {live.run_id} waits at {[*live.pending]}; by its history at {[*read.pending]}")
        for path, pending in live.pending.items():
            _compare(pending, read.pending[path], f"what run {live.run_id} waits for at {path}")
    _compare_open(world, loop)


def _compare(live: Run | Pending, read: Run | Pending, what: str) -> None:
    for attribute in attrs.fields(type(live)):
        if attribute.name in _VOLATILE:
            continue
        here, there = getattr(live, attribute.name), getattr(read, attribute.name)
        if here != there and not (isinstance(live, Activity) and attribute.name == "heartbeat"):
            raise Violation(f"{what}: {attribute.name} is {here!r}, by the history it is {there!r}")


def _compare_open(world: World, loop: EngineLoop) -> None:
    open_keys = {row.key for row in world.node.disk.runs.values() if row.closed_at is None}
    known = set(loop.engine.state.runs)
    withheld = {row.key for row in world.node.disk.runs.values() if row.workflow_id in loop.engine.state.withheld}
    if open_keys - withheld != known:
        raise Violation(f"runs {sorted(known)} are known to be open, on disk {sorted(open_keys)} are")
    told = {(kind, int(state)): count for kind, state, count in loop.tally}
    counted = Counter((row.type, row.state) for row in world.node.disk.runs.values())
    if told != counted:
        raise Violation(f"the server counts {told}, on disk are {dict(counted)}")
