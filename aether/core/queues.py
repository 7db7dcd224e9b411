"""Task queues: what is ready and waits for a worker, in order, by queue, kind and type.

A worker takes only types that it has, so each type waits in a line of its own and none stands in the way of another.
So do tasks that want labels of their worker: those are part of a line's key, and such a line is listed under the key
without them too.

Priorities shift a task in time: one of priority 1 stands where one of priority 2 would stand that came a minute before
it. So the urgent is served first, those of one priority in the order in which they came, and nobody starves: a minute
of waiting is worth one priority, and who has waited for four is overtaken by nobody who comes now.

Who leaves a line from the middle (a run that is cancelled while it waits) stays in it as a stale entry, and is passed
over when its turn comes: its `queued` number is not the entry's any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from aether.core.run import Activity, Run
from aether.model.runs import Labels, TaskKind

Item = Run | Activity
# Stale entries of a line that are not worth a clean-up; beyond them at most half of a line is stale.
_STALE_MIN = 64
_US_PER_PRIORITY = 60_000_000


class Rank(NamedTuple):
    """The lower is served first: when it came, shifted by its priority; then its number."""

    at: int
    number: int


# (rank, since when it waits, who).
_Entry = tuple[Rank, int, Item]


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
        self._lines: dict[QueueKey, list[_Entry]] = {}
        self._counts: dict[QueueKey, int] = {}
        self._last = 0
        # Lines of tasks that want labels, by the key without them.
        self._labelled: dict[QueueKey, dict[QueueKey, None]] = {}

    def push(self, key: QueueKey, item: Item, now: int) -> None:
        assert not item.queued
        self._last += 1
        item.queued = self._last
        rank = Rank(now + _priority_of(item) * _US_PER_PRIORITY, self._last)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = []
            if key.labels:
                self._labelled.setdefault(key.plain, {})[key] = None
        heappush(line, (rank, now, item))
        self._counts[key] = self._counts.get(key, 0) + 1

    def remove(self, key: QueueKey, item: Item) -> None:
        """Take `item` out of its line."""
        assert item.queued
        item.queued = 0
        self._uncount(key)
        line = self._lines[key]
        if len(line) > _STALE_MIN + 2 * self._counts.get(key, 0):
            line[:] = [entry for entry in line if _waits(entry)]
            heapify(line)

    def head(self, key: QueueKey) -> _Entry | None:
        """(rank, since when, item) of the first in line."""
        line = self._lines.get(key)
        while line:
            if _waits(line[0]):
                return line[0]
            heappop(line)
        if line is not None:
            del self._lines[key]
            if key.labels:
                self._forget_labelled(key)
        return None

    def labelled(self, key: QueueKey) -> list[QueueKey]:
        """Lines of the same type whose tasks want labels."""
        return list(self._labelled[key]) if self._labelled and key in self._labelled else []

    def _forget_labelled(self, key: QueueKey) -> None:
        lines = self._labelled[key.plain]
        del lines[key]
        if not lines:
            del self._labelled[key.plain]

    def pop(self, key: QueueKey) -> Item:
        """The first in line; there must be one."""
        head = self.head(key)
        assert head is not None
        heappop(self._lines[key])
        head[2].queued = 0
        self._uncount(key)
        return head[2]

    def waiting(self, key: QueueKey) -> Iterator[Item]:
        """Everybody in the line, first in line first."""
        return (entry[2] for entry in sorted(self._lines.get(key, ())) if _waits(entry))

    @property
    def ready(self) -> int:
        """How many wait in all lines."""
        return sum(self._counts.values())

    def count(self, key: QueueKey) -> int:
        return self._counts.get(key, 0)

    def place(self, key: QueueKey, item: Item, look_max: int) -> int:
        """Which one in the line it is, from 1; 0 if the line has more than `look_max` entries: that would take long."""
        line = self._lines.get(key, ())
        if not item.queued or len(line) > look_max:
            return 0
        rank = next(entry[0] for entry in line if entry[2] is item and _waits(entry))
        return 1 + sum(entry[0] < rank for entry in line if _waits(entry))

    def depths(self) -> Iterator[tuple[QueueKey, int, int]]:
        """(line, how many wait, since when the first in line does) of each line that is not empty."""
        for key in list(self._lines):
            head = self.head(key)
            if head is not None:
                yield key, self._counts[key], head[1]

    def _uncount(self, key: QueueKey) -> None:
        count = self._counts[key] - 1
        if count:
            self._counts[key] = count
        else:
            del self._counts[key]


def _waits(entry: _Entry) -> bool:
    return entry[2].queued == entry[0].number


def _priority_of(item: Item) -> int:
    return item.priority if isinstance(item, Run) else item.run.priority


def key_of(item: Item) -> QueueKey:
    if isinstance(item, Run):
        return QueueKey(item.task_queue, TaskKind.WORKFLOW, item.workflow_type, item.labels)
    return QueueKey(item.task_queue, TaskKind.ACTIVITY, item.activity_type, item.labels)
