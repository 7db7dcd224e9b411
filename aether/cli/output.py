"""What a command shows, as text: for people on a terminal, in columns of tabs in a pipe, or as data. Pure.

On a terminal columns are aligned and may carry colour. When a table is wider than the terminal, columns are left out in
the order of `gives_way`, and those that are marked `can_shrink` are cut; when that is not enough, each row becomes a
block of `name value` lines, so that an id is never cut. In a pipe a row is one line of values with tabs between, whole
and without colour.

A cell is a text, a number or a moment; it becomes text here, so that rows are sorted by what they mean and times are
shown as somebody asked for. What was asked for is a `Look`.

Everything that comes from users is passed through `clean` first: a workflow's name may hold bytes that move the cursor,
rename the window or fill the clipboard.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from attrs import frozen

from aether.cli.moments import Moment, Times, moment_text
from aether.cli.yaml_text import yaml_text
from aether.errors import InvalidArgument
from aether.model.visible import HOSTILE, clean, clean_lines

_COLOURS = {"green": "32", "yellow": "33", "red": "31", "dim": "2"}
_TONES = {
    "COMPLETED": "green",
    "RUNNING": "yellow",
    "FAILED": "red",
    "CANCELLED": "dim",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
}
_GAP = "  "
_SHRUNK_MIN = 12
_READABLE = 24


class Format(StrEnum):
    """Values of `--output`."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    NAME = "name"

    @property
    def is_data(self) -> bool:
        """For programs: whole, and in a form that stays."""
        return self not in (Format.TABLE, Format.WIDE)


Cell = str | int | Moment


class Colour(StrEnum):
    """Values of `--color`."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@frozen
class Look:
    """How somebody wants a table to be shown."""

    # Names of columns, see `name_of`; empty: all.
    columns: tuple[str, ...] = ()
    has_titles: bool = True
    # The column that rows are sorted by, with a `-` in front from the last to the first; empty: as they come.
    sort: str = ""
    # None: as the command does it by itself.
    times: Times | None = None
    colour: Colour = Colour.AUTO


@frozen
class Screen:
    """What the text is written to. `width` 0 means a pipe or a file."""

    width: int = 0
    has_colour: bool = False
    look: Look = Look()
    now_us: int = 0

    def text(self, cell: Cell) -> str:
        if isinstance(cell, Moment):
            return moment_text(cell.at_us, self.look.times or Times.UTC, self.now_us)
        return clean(str(cell))


@frozen
class Column:
    title: str
    can_shrink: bool = False
    # Cells of a row that is shown before the next one is known; 0: what is left.
    width: int = 0
    # Left out where there is no room, the one with the greatest number first; 0: never.
    gives_way: int = 0

    @property
    def name(self) -> str:
        """What it is called in options: `hands-out`."""
        return self.title.lower().replace(" ", "-")


@frozen
class Row:
    """One thing of a list: as cells of a table, as data, and the name of it."""

    cells: tuple[Cell, ...]
    document: object
    name: str


def screen_of(
    environ: Mapping[str, str], *, is_terminal: bool, width: int, look: Look = Look(), now_us: int = 0
) -> Screen:
    """The screen that a process with these variables writes to.

    Who forces colours wants what a terminal gets; who wants none, only its columns.
    """
    is_forced = look.colour is Colour.ALWAYS or (look.colour is Colour.AUTO and bool(environ.get("FORCE_COLOR")))
    if not is_terminal and not is_forced:
        return Screen(0, has_colour=False, look=look, now_us=now_us)
    is_wanted = look.colour is Colour.AUTO and not environ.get("NO_COLOR")
    can = is_forced or environ.get("TERM") != "dumb"
    has_colour = look.colour is Colour.ALWAYS or (is_wanted and can)
    return Screen(max(width, 20), has_colour=has_colour, look=look, now_us=now_us)


def arranged(columns: Sequence[Column], rows: Sequence[Row], look: Look) -> Sequence[Row]:
    """The rows in the order that was asked for. Raises InvalidArgument."""
    if not look.sort:
        return rows
    name = look.sort.removeprefix("-")
    place = _place(columns, name, "--sort")
    return sorted(rows, key=lambda row: _weight(row.cells[place]), reverse=look.sort.startswith("-"))


def _weight(cell: Cell) -> tuple[int, int, str]:
    """Numbers and times by what they are, before texts."""
    if isinstance(cell, str):
        return 1, 0, cell
    return 0, cell.at_us if isinstance(cell, Moment) else cell, ""


def _place(columns: Sequence[Column], name: str, option: str) -> int:
    names = [column.name for column in columns]
    if name.lower() not in names:
        raise InvalidArgument(f"{option}: there is no column {name!r}; there are {', '.join(names)}", field=option)
    return names.index(name.lower())


def _chosen(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], look: Look
) -> tuple[Sequence[Column], Sequence[Sequence[Cell]]]:
    if not look.columns:
        return columns, rows
    places = [_place(columns, name, "--columns") for name in look.columns]
    return [columns[each] for each in places], [[row[each] for each in places] for row in rows]


def width_of(text: str) -> int:
    """How many cells of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def render_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], screen: Screen) -> str:
    """The rows under their titles, ending in a newline."""
    columns, rows = _chosen(columns, rows, screen.look)
    cells = [[screen.text(cell) for cell in row] for row in rows]
    titles = [column.title for column in columns]
    heads = [titles] if screen.look.has_titles else []
    if not screen.width:
        return _lines("\t".join(row) for row in (*heads, *cells))
    widths = [
        max(map(width_of, column), default=0) for column in zip(*(heads or [[""] * len(titles)]), *cells, strict=True)
    ]
    kept = range(len(columns)) if screen.look.columns else _kept(columns, widths, screen.width)
    widths = [widths[each] for each in kept]
    _shrink([columns[each] for each in kept], widths, screen.width)
    if _total(widths) > screen.width:
        return "\n".join(render_fields(list(zip(titles, row, strict=True)), screen) for row in cells)
    heads, cells = ([[row[each] for each in kept] for row in part] for part in (heads, cells))
    shown = [_painted(_row(head, widths), "dim", screen) for head in heads]
    return _lines((*shown, *(_row(row, widths, screen) for row in cells)))


def _kept(columns: Sequence[Column], widths: Sequence[int], room: int) -> Sequence[int]:
    """The columns for which there is room. Those that can shrink are left out before they are hardly to be read."""
    kept = list(range(len(columns)))
    while kept:
        wanted = [min(widths[each], _READABLE) if columns[each].can_shrink else widths[each] for each in kept]
        last = max(kept, key=lambda each: columns[each].gives_way)
        if _total(wanted) <= room or not columns[last].gives_way:
            break
        kept.remove(last)
    return kept


def render_row(columns: Sequence[Column], row: Sequence[Cell], screen: Screen) -> str:
    """One line of a table that is shown while it grows."""
    columns, (row,) = _chosen(columns, [row], screen.look)
    cells = [screen.text(cell) for cell in row]
    if not screen.width:
        return "\t".join(cells) + "\n"
    widths = [
        column.width if column.can_shrink else max(column.width, width_of(cell))
        for column, cell in zip(columns, cells, strict=True)
    ]
    left = max(screen.width - _total(widths), _SHRUNK_MIN)
    return _row(cells, [width or left for width in widths], screen) + "\n"


def render_fields(fields: Sequence[tuple[str, Cell]], screen: Screen) -> str:
    """One thing as a line for each of its fields; lines of a value stay lines on a terminal."""
    if not screen.width:
        return _lines(f"{name}\t{screen.text(value)}" for name, value in fields)
    widest = max((width_of(name) for name, _ in fields), default=0)
    out = []
    for name, value in fields:
        text = clean_lines(value) if isinstance(value, str) else screen.text(value)
        first, *more = text.split("\n")
        out.append(_painted(name.ljust(widest), "dim", screen) + _GAP + _toned(first, screen))
        out.extend(" " * widest + _GAP + line for line in more)
    return _lines(line.rstrip() for line in out)


def render_data(output: Format, document: object, names: Iterable[str]) -> str:
    """The document, or the names of what is in it, one a line, for a loop in a shell."""
    if output is Format.NAME:
        return _lines(clean(name) for name in names)
    if output is Format.YAML:
        return HOSTILE.sub(_json_escaped, yaml_text(document))
    if output is Format.JSONL:
        documents = document if isinstance(document, list) else [document]
        return "".join(render_json(each, indent=None) for each in documents)
    return render_json(document)


def render_json(document: object, indent: int | None = 2) -> str:
    """The document, indented or on one line, with everything that a terminal would obey escaped."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    return HOSTILE.sub(_json_escaped, text) + "\n"


def _json_escaped(match: re.Match[str]) -> str:
    # json.dumps has escaped those below a blank already; the newlines that are left are its own.
    return match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}"


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _shrink(columns: Sequence[Column], widths: list[int], room: int) -> None:
    """Takes what is too much from the widest of the columns that can give, until it fits or nothing can."""
    can = [index for index, column in enumerate(columns) if column.can_shrink]
    while _total(widths) > room and can:
        widest = max(can, key=lambda index: widths[index])
        if widths[widest] <= _SHRUNK_MIN:
            return
        others = max((widths[index] for index in can if index != widest), default=0)
        least = max(_SHRUNK_MIN, min(others, widths[widest] - 1))
        widths[widest] = max(least, widths[widest] - (_total(widths) - room))


def _row(cells: Sequence[str], widths: Sequence[int], screen: Screen | None = None) -> str:
    out = []
    for cell, width in zip(cells, widths, strict=True):
        text = _cut(cell, width)
        padding = " " * (width - width_of(text))
        out.append((_toned(text, screen) if screen else text) + padding)
    return _GAP.join(out).rstrip()


def _cut(text: str, width: int) -> str:
    if width_of(text) <= width:
        return text
    kept = text
    while width_of(kept) > width - 1:
        kept = kept[: min(len(kept) - 1, width - 1)]
    return kept + "…"


def _toned(text: str, screen: Screen) -> str:
    tone = _TONES.get(text)
    return _painted(text, tone, screen) if tone else text


def _painted(text: str, colour: str, screen: Screen) -> str:
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if screen.has_colour else text
