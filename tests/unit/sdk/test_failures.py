"""Exceptions as data: the whole chain, bounded, with the user's frames."""

import asyncio
from typing import Any

import anyio
import pytest

from aether.errors import InvalidArgument, NonRetryable, RetryAfter, StepFailed
from aether.model.limits import Limits
from aether.model.payload import Failure
from aether.sdk.failures import clip, failure_in, from_failure, to_failure

ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])


def caught(function):
    with pytest.raises(BaseException) as error:
        function()
    return error.value


def test_a_chain_is_kept_with_the_users_frames():
    def inner():
        raise KeyError("deep")

    def outer():
        try:
            inner()
        except KeyError as error:
            raise ValueError("no") from error

    failure = to_failure(caught(outer))
    assert (failure.type, failure.message, failure.group) == ("ValueError", "no", False)
    assert failure.traceback.startswith("Traceback (most recent call last):")
    assert "in outer" in failure.traceback
    (cause,) = failure.causes
    assert (cause.type, cause.message, cause.causes) == ("KeyError", "'deep'", ())


def test_the_context_of_an_exception_counts_unless_it_is_suppressed():
    def implicit():
        try:
            raise KeyError("a")
        except KeyError:
            raise ValueError("b")  # noqa: B904

    def suppressed():
        try:
            raise KeyError("a")
        except KeyError:
            raise ValueError("b") from None

    assert [cause.type for cause in to_failure(caught(implicit)).causes] == ["KeyError"]
    assert to_failure(caught(suppressed)).causes == ()


def test_a_group_holds_its_members():
    failure = to_failure(ExceptionGroup("both", [ValueError("a"), KeyError("b")]))
    assert (failure.type, failure.message, failure.group) == ("ExceptionGroup", "both", True)
    assert [cause.type for cause in failure.causes] == ["ValueError", "KeyError"]


def test_an_error_that_stands_for_a_failure_does_not_lose_the_original():
    original = Failure("CardDeclined", "no money", "here")
    error = from_failure(StepFailed, "step 'pay'", original)
    assert str(error) == "step 'pay' failed: CardDeclined: no money"
    error.__cause__ = ValueError("the object itself")
    assert to_failure(error).causes == (original,)
    assert str(from_failure(StepFailed, "it", Failure("Oops", ""))) == "it failed: Oops"
    assert to_failure(StepFailed("bare")).causes == ()


def test_what_steers_retries_is_kept():
    class Final(NonRetryable):
        pass

    assert to_failure(Final()).non_retryable
    assert to_failure(RetryAfter(1.5)).retry_after_ms == 1500
    assert not to_failure(ValueError()).non_retryable
    assert to_failure(Final()).bases == ("NonRetryable", "Exception", "BaseException")


def test_a_delay_that_was_asked_for_is_never_none_and_never_endless():
    assert to_failure(RetryAfter(0)).retry_after_ms == 1, "0 would leave it to the policy"
    assert to_failure(RetryAfter(0.0012)).retry_after_ms == 2
    assert to_failure(RetryAfter(float("inf"))).retry_after_ms == Limits().delay_max_ms
    for nonsense in (-1, float("nan")):
        with pytest.raises(InvalidArgument, match="the delay must be 0 seconds or more"):
            RetryAfter(nonsense)


def test_everything_is_bounded():
    error = ValueError("x" * 1_000)
    for _ in range(20):
        outer = ValueError("outer")
        outer.__cause__ = error
        error = outer
    failure = to_failure(error, Limits(failure_depth_max=3))
    assert failure.causes[0].causes[0].causes == ()
    group = ExceptionGroup("many", [ValueError(str(number)) for number in range(10)])
    assert len(to_failure(group, Limits(failure_causes_max=4)).causes) == 4
    short = to_failure(ValueError("x" * 1_000), Limits(failure_text_max=20))
    assert len(short.message.encode()) <= 20


def test_the_end_of_a_long_text_is_what_stays():
    assert clip("short", 10) == "short"
    assert clip("beginning and end", 10).endswith("end")
    assert len(clip("ä" * 100, 11).encode()) <= 11
    assert clip("\ud800", 10) == "?"


def test_a_broken_exception_is_still_a_failure():
    class Broken(Exception):
        def __str__(self):
            raise RuntimeError("no")

    assert to_failure(Broken()).message == "<its __str__ raised RuntimeError>"


@ASYNCIO
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "is_of_the_user"),
    [
        (ValueError(), True),
        (SystemExit(1), True),
        (KeyboardInterrupt(), False),
        (BaseExceptionGroup("", [ValueError(), SystemExit()]), True),
        (BaseExceptionGroup("", [ValueError(), KeyboardInterrupt()]), False),
        (asyncio.CancelledError(), True),
    ],
)
async def test_what_ends_the_process_is_no_failure_and_what_only_wants_to_is(error, is_of_the_user):
    assert repr(failure_in(error)) == repr(error if is_of_the_user else None)


@ASYNCIO
@pytest.mark.anyio
async def test_a_cancel_that_somebody_asked_for_is_no_failure():
    wrong = ValueError()
    told: list[Any] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        try:
            await anyio.sleep(1)
        except BaseException as error:
            told.append(failure_in(error))
            told.append(failure_in(BaseExceptionGroup("", [error])))
            told.append(failure_in(BaseExceptionGroup("", [error, KeyboardInterrupt()])))
            told.append(failure_in(BaseExceptionGroup("g", [error, ExceptionGroup("", [wrong])])))
            raise
    assert told[:3] == [None, None, None]
    assert isinstance(told[3], ExceptionGroup)
    assert (str(told[3].message), told[3].exceptions[0].exceptions) == ("g", (wrong,))


def size_of(failure):
    return len(failure.message) + len(failure.traceback) + sum(map(size_of, failure.causes))


def test_a_failure_of_very_many_parts_fits_into_a_message():
    inner = [ExceptionGroup("inner", [ValueError("x" * 5_000) for _ in range(64)]) for _ in range(64)]
    failure = to_failure(ExceptionGroup("outer", inner))
    assert 500_000 < size_of(failure) < 700_000
    assert failure.causes[0].causes[0].message == "x" * 5_000
    assert sum(len(cause.causes) for cause in failure.causes) < 200


def test_failures_that_were_failures_before_fit_too():
    known = Failure("ValueError", "why", "t" * 30_000, (Failure("KeyError", "because", "t" * 30_000),), bases=("A",))
    failure = to_failure(ExceptionGroup("all", [StepFailed("failed", known) for _ in range(64)]))
    assert size_of(failure) < 700_000
    assert failure.causes[0].causes == (known,)
    short = [cause.causes[0] for cause in failure.causes if cause.causes and not cause.causes[0].causes]
    assert short[0] == Failure("ValueError", "why", bases=("A",))


@ASYNCIO
@pytest.mark.anyio
async def test_code_that_was_being_cancelled_when_it_failed_does_not_show_our_scheduler():
    caught = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        try:
            try:
                await anyio.sleep(1)
            finally:
                raise KeyError("late")
        except KeyError as error:
            caught.append(to_failure(error))
    assert [(failure.type, failure.causes) for failure in caught] == [("KeyError", ())]
