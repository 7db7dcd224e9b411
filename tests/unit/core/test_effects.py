import typing

import pytest
from attrs.exceptions import FrozenInstanceError

from aether.core import effects

ANSWERS = {
    effects.Started,
    effects.Closed,
    effects.NotOpen,
    effects.CancelAccepted,
    effects.PauseChanged,
    effects.Recorded,
    effects.HeartbeatSeen,
    effects.Signalled,
    effects.PromiseCompleted,
    effects.ValueRead,
}
PARTS = {effects.RunTask, effects.Decision}


def test_the_lists_of_records_and_effects_are_closed():
    own = effects.__name__
    defined = {kind for kind in vars(effects).values() if isinstance(kind, type) and kind.__module__ == own}
    listed = {*typing.get_args(effects.Record), *typing.get_args(effects.Effect)}
    assert defined == listed | ANSWERS | PARTS


def test_what_was_decided_is_not_changed_afterwards():
    decision = effects.Decision([], [])
    with pytest.raises(FrozenInstanceError):
        decision.records = []  # type: ignore[misc]


def test_events_that_go_on_where_a_worker_is_name_no_task():
    assert effects.SendEvents(1, 2, 3, 4, 5).task is None
