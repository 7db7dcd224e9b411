"""Times and lengths of time for people."""

from datetime import datetime, timedelta

import pytest

from aether.cli.moments import Moment, Times, duration, moment_text

T0 = 1_790_000_000_000_000


def test_a_time_is_shown_as_it_was_asked_for():
    assert moment_text(T0, Times.UTC, 0) == "2026-09-21T14:13:20.000Z"
    local = datetime.fromisoformat(moment_text(T0, Times.LOCAL, 0))
    assert local == datetime.fromisoformat("2026-09-21T14:13:20+00:00")
    assert local.utcoffset() is not None
    assert moment_text(T0, Times.RELATIVE, T0 + 61_000_000) == "1 min 1 s ago"
    assert moment_text(T0, Times.RELATIVE, T0 - 5_000_000) == "in 5.0 s"


@pytest.mark.parametrize("times", Times)
def test_no_time_is_shown_as_nothing(times):
    assert moment_text(0, times, T0) == ""


@pytest.mark.parametrize("times", [Times.UTC, Times.LOCAL])
def test_a_time_beyond_the_calendar_is_shown_as_a_number(times):
    assert moment_text(2**62, times, 0) == f"{2**62} us"


def test_moments_are_ordered_as_they_come():
    assert Moment(1) < Moment(2)


def test_a_length_of_time_has_two_units_at_most():
    assert duration(int(timedelta(days=3, hours=4, minutes=5) / timedelta(microseconds=1))) == "3 d 4 h"
