"""Workers: what they take, how full they are, and when they were heard of last."""

from collections.abc import Sequence
from typing import Final

from aether import WorkerInfo
from aether_tui.grid import Cell, Column, Window, grid
from aether_tui.lines import Picture, boxed, words
from aether_tui.listing import listing
from aether_tui.sizes import age, micros
from aether_tui.spark import bar
from aether_tui.views.queues import labelled
from aether_tui.views.scene import Drawn, Scene, narrowed_note

_COLUMNS: Final = (
    Column("", 1),
    Column("WORKER", 20, grows=True),
    Column("QUEUE", 10),
    Column("RUNS", 9, ">"),
    Column("ACTIVITIES", 10, ">"),
    Column("HEARD", 6, ">"),
    Column("STATE", 8),
    Column("LOAD", 8),
    Column("TAKES", 20, grows=True),
    Column("LABELS", 12, grows=True),
)
# Workers are heard of every five seconds, and given up after fifteen.
_SILENT_US: Final = 7_000_000


def draw(scene: Scene) -> Drawn:
    rows = listing(scene.ui, scene.known)
    height = scene.height - 3
    shown, chosen = scene.window(rows, height)
    inside: Picture = [words("no worker is there; start one with `aether worker MODULE:CLIENT`")]
    if rows.things:
        inside = grid(
            columns_of(rows.things),
            shown,
            lambda index: row(rows.things[index], scene),
            scene.width - 4,
            selected=chosen,
            wide=2 * scene.ui.is_wide,
        )
    title = f"{headline(scene)} {shown.note}".rstrip() + narrowed_note(scene)
    return Drawn(boxed(title, inside, scene.width, scene.height, scene.theme), shown.top, height, 2)


def columns_of(workers: Sequence[WorkerInfo]) -> Sequence[Column]:
    """Labels only if some worker has any."""
    return _COLUMNS if any(worker.labels for worker in workers) else _COLUMNS[:-1]


def headline(scene: Scene) -> str:
    workers = scene.known.look.metrics.workers if scene.known.look else ()
    used = sum(worker.workflow_slots_used + worker.activity_slots_used for worker in workers)
    slots = sum(worker.workflow_slots + worker.activity_slots for worker in workers)
    return f"workers {len(workers)} · slots {used}/{slots}" if workers else "workers"


def row(worker: WorkerInfo, scene: Scene) -> list[Cell]:
    silent = scene.now_us - micros(worker.last_seen_at) > _SILENT_US
    state = ("draining", "warn") if worker.draining else ("silent", "bad") if silent else ("here", "good")
    used = worker.workflow_slots_used + worker.activity_slots_used
    slots = worker.workflow_slots + worker.activity_slots
    sign = "FAILED" if silent else "WAITING" if worker.draining else "RUNNING"
    return [
        (scene.theme.sign(sign), state[1]),
        worker.worker_id,
        worker.task_queue,
        f"{worker.workflow_slots_used}/{worker.workflow_slots}",
        f"{worker.activity_slots_used}/{worker.activity_slots}",
        (age(micros(worker.last_seen_at), scene.now_us), "bad" if silent else ""),
        state,
        bar(used, slots, 8, scene.theme),
        ", ".join((*worker.workflow_types, *worker.activity_types)),
        labelled(worker.labels).strip(),
    ]


def small(scene: Scene) -> Picture:
    """For the overview: the fullest."""
    look = scene.known.look
    if look is None or not look.metrics.workers:
        return [words(("no worker is there; start one with `aether worker MODULE:CLIENT`", "dim"))]
    workers = sorted(
        look.metrics.workers, key=lambda each: (-each.workflow_slots_used - each.activity_slots_used, each.worker_id)
    )
    shown = Window(0, min(len(workers), max(scene.height - 1, 0)), len(workers))
    return grid(columns_of(workers), shown, lambda index: row(workers[index], scene), scene.width)
