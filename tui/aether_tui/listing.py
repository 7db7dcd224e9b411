"""The rows that a view lists, in their order: what arrows move over, what Enter opens and what find looks at. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from aether import Event, QueueDepth, QueueInfo, QueueTraffic, TimelineRow, WorkflowInfo
from aether.model import events as e
from aether_tui.known import Known, LogLine, Look, RunKey
from aether_tui.sizes import micros
from aether_tui.ui import Tab, Ui, View


@frozen
class Listing:
    """`things` stay what they are; the functions tell what is needed of the few that are in sight."""

    things: Sequence[Any] = ()
    id_of: Callable[[Any], str] = str
    run_of: Callable[[Any], RunKey | None] = lambda thing: None
    text_of: Callable[[Any], str] = str
    # It grows at its end, and to follow it is to stay there.
    is_log: bool = False

    def index_of(self, wanted: str) -> int | None:
        """Where the row with that id is; None when it is gone."""
        id_of = self.id_of
        return next((index for index, thing in enumerate(self.things) if id_of(thing) == wanted), None)

    def chosen(self, ui: Ui) -> int | None:
        """The row that is selected: the first where nothing is, or what was selected is gone."""
        if not self.things:
            return None
        if self.is_log and ui.follow:
            return len(self.things) - 1
        index = self.index_of(ui.cursor.selected) if ui.cursor.selected else 0
        return 0 if index is None else index


@frozen
class QueueRow:
    """The tasks of one kind in a task queue, and the slots that workers have for them."""

    task_queue: str
    kind: str
    ready: int
    # 0 when nothing waits.
    oldest_us: int
    slots: int
    used: int
    workers: int
    # What waits, by type.
    waiting: tuple[QueueDepth, ...] = ()
    traffic: QueueTraffic | None = None
    # What it hands out.
    gate: QueueInfo | None = None

    @property
    def id(self) -> str:
        return f"{self.kind} {self.task_queue}"


def listing(ui: Ui, known: Known) -> Listing:
    """Of the view that is shown; empty where there is nothing to choose."""
    rows = _LISTINGS[ui.view](ui, known)
    wanted = ui.narrowed.get(ui.list_name, "")
    return rows if not wanted else evolve(rows, things=narrowed(rows, wanted))


def narrowed(rows: Listing, wanted: str) -> list[Any]:
    """Those whose text has one of the words, and none that has a `-` before it."""
    words = wanted.casefold().split()
    out = [word[1:] for word in words if word.startswith("-") and len(word) > 1]
    some = [word for word in words if not word.startswith("-")]
    texts = ((thing, rows.text_of(thing).casefold()) for thing in rows.things)
    return [
        thing
        for thing, text in texts
        if (not some or any(word in text for word in some)) and not any(word in text for word in out)
    ]


def queue_chosen(ui: Ui, known: Known) -> str:
    """The task queue that actions are about; "" if none is selected."""
    rows = listing(ui, known)
    index = rows.chosen(ui) if ui.view is View.QUEUES else None
    return "" if index is None else str(rows.things[index].task_queue)


def run_chosen(ui: Ui, known: Known) -> RunKey | None:
    """The run that actions are about: the one that is open, else the one that is selected."""
    if ui.view is View.RUN:
        return exactly(ui.opened[-1], known)
    rows = listing(ui, known)
    index = rows.chosen(ui)
    return None if index is None else rows.run_of(rows.things[index])


def exactly(key: RunKey, known: Known) -> RunKey:
    """With the run id of the newest run where none was given: by the time it is acted on, another may be the newest."""
    status = known.run.status if known.run is not None and known.run.key == key else None
    return key if key[1] or status is None else run_key(status.info)


# Runs.


def run_key(info: WorkflowInfo) -> RunKey:
    return info.workflow_id, info.run_id


def _doing(info: WorkflowInfo) -> str:
    return f"{info.doing.what} {info.doing.name}" if info.doing else ""


def _closed_us(info: WorkflowInfo) -> int:
    return micros(info.closed_at) if info.closed_at else 0


def _took_us(info: WorkflowInfo) -> int:
    return (_closed_us(info) or 1 << 62) - micros(info.created_at)


# The columns that runs can be sorted by; both ways.
SORTS: Final[dict[str, Callable[[WorkflowInfo], Any]]] = {
    "WORKFLOW": lambda info: info.workflow_id,
    "TYPE": lambda info: info.workflow_type,
    "STATE": lambda info: info.state,
    "AGE": lambda info: -micros(info.created_at),
    "TOOK": _took_us,
    "QUEUE": lambda info: info.task_queue,
}


def wants_oldest(ui: Ui) -> bool:
    """Of more runs than are listed, those that were started first: the server knows this order, and no other."""
    return ui.is_reversed and ui.sort in {"", "AGE"}


def _runs(ui: Ui, known: Known) -> Listing:
    runs: Sequence[WorkflowInfo] = known.look.runs if known.look else ()
    if known.look is not None and known.look.is_oldest_first:
        runs = runs[::-1]
    if ui.sort:
        runs = sorted(runs, key=SORTS[ui.sort], reverse=ui.is_reversed)
    elif ui.is_reversed:
        runs = runs[::-1]
    return Listing(
        runs,
        lambda info: info.run_id,
        run_key,
        lambda info: f"{info.workflow_id} {info.workflow_type} {info.state.name} {info.task_queue} {_doing(info)}",
    )


# Queues and workers.


def queue_rows(look: Look) -> list[QueueRow]:
    """Every queue that something waits in, some worker serves or somebody held; those that wait longest first."""
    metrics = look.metrics
    queues, workers = metrics.queues, metrics.workers
    gates = {gate.task_queue: gate for gate in look.gates}
    traffic = {(each.task_queue, each.kind): each for each in metrics.queue_traffic}
    keys = {(each.task_queue, each.kind) for each in queues if each.ready}
    slots: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for worker in workers:
        if worker.workflow_types:
            pair = worker.workflow_slots, worker.workflow_slots_used
            slots.setdefault((worker.task_queue, "workflow"), []).append(pair)
        if worker.activity_types:
            pair = worker.activity_slots, worker.activity_slots_used
            slots.setdefault((worker.task_queue, "activity"), []).append(pair)
    keys |= {(gate.task_queue, "activity") for gate in look.gates if gate.paused or gate.activity_limit}
    rows = []
    for queue, kind in sorted(keys | set(slots)):
        waiting = tuple(each for each in queues if (each.task_queue, each.kind) == (queue, kind) and each.ready)
        room = slots.get((queue, kind), [])
        oldest = min((micros(each.oldest_at) for each in waiting if each.oldest_at), default=0)
        ready = sum(each.ready for each in waiting)
        rows.append(
            QueueRow(
                queue,
                kind,
                ready,
                oldest,
                sum(slots for slots, _ in room),
                sum(used for _, used in room),
                len(room),
                waiting,
                traffic.get((queue, kind)),
                gates.get(queue),
            )
        )
    return sorted(rows, key=lambda row: (row.oldest_us or 1 << 62, row.task_queue, row.kind))


def _queues(ui: Ui, known: Known) -> Listing:
    if known.look is None:
        return Listing()
    rows = queue_rows(known.look)
    return Listing(rows, lambda row: row.id, text_of=lambda row: row.id)


def _workers(ui: Ui, known: Known) -> Listing:
    workers = sorted(known.look.metrics.workers, key=lambda worker: worker.worker_id) if known.look else []
    return Listing(
        workers,
        lambda worker: worker.worker_id,
        text_of=lambda worker: " ".join(
            (worker.worker_id, worker.task_queue, *worker.workflow_types, *worker.activity_types)
        ),
    )


def _problems(ui: Ui, known: Known) -> Listing:
    return Listing(
        known.look.metrics.problems if known.look else (),
        lambda problem: f"{problem.run_id} {problem.at} {problem.name}",
        lambda problem: (problem.workflow_id, problem.run_id),
        lambda problem: f"{problem.workflow_id} {problem.name} {problem.failure_type} {problem.message}",
    )


# The log, and what a run has.


def _log(ui: Ui, known: Known) -> Listing:
    def text(line: LogLine) -> str:
        return f"{line.subject} {line.event} {line.text}"

    return Listing(tuple(known.log), lambda line: str(line.number), lambda line: line.run, text, is_log=True)


def _history(events: Sequence[Event]) -> Listing:
    return Listing(events, lambda event: str(event.seq), _child_of_event, lambda event: repr(event.fact), is_log=True)


def _child_of_event(event: Event) -> RunKey | None:
    fact = event.fact
    return (fact.workflow_id, fact.run_id) if isinstance(fact, e.ChildStarted) else None


def _row_id(row: TimelineRow) -> str:
    return f"{row.first_seq} {row.path}"


def _child_of_row(row: TimelineRow) -> RunKey | None:
    return (row.child_workflow_id, row.child_run_id) if row.child_workflow_id else None


def children(events: Sequence[Event]) -> list[tuple[e.ChildStarted, str]]:
    """The children that a run has started, and what became of each."""
    found: dict[str, tuple[e.ChildStarted, str]] = {}
    for event in events:
        fact = event.fact
        if isinstance(fact, e.ChildStarted):
            found[fact.path] = fact, "RUNNING"
        elif isinstance(fact, e.ChildCompleted | e.ChildFailed | e.ChildCancelled) and fact.path in found:
            found[fact.path] = found[fact.path][0], _CHILD_ENDS[type(fact)]
    return list(found.values())


def _of_run(ui: Ui, known: Known) -> Listing:
    run = known.run
    if run is None or run.key != ui.opened[-1]:
        return Listing()
    if ui.tab is Tab.HISTORY:
        return _history(run.events)
    if ui.tab is Tab.TIMELINE:
        return Listing(
            run.timeline, _row_id, _child_of_row, lambda row: f"{row.kind} {row.name} {row.child_workflow_id}"
        )
    if ui.tab is Tab.CHILDREN:
        return Listing(
            children(run.events),
            lambda child: child[0].path,
            lambda child: (child[0].workflow_id, child[0].run_id),
            lambda child: child[0].workflow_id,
        )
    return Listing()


_CHILD_ENDS: Final = {e.ChildCompleted: "COMPLETED", e.ChildFailed: "FAILED", e.ChildCancelled: "CANCELLED"}
_LISTINGS: Final = {
    View.OVERVIEW: _problems,
    View.WORKFLOWS: _runs,
    View.QUEUES: _queues,
    View.WORKERS: _workers,
    View.LOG: _log,
    View.RUN: _of_run,
}
