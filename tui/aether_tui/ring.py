"""Rates over the last minutes: from counters that are looked at now and then, or from what the server has kept itself.

The time is an argument: the server's, so that looks and its own samples lie on one line.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import define, field, frozen

SPAN_US: Final = 300_000_000
_STRETCHES_MAX: Final = 600
_SPACING_US: Final = 900_000
_RECENT_US: Final = 5_000_000


@frozen
class Stretch:
    """A span of time in which so much happened in a second."""

    start_us: int
    end_us: int
    rates: tuple[float, ...]


@define
class Ring:
    """Five minutes. A counter that goes back was begun anew: the server restarted."""

    _stretches: deque[Stretch] = field(factory=lambda: deque(maxlen=_STRETCHES_MAX))
    _at_us: int = 0
    _counts: tuple[int, ...] = ()

    def add(self, at_us: int, counts: Sequence[int]) -> None:
        """What the counters are now; looks that follow too soon are left out."""
        length = at_us - self._at_us
        if self._counts and 0 <= length < _SPACING_US:
            return
        grown = [now - before for now, before in zip(counts, self._counts, strict=False)]
        if grown and length > 0 and min(grown) >= 0:
            self.put(self._at_us, at_us, [number * 1e6 / length for number in grown])
        self._at_us, self._counts = at_us, tuple(counts)

    def put(self, start_us: int, end_us: int, rates: Sequence[float]) -> None:
        """A stretch that somebody else measured; older than all that are there, or newer."""
        if end_us <= start_us:
            return
        stretch = Stretch(start_us, end_us, tuple(rates))
        if self._stretches and end_us <= self._stretches[0].start_us:
            self._stretches.appendleft(stretch)
        elif not self._stretches or start_us >= self._stretches[-1].end_us:
            self._stretches.append(stretch)

    @property
    def is_empty(self) -> bool:
        return not self._stretches

    def copied(self) -> "Ring":
        return Ring(self._stretches.copy(), self._at_us, self._counts)

    def curve(self, index: int, cells: int) -> list[float]:
        """The last five minutes on so many cells, oldest first; they keep their places while time goes on."""
        if cells <= 0 or not self._stretches:
            return [0.0] * max(cells, 0)
        width = SPAN_US // cells
        last = (self._stretches[-1].end_us - 1) // width
        sums, covered = [0.0] * cells, [0] * cells
        for each in self._stretches:
            for cell in range(max(each.start_us // width, last - cells + 1), (each.end_us - 1) // width + 1):
                within = min(each.end_us, (cell + 1) * width) - max(each.start_us, cell * width)
                sums[cell - last + cells - 1] += each.rates[index] * within
                covered[cell - last + cells - 1] += within
        return [total / max(length, 1) for total, length in zip(sums, covered, strict=True)]

    def rate(self, index: int) -> float:
        """The newest, over a few seconds, so that it can be read."""
        if not self._stretches:
            return 0.0
        newest = self._stretches[-1].end_us
        recent = [each for each in self._stretches if each.end_us > newest - _RECENT_US]
        length = sum(each.end_us - each.start_us for each in recent)
        return sum(each.rates[index] * (each.end_us - each.start_us) for each in recent) / length


@define
class Recent:
    """Numbers by name as they were during the last `span_us`, to tell how fast they grow, or how they changed."""

    span_us: int
    _seen: deque[tuple[int, Mapping[str, int]]] = field(factory=deque)

    def add(self, at_us: int, numbers: Mapping[str, int]) -> None:
        seen = self._seen
        if seen and at_us < seen[-1][0]:
            seen.clear()
        if seen and at_us - seen[-1][0] < _SPACING_US:
            return
        seen.append((at_us, numbers))
        while len(seen) > 2 and at_us - seen[1][0] >= self.span_us:
            seen.popleft()

    def copied(self) -> "Recent":
        return Recent(self.span_us, self._seen.copy())

    def change(self, name: str) -> int | None:
        """None: nothing is known of it from before. What was begun anew has grown from nothing."""
        if len(self._seen) < 2:
            return None
        return self._seen[-1][1].get(name, 0) - self._seen[0][1].get(name, 0)

    def rate(self, name: str) -> float | None:
        """For each second."""
        grown = self.change(name)
        if grown is None:
            return None
        return max(grown, 0) * 1e6 / (self._seen[-1][0] - self._seen[0][0])
