import typing

import attrs
import pytest

from aether.errors import InvalidArgument
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS, ActivityTimeouts, RetryPolicy
from aether.model.runs import ParentClosePolicy
from aether.wire.convert import (
    KINDS,
    command_from_proto,
    command_to_proto,
    decode_event,
    encode_event,
    event_from_proto,
    event_to_proto,
    has_large_payload,
    pack_completion,
)
from aether.wire.generated.aether.v1 import model_pb2 as pb
from aether.wire.generated.aether.v1 import worker_pb2 as wpb
from aether.wire.pack import LARGE

DATA = Payload(b"\x00data", "zstd")
DEEP = Failure(
    "ExceptionGroup",
    "two",
    "Traceback",
    (
        Failure("ValueError", "one", non_retryable=True),
        Failure("KeyError", "two", retry_after_ms=7, bases=("LookupError",)),
    ),
    group=True,
)
RETRY = RetryPolicy(0.25, 1.5, 12.5, 0.0, 7, (ValueError, "CardDeclined"))
TIMEOUTS = ActivityTimeouts(1.5, 2.25, 3.001, 0.004)

FACTS: list[e.Fact] = [
    e.RunCreated("w", "r", "order", "q", DATA, "parent", "parent-run", "1.2"),
    e.RunCreated(
        "w", "r", "order", "q", DATA, start_at=7, expires_at=8, priority=1,
        tags=(("a", ""), ("b", "2")), memo=(("note", DATA), ("text", Payload(b"x"))),
    ),
    e.RunCreated(
        "w", "r", "order", "q", DATA,
        forked_from_workflow_id="f", forked_from_run_id="g", forked_at_seq=5, seed="s",
    ),
    e.RunForked("f", "g", 5, "s"),
    e.RunStarted("worker-1", 2, "lost"),
    e.RunCompleted(DATA),
    e.RunFailed(DEEP),
    e.RunCancelled("why"),
    e.RunPaused("lunch"),
    e.RunPaused(),
    e.RunResumed(),
    e.CancelRequested("why"),
    e.StepCompleted("1", "pack", DATA, 3, 99),
    e.StepCompleted("1", "pack", Payload(b"")),
    e.StepFailed("1", "pack", DEEP, 3, 99),
    e.TimerStarted("1", 2**60),
    e.TimerFired("1"),
    e.TimerCancelled("1"),
    e.ActivityScheduled("1", "charge", "far", DATA, RETRY, TIMEOUTS),
    e.ActivityScheduled("1", "charge", "far", DATA),
    e.ActivityStarted("1", 2, "worker-1"),
    e.ActivityProgressed("1", 1, DATA),
    e.ActivityRetried("1", 2, DEEP, 123, DATA),
    e.ActivityRetried("1", 2, DEEP, 123),
    e.ActivityRetried("1", 2, DEEP, 123, Payload(b"")),
    e.ActivityCompleted("1", 2, DATA),
    e.ActivityFailed("1", 0, DEEP),
    e.ActivityCancelRequested("1"),
    e.ActivityCancelled("1"),
    e.ChildStarted("1", "kid", "kid-run", "ship"),
    e.ChildCompleted("1", DATA),
    e.ChildFailed("1", DEEP),
    e.ChildCancelRequested("1"),
    e.ChildCancelled("1"),
    e.ChildStarted("1", "kid", "kid-run", "ship", ParentClosePolicy.ABANDON),
    e.StepRetried("1", "pack", DEEP, 2, 99, 77),
    e.SignalReceived("go", DATA, "s-1"),
    e.PromiseCreated("1", "approval"),
    e.PromiseCreated("1", "approval", 7),
    e.PromiseResolved("1", DATA),
    e.PromiseRejected("1", DEEP),
    e.PromiseDropped("1"),
    e.ValuePublished("1", "progress", DATA),
]  # fmt: skip
COMMANDS: list[c.Command] = [
    c.RecordStep("1", "pack", DATA, None, 2, 99),
    c.RecordStep("1", "pack", Payload(b"")),
    c.RecordStep("1", "pack", None, DEEP, 2, 99),
    # To be refused for it, and so not to lose one of the two on the way.
    c.RecordStep("1", "pack", DATA, DEEP),
    c.StartTimer("1", 2**40),
    c.ScheduleActivity("1", "charge", "far", DATA, RETRY, TIMEOUTS),
    c.ScheduleActivity("1", "charge", "", DATA),
    c.StartChild("1", "ship", "kid", "far", DATA),
    c.CancelPending("1"),
    c.CompleteRun(DATA),
    c.FailRun(DEEP),
    c.CancelRun("why"),
    c.BlockRun(DEEP),
    c.CompleteActivity(DATA),
    c.FailActivity(DEEP),
    c.CancelActivity(),
    c.FailStep("1", "pack", DEEP, 2, RETRY, 99),
    c.CreatePromise("1", "approval"),
    c.CreatePromise("1", "approval", 7),
    c.PublishValue("1", "progress", DATA),
    c.StartChild("1", "ship", "kid", "far", DATA, ParentClosePolicy.TERMINATE),
]


def name(thing: object) -> str:
    return type(thing).__name__


@pytest.mark.parametrize("fact", FACTS, ids=name)
@pytest.mark.parametrize("parked", [True, False])
def test_an_event_comes_back_from_disk_as_it_was(fact, parked):
    event = e.Event(2**40, 2**52, fact, parked)
    assert decode_event(encode_event(event)) == event
    assert encode_event(decode_event(encode_event(event))) == encode_event(event)


def test_the_signals_that_a_parked_run_waits_for_come_back_from_disk():
    event = e.Event(3, 5, e.TimerFired("1"), True, (e.AwaitedSignal("2", "go"), e.AwaitedSignal("3.1.1", "stop")))
    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize("command", COMMANDS, ids=name)
def test_a_command_arrives_as_it_was_sent(command):
    message = wpb.Command.FromString(command_to_proto(command).SerializeToString())
    assert command_from_proto(message) == command


def with_large_payload(thing):
    """The same with a large payload, or None if there is no place for one."""
    name = next((field.name for field in attrs.fields(type(thing)) if field.type in (Payload, Payload | None)), None)
    if name is None or getattr(thing, name) is None:
        return None
    return attrs.evolve(thing, **{name: Payload(b"x" * LARGE, "aes")})


LARGE_FACTS = [fact for fact in map(with_large_payload, FACTS) if fact is not None]
LARGE_COMMANDS = [command for command in map(with_large_payload, COMMANDS) if command is not None]


@pytest.mark.parametrize("fact", LARGE_FACTS, ids=name)
def test_an_event_with_a_large_payload_is_the_one_that_protobuf_would_make(fact):
    awaits = (e.AwaitedSignal("3", "go"), e.AwaitedSignal("4", "stop"))
    event = e.Event(2**40, 2**52, fact, parked=True, awaits=awaits)
    assert pb.Event.FromString(encode_event(event)) == event_to_proto(event)
    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize("command", LARGE_COMMANDS, ids=name)
def test_a_request_with_a_large_payload_is_the_one_that_protobuf_would_make(command):
    assert has_large_payload(command)
    head = wpb.CompleteStepRequest(token=2**50, blocked=True, known_seq=7)
    packed = pack_completion(head, command)
    head.commands.append(command_to_proto(command))
    assert wpb.WorkerMessage.FromString(packed) == wpb.WorkerMessage(completions=[head])


@pytest.mark.parametrize("command", COMMANDS, ids=name)
def test_small_payloads_are_not_worth_it(command):
    assert not has_large_payload(command)


def test_no_fact_and_no_command_is_missing():
    assert {type(fact) for fact in FACTS} == set(typing.get_args(e.Fact)) == set(KINDS)
    assert {type(command) for command in COMMANDS} == set(typing.get_args(c.Command))


def test_the_kind_of_an_event_is_its_number_in_the_protos():
    assert KINDS[e.RunCreated] == 10
    assert len(set(KINDS.values())) == len(KINDS)
    for kind, number in KINDS.items():
        message = pb.Event.DESCRIPTOR.fields_by_number[number].message_type
        assert message is not None
        assert message.name == kind.__name__


def test_an_event_of_a_later_version_is_refused_by_name():
    with pytest.raises(InvalidArgument) as caught:
        decode_event(pb.Event(seq=1).SerializeToString() + b"\xa2\x06\x00")
    assert caught.value.field == "fact"
    with pytest.raises(InvalidArgument):
        event_from_proto(pb.Event())


def test_a_command_of_no_kind_is_refused_by_name():
    with pytest.raises(InvalidArgument) as caught:
        command_from_proto(wpb.Command())
    assert caught.value.field == "commands"


def test_a_step_says_what_came_of_it_as_it_was_sent_both_or_neither_too():
    both = wpb.RecordStep(path="1", name="pack", result=pb.Payload(data=b"x"), failure=pb.Failure(type="E"))
    step = command_from_proto(wpb.Command(record_step=both))
    assert isinstance(step, c.RecordStep)
    assert (step.result, step.failure) == (Payload(b"x"), Failure("E", ""))
    neither = command_from_proto(wpb.Command(record_step=wpb.RecordStep(path="1", name="pack")))
    assert isinstance(neither, c.RecordStep)
    assert (neither.result, neither.failure) == (None, None)


def test_an_activity_that_says_nothing_of_retries_has_the_defaults():
    scheduled = command_from_proto(wpb.Command(schedule_activity=wpb.ScheduleActivity(path="1", activity_type="a")))
    assert isinstance(scheduled, c.ScheduleActivity)
    assert (scheduled.retry, scheduled.timeouts) == (DEFAULT_RETRY, NO_TIMEOUTS)


def test_what_is_not_parked_takes_no_byte_to_say_so():
    assert not event_to_proto(e.Event(1, 2, e.TimerFired("1"))).parked
    assert len(encode_event(e.Event(1, 2, e.TimerFired("1"), parked=True))) == 2 + len(
        encode_event(e.Event(1, 2, e.TimerFired("1")))
    )
