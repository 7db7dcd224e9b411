"""Workers that are connected, and the leases they hold.

A lease is a session's right to one run or one activity attempt. Its token is the fencing token: tokens only grow, also
over restarts of the server (the upper bits are the store's epoch), so whoever shows an older one is late and refused.
Leases are not written down. After a restart nobody has one, and everything that was in somebody's hands is handed out
anew.
"""

from __future__ import annotations

from attrs import define, field

from aether.core.gates import Gate
from aether.core.run import Activity, Run
from aether.model.runs import Labels, TaskKind

# Room for a million leases a second in eleven days, and for more restarts than there will be.
_EPOCH_SHIFT = 40


@define(eq=False)
class Lease:
    token: int
    session: Session
    run: Run
    # Set when the lease is of an attempt, not of the run itself.
    activity: Activity | None = None
    # The run has nothing to do at the worker and takes no slot.
    is_idle: bool = False
    # Waits in `Session.waking` for a free slot.
    is_waking: bool = False
    woken_at: int = 0
    # Of a run: since when it takes a slot.
    busy_since: int = 0
    # Last event that the worker was sent, and last one that it knows of (its own commands too).
    pushed_seq: int = 0
    known_seq: int = 0
    # The last counted request and its answer, for a repetition.
    number: int = 0
    answer: object = None

    @property
    def kind(self) -> TaskKind:
        return TaskKind.WORKFLOW if self.activity is None else TaskKind.ACTIVITY


@define(eq=False)
class Session:
    session_id: int
    worker_id: str
    task_queue: str
    types: dict[TaskKind, tuple[str, ...]]
    slots: dict[TaskKind, int]
    last_seen: int
    labels: dict[str, str] = field(factory=dict)
    used: dict[TaskKind, int] = field(factory=lambda: {TaskKind.WORKFLOW: 0, TaskKind.ACTIVITY: 0})
    leases: dict[int, Lease] = field(factory=dict)
    # Leases whose run has news and which wait for a slot of this worker's, oldest first.
    waking: dict[int, Lease] = field(factory=dict)
    # The timer by which those go elsewhere is armed.
    is_watched: bool = False
    draining: bool = False
    # What may keep its task queue from handing out more.
    gate: Gate | None = None

    def has_slot(self, kind: TaskKind) -> bool:
        if self.draining or self.used[kind] >= self.slots[kind]:
            return False
        return self.gate is None or self.gate.admits(kind)

    def has_labels(self, wanted: Labels) -> bool:
        return all(self.labels.get(name) == value for name, value in wanted)


class Tokens:
    """Fencing tokens, growing."""

    def __init__(self, epoch: int) -> None:
        self._last = epoch << _EPOCH_SHIFT

    @property
    def last(self) -> int:
        """The greatest that was drawn."""
        return self._last

    def draw(self) -> int:
        self._last += 1
        return self._last
