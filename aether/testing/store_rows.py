"""Rows and filters with which the suite of stores asks its questions."""

from typing import Any

import attrs

from aether.store.interface import EventRow, RunRow

DAY = 86_400_000_000
NOW = 20_000 * DAY

# Texts of filters of which each finds some of `labelled_runs` and not others, but for those that nobody can fulfil.
NOBODY = ("", "type:nobody", "tag.nothing:*", "parent:nobody", "state:failed -state:failed", "-parent:nobody")
FILTERS = (
    *NOBODY,
    "state:failed",
    "state:failed,running",
    "state:open",
    "-state:completed",
    "type:order",
    "type:order,ship",
    "type:or*",
    "type:order state:failed",
    "type:order,ship state:failed,completed",
    "-type:order -type:ship",
    "id:a-*",
    "a-1",
    "id:a-4,b-7",
    "-id:a-*",
    "run:run-7",
    "queue:gpu",
    "error:Boom",
    "error:Boom,Crash",
    "error:Bo*",
    "error:*",
    "-error:*",
    "-error:Boom",
    "error:Boom -id:a-*",
    "-queue:gpu,default",
    "tag.customer:c1",
    "tag.customer:c1,c2",
    "tag.customer:c*",
    "tag.customer:*",
    "-tag.customer:*",
    "-tag.customer:c1",
    "tag.customer:c1 tag.team:x",
    "tag.customer:c1 state:failed type:bill",
    "parent:none",
    "-parent:none",
    "parent:a-4",
    "parent:none,a-4",
    "-parent:a-4",
    "started:>10d",
    "started:<10d",
    "started:<=10d started:>20d",
    "age:<5d",
    "closed:>5d",
    "closed:<5d",
    "-closed:>5d",
    "-started:>10d",
    "started:>30d state:failed",
)


def labelled_runs() -> list[RunRow]:
    """Forty runs that differ in everything a filter may ask for."""
    return [
        run_row(
            key,
            workflow_id=f"{'ab'[key % 4 > 1]}-{key}",
            type=("order", "ship", "bill")[key % 3],
            queue=("default", "gpu", "slow")[key % 7 % 3],
            state=key % 5 + 1,
            parent_key=4 if key in {9, 10, 31} else 7 if key == 8 else None,
            created_at=NOW - (41 - key) * DAY,
            closed_at=NOW - (41 - key) * DAY // 2 if key % 5 > 1 else None,
            error=("Boom", "Bother", "Crash")[key % 3] if key % 5 + 1 == 4 else "",
            tags=(
                *((("customer", f"c{key % 11}"),) if key % 2 else ()),
                *((("team", "xy"[key % 3 == 0]),) if key % 5 else ()),
            ),
        )
        for key in range(1, 41)
    ]


def run_row(key: int, **changes: Any) -> RunRow:
    row = RunRow(key, f"order-{key}", f"run-{key}", "order", "default", 1, None, 1_000_000 + key, None)
    return attrs.evolve(row, **changes)


def event_row(run_key: int, seq: int, body: bytes = b"body") -> EventRow:
    return EventRow(run_key, seq, 2_000_000 + seq, 7, body)


def log_of(run_key: int, count: int) -> list[EventRow]:
    return [event_row(run_key, seq) for seq in range(1, count + 1)]
