"""What goes wrong in one simulation: drawn from its seed, and in swarms, so that some kinds of trouble are absent.

Trouble that is always everywhere hides faults that need a quiet moment. A `Plan` says which kinds there are this time
and how often; `Storm` is the network, `Ailing` the disk. When `is_healed` is set, all of them behave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio
from attrs import define, evolve, field

from aether.model.limits import DEFAULT_LIMITS, Limits
from aether.server.retention import Keep
from aether.server.settings import Persistence
from aether.server.tiers import Tier
from aether.store.interface import StoreFailed, StoreFull
from aether.testing.seeded import Dice, dice

KINDS: Final = (
    "delays",
    "pieces",
    "cuts",
    "holds",
    "dead wires",
    "flipped bits on wires",
    "strangers",
    "worker crashes",
    "worker drains",
    "vanished workers",
    "server crashes",
    "server crashes at commits",
    "server crashes at forks",
    "server crashes while it starts",
    "server crashes while it forgets",
    "server stops",
    "slow disk",
    "full disk",
    "failing disk",
    "unreadable disk",
    "flipped bits on disk",
    "late completions",
    "paused queues",
    "clock steps",
)
# How likely a server dies when it gets to such a place, and which kind of trouble that is.
_DEATHS: Final = {
    "write": ("server crashes at commits", 0.01),
    "flush": ("server crashes at commits", 0.01),
    "durable": ("server crashes at commits", 0.01),
    "fork": ("server crashes at forks", 0.5),
    "open": ("server crashes while it starts", 0.2),
    "recover": ("server crashes while it starts", 0.2),
    "forget": ("server crashes while it forgets", 0.2),
    "forgotten": ("server crashes while it forgets", 0.2),
}
# In the tier that snapshots there are few commits, and each is a snapshot.
_AHEAD_FACTOR: Final = 10
_ADVICE: Final = "this is a simulation"
# Bounds that are met in a small world; nothing of the ordinary is refused at them.
_NARROW: Final = evolve(
    DEFAULT_LIMITS,
    inbox_max=40,
    unwritten_batches_max=4,
    histories_bytes_max=2_000,
    recently_closed_max=3,
    answers_max=4,
    metric_series_max=3,
    problems_max=2,
    due_max=2,
)


@define
class Plan:
    """One seed's trouble, in seconds of virtual time."""

    seed: int
    dice: Dice
    kinds: tuple[str, ...]
    chaos_s: float
    period_s: float
    workers: int
    runs: int
    tier: Tier
    limits: Limits
    # Which closed runs are kept; None: all.
    keep: Keep | None
    is_healed: bool = False
    full_until: float = 0.0
    fails_next: bool = False
    unreadable_until: float = 0.0
    crash_at: Callable[[str, str], None] = field(default=lambda kind, point: None)

    @classmethod
    def draw(cls, seed: int) -> Plan:
        draws = dice(f"plan {seed}")
        share = draws.choice([0.0, 0.2, 0.5, 0.5, 0.8])
        tier = draws.choice([Tier(), Tier(), Tier(), Tier(Persistence.SNAPSHOT, draws.choice([0.1, 1, 5]))])
        limits = draws.choice([DEFAULT_LIMITS, _NARROW])
        if tier.is_ahead:
            # What gathers for an interval has to have room.
            limits = evolve(limits, unwritten_batches_max=DEFAULT_LIMITS.unwritten_batches_max)
        return cls(
            seed,
            draws,
            tuple(kind for kind in KINDS if draws.random() < share),
            chaos_s=draws.uniform(5, 60),
            period_s=draws.choice([0.5, 2, 5, 10]),
            workers=draws.randint(1, 3),
            runs=draws.choice([1, 2, 4, 8, 16]),
            tier=tier,
            limits=limits,
            keep=draws.choice([None, None, Keep(3), Keep(0, 15 / 86_400)]),
        )

    def labels_of(self, worker: int) -> dict[str, str]:
        """There is always somebody who may have what wants a label."""
        return {"zone": "b"} if worker % 2 else {"zone": "a", "disk": "fast"}

    def has(self, kind: str) -> bool:
        return kind in self.kinds and not self.is_healed

    def __str__(self) -> str:
        bounds = "narrow" if self.limits.due_max == _NARROW.due_max else "usual"
        kept = "all closed runs kept" if self.keep is None else str(self.keep)
        return (
            f"{self.tier.mode}, {self.runs} runs, {self.workers} workers, {bounds} bounds, {kept}, "
            f"{self.chaos_s:.0f} s of trouble about every {self.period_s} s: "
            f"{', '.join(self.kinds) or 'none'}"
        )


@define
class Storm:
    """The weather of all wires."""

    plan: Plan

    def delay_s(self) -> float:
        if not self.plan.has("delays"):
            return 0.0005
        draws = self.plan.dice
        return draws.uniform(1, 8) if draws.random() < 0.01 else draws.expovariate(50)

    def piece(self, size: int) -> int:
        if size < 2 or not self.plan.has("pieces"):
            return size
        draws = self.plan.dice
        return draws.randint(1, size) if draws.random() < 0.3 else size


@define
class Ailing:
    """The moods of the disk."""

    plan: Plan

    def flush_s(self) -> float:
        return self.plan.dice.expovariate(5) if self.plan.has("slow disk") else 0.001

    def refuse(self) -> None:
        plan = self.plan
        if plan.fails_next and not plan.is_healed:
            plan.fails_next = False
            raise StoreFailed("input/output error", where="simulated disk", advice=_ADVICE)
        if trio.current_time() < plan.full_until and not plan.is_healed:
            raise StoreFull("no space is left", where="simulated disk", advice=_ADVICE)

    def refuse_read(self) -> None:
        if trio.current_time() < self.plan.unreadable_until and not self.plan.is_healed:
            raise StoreFailed("input/output error while reading", where="simulated disk", advice=_ADVICE)

    def at(self, point: str) -> None:
        plan = self.plan
        kind, share = _DEATHS[point]
        if not plan.has(kind):
            return
        if plan.tier.is_ahead and kind == "server crashes at commits":
            share *= _AHEAD_FACTOR
        if plan.dice.random() < share:
            plan.crash_at(kind, point)
