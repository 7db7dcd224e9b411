"""Closed runs are kept for so long and in such a number as the settings say; then they are removed, the oldest first.

Theory of operation. When more runs are closed than are kept, or time has passed in which some may have grown too old,
the store is asked for what has to go, at least `LOOK_S` seconds after the last time. Otherwise this sleeps, and the
disk with it. What has to go is removed by the writer, between two commits and a few rows at a time, so that no commit
waits for more than that; and between two such parts every commit that waits has its turn.
"""

import math
from collections import Counter

import trio
from attrs import frozen

from aether.model.limits import CLOSED_RUNS_MAX
from aether.server.clock import Clock
from aether.server.tally import Tally
from aether.server.telemetry import Log
from aether.server.writer import BatchWriter
from aether.store.interface import Retention, StoreError

log = Log("aether.server")

LOOK_S = 10.0
# Takes some milliseconds, most of them for the flush.
ROWS_MAX = 100
# So much longer than it should a run may be kept for its age.
_AGE_SHARE = 0.001
_DAY_US = 24 * 3600 * 1_000_000


@frozen
class Keep:
    """How many closed runs are kept, and for how many days; 0 is no bound."""

    closed_max: int = CLOSED_RUNS_MAX
    closed_days: float = 0.0

    def at(self, now: int) -> Retention | None:
        """What that means at `now`; None if everything is kept."""
        if not self.closed_max and not self.closed_days:
            return None
        since = now - int(self.closed_days * _DAY_US) if self.closed_days else None
        return Retention(since, self.closed_max or None)


async def retain(keep: Keep, writer: BatchWriter, clock: Clock, tally: Tally) -> None:
    """Remove what is not kept, for ever. Raises what the store raises, but for what passes by itself."""
    while (retention := keep.at(clock.now())) is not None:
        try:
            removed = await _sweep(retention, writer, tally)
        except StoreError as fault:
            if not fault.is_retryable:
                raise
            # A full disk: the writer tells of it, and this has time.
            await trio.sleep(LOOK_S)
            continue
        if removed:
            log.info("runs_removed", count=removed)
        await _until_wanted(keep, tally)


async def _until_wanted(keep: Keep, tally: Tally) -> None:
    """Nothing has to go before more runs are closed, or one of those that are grows too old."""
    closed_max = keep.closed_max or math.inf
    if keep.closed_days:
        await tally.more_closed_than(0)
        with trio.move_on_after(keep.closed_days * _DAY_US / 1e6 * _AGE_SHARE):
            await tally.more_closed_than(closed_max)
    else:
        await tally.more_closed_than(closed_max)
    await trio.sleep(LOOK_S)


async def _sweep(retention: Retention, writer: BatchWriter, tally: Tally) -> int:
    removed: Counter[tuple[str, int]] = Counter()
    while True:
        forgotten = await writer.between(lambda store: store.forget(retention, ROWS_MAX))
        tally.forget(forgotten.counts)
        removed.update(forgotten.counts)
        if forgotten.is_done:
            return removed.total()
