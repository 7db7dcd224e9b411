"""Small drawings in one line: curves and bars. Pure."""

from collections.abc import Sequence

from aether_tui.theme import Theme


def sparkline(values: Sequence[float], width: int, theme: Theme) -> str:
    """The newest `width` values, the highest of them as a full cell."""
    newest = list(values)[-width:] if width > 0 else []
    top = max(newest, default=0)
    ramp = theme.ramp
    out = []
    for value in newest:
        if value <= 0 or top <= 0:
            out.append(" ")
        else:
            out.append(ramp[min(int(value / top * len(ramp)), len(ramp) - 1)])
    return "".join(out).rjust(max(width, 0))


def bar(used: int, full: int, width: int, theme: Theme) -> str:
    """So much of `width` is full as `used` is of `full`; something is never nothing, and not all is never all."""
    on, off = theme.pick("█", "#"), theme.pick("▁", ".")
    if full <= 0 or width <= 0:
        return off * max(width, 0)
    cells = round(min(used / full, 1) * width)
    if 0 < used < full:
        cells = max(1, min(cells, width - 1)) if width > 1 else 0
    return on * cells + off * (width - cells)
