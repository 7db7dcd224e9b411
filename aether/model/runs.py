"""The states of a run. How one becomes another is `core/run.py`."""

from enum import IntEnum


class RunState(IntEnum):
    """Numbers are those of the protos and of the disk."""

    PENDING = 1
    RUNNING = 2
    COMPLETED = 3
    FAILED = 4
    CANCELLED = 5

    def __str__(self) -> str:
        return self.name

    @property
    def is_closed(self) -> bool:
        return self >= RunState.COMPLETED


class TaskKind(IntEnum):
    """What waits in a task queue."""

    WORKFLOW = 1
    ACTIVITY = 2
