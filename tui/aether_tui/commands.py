"""What a key does: from what was chosen so far to what is chosen now, and what is asked of the world. Pure.

In modes that take text, text goes into the line; only named keys and the confirmation leave it.
"""

from collections.abc import Callable
from typing import Final

from attrs import evolve

from aether import Event, TimelineRow
from aether_tui.actions import ACTIONS, Of
from aether_tui.bindings import binding_of
from aether_tui.keys import Key, Paste
from aether_tui.known import Known, RunKey
from aether_tui.lines import shown
from aether_tui.listing import SORTS, listing, run_chosen, run_key
from aether_tui.ui import (
    MAIN_VIEWS,
    RATES_S,
    Copy,
    Cursor,
    Export,
    Intent,
    Mode,
    Perform,
    Quit,
    Refresh,
    Seek,
    Tab,
    Ui,
    View,
    Wish,
)

Outcome = tuple[Ui, tuple[Wish, ...]]
EXPORTS: Final = {"s": "svg", "h": "html", "t": "txt", "j": "json"}
PRESETS: Final = ("", "state:open", "state:failed", "state:failed closed:>1h", "state:open age:>1h")
_TYPED_MAX: Final = 2_000
_OPENED_MAX: Final = 32
_MINUTE_US: Final = 60_000_000
# A page, for those that do not know the height.
PAGE: Final = 10


def press(ui: Ui, known: Known, key: Key, page: int = PAGE) -> Outcome:
    """`page` is how many rows the list has on the screen."""
    ui = evolve(ui, notice="")
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
        return _intend(ui, known, binding.does), ()
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


# Choosing.


def _sort(ui: Ui, by: int) -> Outcome:
    names = ["", *SORTS]
    sort = names[(names.index(ui.sort) + by) % len(names)]
    said = f"sorted by {sort.lower()}" if sort else "in the order of their start"
    return evolve(ui, sort=sort, has_moved=True, notice=said), ()


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


# Changing.


def _intend(ui: Ui, known: Known, kind: str) -> Ui:
    """What is marked, in the order of the list, else what is selected; without what is over."""
    chosen = run_chosen(ui, known)
    runs = _marked(ui, known) if ui.view is View.WORKFLOWS and ui.marked else (chosen,) if chosen else ()
    if not runs:
        return evolve(ui, notice="no run is selected")
    action = ACTIONS[kind]
    fitting = tuple(run for run in runs if fits(known, run, action.of))
    if not fitting:
        said = "over already" if action.of is Of.OPEN else "not over yet"
        return evolve(ui, notice=f"{runs[0][0]} is {said}" if len(runs) == 1 else f"all of them are {said}")
    return _asking(evolve(ui, intent=Intent(kind, fitting)), known)


def _asking(ui: Ui, known: Known) -> Ui:
    """The next question of what is intended, or its confirmation."""
    intent = ui.intent
    assert intent is not None
    questions = ACTIONS[intent.kind].questions
    if len(intent.answers) == len(questions):
        return evolve(ui, mode=Mode.CONFIRM, typed="")
    question = questions[len(intent.answers)]
    return evolve(ui, mode=Mode.ASK, typed=_selected_event(ui, known) if question.is_event else "")


def _selected_event(ui: Ui, known: Known) -> str:
    """Number of the event that is selected, or of the last one before the selected row began."""
    rows = listing(ui, known)
    index = rows.chosen(ui)
    thing = None if index is None else rows.things[index]
    if isinstance(thing, Event):
        return str(thing.seq)
    return str(max(thing.first_seq - 1, 1)) if isinstance(thing, TimelineRow) else ""


def _marked(ui: Ui, known: Known) -> tuple[RunKey, ...]:
    listed = [key for info in listing(ui, known).things if (key := run_key(info)) in ui.marked]
    # What is marked and not in the list any more is meant too.
    return (*listed, *sorted(ui.marked - set(listed)))


def _mark(ui: Ui, known: Known) -> Outcome:
    run = run_chosen(ui, known)
    if run is None:
        return ui, ()
    return _move(evolve(ui, marked=ui.marked ^ {run}), known, 1), ()


def _mark_all(ui: Ui, known: Known) -> Outcome:
    marked = ui.marked | {run_key(info) for info in listing(ui, known).things if not info.state.is_closed}
    return evolve(ui, marked=marked, notice=f"{len(marked)} marked"), ()


def fits(known: Known, run: RunKey, of: Of) -> bool:
    """Is the run one that can be meant, as far as is known here? The server decides."""
    closed = _is_closed(known, run)
    return closed is None or of is Of.ANY or closed is (of is Of.CLOSED)


def _is_closed(known: Known, run: RunKey) -> bool | None:
    status = known.run.status if known.run is not None else None
    if status is not None and run_key(status.info) == run:
        return status.state.is_closed
    infos = known.look.runs if known.look else ()
    return next((info.state.is_closed for info in infos if run_key(info) == run), None)


def _asked(ui: Ui, known: Known, key: Key) -> Outcome:
    intent = ui.intent
    assert intent is not None
    if key == "esc":
        return _gave_up(ui), ()
    if key != "enter":
        return _edited(ui, key), ()
    questions = ACTIONS[intent.kind].questions
    fault = questions[len(intent.answers)].check(ui.typed)
    if fault:
        return evolve(ui, notice=fault), ()
    return _asking(evolve(ui, intent=evolve(intent, answers=(*intent.answers, ui.typed))), known), ()


def _confirmed(ui: Ui, known: Known, key: Key) -> Outcome:
    """Only `y` goes on, or, where there is much to lose, what has to be typed; every other key is No."""
    intent = ui.intent
    assert intent is not None
    wanted = proof(intent)
    if wanted:
        if key == "esc":
            return _gave_up(ui), ()
        if key != "enter":
            return _edited(ui, key), ()
        is_meant = ui.typed == wanted
    else:
        is_meant = key == "y"
    if not is_meant:
        return _gave_up(ui), ()
    return evolve(ui, mode=Mode.LOOK, intent=None, typed="", marked=frozenset()), (Perform(intent), Refresh())


def proof(intent: Intent) -> str:
    """What has to be typed: something that only whoever looks can know; "" where a `y` will do."""
    if len(intent.runs) > 1:
        return str(len(intent.runs))
    return shown(intent.runs[0][0])[-4:] if ACTIONS[intent.kind].is_grave else ""


def _gave_up(ui: Ui) -> Ui:
    said = "nothing was done" if ui.intent else ""
    return evolve(ui, mode=Mode.LOOK, intent=None, typed="", notice=said)


# Text.


def _edited(ui: Ui, key: Key) -> Ui:
    if isinstance(key, Paste):
        typed = ui.typed + " ".join(key.text.split())
    elif key == "backspace":
        typed = ui.typed[:-1]
    elif key == "ctrl-u":
        typed = ""
    elif key == "ctrl-w":
        typed = ui.typed.rstrip().rpartition(" ")[0]
    elif key == "space":
        typed = ui.typed + " "
    else:
        typed = ui.typed + key if len(key) == 1 else ui.typed
    return evolve(ui, typed=typed[:_TYPED_MAX])


def _filtering(ui: Ui, known: Known, key: Key) -> Outcome:
    if key == "esc":
        return evolve(ui, mode=Mode.LOOK, typed=""), ()
    if key == "enter":
        ui = evolve(ui, mode=Mode.LOOK, filter=" ".join(ui.typed.split()), typed="", has_moved=True)
        return ui.at(Cursor()), (Refresh(),)
    return _edited(ui, key), ()


def _finding(ui: Ui, known: Known, key: Key) -> Outcome:
    if key in {"esc", "enter"}:
        return evolve(ui, mode=Mode.LOOK, find=ui.typed, typed=""), ()
    ui = _edited(ui, key)
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
    Mode.ASK: _asked,
    Mode.CONFIRM: _confirmed,
    Mode.EXPORT: _exporting,
    Mode.HELP: _helped,
}

COMMANDS: Final[dict[str, Callable[[Ui, Known], Outcome]]] = {
    "help": lambda ui, known: (evolve(ui, mode=Mode.HELP, panel=0), ()),
    "open": _open,
    "back": _back,
    "next": lambda ui, known: _turn_page(ui, 1),
    "previous": lambda ui, known: _turn_page(ui, -1),
    "filter": _filter,
    "find": lambda ui, known: (evolve(ui, mode=Mode.FIND, typed=""), ()),
    "find-next": _find_next,
    "sort-next": lambda ui, known: _sort(ui, 1),
    "sort-previous": lambda ui, known: _sort(ui, -1),
    "turn": lambda ui, known: (evolve(ui, is_reversed=not ui.is_reversed, has_moved=True), ()),
    "follow": _follow,
    "mark": _mark,
    "mark-all": _mark_all,
    "unmark": lambda ui, known: (evolve(ui, marked=frozenset()), ()),
    "preset": _preset,
    "idle": lambda ui, known: (evolve(ui, hides_idle=not ui.hides_idle), ()),
    "zoom": lambda ui, known: (evolve(ui, zooms=not ui.zooms), ()),
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
