"""Reads for workers the histories that are not in memory.

A disk that refuses to read for a moment must not block a run until another worker comes, so it is asked again, with
growing pauses, for about a minute. Meanwhile the worker keeps the run. What is damaged is damaged for good.
"""

from collections.abc import Callable, Iterator

import trio

from aether.model.payload import UNREADABLE, Failure
from aether.server.archive import Archive
from aether.server.telemetry import Log
from aether.store.interface import StoreDamaged, StoreError

log = Log("aether.server")

FIRST_PAUSE_S = 0.1
PAUSE_MAX_S = 10.0
TRIES_MAX = 12


def fetch(
    nursery: trio.Nursery,
    archive: Archive,
    run_key: int,
    first_seq: int,
    last_seq: int,
    then: Callable[[list[bytes]], None],
    give_up: Callable[[Failure], None],
) -> None:
    """Call `then` with the events of a run, or `give_up` with the reason, once that is known."""

    async def read() -> None:
        pauses = _pauses()
        while True:
            try:
                rows = await archive.events(run_key, first_seq, last_seq)
            except StoreError as fault:
                pause_s = None if isinstance(fault, StoreDamaged) else next(pauses, None)
                log.error("history_unreadable", run_key=run_key, error=str(fault), again_in_s=pause_s)
                if pause_s is None:
                    give_up(Failure(UNREADABLE, str(fault)))
                    return
                await trio.sleep(pause_s)
            else:
                then([row.body for row in rows])
                return

    nursery.start_soon(read)


def _pauses() -> Iterator[float]:
    pause_s = FIRST_PAUSE_S
    for _ in range(TRIES_MAX - 1):
        yield pause_s
        pause_s = min(2 * pause_s, PAUSE_MAX_S)
