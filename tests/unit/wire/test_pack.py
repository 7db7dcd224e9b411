import pytest

from aether.model import events as e
from aether.model.payload import Payload
from aether.wire import pack
from aether.wire.convert import encode_event, event_to_proto
from aether.wire.generated.aether.v1 import model_pb2
from aether.wire.generated.aether.v1 import worker_pb2 as pb
from aether.wire.pack import bytes_field, pack_delivery, pack_payload, pack_workflow_task, varint


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (2**14, "808001"),
        (2**64 - 1, "ffffffffffffffffff01"),
    ],
)
def test_small_numbers_take_few_bytes(number, data):
    assert varint(number).hex() == data


def test_a_field_is_its_number_its_length_and_its_bytes():
    assert bytes_field(2, b"testing").hex() == "120774657374696e67"
    assert pb.PollRequest.FromString(bytes_field(1, b"s" * 200)).session_id == "s" * 200


def test_field_numbers_are_those_of_the_generated_code():
    def number(message: type, field: str) -> int:
        found = message.DESCRIPTOR.fields_by_name[field].number  # type: ignore[attr-defined]
        assert isinstance(found, int)
        return found

    assert number(pb.Task, "token") == pack.TASK_TOKEN
    assert number(pb.Task, "workflow") == pack.TASK_WORKFLOW
    assert number(pb.WorkflowTask, "events") == pack.WORKFLOW_TASK_EVENTS
    assert number(pb.ServerMessage, "deliveries") == pack.SERVER_MESSAGE_DELIVERIES
    assert number(pb.Delivery, "task") == pack.DELIVERY_TASK
    assert number(pb.Delivery, "response") == pack.DELIVERY_RESPONSE
    assert number(model_pb2.Payload, "data") == pack.PAYLOAD_DATA
    assert number(model_pb2.Payload, "encoding") == pack.PAYLOAD_ENCODING


def test_a_task_of_parts_is_the_task_that_protobuf_would_make():
    events = [e.Event(seq, 5, e.TimerFired("1" * (seq * 60))) for seq in range(1, 5)]
    head = pb.WorkflowTask(workflow_id="w", run_id="r", workflow_type="order")
    packed = pack_workflow_task(2**50, head.SerializeToString(), [encode_event(event) for event in events])
    for event in events:
        head.events.append(event_to_proto(event))
    assert pb.Task.FromString(packed) == pb.Task(token=2**50, workflow=head)


def test_a_task_may_have_no_events_and_no_head():
    assert pb.Task.FromString(pack_workflow_task(7, b"", [])) == pb.Task(token=7, workflow=pb.WorkflowTask())


def test_deliveries_one_after_another_are_one_message():
    task = pb.Task(token=7, drain=pb.DrainTask())
    response = pb.CompleteStepResponse(token=8, seq=9)
    packed = pack_delivery(pack.DELIVERY_TASK, task.SerializeToString())
    packed += pack_delivery(pack.DELIVERY_RESPONSE, response.SerializeToString())
    expected = pb.ServerMessage(deliveries=[pb.Delivery(task=task), pb.Delivery(response=response)])
    assert pb.ServerMessage.FromString(packed) == expected


@pytest.mark.parametrize("payload", [Payload(b"y"), Payload(b"x" * 70_000), Payload(b"x", "aes")])
def test_a_payload_is_put_into_its_place(payload):
    task = pb.ActivityTask(path="1.2", attempt=3)
    packed = pack_payload([(pb.Task(token=5).SerializeToString(), 3), (task.SerializeToString(), 5)], payload)
    task.input.CopyFrom(model_pb2.Payload(data=payload.data, encoding=payload.encoding))
    assert pb.Task.FromString(packed) == pb.Task(token=5, activity=task)
    assert len(packed) == pb.Task(token=5, activity=task).ByteSize()


def test_a_delivery_is_the_same_at_any_size():
    for size in range(300):
        answer = pb.CompleteStepResponse(refusal=pb.Refusal(message="m" * size))
        packed = pack_delivery(pack.DELIVERY_RESPONSE, answer.SerializeToString())
        assert packed == pb.ServerMessage(deliveries=[pb.Delivery(response=answer)]).SerializeToString()
