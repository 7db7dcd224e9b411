"""Replay alone, driven by hand: calls that let their branch go on, signals, and steps that are tried again."""

import pytest

from aether.errors import InvalidArgument, NonDeterminism
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Payload
from aether.sdk.replay import Replay
from aether.sdk.waiters import BACKING_OFF, CANCELLING, LIVE, OVER, STARTED, Branch, Waiter
from tests.unit.sdk.replayed import (
    BAD,
    CHILD,
    ONE,
    acknowledge,
    begun,
    send,
    two_branches,
)

# Calls that their branch does not wait for.

PROMISE = c.CreatePromise("1", "approval")


def promised(*facts: e.Fact) -> tuple[Replay, Waiter]:
    """A run that has made a promise and goes on."""
    replay = begun(*facts)
    waiter = replay.register(replay.root, "promise", "approval", PROMISE, is_detached=True)
    if not facts:
        assert not replay.waits_for_server, "it goes on as soon as the promise is recorded"
        acknowledge(replay)
    assert (waiter.state, replay.root.waiter, replay.is_at_rest) == (STARTED, None, False)
    assert replay.woken == [waiter]
    replay.woken.clear()
    return replay, waiter


def test_a_branch_goes_on_when_its_promise_is_recorded_and_waits_for_its_end_later():
    replay, waiter = promised()
    assert replay.join_call(waiter, replay.root) is True
    assert replay.waits_for_server
    send(replay, e.PromiseResolved("1", ONE), at=7)
    assert (waiter.state, waiter.result, replay.woken) == (OVER, ONE, [waiter])
    assert (replay.root.clock, replay.is_at_rest) == (7, False)
    assert replay.join_call(waiter, replay.root) is False, "it is over"


def test_a_detached_call_may_be_over_before_anybody_waits_for_its_end():
    replay, waiter = promised(e.PromiseCreated("1", "approval"), e.PromiseRejected("1", BAD))
    step = replay.register(replay.root, "step", "meanwhile")
    assert (waiter.state, waiter.failure, replay.woken) == (OVER, BAD, [step])
    replay.give_up(waiter)
    assert replay.commands == []


def test_a_wait_for_a_promise_can_be_cancelled_and_begun_again():
    replay, waiter = promised()
    replay.join_call(waiter, replay.root)
    replay.leave_call(waiter)
    assert (waiter.state, replay.root.waiter, replay.is_at_rest) == (STARTED, None, False)
    replay.leave_call(waiter)
    assert replay.join_call(waiter, replay.root) is True
    assert replay.is_at_rest
    assert replay.abandon(waiter) is True or waiter.state is OVER


def test_a_call_that_goes_on_already_is_not_abandoned_by_a_late_cancel():
    replay, waiter = promised()
    assert replay.abandon(waiter) is False
    assert (waiter.state, replay.is_at_rest) == (STARTED, False)


def test_two_branches_can_not_wait_for_the_same_promise_nor_one_for_two_things():
    replay, waiter = promised()
    _fork, left, right = two_branches(replay)
    replay.join_call(waiter, left)
    with pytest.raises(InvalidArgument, match="two branches wait for the same promise 'approval'"):
        replay.join_call(waiter, right)
    other, waiter = promised()
    other.register(other.root, "step", "a")
    with pytest.raises(InvalidArgument, match="while the same branch waits for step 'a'"):
        other.join_call(waiter, other.root)


def test_a_promise_that_is_cancelled_before_it_is_recorded_is_dropped():
    replay = begun()
    waiter = replay.register(replay.root, "promise", "approval", PROMISE, is_detached=True)
    assert replay.abandon(waiter) is False
    assert replay.live_calls == 0
    assert replay.commands == [PROMISE, c.CancelPending("1")]
    replay.finish()
    send(replay, e.PromiseCreated("1", "approval"))
    send(replay, e.PromiseDropped("1"))
    assert replay.is_caught_up


def test_a_run_that_ends_gives_up_its_promises_and_waits_for_its_children():
    replay, waiter = promised()
    replay.give_up(waiter)
    assert (waiter.state, replay.waiters) == (OVER, {})
    replay.finish()
    assert replay.commands == [c.CancelPending("1")]

    replay = begun()
    child = replay.register(replay.root, "child", "ship", CHILD, is_detached=True)
    acknowledge(replay)
    replay.give_up(child)
    replay.give_up(child)
    assert (child.state, replay.commands) == (CANCELLING, [c.CancelPending("1")])
    replay.join_call(child, replay.root)
    acknowledge(replay)
    send(replay, e.ChildCancelRequested("1"))
    send(replay, e.ChildCancelled("1"))
    assert (child.state, child.cancelled) == (OVER, True)


def test_a_child_that_was_cancelled_before_it_was_recorded_stays_cancelled():
    replay = begun()
    child = replay.register(replay.root, "child", "ship", CHILD, is_detached=True)
    assert replay.abandon(child) is True
    assert replay.live_calls == 0
    send(replay, e.ChildStarted("1", "w/1", "r2", "ship"))
    assert child.state is CANCELLING
    send(replay, e.ChildCompleted("1", ONE))
    assert (child.state, replay.root.waiter) == (OVER, None)


def test_a_published_value_goes_on_when_it_is_recorded():
    replay = begun()
    waiter = replay.register(replay.root, "value", "k", c.PublishValue("1", "k", ONE))
    assert (replay.live_calls, replay.waits_for_server) == (1, False)
    acknowledge(replay)
    assert (waiter.state, replay.live_calls) == (OVER, 0)
    again = begun(e.ValuePublished("1", "k", ONE))
    assert again.register(again.root, "value", "k", c.PublishValue("1", "k", ONE)).state is OVER
    assert again.commands == []


# Signals.


def test_a_signal_goes_to_whoever_has_waited_longest_or_is_kept():
    replay = begun(e.SignalReceived("go", ONE))
    first = replay.register(replay.root, "signal", "go")
    assert (first.state, first.result, replay.woken) == (OVER, ONE, [first])
    replay.woken.clear()
    _fork, left, right = two_branches(replay)
    one, two = replay.register(left, "signal", "go"), replay.register(right, "signal", "go")
    assert (one.state, two.state, replay.waits_for_server) == (STARTED, STARTED, True)
    send(replay, e.SignalReceived("other", ONE))
    send(replay, e.SignalReceived("go", Payload(b"2")))
    assert (one.result, two.state, replay.woken) == (Payload(b"2"), STARTED, [one])
    later = replay.register(left, "signal", "other")
    assert later.result == ONE
    assert replay.commands == [], "the server knows nothing of who waits"


def test_a_wait_for_a_signal_that_was_cancelled_takes_none():
    replay = begun()
    waiter = replay.register(replay.root, "signal", "go")
    assert replay.abandon(waiter) is False
    send(replay, e.SignalReceived("go", ONE))
    replay.register(replay.root, "step", "a")
    assert (waiter.result, replay.commands) == (None, [])


# Steps that are tried again.


def retried(*facts: e.Fact) -> tuple[Replay, Waiter]:
    replay = begun(e.StepRetried("1", "a", BAD, 1, 5), *facts)
    return replay, replay.register(replay.root, "step", "a")


def test_a_step_that_is_tried_again_goes_live_when_its_timer_fires():
    replay, waiter = retried()
    assert (waiter.state, waiter.attempt, replay.waits_for_server) == (BACKING_OFF, 2, True)
    send(replay, e.RunStarted("worker", 2, "gone"))
    assert waiter.attempt == 2, "no attempt was under way"
    send(replay, e.TimerFired("1"))
    assert (waiter.state, replay.woken, replay.live_calls) == (LIVE, [waiter], 1)
    send(replay, e.StepRetried("1", "a", BAD, 2, 5))
    assert (waiter.state, waiter.attempt, replay.live_calls) == (BACKING_OFF, 3, 0)


def test_a_step_that_is_cancelled_between_two_attempts_gives_its_timer_up():
    replay, waiter = retried()
    assert replay.abandon(waiter) is False
    replay.finish()
    assert replay.commands == [c.CancelPending("1")]
    again, waiter = retried(e.CancelRequested(""), e.TimerCancelled("1"))
    assert again.abandon(waiter) is True
    again.settled()
    again.finish()
    assert (again.commands, again.is_caught_up) == ([], True)


def test_a_step_that_is_cancelled_before_it_is_known_whether_it_is_tried_again_goes_on_when_it_is():
    replay = begun()
    waiter = replay.register(replay.root, "step", "a")
    waiter.is_told = True
    assert replay.abandon(waiter) is True
    assert replay.commands == []
    send(replay, e.StepRetried("1", "a", BAD, 1, 500))
    assert (waiter.state, replay.is_at_rest) == (OVER, False)
    assert replay.commands == [c.CancelPending("1")]


def test_a_timer_that_was_given_up_while_the_code_waits_for_it_is_a_mismatch():
    with pytest.raises(NonDeterminism, match="was given up, the code waits for it"):
        begun(e.TimerStarted("1", 9), e.TimerCancelled("1")).register(Branch(""), "timer", "", c.StartTimer("1", 9))


def test_random_values_follow_from_what_the_last_fork_says():
    replay = begun(
        e.StepCompleted("1", "a", ONE), e.RunForked("w", "r", 1, "first"), e.RunForked("w", "r", 1, "second")
    )
    assert replay.seed == ""
    replay.register(replay.root, "step", "a")
    assert replay.seed == "", "its branch has not come to rest behind the fact before the fork"
    replay.register(replay.root, "step", "b")
    assert replay.seed == "second"
