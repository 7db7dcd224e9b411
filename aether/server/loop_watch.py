"""How late the event loop is: a task that sleeps for a moment, again and again, and looks when it has woken.

Whatever keeps the loop from turning (a large answer, a collection of garbage, a machine without time for us) makes it
late, and everybody else as well. Nothing is looked at while nothing happens: after a quiet second it rests until the
next mark, which the engine makes with its first decision ten seconds after the last one. What workers that have nothing
to do say to stay alive is too little to keep it awake.
"""

import trio

from aether.server.clock import Clock
from aether.server.metrics import Metrics

EVERY_S = 0.25
_QUIET_US = 1_000_000


async def watch_loop(metrics: Metrics, clock: Clock) -> None:
    """Observe `metrics.loop_lag` for ever."""
    while True:
        due = trio.current_time() + EVERY_S
        await trio.sleep_until(due)
        metrics.loop_lag.observe(int((trio.current_time() - due) * 1e6))
        if clock.now() - metrics.decided_at >= _QUIET_US:
            busy = trio.Event()
            metrics.on_mark = busy.set
            await busy.wait()
