"""The whole screen: a head that says where one is and how fresh it is, a view, a foot with keys, and boxes over it."""

from collections.abc import Callable
from typing import Final

from attrs import evolve

from aether_tui.bindings import for_foot
from aether_tui.intents import is_closed
from aether_tui.lines import Line, length_of, restyled, to_size, to_width, width_of, words
from aether_tui.listing import run_chosen
from aether_tui.places import offers
from aether_tui.sizes import age, clock, micros, span
from aether_tui.ui import MAIN_VIEWS, Mode, View
from aether_tui.views import boxes, log, overview, queues, run, workers, workflows
from aether_tui.views.scene import Drawn, Scene, Zone

_VIEWS: Final[dict[View, Callable[[Scene], Drawn]]] = {
    View.OVERVIEW: overview.draw,
    View.WORKFLOWS: workflows.draw,
    View.QUEUES: queues.draw,
    View.WORKERS: workers.draw,
    View.LOG: log.draw,
    View.RUN: run.draw,
}
# With fewer lines than this the head is one line, and there is no foot.
_SHORT: Final = 8


def frame(scene: Scene) -> Drawn:
    """Exactly as many lines and cells as the scene has."""
    width, height = scene.width, scene.height
    is_short = height < _SHORT
    top = [_head(scene)] if is_short else [_head(scene), _where(scene)]
    foot = [] if is_short and scene.ui.mode is Mode.LOOK and not scene.ui.notice else [_foot(scene)]
    inner = scene.sized(width, max(height - len(top) - len(foot), 0))
    drawn = _VIEWS[scene.ui.view](inner)
    body = boxes.over(to_size(drawn.picture, width, inner.height), inner)
    picture = to_size([*top, *body, *foot], width, height)
    if scene.theme.ascii_only:
        picture = [_in_ascii(line) for line in picture]
    first = drawn.first + len(top) if drawn.first >= 0 else -1
    zones = tuple(evolve(zone, line=zone.line + len(top)) for zone in drawn.zones)
    zones += () if is_short else _view_zones(scene)
    return evolve(drawn, picture=picture, first=first, zones=zones)


def _head(scene: Scene) -> Line:
    known = scene.known
    metrics = known.look.metrics if known.look else None
    freshness = _freshness(scene)
    facts = [known.target]
    if metrics is not None:
        facts += [f"v{metrics.version}", f"up {age(micros(metrics.started_at), scene.now_us)}", metrics.persistence]
        facts.append(f"node {metrics.node}")
    read_only = ("  read only", "warn") if scene.ui.read_only else ""
    right = [*words(" "), *freshness, *words(read_only, f"  {clock(scene.now_us)} ")]
    room = scene.width - length_of(right)
    if room < 12:
        return to_width(freshness, scene.width)
    left = words((" aether top ", "title"))
    for fact in facts:
        piece = words(f" {fact} ")
        if length_of(left) + length_of(piece) > room and fact is not known.target:
            break
        left += piece
    return [*to_width(left, room), *right]


def _freshness(scene: Scene) -> Line:
    ui, known, theme = scene.ui, scene.known, scene.theme
    if known.lost is not None:
        lost = known.lost
        since = span(scene.now_us - known.server_time(lost.since_us))
        left = max(known.server_time(lost.retry_at_us) - scene.now_us, 0)
        return words((f"{theme.pick('○', 'o')} lost for {since}, again in {left / 1e6:.0f}s", "alarm"))
    if known.look is None:
        return words(("connecting", "warn"))
    if ui.is_frozen:
        return words((f"{theme.pick('‖', '=')} {'stopped' if ui.is_replay else 'frozen'}", "notice"))
    if ui.is_replay:
        return words((f"{theme.pick('▶', '>')} playing", "good"))
    return words((f"{theme.pick('●', '*')} live {ui.rate_s:g}s", "good"))


def _where(scene: Scene) -> Line:
    """The views, or the path to the run that is open."""
    ui, theme = scene.ui, scene.theme
    if ui.view is View.RUN:
        arrow = theme.pick(" → ", " > ")
        return words((f" {ui.behind}", "dim"), *((arrow + key[0], "dim") for key in ui.opened[:-1]), (arrow, "dim"),
                     (ui.opened[-1][0], "head"))  # fmt: skip
    out: Line = []
    for number, view in enumerate(MAIN_VIEWS, 1):
        name = view if scene.width < 70 else view.title()
        piece = words((f" {number} ", "key"), f"{name} ")
        out += restyled(piece, "selected") if view is ui.view else piece
    return out


def _view_zones(scene: Scene) -> tuple[Zone, ...]:
    zones, left = [], 0
    for view in MAIN_VIEWS if scene.ui.view is not View.RUN else ():
        zones.append(Zone(1, left, left + len(view) + 3, view=view))
        left += len(view) + 4
    return tuple(zones)


def _foot(scene: Scene) -> Line:
    ui = scene.ui
    if ui.notice:
        return words((f" {ui.notice} ", "notice"))
    if ui.mode is Mode.FILTER:
        can = " ".join(offers(ui.typed, scene.known))
        return words(
            (" filter: ", "key"), ui.typed, ("_", "selected"), ("  enter, esc gives up", "dim"),
            (f"; tab: {can}" if can else "", "dim"),
        )  # fmt: skip
    if ui.mode is Mode.NARROW:
        return words((" only rows with: ", "key"), ui.typed, ("_", "selected"), ("  enter; esc shows all", "dim"))
    if ui.mode is Mode.GO:
        return words((" go to: ", "key"), ui.typed, ("_", "selected"), ("  enter, tab takes the first", "dim"))
    if ui.mode is Mode.FIND:
        return words((" find: ", "key"), ui.typed, ("_", "selected"), ("  enter; n finds the next", "dim"))
    if ui.mode is Mode.EXPORT:
        return words((" write what is shown as: ", ""), ("s", "key"), " svg  ", ("h", "key"), " html  ", ("t", "key"),
                     " text  ", ("j", "key"), " json  ", ("c", "key"), " csv  ", ("esc", "key"), " no")  # fmt: skip
    return keys_line(scene)


def keys_line(scene: Scene) -> Line:
    """Keys and their words, as many as there is room for."""
    ui, width = scene.ui, scene.width
    run = run_chosen(ui, scene.known)
    out: Line = []
    for binding in for_foot(ui, is_closed=is_closed(scene.known, run) if run is not None and not ui.marked else None):
        keys = f"{binding.keys[0]}-{binding.keys[-1]}" if binding.does == "view" else binding.keys[0]
        piece = words((f" {keys}", "key"), f" {binding.foot} ")
        if length_of(out) + length_of(piece) > width:
            break
        out += piece
    return out


def _in_ascii(line: Line) -> Line:
    return [segment if segment.text.isascii() else segment._replace(text=_ascii_text(segment.text)) for segment in line]


def _ascii_text(text: str) -> str:
    """As many cells as before."""
    plain = {"…": ".", "µ": "u", "→": ">", "·": "-", "\u00d7": "x"}
    return "".join(each if each.isascii() else plain.get(each, "?" * width_of(each)) for each in text)
