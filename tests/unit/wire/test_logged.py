"""Events in short, for those who watch all runs."""

import pytest

from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.model.policy import RetryPolicy
from aether.wire.convert import KINDS, encode_event
from aether.wire.logged import _NAMES_MAX, KIND_NUMBERS, NAMING_NUMBERS, EventNames, logged_event

NOTHING = Payload(b"null")
BOOM = Failure("Boom", "long" * 100, "Traceback …")


def told(fact, names=None, *, whole=False, run_key=7):
    body = encode_event(e.Event(3, 1_000, fact))
    return logged_event(5, run_key, body, names or EventNames(), whole=whole)


def test_every_kind_of_event_has_its_number():
    assert {kind.__name__: number for kind, number in KINDS.items()} == KIND_NUMBERS


def test_an_event_tells_what_it_is_about():
    event = told(e.StepRetried("1.2", "pack", BOOM, 2, 9_000))
    assert (event.position, event.kind, event.at_us, event.seq) == (5, "StepRetried", 1_000, 3)
    assert (event.path, event.name, event.attempt, event.due_at_us) == ("1.2", "pack", 2, 9_000)
    assert (event.failure_type, event.message) == ("Boom", "long" * 50)
    assert not event.HasField("event")
    assert told(e.RunStarted("worker-1", 2, "lost")).worker_id == "worker-1"
    assert told(e.RunCancelled("not needed")).message == "not needed"
    assert told(e.RunCreated("w", "r", "order", "q", NOTHING, start_at=77)).due_at_us == 77


@pytest.mark.parametrize(
    ("fact", "name"),
    [
        (e.RunResumed(), ""),
        (e.RunCreated("w", "r", "order", "q", NOTHING), "order"),
        (e.SignalReceived("approve", NOTHING), "approve"),
        (e.ValuePublished("1", "progress", NOTHING), "progress"),
        (e.ChildStarted("1", "order-1", "r", "order"), "order-1"),
        (e.ActivityScheduled("1", "charge", "q", NOTHING), "charge"),
    ],
)
def test_what_it_is_about_has_a_name(fact, name):
    assert told(fact).name == name


def test_a_name_is_remembered_for_what_follows_at_its_path():
    names = EventNames()
    told(e.ActivityScheduled("1", "charge", "q", NOTHING, RetryPolicy()), names)
    assert told(e.ActivityStarted("1", 1, "w"), names).name == "charge"
    assert told(e.ActivityStarted("2", 1, "w"), names).name == ""
    assert told(e.ActivityStarted("1", 1, "w"), names, run_key=8).name == ""


def test_a_name_is_learnt_from_what_is_not_told():
    names = EventNames()
    scheduled = e.ActivityScheduled("1", "charge", "q", NOTHING)
    assert KINDS[e.ActivityScheduled] in NAMING_NUMBERS
    names.learn(7, encode_event(e.Event(1, 1, scheduled)))
    assert told(e.ActivityCompleted("1", 1, NOTHING), names).name == "charge"


def test_not_all_names_are_remembered_for_ever():
    names = EventNames()
    for number in range(_NAMES_MAX + 1):
        names.of(number, "1", "charge")
    assert names.of(0, "1", "") == ""
    assert names.of(_NAMES_MAX, "1", "") == "charge"
    assert len(names._names) <= _NAMES_MAX


def test_as_a_whole_it_has_its_payloads():
    event = told(e.RunCompleted(Payload(b"42")), whole=True)
    assert event.event.run_completed.result.data == b"42"
