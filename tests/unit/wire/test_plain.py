"""Messages as plain data."""

import pytest

from aether.wire.generated.aether.v1 import admin_pb2, client_pb2, model_pb2
from aether.wire.plain import iso_time, plain, plain_payload, state_name


def test_a_message_is_its_fields_with_times_and_states_as_words():
    info = client_pb2.WorkflowInfo(
        workflow_id="a",
        state=model_pb2.RUN_STATE_FAILED,
        created_at_us=1_700_000_000_000_000,
        tags={"b": "2", "a": "1"},
    )
    document = plain(client_pb2.WorkflowStatus(info=info, memo={"k": model_pb2.Payload(data=b"[1]")}))
    told = document["info"]
    assert isinstance(told, dict)
    assert (told["workflow_id"], told["state"]) == ("a", "FAILED")
    assert (told["created_at"], told["closed_at"]) == ("2023-11-14T22:13:20.000Z", None)
    assert list(told["tags"].items()) == [("a", "1"), ("b", "2")]
    assert document["memo"] == {"k": [1]}
    assert document["pending"] == []
    assert "failure" not in document


def test_lengths_of_time_stay_numbers_and_lists_hold_messages():
    document = plain(admin_pb2.Metrics(start_lag=admin_pb2.Latency(p50_us=7), runs=[admin_pb2.StateCount(count=2)]))
    assert document["start_lag"] == {"count": 0, "p50_us": 7, "p90_us": 0, "p99_us": 0}
    assert document["runs"] == [{"workflow_type": "", "state": "UNSPECIFIED", "count": 2}]
    assert plain(admin_pb2.WorkerInfo(workflow_types=["a"]))["workflow_types"] == ["a"]


@pytest.mark.parametrize(
    ("payload", "held"),
    [
        (model_pb2.Payload(data=b'{"a":1}'), {"a": 1}),
        (model_pb2.Payload(data=b"NaN", encoding="json;type=x"), "NaN"),
        (model_pb2.Payload(data=b"\xff"), {"base64": "/w=="}),
        (model_pb2.Payload(data=b"[" * 100_000), {"base64": "W1tb" * 33_333 + "Ww=="}),
        (model_pb2.Payload(data=b"1", encoding="secret"), {"encoding": "secret", "base64": "MQ=="}),
    ],
)
def test_a_payload_is_what_it_holds(payload, held):
    assert plain_payload(payload) == held


def test_what_no_calendar_has_and_no_version_knows_is_shown_as_a_number():
    assert (iso_time(0), iso_time(2**62)) == ("", f"{2**62} us")
    assert state_name(99) == "99"
