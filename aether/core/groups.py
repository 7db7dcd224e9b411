"""Concurrency keys: how many of those with one key run, and who waits for their turn.

Theory of operation. Tasks with one key are a `Group`. A run takes one of its group's places when it is begun and keeps
it until it is closed; an activity takes one with each lease of an attempt, and gives it back with the lease. So places
are what there is anyway, counted: nothing is held that could leak when a worker dies.

Whoever waits does so in a heap of its group, one for each line of the task queues, by the same rank as everybody else.
The line itself holds only the first of them, its *offer*, and only while the group has room; so whoever looks for the
first in line finds one that may go, and passes over nobody. An offer is checked when its turn comes: when the group is
full by then, or somebody more urgent has come first, it is dropped, and made anew when a place is free or it is first
again. Each start of a task so costs a bounded number of moves in heaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from attrs import define, field

from aether.core.run import Activity, Run
from aether.model.policy import ConcurrencyLimit
from aether.model.runs import RunState

if TYPE_CHECKING:
    from aether.core.queues import Entry, QueueKey

# Stale entries of a heap that are not worth a clean-up; beyond them at most half of it is stale.
STALE_MIN = 64


@define(eq=False)
class GroupLine:
    entries: list[Entry] = field(factory=list)
    count: int = 0
    # Number of the entry that is in the line of the task queue; 0: none is.
    offered: int = 0

    def first(self) -> Entry | None:
        while self.entries and not waits(self.entries[0]):
            heappop(self.entries)
        return self.entries[0] if self.entries else None


@define(eq=False)
class Group:
    key: str
    limit: int
    running: int = 0
    lines: dict[QueueKey, GroupLine] = field(factory=dict)

    @property
    def has_room(self) -> bool:
        return self.running < self.limit

    @property
    def waiting(self) -> int:
        return sum(line.count for line in self.lines.values())

    def push(self, key: QueueKey, entry: Entry) -> None:
        line = self.lines.get(key)
        if line is None:
            line = self.lines[key] = GroupLine()
        heappush(line.entries, entry)
        line.count += 1

    def pop(self, key: QueueKey) -> None:
        """The first one goes: it was offered, and its turn has come."""
        line = self.lines[key]
        heappop(line.entries)
        line.offered = 0
        self._uncount(key, line)

    def leave(self, key: QueueKey) -> None:
        """Somebody does not wait any more; his entry is stale already."""
        line = self.lines[key]
        self._uncount(key, line)
        if len(line.entries) > STALE_MIN + 2 * line.count:
            line.entries[:] = [entry for entry in line.entries if waits(entry)]
            heapify(line.entries)

    def _uncount(self, key: QueueKey, line: GroupLine) -> None:
        line.count -= 1
        if not line.count:
            del self.lines[key]

    def may_go(self, key: QueueKey, entry: Entry) -> bool:
        """Is this offer still good? One that is not is forgotten."""
        line = self.lines[key]
        if self.has_room and line.first() is entry:
            return True
        if line.offered == entry[0].number:
            line.offered = 0
        return False

    def firsts(self) -> Iterator[tuple[QueueKey, Entry]]:
        """The first in each line."""
        for key, line in self.lines.items():
            first = line.first()
            # A line in which nobody waits is forgotten at once.
            assert first is not None
            yield key, first

    def offers(self) -> Iterator[tuple[QueueKey, Entry]]:
        """What is to be put into the lines of the task queues now."""
        if not self.has_room:
            return
        for key, first in self.firsts():
            line = self.lines[key]
            if line.offered != first[0].number:
                line.offered = first[0].number
                yield key, first


class Groups:
    """Those in which anybody runs or waits."""

    def __init__(self) -> None:
        self._by_key: dict[str, Group] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(self._by_key.values())

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def of(self, limit: ConcurrencyLimit) -> Group:
        return self._by_key[limit.key]

    def declare(self, limit: ConcurrencyLimit) -> Group:
        """The group, with the limit that was declared last."""
        group = self._by_key.get(limit.key)
        if group is None:
            group = self._by_key[limit.key] = Group(limit.key, limit.limit)
        group.limit = limit.limit
        return group

    def forget_if_empty(self, group: Group) -> None:
        if not group.running and not group.lines:
            del self._by_key[group.key]


def limit_of(item: Run | Activity) -> ConcurrencyLimit | None:
    """What it has to wait for. A run that was begun has its place already, wherever it goes on."""
    if isinstance(item, Run) and item.state is not RunState.PENDING:
        return None
    return item.concurrency


def waits(entry: Entry) -> bool:
    return entry[2].queued == entry[0].number
