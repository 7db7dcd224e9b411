"""Runs that are held where they are, wherever that is, and what goes on when they are let go."""

import pytest

from aether.core.effects import NotOpen, PauseChanged
from aether.core.views import Detail, describe, detail_of
from aether.errors import LimitExceeded, StaleLease
from aether.model import commands as c
from aether.model import events as e
from aether.model.policy import ConcurrencyLimit, RetryPolicy
from tests.unit.core.engine_room import BOOM, Room, activity, child, data, done, step


@pytest.fixture
def room():
    return Room()


def given(room: Room) -> list[str]:
    return [task.task.workflow_id for task in room.tasks()]


def test_a_paused_run_is_given_to_nobody_until_it_is_resumed(room):
    run_id = room.start().run_id
    assert room.pause(reason="lunch") == PauseChanged(run_id, existing=False)
    assert room.pause() == PauseChanged(run_id, existing=True)
    assert room.last() == e.RunPaused("lunch")
    room.open()
    assert given(room) == []
    assert detail_of(room.run()) is Detail.PAUSED
    view = describe(room.engine.state, room.run())
    assert (view.paused, view.pause_reason, view.pending[-1].name) == (True, "lunch", "paused")
    assert room.resume() == PauseChanged(run_id, existing=False)
    assert given(room) == ["w"]
    assert room.kinds() == ["RunCreated", "RunPaused", "RunResumed", "RunStarted"]
    assert room.resume() == PauseChanged(run_id, existing=True)


def test_a_run_that_is_not_open_is_not_paused(room):
    assert room.pause("nobody") == NotOpen("nobody", "")
    assert room.resume("nobody") == NotOpen("nobody", "")


def test_a_run_in_hand_is_taken_away_when_what_it_is_at_is_recorded(room):
    room.open()
    room.start()
    token = room.token()
    room.pause()
    assert room.news() == [(1, 3, 3)]
    assert room.revoked() == []
    answer = room.complete(token, step())
    assert answer.seq == 4
    assert room.revoked() == [token]
    assert isinstance(room.complete(token, step("2")), StaleLease)
    room.open(2)
    assert given(room) == []
    room.resume()
    assert given(room) == ["w"]
    assert room.last() == e.RunStarted("worker-1", 2, "it was paused")


def test_a_run_in_hand_that_comes_to_rest_stays_at_its_worker(room):
    room.open()
    room.start()
    token = room.token()
    room.pause()
    room.complete(token, c.StartTimer("1", 1_000), blocked=True, known_seq=2)
    # It did not know of the pause yet; now it does.
    room.complete(token, blocked=True, known_seq=room.run().last_seq)
    assert room.run().lease.is_idle
    room.tick(1)
    assert room.last() == e.TimerFired("1")
    assert room.news() == []
    room.resume()
    assert room.token() == token
    assert room.news() == [(1, 5, 6)]


def test_a_run_that_ends_while_it_is_paused_has_ended(room):
    room.open()
    room.start()
    room.pause()
    room.complete(room.token(), done())
    assert not room.is_open()


@pytest.mark.parametrize("when", ["before", "after"])
def test_timers_fire_and_signals_come_while_a_run_is_paused_and_nothing_runs(room, when):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    if when == "before":
        room.pause()
    room.tick(1)
    if when == "after":
        room.pause()
        assert room.run().lease is not None
        room.complete(room.token(), blocked=True, known_seq=room.run().last_seq)
    room.signal()
    assert room.tasks() == room.news() == []
    room.resume()
    assert room.news() != []


def test_no_attempt_begins_while_a_run_is_paused_and_one_that_runs_may_end(room):
    room.open(1, activities=())
    room.open(2, workflows=(), activity_slots=1)
    room.start()
    retry = RetryPolicy(initial_s=1, jitter=0)
    room.park(room.token(), activity("1", retry=retry), activity("2"), activity("3", "mail"))
    room.pause()
    assert not room.activity("2").queued
    room.complete(room.attempt("1"), c.FailActivity(BOOM))
    assert room.attempts() == []
    room.sleep(5)
    room.open(3, workflows=(), activities=("charge", "mail"))
    assert room.attempts() == []
    view = describe(room.engine.state, room.run())
    assert [pending.reason for pending in view.pending[:3]] == ["its run is paused"] * 3
    room.restart()
    room.open(4)
    assert room.attempts() == room.tasks() == []
    room.open(5, workflows=(), activities=("mail",))
    room.tick()
    room.resume()
    assert sorted(attempt.path for attempt in room.attempts()) == ["1", "2", "3"]


def test_bounds_pass_while_a_run_is_paused(room):
    room.start("a", run_timeout_ms=5_000)
    room.pause("a")
    room.open()
    room.start()
    room.park(room.token(), activity("1", "mail", schedule_to_start_s=3))
    room.pause()
    room.sleep(3)
    assert room.last().failure.type == "ActivityTimeout"
    room.sleep(2)
    assert not room.is_open("a")


def test_a_pause_outlives_the_server(room):
    room.open()
    for name in ("begun", "asleep"):
        room.start(name)
    room.complete(room.token("begun"), step())
    room.park(room.token("asleep"), c.StartTimer("1", 1_000))
    room.start("new", start_delay_ms=1_000)
    for name in ("begun", "asleep", "new"):
        room.pause(name, "deploy")
    room.restart()
    room.open(2)
    room.sleep(2)
    assert room.tasks() == []
    room.open(3)
    for name in ("begun", "asleep", "new"):
        assert describe(room.engine.state, room.run(name)).pause_reason == "deploy"
        room.resume(name)
        assert given(room) == [name]


def test_a_paused_run_that_rests_until_a_signal_comes_goes_on_resting(room):
    room.open()
    room.start()
    room.park(room.token())
    assert room.run().lease.is_idle
    room.pause()
    room.resume()
    assert room.run().lease.is_idle
    room.pause()
    room.signal()
    room.resume()
    assert not room.run().lease.is_idle


def test_cancelling_a_paused_run_lets_it_clean_up(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.pause()
    room.cancel()
    assert room.kinds()[-2:] == ["RunResumed", "CancelRequested"]
    room.complete(room.token(), c.CancelPending("1"), c.CancelRun())
    room.start("new", kind="unknown")
    room.pause("new")
    room.cancel("new")
    assert not room.is_open("new")


def test_a_run_that_was_paused_while_it_cleans_up_goes_on_when_it_is_cancelled_again(room):
    room.open()
    room.start()
    token = room.token()
    room.cancel()
    room.pause()
    room.complete(token, step())
    assert room.revoked() == [token]
    room.cancel()
    assert room.kinds()[-2:] == ["RunResumed", "RunStarted"]
    assert not room.run().paused


def test_a_run_that_waits_for_a_slot_of_its_worker_does_not_when_it_is_paused(room):
    room.open(slots=1)
    room.start("a")
    room.park(room.token("a"), c.StartTimer("1", 1_000))
    room.start("b")
    room.tick(1)
    assert room.run("a").lease.is_waking
    room.pause("a")
    room.complete(room.token("b"), done())
    assert room.news() == []
    room.resume("a")
    assert room.news() == [(1, 4, 6)]


def test_a_blocked_run_that_was_paused_is_tried_again_when_it_is_resumed(room):
    room.open(1)
    room.start("a")
    room.start("b")
    room.complete(room.token("a"), c.BlockRun(BOOM))
    room.pause("a")
    room.pause("b")
    room.complete(room.token("b"), c.BlockRun(BOOM))
    room.open(2)
    assert given(room) == []
    room.resume("a")
    room.resume("b")
    assert room.run("a").lease is not None
    assert room.run("b").lease is not None


def test_children_of_a_paused_run_go_on(room):
    room.open()
    room.start()
    room.park(room.token(), child("1", id="kid"))
    room.pause()
    room.complete(room.token("kid"), done())
    assert room.run().held
    room.resume()
    assert room.news() == [(1, 4, 6)]


def test_a_paused_run_gives_its_turn_to_others(room):
    one = ConcurrencyLimit("k", 1)
    room.open()
    for name in ("a", "b", "c"):
        room.start(name, concurrency=one)
    room.pause("b")
    room.complete(room.token("a"), done())
    assert given(room) == ["c"]
    room.resume("b")
    room.complete(room.token("c"), done())
    assert given(room) == ["b"]


def test_a_full_history_takes_no_pause():
    room = Room(history_max=3)
    room.open()
    room.start()
    room.pause()
    room.resume()
    assert isinstance(room.pause(), LimitExceeded)


def test_a_worker_that_leaves_has_nothing_of_a_paused_run(room):
    room.open(1)
    room.start()
    room.pause()
    room.close(1)
    room.open(2)
    assert given(room) == []
    room.resume()
    assert room.last() == e.RunStarted("worker-2", 2, "its stream ended")
    room.complete(room.token(), c.RecordStep("1", "s", data()), release=True)
    assert given(room) == ["w"]
