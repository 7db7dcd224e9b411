"""What things look like: signs and styles. A state is always a sign and a word, never a colour alone.

Only the sixteen colours that the user's terminal owns are used, so that a light background is as legible as a dark one.
"""

from typing import Final

from attrs import field, frozen
from rich.box import ASCII, ROUNDED, Box
from rich.style import Style

STYLES: Final = {
    "": Style.null(),
    "head": Style(bold=True),
    "dim": Style(dim=True),
    "title": Style(color="cyan", bold=True),
    "border": Style(dim=True),
    "good": Style(color="green"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red"),
    "info": Style(color="cyan"),
    "active": Style(color="blue"),
    "key": Style(color="cyan", bold=True),
    "selected": Style(reverse=True),
    "alarm": Style(color="red", bold=True, reverse=True),
    "notice": Style(bold=True, reverse=True),
}
# What becomes of a run, a step, an attempt: the style, and its sign with and without Unicode.
_SIGNS: Final = {
    "PENDING": ("warn", "·", "."),
    "RUNNING": ("active", "▶", ">"),
    "COMPLETED": ("good", "✓", "+"),
    "FAILED": ("bad", "✗", "x"),
    "CANCELLED": ("dim", "⊘", "-"),
    "PAUSED": ("warn", "‖", "="),
    "BLOCKED": ("bad", "!", "!"),
    "WAITING": ("warn", "◌", "o"),
    "SLEEPING": ("info", "◷", "z"),
    "RETRYING": ("warn", "↻", "~"),
    "NEWS": ("info", "•", "*"),
}


@frozen
class Theme:
    """`ascii_only` for terminals and fonts that know no more."""

    ascii_only: bool = False
    ramp: str = field(init=False)
    box: Box = field(init=False)

    @ramp.default
    def _ramp(self) -> str:
        return " .:-=+*#" if self.ascii_only else "▁▂▃▄▅▆▇█"

    @box.default
    def _box(self) -> Box:
        return ASCII if self.ascii_only else ROUNDED

    def sign(self, state: str) -> str:
        """One cell for a state."""
        _, sign, plain = _SIGNS.get(state, ("", "?", "?"))
        return plain if self.ascii_only else sign

    def pick(self, rich: str, plain: str) -> str:
        """The first where the terminal knows Unicode."""
        return plain if self.ascii_only else rich


def style_of(state: str) -> str:
    """The name of a state's style."""
    return _SIGNS.get(state, ("",))[0]
