"""The keys: one table, which dispatches them, writes the help and is compared with docs/top.md.

Lower case looks, upper case changes; what changes something is in `actions.py`, and joins this table from there.
"""

from typing import Final

from attrs import frozen

from aether_tui.actions import ACTIONS, Action, Of
from aether_tui.ui import Ui, View

_RUNS: Final = (View.OVERVIEW, View.WORKFLOWS, View.LOG, View.RUN)
_GRIDS: Final = (View.WORKFLOWS, View.QUEUES, View.WORKERS, View.LOG)
_FILTERED: Final = (View.OVERVIEW, View.WORKFLOWS, View.LOG)
_NARROWED: Final = (View.QUEUES, View.WORKERS, View.RUN)
_LISTS: Final = (View.WORKFLOWS, View.QUEUES, View.WORKERS, View.LOG, View.RUN)


@frozen
class Binding:
    """`does` is a name in `commands.COMMANDS`, or of an action. An empty `where` is everywhere."""

    keys: tuple[str, ...]
    does: str
    says: str
    where: tuple[View, ...] = ()
    # The word for the line at the foot of the screen; nothing: only the help tells of it.
    foot: str = ""
    changes: bool = False
    # Only where a recording is played, or only where none is.
    seeks: bool = False
    is_live: bool = False


def _where(action: Action) -> tuple[View, ...]:
    if action.is_of_queue:
        return (View.QUEUES,)
    return (View.RUN,) if action.is_single else _RUNS


BINDINGS: Final = (
    Binding(("?",), "help", "these keys", foot="help"),
    Binding(("1", "2", "3", "4", "5"), "view", "overview, workflows, queues, workers, log", foot="view"),
    Binding(("enter",), "open", "open what is selected", _RUNS, foot="open"),
    Binding(("esc", "backspace"), "back", "back; also gives up what is typed", foot="back"),
    Binding(("up", "k"), "up", "up"),
    Binding(("down", "j"), "down", "down"),
    Binding(("pageup", "ctrl-b"), "page-up", "a page up"),
    Binding(("pagedown", "ctrl-f"), "page-down", "a page down"),
    Binding(("home", "g"), "first", "to the first row"),
    Binding(("end", "G"), "last", "to the last row"),
    Binding(("tab", "]"), "next", "next tab of a run, or panel of a narrow screen"),
    Binding(("shift-tab", "["), "previous", "previous tab or panel"),
    Binding(("right", "l"), "right", "the same; in a timeline that is zoomed, to what came later"),
    Binding(("left", "h"), "left", "back the same way"),
    Binding((":",), "go", "go to a run, type, queue, worker or view; or do something by its name", foot="go"),
    Binding(("/",), "filter", "filter runs: state:failed type:order tag.x:1 …", _FILTERED, foot="filter"),
    Binding(("/",), "narrow", "only rows that have a word, or have it not: pack -Completed", _NARROWED, foot="narrow"),
    Binding(("\\",), "find", "find text in the list while it is typed", _LISTS),
    Binding(("n",), "find-next", "find the next one", _LISTS),
    Binding((">",), "sort-next", "sort by the next column", (View.WORKFLOWS,)),
    Binding(("<",), "sort-previous", "sort by the previous column", (View.WORKFLOWS,)),
    Binding(("s",), "turn", "turn the order round", (View.WORKFLOWS,), foot="turn order"),
    Binding(("space",), "mark", "mark the run: actions are about all that are marked", (View.WORKFLOWS,), foot="mark"),
    Binding(("*",), "mark-all", "mark all open runs of the list; again, all that the filter means", (View.WORKFLOWS,)),
    Binding(("u",), "unmark", "mark none", (View.WORKFLOWS,)),
    Binding(("p",), "preset", "the next common filter: open, failed, …", (View.WORKFLOWS,)),
    Binding(("f",), "follow", "follow the selected row, or the newest line", _LISTS, foot="follow"),
    Binding(("i",), "idle", "cut out of a timeline what is idle for long", (View.RUN,), foot="idle"),
    Binding(("}",), "zoom-in", "zoom into a timeline", (View.RUN,), is_live=True),
    Binding(("{",), "zoom-out", "zoom out of it", (View.RUN,), is_live=True),
    Binding(("x",), "zoom", "zoom a timeline to the rows in sight", (View.RUN,), foot="zoom"),
    Binding(("w",), "wide", "show the columns that there was no room for", _GRIDS),
    Binding(("t",), "times", "tell times in UTC, in local time, or how long ago"),
    Binding(("m",), "mouse", "take the mouse, or leave it to the terminal, which can select text with it"),
    Binding(("z",), "freeze", "freeze the picture; data still comes in", foot="freeze"),
    Binding(("+", "="), "faster", "look more often"),
    Binding(("-",), "slower", "look less often"),
    Binding(("r",), "refresh", "look now"),
    Binding((",",), "look-back", "in a recording: a look back", seeks=True),
    Binding((".",), "look-on", "in a recording: a look on", seeks=True, foot="step"),
    Binding(("{",), "minute-back", "in a recording: a minute back", seeks=True),
    Binding(("}",), "minute-on", "in a recording: a minute on", seeks=True, foot="minute"),
    Binding(("e",), "export", "export to a file: svg, html, text, json or csv", foot="export"),
    Binding(("y",), "copy", "copy the workflow id to the clipboard", _RUNS),
    Binding(("ctrl-l",), "repaint", "paint everything anew"),
    Binding(("q",), "quit", "quit", foot="quit"),
    *(
        Binding((action.key,), kind, action.says, _where(action), foot=action.name, changes=True)
        for kind, action in ACTIONS.items()
        if action.key
    ),
)


def bindings_in(ui: Ui) -> list[Binding]:
    """All that do something where one is."""
    return [
        binding
        for binding in BINDINGS
        if (not binding.where or ui.view in binding.where)
        and not (binding.changes and ui.read_only)
        and not (binding.is_live if ui.is_replay else binding.seeks)
    ]


def binding_of(key: str, ui: Ui) -> Binding | None:
    """What a key does there."""
    return next((binding for binding in bindings_in(ui) if key in binding.keys), None)


def for_foot(ui: Ui, *, is_closed: bool | None = None) -> list[Binding]:
    """Those that the foot of the screen names, the most telling first: there may be no room for all.

    `is_closed` is the run that actions are about, if there is one: what can not be done to it is left out.
    """
    named = [binding for binding in bindings_in(ui) if binding.foot and _fits(binding, is_closed)]
    return sorted(
        named, key=lambda binding: (binding.does != "help", not binding.seeks, not binding.where, not binding.changes)
    )


def _fits(binding: Binding, is_closed: bool | None) -> bool:
    action = ACTIONS.get(binding.does)
    if action is None or action.is_of_queue or action.of is Of.ANY:
        return True
    return is_closed is None or is_closed is (action.of is Of.CLOSED)
