"""Runs, as many as were asked for: newest first, or as they are sorted."""

from typing import Final

from aether import WorkflowInfo
from aether_tui.grid import Cell, Column, grid
from aether_tui.lines import boxed, words
from aether_tui.listing import listing, run_key
from aether_tui.sizes import age, micros, span
from aether_tui.theme import style_of
from aether_tui.views.scene import Drawn, Scene

COLUMNS: Final = (
    Column("", 2),
    Column("WORKFLOW", 20, grows=True),
    Column("STATE", 9),
    Column("TYPE", 14, grows=True),
    Column("AGE", 6, ">"),
    Column("TOOK", 6, ">"),
    Column("QUEUE", 10),
    Column("STARTED", 20),
    Column("TAGS", 16, grows=True),
    Column("PARENT", 16, grows=True),
    Column("RUN", 32),
)


def draw(scene: Scene) -> Drawn:
    ui, look = scene.ui, scene.known.look
    rows = listing(ui, scene.known)
    height = scene.height - 3
    shown, chosen = scene.window(rows, height)
    title = f"workflows {shown.note}".rstrip()
    if ui.marked:
        title += f" · {len(ui.marked)} marked"
    if ui.filter:
        title += f" · {ui.filter}"
    if look is not None and look.filter_fault:
        inside = [words(("the server does not take this filter: ", "bad"), look.filter_fault)]
    elif not rows.things:
        inside = [words(_nothing(scene))]
    else:
        arrow = scene.theme.pick("▼" if ui.is_reversed else "▲", "v" if ui.is_reversed else "^")
        inside = grid(
            COLUMNS, shown, lambda index: row(rows.things[index], scene), scene.width - 4,
            selected=chosen, sorted_by=(ui.sort or "-", arrow), wide=2 * ui.is_wide,
        )  # fmt: skip
    return Drawn(boxed(title, inside, scene.width, scene.height, scene.theme), shown.top, height, 2)


def _nothing(scene: Scene) -> str:
    if scene.known.look is None:
        return "nothing is known yet"
    return "no run is meant by this filter" if scene.ui.filter else "no runs yet; start one with a client"


def row(info: WorkflowInfo, scene: Scene) -> list[Cell]:
    state, style = info.state.name, style_of(info.state.name)
    mark = scene.theme.pick("•", "*") if run_key(info) in scene.ui.marked else " "
    created = micros(info.created_at)
    closed = micros(info.closed_at) if info.closed_at else 0
    return [
        (f"{mark}{scene.theme.sign(state)}", style),
        info.workflow_id,
        (state, style),
        info.workflow_type,
        age(created, scene.now_us),
        span(closed - created) if closed else "",
        info.task_queue,
        scene.clock(created, with_date=True),
        " ".join(f"{name}={value}" for name, value in info.tags.items()),
        info.parent_workflow_id,
        info.run_id,
    ]
