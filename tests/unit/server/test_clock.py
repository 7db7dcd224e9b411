import time

import pytest
import trio
from trio.testing import MockClock

from aether.server.clock import Clock


def test_times_follow_trio_and_not_steps_of_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        clock = Clock()
        started = clock.now()
        assert abs(started - clock.started_at) < 1_000
        monkeypatch.setattr(time, "time_ns", lambda: 0)
        await trio.sleep(3600)
        assert abs(clock.now() - started - 3_600_000_000) < 10

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_deadline_on_trios_clock_is_never_early() -> None:
    async def main() -> None:
        clock = Clock()
        for delay in (0, 1, 999, 1_000_001):
            at = clock.now() + delay
            await trio.sleep_until(clock.trio_time(at))
            assert at <= clock.now() <= at + 3

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_time_goes_on_from_the_newest_event_when_the_wall_clock_was_set_back() -> None:
    async def main() -> None:
        clock = Clock(lambda: 1_000_000_000)
        assert clock.not_before(500_000) == 0
        assert clock.now() == 1_000_000
        assert clock.not_before(61_000_000) == 60_000_000
        assert clock.now() == 61_000_000
        await trio.sleep(5)
        assert clock.now() == 66_000_000
        assert clock.trio_time(66_000_000) == pytest.approx(trio.current_time(), abs=1e-5)

    trio.run(main, clock=MockClock(autojump_threshold=0))
