"""Replay alone, driven by hand: what becomes of calls whose code is cancelled, and in which order that code goes on."""

import pytest

from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import ABORTED
from aether.sdk.waiters import CANCELLING, HELD, LEAVING, LIVE, OVER
from tests.unit.sdk.replayed import (
    BAD,
    INPUT,
    ONE,
    acknowledge,
    activity,
    begun,
    scheduled,
    send,
    tell,
    two_branches,
)


def test_a_cancel_request_is_delivered_in_order_and_holds_everything_until_it_has_settled():
    replay = begun(e.StepCompleted("1", "a", ONE), e.CancelRequested("enough"), e.StepCompleted("3", "tidy", ONE))
    replay.register(replay.root, "step", "a")
    waiter = replay.register(replay.root, "timer", "", c.StartTimer("2", 5))
    replay.woken.clear()
    assert replay.cancel == e.CancelRequested("enough")
    assert replay.abandon(waiter) is True
    assert (waiter.state, replay.woken) == (LEAVING, [])
    replay.settled()
    assert (waiter.state, replay.woken) == (OVER, [waiter])
    assert replay.register(replay.root, "step", "tidy").state is OVER
    replay.settled()
    replay.finish()
    assert replay.is_at_rest


def test_the_end_of_the_code_settles_a_cancel():
    replay = begun(e.CancelRequested(""))
    while replay.cancel is None:
        replay.pump(impatient=True)
    assert not replay.is_at_rest
    replay.finish()
    assert replay.is_at_rest
    send(replay, e.CancelRequested("again"))
    assert replay.is_at_rest, "nobody is left to be cancelled"


def test_branches_that_are_cancelled_together_go_on_one_by_one_in_the_order_of_their_paths():
    replay = begun()
    fork, left, right = two_branches(replay)
    waiters = [
        replay.register(branch, "timer", "", c.StartTimer(branch.next_path(), 5))
        for branch in (left, right, replay.open_branch(fork))
    ]
    acknowledge(replay)
    send(replay, e.CancelRequested(""))
    for waiter in reversed(waiters):
        assert replay.abandon(waiter) is True
    assert {wake() for wake in replay.sleepers()} == set()
    replay.receive(9, e.SignalReceived("late", ONE))
    for number, waiter in enumerate(waiters):
        replay.woken.clear()
        if number == 0:
            replay.settled()
        else:
            replay.close_branch(fork, waiters[number - 1].branch)
        assert (waiter.state, replay.woken) == (OVER, [waiter])
        assert not replay.is_caught_up, "nobody is told of anything before all have gone on"
    replay.close_branch(fork, waiters[2].branch)
    replay.finish()
    assert replay.is_caught_up
    assert replay.commands == [c.CancelPending(waiter.path) for waiter in waiters]


def test_a_branch_that_was_cancelled_is_not_kept_for_ever_by_one_that_is_not_at_rest():
    replay = begun()
    _fork, left, _right = two_branches(replay)
    waiter = replay.register(left, "signal", "s")
    assert replay.abandon(waiter) is True
    assert (waiter.state, replay.unrest > 0) == (LEAVING, True)
    replay.pump(impatient=True)
    assert waiter.state is OVER


def test_a_step_whose_code_was_cancelled_is_recorded_and_its_branch_goes_on_then():
    replay = begun()
    waiter = replay.register(replay.root, "step", "a")
    send(replay, e.CancelRequested(""))
    assert replay.abandon(waiter) is True
    replay.settled()
    assert replay.commands == [c.RecordStep("1", "a", None, ABORTED)]
    assert not replay.waits_for_server
    replay.woken.clear()
    acknowledge(replay)
    assert (waiter.state, replay.woken, replay.live_calls) == (OVER, [waiter], 0)
    assert replay.abandon(waiter) is False, "it is over"


def test_a_step_that_had_ended_when_it_was_cancelled_is_waited_for():
    replay = begun()
    waiter = replay.register(replay.root, "step", "a")
    tell(replay, c.RecordStep("1", "a", ONE))
    send(replay, e.CancelRequested(""))
    assert replay.abandon(waiter) is True
    replay.settled()
    assert len(replay.commands) == 1
    acknowledge(replay)
    assert waiter.state is OVER


def test_a_step_that_was_cancelled_goes_on_in_a_replay_where_its_record_stands():
    facts: list[e.Fact] = [
        e.CancelRequested(""),
        e.StepCompleted("1.2.2", "tidy", ONE),
        e.StepFailed("1.1.1", "a", ABORTED),
    ]
    replay = begun(*facts)
    _fork, left, right = two_branches(replay)
    step = replay.register(left, "step", "a")
    timer = replay.register(right, "timer", "", c.StartTimer("1.2.1", 5))
    assert replay.abandon(step) is True
    assert replay.abandon(timer) is True
    replay.settled()
    assert (step.state, timer.state) == (HELD, OVER)
    assert replay.register(right, "step", "tidy").state is OVER
    assert step.state is HELD, "the other branch has not come to rest"
    replay.register(right, "timer", "", c.StartTimer("1.2.3", 5))
    assert step.state is OVER


def test_a_step_that_was_cancelled_when_its_worker_died_is_recorded_by_the_next_one():
    replay = begun(e.CancelRequested(""))
    step = replay.register(replay.root, "step", "a")
    assert replay.abandon(step) is True
    assert replay.commands == []
    replay.settled()
    assert (step.state, replay.woken, replay.live_calls) == (LIVE, [], 1)
    assert replay.commands == [c.RecordStep("1", "a", None, ABORTED)]


def test_a_timer_that_was_cancelled_is_given_up_and_not_waited_for():
    live = begun()
    waiter = live.register(live.root, "timer", "", c.StartTimer("1", 5))
    live.commands.clear()
    assert live.abandon(waiter) is False
    assert live.commands == [c.CancelPending("1")]
    acknowledge(live)
    live.finish()
    send(live, e.TimerFired("1"))
    assert live.is_caught_up


@pytest.mark.parametrize("end", [e.TimerCancelled("1"), e.TimerFired("1")])
def test_a_timer_that_the_history_says_is_over_is_not_given_up_again(end):
    replay = begun(e.StepFailed("1.2.1", "b", BAD), e.TimerStarted("1.1.1", 5), type(end)("1.1.1"))
    fork, left, right = two_branches(replay)
    timer = replay.register(left, "timer", "", c.StartTimer("1.1.1", 5))
    replay.register(right, "step", "b")
    assert replay.abandon(timer) is True
    replay.close_branch(fork, right)
    assert timer.state is OVER
    replay.close_branch(fork, left)
    replay.finish()
    assert replay.commands == []


def test_a_call_that_was_cancelled_before_it_went_out_leaves_no_trace():
    replay = begun(e.StepFailed("1.2.1", "b", BAD))
    fork, left, right = two_branches(replay)
    held = replay.register(left, "activity", "charge", activity("1.1.1"))
    replay.register(right, "step", "b")
    assert replay.abandon(held) is True
    replay.close_branch(fork, right)
    assert held.state is OVER
    replay.close_branch(fork, left)
    replay.finish()
    assert replay.commands == []


def test_an_activity_that_was_cancelled_is_given_up_and_waited_for():
    live = begun()
    waiter = live.register(live.root, "activity", "charge", activity("1"))
    acknowledge(live)
    assert live.abandon(waiter) is True
    assert (waiter.state, live.commands) == (CANCELLING, [c.CancelPending("1")])
    acknowledge(live)
    live.woken.clear()
    send(live, e.ActivityCancelled("1"))
    assert (waiter.state, live.woken) == (OVER, [waiter])
    assert not live.is_at_rest


def test_a_cancelled_activity_is_given_up_once_over_all_replays():
    facts = [scheduled("1"), e.CancelRequested("")]
    for more, sent, state in (
        ([], [c.CancelPending("1")], CANCELLING),
        ([e.ActivityCancelRequested("1")], [], CANCELLING),
        ([e.ActivityCancelRequested("1"), e.ActivityCompleted("1", 1, ONE)], [], OVER),
        ([e.ActivityCompleted("1", 1, ONE)], [], OVER),
    ):
        replay = begun(*facts, *more)  # type: ignore[arg-type]
        waiter = replay.register(replay.root, "activity", "charge", activity("1"))
        assert replay.abandon(waiter) is True
        replay.settled()
        assert (replay.commands, waiter.state) == (sent, state)


def test_an_activity_that_is_scheduled_further_on_in_the_history_is_waited_for():
    replay = begun(
        e.StepFailed("1.2.1", "b", BAD),
        e.ActivityScheduled("1.1.1", "charge", "q", INPUT),
        e.ActivityCancelRequested("1.1.1"),
        e.ActivityCancelled("1.1.1"),
    )
    fork, left, right = two_branches(replay)
    held = replay.register(left, "activity", "charge", activity("1.1.1"))
    replay.register(right, "step", "b")
    assert replay.abandon(held) is True
    replay.close_branch(fork, right)
    assert held.state is OVER
    replay.close_branch(fork, left)
    assert replay.commands == []


def test_what_is_over_by_the_time_it_is_given_up_is_not_waited_for():
    replay = begun(scheduled("1"))
    waiter = replay.register(replay.root, "activity", "charge", activity("1"))
    # Received while the run was at rest, and not delivered yet when the cancel comes.
    replay.receive(9, e.ActivityCompleted("1", 1, ONE))
    assert replay.abandon(waiter) is False
    assert waiter.state is OVER


def test_a_call_that_the_last_fact_cancels_never_goes_live():
    replay = begun(e.StepFailed("1.2.1", "b", BAD))
    fork, left, right = two_branches(replay)
    held = replay.register(left, "step", "a")
    assert replay.register(right, "step", "b").state is OVER
    assert (held.state, replay.is_caught_up, replay.unrest > 0) == (HELD, True, True)
    replay.abandon(held)
    replay.woken.clear()
    replay.close_branch(fork, right)
    assert (held.state, replay.woken) == (LIVE, [])
    assert replay.commands == [c.RecordStep("1.1.1", "a", None, ABORTED)]
