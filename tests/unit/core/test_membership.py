"""Workers come and go, beat, drain and fall silent; what they held goes to others, wherever it was."""

import pytest

from aether.core import inputs as i
from aether.core.effects import EndSession, HeartbeatSeen
from aether.errors import SessionExpired, StaleLease
from aether.model import commands as c
from aether.model import events as e
from aether.model.policy import RetryPolicy
from aether.model.runs import ParentClosePolicy
from tests.unit.core.engine_room import BOOM, Room, activity, child, data, done, step

ONCE = RetryPolicy(max_attempts=1)


@pytest.fixture
def room():
    made = Room()
    made.open(1)
    return made


# Lost in each place.


def test_a_run_in_hand_is_handed_to_another_worker_as_its_next_attempt(room):
    room.start()
    room.open(2)
    room.close(1)
    assert room.last() == e.RunStarted("worker-2", 2, "its stream ended")
    assert [(task.session_id, task.first_seq) for task in room.tasks()] == [(2, 1)]


def test_a_run_in_hand_waits_for_a_worker_if_there_is_none(room):
    room.start()
    room.close(1)
    assert room.run().queued
    room.open(2)
    assert room.last().attempt == 2


def test_a_run_that_only_waits_is_left_in_peace_and_has_lost_nothing(room):
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.close(1)
    assert not room.run().queued
    room.open(2)
    assert room.tasks() == []
    room.tick(1)
    assert len(room.tasks()) == 1
    assert room.run().attempts == 1


def test_a_run_that_was_about_to_wake_is_handed_to_another_worker(room):
    room.open(2, slots=1)
    room.start("busy")
    room.start("a")
    assert room.run("a").lease.session.session_id == 2
    room.park(room.token("a"), c.StartTimer("1", 1_000))
    room.start("b")
    room.start("c")
    room.tick(1)
    assert room.run("a").lease.is_waking
    room.close(2)
    assert "a" in {task.task.workflow_id for task in room.tasks()}
    assert room.run("a").attempts == 1


def test_everything_that_a_worker_held_is_lost_together(room):
    """Activity first, its idle run later: the outcome must not look for the run in the hands of who is gone."""
    room.start()
    room.complete(room.token(), activity("1", retry=ONCE), c.StartTimer("2", 90_000))
    token = room.token()
    room.complete(token, release=True)
    room.park(room.token())
    assert room.attempt() < room.token()
    assert room.run().lease.is_idle
    room.close(1)
    assert room.kinds()[-1] == "ActivityFailed"
    assert room.run().queued


@pytest.mark.parametrize("parks", [True, False])
def test_a_run_and_its_activity_are_lost_at_the_same_worker(room, parks):
    room.start()
    room.complete(room.token(), activity("1", retry=ONCE))
    if parks:
        room.park(room.token())
    room.open(2)
    room.close(1)
    assert [task.session_id for task in room.tasks()] == [2]
    attempts = 1 if parks else 2
    assert room.run().attempts == attempts
    room.complete(room.token(), c.StartTimer("2", 1_000), blocked=True, known_seq=99, release=True)
    room.tick(1)
    assert room.run().attempts == attempts
    room.complete(room.token(), done())


def test_a_worker_with_many_things_in_hand_loses_them_all(room):
    for number in range(5):
        room.start(f"w{number}")
        room.complete(room.token(f"w{number}"), activity("1"), activity("2", retry=ONCE))
    room.close(1)
    assert room.engine.state.leases == {}
    room.open(2)
    room.tick()
    assert len([lease for lease in room.engine.state.leases.values() if lease.activity]) == 5


def test_closing_a_session_that_is_over_changes_nothing(room):
    room.close(1)
    assert room.close(1).effects == []
    assert room.drain(1).effects == []


# Draining.


def test_a_draining_worker_keeps_what_it_works_on(room):
    room.start()
    token = room.token()
    room.drain(1)
    assert room.revoked() == []
    assert room.complete(token, step()).seq == 3
    room.complete(token, done())
    assert not room.is_open()


def test_a_draining_worker_gives_up_what_only_waits(room):
    room.start()
    token = room.token()
    room.park(token, c.StartTimer("1", 1_000))
    room.drain(1)
    assert room.revoked() == [token]
    assert room.drain(1).effects == []
    room.open(2)
    room.tick(1)
    assert [task.session_id for task in room.tasks()] == [2]


def test_a_draining_worker_gives_up_what_is_about_to_wake(room):
    room.close(1)
    room.open(2, slots=1)
    room.start("a")
    token = room.token("a")
    room.park(token, c.StartTimer("1", 1_000))
    room.start("b")
    room.tick(1)
    room.open(3)
    room.drain(2)
    assert room.revoked() == [token]
    assert [(task.session_id, task.task.workflow_id) for task in room.tasks()] == [(3, "a")]


# Silence.


def test_a_worker_that_is_not_heard_of_for_too_long_loses_its_work_to_others(room):
    room.start()
    room.sleep(10)
    room.open(2)
    room.sleep(4.999)
    assert room.run().attempts == 1
    room.tick(0.001)
    assert EndSession(1, "no sign of life") in room.decision.effects
    assert room.last() == e.RunStarted("worker-2", 2, "worker worker-1 fell silent")


@pytest.mark.parametrize("sign", ["heartbeat", "work"])
def test_a_worker_that_gives_signs_of_life_keeps_its_work(room, sign):
    room.start()
    for number in range(1, 6):
        room.sleep(14)
        if sign == "heartbeat":
            room.beat(1)
        else:
            room.complete(room.token(), step(str(number)))
    assert room.run().attempts == 1


def test_workers_that_fall_silent_together_do_not_take_each_others_runs(room):
    for session in (2, 3, 4):
        room.open(session)
    for name in "abcdefgh":
        room.start(name)
    room.tick(20)
    assert room.tasks() == []
    assert not room.engine.state.sessions
    assert {room.run(name).attempts for name in "abcdefgh"} == {1}
    room.open(5)
    assert len(room.tasks()) == 8


def test_a_run_told_of_something_in_the_tick_in_which_its_worker_falls_silent_goes_on_elsewhere(room):
    room.start()
    room.complete(room.token(), c.StartTimer("1", 14_990), activity("2", schedule_to_close_s=14.995))
    room.tick(15)
    assert room.kinds()[-2:] == ["TimerFired", "ActivityFailed"]
    room.open(2)
    assert room.last() == e.RunStarted("worker-2", 2, "worker worker-1 fell silent")


def test_an_idle_run_is_taken_from_a_worker_that_falls_silent_in_the_same_tick(room):
    room.start()
    token = room.token()
    room.park(token, c.StartTimer("1", 14_990))
    room.tick(15)
    assert room.revoked() == [token]
    assert room.run().queued


# Heartbeats.


def test_a_heartbeat_of_a_session_that_is_over_is_refused(room):
    assert isinstance(room.beat(7), SessionExpired)


def test_a_heartbeat_is_answered(room):
    assert room.beat(1) == HeartbeatSeen(cancel_requested=False)


def test_a_heartbeat_for_an_attempt_of_somebody_else_is_refused(room):
    room.open(2)
    room.start()
    room.complete(room.token(), activity())
    owner = room.activity().lease.session.session_id
    assert isinstance(room.beat(3 - owner, room.attempt()), StaleLease)
    assert isinstance(room.beat(1, 12345), StaleLease)
    assert isinstance(room.beat(1, room.token()), StaleLease)
    assert room.beat(owner, room.attempt(), data("half")) == HeartbeatSeen(cancel_requested=False)
    assert room.activity().last_beat == data("half")


def test_a_worker_that_connects_is_given_all_that_it_has_room_for(room):
    room.close(1)
    for name in "abc":
        room.start(name)
    room.open(2, slots=2)
    assert [task.task.workflow_id for task in room.tasks()] == ["a", "b"]


def test_a_worker_is_taken_out_of_every_line_when_it_leaves(room):
    room.open(2, workflows=("order",))
    room.close(1)
    room.start("a", kind="ship")
    room.start("b")
    assert room.run("a").queued
    assert room.run("b").lease.session.session_id == 2


def test_a_blocked_run_survives_the_worker_whose_code_did_not_fit(room):
    room.start()
    room.complete(room.token(), c.BlockRun(BOOM))
    room.apply(i.CloseSession(1, "gone"))
    room.open(2)
    assert room.last() == e.RunStarted("worker-2", 2, "blocked: ValueError")


def test_runs_that_end_with_a_lost_parent_are_not_handed_out_again():
    """The parent's history is full when its worker is lost; its children were with the same worker."""
    room = Room(history_max=6)
    room.open(slots=3)
    room.start()
    room.complete(room.token(), child("1", policy=ParentClosePolicy.TERMINATE))
    room.complete(room.token(), child("2", policy=ParentClosePolicy.TERMINATE))
    room.park(room.token("w/2"), c.StartTimer("1", 60_000))
    room.start("busy")
    room.signal("w/2")
    room.signal()
    room.signal()
    room.close()
    assert room.kinds()[-1] == "RunFailed"
    assert list(room.engine.state.open_ids) == ["busy"]
    room.open(2)
    assert [task.task.workflow_id for task in room.tasks()] == ["busy"]
