"""Task queues: what is ready and waits for a worker, in order, by queue, kind and type.

A worker takes only types that it has, so each type waits in a line of its own and none stands in the way of another.
Who leaves a line from the middle (a run that is cancelled while it waits) stays in it as a stale entry, and is passed
over when its turn comes: its `queued` number is not the entry's any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from aether.core.run import Activity, Run
from aether.model.runs import TaskKind

Item = Run | Activity
# Stale entries of a line that are not worth a clean-up; beyond them at most half of a line is stale.
_STALE_MIN = 64


class QueueKey(NamedTuple):
    task_queue: str
    kind: TaskKind
    type: str


class TaskQueues:
    def __init__(self) -> None:
        self._lines: dict[QueueKey, deque[tuple[int, int, Item]]] = {}
        self._counts: dict[QueueKey, int] = {}
        self._last = 0

    def push(self, key: QueueKey, item: Item, now: int) -> None:
        assert not item.queued
        self._last += 1
        item.queued = self._last
        self._lines.setdefault(key, deque()).append((self._last, now, item))
        self._counts[key] = self._counts.get(key, 0) + 1

    def remove(self, key: QueueKey, item: Item) -> None:
        """Take `item` out of its line."""
        assert item.queued
        item.queued = 0
        self._uncount(key)
        line = self._lines[key]
        if len(line) > _STALE_MIN + 2 * self._counts.get(key, 0):
            self._lines[key] = deque(entry for entry in line if entry[2].queued == entry[0])

    def head(self, key: QueueKey) -> tuple[int, int, Item] | None:
        """(place, since when, item) of the first in line."""
        line = self._lines.get(key)
        while line:
            if line[0][2].queued == line[0][0]:
                return line[0]
            line.popleft()
        if line is not None:
            del self._lines[key]
        return None

    def pop(self, key: QueueKey) -> Item:
        """The first in line; there must be one."""
        head = self.head(key)
        assert head is not None
        self._lines[key].popleft()
        head[2].queued = 0
        self._uncount(key)
        return head[2]

    def waiting(self, key: QueueKey) -> Iterator[Item]:
        """Everybody in the line, first in line first."""
        return (item for place, _, item in self._lines.get(key, ()) if item.queued == place)

    def depths(self) -> Iterator[tuple[QueueKey, int, int]]:
        """(line, how many wait, since when the first does) of each line that is not empty."""
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


def key_of(item: Item) -> QueueKey:
    if isinstance(item, Run):
        return QueueKey(item.task_queue, TaskKind.WORKFLOW, item.workflow_type)
    return QueueKey(item.task_queue, TaskKind.ACTIVITY, item.activity_type)
