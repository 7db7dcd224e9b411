"""Who gets what: slots, types, queues, order, sticky runs, and code that does not fit."""

import pytest

from aether.core.effects import RunTask
from aether.core.inputs import OpenSession
from aether.errors import StaleLease
from aether.model import commands as c
from aether.model import events as e
from tests.unit.core.engine_room import BOOM, Room, activity, child, data, done


@pytest.fixture
def room():
    return Room()


def given(room: Room) -> list[str]:
    """Ids of the runs that the last input handed out."""
    return [task.task.workflow_id for task in room.tasks()]


def test_a_worker_is_given_a_run_with_its_whole_history(room):
    room.start()
    room.open()
    task = room.tasks()[0]
    assert (task.session_id, task.first_seq, task.last_seq) == (1, 1, 2)
    assert task.task == RunTask("w", room.run().run_id, "order")
    assert room.last() == e.RunStarted("worker-1", 1)


def test_runs_go_out_in_the_order_in_which_they_came(room):
    for name in "abc":
        room.start(name)
    room.open(slots=2)
    assert given(room) == ["a", "b"]
    room.complete(room.token("a"), done())
    assert given(room) == ["c"]


def test_a_worker_is_given_what_waited_longest_whatever_its_type(room):
    room.start("a", kind="ship")
    room.now += 1
    room.start("b", kind="order")
    room.now += 1
    room.start("c", kind="ship")
    room.open(slots=2)
    assert given(room) == ["a", "b"]


def test_a_worker_is_given_only_types_that_it_has(room):
    room.start("a", kind="ship")
    room.start("b", kind="order")
    room.open(workflows=("order",))
    assert given(room) == ["b"]
    assert room.run("a").queued


def test_a_worker_is_given_only_tasks_of_its_queue(room):
    room.start(queue="far")
    room.open(queue="q")
    assert given(room) == []
    room.open(2, queue="far")
    assert given(room) == ["w"]


def test_work_is_spread_over_the_workers_the_one_served_longest_ago_first(room):
    for session in (1, 2, 3):
        room.open(session)
    for name in "abcdef":
        room.start(name)
    workers = [room.run(name).lease.session.session_id for name in "abcdef"]
    assert workers == [1, 2, 3, 1, 2, 3]


def test_a_worker_without_a_slot_is_passed_over(room):
    room.open(1, slots=1)
    room.open(2, slots=5)
    for name in "abc":
        room.start(name)
    assert [room.run(name).lease.session.session_id for name in "abc"] == [1, 2, 2]


def test_activities_and_runs_have_slots_of_their_own(room):
    room.open(slots=1, activity_slots=1)
    room.start()
    room.complete(room.token(), activity("1"), activity("2"))
    assert [attempt.path for attempt in room.attempts()] == ["1"]
    room.complete(room.attempt("1"), c.CompleteActivity(data()))
    assert [attempt.path for attempt in room.attempts()] == ["2"]


def test_a_run_that_is_woken_while_others_wait_takes_its_turn_before_those_that_have_not_begun(room):
    """The parent is told of its child's end while the child's slot is free already."""
    room.open(1, slots=1)
    room.start()
    parent = room.token()
    room.complete(parent, child("1", "order"), blocked=True, known_seq=2, release=True)
    assert given(room) == ["w/1"]
    room.start("urgent", priority=1)
    room.start("new")
    room.complete(room.token("w/1"), done())
    assert given(room) == ["urgent"]
    assert room.run().queued
    room.complete(room.token("urgent"), done())
    assert given(room) == ["w"]
    room.complete(room.token(), done())
    assert given(room) == ["new"]


# Parking and waking.


def test_a_run_that_only_waits_takes_no_slot(room):
    room.open(slots=1)
    room.start("a")
    room.start("b")
    room.park(room.token("a"), c.StartTimer("1", 1_000))
    assert given(room) == ["b"]
    assert room.run("a").parked


def test_a_parked_run_goes_on_at_the_worker_that_keeps_it_knowing_only_what_is_new(room):
    room.open(1)
    room.open(2)
    room.start()
    token = room.token()
    room.park(token, c.StartTimer("1", 1_000))
    room.tick(1)
    assert room.news() == [(1, 4, 4)]
    assert room.token() == token


def test_news_for_a_run_whose_worker_is_busy_wait_for_a_slot_there(room):
    room.open(slots=1)
    room.start("a")
    room.park(room.token("a"), c.StartTimer("1", 1_000), c.StartTimer("2", 2_000))
    room.start("b")
    room.start("c")
    room.tick(1)
    assert room.news() == []
    room.beat()
    room.tick(1)
    assert room.news() == []
    room.complete(room.token("b"), done())
    # Before anybody new, and all that has happened at once.
    assert room.news() == [(1, 5, 6)]
    assert given(room) == []
    room.complete(room.token("a"), done())
    assert given(room) == ["c"]


def test_a_run_that_waits_for_a_slot_goes_on_if_its_worker_does_so_by_itself(room):
    room.open(slots=1)
    room.start("a")
    room.park(room.token("a"), c.StartTimer("1", 1_000))
    room.start("b")
    room.tick(1)
    room.complete(room.token("a"), done())
    assert not room.is_open("a")
    assert room.is_open("b")


def test_news_that_change_nothing_for_the_code_do_not_wake_a_parked_run(room):
    room.open(1, activities=())
    room.start()
    room.park(room.token(), activity())
    assert room.run().lease.is_idle
    room.open(2, workflows=())
    assert [attempt.attempt for attempt in room.attempts()] == [1]
    assert room.news() == []
    room.complete(room.attempt(), c.FailActivity(BOOM))
    assert room.news() == []
    assert room.run().lease.is_idle


def test_a_run_in_hand_is_told_of_every_attempt_of_its_activities(room):
    room.open()
    room.start()
    room.complete(room.token(), activity())
    assert room.news() == [(1, 4, 4)]
    room.complete(room.attempt(), c.FailActivity(BOOM))
    assert room.news() == [(1, 5, 5)]


def test_a_run_whose_worker_has_no_slot_for_long_moves_to_one_that_has(room):
    room.open(1, slots=1)
    room.start("a")
    token = room.token("a")
    room.park(token, c.StartTimer("1", 1_000), c.StartTimer("2", 90_000))
    room.start("b")
    room.open(2, slots=1)
    room.start("c")
    room.tick(1)
    assert room.run("a").lease.is_waking
    room.sleep(1.5)
    assert room.run("a").lease.is_waking, "nobody has room"
    room.complete(room.token("c"), done())
    assert given(room) == []
    room.sleep(0.5)
    assert room.run("a").lease.session.session_id == 2
    assert not room.run("a").lease.is_idle
    assert "RunStarted" not in room.kinds("a")[4:], "it was not lost, only moved"
    room.complete(room.token("b"), done())
    room.sleep(5)
    assert isinstance(room.complete(token, done()), StaleLease)
    room.complete(room.token("a"), c.CancelPending("2"), done())
    assert not room.is_open("a")


def test_all_runs_that_wait_for_slots_of_a_worker_move_when_another_has_room(room):
    room.open(1, slots=2)
    for name in ("a", "b"):
        room.start(name)
    for name in ("a", "b"):
        room.park(room.token(name), c.StartTimer("1", 1_000))
    room.start("c")
    room.start("d")
    room.tick(1)
    assert room.run("a").lease.is_waking
    assert room.run("b").lease.is_waking
    room.open(2)
    room.sleep(1)
    assert {room.run(name).lease.session.session_id for name in ("a", "b")} == {2}


def test_a_worker_that_falls_silent_when_its_runs_would_move_is_gone(room):
    room.open(1, slots=1)
    room.start("a")
    room.park(room.token("a"), c.StartTimer("1", 14_000))
    room.start("b")
    room.tick(14)
    assert room.run("a").lease.is_waking
    room.open(2)
    room.tick(1)
    assert 1 not in room.engine.state.sessions
    assert {run.lease.session.session_id for run in (room.run("a"), room.run("b"))} == {2}


def test_a_worker_that_leaves_while_runs_wait_for_its_slots_gives_them_to_others(room):
    room.open(1, slots=1)
    room.start("a")
    room.park(room.token("a"), c.StartTimer("1", 1_000))
    room.start("b")
    room.tick(1)
    room.open(2)
    room.close(1)
    assert {run.lease.session.session_id for run in (room.run("a"), room.run("b"))} == {2}


def test_a_session_whose_runs_found_a_slot_is_not_watched_any_more(room):
    room.open(1, slots=1)
    room.start("a")
    room.park(room.token("a"), c.StartTimer("1", 1_000))
    room.start("b")
    room.tick(1)
    room.complete(room.token("b"), done())
    room.tick(1)
    assert not room.engine.state.sessions[1].is_watched


# A worker that drains.


def test_a_draining_worker_is_given_nothing_new(room):
    room.open()
    room.drain()
    room.start()
    assert given(room) == []
    assert room.run().queued


def test_a_run_that_parks_at_a_draining_worker_wakes_at_another_one(room):
    room.open(1)
    room.start()
    token = room.token()
    room.open(2)
    room.drain(1)
    room.park(token, c.StartTimer("1", 1_000))
    room.tick(1)
    assert room.revoked() == [token]
    assert [(task.session_id, task.last_seq) for task in room.tasks()] == [(2, 4)]
    assert room.run().attempts == 1


# Code that does not fit.


def test_a_run_whose_code_does_not_fit_waits_for_a_worker_that_comes_later(room):
    room.open(1)
    room.start()
    answer = room.complete(room.token(), c.BlockRun(BOOM))
    assert answer.seq == 0
    assert room.run().blocked == BOOM
    room.start("other")
    assert given(room) == ["other"]
    room.open(2)
    assert given(room) == ["w"]
    assert room.last() == e.RunStarted("worker-2", 2, "blocked: ValueError")


@pytest.mark.parametrize("how", ["registers again", "registers again beside its old session", "the server restarts"])
def test_a_blocked_run_is_offered_again_to_a_worker_that_registers_again(room, how):
    """It may have been deployed anew, under the same name."""
    room.open(1)
    room.start()
    room.complete(room.token(), c.BlockRun(BOOM))
    again = OpenSession(2, "worker-1", "q", ("order",), (), 10, 10)
    if how == "the server restarts":
        room.restart()
    elif how == "registers again":
        room.close(1)
    assert given(room) == []
    room.apply(again)
    assert given(room) == ["w"]
    assert isinstance(room.last(), e.RunStarted)
    assert room.last().reason == ("the server was restarted" if how == "the server restarts" else "blocked: ValueError")


def test_a_blocked_run_goes_to_the_new_worker_though_the_old_one_has_slots(room):
    room.open(1)
    for name in "ab":
        room.start(name)
    for name in "ab":
        room.complete(room.token(name), c.BlockRun(BOOM))
    room.open(2, slots=1)
    assert [(task.session_id, task.task.workflow_id) for task in room.tasks()] == [(2, "a")]
    assert room.run("b").blocked
    room.complete(room.token("a"), done())
    assert [(task.session_id, task.task.workflow_id) for task in room.tasks()] == [(2, "b")]


def test_a_worker_that_came_later_is_asked_at_once_when_the_code_of_an_older_one_does_not_fit(room):
    room.open(1)
    room.open(2, slots=1)
    room.open(3, workflows=("ship",))
    room.open(4)
    room.start()
    assert room.run().lease.session.session_id == 1
    room.complete(room.token(), c.BlockRun(BOOM))
    assert [task.session_id for task in room.tasks()] == [2]
    room.complete(room.token(), c.BlockRun(BOOM))
    assert [task.session_id for task in room.tasks()] == [4]
    room.complete(room.token(), c.BlockRun(BOOM))
    assert given(room) == []
    assert room.run().blocked


def test_a_later_worker_without_a_slot_tries_the_blocked_run_when_it_has_one(room):
    room.open(1)
    room.start("b")
    room.open(2, slots=1)
    for name in "ca":
        room.start(name)
    assert [room.run(name).lease.session.session_id for name in "bca"] == [1, 1, 2]
    room.complete(room.token("b"), c.BlockRun(BOOM))
    assert given(room) == []
    room.complete(room.token("a"), done())
    assert given(room) == ["b"]


def test_what_happens_to_a_blocked_run_meanwhile_is_in_its_history_when_it_goes_on(room):
    room.open(1)
    room.start()
    room.complete(room.token(), c.StartTimer("1", 1_000), c.BlockRun(BOOM))
    room.tick(1)
    assert given(room) == []
    assert room.last() == e.TimerFired("1")
    room.open(2)
    assert [task.last_seq for task in room.tasks()] == [5]


def test_a_worker_without_the_type_is_not_asked_for_a_blocked_run(room):
    room.open(1)
    room.start()
    room.complete(room.token(), c.BlockRun(BOOM))
    room.open(2, workflows=("ship",))
    assert given(room) == []
    room.start("other")
    assert room.run().blocked


def test_a_free_slot_goes_to_the_most_urgent_of_all_that_its_worker_can_do():
    room = Room()
    for name, kind, priority in (("a", "order", 5), ("b", "ship", 0), ("c", "ship", 1), ("d", "order", 2)):
        room.start(name, kind, priority=priority)
    room.open(slots=1)
    order = []
    for _ in range(4):
        (task,) = room.tasks()
        order.append(task.task.workflow_id)
        room.complete(room.token(order[-1]), done())
    assert order == ["c", "d", "b", "a"]


def test_an_activity_of_an_urgent_run_is_served_before_those_that_wait():
    room = Room()
    room.open(activity_slots=1)
    for name, priority in (("a", 3), ("b", 3), ("c", 1)):
        room.start(name, priority=priority)
        room.complete(room.token(name), activity())
    room.complete(room.attempt("1", "a"), c.CompleteActivity(data()))
    assert [attempt.workflow_id for attempt in room.attempts()] == ["c"]


def test_an_urgent_run_is_served_first_after_a_restart():
    room = Room()
    room.start("a")
    room.start("b", priority=1)
    room.restart()
    room.open(slots=1)
    assert [task.task.workflow_id for task in room.tasks()] == ["b"]
