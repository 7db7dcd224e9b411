import typing

import pytest
from attrs.exceptions import FrozenInstanceError

from aether.model import events
from aether.wire.generated.aether.v1 import model_pb2


def test_the_list_of_facts_is_closed_and_is_that_of_the_protos():
    own = events.__name__
    defined = {kind for kind in vars(events).values() if isinstance(kind, type) and kind.__module__ == own}
    facts = set(typing.get_args(events.Fact))
    assert defined == facts | {events.Event, events.AwaitedSignal}
    assert {fact.__name__ for fact in facts} == {
        field.message_type.name
        for field in model_pb2.Event.DESCRIPTOR.oneofs_by_name["fact"].fields
        if field.message_type is not None
    }


def test_history_is_not_changed():
    event = events.Event(1, 2, events.TimerFired("1"))
    with pytest.raises(FrozenInstanceError):
        event.seq = 2  # type: ignore[misc]
    assert not event.parked
