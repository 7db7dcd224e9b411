"""Task queues: what is ready and waits for a worker, in order, by queue, kind and type.

A worker takes only types that it has, so each type waits in a line of its own and none stands in the way of another.
So do tasks that want labels of their worker: those are part of a line's key, and such a line is listed under the key
without them too.

Priorities shift a task in time: one of priority 1 stands where one of priority 2 would stand that came a minute before
it. So the urgent is served first, those of one priority in the order in which they came, and nobody starves: a minute
of waiting is worth one priority, and who has waited for five is overtaken by nobody who comes now. A run that has begun
and goes on (its timer fired, its worker was lost) is more urgent by one than a new one: what is due is not to wait
behind a backlog of starts.

Who has a concurrency key waits in a heap of its group, and is offered to the line when its turn comes: `groups.py`.

Who leaves a line from the middle (a run that is cancelled while it waits) stays in it as a stale entry, and is passed
over when its turn comes: its `queued` number is not the entry's any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from itertools import combinations
from typing import NamedTuple

from aether.core.groups import STALE_MIN, Group, Groups, limit_of, waits
from aether.core.run import Activity, Run
from aether.model.policy import ConcurrencyLimit
from aether.model.runs import Labels, TaskKind

Item = Run | Activity
_US_PER_PRIORITY = 60_000_000


class Rank(NamedTuple):
    """The lower is served first: when it came, shifted by its priority; then its number."""

    at: int
    number: int


# (rank, since when it waits, who).
Entry = tuple[Rank, int, Item]


class QueueKey(NamedTuple):
    task_queue: str
    kind: TaskKind
    type: str
    # What the worker must have, in the order of the keys.
    labels: Labels = ()

    @property
    def plain(self) -> QueueKey:
        """Under which sessions that may take its tasks are filed: they are not filed by labels."""
        return self._replace(labels=()) if self.labels else self


class TaskQueues:
    def __init__(self) -> None:
        self._lines: dict[QueueKey, list[Entry]] = {}
        # Who waits, offered or not.
        self._counts: dict[QueueKey, int] = {}
        self._last = 0
        # Lines of tasks that want labels, by the key without them.
        self._labelled: dict[QueueKey, dict[QueueKey, None]] = {}
        self.groups = Groups()
        # Those in which somebody may go that could not before: whoever has a slot for him has to be told.
        self.opened: dict[str, Group] = {}

    def push(self, key: QueueKey, item: Item, now: int) -> None:
        assert not item.queued
        self._last += 1
        item.queued = self._last
        entry = (Rank(now + _urgency_of(item) * _US_PER_PRIORITY, self._last), now, item)
        self._counts[key] = self._counts.get(key, 0) + 1
        limit = limit_of(item)
        if limit is None:
            self._enter(key, entry)
            return
        group = self.groups.declare(limit)
        group.push(key, entry)
        self._offer(group)

    def _enter(self, key: QueueKey, entry: Entry) -> None:
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = []
            if key.labels:
                self._labelled.setdefault(key.plain, {})[key] = None
        heappush(line, entry)

    def _offer(self, group: Group) -> None:
        for key, entry in list(group.offers()):
            self._enter(key, entry)
            self.opened[group.key] = group

    def remove(self, key: QueueKey, item: Item) -> None:
        """Take `item` out of its line."""
        assert item.queued
        item.queued = 0
        self._uncount(key)
        limit = limit_of(item)
        if limit is not None:
            group = self.groups.of(limit)
            group.leave(key)
            self._offer(group)
            self.groups.forget_if_empty(group)
        if key not in self._counts:
            # Nobody may ever look at this line again.
            self.head(key)
            return
        line = self._lines.get(key, ())
        if len(line) > STALE_MIN + 2 * self._counts.get(key, 0):
            # An offer that was overtaken and made anew stands there more than once.
            good = {entry[0].number: entry for entry in line if self._is_good(key, entry)}
            line = self._lines[key] = list(good.values())
            heapify(line)

    def _is_good(self, key: QueueKey, entry: Entry) -> bool:
        """Does somebody wait who stands in this line by that entry?"""
        limit = limit_of(entry[2])
        if not waits(entry) or limit is None:
            return waits(entry)
        return self.groups.of(limit).lines[key].offered == entry[0].number

    def head(self, key: QueueKey) -> Entry | None:
        """(rank, since when, item) of the first in line who may go."""
        line = self._lines.get(key)
        while line:
            entry = line[0]
            limit = limit_of(entry[2])
            if waits(entry) and (limit is None or self.groups.of(limit).may_go(key, entry)):
                return entry
            heappop(line)
        if line is not None:
            del self._lines[key]
            if key.labels:
                self._forget_labelled(key)
        return None

    def labelled(self, key: QueueKey, labels: Mapping[str, str]) -> Iterable[QueueKey]:
        """Lines of the same type whose tasks want labels, all of which a worker with `labels` has.

        There may be a line for each customer, and each grant asks: so it is looked for what the worker may take, not
        through all that there is.
        """
        lines = self._labelled.get(key)
        if not lines or not labels:
            return ()
        has = sorted(labels.items())
        if len(lines) < 1 << len(has):
            return [line for line in lines if all(labels.get(name) == value for name, value in line.labels)]
        wanted = (key._replace(labels=some) for count in range(1, len(has) + 1) for some in combinations(has, count))
        return [line for line in wanted if line in lines]

    def _forget_labelled(self, key: QueueKey) -> None:
        lines = self._labelled[key.plain]
        del lines[key]
        if not lines:
            del self._labelled[key.plain]

    def head_since(self, key: QueueKey) -> int:
        """Since when the first in line waits; there must be one."""
        head = self.head(key)
        assert head is not None
        return head[1]

    def pop(self, key: QueueKey) -> Item:
        """The first in line; there must be one. Grant it at once: it counts as running from then on."""
        head = self.head(key)
        assert head is not None
        heappop(self._lines[key])
        item = head[2]
        item.queued = 0
        self._uncount(key)
        limit = limit_of(item)
        if limit is not None:
            self.groups.of(limit).pop(key)
        return item

    def admits(self, key: QueueKey, item: Item) -> bool:
        """May it go past the line? Somebody with its concurrency key has to go first, or has the last place."""
        limit = limit_of(item)
        if limit is None:
            return True
        group = self.groups.declare(limit)
        self._offer(group)
        return group.has_room and key not in group.lines

    def begin(self, limit: ConcurrencyLimit) -> None:
        """Somebody with that key runs from now on."""
        group = self.groups.of(limit)
        group.running += 1
        self._offer(group)

    def take_up(self, limit: ConcurrencyLimit) -> None:
        """Somebody with that key ran when the server stopped, and does so still."""
        self.groups.declare(limit)
        self.begin(limit)

    def end(self, limit: ConcurrencyLimit) -> None:
        """Somebody with that key does not run any more."""
        group = self.groups.of(limit)
        group.running -= 1
        self._offer(group)
        self.groups.forget_if_empty(group)

    def offered(self, key: QueueKey) -> list[Entry]:
        """Everybody whose turn it is, and offers that are not good any more."""
        return self._lines.get(key, [])

    def waiting(self, key: QueueKey) -> Iterator[Item]:
        """Everybody in the line, first in line first."""
        return (entry[2] for entry in sorted(self._entries(key)) if waits(entry))

    def _entries(self, key: QueueKey) -> list[Entry]:
        """Of those in groups, the entries of the group: what is offered is one of them."""
        free = [entry for entry in self._lines.get(key, ()) if limit_of(entry[2]) is None]
        return free + [entry for group in self.groups if key in group.lines for entry in group.lines[key].entries]

    @property
    def ready(self) -> int:
        """How many wait in all lines."""
        return sum(self._counts.values())

    def count(self, key: QueueKey) -> int:
        return self._counts.get(key, 0)

    def place(self, key: QueueKey, item: Item, look_max: int) -> int:
        """Which one in the line it is, from 1; 0 if more than `look_max` wait in it: that would take long."""
        if not item.queued or self._counts[key] > look_max:
            return 0
        entries = [entry for entry in self._entries(key) if waits(entry)]
        rank = next(entry[0] for entry in entries if entry[2] is item)
        return 1 + sum(entry[0] < rank for entry in entries)

    def depths(self) -> Iterator[tuple[QueueKey, int, int]]:
        """(line, how many wait, since when the first in line does) of each line that is not empty."""
        firsts: dict[QueueKey, list[Entry]] = {}
        for group in self.groups:
            for key, entry in group.firsts():
                firsts.setdefault(key, []).append(entry)
        for key, count in self._counts.items():
            head = self.head(key)
            if head is not None:
                firsts.setdefault(key, []).append(head)
            if key in firsts:
                yield key, count, min(firsts[key])[1]

    def _uncount(self, key: QueueKey) -> None:
        count = self._counts[key] - 1
        if count:
            self._counts[key] = count
        else:
            del self._counts[key]


def _urgency_of(item: Item) -> int:
    if isinstance(item, Run):
        return item.priority - (item.attempts > 0)
    return item.run.priority


def key_of(item: Item) -> QueueKey:
    if isinstance(item, Run):
        return QueueKey(item.task_queue, TaskKind.WORKFLOW, item.workflow_type, item.labels)
    return QueueKey(item.task_queue, TaskKind.ACTIVITY, item.activity_type, item.labels)
