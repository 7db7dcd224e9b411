import attrs

from aether.model.limits import DEFAULT_LIMITS
from aether.wire.limits import TransportLimits


def test_every_limit_is_a_positive_number():
    limits = attrs.asdict(DEFAULT_LIMITS)
    assert limits
    assert all(isinstance(limit, int) and limit > 0 for limit in limits.values())


def test_a_payload_fits_into_a_message_with_what_is_around_it():
    names = 4 * (DEFAULT_LIMITS.name_max + DEFAULT_LIMITS.path_max)
    assert DEFAULT_LIMITS.payload_max + names < TransportLimits().message_bytes


def test_times_that_pass_the_limits_stay_far_from_what_64_bits_hold():
    the_year_2300_us = 330 * 366 * 24 * 3600 * 1_000_000
    assert the_year_2300_us + DEFAULT_LIMITS.delay_max_ms * 1_000 < 2**62


def test_defaults_are_within_the_limits():
    assert DEFAULT_LIMITS.workflow_slots_default <= DEFAULT_LIMITS.slots_max
    assert DEFAULT_LIMITS.activity_slots_default <= DEFAULT_LIMITS.slots_max
    assert DEFAULT_LIMITS.list_default <= DEFAULT_LIMITS.list_max
