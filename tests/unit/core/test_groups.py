"""Concurrency keys: who goes, who waits, in which order, and what becomes of places when workers and servers die."""

import pytest

from aether.core.views import describe
from aether.model import commands as c
from aether.model.policy import ConcurrencyLimit
from tests.unit.core.engine_room import BOOM, Room, activity, child, data, done

ONE, TWO = ConcurrencyLimit("bank", 1), ConcurrencyLimit("bank", 2)
OK = c.CompleteActivity(data("out"))


@pytest.fixture
def room():
    return Room()


def begun(room: Room) -> list[str]:
    """Paths of the attempts that the last input handed out."""
    return [attempt.path for attempt in room.attempts()]


def scheduled(room: Room, *paths: str, limit: ConcurrencyLimit = TWO) -> None:
    room.open(1, activities=())
    room.open(2, workflows=())
    room.start()
    room.complete(room.token(), *[activity(path, limit=limit) for path in paths])


def test_no_more_run_than_the_limit_and_the_others_follow_in_their_order(room):
    scheduled(room, "1", "2", "3", "4", "5")
    assert begun(room) == ["1", "2"]
    room.complete(room.attempt("2"), OK)
    assert begun(room) == ["3"]
    room.complete(room.attempt("1"), c.FailActivity(BOOM))
    assert begun(room) == ["4"]
    # The one that failed waits for its turn like the others, and came later than they.
    room.sleep(1)
    room.complete(room.attempt("4"), OK)
    assert begun(room) == ["5"]
    room.complete(room.attempt("3"), OK)
    assert begun(room) == ["1"]


def test_who_waits_for_a_key_does_not_keep_others_from_running(room):
    scheduled(room, "1", "2", limit=ONE)
    room.complete(room.token(), activity("3", limit=ConcurrencyLimit("shop", 1)), activity("4"))
    assert begun(room) == ["3", "4"]


def test_the_urgent_go_first_among_those_that_wait_for_their_turn(room):
    room.open(1, activities=())
    room.open(2, workflows=())
    for name, priority in (("first", 3), ("slow", 5), ("normal", 3), ("urgent", 1)):
        room.start(name, priority=priority)
        room.complete(room.token(name), activity(limit=ONE))
    order = []
    while any(room.run(name).pending for name in ("first", "slow", "normal", "urgent")):
        (lease,) = [lease for lease in room.engine.state.leases.values() if lease.activity]
        order.append(lease.run.workflow_id)
        room.complete(lease.token, OK)
    assert order == ["first", "urgent", "normal", "slow"]


def test_a_worker_that_dies_leaves_its_places_to_others(room):
    scheduled(room, "1", "2", "3", "4")
    room.open(3, workflows=())
    assert begun(room) == []
    room.close(2)
    # The attempts that were lost come later than those that wait.
    assert begun(room) == ["3", "4"]
    assert {room.activity(path).lease.session.session_id for path in "34"} == {3}
    room.close(3)
    room.tick()
    room.open(4, workflows=())
    assert len(begun(room)) == 2


def test_a_place_that_is_free_goes_to_a_worker_of_another_queue_that_is_idle(room):
    scheduled(room, "1", limit=ONE)
    room.open(3, workflows=(), queue="other")
    room.complete(room.token(), activity("2", queue="other", limit=ONE), activity("3", limit=ONE))
    assert begun(room) == []
    room.complete(room.attempt("1"), OK)
    # The worker that has a slot again is asked first.
    assert begun(room) == ["3"]
    room.complete(room.attempt("3"), OK)
    assert [(attempt.session_id, attempt.path) for attempt in room.attempts()] == [(3, "2")]


def test_who_does_not_wait_any_more_leaves_his_turn_to_the_next(room):
    scheduled(room, "1", "2", "3", limit=ONE)
    room.complete(room.token(), c.CancelPending("2"))
    room.complete(room.attempt("1"), OK)
    assert begun(room) == ["3"]
    room.complete(room.token(), c.CancelPending("3"))
    room.complete(room.attempt("3"), c.CancelActivity())
    assert not room.engine.state.queues.groups


def test_the_limit_that_was_declared_last_counts(room):
    scheduled(room, "1", "2", "3", "4", limit=ONE)
    assert begun(room) == ["1"]
    room.complete(room.token(), activity("5", limit=ConcurrencyLimit("bank", 3)))
    assert begun(room) == ["2", "3"]
    room.complete(room.token(), activity("6", limit=ONE))
    room.complete(room.attempt("1"), OK)
    room.complete(room.attempt("2"), OK)
    assert begun(room) == []
    room.complete(room.attempt("3"), OK)
    assert begun(room) == ["4"]


def test_who_was_offered_first_goes_after_the_more_urgent_who_came_later(room):
    for number, (name, priority) in enumerate((("first", 3), ("urgent", 1))):
        room.open(10 + number, activities=())
        room.start(name, priority=priority)
        room.complete(room.token(name), activity(limit=ONE))
    room.open(2, workflows=())
    assert [attempt.workflow_id for attempt in room.attempts()] == ["urgent"]
    room.complete(room.attempt("1", "urgent"), OK)
    assert [attempt.workflow_id for attempt in room.attempts()] == ["first"]


# Runs.


def test_a_run_keeps_its_place_from_its_beginning_to_its_end(room):
    room.open(1)
    for name in ("a", "b", "c"):
        room.start(name, concurrency=ONE)
    assert [task.task.workflow_id for task in room.tasks()] == []
    assert room.run("b").queued
    room.park(room.token("a"), c.StartTimer("1", 1_000))
    assert room.run("b").queued, "a run that sleeps has begun"
    room.close(1)
    room.tick(1)
    room.open(2)
    assert [task.task.workflow_id for task in room.tasks()] == ["a"], "it goes on, whatever the key says"
    room.complete(room.token("a"), done())
    assert [task.task.workflow_id for task in room.tasks()] == ["b"]


def test_places_of_runs_outlive_the_server(room):
    room.open(1)
    for name in ("a", "b", "c"):
        room.start(name, concurrency=TWO)
    room.restart()
    room.open(2)
    assert sorted(task.task.workflow_id for task in room.tasks()) == ["a", "b"]
    room.complete(room.token("b"), done())
    assert [task.task.workflow_id for task in room.tasks()] == ["c"]


@pytest.mark.parametrize("how", ["cancel", "force", "expiry", "parent"])
def test_a_run_that_is_ended_from_outside_gives_its_place_back(room, how):
    room.open(1)
    if how == "parent":
        room.start("p")
        room.complete(room.token("p"), child("1", id="a", limit=ONE), child("2", id="b", limit=ONE))
    else:
        room.start("a", concurrency=ONE, run_timeout_ms=5_000 if how == "expiry" else 0)
        room.start("b", concurrency=ONE)
    assert not room.run("a").queued
    assert room.run("b").queued
    if how == "force":
        room.cancel("a", force=True)
    elif how == "cancel":
        room.cancel("a")
        assert room.run("b").queued, "it may clean up first"
        room.complete(room.token("a"), c.CancelRun())
    elif how == "expiry":
        room.sleep(5)
    else:
        room.complete(room.token("a"), c.FailRun(BOOM))
    assert not room.run("b").queued
    room.cancel("b", force=True)
    assert not room.engine.state.queues.groups


def test_a_run_that_waits_for_its_turn_may_be_cancelled(room):
    room.open(1)
    for name in ("a", "b", "c"):
        room.start(name, concurrency=ONE)
    room.cancel("b")
    assert not room.is_open("b")
    room.complete(room.token("a"), done())
    assert room.run("c").lease is not None


def test_what_waits_for_its_turn_says_so(room):
    scheduled(room, "1", "2", "3")
    room.start("a", concurrency=TWO)
    text = "waits for its turn: 2 of at most 2 with key 'bank' run"
    assert describe(room.engine.state, room.run()).pending[2].reason == text
    assert describe(room.engine.state, room.run("a")).pending[0].name == text
    room.complete(room.attempt("1"), OK)
    room.close(2)
    room.close(1)
    assert describe(room.engine.state, room.run("a")).pending[0].name == "no worker has its type"


def test_a_key_that_is_busy_for_long_does_not_fill_the_memory(room):
    room.open(1, activities=())
    room.open(2, workflows=())
    room.start()
    room.complete(room.token(), activity("1", limit=ONE))
    for number in range(2, 300):
        room.complete(room.token(), activity(str(number), limit=ONE))
        if number % 3:
            room.complete(room.token(), c.CancelPending(str(number)))
    queues = room.engine.state.queues
    (group,) = queues.groups
    assert group.waiting == 99
    (line,) = group.lines.values()
    assert len(line.entries) < 300
    served = 1
    while room.run().pending:
        (path,) = [path for path, item in room.run().pending.items() if item.lease]
        room.complete(room.attempt(path), OK)
        served += 1
        assert all(len(queues.offered(key)) <= 2 for key in group.lines)
    assert served == 101
    assert not queues.groups
