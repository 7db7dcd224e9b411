"""Distributions as counts in fixed buckets, and what can be told from them.

Values are whole numbers: microseconds, bytes or a count of things. A bucket takes everything up to its bound and
including it; the last one takes the rest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

_MS, _S = 1_000, 1_000_000
# Of what a server does in a moment: commits, waits, steps.
LATENCIES_US = (
    *(250, 500),
    *(_MS, 2_500, 5 * _MS, 10 * _MS, 25 * _MS, 50 * _MS, 100 * _MS, 250 * _MS, 500 * _MS),
    *(_S, 2_500 * _MS, 5 * _S, 10 * _S, 30 * _S, 60 * _S, 300 * _S),
)
# Of whole runs, which may last for months.
DURATIONS_US = tuple(
    seconds * _MS
    for seconds in (10, 100, 1_000, 5_000, 10_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000)
)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
# Events of a history, and bytes of a payload.
LENGTHS = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
BYTES = tuple(64 * 4**power for power in range(9))


class Exemplar(NamedTuple):
    """One that was observed, and the trace in which it was."""

    value: int
    trace_id: str
    at: int


class Histogram:
    """`counts` has one number more than `bounds`; `total` is the sum of what was observed."""

    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: Sequence[int] = LATENCIES_US) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0
        # The last one of each bucket that somebody traced.
        self.exemplars: dict[int, Exemplar] | None = None

    def observe(self, value: int) -> None:
        """Values below 0, which clocks of several machines can give, count as 0."""
        if value < 0:  # noqa: PLR1730 - max() is a call, and this is on the way of each step
            value = 0
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def trace(self, value: int, trace_id: str, at: int) -> None:
        """What was just observed is part of that trace."""
        if self.exemplars is None:
            self.exemplars = {}
        value = max(value, 0)
        self.exemplars[bisect_left(self.bounds, value)] = Exemplar(value, trace_id, at)

    @property
    def count(self) -> int:
        return sum(self.counts)


def quantile(bounds: Sequence[int], counts: Sequence[int], share: float) -> int:
    """The value below which `share` of what was counted lies, 0 < share <= 1; 0 when nothing was counted.

    Within a bucket the values are taken to stand at equal distances, and are whole: of commits with one decision each,
    the middle one has one. Beyond the last bound nothing is known, so that bound is the answer.
    """
    wanted = share * sum(counts)
    seen = 0
    for index, count in enumerate(counts):
        if count and seen + count >= wanted:
            if index == len(bounds):
                break
            low = bounds[index - 1] if index else 0
            return low + ceil((bounds[index] - low) * (wanted - seen) / count)
        seen += count
    return bounds[-1] if seen or wanted else 0
