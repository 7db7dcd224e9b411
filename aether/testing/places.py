"""Who holds the places of concurrency limits, told by facts alone.

A run holds a place from when it is begun until it is closed, an attempt from its start until its end. When a server is
gone, so are all leases, and whoever had an attempt is refused by its token: attempts hold nothing any more. A fork
begins with what its origin had begun, so it may stand beside the limit; nobody else may join while it does.
"""

from __future__ import annotations

from collections import defaultdict

from attrs import define, field

from aether.model import events as e
from aether.model.policy import ConcurrencyLimit

Holder = tuple[str, str]
"""Run id and path; the path of a run itself is empty."""


@define(eq=False)
class Places:
    # By key.
    holders: defaultdict[str, set[Holder]] = field(factory=lambda: defaultdict(set))
    # Runs whose history can not be read: nobody has them, and their places are free until they are back.
    withheld: set[str] = field(factory=set)
    # The most that held places of one key side by side, to tell whether there was ever anything to bound.
    most: int = 0

    def begin_server(self) -> None:
        """All leases are over."""
        self.withheld = set()
        for key, holders in self.holders.items():
            self.holders[key] = {holder for holder in holders if not holder[1]}

    def take(self, run_id: str, path: str, limit: ConcurrencyLimit | None, *, is_shared: bool) -> str:
        """A run or an attempt is begun. What is wrong with that; empty if nothing is.

        `is_shared`: it is history that a fork begins with.
        """
        if limit is None:
            return ""
        holders = self.holders[limit.key]
        if (run_id, path) in holders:
            return ""
        held = sum(holder[0] not in self.withheld for holder in holders)
        holders.add((run_id, path))
        self.most = max(self.most, held + 1)
        if is_shared or held < limit.limit:
            return ""
        return f"{held} hold a place of {limit.key}, of at most {limit.limit}"

    def give_back(self, run_id: str, path: str, limit: ConcurrencyLimit | None) -> None:
        if limit is not None:
            self.holders[limit.key].discard((run_id, path))

    def close(self, run_id: str) -> None:
        """A run is over, and whoever works for it is told to stop."""
        for key, holders in self.holders.items():
            self.holders[key] = {holder for holder in holders if holder[0] != run_id}


def limit_of(created: e.RunCreated | e.ActivityScheduled | None) -> ConcurrencyLimit | None:
    return None if created is None else created.concurrency
