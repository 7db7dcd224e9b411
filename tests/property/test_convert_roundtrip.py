"""Random events and commands through protobuf and back, and messages of parts against messages of protobuf's own."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.model.policy import ActivityTimeouts, ConcurrencyLimit, RetryPolicy
from aether.model.runs import ParentClosePolicy
from aether.wire.convert import command_from_proto, command_to_proto, decode_event, encode_event, event_to_proto
from aether.wire.documents import event_document, event_of_document, payload_document, payload_of_document
from aether.wire.generated.aether.v1 import model_pb2
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.pack import DELIVERY_RESPONSE, DELIVERY_TASK, pack_delivery, pack_workflow_task, varint
from aether.wire.values import failure_from_proto, failure_to_proto

# What a protobuf string can hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
UINT32, UINT64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
TIME = st.integers(-(2**63), 2**63 - 1)
PAYLOADS = st.builds(Payload, st.binary(max_size=300), TEXT)
BASES = st.lists(TEXT, max_size=3).map(tuple)
FAILURES = st.recursive(
    st.builds(Failure, TEXT, TEXT, TEXT, st.just(()), st.booleans(), st.booleans(), UINT64, BASES),
    lambda causes: st.builds(
        Failure, TEXT, TEXT, TEXT, st.lists(causes, max_size=3).map(tuple), st.booleans(), st.booleans(), UINT64, BASES
    ),
    max_leaves=8,
)
# Whole milliseconds up to ten years: what the wire can carry.
SECONDS = st.integers(0, 10 * 366 * 86_400 * 1_000).map(lambda ms: ms / 1_000)
RETRIES = st.builds(
    RetryPolicy,
    SECONDS,
    st.floats(1, 1e300),
    SECONDS,
    st.floats(0, 1),
    UINT32,
    st.lists(TEXT, max_size=4).map(tuple),
)
TIMEOUTS = st.builds(ActivityTimeouts, SECONDS, SECONDS, SECONDS, SECONDS)
POLICIES = st.sampled_from(ParentClosePolicy)
TAGS = st.dictionaries(TEXT, TEXT, max_size=4).map(lambda tags: tuple(sorted(tags.items())))
SHARES = st.none() | st.builds(ConcurrencyLimit, TEXT, st.integers(1, 2**32 - 1))
MEMOS = st.dictionaries(TEXT, PAYLOADS, max_size=4).map(lambda memo: tuple((key, memo[key]) for key in sorted(memo)))

FACTS: st.SearchStrategy[e.Fact] = st.one_of(
    st.builds(
        e.RunCreated, TEXT, TEXT, TEXT, TEXT, PAYLOADS, TEXT, TEXT, TEXT, TIME, TIME, UINT32, TAGS, MEMOS, TAGS, SHARES
    ),
    st.builds(
        e.RunCreated,
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        PAYLOADS,
        forked_from_workflow_id=TEXT,
        forked_from_run_id=TEXT,
        forked_at_seq=UINT32,
        seed=TEXT,
    ),
    st.builds(e.RunForked, TEXT, TEXT, UINT32, TEXT),
    st.builds(e.RunStarted, TEXT, UINT32, TEXT),
    st.builds(e.RunCompleted, PAYLOADS),
    st.builds(e.RunFailed, FAILURES),
    st.builds(e.RunCancelled, TEXT),
    st.builds(e.CancelRequested, TEXT),
    st.builds(e.RunPaused, TEXT),
    st.just(e.RunResumed()),
    st.builds(e.StepCompleted, TEXT, TEXT, PAYLOADS, UINT32, TIME),
    st.builds(e.StepFailed, TEXT, TEXT, FAILURES, UINT32, TIME),
    st.builds(e.TimerStarted, TEXT, TIME),
    st.builds(e.TimerFired, TEXT),
    st.builds(e.TimerCancelled, TEXT),
    st.builds(e.ActivityScheduled, TEXT, TEXT, TEXT, PAYLOADS, RETRIES, TIMEOUTS, TAGS, SHARES),
    st.builds(e.ActivityStarted, TEXT, UINT32, TEXT),
    st.builds(e.ActivityProgressed, TEXT, UINT32, PAYLOADS),
    st.builds(e.ActivityRetried, TEXT, UINT32, FAILURES, TIME, st.none() | PAYLOADS),
    st.builds(e.ActivityCompleted, TEXT, UINT32, PAYLOADS),
    st.builds(e.ActivityFailed, TEXT, UINT32, FAILURES),
    st.builds(e.ActivityCancelRequested, TEXT),
    st.builds(e.ActivityCancelled, TEXT),
    st.builds(e.ChildStarted, TEXT, TEXT, TEXT, TEXT, POLICIES),
    st.builds(e.StepRetried, TEXT, TEXT, FAILURES, UINT32, TIME, TIME),
    st.builds(e.SignalReceived, TEXT, PAYLOADS, TEXT),
    st.builds(e.PromiseCreated, TEXT, TEXT, TIME),
    st.builds(e.PromiseResolved, TEXT, PAYLOADS),
    st.builds(e.PromiseRejected, TEXT, FAILURES),
    st.builds(e.PromiseDropped, TEXT),
    st.builds(e.ValuePublished, TEXT, TEXT, PAYLOADS),
    st.builds(e.ChildCompleted, TEXT, PAYLOADS),
    st.builds(e.ChildFailed, TEXT, FAILURES),
    st.builds(e.ChildCancelRequested, TEXT),
    st.builds(e.ChildCancelled, TEXT),
)
EVENTS = st.builds(e.Event, UINT64, TIME, FACTS, st.booleans())
COMMANDS: st.SearchStrategy[c.Command] = st.one_of(
    st.builds(c.RecordStep, TEXT, TEXT, st.none() | PAYLOADS, st.none() | FAILURES, UINT32, TIME),
    st.builds(c.StartTimer, TEXT, UINT64),
    st.builds(c.ScheduleActivity, TEXT, TEXT, TEXT, PAYLOADS, RETRIES, TIMEOUTS, TAGS, SHARES),
    st.builds(c.StartChild, TEXT, TEXT, TEXT, TEXT, PAYLOADS, POLICIES, TAGS, SHARES),
    st.builds(c.FailStep, TEXT, TEXT, FAILURES, UINT32, RETRIES, TIME),
    st.builds(c.CreatePromise, TEXT, TEXT, UINT64),
    st.builds(c.PublishValue, TEXT, TEXT, PAYLOADS),
    st.builds(c.CancelPending, TEXT),
    st.builds(c.CompleteRun, PAYLOADS),
    st.builds(c.FailRun, FAILURES),
    st.builds(c.CancelRun, TEXT),
    st.builds(c.BlockRun, FAILURES),
    st.builds(c.CompleteActivity, PAYLOADS),
    st.builds(c.FailActivity, FAILURES),
    st.just(c.CancelActivity()),
)


@given(EVENTS)
@settings(deadline=None)
def test_an_event_comes_back_from_disk_as_it_was(event):
    body = encode_event(event)
    assert decode_event(body) == event
    assert encode_event(decode_event(body)) == body


@given(COMMANDS)
@settings(deadline=None)
def test_a_command_arrives_as_it_was_sent(command):
    message = pb.Command.FromString(command_to_proto(command).SerializeToString())
    assert command_from_proto(message) == command


@given(FAILURES)
@settings(deadline=None)
def test_a_failure_arrives_with_its_whole_chain(failure):
    assert failure_from_proto(failure_to_proto(failure)) == failure


@given(UINT64, TEXT, TEXT, TEXT, st.booleans(), st.lists(EVENTS, max_size=5))
@settings(deadline=None)
def test_a_task_of_parts_is_the_task_that_protobuf_would_make(token, workflow_id, run_id, kind, more, events):
    head = pb.WorkflowTask(workflow_id=workflow_id, run_id=run_id, workflow_type=kind, more=more)
    packed = pack_workflow_task(token, head.SerializeToString(), [encode_event(event) for event in events])
    head.events.extend(event_to_proto(event) for event in events)
    task = pb.Task(token=token, workflow=head)
    assert pb.Task.FromString(packed) == task
    delivered = pack_delivery(DELIVERY_TASK, packed)
    assert pb.ServerMessage.FromString(delivered) == pb.ServerMessage(deliveries=[pb.Delivery(task=task)])


@given(st.lists(st.tuples(UINT64, UINT64, TIME), max_size=5))
@settings(deadline=None)
def test_answers_one_after_another_are_one_message(answers):
    responses = [pb.CompleteStepResponse(token=token, seq=seq, at_us=at) for token, seq, at in answers]
    packed = b"".join(pack_delivery(DELIVERY_RESPONSE, response.SerializeToString()) for response in responses)
    message = pb.ServerMessage(deliveries=[pb.Delivery(response=response) for response in responses])
    assert packed == message.SerializeToString()


@given(UINT64)
@settings(deadline=None)
def test_a_number_takes_the_bytes_that_protobuf_takes(number):
    assert b"\x08" + varint(number) == (pb.Task(token=number).SerializeToString() or b"\x08\x00")


@given(EVENTS)
@settings(deadline=None)
def test_a_document_of_an_event_gives_the_event_again(event):
    message = event_to_proto(event)
    document = json.loads(json.dumps(event_document(message)))
    again = event_of_document(document)
    assert event_document(again) == document
    assert decode_event(again.SerializeToString()).fact.__class__ is event.fact.__class__


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | TEXT | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(TEXT | st.sampled_from(["encoding", "value", "base64"]), inner, max_size=3)
        ),
    )
)
@settings(deadline=None)
def test_a_value_in_a_document_comes_back_as_the_same_bytes(value):
    payload = model_pb2.Payload(data=json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    assert payload_of_document(json.loads(json.dumps(payload_document(payload)))) == payload
