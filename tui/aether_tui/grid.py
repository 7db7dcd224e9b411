"""Tables on a screen that changes four times a second: fixed widths, and only the rows that are in sight."""

from collections.abc import Callable, Sequence

from attrs import frozen
from rich.segment import Segment

from aether_tui.lines import Line, Picture, cell, restyled, to_width
from aether_tui.theme import STYLES

Cell = str | tuple[str, str]
_GAP = 1
_SPACE = Segment(" " * _GAP, STYLES[""])


@frozen
class Column:
    """`width` is what it needs; with `grows` it takes what is left over."""

    title: str
    width: int
    align: str = "<"
    grows: bool = False


@frozen
class Window:
    """Rows `top` to `bottom` of `count` are in sight."""

    top: int
    bottom: int
    count: int

    @property
    def note(self) -> str:
        """Where in the list one is; nothing when all of it is in sight."""
        return "" if self.bottom - self.top >= self.count else f"{self.top + 1}-{self.bottom} of {self.count}"


def window(count: int, height: int, top: int, selected: int | None) -> Window:
    """What to show: as before if `selected` is in sight then, else moved just so far that it is."""
    height = max(height, 0)
    if selected is not None and height:
        top = min(top, selected)
        top = max(top, selected - height + 1)
    top = max(min(top, count - height), 0)
    return Window(top, min(top + height, count), count)


def fitting(columns: Sequence[Column], width: int, *, wide: int = 0) -> list[tuple[int, int]]:
    """Index and width of the columns that there is room for; they are given up from the right.

    With `wide` those that were given up take the place of the others, but for so many that stay.
    """
    usual = _fitting(columns, range(len(columns)), width)
    if not wide or len(usual) == len(columns):
        return usual
    return _fitting(columns, [*range(wide), *range(len(usual), len(columns))], width)


def _fitting(columns: Sequence[Column], wanted: Sequence[int], width: int) -> list[tuple[int, int]]:
    chosen: list[tuple[int, int]] = []
    used = -_GAP
    for index in wanted:
        column = columns[index]
        if chosen and used + _GAP + column.width > width:
            break
        chosen.append((index, min(column.width, max(width, 0))))
        used += _GAP + column.width
    growing = [place for place, (index, _) in enumerate(chosen) if columns[index].grows]
    spare = max(width - used, 0)
    for number, place in enumerate(growing):
        share = spare // (len(growing) - number)
        spare -= share
        index, had = chosen[place]
        chosen[place] = (index, had + share)
    return chosen


def head(columns: Sequence[Column], chosen: Sequence[tuple[int, int]], width: int, mark: tuple[str, str]) -> Line:
    """The titles; `mark` is the title that it is sorted by, and an arrow."""
    line: Line = []
    for index, room in chosen:
        column = columns[index]
        title = column.title + (mark[1] if column.title == mark[0] else "")
        line += [cell(title, room, "head", column.align), _SPACE]
    return to_width(line[:-1], width)


def grid(
    columns: Sequence[Column],
    shown: Window,
    row: Callable[[int], Sequence[Cell]],
    width: int,
    *,
    selected: int | None = None,
    sorted_by: tuple[str, str] = ("", ""),
    wide: int = 0,
) -> Picture:
    """A table with its titles. `row` is asked for the rows in sight only."""
    chosen = fitting(columns, width, wide=wide)
    picture = [head(columns, chosen, width, sorted_by)]
    for number in range(shown.top, shown.bottom):
        cells = row(number)
        line: Line = []
        for index, room in chosen:
            value = cells[index]
            text, style = (value, "") if isinstance(value, str) else value
            line += [cell(text, room, style, columns[index].align), _SPACE]
        line = to_width(line[:-1], width)
        picture.append(restyled(line, "selected") if number == selected else line)
    return picture
