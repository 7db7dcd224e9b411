import pytest

from aether.errors import InvalidArgument
from aether.model.payload import Failure, Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS, ActivityTimeouts, RetryPolicy
from aether.model.runs import ParentClosePolicy
from aether.wire.generated.aether.v1 import model_pb2 as pb
from aether.wire.values import (
    failure_from_proto,
    failure_to_proto,
    memo_from_proto,
    payload_from_proto,
    payload_to_proto,
    policy_from_proto,
    retry_from_proto,
    retry_to_proto,
    tags_from_proto,
    timeouts_from_proto,
    timeouts_to_proto,
)

DATA = Payload(b"\x00data", "zstd")
DEEP = Failure(
    "ExceptionGroup",
    "two",
    "Traceback",
    (Failure("ValueError", "one", non_retryable=True), Failure("KeyError", "two", retry_after_ms=7)),
    group=True,
)


def test_payloads_and_failures_go_both_ways():
    assert payload_from_proto(payload_to_proto(DATA)) == DATA
    assert failure_from_proto(failure_to_proto(DEEP)) == DEEP


def test_a_policy_goes_both_ways():
    policy = RetryPolicy(0.25, 1.5, 12.5, 0.0, 7, (ValueError, "CardDeclined"))
    assert retry_from_proto(retry_to_proto(policy)) == policy


def test_a_policy_without_a_factor_has_the_default_one():
    assert retry_from_proto(pb.RetryPolicy(initial_ms=5)).factor == DEFAULT_RETRY.factor


@pytest.mark.parametrize(
    "policy",
    [
        pb.RetryPolicy(factor=0.5),
        pb.RetryPolicy(factor=-1),
        pb.RetryPolicy(factor=float("nan")),
        pb.RetryPolicy(factor=float("inf")),
        pb.RetryPolicy(jitter=1.5),
        pb.RetryPolicy(jitter=float("nan")),
    ],
)
def test_a_policy_that_makes_no_sense_is_the_senders_fault(policy):
    with pytest.raises(InvalidArgument) as caught:
        retry_from_proto(policy)
    assert caught.value.field == "retry"


def test_every_whole_number_of_milliseconds_comes_back_as_it_was():
    wrong = []
    for ms in (*range(5_000), *range(10**9, 10**9 + 5_000), 316_224_000_000):
        message = pb.ActivityTimeouts(start_to_close_ms=ms)
        if timeouts_to_proto(timeouts_from_proto(message)) != message:
            wrong.append(ms)
    assert wrong == []


def test_a_bound_below_a_millisecond_is_rounded_up_and_never_becomes_none():
    assert timeouts_to_proto(ActivityTimeouts(heartbeat_s=1e-9)).heartbeat_ms == 1
    assert timeouts_to_proto(ActivityTimeouts(heartbeat_s=0.0011)).heartbeat_ms == 2
    assert timeouts_to_proto(NO_TIMEOUTS) == pb.ActivityTimeouts()
    assert retry_to_proto(RetryPolicy(initial_s=1e-5)).initial_ms == 1


def test_a_parent_close_policy_is_known_or_refused():
    assert [policy_from_proto(number) for number in (0, 1, 2, 3)] == [
        ParentClosePolicy.CANCEL,
        ParentClosePolicy.CANCEL,
        ParentClosePolicy.TERMINATE,
        ParentClosePolicy.ABANDON,
    ]
    with pytest.raises(InvalidArgument) as refusal:
        policy_from_proto(9)
    assert refusal.value.field == "parent_close_policy"


def test_tags_and_memo_come_in_the_order_of_their_keys():
    assert tags_from_proto({"b": "2", "a": "1"}) == (("a", "1"), ("b", "2"))
    memo = {"b": pb.Payload(data=b"2"), "a": pb.Payload(data=b"1")}
    assert memo_from_proto(memo) == (("a", Payload(b"1")), ("b", Payload(b"2")))
