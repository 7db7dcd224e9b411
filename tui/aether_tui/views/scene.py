"""What a panel is given, and what it gives back."""

from attrs import evolve, frozen

from aether_tui.grid import Window, window
from aether_tui.known import Known
from aether_tui.lines import Picture
from aether_tui.listing import Listing
from aether_tui.theme import Theme
from aether_tui.ui import Ui


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

    def window(self, rows: Listing, height: int) -> tuple[Window, int | None]:
        """The rows in sight, and which of them is selected."""
        ui = self.ui
        chosen = rows.chosen(ui)
        must_show = chosen if ui.has_moved or ui.follow else None
        return window(len(rows.things), height, ui.cursor.top, must_show), chosen


@frozen
class Drawn:
    """A picture, and the row at the top of its window: where the next one goes on."""

    picture: Picture
    top: int = 0
    # How many rows of the list there was room for.
    page: int = 1
