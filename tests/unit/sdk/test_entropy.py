"""Chance enters by one seam, which a test may take over."""

import pytest

from aether.sdk import entropy as of_sdk
from aether.server import entropy as of_server


@pytest.mark.parametrize("entropy", [of_sdk, of_server], ids=["sdk", "server"])
def test_ids_come_from_the_given_source_within_the_block_only(entropy):
    with entropy.drawing_from(lambda count: b"\x01" * count):
        assert entropy.new_id() == "01" * 16
    assert entropy.new_id() != entropy.new_id()
    assert len(entropy.new_id()) == 32


def test_draws_lie_between_0_and_1():
    with of_sdk.drawing_from(lambda count: b"\xff" * count):
        assert 0.999 < of_sdk.draw() < 1
    with of_sdk.drawing_from(bytes):
        assert of_sdk.draw() == 0
