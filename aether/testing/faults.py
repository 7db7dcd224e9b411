"""What goes wrong in one simulation: drawn from its seed, and in swarms, so that some kinds of trouble are absent.

Trouble that is always everywhere hides faults that need a quiet moment. A `Plan` says which kinds there are this time
and how often; `Storm` is the network, `Ailing` the disk. When `is_healed` is set, all of them behave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio
from attrs import define, field

from aether.server.settings import Persistence
from aether.server.tiers import Tier
from aether.store.interface import StoreFailed, StoreFull
from aether.testing.seeded import Dice, dice

KINDS: Final = (
    "delays",
    "pieces",
    "cuts",
    "holds",
    "worker crashes",
    "worker drains",
    "server crashes",
    "server crashes at commits",
    "server stops",
    "slow disk",
    "full disk",
    "failing disk",
    "late completions",
    "clock steps",
)
_ADVICE: Final = "this is a simulation"


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
    is_healed: bool = False
    full_until: float = 0.0
    fails_next: bool = False
    crash_at: Callable[[str], None] = field(default=lambda point: None)

    @classmethod
    def draw(cls, seed: int) -> Plan:
        draws = dice(f"plan {seed}")
        share = draws.choice([0.0, 0.2, 0.5, 0.5, 0.8])
        return cls(
            seed,
            draws,
            tuple(kind for kind in KINDS if draws.random() < share),
            chaos_s=draws.uniform(5, 60),
            period_s=draws.choice([0.5, 2, 5, 10]),
            workers=draws.randint(1, 3),
            runs=draws.choice([1, 2, 4, 8, 16]),
            tier=draws.choice([Tier(), Tier(), Tier(), Tier(Persistence.SNAPSHOT, draws.choice([0.1, 1, 5]))]),
        )

    def has(self, kind: str) -> bool:
        return kind in self.kinds and not self.is_healed

    def __str__(self) -> str:
        return (
            f"{self.tier.mode}, {self.runs} runs, {self.workers} workers, "
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

    def at(self, point: str) -> None:
        if self.plan.has("server crashes at commits") and self.plan.dice.random() < 0.01:
            self.plan.crash_at(point)
