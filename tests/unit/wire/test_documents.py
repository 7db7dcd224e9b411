"""Events as JSON documents, and back."""

import json

import pytest

from aether.errors import InvalidArgument
from aether.wire.documents import event_document, event_of_document, payload_document, payload_of_document
from aether.wire.generated.aether.v1 import model_pb2 as pb

T0 = 1_790_000_000_000_123


def payload(text, encoding=""):
    return pb.Payload(data=text.encode(), encoding=encoding)


def there_and_back(event):
    return event_of_document(json.loads(json.dumps(event_document(event))))


def test_an_event_and_its_fact_are_one_document():
    event = pb.Event(seq=2, at_us=T0, step_completed=pb.StepCompleted(path="1", name="s", result=payload('"r"')))
    assert event_document(event) == {
        "seq": 2,
        "at": "2026-09-21T14:13:20.000123Z",
        "event": "StepCompleted",
        "path": "1",
        "name": "s",
        "result": "r",
        "attempt": 0,
        "started_at": None,
    }
    assert event_document(pb.Event(seq=3, at_us=T0))["event"] == "Unknown"
    assert event_document(pb.Event(seq=3, at_us=T0, parked=True))["parked"] is True
    awaiting = pb.Event(seq=3, parked=True, awaits=[pb.AwaitedSignal(path="2", name="go")])
    assert event_document(awaiting)["awaits"] == [{"path": "2", "name": "go"}]


def test_everything_comes_back():
    boom = pb.Failure(type="Boom", message="it broke", causes=[pb.Failure(type="Cause")], group=True)
    created = pb.RunCreated(workflow_type="order", input=payload("[1]"), start_at_us=T0)
    created.tags["team"] = "red"
    created.memo["note"].CopyFrom(payload('{"a":1}'))
    retry = pb.RetryPolicy(initial_ms=200, factor=2, non_retryable=["ValueError", "KeyError"])
    events = [
        pb.Event(seq=1, at_us=T0, run_created=created),
        pb.Event(seq=2, at_us=-5, run_started=pb.RunStarted(worker_id="w1", attempt=2, reason="lost"), parked=True),
        pb.Event(seq=3, at_us=2**62, activity_scheduled=pb.ActivityScheduled(path="1", retry=retry)),
        pb.Event(seq=4, at_us=T0, activity_retried=pb.ActivityRetried(path="1", failure=boom, next_at_us=T0 + 1)),
        pb.Event(
            seq=5,
            at_us=T0,
            parked=True,
            awaits=[pb.AwaitedSignal(path="2", name="go")],
            step_completed=pb.StepCompleted(path="1", name="s", result=payload("1")),
        ),
        pb.Event(seq=5, at_us=T0, timer_fired=pb.TimerFired()),
        pb.Event(
            seq=6, at_us=T0, child_started=pb.ChildStarted(path="2", parent_close_policy="PARENT_CLOSE_POLICY_ABANDON")
        ),
    ]
    assert [there_and_back(event) for event in events] == events


@pytest.mark.parametrize(
    ("data", "encoding", "document"),
    [
        (b'{"a":[1,null]}', "", {"a": [1, None]}),
        (b"[1]", "json;type=shop:Order", {"encoding": "json;type=shop:Order", "value": [1]}),
        (b"xx", "aes", {"encoding": "aes", "base64": "eHg="}),
        (b"[ 1 ]", "bytes", {"encoding": "bytes", "base64": "WyAxIF0="}),
        (b"\xff\x00", "", {"encoding": "", "base64": "/wA="}),
        (b"NaN", "", {"encoding": "", "base64": "TmFO"}),
        (b"1e999", "", {"encoding": "", "base64": "MWU5OTk="}),
        (b'"\\ud800"', "", {"encoding": "", "base64": "Ilx1ZDgwMCI="}),
        (b"[" * 9, "", {"encoding": "", "base64": "W1tbW1tbW1tb"}),
        (b'{"base64":"eHg="}', "", {"encoding": "", "value": {"base64": "eHg="}}),
        (b'{"encoding":"x","value":1}', "", {"encoding": "", "value": {"encoding": "x", "value": 1}}),
        (b'{"encoding":"x"}', "", {"encoding": "x"}),
        (b"{}", "", {}),
        (b"1.5", "", 1.5),
    ],
)
def test_a_payload_is_what_it_holds_and_comes_back(data, encoding, document):
    given = pb.Payload(data=data, encoding=encoding)
    assert payload_document(given) == document
    assert payload_of_document(document) == given


def test_json_that_was_written_otherwise_comes_back_as_the_same_json():
    assert payload_of_document(payload_document(payload('{"a": 1}'))) == payload('{"a":1}')


STEP = {"seq": 3, "at": "2026-09-21T14:13:20Z", "event": "StepCompleted", "path": "1", "name": "pay", "result": 7}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"event": "StepForgotten"}, "event 3 is 'StepForgotten', which this version does not know"),
        ({"colour": "red"}, "event 3: nothing is known of 'colour'"),
        ({"path": 7}, "event 3: path can not be 7 (not of type str)"),
        ({"attempt": True}, "event 3: attempt can not be True (not of type int)"),
        ({"attempt": -1}, "event 3: attempt can not be -1"),
        ({"at": "yesterday"}, "event 3: at can not be 'yesterday'"),
        ({"at": 5}, "event 3: at can not be 5 (not a time)"),
        ({"at": "2026-09-21T14:13:20"}, "event 3: at can not be '2026-09-21T14:13:20' (a time without a zone)"),
        ({"at": "many us"}, "event 3: at can not be 'many us'"),
        ({"result": {"base64": "?"}}, "event 3: result can not be {'base64': '?'}"),
        ({"result": {"encoding": 1, "value": 1}}, "(an encoding is a text)"),
        ({"seq": "three"}, "event 'three': seq can not be 'three' (not of type int)"),
        ({"name": "x" * 200, "path": []}, "event 3: path can not be [] (not of type str)"),
        ({"event": "RunFailed", "failure": 1, "path": None}, "failure can not be 1 (not an object)"),
    ],
)
def test_what_is_no_event_is_refused_by_its_number_and_field(changes, words):
    document = {**STEP, **changes}
    if "failure" in changes:
        document = {key: value for key, value in document.items() if key not in {"path", "name", "result"}}
    with pytest.raises(InvalidArgument) as refused:
        event_of_document(document)
    assert words in str(refused.value)
    assert refused.value.field


@pytest.mark.parametrize(
    "fields",
    [{"tags": []}, {"tags": {"team": 1}}, {"memo": {"note": {"base64": "?"}}}, {"input": {"base64": "?"}}],
)
def test_what_does_not_fit_into_a_map_is_refused(fields):
    with pytest.raises(InvalidArgument, match="event 1: "):
        event_of_document({"seq": 1, "at": None, "event": "RunCreated", **fields})


def test_what_does_not_fit_into_a_list_is_refused():
    for names in ("ValueError", [1]):
        with pytest.raises(InvalidArgument, match="non_retryable can not be"):
            event_of_document(
                {"seq": 1, "at": None, "event": "ActivityScheduled", "retry": {"non_retryable": names, "factor": 2}}
            )


def test_what_is_no_object_is_refused():
    with pytest.raises(InvalidArgument, match=r"an event is an object, not \['xxx"):
        event_of_document(["x" * 500])
