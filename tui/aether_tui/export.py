"""A picture as a file: SVG, HTML, text; and what it shows as data: JSON, CSV."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from attrs import frozen
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.terminal_theme import TerminalTheme

from aether import RunState
from aether_tui.grid import Cell, Column
from aether_tui.known import Known
from aether_tui.lines import Picture, plain, shown
from aether_tui.listing import listing
from aether_tui.sizes import clock
from aether_tui.ui import Ui, View
from aether_tui.views import log, overview, queues, workers, workflows
from aether_tui.views import run as run_view
from aether_tui.views.frame import frame
from aether_tui.views.scene import Scene

FORMS: Final = ("svg", "html", "txt", "json", "csv")
_FORMULAS: Final = "=+-@"
_DARK: Final = (
    (24, 26, 31), (224, 98, 98), (125, 186, 99), (222, 180, 92), (97, 155, 224), (190, 132, 214), (86, 182, 194),
    (214, 217, 222),
)  # fmt: skip
_COLOURS: Final = TerminalTheme(_DARK[0], _DARK[-1], list(_DARK))
# Rich's own, without the fonts that a browser would fetch from elsewhere.
_SVG: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
<rect width="{width}" height="{height}" rx="8" fill="#181a1f"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


@frozen
class _Renderable:
    picture: Picture

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.picture:
            yield from line
            yield Segment.line()


def render(scene: Scene, form: str) -> str:
    """The scene as the text of a file; `form` is one of `FORMS`."""
    if form == "json":
        return json.dumps(document(scene.known), indent=2) + "\n"
    if form == "csv":
        return table_text(scene)
    picture = frame(scene).picture
    if form == "txt":
        return plain(picture) + "\n"
    console = Console(
        file=io.StringIO(), width=scene.width, record=True, force_terminal=True, color_system="standard",
        no_color=False, legacy_windows=False, _environ={},
    )  # fmt: skip
    console.print(_Renderable(picture), end="", no_wrap=True, crop=False, soft_wrap=True)
    if form == "html":
        return console.export_html(theme=_COLOURS, inline_styles=True)
    return console.export_svg(title="aether top", theme=_COLOURS, code_format=_SVG, unique_id="top")


def table_text(scene: Scene) -> str:
    """The list that is shown with all rows and columns, as CSV; of the overview its problems, of a run its events."""
    columns, row, things = _table(scene)
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    titles = [(index, column.title or "SIGN") for index, column in enumerate(columns)]
    rows.writerow(title for _, title in titles)
    for thing in things:
        cells = row(thing, scene)
        rows.writerow(_cell_text(cells[index]) for index, _ in titles)
    return out.getvalue()


def _cell_text(value: Cell) -> str:
    text = shown(value if isinstance(value, str) else value[0]).strip()
    # A table of numbers would take it for a formula, and do what it says.
    return f"'{text}" if text[:1] in _FORMULAS and len(text) > 1 else text


def _table(scene: Scene) -> tuple[Sequence[Column], Callable[[Any, Scene], Sequence[Cell]], Sequence[Any]]:
    view, run = scene.ui.view, scene.known.run
    if view is View.RUN and run is not None:
        started = run.events[0].at if run.events else 0
        return run_view.HISTORY_COLUMNS, lambda event, scene: run_view.event_row(event, started, run, scene), run.events
    things = listing(scene.ui, scene.known).things
    if view is View.WORKFLOWS:
        return workflows.COLUMNS, workflows.row, things
    if view is View.QUEUES:
        return queues.COLUMNS, queues.row, things
    if view is View.WORKERS:
        return workers.columns_of(things), workers.row, things
    return (
        (log.COLUMNS, log.row, things) if view is View.LOG else (overview.PROBLEM_COLUMNS, overview.problem_row, things)
    )


def document(known: Known) -> dict[str, object]:
    """The last look at the server, and at the run that is open, as what JSON knows."""
    from aether.sdk.structure import unstructure
    from aether_tui.known import Look, RunLook

    held: dict[str, object] = {"schema": "aether.top/v1", "target": known.target, "look": None, "run": None}
    if known.look is not None:
        held["look"] = unstructure(known.look, Look)
    if known.run is not None:
        held["run"] = {name: value for name, value in unstructure(known.run, RunLook).items() if name != "names"}
    # What users keep in memos and heartbeats may be anything.
    plain: dict[str, Any] = json.loads(json.dumps(held, default=str))
    for run in _told_runs(plain):
        run["state"] = RunState(run["state"]).name
    return plain


def _told_runs(plain: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All that has a state, which is told by its name as other commands do."""
    if plain["look"]:
        yield from plain["look"]["metrics"]["runs"]
        yield from plain["look"]["runs"]
    if plain["run"] and plain["run"]["status"]:
        yield plain["run"]["status"]["info"]


def export_name(ui: Ui, now_us: int, form: str) -> str:
    """Of a file that is not there yet."""
    at = clock(now_us, with_date=True).translate({ord(" "): "-", ord(":"): "", ord("Z"): ""})
    return f"aether-top-{ui.view}-{at}.{form}"
