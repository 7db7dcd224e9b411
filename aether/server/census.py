"""What the open runs do, counted when somebody asks, a little at a time so that nobody has to wait for it."""

from collections import Counter

import trio

from aether.core.state import State
from aether.core.views import Detail, detail_of

# So many take half a millisecond.
_CHUNK = 500
# A count is good for a second, or for so many times as long as it took.
_FRESH_S = 1.0
_FRESH_FACTOR = 20.0


class Census:
    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = trio.Lock()
        self._counts: Counter[Detail] = Counter()
        self._fresh_until = -1.0

    async def take(self) -> Counter[Detail]:
        """How many open runs there are of each kind; may be a moment old."""
        async with self._lock:
            started = trio.current_time()
            if started < self._fresh_until:
                return self._counts
            counts: Counter[Detail] = Counter()
            runs = list(self._state.runs.values())
            for first in range(0, len(runs), _CHUNK):
                if first:
                    await trio.lowlevel.checkpoint()
                counts.update(detail_of(run) for run in runs[first : first + _CHUNK] if not run.state.is_closed)
            now = trio.current_time()
            self._counts = counts
            self._fresh_until = now + max(_FRESH_S, _FRESH_FACTOR * (now - started))
            return counts
