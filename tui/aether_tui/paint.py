"""Pictures as bytes for a terminal: only the lines that changed, between marks that hold the screen still meanwhile.

Line wrap is off while we paint, so a character whose width the terminal sees otherwise spoils its own line only.
"""

from functools import lru_cache
from typing import Final

from attrs import define, field
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from aether_tui.lines import Line, Picture

_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_ERASE_REST: Final = "\x1b[K"
_RESET: Final = "\x1b[0m"


@lru_cache(256)
def _codes(style: Style, colours: ColorSystem | None) -> str:
    """What switches a style on."""
    if colours is None:
        style = style.without_color
    marked = style.render("x", color_system=colours or ColorSystem.STANDARD)
    return marked.partition("x")[0]


@define
class Painter:
    """Remembers what the terminal shows. `colours` None: no colour, still bold, dim and reverse."""

    colours: ColorSystem | None = ColorSystem.STANDARD
    _shown: list[str] = field(factory=list)
    _width: int = 0

    def forget(self) -> None:
        """The screen may show anything: the next picture is painted in full."""
        self._shown = []

    def paint(self, picture: Picture, width: int) -> bytes:
        """What makes the terminal show the picture; nothing if it does already."""
        is_new = width != self._width or len(self._shown) != len(picture)
        lines = [self._text(line) for line in picture]
        before = [""] * len(lines) if is_new else self._shown
        out = [
            f"\x1b[{number}H{line}"
            for number, (line, old) in enumerate(zip(lines, before, strict=True), 1)
            if is_new or line != old
        ]
        self._shown, self._width = lines, width
        if not out:
            return b""
        return "".join([_BEGIN, *(["\x1b[2J"] if is_new else []), *out, _RESET, _END]).encode("utf-8", "replace")

    def lines(self, picture: Picture) -> str:
        """The picture for a terminal that simply goes on: lines, and no cursor that moves."""
        return "".join(self._text(line).removesuffix(_ERASE_REST) + "\n" for line in picture)

    def _text(self, line: Line) -> str:
        """The codes of a line; blanks at its end are erased and not written."""
        out: list[str] = []
        now = ""
        for segment in _without_end(line):
            codes = _codes(segment.style or _PLAIN, self.colours)
            if codes != now:
                out.append(_RESET + codes if now else codes)
                now = codes
            out.append(segment.text)
        if now:
            out.append(_RESET)
        # At the right edge erasing would take the last character away.
        is_full = len(line) > 0 and not _is_blank(line[-1])
        return "".join(out) + ("" if is_full else _ERASE_REST)


_PLAIN: Final = Style.null()


def _is_blank(segment: Segment) -> bool:
    style = segment.style or _PLAIN
    return segment.text.endswith(" ") and not style.reverse and not style.bgcolor


def _without_end(line: Line) -> Line:
    out = list(line)
    while out and _is_blank(out[-1]):
        text = out[-1].text.rstrip(" ")
        if text:
            out[-1] = Segment(text, out[-1].style)
            break
        out.pop()
    return out
