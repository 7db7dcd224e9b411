from math import inf, nan

import pytest

from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS, ActivityTimeouts, RetryPolicy


def test_by_default_an_activity_is_retried_without_end_and_without_bounds():
    assert DEFAULT_RETRY.max_attempts == 0
    assert ActivityTimeouts(0, 0, 0, 0) == NO_TIMEOUTS


def test_exceptions_may_be_named_by_class_or_by_name():
    assert RetryPolicy(non_retryable=(ValueError, "CardDeclined")).non_retryable == ("ValueError", "CardDeclined")


def test_a_single_name_is_one_name_and_not_a_series_of_letters():
    assert RetryPolicy(non_retryable="CardDeclined").non_retryable == ("CardDeclined",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("initial_s", -1),
        ("initial_s", inf),
        ("initial_s", nan),
        ("factor", 0.9),
        ("factor", inf),
        ("factor", nan),
        ("maximum_s", -0.1),
        ("maximum_s", inf),
        ("jitter", -0.1),
        ("jitter", 1.1),
        ("max_attempts", -1),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_the_name_of_its_field(field, value):
    with pytest.raises(ValueError, match=field):
        RetryPolicy(**{field: value})


@pytest.mark.parametrize("field", ["schedule_to_start_s", "start_to_close_s", "schedule_to_close_s", "heartbeat_s"])
@pytest.mark.parametrize("value", [-1, inf, nan])
def test_a_bound_that_makes_no_sense_is_refused_by_its_name(field, value):
    with pytest.raises(ValueError, match=field):
        ActivityTimeouts(**{field: value})
