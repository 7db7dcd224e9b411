"""What a panel is given, and what it gives back."""

from attrs import evolve, frozen

from aether_tui.grid import Window, window
from aether_tui.known import Known
from aether_tui.lines import Picture
from aether_tui.listing import Listing
from aether_tui.sizes import age, clock
from aether_tui.theme import Theme
from aether_tui.ui import Times, Ui


@frozen
class Scene:
    """Everything that a picture depends on; the same scene gives the same picture."""

    ui: Ui
    known: Known
    width: int
    height: int
    theme: Theme
    now_us: int

    def sized(self, width: int, height: int) -> "Scene":
        return evolve(self, width=width, height=height)

    def clock(self, at_us: int, *, with_date: bool = False, fraction: bool = False) -> str:
        """A time as whoever watches wants it."""
        if self.ui.times is Times.AGO:
            return f"{age(at_us, self.now_us)} ago"
        is_local = self.ui.times is Times.LOCAL
        return clock(at_us, with_date=with_date, fraction=fraction, is_local=is_local)

    def window(self, rows: Listing, height: int) -> tuple[Window, int | None]:
        """The rows in sight, and which of them is selected."""
        ui = self.ui
        chosen = rows.chosen(ui)
        must_show = chosen if ui.has_moved or ui.follow else None
        return window(len(rows.things), height, ui.cursor.top, must_show), chosen


@frozen
class Zone:
    """Cells `left` to `right` of a line; a click there shows a view or a tab, by its name."""

    line: int
    left: int
    right: int
    view: str = ""
    tab: str = ""


@frozen
class Drawn:
    """A picture, and the row at the top of its window: where the next one goes on."""

    picture: Picture
    top: int = 0
    # How many rows of the list there was room for, and the line of the picture that has the first of them.
    page: int = 1
    first: int = -1
    # Where a click means something else.
    zones: tuple[Zone, ...] = ()


def narrowed_note(scene: Scene) -> str:
    """For the title of a list of which only some rows are shown."""
    words = scene.ui.narrowed.get(scene.ui.list_name, "")
    return f" · only {words}" if words else ""
