"""How late the event loop is: a task that sleeps for a moment, again and again, and looks when it has woken.

Whatever keeps the loop from turning (a large answer, a collection of garbage, a machine without time for us) makes it
late, and everybody else as well. Nothing is looked at while nothing happens: after ten quiet seconds it rests until the
engine decides again.
"""

import trio

from aether.server.clock import Clock
from aether.server.metrics import MARK_US, Metrics

EVERY_S = 0.25


async def watch_loop(metrics: Metrics, clock: Clock) -> None:
    """Observe `metrics.loop_lag` for ever."""
    while True:
        due = trio.current_time() + EVERY_S
        await trio.sleep_until(due)
        metrics.loop_lag.observe(int((trio.current_time() - due) * 1e6))
        if clock.now() - metrics.decided_at >= MARK_US:
            busy = trio.Event()
            metrics.on_mark = busy.set
            # A mark is due by now, so the next decision makes one.
            await busy.wait()
