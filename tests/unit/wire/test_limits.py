"""The bounds fit together."""

import attrs
import pytest

from aether.wire.frames import MAX_WINDOW
from aether.wire.limits import TransportLimits

LIMITS = TransportLimits()


def test_limits_cannot_be_changed_behind_a_connection():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(LIMITS, "streams", 5)  # noqa: B010 - a type checker would refuse it


def test_the_largest_message_can_be_sent_and_received():
    assert LIMITS.message_bytes < LIMITS.outbound_stream_bytes <= LIMITS.outbound_large_bytes
    assert LIMITS.outbound_large_bytes < LIMITS.partial_bytes
    assert LIMITS.outbound_large_bytes + LIMITS.streams * LIMITS.outbound_mark < LIMITS.outbound_unread_bytes
    assert LIMITS.message_bytes < LIMITS.partial_bytes


def test_windows_are_what_http2_allows():
    assert LIMITS.stream_window <= LIMITS.connection_window <= MAX_WINDOW
    assert LIMITS.outbound_mark < LIMITS.stream_window


def test_a_header_list_that_is_allowed_fits_in_a_block_that_is_allowed():
    assert LIMITS.header_list < LIMITS.header_block


def test_a_client_may_cancel_all_it_has_open():
    assert LIMITS.streams < LIMITS.resets
