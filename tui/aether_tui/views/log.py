"""What happens, over all runs that the filter means, and what this program itself had to say."""

from aether_tui.grid import Cell, Column, grid
from aether_tui.known import LogLine
from aether_tui.lines import boxed, words
from aether_tui.listing import listing
from aether_tui.theme import style_of
from aether_tui.views.scene import Drawn, Scene

COLUMNS = (
    Column("TIME", 9),
    Column("", 1),
    Column("WORKFLOW", 16, grows=True),
    Column("EVENT", 17),
    Column("DETAIL", 9, grows=True),
)
# Where there is room for an id, all that is left is for the details.
_WIDE = (*COLUMNS[:2], Column("WORKFLOW", 28), *COLUMNS[3:])
_ROOMY = 90


def draw(scene: Scene) -> Drawn:
    ui = scene.ui
    rows = listing(ui, scene.known)
    height = scene.height - 3
    shown, chosen = scene.window(rows, height)
    title = f"log {shown.note}".rstrip() + (f" · {ui.filter}" if ui.filter else "")
    if not ui.follow and shown.bottom < shown.count:
        title += f" · {shown.count - shown.bottom} below; f follows"
    inside = [words("nothing has happened yet")]
    if rows.things:
        inside = grid(
            _WIDE if scene.width >= _ROOMY else COLUMNS,
            shown,
            lambda index: row(rows.things[index], scene),
            scene.width - 4,
            selected=chosen,
            wide=3 * ui.is_wide,
        )
    return Drawn(boxed(title, inside, scene.width, scene.height, scene.theme), shown.top, height, 2)


def row(line: LogLine, scene: Scene) -> list[Cell]:
    style = style_of(line.state)
    return [
        (scene.clock(line.at_us), "dim"),
        (scene.theme.sign(line.state), style),
        line.subject,
        (line.event, style),
        line.text,
    ]
