"""What the retry rule promises, whatever the policy."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aether.core.retry import GiveUp, RetryAt, decide_retry
from aether.model.payload import Failure
from aether.model.policy import RetryPolicy

S = 1_000_000
TEN_YEARS_S = 10 * 366 * 86_400
TYPES = st.sampled_from(("ValueError", "KeyError", "WorkerLost"))
FAILURES = st.builds(
    Failure, TYPES, st.just("m"), non_retryable=st.booleans(), retry_after_ms=st.integers(0, TEN_YEARS_S * 1_000)
)
CURABLE = st.builds(Failure, TYPES, st.just("m"))
DURATIONS = st.floats(0, TEN_YEARS_S)
POLICIES = st.builds(
    RetryPolicy,
    DURATIONS,
    st.floats(1, 1e308),
    DURATIONS,
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
    st.lists(TYPES, max_size=1).map(tuple),
)
ENDLESS = st.builds(RetryPolicy, DURATIONS, st.floats(1, 1e308), DURATIONS, st.floats(0, 1))
ATTEMPTS = st.one_of(st.integers(1, 10), st.integers(1, 2**32 - 1))
NOW = st.integers(0, 2**52)
DRAWN = st.floats(0, 1, exclude_max=True)
GIVE_UP_AT = st.none() | st.integers(0, 2**53)


@given(POLICIES, ATTEMPTS, FAILURES, NOW, GIVE_UP_AT, DRAWN, st.booleans())
@settings(deadline=None)
def test_there_is_always_an_answer_and_never_an_attempt_too_many_or_too_late(
    policy, attempt, failure, now, give_up_at, drawn, at_once
):
    verdict = decide_retry(policy, attempt, failure, now, give_up_at, drawn, at_once=at_once)
    if isinstance(verdict, GiveUp):
        assert verdict.reason
        return
    assert verdict.at >= now
    assert give_up_at is None or verdict.at < give_up_at
    assert not policy.max_attempts or attempt < policy.max_attempts
    assert not failure.non_retryable
    assert failure.type not in policy.non_retryable
    assert verdict.at == now or not at_once


@given(ENDLESS, ATTEMPTS, CURABLE, NOW, DRAWN)
@settings(deadline=None)
def test_a_delay_is_at_most_the_maximum_and_at_least_that_less_the_jitter(policy, attempt, failure, now, drawn):
    verdict = decide_retry(policy, attempt, failure, now, None, drawn)
    undrawn = decide_retry(policy, attempt, failure, now, None, 0.0)
    assert isinstance(verdict, RetryAt)
    assert isinstance(undrawn, RetryAt)
    assert verdict.at - now <= undrawn.at - now <= policy.maximum_s * S
    assert verdict.at - now >= int((undrawn.at - now) * (1 - policy.jitter)) - 1_000


@given(ENDLESS, ATTEMPTS, CURABLE, NOW)
@settings(deadline=None)
def test_delays_never_shrink_from_one_attempt_to_the_next(policy, attempt, failure, now):
    first, second = (decide_retry(policy, number, failure, now, None, 0.0) for number in (attempt, attempt + 1))
    assert isinstance(first, RetryAt)
    assert isinstance(second, RetryAt)
    assert first.at <= second.at


@given(POLICIES, ATTEMPTS, FAILURES, NOW, DRAWN)
@settings(deadline=None)
def test_the_delay_that_the_raiser_asked_for_is_kept_exactly(policy, attempt, failure, now, drawn):
    assume(failure.retry_after_ms)
    verdict = decide_retry(policy, attempt, failure, now, None, drawn)
    assert isinstance(verdict, GiveUp) or verdict.at == now + failure.retry_after_ms * 1_000
