"""What the mouse does: a click selects a row, turns to a view or a tab; a second one opens; the wheel moves. Pure.

Nothing is changed by a click: what changes something is asked of the keyboard.
"""

from typing import Final

from attrs import evolve

from aether_tui.commands import press
from aether_tui.intents import Outcome
from aether_tui.keys import Mouse
from aether_tui.known import Known
from aether_tui.listing import listing
from aether_tui.ui import MAIN_VIEWS, Mode, Refresh, Tab, Ui, View
from aether_tui.views.scene import Drawn, Zone

_WHEEL_ROWS: Final = 3


def point(ui: Ui, known: Known, mouse: Mouse, drawn: Drawn) -> Outcome:
    """`drawn` is what lies under the mouse."""
    if mouse.what != "click":
        return _turn_wheel(ui, known, "up" if mouse.what == "wheel-up" else "down", drawn.page), ()
    if ui.mode is not Mode.LOOK:
        return ui, ()
    ui = evolve(ui, notice="")
    for zone in drawn.zones:
        if zone.line == mouse.line and zone.left <= mouse.column <= zone.right:
            return _turn_to(ui, known, zone)
    rows = listing(ui, known)
    place = mouse.line - drawn.first
    index = drawn.top + place
    if drawn.first < 0 or not 0 <= place < drawn.page or index >= len(rows.things):
        return ui, ()
    if rows.chosen(ui) == index:
        return press(ui, known, "enter", drawn.page)
    selected = rows.id_of(rows.things[index])
    return evolve(ui.at(evolve(ui.cursor, selected=selected)), follow=ui.follow and not rows.is_log), ()


def _turn_wheel(ui: Ui, known: Known, key: str, page: int) -> Ui:
    if ui.mode not in {Mode.LOOK, Mode.HELP}:
        return ui
    for _ in range(1 if ui.mode is Mode.HELP else _WHEEL_ROWS):
        ui, _none = press(ui, known, key, page)
    return ui


def _turn_to(ui: Ui, known: Known, zone: Zone) -> Outcome:
    if zone.view:
        return press(ui, known, str(MAIN_VIEWS.index(View(zone.view)) + 1))
    return evolve(ui, tab=Tab(zone.tab), has_moved=True), (Refresh(),)
