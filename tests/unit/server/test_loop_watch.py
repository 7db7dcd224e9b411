"""How late the event loop is."""

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aether.core.engine import Engine
from aether.server.clock import Clock
from aether.server.loop_watch import EVERY_S, watch_loop
from aether.server.metrics import MARK_US, Metrics


def watched(script):
    """Runs `script(metrics, clock, mock)` beside the watch, on a clock that the script turns."""
    mock = MockClock()

    async def main():
        clock = Clock()
        metrics = Metrics(Engine(clock.now()).state, 10)
        metrics.decided_at = clock.now()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_loop, metrics, clock)
            await wait_all_tasks_blocked()
            await script(metrics, clock, mock)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=mock)


async def turn(mock, seconds):
    mock.jump(seconds)
    await wait_all_tasks_blocked()


def test_a_loop_that_was_kept_from_turning_is_late_by_so_much():
    async def script(metrics, clock, mock):
        await turn(mock, EVERY_S)
        assert (metrics.loop_lag.count, metrics.loop_lag.total) == (1, 0)
        await turn(mock, EVERY_S + 3)
        assert (metrics.loop_lag.count, metrics.loop_lag.total) == (2, 3_000_000)

    watched(script)


def test_it_rests_while_nothing_happens_and_goes_on_with_the_next_decision():
    async def script(metrics, clock, mock):
        await turn(mock, MARK_US / 1e6)
        seen = metrics.loop_lag.count
        for _ in range(5):
            await turn(mock, 60)
        assert metrics.loop_lag.count == seen
        metrics.mark(clock.now())
        metrics.decided_at = clock.now()
        await wait_all_tasks_blocked()
        await turn(mock, EVERY_S)
        assert metrics.loop_lag.count == seen + 1

    watched(script)


def test_a_worker_that_only_says_that_it_is_there_does_not_keep_it_awake():
    async def script(metrics, clock, mock):
        for _ in range(12):
            # A decision every five seconds, a mark with every second of them.
            metrics.decided_at = clock.now()
            if clock.now() >= metrics.mark_at:
                metrics.mark(clock.now())
            for _ in range(20):
                await turn(mock, EVERY_S)
        assert metrics.loop_lag.count < 60

    watched(script)
