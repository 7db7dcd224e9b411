"""At the end of a simulation: the disk against the server's memory, and the histories against the code."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from zlib import crc32

import aether
from aether.model import events as e
from aether.model.runs import RunState
from aether.store.interface import RunRow
from aether.testing.audit import compare_memory
from aether.testing.bounds import check_bounds
from aether.testing.checkers import Account, Violation
from aether.testing.replays import replay
from aether.testing.workload import define_on
from aether.wire.convert import decode_event

if TYPE_CHECKING:
    from aether.testing.world import World


def digest(before: int, line: str) -> int:
    return crc32(line.encode(), before)


def settle_accounts(world: World) -> None:
    """Raises Violation."""
    _check_rows(world)
    check_bounds(world)
    compare_memory(world)


def _check_rows(world: World) -> None:
    disk = world.node.disk
    seen: Counter[str] = Counter()
    for key, account in world.journal.accounts.items():
        row = account.row
        if account.closing is None:
            raise Violation(f"run {row.run_id} is open")
        for path, child in account.children.items():
            if path not in account.refused and child.run_id not in world.journal.by_run_id:
                raise Violation(f"child {child.run_id} of run {row.run_id} was never created")
        if key in disk.forgotten:
            continue
        _check_row(disk.runs[key], account, [event.body for event in disk.logs[key]])
        if row.workflow_id.startswith("run-") and row.parent_key is None and not account.is_fork:
            seen[row.workflow_id] += 1
        if seen[row.workflow_id] > 1:
            raise Violation(f"{row.workflow_id!r} was started once and has two runs")
    if disk.runs.keys() & disk.forgotten or disk.runs.keys() | disk.forgotten != world.journal.accounts.keys():
        raise Violation("a run is on disk that nobody has written, or has left although nobody removed it")


def _check_row(row: RunRow, account: Account, bodies: list[bytes]) -> None:
    if bodies != account.bodies:
        raise Violation(f"the history of run {row.run_id} is not what was written")
    name = RunState(row.state).name.lower()
    if name != type(account.closing).__name__.removeprefix("Run").lower():
        raise Violation(f"run {row.run_id} is {name} and ends with {account.closing}")


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
