import typing

import pytest
from attrs.exceptions import FrozenInstanceError

from aether.core import inputs


def test_an_input_is_a_fact_that_nobody_changes():
    heartbeat = inputs.Heartbeat("me", 1)
    with pytest.raises(FrozenInstanceError):
        heartbeat.token = 2  # type: ignore[misc]
    assert heartbeat == inputs.Heartbeat("me", 1, 0, None)


def test_the_list_of_inputs_is_closed():
    defined = {kind for kind in vars(inputs).values() if isinstance(kind, type) and kind.__module__ == inputs.__name__}
    assert defined == set(typing.get_args(inputs.Input))
