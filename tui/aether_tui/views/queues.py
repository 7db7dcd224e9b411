"""Task queues: what waits, how long the first of it has waited, and the slots that there are for it.

IN and OUT are how many came and went in a second, of the last seconds; P50 and P99 how long tasks waited since the
server started.
"""

from collections.abc import Mapping
from typing import Final

from aether_tui.grid import Cell, Column, Window, grid
from aether_tui.lines import Picture, boxed, words
from aether_tui.listing import QueueRow, listing, queue_rows
from aether_tui.sizes import age, count, rate, span
from aether_tui.spark import bar
from aether_tui.views.scene import Drawn, Scene, narrowed_note

COLUMNS: Final = (
    Column("QUEUE", 14, grows=True),
    Column("KIND", 8),
    Column("READY", 6, ">"),
    Column("OLDEST", 6, ">"),
    Column("HANDS OUT", 9),
    Column("SLOTS", 20),
    Column("IN/s", 5, ">"),
    Column("OUT/s", 5, ">"),
    Column("WORKERS", 7, ">"),
    Column("P50", 6, ">"),
    Column("P99", 6, ">"),
    Column("WAITING", 20, grows=True),
)
_BAR: Final = 8
# From then on somebody should look.
LATE_US: Final = 10_000_000


def draw(scene: Scene) -> Drawn:
    rows = listing(scene.ui, scene.known)
    height = scene.height - 3
    shown, chosen = scene.window(rows, height)
    inside: Picture = [words("no task waits, and no worker is there")]
    if rows.things:
        inside = grid(
            COLUMNS, shown, lambda index: row(rows.things[index], scene), scene.width - 4, selected=chosen,
            wide=2 * scene.ui.is_wide,
        )  # fmt: skip
    title = f"queues {shown.note}".rstrip() + narrowed_note(scene)
    return Drawn(boxed(title, inside, scene.width, scene.height, scene.theme), shown.top, height, 2)


def row(queue: QueueRow, scene: Scene) -> list[Cell]:
    waited = scene.now_us - queue.oldest_us if queue.oldest_us else 0
    slots = f"{bar(queue.used, queue.slots, _BAR, scene.theme)} {queue.used}/{queue.slots}"
    types = ", ".join(f"{each.type} {count(each.ready)}{labelled(each.labels)}" for each in queue.waiting)
    traffic = queue.traffic
    return [
        queue.task_queue,
        queue.kind,
        (count(queue.ready), "head" if queue.ready else "dim"),
        (age(queue.oldest_us, scene.now_us), "warn" if waited > LATE_US else "") if queue.oldest_us else ("-", "dim"),
        _hands_out(queue, scene),
        slots,
        _speed(queue, "in", scene),
        _speed(queue, "out", scene),
        (str(queue.workers), "bad" if queue.ready and not queue.workers else ""),
        _waited(traffic.wait_p50_us) if traffic else "",
        _waited(traffic.wait_p99_us) if traffic else "",
        (types, "") if queue.workers or not queue.ready else (f"no worker takes {types}", "bad"),
    ]


def _waited(length_us: int) -> Cell:
    return span(length_us) if length_us else ("-", "dim")


def _speed(queue: QueueRow, way: str, scene: Scene) -> str:
    speed = scene.known.traffic.rate(f"{way} {queue.kind} {queue.task_queue}") if queue.traffic else None
    return "" if speed is None else rate(speed)


def _hands_out(queue: QueueRow, scene: Scene) -> Cell:
    gate = queue.gate
    if gate is not None and gate.paused:
        return f"{scene.theme.sign('PAUSED')} nothing", "warn"
    if gate is not None and gate.activity_limit and queue.kind == "activity":
        return f"{scene.theme.pick('≤', '<=')} {gate.activity_limit}", "warn"
    return "all", "dim"


def labelled(labels: Mapping[str, str]) -> str:
    """Labels behind what has them."""
    return "".join(f" {name}={value}" for name, value in labels.items())


def small(scene: Scene) -> Picture:
    """For the overview: the first of them."""
    look = scene.known.look
    rows = queue_rows(look) if look else []
    if not rows:
        return [words(("no task waits, and no worker is there", "dim"))]
    shown = Window(0, min(len(rows), max(scene.height - 1, 0)), len(rows))
    return grid(COLUMNS, shown, lambda index: row(rows[index], scene), scene.width)
