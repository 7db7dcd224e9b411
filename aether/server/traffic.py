"""What comes in by the doors, counted: calls and connections."""

from collections.abc import Callable

import trio

from aether.core.histograms import Histogram
from aether.wire.status import Code

# Calls of methods that there are not.
UNKNOWN = "unknown"


class Traffic:
    """One for a server; whoever opens a door reports to it. Paths are those of methods, so there are not many."""

    def __init__(self, now: Callable[[], float] = trio.current_time) -> None:
        self.connections = 0
        self._now = now
        self._calls: dict[tuple[str, int], int] = {}
        self._durations: dict[str, Histogram] = {}

    def call_ended(self, path: str, code: int, began_at: float | None) -> None:
        """`began_at`: when it came, on Trio's clock; None for calls that last as long as somebody wants to wait."""
        key = (path, code)
        calls = self._calls
        calls[key] = calls.get(key, 0) + 1
        if began_at is not None:
            histogram = self._durations.get(path)
            if histogram is None:
                histogram = self._durations[path] = Histogram()
            histogram.observe(int((self._now() - began_at) * 1e6))

    def requests(self) -> list[tuple[tuple[str, ...], int]]:
        """By method and code."""
        return [((_method(path), _code(code)), count) for (path, code), count in self._calls.items()]

    def durations(self) -> list[tuple[tuple[str, ...], Histogram]]:
        """By method."""
        return [((_method(path),), histogram) for path, histogram in self._durations.items()]


def _method(path: str) -> str:
    """`/aether.v1.ClientService/StartWorkflow` is StartWorkflow; what others define keeps its service."""
    service, _, name = path.removeprefix("/").rpartition("/")
    return name if service.startswith("aether.") else f"{service}/{name}" if service else UNKNOWN


def _code(number: int) -> str:
    try:
        return Code(number).name
    except ValueError:
        return UNKNOWN
