"""Histories as spans."""

from typing import Any

from aether.core.timeline import Timeline
from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.server.spans import Identity, request_of, span_id, spans_of, trace_of

S = 1_000_000
T0 = 1_700_000_000 * S
PARENT = f"00-{'a' * 32}-{'b' * 16}-01"
BOOM = Failure("ValueError", "secret")


def spans(*facts, forked_from=""):
    timeline = Timeline()
    created = e.RunCreated("w", "r", "order", "q", Payload(b"secret"))
    for seq, fact in enumerate((created, *facts), start=1):
        timeline.add(e.Event(seq, T0 + seq * S, fact))
    trace_id, parent = trace_of(PARENT, "r")
    return spans_of(timeline.rows(), Identity("w", "r", "order", "q", trace_id, parent, forked_from))


def attributes(span):
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def test_each_attempt_is_a_span_within_that_of_the_run():
    run, first, second, step = spans(
        e.RunStarted("worker-1", 1),
        e.ActivityScheduled("1", "charge", "q", Payload(b"secret")),
        e.ActivityStarted("1", 1, "worker-2"),
        e.ActivityRetried("1", 1, BOOM, T0 + 6 * S),
        e.ActivityStarted("1", 2, "worker-3"),
        e.ActivityCompleted("1", 2, Payload(b"secret")),
        e.StepCompleted("2", "pack", Payload(b"secret"), 1, T0 + 7 * S),
        e.RunCompleted(Payload(b"secret")),
    )
    assert (run["name"], run["traceId"], run["parentSpanId"]) == ("workflow order", "a" * 32, "b" * 16)
    assert run["startTimeUnixNano"] == str((T0 + S) * 1000)
    assert run["endTimeUnixNano"] == str((T0 + 9 * S) * 1000)
    for span in (first, second, step):
        assert (span["traceId"], span["parentSpanId"]) == (run["traceId"], run["spanId"])
    assert [attributes(span)["aether.attempt"] for span in (first, second, step)] == ["1", "2", "1"]
    assert attributes(first)["aether.worker"] == "worker-2"
    assert first["status"] == {"code": 2, "message": "ValueError"}
    assert "status" not in second
    assert step["name"] == "step pack"


def test_no_payload_and_no_message_leaves():
    told = spans(e.RunStarted("worker-1", 1), e.StepFailed("1", "pack", BOOM), e.RunFailed(BOOM))
    assert "secret" not in str(told)
    assert told[0]["status"] == {"code": 2, "message": "ValueError"}


def test_the_same_history_gives_the_same_spans():
    facts = (
        e.RunStarted("worker-1", 1),
        e.TimerStarted("1", T0 + 9 * S),
        e.TimerFired("1"),
        e.RunCompleted(Payload(b"")),
    )
    assert spans(*facts) == spans(*facts)
    assert len({span["spanId"] for span in spans(*facts)}) == 2


def test_signals_take_no_time_and_are_no_spans():
    assert len(spans(e.RunStarted("worker-1", 1), e.SignalReceived("go", Payload(b"")), e.RunCancelled())) == 1


def test_a_fork_is_linked_to_where_it_came_from():
    (run,) = spans(e.RunCancelled(), forked_from="other")
    assert run["links"] == [{"traceId": trace_of("", "other")[0], "spanId": span_id("other")}]


def test_a_traceparent_that_is_none_is_left_out():
    for text in ("", "00-xyz", PARENT.upper(), PARENT + "\n"):
        trace_id, parent = trace_of(text, "r")
        assert (len(trace_id), parent) == (32, "")


def test_a_request_says_who_sends_it():
    request: Any = request_of(spans(e.RunCancelled()), "1.2", "node-1")
    (resource,) = request["resourceSpans"]
    assert attributes(resource["resource"])["service.name"] == "aether"
    assert len(resource["scopeSpans"][0]["spans"]) == 1
