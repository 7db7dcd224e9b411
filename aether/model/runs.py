"""The states of a run. How one becomes another is `core/run.py`."""

from enum import IntEnum

# Names with values, in the order of the names.
Labels = tuple[tuple[str, str], ...]


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


class ParentClosePolicy(IntEnum):
    """What becomes of a child whose parent is closed first. Numbers are those of the protos."""

    CANCEL = 1
    TERMINATE = 2
    ABANDON = 3


class IdReusePolicy(IntEnum):
    """May an id be used again whose last run is closed? Numbers are those of the protos."""

    ALLOW = 1
    ALLOW_IF_FAILED = 2
    REJECT = 3


class TaskKind(IntEnum):
    """What waits in a task queue."""

    WORKFLOW = 1
    ACTIVITY = 2
