"""Runs, as many as were asked for: newest or oldest first, or as they are sorted."""

from textwrap import wrap
from typing import Final

from aether import RunDoing, WorkflowInfo
from aether_tui.grid import Cell, Column, grid
from aether_tui.known import OPEN_STATES, RUNS_MAX
from aether_tui.lines import boxed, words
from aether_tui.listing import listing, run_key
from aether_tui.sizes import age, count, micros, span
from aether_tui.theme import style_of
from aether_tui.views.scene import Drawn, Scene

# Signs of what open runs do.
SIGNS: Final = {name: {"queued": "PENDING"}.get(name, name.upper()) for name in OPEN_STATES}
_WORDS: Final = {"running": "runs", "queued": "queued", "blocked": "blocked", "paused": "paused"}
_KINDS: Final = {"activity": "", "step": "", "timer": "sleeps", "start": "begins in"}
_TIMED: Final = {"timer", "start"}
COLUMNS: Final = (
    Column("", 2),
    Column("WORKFLOW", 18, grows=True),
    Column("STATE", 9),
    Column("TYPE", 12),
    Column("AGE", 6, ">"),
    Column("TOOK", 6, ">"),
    Column("DOING", 16, grows=True),
    Column("TRY", 4, ">"),
    Column("QUEUE", 10),
    Column("TAGS", 16, grows=True),
    Column("EVENTS", 6, ">"),
    Column("WORKER", 14),
    Column("STARTED", 20),
    Column("PARENT", 16, grows=True),
    Column("RUN", 32),
)


def draw(scene: Scene) -> Drawn:
    ui, look = scene.ui, scene.known.look
    rows = listing(ui, scene.known)
    height = scene.height - 3
    shown, chosen = scene.window(rows, height)
    title = f"workflows {shown.note}".rstrip()
    if look is not None and len(look.runs) >= RUNS_MAX:
        title += ", the oldest" if look.is_oldest_first else ", the newest"
    if ui.marked:
        title += f" · {len(ui.marked)} marked"
    if ui.filter:
        title += f" · {ui.filter}"
    if look is not None and look.filter_fault:
        said = wrap(f"the server does not take this filter: {look.filter_fault}", max(scene.width - 4, 1))
        inside = [words((line, "bad")) for line in said]
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
    doing = info.doing
    sign = SIGNS.get(doing.what, state) if doing else state
    created = micros(info.created_at)
    closed = micros(info.closed_at) if info.closed_at else 0
    return [
        (f"{mark}{scene.theme.sign(sign)}", style_of(sign)),
        info.workflow_id,
        (state, style),
        info.workflow_type,
        age(created, scene.now_us),
        span(closed - created) if closed else "",
        doing_text(doing, scene) if doing else "",
        str(doing.attempt) if doing and doing.attempt > 1 else "",
        info.task_queue,
        " ".join(f"{name}={value}" for name, value in info.tags.items()),
        count(info.history_length) if doing else "",
        info.worker_id,
        scene.clock(created, with_date=True),
        info.parent_workflow_id,
        info.run_id,
    ]


def doing_text(doing: RunDoing, scene: Scene) -> str:
    """What it does or waits for, in a few words."""
    if doing.what in _WORDS:
        return _WORDS[doing.what]
    left = micros(doing.due_at) - scene.now_us if doing.due_at else 0
    when = f" {span(left)}" if left > 0 else ""
    more = f" +{doing.more}" if doing.more else ""
    if doing.what == "retrying":
        return f"{doing.name} in{when}{more}" if when else f"{doing.name} again{more}"
    named = f"{_KINDS.get(doing.kind, doing.kind)} {doing.name}".strip()
    return f"{named}{when if doing.kind in _TIMED else ''}{more}"
