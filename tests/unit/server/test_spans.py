"""Histories as spans."""

from typing import Any

import pytest

from aether.model import events as e
from aether.model.payload import ABORTED, Failure, Payload
from aether.model.policy import RetryPolicy
from aether.model.runs import ParentClosePolicy
from aether.model.tracing import origin_of, parse_traceparent, span_id
from aether.server.spans import RunSpans, request_of

S = 1_000_000
T0 = 1_700_000_000 * S
PARENT = f"00-{'a' * 32}-{'b' * 16}-01"
BOOM = Failure("ValueError", "secret")
NOTHING = Payload(b"secret")
STARTED = e.RunStarted("worker-1", 1)


def told(*facts, traceparent=PARENT, **created):
    """A list of spans for each fact: event n is at T0 + n seconds, RunCreated is the first."""
    run = RunSpans()
    first = e.RunCreated("w", "r", "order", "q", NOTHING, traceparent=traceparent, **created)
    return [run.add(e.Event(seq, T0 + seq * S, fact)) for seq, fact in enumerate((first, *facts), start=1)]


def spans(*facts, **created) -> list[Any]:
    return [span for each in told(*facts, **created) for span in each]


def attributes(span):
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def seconds(span):
    return [int(span[name]) / 1e9 - T0 / S for name in ("startTimeUnixNano", "endTimeUnixNano")]


def test_each_attempt_is_told_when_it_is_over_and_the_run_last():
    by_event = told(
        STARTED,
        e.ActivityScheduled("1", "charge", "q", NOTHING),
        e.ActivityStarted("1", 1, "worker-2"),
        e.ActivityRetried("1", 1, BOOM, T0 + 7 * S),
        e.ActivityProgressed("1", 1, NOTHING),
        e.ActivityStarted("1", 2, "worker-3"),
        e.ActivityCompleted("1", 2, NOTHING),
        e.StepCompleted("2", "pack", NOTHING, 1, T0 + 8 * S),
        e.RunCompleted(NOTHING),
    )
    assert [len(each) for each in by_event] == [0, 0, 0, 0, 1, 0, 0, 1, 1, 1]
    first, second, step, run = (span for each in by_event for span in each)
    assert (run["name"], run["traceId"], run["parentSpanId"]) == ("workflow order", "a" * 32, "b" * 16)
    assert seconds(run) == [1, 10]
    for span in (first, second, step):
        assert (span["traceId"], span["parentSpanId"]) == (run["traceId"], run["spanId"])
    assert [attributes(span)["aether.attempt"] for span in (first, second, step)] == ["1", "2", "1"]
    assert [seconds(span) for span in (first, second, step)] == [[4, 5], [7, 8], [8, 9]]
    assert attributes(first)["aether.worker"] == "worker-2"
    assert first["status"] == {"code": 2, "message": "ValueError"}
    assert "status" not in second
    assert step["name"] == "step pack"
    assert [span["spanId"] for span in (first, second, step)] == [
        span_id("r", "1", 1),
        span_id("r", "1", 2),
        span_id("r", "2", 1),
    ]


def test_how_long_an_attempt_was_ready_is_told_with_it():
    first, second, _ = spans(
        e.ActivityScheduled("1", "charge", "q", NOTHING),
        e.ActivityStarted("1", 1, "worker"),
        e.ActivityRetried("1", 1, BOOM, T0 + 5 * S),
        e.ActivityStarted("1", 2, "worker"),
        e.ActivityCompleted("1", 2, NOTHING),
        e.RunCancelled(),
    )
    (ready,) = first["events"]
    assert (ready["name"], ready["timeUnixNano"]) == ("ready", str((T0 + 2 * S) * 1000))
    assert "events" not in second


def test_attempts_of_a_step_are_told_one_by_one_and_its_timer_is_none_of_its_own():
    first, second, _ = spans(
        STARTED,
        e.StepRetried("1", "pack", BOOM, 1, T0 + 4 * S, T0 + 2 * S),
        e.TimerFired("1"),
        e.StepFailed("1", "pack", BOOM, 2),
        e.RunFailed(BOOM),
    )
    assert [attributes(each)["aether.attempt"] for each in (first, second)] == ["1", "2"]
    assert [seconds(each) for each in (first, second)] == [[2, 3], [4, 5]]


def test_an_attempt_whose_code_was_cancelled_is_no_failure():
    first, _ = spans(STARTED, e.StepFailed("1", "pack", ABORTED, 1, T0 + 2 * S), e.RunCancelled())
    assert "status" not in first
    assert seconds(first) == [2, 3]


def test_a_step_that_is_given_up_while_it_backs_off_is_told_by_its_attempts():
    assert len(spans(e.StepRetried("1", "pack", BOOM, 1, T0 + 9 * S), e.TimerCancelled("1"))) == 1


def test_what_is_over_without_a_worker_is_told_too():
    waited, gave_up = spans(
        e.ActivityScheduled("1", "charge", "q", NOTHING),
        e.ActivityFailed("1", 0, Failure("ActivityTimeout", "")),
        e.ActivityScheduled("2", "charge", "q", NOTHING),
        e.ActivityStarted("2", 1, "worker"),
        e.ActivityRetried("2", 1, BOOM, T0 + 60 * S),
        e.ActivityCancelled("2"),
    )[::2]
    assert (seconds(waited), waited["status"]["message"]) == ([2, 3], "ActivityTimeout")
    assert attributes(gave_up)["aether.state"] == "cancelled"
    assert "aether.attempt" not in attributes(gave_up)


@pytest.mark.parametrize(
    ("begins", "ends", "name", "state"),
    [
        (e.TimerStarted("1", T0), e.TimerFired("1"), "timer", "completed"),
        (e.TimerStarted("1", T0), e.TimerCancelled("1"), "timer", "cancelled"),
        (e.PromiseCreated("1", "paid"), e.PromiseResolved("1", NOTHING), "promise paid", "completed"),
        (e.PromiseCreated("1", "paid"), e.PromiseRejected("1", BOOM), "promise paid", "failed"),
        (e.PromiseCreated("1", "paid"), e.PromiseDropped("1"), "promise paid", "cancelled"),
        (e.PromiseCreated("1", "paid"), e.RunCancelled(), "promise paid", "abandoned"),
        (e.ChildStarted("1", "w/1", "c", "ship"), e.ChildCompleted("1", NOTHING), "child ship", "completed"),
        (e.ChildStarted("1", "w/1", "c", "ship"), e.ChildFailed("1", BOOM), "child ship", "failed"),
        (e.ChildStarted("1", "w/1", "c", "ship"), e.ChildCancelled("1"), "child ship", "cancelled"),
        (e.ActivityScheduled("1", "charge", "q", NOTHING), e.ActivityCancelled("1"), "activity charge", "cancelled"),
    ],
)
def test_what_a_run_waits_for_is_a_span_from_its_begin_to_its_end(begins, ends, name, state):
    span = spans(begins, ends)[0]
    assert (span["name"], attributes(span)["aether.state"], seconds(span)) == (name, state, [2, 3])


def test_what_never_began_is_not_told_when_the_run_is_over():
    (run,) = spans(
        e.ActivityScheduled("1", "charge", "q", NOTHING),
        e.StepRetried("2", "pack", BOOM, 1, T0 + 60 * S),
        e.RunCancelled(),
    )[1:]
    assert run["name"] == "workflow order"


def test_a_child_is_linked_and_one_that_goes_on_for_itself_has_a_trace_for_itself():
    child, apart = spans(
        e.ChildStarted("1", "w/1", "c1", "ship"),
        e.ChildStarted("2", "w/2", "c2", "ship", ParentClosePolicy.ABANDON),
        e.ChildCompleted("1", NOTHING),
        e.ChildCompleted("2", NOTHING),
    )
    assert child["links"] == [{"traceId": "a" * 32, "spanId": span_id("c1")}]
    assert apart["links"] == [{"traceId": origin_of("", "c2").trace_id, "spanId": span_id("c2")}]


def test_a_signal_is_told_at_once_and_leads_to_what_its_sender_did():
    sender = f"00-{'c' * 32}-{'d' * 16}-01"
    linked, bare = spans(e.SignalReceived("go", NOTHING, "", sender), e.SignalReceived("go", NOTHING))
    assert (linked["name"], linked["kind"], seconds(linked)) == ("signal go", 5, [2, 2])
    assert linked["links"] == [{"traceId": "c" * 32, "spanId": "d" * 16}]
    assert "links" not in bare
    assert linked["spanId"] != bare["spanId"]


def test_who_had_the_run_is_told_with_it_and_only_the_last_ones_of_many():
    *_, run = spans(*(e.RunStarted(f"worker-{number}", number) for number in range(1, 50)), e.RunCancelled())
    starts = [attributes(event)["aether.worker"] for event in run["events"]]
    assert starts == [f"worker-{number}" for number in range(18, 50)]


def test_what_a_fork_shares_with_its_source_is_not_told_again_and_it_is_linked():
    step, run = spans(
        STARTED,
        e.StepCompleted("1", "pack", NOTHING),
        e.RunForked("old", "source", 3, "seed"),
        e.StepCompleted("2", "send", NOTHING),
        e.RunCompleted(NOTHING),
        forked_from_workflow_id="old",
        forked_from_run_id="source",
        forked_at_seq=3,
    )
    assert (step["name"], seconds(run)) == ("step send", [4, 6])
    assert run["links"] == [{"traceId": "a" * 32, "spanId": span_id("source")}]


def test_a_fork_of_a_run_that_nobody_traced_leads_to_the_trace_that_was_its_own():
    (run,) = spans(e.RunCancelled(), traceparent="", forked_from_run_id="source")
    assert run["links"] == [{"traceId": origin_of("", "source").trace_id, "spanId": span_id("source")}]
    assert "parentSpanId" not in run


def test_nothing_is_told_of_a_run_whose_trace_nobody_wants():
    assert parse_traceparent(PARENT[:-1] + "0")
    assert not spans(
        STARTED, e.StepCompleted("1", "pack", NOTHING), e.RunCompleted(NOTHING), traceparent=PARENT[:-1] + "0"
    )


def test_no_payload_and_no_message_leaves():
    all_of_it = spans(
        STARTED,
        e.ActivityScheduled("1", "charge", "q", NOTHING, RetryPolicy()),
        e.ActivityStarted("1", 1, "worker"),
        e.ActivityFailed("1", 1, BOOM),
        e.StepFailed("2", "pack", BOOM),
        e.SignalReceived("go", NOTHING),
        e.RunFailed(BOOM),
    )
    assert len(all_of_it) == 4
    assert "secret" not in str(all_of_it)
    assert all_of_it[-1]["status"] == {"code": 2, "message": "ValueError"}


def test_the_same_history_gives_the_same_spans():
    facts = (STARTED, e.TimerStarted("1", T0 + 9 * S), e.TimerFired("1"), e.RunCompleted(NOTHING))
    assert spans(*facts) == spans(*facts)
    assert len({span["spanId"] for span in spans(*facts)}) == 2


def test_a_request_says_who_sends_it():
    request: Any = request_of(spans(e.RunCancelled()), "1.2", "node-1")
    (resource,) = request["resourceSpans"]
    assert attributes(resource["resource"])["service.name"] == "aether"
    assert len(resource["scopeSpans"][0]["spans"]) == 1
