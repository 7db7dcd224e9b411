"""A picture is a list of lines, a line is a list of Rich's segments of exactly the width that was asked for.

Everything that shows text from outside makes its segments with `cell` or `fit`: they clean it. Rich's own tables and
trees measure every row at every frame, which costs a third of a core for two hundred of them; these do not.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment

from aether.model.visible import clean
from aether_tui.theme import STYLES, Theme

Line = list[Segment]
Picture = list[Line]

# Characters without a cell of their own, on whose width terminals disagree; a picture would lose its edges.
_UNSURE: Final = re.compile("[\u200b-\u200d\u2060-\u2064\ufe00-\ufe0e\ufeff\U000e0000-\U000e01ef]")
_CLEANED_MAX: Final = 4096
# Nobody reads more of one line, and cleaning it costs.
_TEXT_MAX: Final = 4000


@lru_cache(_CLEANED_MAX)
def shown(text: str) -> str:
    """`text` as it may stand on a terminal, on one line."""
    if text.isascii() and text.isprintable():
        return text[:_TEXT_MAX]
    text = clean(text[:_TEXT_MAX]).replace("\ufe0f", "")
    return _UNSURE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def width_of(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


@lru_cache(_CLEANED_MAX)
def fit(text: str, width: int, align: str = "<", more: str = "…") -> str:
    """`text`, cleaned, on exactly `width` cells; what is too long ends with `more`."""
    text = shown(text)
    length = width_of(text)
    if length > width:
        if width <= 0:
            return ""
        return set_cell_size(text, width - 1) + more
    padding = " " * (width - length)
    return padding + text if align == ">" else text + padding


def folded(text: str, width: int) -> list[str]:
    """`text`, cleaned, on lines of at most `width` cells; at least one."""
    text = shown(text)
    return [text] if width_of(text) <= width else chop_cells(text, max(width, 2))


def cell(text: str, width: int, style: str = "", align: str = "<") -> Segment:
    return Segment(fit(text, width, align), STYLES[style])


def words(*parts: tuple[str, str] | str) -> Line:
    """A line of pieces, each as long as it is: a text, or a text and the name of its style."""
    out = []
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        if text:
            out.append(Segment(shown(text), STYLES[style]))
    return out


def length_of(line: Iterable[Segment]) -> int:
    return sum(width_of(segment.text) for segment in line)


def to_width(line: Line, width: int) -> Line:
    """The line on exactly `width` cells."""
    out: Line = []
    left = width
    for segment in line:
        length = width_of(segment.text)
        if length > left:
            if left > 0:
                out.append(Segment(fit(segment.text, left), segment.style))
            return out
        out.append(segment)
        left -= length
    if left:
        out.append(Segment(" " * left, STYLES[""]))
    return out


def restyled(line: Line, style: str) -> Line:
    """The line in one style."""
    return [Segment(segment.text, STYLES[style]) for segment in line]


def to_size(picture: Sequence[Line], width: int, height: int) -> Picture:
    """Exactly `height` lines of exactly `width` cells."""
    out = [to_width(line, width) for line in picture[:height]]
    return out + [[Segment(" " * width, STYLES[""])] for _ in range(height - len(out))]


def beside(*parts: tuple[Sequence[Line], int]) -> Picture:
    """Pictures side by side, each with its width; as high as the highest."""
    height = max(len(picture) for picture, _ in parts)
    sized = [to_size(picture, width, height) for picture, width in parts]
    return [[segment for picture in sized for segment in picture[row]] for row in range(height)]


def boxed(
    title: str, inside: Sequence[Line], width: int, height: int, theme: Theme, *, style: str = "border"
) -> Picture:
    """A picture in a frame that carries its name; all of it on `width` cells and `height` lines."""
    if width < 4 or height < 3:
        return to_size(inside, max(width, 0), max(height, 0))
    shape = theme.box
    edge = STYLES[style]
    name = fit(title, min(width_of(shown(title)), width - 6)) if width > 8 else ""
    label = [Segment(f" {name} ", STYLES["title" if style == "border" else style])] if name else []
    rest = width - 3 - length_of(label)
    top: Line = [Segment(shape.top_left + shape.top, edge), *label, Segment(shape.top * rest + shape.top_right, edge)]
    side = Segment(shape.mid_left + " ", edge), Segment(" " + shape.mid_right, edge)
    body = [[side[0], *line, side[1]] for line in to_size(inside, width - 4, height - 2)]
    return [top, *body, [Segment(shape.bottom_left + shape.bottom * (width - 2) + shape.bottom_right, edge)]]


def plain(picture: Sequence[Line]) -> str:
    """The letters of a picture."""
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in picture)
