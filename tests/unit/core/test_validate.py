"""What may come in."""

import pytest
from attrs import evolve

from aether.core.validate import (
    check_awaits,
    check_command,
    check_delay,
    check_failure,
    check_labels,
    check_name,
    check_path,
    check_payload,
)
from aether.errors import InvalidArgument, LimitExceeded
from aether.model import commands as c
from aether.model import events as e
from aether.model.limits import DEFAULT_LIMITS
from aether.model.payload import Failure, Payload
from aether.model.policy import DEFAULT_RETRY, ActivityTimeouts, RetryPolicy

LIMITS = evolve(
    DEFAULT_LIMITS, name_max=8, path_max=8, payload_max=4, failure_text_max=5, failure_depth_max=3, failure_causes_max=2
)
OK, NONE = Failure("Boom", "m"), Payload(b"")
BIG = Payload(b"12345")
LATE_MS = DEFAULT_LIMITS.delay_max_ms + 1
TEN_YEARS_S = DEFAULT_LIMITS.delay_max_ms / 1000


def field_of(command: c.Command) -> str:
    with pytest.raises(InvalidArgument) as caught:
        check_command(LIMITS, command)
    return caught.value.field


def too_much(command: c.Command) -> str:
    with pytest.raises(LimitExceeded) as caught:
        check_command(LIMITS, command)
    return str(caught.value)


def test_a_name_is_short_and_can_be_seen():
    check_name(LIMITS, "Bestellung"[:8], "id")
    check_name(LIMITS, "größe 1", "id")
    check_name(LIMITS, "", "id", required=False)
    for text, why in (("", "is empty"), ("123456789", "9 characters; at most 8"), ("a\nb", "can not be printed")):
        with pytest.raises(InvalidArgument, match=why) as caught:
            check_name(LIMITS, text, "id")
        assert caught.value.field == "id"


@pytest.mark.parametrize("path", ["1", "12", "1.2", "1.2.3", "10.0.7"])
def test_a_path_is_numbers_joined_by_dots(path):
    check_path(LIMITS, path)


@pytest.mark.parametrize("path", ["", ".", "1.", ".1", "1..2", "a", "1.a", "-1", "1 ", "\u0661", "1.\u0661", "1" * 9])
def test_anything_else_is_no_path(path):
    with pytest.raises(InvalidArgument) as caught:
        check_path(LIMITS, path)
    assert caught.value.field == "path"


def test_the_signals_that_a_run_waits_for_have_bounds():
    limits = evolve(LIMITS, awaits_max=2)
    go = e.AwaitedSignal("1.1.1", "go")
    check_awaits(limits, (go, go))
    for wrong in ((go,) * 3, (e.AwaitedSignal("1", "a name too long"),), (e.AwaitedSignal("1", ""),)):
        with pytest.raises(InvalidArgument) as caught:
            check_awaits(limits, wrong)
        assert caught.value.field == "awaits"
    with pytest.raises(InvalidArgument) as caught:
        check_awaits(limits, (e.AwaitedSignal("x", "go"),))
    assert caught.value.field == "path"


def test_a_payload_has_a_bound_and_a_printable_encoding():
    check_payload(LIMITS, Payload(b"1234", "zstd"), "input")
    with pytest.raises(LimitExceeded, match="input has 5 bytes; at most 4"):
        check_payload(LIMITS, BIG, "input")
    with pytest.raises(InvalidArgument) as caught:
        check_payload(LIMITS, Payload(b"", "a\tb"), "input")
    assert caught.value.field == "input.encoding"


def test_a_failure_has_a_type_and_bounds_in_every_direction():
    deep = Failure("A", "", causes=(Failure("B", "", causes=(Failure("C", ""),)),))
    check_failure(LIMITS, deep, "failure")
    with pytest.raises(InvalidArgument, match=r"failure\.type is empty"):
        check_failure(LIMITS, Failure("", "m"), "failure")
    with pytest.raises(LimitExceeded, match=r"failure\.message has 6"):
        check_failure(LIMITS, Failure("A", "123456"), "failure")
    with pytest.raises(LimitExceeded, match=r"failure\.traceback has 6"):
        check_failure(LIMITS, Failure("A", "", "123456"), "failure")
    with pytest.raises(LimitExceeded, match="nested deeper than 3"):
        check_failure(LIMITS, Failure("Z", "", causes=(deep,)), "failure")
    with pytest.raises(LimitExceeded, match="bases has 3 names; at most 2"):
        check_failure(LIMITS, Failure("A", "", bases=("B", "C", "D")), "failure")
    with pytest.raises(InvalidArgument, match=r"failure\.bases has 9 characters; at most 8"):
        check_failure(LIMITS, Failure("A", "", bases=("B" * 9,)), "failure")
    with pytest.raises(LimitExceeded, match="causes has 3 members; at most 2"):
        check_failure(LIMITS, Failure("A", "", causes=(OK, OK, OK)), "failure")


@pytest.mark.parametrize(
    "command",
    [
        c.RecordStep("1", "pack", NONE),
        c.RecordStep("1", "pack", None, OK),
        c.StartTimer("1", DEFAULT_LIMITS.delay_max_ms),
        c.ScheduleActivity("1", "charge", "", NONE),
        c.StartChild("1", "ship", "", "", NONE),
        c.CancelPending("1"),
        c.CompleteRun(NONE),
        c.FailRun(OK),
        c.CancelRun("why", "3"),
        c.BlockRun(OK),
        c.CompleteActivity(NONE),
        c.FailActivity(OK),
        c.CancelActivity(),
    ],
)
def test_a_good_command_passes(command):
    check_command(LIMITS, command)


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (c.RecordStep("x", "pack", NONE), "path"),
        (c.RecordStep("1", "", NONE), "name"),
        (c.RecordStep("1", "pack", None), "result"),
        (c.RecordStep("1", "pack", NONE, OK), "result"),
        (c.RecordStep("1", "pack", None, Failure("", "m")), "failure.type"),
        (c.StartTimer("x", 1), "path"),
        (c.StartTimer("1", DEFAULT_LIMITS.delay_max_ms + 1), "delay_ms"),
        (c.ScheduleActivity("x", "charge", "", NONE), "path"),
        (c.ScheduleActivity("1", "", "", NONE), "activity_type"),
        (c.ScheduleActivity("1", "charge", "a\nb", NONE), "task_queue"),
        (c.ScheduleActivity("1", "charge", "", NONE, RetryPolicy(initial_s=TEN_YEARS_S + 1)), "retry"),
        (c.ScheduleActivity("1", "charge", "", NONE, RetryPolicy(maximum_s=1e300)), "retry"),
        (c.ScheduleActivity("1", "charge", "", NONE, RetryPolicy(non_retryable=("",))), "non_retryable"),
        (
            c.ScheduleActivity("1", "charge", "", NONE, timeouts=ActivityTimeouts(heartbeat_s=TEN_YEARS_S + 1)),
            "timeouts",
        ),
        (c.StartChild("x", "ship", "", "", NONE), "path"),
        (c.StartChild("1", "", "", "", NONE), "workflow_type"),
        (c.StartChild("1", "ship", "a\nb", "", NONE), "workflow_id"),
        (c.StartChild("1", "ship", "", "a\nb", NONE), "task_queue"),
        (c.FailStep("x", "pack", OK, 1, DEFAULT_RETRY), "path"),
        (c.FailStep("1", "", OK, 1, DEFAULT_RETRY), "name"),
        (c.FailStep("1", "pack", Failure("", ""), 1, DEFAULT_RETRY), "failure.type"),
        (c.FailStep("1", "pack", evolve(OK, retry_after_ms=LATE_MS), 1, DEFAULT_RETRY), "retry_after_ms"),
        (c.FailStep("1", "pack", OK, 1, RetryPolicy(initial_s=TEN_YEARS_S + 1)), "retry"),
        (c.CreatePromise("x", "answer"), "path"),
        (c.CreatePromise("1", ""), "name"),
        (c.CreatePromise("1", "n", 2**60), "timeout_ms"),
        (c.PublishValue("x", "progress", NONE), "path"),
        (c.PublishValue("1", "", NONE), "key"),
        (c.CancelPending("x"), "path"),
        (c.CancelRun("far too long"), "reason"),
        (c.CancelRun("", "x"), "path"),
        (c.FailRun(Failure("a", ""), "x"), "path"),
        (c.FailRun(Failure("", "")), "failure.type"),
        (c.BlockRun(Failure("", "")), "failure.type"),
        (c.FailActivity(Failure("", "")), "failure.type"),
        (c.FailActivity(Failure("A", "", retry_after_ms=DEFAULT_LIMITS.delay_max_ms + 1)), "retry_after_ms"),
    ],
)
def test_a_wrong_command_is_refused_by_the_name_of_its_field(command, field):
    assert field_of(command) == field


@pytest.mark.parametrize(
    "command",
    [
        c.RecordStep("1", "pack", BIG),
        c.ScheduleActivity("1", "charge", "", BIG),
        c.StartChild("1", "ship", "", "", BIG),
        c.PublishValue("1", "progress", BIG),
        c.CompleteRun(BIG),
        c.CompleteActivity(BIG),
    ],
)
def test_a_payload_that_is_too_large_is_refused_wherever_it_comes(command):
    assert "has 5 bytes; at most 4" in too_much(command)


def test_a_retry_policy_names_so_many_types_and_no_more():
    names = tuple(f"E{number}" for number in range(101))
    assert "101 names; at most 100" in too_much(
        c.ScheduleActivity("1", "charge", "", NONE, RetryPolicy(non_retryable=names))
    )


def test_labels_are_so_many_and_their_names_are_names():
    check_labels(DEFAULT_LIMITS, {"team": "", "customer": "7"}, "tags", 2)
    with pytest.raises(LimitExceeded, match="tags has 3 entries; at most 2"):
        check_labels(DEFAULT_LIMITS, {"a": "", "b": "", "c": ""}, "tags", 2)
    for labels in ({"": "x"}, {"a\n": "x"}, {"a": "x\n"}, {"a": "x" * 201}):
        with pytest.raises(InvalidArgument) as refusal:
            check_labels(DEFAULT_LIMITS, labels, "tags", 2)
        assert refusal.value.field == "tags"


def test_nothing_is_put_off_for_more_than_ten_years():
    check_delay(DEFAULT_LIMITS, DEFAULT_LIMITS.delay_max_ms, "start_delay_ms")
    with pytest.raises(InvalidArgument) as refusal:
        check_delay(DEFAULT_LIMITS, LATE_MS, "start_delay_ms")
    assert refusal.value.field == "start_delay_ms"
