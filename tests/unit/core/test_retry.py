import pytest
from attrs import evolve

from aether.core.retry import GiveUp, RetryAt, decide_retry, draw
from aether.model.payload import Failure
from aether.model.policy import RetryPolicy

S = 1_000_000
NOW = 1_000 * S
BOOM = Failure("ValueError", "boom")
POLICY = RetryPolicy(initial_s=1, factor=2, maximum_s=10, jitter=0, max_attempts=5)


def delay_s(policy: RetryPolicy, attempt: int, failure: Failure = BOOM, drawn: float = 0.0) -> float:
    verdict = decide_retry(policy, attempt, failure, NOW, None, drawn)
    assert isinstance(verdict, RetryAt)
    return (verdict.at - NOW) / S


def test_delays_grow_by_the_factor_up_to_the_maximum():
    endless = evolve(POLICY, max_attempts=0)
    assert [delay_s(endless, attempt) for attempt in (1, 2, 3, 4, 5, 6, 1_000, 10**9)] == [1, 2, 4, 8, 10, 10, 10, 10]


@pytest.mark.parametrize(("initial_s", "expected"), [(0.0, 0.0), (1e-300, 10.0)])
def test_a_factor_beyond_what_a_float_holds_gives_the_maximum(initial_s, expected):
    huge = RetryPolicy(initial_s=initial_s, factor=1e300, maximum_s=10, jitter=0)
    assert delay_s(huge, 3) == expected


def test_the_last_attempt_is_the_last():
    assert isinstance(decide_retry(POLICY, 4, BOOM, NOW, None, 0), RetryAt)
    assert decide_retry(POLICY, 5, BOOM, NOW, None, 0) == GiveUp("attempt 5 of 5 failed")


def test_what_no_retry_can_cure_is_not_tried_again():
    named = evolve(POLICY, non_retryable=("ValueError",))
    assert decide_retry(named, 1, BOOM, NOW, None, 0) == GiveUp("ValueError is not retryable")
    asked = evolve(BOOM, non_retryable=True)
    assert decide_retry(POLICY, 1, asked, NOW, None, 0) == GiveUp("ValueError is not retryable")


def test_a_class_that_no_retry_can_cure_covers_what_derives_from_it():
    named = evolve(POLICY, non_retryable=(LookupError,))
    key = Failure("KeyError", "k", bases=("LookupError", "Exception", "BaseException"))
    assert decide_retry(named, 1, key, NOW, None, 0) == GiveUp("KeyError is not retryable")
    assert decide_retry(evolve(POLICY, non_retryable=("IndexError",)), 1, key, NOW, None, 0) == RetryAt(NOW + S)


def test_a_group_is_tried_again_as_its_members_would_be():
    group = Failure("ExceptionGroup", "two", causes=(BOOM, evolve(BOOM, retry_after_ms=60_000)), group=True)
    assert delay_s(POLICY, 1, group) == 60
    nested = evolve(group, causes=(evolve(group, causes=(evolve(BOOM, type="CardDeclined"),)),))
    assert decide_retry(evolve(POLICY, non_retryable=("CardDeclined",)), 1, nested, NOW, None, 0) == GiveUp(
        "CardDeclined is not retryable"
    )


def test_what_caused_a_failure_does_not_decide_for_it():
    wrapped = evolve(BOOM, causes=(Failure("CardDeclined", "no", non_retryable=True),))
    assert delay_s(POLICY, 1, wrapped) == 1


def test_the_raiser_may_choose_the_delay():
    assert delay_s(POLICY, 1, evolve(BOOM, retry_after_ms=60_000)) == 60


def test_nobody_waits_for_an_attempt_that_would_come_too_late():
    assert decide_retry(POLICY, 1, BOOM, NOW, NOW + 2 * S, 0) == RetryAt(NOW + 1 * S)
    assert decide_retry(POLICY, 1, BOOM, NOW, NOW + 1 * S, 0) == GiveUp(
        "the next attempt would start after schedule_to_close"
    )


def test_who_may_try_at_once_is_not_given_up_for_a_delay_that_is_not_kept():
    assert decide_retry(POLICY, 4, BOOM, NOW, NOW + 1, 0, at_once=True) == RetryAt(NOW)
    assert isinstance(decide_retry(POLICY, 5, BOOM, NOW, None, 0, at_once=True), GiveUp)


def test_jitter_only_shortens_a_delay_and_by_its_share_at_most():
    jittery = evolve(POLICY, jitter=0.5)
    assert delay_s(jittery, 2, drawn=0.0) == 2
    assert delay_s(jittery, 2, drawn=0.5) == 1.5
    assert 1 <= delay_s(jittery, 2, drawn=0.999) < 1.01


def test_a_draw_is_always_the_same_for_the_same_identity():
    assert draw("run", "1.2", 3) == draw("run", "1.2", 3)
    assert draw("run", "1.2", 3) != draw("run", "1.2", 4)
    draws = [draw("run", str(number), 1) for number in range(2_000)]
    assert all(0 <= drawn < 1 for drawn in draws)
    assert 0.45 < sum(draws) / len(draws) < 0.55
