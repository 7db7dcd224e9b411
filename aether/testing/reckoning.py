"""At the end of a simulation: the disk against the server's memory, and the histories against the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

import attrs

import aether
from aether.core import invariants
from aether.core.run import Activity, Pending, Run, fold
from aether.model import events as e
from aether.model.runs import RunState
from aether.testing.checkers import Violation
from aether.testing.replays import replay
from aether.testing.workload import define_on
from aether.wire.convert import decode_event

if TYPE_CHECKING:
    from aether.testing.world import World

# What is not written down.
_VOLATILE: Final = frozenset(
    {"lease", "queued", "interrupted", "blocked", "blocked_by", "awaited_by", "is_early", "rest_seq", "awaits", "run",
     "last_beat", "begun_at", "kept_at", "keep_at", "pending"}
)  # fmt: skip


def digest(before: int, line: str) -> int:
    return crc32(line.encode(), before)


def settle_accounts(world: World) -> None:
    """Raises Violation."""
    _check_rows(world)
    compare_memory(world)


def compare_memory(world: World) -> None:
    """The state that the server has is the one that the disk gives; and it is in order."""
    loop = world.loop
    if loop is None or not loop.is_quiet:
        return
    invariants.check(loop.engine.state)
    for key, live in loop.engine.state.runs.items():
        row = world.node.disk.runs[key]
        read = Run(key, row.workflow_id, row.run_id, row.type, row.queue, row.parent_key, row.created_at)
        for stored in world.node.disk.logs[key]:
            fold(read, decode_event(stored.body))
        _compare(live, read, f"run {live.run_id}")
        if live.pending.keys() != read.pending.keys():
            raise Violation(f"run {live.run_id} waits at {[*live.pending]}; by its history at {[*read.pending]}")
        for path, pending in live.pending.items():
            _compare(pending, read.pending[path], f"what run {live.run_id} waits for at {path}")


def _compare(live: Run | Pending, read: Run | Pending, what: str) -> None:
    for attribute in attrs.fields(type(live)):
        if attribute.name in _VOLATILE:
            continue
        here, there = getattr(live, attribute.name), getattr(read, attribute.name)
        if here != there and not (isinstance(live, Activity) and attribute.name == "heartbeat"):
            raise Violation(f"{what}: {attribute.name} is {here!r}, by the history it is {there!r}")


def _check_rows(world: World) -> None:
    disk = world.node.disk
    seen: dict[str, int] = {}
    for key, row in disk.runs.items():
        account = world.journal.accounts[key]
        if [event.body for event in disk.logs[key]] != account.bodies:
            raise Violation(f"the history of run {row.run_id} is not what was written")
        if account.closing is None:
            raise Violation(f"run {row.run_id} is open")
        name = RunState(row.state).name.lower()
        if name != type(account.closing).__name__.removeprefix("Run").lower():
            raise Violation(f"run {row.run_id} is {name} and ends with {account.closing}")
        if row.workflow_id in seen:
            raise Violation(f"{row.workflow_id!r} was started once and has two runs")
        seen[row.workflow_id] = key
        for child in account.children.values():
            _check_child(world, row.run_id, child, account.closing)


def _check_child(world: World, run_id: str, child: e.ChildStarted, closing: e.Fact) -> None:
    account = world.journal.by_run_id.get(child.run_id)
    if account is None:
        raise Violation(f"child {child.run_id} of run {run_id} was never created")


def replay_all(world: World) -> None:
    """The code finds its way through every history that it made. Raises NonDeterminism."""
    client = aether.Client()
    program = define_on(client, "replay", world)
    for account in world.journal.accounts.values():
        if isinstance(account.closing, e.RunCancelled) and account.starts == 0:
            continue
        events = [decode_event(body) for body in account.bodies]
        try:
            replay(events, program)
        except aether.NonDeterminism as mismatch:
            mismatch.add_note(f"run {account.row.run_id} of {account.row.workflow_id}")
            mismatch.add_note(f"again: tox -e sim -- --seed {world.plan.seed}")
            raise
