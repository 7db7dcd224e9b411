"""What a key does: from what was chosen so far to what is chosen now, and what is asked of the world. Pure.

In modes that take text, text goes into the line; only named keys and the confirmation leave it.
"""

from collections.abc import Callable
from typing import Final

from attrs import evolve

from aether_tui.actions import ACTIONS
from aether_tui.bindings import binding_of
from aether_tui.intents import Outcome, asked, confirmed, intend
from aether_tui.keys import Key, Mouse, Paste
from aether_tui.known import Known
from aether_tui.listing import SORTS, listing, run_chosen, run_key
from aether_tui.places import completed, place_of, places
from aether_tui.typed import edited
from aether_tui.ui import (
    MAIN_VIEWS,
    RATES_S,
    Copy,
    Cursor,
    Export,
    Gather,
    Mode,
    Quit,
    Refresh,
    Seek,
    Tab,
    Times,
    Ui,
    View,
)

EXPORTS: Final = {"s": "svg", "h": "html", "t": "txt", "j": "json", "c": "csv"}
PRESETS: Final = ("", "state:open", "state:failed", "state:failed closed:>1h", "state:open age:>1h")
_ZOOM_MAX: Final = 16
_OPENED_MAX: Final = 32
_MINUTE_US: Final = 60_000_000
# A page, for those that do not know the height.
PAGE: Final = 10


def press(ui: Ui, known: Known, key: Key, page: int = PAGE) -> Outcome:
    """`page` is how many rows the list has on the screen."""
    ui = evolve(ui, notice="")
    if isinstance(key, Mouse):
        return ui, ()  # `pointing.py` knows what is there
    if ui.mode is Mode.LOOK:
        if isinstance(key, Paste):
            return evolve(ui, notice="text was pasted; press / first to filter by it"), ()
        return _look(ui, known, key, page)
    return _MODES[ui.mode](ui, known, key)


def _look(ui: Ui, known: Known, key: str, page: int) -> Outcome:
    binding = binding_of(key, ui)
    if binding is None:
        return ui, ()
    if binding.does in ACTIONS:
        return intend(ui, known, binding.does), ()
    if binding.does in _MOVES:
        return _move(ui, known, _MOVES[binding.does](page)), ()
    if binding.does == "view":
        return _show(ui, MAIN_VIEWS[int(key) - 1]), (Refresh(),)
    return COMMANDS[binding.does](ui, known)


# Moving.

_END: Final = 1 << 40
_MOVES: Final[dict[str, Callable[[int], int]]] = {
    "up": lambda page: -1,
    "down": lambda page: 1,
    "page-up": lambda page: -max(page - 1, 1),
    "page-down": lambda page: max(page - 1, 1),
    "first": lambda page: -_END,
    "last": lambda page: _END,
}


def _move(ui: Ui, known: Known, by: int) -> Ui:
    rows = listing(ui, known)
    index = rows.chosen(ui)
    if index is None:
        # Nothing to choose: text that scrolls. The picture knows where it ends.
        return ui.at(evolve(ui.cursor, top=max(ui.cursor.top + by, 0)))
    index = max(0, min(index + by, len(rows.things) - 1))
    # Whoever goes back in what grows wants to read, and not to be taken along.
    follow = ui.follow and not (rows.is_log and by < 0)
    return evolve(ui.at(evolve(ui.cursor, selected=rows.id_of(rows.things[index]))), follow=follow)


def _show(ui: Ui, view: View) -> Ui:
    return evolve(_forget_runs(ui), view=view, opened=(), has_moved=True, panel=0, follow=view is View.LOG)


def _forget_runs(ui: Ui) -> Ui:
    kept = {name: cursor for name, cursor in ui.cursors.items() if name in set(View)}
    return evolve(ui, cursors=kept)


def _open(ui: Ui, known: Known) -> Outcome:
    rows = listing(ui, known)
    index = rows.chosen(ui)
    run = None if index is None else rows.run_of(rows.things[index])
    if run is None:
        return ui, ()
    behind = ui.behind if ui.view is View.RUN else ui.view
    opened = (*ui.opened, run)[-_OPENED_MAX:]
    ui = evolve(ui, view=View.RUN, opened=opened, behind=behind, tab=Tab.TIMELINE, follow=False, has_moved=True)
    return ui, (Refresh(),)


def _back(ui: Ui, known: Known) -> Outcome:
    if ui.narrowed.get(ui.list_name):
        return _narrowed(ui, ""), ()
    if ui.view is View.RUN and len(ui.opened) > 1:
        return evolve(ui, opened=ui.opened[:-1], has_moved=True), (Refresh(),)
    if ui.view is View.RUN:
        return evolve(_show(ui, ui.behind), follow=False), ()
    if ui.view in {View.WORKFLOWS, View.LOG} and ui.filter:
        return evolve(ui, filter=""), (Refresh(),)
    return _show(ui, View.OVERVIEW), ()


def _turn_page(ui: Ui, by: int) -> Outcome:
    if ui.view is not View.RUN:
        return evolve(ui, panel=ui.panel + by), ()
    tabs = list(Tab)
    tab = tabs[(tabs.index(ui.tab) + by) % len(tabs)]
    return evolve(ui, tab=tab, has_moved=True), (Refresh(),)


def _pan(ui: Ui, by: int) -> Outcome:
    if ui.view is View.RUN and ui.tab is Tab.TIMELINE and ui.zoom:
        return evolve(ui, pan=max(0, min(ui.pan + by, 4 * (2**ui.zoom - 1)))), ()
    return _turn_page(ui, by)


def _zoom(ui: Ui, by: int) -> Outcome:
    """In and out of the middle of what is shown; `pan` counts quarters of it."""
    zoom = max(0, min(ui.zoom + by, _ZOOM_MAX))
    if zoom == ui.zoom:
        return ui, ()
    pan = 2 * ui.pan + 2 if by > 0 else (ui.pan - 2) // 2
    pan = max(0, min(pan, 4 * (2**zoom - 1)))
    return evolve(ui, zoom=zoom, pan=pan, zooms=False, notice=f"zoomed {2**zoom} times" if zoom else "all of it"), ()


# Choosing.


def _sort(ui: Ui, by: int) -> Outcome:
    names = ["", *SORTS]
    sort = names[(names.index(ui.sort) + by) % len(names)]
    said = f"sorted by {sort.lower()}" if sort else "in the order of their start"
    return evolve(ui, sort=sort, has_moved=True, notice=said), (Refresh(),)


def _filter(ui: Ui, known: Known) -> Outcome:
    if ui.view not in {View.WORKFLOWS, View.LOG}:
        ui = _show(ui, View.WORKFLOWS)
    return evolve(ui, mode=Mode.FILTER, typed=ui.filter), ()


def _preset(ui: Ui, known: Known) -> Outcome:
    """From one common filter to the next."""
    following = (PRESETS.index(ui.filter) + 1) % len(PRESETS) if ui.filter in PRESETS else 0
    chosen = PRESETS[following]
    ui = evolve(ui, filter=chosen, has_moved=True, notice=f"filter: {chosen or 'none'}")
    return ui.at(Cursor()), (Refresh(),)


def _find_next(ui: Ui, known: Known) -> Outcome:
    return _find(ui, known, ui.find, from_next=True), ()


def _find(ui: Ui, known: Known, wanted: str, *, from_next: bool) -> Ui:
    rows = listing(ui, known)
    start = rows.chosen(ui)
    if start is None or not wanted:
        return ui
    count = len(rows.things)
    for step in range(count):
        thing = rows.things[(start + step + from_next) % count]
        if wanted.casefold() in rows.text_of(thing).casefold():
            return ui.at(evolve(ui.cursor, selected=rows.id_of(thing)))
    return evolve(ui, notice=f"nothing here has {wanted!r}")


def _narrowed(ui: Ui, words: str) -> Ui:
    return evolve(ui, narrowed={**ui.narrowed, ui.list_name: words}, has_moved=True)


def _times(ui: Ui, known: Known) -> Outcome:
    every = list(Times)
    times = every[(every.index(ui.times) + 1) % len(every)]
    return evolve(ui, times=times, notice=f"times: {times}"), ()


def _mouse(ui: Ui, known: Known) -> Outcome:
    said = "the mouse is the terminal's again" if ui.mouse else "a click selects, a second one opens; m gives it back"
    return evolve(ui, mouse=not ui.mouse, notice=said), ()


def _follow(ui: Ui, known: Known) -> Outcome:
    follow = not ui.follow
    return evolve(ui, follow=follow, has_moved=True, notice="follows" if follow else "does not follow any more"), ()


def _pace(ui: Ui, by: int) -> Outcome:
    rate = max(0, min(ui.rate + by, len(RATES_S) - 1))
    return evolve(ui, rate=rate, notice=f"looks every {RATES_S[rate]:g} s"), (Refresh(),)


def _freeze(ui: Ui, known: Known) -> Outcome:
    return evolve(ui, is_frozen=not ui.is_frozen), (Refresh(),)


def _copy(ui: Ui, known: Known) -> Outcome:
    run = run_chosen(ui, known)
    if run is None:
        return ui, ()
    return evolve(ui, notice=f"{run[0]} was sent to the clipboard"), (Copy(run[0]),)


# Marking.


def _mark(ui: Ui, known: Known) -> Outcome:
    run = run_chosen(ui, known)
    if run is None:
        return ui, ()
    return _move(evolve(ui, marked=ui.marked ^ {run}), known, 1), ()


def _mark_all(ui: Ui, known: Known) -> Outcome:
    marked = ui.marked | {run_key(info) for info in listing(ui, known).things if not info.state.is_closed}
    if marked == ui.marked and marked:
        return evolve(ui, notice="asking which runs the filter means…"), (Gather(ui.filter),)
    return evolve(ui, marked=marked, notice=f"{len(marked)} marked"), ()


# Text.


def _filtering(ui: Ui, known: Known, key: Key) -> Outcome:
    if key == "esc":
        return evolve(ui, mode=Mode.LOOK, typed=""), ()
    if key == "enter":
        ui = evolve(ui, mode=Mode.LOOK, filter=" ".join(ui.typed.split()), typed="", has_moved=True)
        return ui.at(Cursor()), (Refresh(),)
    if key == "tab":
        return evolve(ui, typed=completed(ui.typed, known)), ()
    return edited(ui, key), ()


def _going(ui: Ui, known: Known, key: Key) -> Outcome:
    if key == "esc":
        return evolve(ui, mode=Mode.LOOK, typed=""), ()
    if key == "tab":
        offers = places(ui, known)
        return evolve(ui, typed=offers[0].text if offers else ui.typed), ()
    if key != "enter":
        return edited(ui, key), ()
    typed = ui.typed.strip()
    ui = evolve(ui, mode=Mode.LOOK, typed="")
    return _go(ui, known, typed) if typed else (ui, ())


def _go(ui: Ui, known: Known, typed: str) -> Outcome:
    place = place_of(evolve(ui, typed=typed), known)
    if place.kind == "view":
        return _show(ui, View(place.text)), (Refresh(),)
    if place.kind == "action":
        return intend(ui, known, place.of), ()
    if place.kind == "command":
        return COMMANDS[place.of](ui, known)
    if place.kind == "time":
        return ui, (Seek(day_s=int(place.of)),)
    if place.kind in {"queue", "worker"}:
        ui = _show(ui, View.QUEUES if place.kind == "queue" else View.WORKERS)
        return ui.at(Cursor(place.of)), (Refresh(),)
    if place.kind == "filter":
        return evolve(_show(ui, View.WORKFLOWS), filter=place.of).at(Cursor()), (Refresh(),)
    behind = ui.behind if ui.view is View.RUN else ui.view
    if ui.is_replay:
        return evolve(ui, notice="a recording has no histories"), ()
    opened = (*ui.opened, (place.of, ""))[-_OPENED_MAX:]
    ui = evolve(ui, view=View.RUN, opened=opened, behind=behind, tab=Tab.TIMELINE, follow=False, has_moved=True)
    return ui, (Refresh(),)


def _narrowing(ui: Ui, known: Known, key: Key) -> Outcome:
    """The list follows what is typed."""
    if key == "esc":
        return evolve(_narrowed(ui, ""), mode=Mode.LOOK, typed=""), ()
    if key == "enter":
        return evolve(ui, mode=Mode.LOOK, typed=""), ()
    ui = edited(ui, key)
    return _narrowed(ui, ui.typed), ()


def _finding(ui: Ui, known: Known, key: Key) -> Outcome:
    if key in {"esc", "enter"}:
        return evolve(ui, mode=Mode.LOOK, find=ui.typed, typed=""), ()
    ui = edited(ui, key)
    return _find(ui, known, ui.typed, from_next=False), ()


def _exporting(ui: Ui, known: Known, key: Key) -> Outcome:
    ui = evolve(ui, mode=Mode.LOOK)
    form = EXPORTS.get(key) if isinstance(key, str) else None
    return (ui, (Export(form),)) if form else (ui, ())


def _helped(ui: Ui, known: Known, key: Key) -> Outcome:
    """The first key closes the help and does nothing else."""
    if key in {"down", "j", "pagedown", "space"}:
        return evolve(ui, panel=ui.panel + 1), ()
    if key in {"up", "k", "pageup"}:
        return evolve(ui, panel=max(ui.panel - 1, 0)), ()
    return evolve(ui, mode=Mode.LOOK, panel=0), ()


_MODES: Final = {
    Mode.FILTER: _filtering,
    Mode.FIND: _finding,
    Mode.NARROW: _narrowing,
    Mode.GO: _going,
    Mode.ASK: asked,
    Mode.CONFIRM: confirmed,
    Mode.EXPORT: _exporting,
    Mode.HELP: _helped,
}

COMMANDS: Final[dict[str, Callable[[Ui, Known], Outcome]]] = {
    "help": lambda ui, known: (evolve(ui, mode=Mode.HELP, panel=0), ()),
    "open": _open,
    "back": _back,
    "next": lambda ui, known: _turn_page(ui, 1),
    "previous": lambda ui, known: _turn_page(ui, -1),
    "right": lambda ui, known: _pan(ui, 1),
    "left": lambda ui, known: _pan(ui, -1),
    "zoom-in": lambda ui, known: _zoom(ui, 1),
    "zoom-out": lambda ui, known: _zoom(ui, -1),
    "go": lambda ui, known: (evolve(ui, mode=Mode.GO, typed=""), ()),
    "narrow": lambda ui, known: (evolve(ui, mode=Mode.NARROW, typed=ui.narrowed.get(ui.list_name, "")), ()),
    "wide": lambda ui, known: (evolve(ui, is_wide=not ui.is_wide), ()),
    "times": _times,
    "mouse": _mouse,
    "filter": _filter,
    "find": lambda ui, known: (evolve(ui, mode=Mode.FIND, typed=""), ()),
    "find-next": _find_next,
    "sort-next": lambda ui, known: _sort(ui, 1),
    "sort-previous": lambda ui, known: _sort(ui, -1),
    "turn": lambda ui, known: (evolve(ui, is_reversed=not ui.is_reversed, has_moved=True), (Refresh(),)),
    "follow": _follow,
    "mark": _mark,
    "mark-all": _mark_all,
    "unmark": lambda ui, known: (evolve(ui, marked=frozenset()), ()),
    "preset": _preset,
    "idle": lambda ui, known: (evolve(ui, hides_idle=not ui.hides_idle), ()),
    "zoom": lambda ui, known: (evolve(ui, zooms=not ui.zooms, zoom=0, pan=0), ()),
    "freeze": _freeze,
    "faster": lambda ui, known: _pace(ui, -1),
    "slower": lambda ui, known: _pace(ui, 1),
    "refresh": lambda ui, known: (ui, (Refresh(),)),
    "look-back": lambda ui, known: (ui, (Seek(looks=-1),)),
    "look-on": lambda ui, known: (ui, (Seek(looks=1),)),
    "minute-back": lambda ui, known: (ui, (Seek(span_us=-_MINUTE_US),)),
    "minute-on": lambda ui, known: (ui, (Seek(span_us=_MINUTE_US),)),
    "export": lambda ui, known: (evolve(ui, mode=Mode.EXPORT), ()),
    "copy": _copy,
    "repaint": lambda ui, known: (ui, ()),
    "quit": lambda ui, known: (ui, (Quit(),)),
}
