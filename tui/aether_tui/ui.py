"""What whoever watches has chosen: view, selection, filter, and what is half typed. Frozen; keys make new ones."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from attrs import evolve, field, frozen

from aether_tui.known import RunKey


class View(StrEnum):
    OVERVIEW = "overview"
    WORKFLOWS = "workflows"
    QUEUES = "queues"
    WORKERS = "workers"
    LOG = "log"
    # Of one run; what was opened lies on `Ui.opened`.
    RUN = "run"


class Tab(StrEnum):
    """What is shown of a run."""

    TIMELINE = "timeline"
    HISTORY = "history"
    VALUES = "input/output"
    ERRORS = "errors"
    CHILDREN = "children"
    WHY = "why"


class Mode(StrEnum):
    """What keys mean just now."""

    LOOK = "look"
    FILTER = "filter"
    FIND = "find"
    CONFIRM = "confirm"
    EXPORT = "export"
    HELP = "help"
    ASK = "ask"


MAIN_VIEWS: Final = (View.OVERVIEW, View.WORKFLOWS, View.QUEUES, View.WORKERS, View.LOG)
RATES_S: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


@frozen
class Cursor:
    """Where one is in a list: the id of the chosen row, and the row at the top of the window."""

    selected: str = ""
    top: int = 0


@frozen
class Intent:
    """A change that somebody wants made to a run, or to several. `kind` is a name in `actions.ACTIONS`."""

    kind: str
    runs: tuple[RunKey, ...]
    # What was answered to its questions, in their order.
    answers: tuple[str, ...] = ()


@frozen
class Ui:
    view: View = View.OVERVIEW
    # Runs that were opened, one from the other; the last is shown.
    opened: tuple[RunKey, ...] = ()
    # Where Esc leads back to from the first of them.
    behind: View = View.OVERVIEW
    tab: Tab = Tab.TIMELINE
    cursors: Mapping[str, Cursor] = field(factory=dict)
    # Set by a key that moves: the chosen row must be in sight at the next picture.
    has_moved: bool = True
    filter: str = ""
    # Title of the column, and whether the order is turned round; "" as the server gives them.
    sort: str = ""
    is_reversed: bool = False
    find: str = ""
    follow: bool = False
    is_frozen: bool = False
    hides_idle: bool = False
    # The timeline shows the time of the rows in sight only.
    zooms: bool = False
    rate: int = 2
    panel: int = 0
    mode: Mode = Mode.LOOK
    # What is being typed in the modes that take text.
    typed: str = ""
    intent: Intent | None = None
    # Runs that the next action is about, in place of the one that is selected.
    marked: frozenset[RunKey] = frozenset()
    notice: str = ""
    read_only: bool = False
    # What is shown comes from a file, in which one can go back and forth.
    is_replay: bool = False

    @property
    def list_name(self) -> str:
        """Of the list that arrows move in; each has its own cursor."""
        return f"{self.tab} {self.opened[-1]}" if self.view is View.RUN else self.view

    @property
    def cursor(self) -> Cursor:
        return self.cursors.get(self.list_name, Cursor())

    @property
    def rate_s(self) -> float:
        return RATES_S[self.rate]

    def at(self, cursor: Cursor, *, moved: bool = True) -> "Ui":
        """With another place in the list that is shown."""
        return evolve(self, cursors={**self.cursors, self.list_name: cursor}, has_moved=moved)


# What a key asks of the world outside.


@frozen
class Quit:
    pass


@frozen
class Refresh:
    pass


@frozen
class Perform:
    intent: Intent


@frozen
class Export:
    """To a file; `form` is "svg", "html", "txt" or "json"."""

    form: str


@frozen
class Copy:
    """To the clipboard of whoever sits at the terminal."""

    text: str


@frozen
class Seek:
    """In a recording: so many looks, or so much time, back or forth."""

    looks: int = 0
    span_us: int = 0


Wish = Quit | Refresh | Seek | Perform | Export | Copy
