"""A run's timeline as bars under one another. Pure: rows and a width in, cells out.

A bar is made of stretches: waiting in a queue, running, backing off, sleeping, waiting for somebody. Every stretch has
at least one cell, however short it was; what runs is drawn over what waits.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import frozen
from rich.segment import Segment

from aether import TimelineRow
from aether_tui.lines import Line
from aether_tui.sizes import micros, span
from aether_tui.theme import STYLES, Theme

# Kind of a stretch: its cell with and without Unicode, its style; the later ones cover the earlier ones.
_CELLS: Final = {
    "sleeping": ("┄", "-", "info"),
    "waiting": ("┈", "~", "warn"),
    "queued": ("░", ":", "dim"),
    "backing_off": ("·", ".", "warn"),
    "child": ("═", "#", "active"),
    "running": ("━", "=", "active"),
    "completed": ("━", "=", "good"),
    "cancelled": ("╌", "_", "dim"),
    "failed": ("╍", "%", "bad"),
    "point": ("◆", "*", "info"),
}
_RANK: Final = {kind: rank for rank, kind in enumerate(_CELLS)}
_BREAK: Final = ("⋯", ",", "dim")
# A stretch in which nothing runs is cut out if it is more than that part of the whole.
_IDLE_PART: Final = 8
_BREAK_CELLS: Final = 3


@frozen
class Stretch:
    start_us: int
    end_us: int
    kind: str


@frozen
class Scale:
    """From times to cells. `cuts` are spans that take `_BREAK_CELLS` each, whatever their length."""

    start_us: int
    end_us: int
    width: int
    cuts: tuple[tuple[int, int], ...] = ()
    # What times are counted from on the axis.
    origin_us: int = 0

    def cell(self, at_us: int) -> int:
        """The cell that a time falls into."""
        cut_us = sum(end - start for start, end in self.cuts)
        room = max(self.width - _BREAK_CELLS * len(self.cuts), 1)
        length = max(self.end_us - self.start_us - cut_us, 1)
        passed, cells = min(max(at_us, self.start_us), self.end_us) - self.start_us, 0.0
        for start, end in self.cuts:
            if at_us >= end:
                passed -= end - start
                cells += _BREAK_CELLS
            elif at_us > start:
                passed -= at_us - start
                cells += _BREAK_CELLS * (at_us - start) / (end - start)
        return min(int(passed * room / length + cells), self.width - 1)


def stretches(row: TimelineRow, now_us: int) -> list[Stretch]:
    """What a row did, in order."""
    begun, ended = micros(row.created_at), micros(row.ended_at) if row.ended_at else now_us
    if row.kind in {"value", "signal"}:
        return [Stretch(begun, begun, "point")]
    if row.kind == "timer":
        return [Stretch(begun, ended, "sleeping")]
    if row.kind == "promise":
        return [Stretch(begun, ended, "waiting")]
    if row.kind == "child":
        return [Stretch(begun, ended, "child")]
    if row.kind == "run":
        started = micros(row.started_at) if row.started_at else ended
        return [Stretch(begun, started, "queued"), Stretch(started, ended, _kind_of(row))]
    return _of_attempts(row, begun, ended) or [Stretch(begun, ended, "queued" if not row.started_at else _kind_of(row))]


def _kind_of(row: TimelineRow) -> str:
    return {"completed": "completed", "failed": "failed", "cancelled": "cancelled", "abandoned": "cancelled"}.get(
        row.state, "running"
    )


def _of_attempts(row: TimelineRow, begun: int, ended: int) -> list[Stretch]:
    out: list[Stretch] = []
    before = begun
    for attempt in row.attempts:
        due = micros(attempt.due_at) if attempt.due_at else before
        started = micros(attempt.started_at) if attempt.started_at else None
        if due > before:
            out.append(Stretch(before, min(due, ended), "backing_off"))
        if started is None:
            out.append(Stretch(due, ended, "queued"))
            break
        if started > due:
            out.append(Stretch(due, started, "queued"))
        end = micros(attempt.ended_at) if attempt.ended_at else ended
        is_last = attempt is row.attempts[-1]
        kind = "failed" if attempt.failure else _kind_of(row) if is_last else "completed"
        out.append(Stretch(started, max(end, started), kind))
        before = max(end, started)
    if row.state == "backing_off":
        out.append(Stretch(before, ended, "backing_off"))
    return out


def scale_of(rows: Sequence[TimelineRow], now_us: int, width: int, *, hides_idle: bool = False) -> Scale:
    """All of a run on `width` cells; with `hides_idle` long stretches without anything that runs are cut short."""
    # The first row is the run itself, which is around all others: ten thousand rows need not be looked at.
    whole = rows[0]
    start = micros(whole.created_at)
    end = max(micros(whole.ended_at) if whole.ended_at else now_us, start + 1)
    cuts: tuple[tuple[int, int], ...] = ()
    if hides_idle:
        cuts = tuple(_idle(rows[1:], start, end, now_us))[: max(width // (4 * _BREAK_CELLS), 0)]
    return Scale(start, end, max(width, 1), cuts, start)


def zoomed(scale: Scale, rows: Sequence[TimelineRow], now_us: int) -> Scale:
    """The time in which these rows happened; the run itself, which is around everything, left out."""
    parts = [row for row in rows if row.kind != "run"]
    if not parts:
        return scale
    start = min(micros(row.created_at) for row in parts)
    end = max(micros(row.ended_at) if row.ended_at else now_us for row in parts)
    return Scale(start, max(end, start + 1), scale.width, (), scale.origin_us)


def part_of(scale: Scale, zoom: int, pan: int) -> Scale:
    """Half of it for each step of `zoom`, begun so many quarters of that after its start."""
    length = max((scale.end_us - scale.start_us) >> zoom, 1)
    start = min(scale.start_us + pan * length // 4, scale.end_us - length)
    return Scale(start, start + length, scale.width, (), scale.origin_us)


def _idle(rows: Iterable[TimelineRow], start: int, end: int, now_us: int) -> Iterable[tuple[int, int]]:
    busy = sorted(
        (each.start_us, each.end_us)
        for row in rows
        if row.kind not in {"timer", "promise", "child"}
        for each in stretches(row, now_us)
        if each.kind not in {"queued", "backing_off"}
    )
    at, least = start, (end - start) // _IDLE_PART
    for begun, ended in [*busy, (end, end)]:
        if begun - at > least:
            margin = (begun - at) // 50
            yield at + margin, begun - margin
        at = max(at, ended)


def bar(row: TimelineRow, scale: Scale, now_us: int, theme: Theme) -> Line:
    """One row on exactly the scale's width."""
    kinds: list[str] = [""] * scale.width
    for each in stretches(row, now_us):
        first, last = scale.cell(each.start_us), scale.cell(each.end_us)
        for index in range(first, max(last, first) + 1):
            if not kinds[index] or _RANK[each.kind] >= _RANK[kinds[index]]:
                kinds[index] = each.kind
    broken: set[int] = set()
    for start, end in scale.cuts:
        broken.update(range(scale.cell(start) + 1, scale.cell(end)))
    line: Line = []
    at = 0
    while at < scale.width:
        key = kinds[at], at in broken
        to = at + 1
        while to < scale.width and (kinds[to], to in broken) == key:
            to += 1
        line.append(_piece(*key, to - at, theme))
        at = to
    return line


def _piece(kind: str, is_broken: bool, cells: int, theme: Theme) -> Segment:
    if not kind:
        return Segment(" " * cells, STYLES[""])
    rich, plain, style = _BREAK if is_broken else _CELLS[kind]
    return Segment(theme.pick(rich, plain) * cells, STYLES[style])


def axis(scale: Scale) -> str:
    """Times since the start, over the bars."""
    out = [" "] * scale.width
    marks = max(scale.width // 16, 1)
    length = scale.end_us - scale.start_us
    for index in range(marks + 1):
        at = scale.start_us + length * index // marks
        text = span(at - scale.origin_us) if at > scale.origin_us else "0"
        cell = scale.cell(at)
        left = min(cell, scale.width - len(text))
        if left >= 0 and all(out[each] == " " for each in range(max(left - 1, 0), left + len(text))):
            out[left : left + len(text)] = text
    return "".join(out)
