"""Task queues that hand out less than their workers have slots for: paused ones, and those with a limit.

There is a `Gate` only where somebody asked for one, and each session of that queue knows it; `Session.has_slot` asks
it. What is in workers' hands already is not touched. When a place is free again, whoever has a slot is served at the
end of the input, by `serve_opened`.
"""

from __future__ import annotations

from attrs import define, frozen

from aether.model.runs import TaskKind


@define(eq=False)
class Gate:
    task_queue: str
    paused: bool = False
    reason: str = ""
    # Attempts of activities at a time; 0: as many as there are slots.
    limit: int = 0
    # Attempts that workers of the queue have.
    running: int = 0

    def admits(self, kind: TaskKind) -> bool:
        return not self.paused and not (self.limit and kind is TaskKind.ACTIVITY and self.running >= self.limit)

    @property
    def is_needed(self) -> bool:
        return self.paused or self.limit > 0

    def why_shut(self, kind: TaskKind) -> str:
        """In words for people; empty if it is open."""
        if self.paused:
            return f"task queue {self.task_queue} is paused" + (f" ({self.reason})" if self.reason else "")
        if not self.admits(kind):
            return f"task queue {self.task_queue} has {self.running} of at most {self.limit} attempts at a time"
        return ""


@frozen
class QueueState:
    """What there is to know of a task queue."""

    task_queue: str
    paused: bool
    reason: str
    activity_limit: int
    workers: int
    runs_waiting: int
    activities_waiting: int
    # With workers, and doing something there.
    runs_active: int
    activities_active: int
