"""Steps that failed, promises, values: what the server makes of them."""

import pytest

from aether.core.effects import Recorded
from aether.errors import InvalidArgument, LimitExceeded
from aether.model import commands as c
from aether.model import events as e
from aether.model.policy import RetryPolicy
from tests.unit.core.engine_room import BOOM, T0, Room, S, activity, data, step


@pytest.fixture
def room():
    """With a run that a worker has in hand."""
    made = Room()
    made.open()
    made.start()
    return made


RETRY = RetryPolicy(initial_s=1, factor=2, jitter=0, max_attempts=3)


def fail_step(attempt: int = 1, path: str = "1") -> c.FailStep:
    return c.FailStep(path, "pack", BOOM, attempt, RETRY, 7)


def test_a_step_that_failed_is_due_again_when_the_policy_says(room):
    answer = room.complete(room.token(), fail_step(), blocked=True, known_seq=room.seen[room.token()])
    assert answer == Recorded(room.token(), 0, T0)
    assert room.last() == e.StepRetried("1", "pack", BOOM, 1, T0 + S, 7)
    assert room.news() == [(1, 3, 3)]
    room.park(room.token())
    room.tick(1)
    assert room.last() == e.TimerFired("1")
    assert room.news() == [(1, 4, 4)]


def test_a_step_that_failed_for_the_last_time_is_over(room):
    room.complete(room.token(), fail_step(3))
    assert room.last() == e.StepFailed("1", "pack", BOOM, 3, 7)
    assert room.run().pending == {}
    assert room.news() == [(1, 3, 3)]


def test_an_attempt_that_is_not_numbered_is_the_first(room):
    room.complete(room.token(), fail_step(0))
    assert room.last() == e.StepRetried("1", "pack", BOOM, 1, T0 + S, 7)


def test_a_step_that_waits_for_its_next_attempt_does_so_after_a_restart(room):
    room.complete(room.token(), fail_step())
    room.restart()
    room.tick(1)
    assert room.last() == e.TimerFired("1")


def test_a_step_that_waits_for_its_next_attempt_is_given_up_like_a_timer(room):
    room.complete(room.token(), fail_step())
    room.complete(room.token(), c.CancelPending("1"))
    assert room.last() == e.TimerCancelled("1")


def test_a_step_that_waits_for_its_next_attempt_can_not_fail_meanwhile(room):
    room.complete(room.token(), fail_step())
    assert isinstance(room.complete(room.token(), fail_step(2)), InvalidArgument)


def test_the_outcome_of_a_step_comes_after_the_other_commands_of_its_request(room):
    room.complete(room.token(), fail_step(), step("2"), fail_step(3, "3"))
    assert room.kinds()[-3:] == ["StepCompleted", "StepRetried", "StepFailed"]
    assert room.news() == [(1, 4, 5)]


def test_a_step_is_not_tried_again_when_the_history_has_no_room_for_it():
    room = Room(history_max=4)
    room.open()
    room.start()
    room.complete(room.token(), c.StartTimer("5", 1_000), fail_step())
    room.complete(room.token(), c.BlockRun(BOOM))
    assert room.kinds()[-2:] == ["TimerStarted", "StepRetried"]
    full = Room(history_max=3)
    full.open()
    full.start()
    full.signal()
    assert isinstance(full.complete(full.token(), fail_step()), LimitExceeded)


def test_many_steps_that_fail_at_once_do_not_outgrow_the_history():
    room = Room(history_max=4)
    room.open()
    room.start()
    room.complete(room.token(), activity("5"), fail_step())
    assert room.kinds()[-2:] == ["ActivityStarted", "StepFailed"]


def test_the_outcome_of_a_step_of_a_run_that_is_blocked_waits_for_the_code_that_fits(room):
    room.complete(room.token(), fail_step(), c.BlockRun(BOOM))
    assert room.kinds()[-1] == "StepRetried"
    assert room.run().blocked == BOOM
    assert room.news() == []


def test_the_outcome_of_a_step_of_a_blocked_run_reaches_the_worker_that_took_it_over(room):
    token = room.token()
    room.open(2, slots=1)
    room.complete(token, fail_step(), c.BlockRun(BOOM))
    assert [task.last_seq for task in room.tasks()] == [3]
    assert room.news() == [(2, 4, 4)]


def test_a_promise_and_a_value_are_facts_of_the_run(room):
    room.complete(room.token(), c.CreatePromise("1", "approval"), c.PublishValue("2", "progress", data("half")))
    assert room.history()[-2:] == [e.PromiseCreated("1", "approval"), e.ValuePublished("2", "progress", data("half"))]


def test_a_run_that_drops_what_it_alone_waits_for_does_not_park(room):
    room.park(room.token(), c.CreatePromise("1", "approval"))
    assert room.run().parked
    room.park(room.token(), c.CancelPending("1"))
    assert not room.run().parked


def test_what_was_given_up_already_is_no_command(room):
    room.complete(room.token(), c.CancelPending("9"))
    assert room.decision.records == []
