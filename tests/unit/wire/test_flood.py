"""Counting what a peer may not do without end."""

import pytest

from aether.wire.flood import FloodGuard
from aether.wire.frames import ErrorCode, LinkError
from aether.wire.limits import TransportLimits

LIMITS = TransportLimits(resets=3, pings=3, settings=3, noise=3, flood_window_s=10.0)


@pytest.mark.parametrize("kind", ["reset", "ping", "settings", "noise"])
def test_more_than_the_limit_within_the_window_ends_the_connection(kind):
    count = getattr(FloodGuard(LIMITS, 0.0), kind)
    for _ in range(3):
        count(9.0)
    with pytest.raises(LinkError, match="too many") as caught:
        count(9.9)
    assert caught.value.code == ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("kind", ["reset", "ping", "settings", "noise"])
def test_the_same_number_over_a_longer_time_is_fine(kind):
    guard = FloodGuard(LIMITS, 0.0)
    for second in range(40):
        getattr(guard, kind)(second * 4.0)


def test_after_a_quiet_time_the_count_starts_over():
    guard = FloodGuard(LIMITS, 0.0)
    for _ in range(4):
        guard.ping(100.0)
    guard.ping(100.0)
    guard.ping(100.0)
    guard.ping(100.0)
    with pytest.raises(LinkError):
        guard.ping(100.0)
