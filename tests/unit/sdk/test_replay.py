"""Replay alone, driven by hand: what the code does and what the server sends, in every order that matters."""

import pytest

from aether.errors import InvalidArgument, NonDeterminism
from aether.model import commands as c
from aether.model import events as e
from aether.sdk.waiters import HELD, LIVE, OVER, STARTED
from tests.unit.sdk.replayed import (
    BAD,
    CHILD,
    INPUT,
    ONE,
    acknowledge,
    activity,
    begun,
    created,
    scheduled,
    send,
    tell,
    two_branches,
)


def test_a_step_without_a_record_goes_live_at_once_when_nothing_is_to_be_delivered():
    replay = begun()
    waiter = replay.register(replay.root, "step", "a")
    assert (waiter.path, waiter.state, waiter.attempt) == ("1", LIVE, 1)
    assert replay.woken == [waiter]
    assert replay.live_calls == 1
    assert not replay.waits_for_server


def test_a_step_goes_on_when_its_record_is_acknowledged_and_the_clock_is_the_records():
    replay = begun()
    waiter = replay.register(replay.root, "step", "a")
    replay.woken.clear()
    tell(replay, c.RecordStep("1", "a", ONE))
    acknowledge(replay, at=77)
    assert waiter.state is OVER
    assert waiter.result == ONE
    assert replay.woken == [waiter]
    assert replay.root.clock == 77
    assert replay.live_calls == 0
    assert replay.is_caught_up


def test_a_recorded_step_is_over_when_it_is_asked_for():
    replay = begun(e.StepCompleted("1", "a", ONE), e.StepFailed("2", "b", BAD))
    first = replay.register(replay.root, "step", "a")
    assert (first.state, first.result, replay.root.clock) == (OVER, ONE, 3)
    second = replay.register(replay.root, "step", "b")
    assert (second.state, second.failure, second.result) == (OVER, BAD, None)
    assert replay.register(replay.root, "step", "c").state is LIVE


def test_nothing_goes_live_before_the_whole_history_is_delivered():
    replay = begun(e.StepCompleted("1.2.1", "b", ONE), e.StepCompleted("1.2.2", "c", ONE))
    _fork, left, right = two_branches(replay)
    waiting = replay.register(left, "step", "a")
    assert waiting.state is HELD
    assert replay.register(right, "step", "b").state is OVER
    assert waiting.state is HELD
    assert replay.register(right, "step", "c").state is OVER
    assert waiting.state is HELD, "the right branch may still end in a way that cancels the left one"
    last = replay.register(right, "step", "d")
    assert (waiting.state, last.state) == (LIVE, LIVE)


def test_facts_are_delivered_in_order_and_only_at_rest():
    replay = begun(e.StepCompleted("1.2.1", "b", ONE), e.StepCompleted("1.1.1", "a", ONE))
    fork, left, right = two_branches(replay)
    first = replay.register(left, "step", "a")
    second = replay.register(right, "step", "b")
    assert (first.state, second.state) == (HELD, OVER), "the right branch was recorded first"
    replay.close_branch(fork, right)
    assert first.state is OVER
    replay.close_branch(fork, left)
    assert not replay.is_at_rest, "the opening branch goes on instead of the last one"
    assert replay.root.clock == 4


def test_a_branch_that_waits_for_something_of_its_own_does_not_stop_the_others_for_ever():
    replay = begun(e.StepCompleted("1.1.1", "a", ONE), e.StepCompleted("1.2.1", "b", ONE))
    fork, left, right = two_branches(replay)
    first = replay.register(left, "step", "a")
    assert first.state is HELD
    for _ in range(3):
        replay.pump(impatient=True)
    assert first.state is OVER
    replay.pump(impatient=True)
    assert replay.register(right, "step", "b").state is HELD, "the left branch is not at rest"
    replay.close_branch(fork, left)
    assert right.waiter is None


def test_impatience_delivers_one_fact_and_is_patient_again():
    replay = begun(e.StepCompleted("1.1.1", "a", ONE), e.StepCompleted("1.2.1", "b", ONE))
    fork = replay.fork(replay.root)
    branches = [replay.open_branch(fork) for _ in range(3)]
    replay.join(fork)
    first = replay.register(branches[0], "step", "a")
    second = replay.register(branches[1], "step", "b")
    for _ in created():
        replay.pump(impatient=True)
    assert (first.state, second.state) == (HELD, HELD)
    replay.pump(impatient=True)
    assert (first.state, second.state) == (OVER, HELD)


@pytest.mark.parametrize(
    ("kind", "name", "command", "start", "ends"),
    [
        ("timer", "", c.StartTimer("1", 5), e.TimerStarted("1", 9), e.TimerFired("1")),
        ("activity", "charge", activity("1"), scheduled("1"), e.ActivityCompleted("1", 1, ONE)),
        ("activity", "charge", activity("1"), scheduled("1"), e.ActivityFailed("1", 1, BAD)),
        ("activity", "charge", activity("1"), scheduled("1"), e.ActivityCancelled("1")),
        ("child", "ship", CHILD, e.ChildStarted("1", "w", "r", "ship"), e.ChildCompleted("1", ONE)),
        ("child", "ship", CHILD, e.ChildStarted("1", "w", "r", "ship"), e.ChildFailed("1", BAD)),
        ("child", "ship", CHILD, e.ChildStarted("1", "w", "r", "ship"), e.ChildCancelled("1")),
    ],
)  # fmt: skip
def test_what_the_server_keeps_is_sent_once_and_waited_for(kind, name, command, start, ends):
    live = begun()
    waiter = live.register(live.root, kind, name, command)
    assert live.commands == [command]
    assert live.waits_for_server
    acknowledge(live)
    assert waiter.state is STARTED
    send(live, ends)

    replay = begun(start, ends)
    again = replay.register(replay.root, kind, name, command)
    assert replay.commands == []
    for each in (waiter, again):
        assert each.state is OVER
        assert each.result == getattr(ends, "result", None)
        assert each.failure == getattr(ends, "failure", None)
        assert each.cancelled == isinstance(ends, e.ActivityCancelled | e.ChildCancelled)

    half = begun(start)
    waiting = half.register(half.root, kind, name, command)
    assert (waiting.state, half.commands) == (STARTED, []), "what is started is not started again"


def test_facts_that_change_nothing_for_the_code_are_passed_over():
    replay = begun(
        scheduled("1"),
        e.ActivityStarted("1", 1, "worker"),
        e.ActivityRetried("1", 1, BAD, 5),
    )
    waiter = replay.register(replay.root, "activity", "charge", activity("1"))
    assert waiter.state is STARTED
    assert replay.is_caught_up


def test_a_step_that_stood_open_when_its_worker_was_lost_runs_as_the_next_attempt():
    replay = begun(e.StepCompleted("1", "a", ONE), e.RunStarted("other", 2, "lost"))
    replay.register(replay.root, "step", "a")
    stood_open = replay.register(replay.root, "step", "b")
    assert (stood_open.state, stood_open.attempt) == (LIVE, 2)
    tell(replay, c.RecordStep("2", "b", ONE, attempt=2))
    acknowledge(replay)
    assert replay.register(replay.root, "step", "c").attempt == 1


def test_two_durable_calls_of_one_branch_at_a_time_are_refused():
    replay = begun()
    replay.register(replay.root, "step", "a")
    with pytest.raises(InvalidArgument, match=r"step 'b' .* waits for step 'a' at 1"):
        replay.register(replay.root, "step", "b")
    with pytest.raises(InvalidArgument, match="waits for step 'a'"):
        replay.fork(replay.root)


# Mismatches.


@pytest.mark.parametrize(
    ("facts", "kind", "name", "told"),
    [
        ([e.StepCompleted("1", "a", ONE)], "step", "b", "at 1 the history holds step 'a', the code asks for step 'b'"),
        ([e.TimerStarted("1", 5)], "step", "b", "at 1 the history holds timer, the code asks for step 'b'"),
        ([e.StepCompleted("1", "a", ONE)], "timer", "", "at 1 the history holds step 'a', the code asks for timer"),
        ([e.ActivityScheduled("1", "x", "q", INPUT)], "activity", "charge", "history holds activity 'x'"),
        ([e.StepCompleted("1.1.1", "a", ONE)], "step", "b", r"at 1 the history holds branches \(step 'a' at 1.1.1\)"),
        ([e.StepCompleted("7", "z", ONE)], "step", "b", "at 7 the history holds step 'z', .* waits for step 'b' at 1"),
        ([scheduled("1"), e.ActivityCancelRequested("1")], "activity", "charge", "given up"),
    ],
)  # fmt: skip
def test_a_mismatch_names_both_sides_and_sends_nothing(facts, kind, name, told):
    replay = begun(*facts)
    with pytest.raises(NonDeterminism, match=told):
        replay.register(replay.root, kind, name, None if kind == "step" else activity("1"))
    assert replay.commands == []
    assert not [waiter for waiter in replay.woken if waiter.state is LIVE]


def test_a_step_in_the_history_where_the_code_opens_branches_is_a_mismatch():
    replay = begun(e.StepCompleted("1", "a", ONE))
    fork = replay.fork(replay.root)
    branch = replay.open_branch(fork)
    replay.join(fork)
    with pytest.raises(NonDeterminism, match="at 1 the history holds step 'a', the code opens branches"):
        replay.register(branch, "step", "a")


def test_history_that_goes_on_behind_the_end_of_the_code_is_a_mismatch():
    replay = begun(e.StepCompleted("1", "a", ONE), e.StepCompleted("2", "b", ONE))
    replay.register(replay.root, "step", "a")
    with pytest.raises(NonDeterminism, match="at 2 the history holds step 'b', the code has ended without it"):
        replay.finish()


def test_a_fact_waits_for_its_branch_while_another_is_not_at_rest():
    replay = begun(e.StepCompleted("1.2.1", "b", ONE))
    _fork, left, right = two_branches(replay)
    replay.register(left, "step", "a")
    for _ in range(4):
        replay.pump(impatient=True)
    assert not replay.is_caught_up
    assert replay.register(right, "step", "b").state is OVER


# Cancelling.


def test_a_held_call_goes_live_when_the_others_are_not_waited_for_any_more():
    replay = begun(e.StepCompleted("1.2.1", "b", ONE))
    _fork, left, right = two_branches(replay)
    held = replay.register(left, "step", "a")
    replay.register(right, "step", "b")
    replay.pump(impatient=True)
    assert held.state is LIVE


# Branches.


def test_a_nursery_whose_branches_are_over_does_not_wait():
    replay = begun()
    fork = replay.fork(replay.root)
    branch = replay.open_branch(fork)
    assert branch.prefix == "1.1."
    replay.close_branch(fork, branch)
    replay.join(fork)
    assert not replay.is_at_rest
    assert replay.root.next_path() == "2"


def test_the_code_in_a_nursery_goes_on_beside_its_branches():
    replay = begun()
    fork = replay.fork(replay.root)
    branch = replay.open_branch(fork)
    assert replay.register(branch, "step", "inner").path == "1.1.1"
    assert replay.register(replay.root, "step", "beside").path == "2"
    assert replay.is_at_rest


def test_branches_begin_one_by_one_in_the_order_written():
    replay = begun()
    fork = replay.fork(replay.root)
    left, right = replay.open_branch(fork), replay.open_branch(fork)
    assert replay.begun == [], "the opening branch is not at rest"
    replay.join(fork)
    assert replay.begun == [left]
    replay.register(left, "step", "a")
    assert replay.begun == [left, right]


def test_a_branch_of_a_nursery_begins_when_the_block_comes_to_rest():
    replay = begun()
    fork = replay.fork(replay.root)
    branch = replay.open_branch(fork)
    assert replay.unrest
    beside = replay.register(replay.root, "step", "beside")
    assert (beside.state, replay.begun) == (HELD, [branch])
    inner = replay.register(branch, "step", "inner")
    assert (beside.state, inner.state) == (LIVE, LIVE)


def test_a_branch_that_is_cancelled_before_its_turn_never_begins():
    replay = begun()
    fork, left, right = two_branches(replay)
    replay.close_branch(fork, right)
    replay.close_branch(fork, left)
    assert replay.begun == [left]
    assert not replay.is_at_rest
    replay.finish()
    assert replay.is_at_rest


def test_everybody_who_waits_can_be_woken():
    replay = begun()
    fork = replay.fork(replay.root)
    replay.open_branch(fork)
    later = replay.open_branch(fork)
    waiter = replay.register(replay.root, "step", "a")
    woken = []
    assert replay.sleepers() == []
    waiter.wake = lambda: woken.append("waiter")
    later.begin = lambda: woken.append("branch")
    for wake in replay.sleepers():
        wake()
    assert woken == ["waiter", "branch"]


def test_nobody_waits_for_the_records_that_a_history_begins_with():
    assert begun().unrest == 0
    assert begun(e.CancelRequested("")).unrest == 6


def test_a_second_start_counts_for_the_step_that_was_under_way():
    replay = begun(e.RunStarted("another", 2))
    assert replay.unrest
    assert replay.register(replay.root, "step", "a").attempt == 2
