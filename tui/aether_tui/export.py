"""A picture as a file: SVG, HTML, text; and what it shows as data."""

import io
import json
from typing import Final

from attrs import frozen
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.terminal_theme import TerminalTheme

from aether_tui.known import Known
from aether_tui.lines import Picture, plain
from aether_tui.sizes import clock
from aether_tui.ui import Ui
from aether_tui.views.frame import frame
from aether_tui.views.scene import Scene

FORMS: Final = ("svg", "html", "txt", "json")
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


def document(known: Known) -> dict[str, object]:
    """The last look at the server, and at the run that is open, as what JSON knows."""
    from aether.sdk.structure import unstructure
    from aether_tui.known import Look, RunLook

    held: dict[str, object] = {"target": known.target, "look": None, "run": None}
    if known.look is not None:
        held["look"] = unstructure(known.look, Look)
    if known.run is not None:
        held["run"] = {name: value for name, value in unstructure(known.run, RunLook).items() if name != "names"}
    # What users keep in memos and heartbeats may be anything.
    plain: dict[str, object] = json.loads(json.dumps(held, default=str))
    return plain


def export_name(ui: Ui, now_us: int, form: str) -> str:
    """Of a file that is not there yet."""
    at = clock(now_us, with_date=True).translate({ord(" "): "-", ord(":"): "", ord("Z"): ""})
    return f"aether-top-{ui.view}-{at}.{form}"
