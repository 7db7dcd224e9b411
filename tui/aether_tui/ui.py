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


class Times(StrEnum):
    """How times are told."""

    UTC = "UTC"
    LOCAL = "local time"
    AGO = "how long ago"


class Mode(StrEnum):
    """What keys mean just now."""

    LOOK = "look"
    FILTER = "filter"
    FIND = "find"
    CONFIRM = "confirm"
    EXPORT = "export"
    GO = "go"
    NARROW = "narrow"
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
    """A change that somebody wants made to a run, or to several, or to a task queue.

    `kind` is a name in `actions.ACTIONS`.
    """

    kind: str
    runs: tuple[RunKey, ...] = ()
    queue: str = ""
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
    # Or a part of it: half of it for each step of `zoom`, begun so many quarters of that from its start.
    zoom: int = 0
    pan: int = 0
    times: Times = Times.UTC
    # The columns that there was no room for, in place of those that there was.
    is_wide: bool = False
    mouse: bool = False
    # What the rows of a list, by its name, have to contain.
    narrowed: Mapping[str, str] = field(factory=dict)
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
    """In a recording: so many looks, or so much time, back or forth; or to a second of the day, in UTC."""

    looks: int = 0
    span_us: int = 0
    day_s: int = -1


@frozen
class Gather:
    """Mark all open runs that the filter means, also those that are not in the list."""

    filter: str


Wish = Quit | Refresh | Seek | Perform | Export | Copy | Gather
