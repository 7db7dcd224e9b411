"""The life of an activity: attempts, every timeout, retries, cancels in every state, lost workers, restarts."""

from itertools import pairwise
from typing import Any

import pytest

from aether.core.effects import HeartbeatSeen, SendActivity
from aether.errors import StaleLease
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure
from aether.model.policy import ActivityTimeouts, RetryPolicy
from tests.unit.core.engine_room import BOOM, Room, S, activity, data, done

TWICE = RetryPolicy(initial_s=1, factor=2, jitter=0, max_attempts=2)
ONCE = RetryPolicy(max_attempts=1)
OK = c.CompleteActivity(data("out"))


@pytest.fixture
def room():
    made = Room()
    made.open(1, activities=())
    made.start()
    return made


def scheduled(room: Room, *, worker: bool = True, **fields: Any) -> None:
    """The run waits for one activity, which a second worker has, if there is one."""
    if worker:
        room.open(2, workflows=())
    room.complete(room.token(), activity(**fields))


# Attempts.


def test_an_activity_goes_to_a_worker_that_has_it(room):
    scheduled(room, start_to_close_s=5)
    assert room.attempts() == [
        SendActivity(
            2,
            room.attempt(),
            "w",
            room.run().run_id,
            "1",
            "charge",
            data("1"),
            1,
            None,
            ActivityTimeouts(start_to_close_s=5),
            room.now,
        )
    ]
    assert room.last() == e.ActivityStarted("1", 1, "worker-2")


def test_its_result_wakes_the_run(room):
    scheduled(room)
    room.park(room.token())
    answer = room.complete(room.attempt(), OK)
    assert answer.seq == 0
    assert room.last() == e.ActivityCompleted("1", 1, data("out"))
    assert room.news() == [(1, 5, 5)]


def test_a_failed_attempt_is_followed_by_another_after_its_delay(room):
    scheduled(room, retry=TWICE)
    room.complete(room.attempt(), c.FailActivity(BOOM))
    assert room.last() == e.ActivityRetried("1", 1, BOOM, room.now + S)
    assert room.attempts() == []
    room.sleep(0.999)
    assert room.activity().attempt == 1
    room.sleep(0.001)
    assert room.activity().attempt == 2
    room.complete(room.attempt(), c.FailActivity(BOOM))
    assert room.last() == e.ActivityFailed("1", 2, BOOM)


def test_an_attempt_whose_delay_is_over_waits_for_a_worker(room):
    scheduled(room, retry=TWICE)
    room.complete(room.attempt(), c.FailActivity(BOOM))
    room.close(2)
    room.sleep(1)
    assert room.activity().queued
    room.open(3, workflows=())
    assert [attempt.attempt for attempt in room.attempts()] == [2]


def test_an_attempt_that_was_given_back_is_tried_again_at_once(room):
    scheduled(room, retry=TWICE)
    room.complete(room.attempt(), c.CancelActivity())
    assert room.last() == e.ActivityRetried("1", 1, Failure("WorkerLost", "the worker gave it back"), room.now)
    room.tick()
    assert room.activity().attempt == 2


def test_attempts_without_end_end_with_a_full_history():
    room = Room(history_max=8)
    room.open()
    room.start()
    endless = RetryPolicy(initial_s=0)
    room.complete(room.token(), activity(retry=endless))
    for _ in range(10):
        if not room.run().pending:
            break
        room.complete(room.attempt(), c.FailActivity(BOOM))
        room.tick()
    assert room.last() == e.ActivityFailed("1", 3, BOOM)
    room.complete(room.token(), done())


def test_a_failure_of_a_users_own_that_is_called_like_ours_waits_like_any_other(room):
    scheduled(room, retry=TWICE)
    room.complete(room.attempt(), c.FailActivity(Failure("WorkerLost", "mine")))
    assert room.activity().next_at == room.now + S


# Heartbeats.


def test_the_next_attempt_is_told_the_last_heartbeat_of_the_one_before(room):
    scheduled(room, retry=RetryPolicy(initial_s=0, jitter=0))
    room.beat(2, room.attempt(), data("half"))
    room.beat(2, room.attempt())
    room.complete(room.attempt(), c.FailActivity(BOOM))
    assert room.last().heartbeat == data("half")
    room.tick()
    assert [attempt.last_heartbeat for attempt in room.attempts()] == [data("half")]
    room.complete(room.attempt(), c.FailActivity(BOOM))
    assert room.last().heartbeat == data("half")


def progress(room: Room) -> list[str]:
    return [fact.heartbeat.data.decode() for fact in room.history() if isinstance(fact, e.ActivityProgressed)]


def test_details_are_recorded_when_they_have_waited_for_a_while(room):
    scheduled(room, retry=RetryPolicy(initial_s=0, jitter=0))
    room.sleep(1)
    room.beat(2, room.attempt(), data("a"))
    room.sleep(3.999)
    room.beat(2, room.attempt(), data("b"))
    assert progress(room) == []
    room.sleep(0.001)
    assert progress(room) == ["b"]
    assert room.news() == [(1, 5, 5)], "the worker that has the run was not told"
    room.sleep(6)
    assert progress(room) == ["b"], "nothing new was told"
    room.restart()
    assert room.last() == e.ActivityRetried("1", 1, room.last().failure, room.now, data("b"))
    room.tick()
    room.open(3)
    assert [attempt.last_heartbeat for attempt in room.attempts()] == [data("b")]


def test_details_that_did_not_change_are_not_recorded_again(room):
    scheduled(room)
    for _ in range(30):
        room.beat(2, room.attempt(), data("same"))
        room.sleep(1)
    assert progress(room) == ["same"]
    room.beat(2, room.attempt(), data("other"))
    room.beat(2, room.attempt(), data("same"))
    room.sleep(10)
    assert progress(room) == ["same"]


def test_details_of_long_work_are_recorded_less_and_less_often_and_every_minute_at_last(room):
    scheduled(room)
    for number in range(3_600):
        room.beat(1)
        room.beat(2, room.attempt(), data(str(number)))
        room.sleep(1)
    times = [event.at for event in room.log.histories[1] if isinstance(event.fact, e.ActivityProgressed)]
    gaps = [(after - before) / S for before, after in pairwise(times)]
    assert gaps == sorted(gaps)
    assert (gaps[0], gaps[-1]) == (5, 60)
    assert 70 < len(times) < 110


def test_details_take_at_most_half_of_a_history():
    room = Room(history_max=10)
    room.open()
    room.start()
    room.complete(room.token(), activity())
    for number in range(10):
        room.beat(1, room.attempt(), data(str(number)))
        room.sleep(6)
    assert progress(room) == ["0"]


@pytest.mark.parametrize("end", ["fails", "is lost", "ends", "runs out of time", "ends with its run"])
def test_details_that_wait_go_with_the_end_of_the_attempt(room, end):
    scheduled(room, start_to_close_s=5)
    room.beat(2, room.attempt(), data("last"))
    if end == "runs out of time":
        room.tick(5)
    elif end == "fails":
        room.complete(room.attempt(), c.FailActivity(BOOM))
    elif end == "is lost":
        room.close(2)
    elif end == "ends":
        room.complete(room.attempt(), OK)
    else:
        room.complete(room.token(), done())
    assert progress(room) == []
    if end in ("fails", "is lost", "runs out of time"):
        assert next(fact for fact in room.history() if isinstance(fact, e.ActivityRetried)).heartbeat == data("last")
    room.tick(20)
    assert progress(room) == []


def test_an_attempt_that_beats_is_not_out_of_time(room):
    scheduled(room, heartbeat_s=2)
    for _ in range(5):
        room.sleep(1.5)
        assert room.beat(2, room.attempt()) == HeartbeatSeen(cancel_requested=False)
        room.beat(1)
    assert room.activity().attempt == 1
    room.sleep(2)
    assert room.kinds()[-1] == "ActivityRetried"


# Timeouts.


def test_an_activity_that_no_worker_takes_in_time_fails(room):
    scheduled(room, worker=False, schedule_to_start_s=2)
    room.sleep(1.999)
    assert room.activity().queued
    room.sleep(0.001)
    failure = room.last().failure
    assert failure.type == "ActivityTimeout"
    assert failure.message == "charge took longer than schedule_to_start = 2 s (attempt 0)"
    room.open(2)
    assert room.attempts() == []


def test_an_activity_that_a_worker_took_in_time_is_not_late_for_its_start_any_more(room):
    scheduled(room, schedule_to_start_s=2, retry=RetryPolicy(initial_s=5, jitter=0))
    room.complete(room.attempt(), c.FailActivity(BOOM))
    room.sleep(4)
    assert room.activity().attempt == 1
    room.sleep(1)
    assert room.activity().attempt == 2


@pytest.mark.parametrize("bound", ["start_to_close", "heartbeat"])
def test_an_attempt_that_takes_too_long_is_stopped_and_tried_again(room, bound):
    bounds: Any = {f"{bound}_s": 3}
    scheduled(room, retry=TWICE, **bounds)
    token = room.attempt()
    room.tick(3)
    assert room.stopped() == [token]
    assert isinstance(room.last(), e.ActivityRetried)
    assert room.last().failure.message == f"charge took longer than {bound} = 3 s (attempt 1)"
    assert isinstance(room.complete(token, OK), StaleLease)
    room.tick(1)
    room.tick(3)
    assert isinstance(room.last(), e.ActivityFailed)
    assert room.last().attempt == 2


def test_the_slot_of_an_attempt_that_took_too_long_is_free_for_others(room):
    room.open(2, workflows=(), activity_slots=1)
    commands = (activity("1", start_to_close_s=1, retry=ONCE), activity("2"))
    room.complete(room.token(), *commands)
    room.tick(1)
    assert [attempt.path for attempt in room.attempts()] == ["2"]


def test_an_activity_that_is_given_a_slot_in_the_tick_of_its_deadline_is_just_in_time(room):
    room.open(2, workflows=(), activity_slots=1)
    room.complete(room.token(), activity("1", start_to_close_s=2, retry=ONCE), activity("2", schedule_to_start_s=2.5))
    room.tick(3)
    assert [attempt.path for attempt in room.attempts()] == ["2"]
    assert room.last() == e.ActivityStarted("2", 1, "worker-2")


def test_all_attempts_together_have_a_bound(room):
    scheduled(room, schedule_to_close_s=5, retry=RetryPolicy(initial_s=1, factor=1, jitter=0))
    for _ in range(3):
        room.complete(room.attempt(), c.FailActivity(BOOM))
        room.tick(1)
    token = room.attempt()
    room.tick(2)
    assert room.stopped() == [token]
    assert room.last().failure.message == "charge took longer than schedule_to_close = 5 s (attempt 4)"


def test_an_attempt_that_could_only_start_after_all_time_is_over_is_not_waited_for(room):
    scheduled(room, schedule_to_close_s=5, retry=RetryPolicy(initial_s=5, jitter=0))
    room.complete(room.attempt(), c.FailActivity(BOOM))
    assert room.last() == e.ActivityFailed("1", 1, BOOM)


def test_a_lost_worker_is_not_the_end_while_there_is_time_for_another(room):
    scheduled(room, schedule_to_close_s=5, retry=RetryPolicy(initial_s=5, jitter=0))
    room.close(2)
    assert isinstance(room.last(), e.ActivityRetried)


def test_all_time_may_be_over_before_a_worker_takes_it(room):
    scheduled(room, worker=False, schedule_to_close_s=5)
    room.tick(5)
    assert room.last().attempt == 0
    assert room.last().failure.message.startswith("charge took longer than schedule_to_close")


def test_all_time_may_be_over_while_no_worker_takes_the_next_attempt(room):
    scheduled(room, schedule_to_close_s=5, retry=RetryPolicy(initial_s=3, jitter=0))
    room.complete(room.attempt(), c.FailActivity(BOOM))
    room.close(2)
    room.tick(3)
    assert room.activity().queued
    room.tick(2)
    assert room.last().attempt == 1
    assert room.last().failure.type == "ActivityTimeout"


def test_several_bounds_that_are_due_together_end_an_attempt_once(room):
    scheduled(room, start_to_close_s=2, heartbeat_s=2, retry=TWICE)
    room.tick(2)
    assert room.kinds().count("ActivityRetried") == 1


def test_the_end_of_all_attempts_in_the_tick_of_the_end_of_one_is_the_end(room):
    scheduled(room, start_to_close_s=2, schedule_to_close_s=2)
    room.tick(2)
    assert room.kinds()[-1] == "ActivityFailed"
    room.tick(100)
    assert room.kinds().count("ActivityFailed") == 1


def test_a_run_that_closes_takes_its_bounds_along(room):
    scheduled(room, start_to_close_s=2, schedule_to_close_s=2)
    room.complete(room.token(), done())
    room.tick(5)
    assert room.kinds()[-1] == "RunCompleted"


# Cancels.


def test_a_cancelled_activity_that_nobody_has_begun_is_over_at_once(room):
    scheduled(room, worker=False, schedule_to_start_s=2)
    room.complete(room.token(), c.CancelPending("1"))
    assert room.kinds()[-2:] == ["ActivityCancelRequested", "ActivityCancelled"]
    room.open(2)
    assert room.attempts() == []


def test_a_cancelled_activity_that_waits_for_its_next_attempt_is_over_at_once(room):
    scheduled(room, retry=TWICE)
    room.complete(room.attempt(), c.FailActivity(BOOM))
    room.complete(room.token(), c.CancelPending("1"))
    assert room.last() == e.ActivityCancelled("1")
    room.tick(5)
    assert room.last() == e.ActivityCancelled("1")


@pytest.mark.parametrize(
    ("outcome", "fact"),
    [
        (c.CancelActivity(), e.ActivityCancelled("1")),
        (c.FailActivity(BOOM), e.ActivityCancelled("1")),
        (OK, e.ActivityCompleted("1", 1, data("out"))),
    ],
)
def test_a_cancelled_attempt_is_stopped_and_its_worker_says_how_it_ended(room, outcome, fact):
    scheduled(room)
    token = room.attempt()
    room.complete(room.token(), c.CancelPending("1"))
    assert room.stopped() == [token]
    assert room.beat(2, token) == HeartbeatSeen(cancel_requested=True)
    room.complete(token, outcome)
    assert room.last() == fact


@pytest.mark.parametrize("bound", ["start_to_close", "heartbeat", "schedule_to_close"])
def test_a_cancelled_attempt_that_does_not_stop_in_time_is_over(room, bound):
    bounds: Any = {f"{bound}_s": 3}
    scheduled(room, **bounds)
    room.complete(room.token(), c.CancelPending("1"))
    room.tick(3)
    assert room.last() == e.ActivityCancelled("1")


def test_a_cancelled_attempt_whose_worker_is_lost_is_over(room):
    scheduled(room)
    room.complete(room.token(), c.CancelPending("1"))
    room.close(2)
    assert room.last() == e.ActivityCancelled("1")


# Lost workers and restarts.


def test_an_attempt_whose_worker_is_lost_counts_and_is_followed_by_another_at_once(room):
    scheduled(room, retry=TWICE)
    room.open(3, workflows=())
    room.close(2)
    assert room.last() == e.ActivityRetried("1", 1, Failure("WorkerLost", "its stream ended"), room.now)
    room.tick()
    assert room.last() == e.ActivityStarted("1", 2, "worker-3")
    room.close(3)
    assert isinstance(room.last(), e.ActivityFailed)


def test_after_a_restart_a_scheduled_activity_waits_for_a_worker_with_its_bounds(room):
    scheduled(room, worker=False, schedule_to_start_s=3, schedule_to_close_s=9)
    room.now += 2 * S
    room.restart()
    assert room.activity().queued
    room.sleep(1)
    assert room.last().failure.message.startswith("charge took longer than schedule_to_start")


def test_after_a_restart_an_attempt_that_ran_counts_and_is_tried_again(room):
    scheduled(room, retry=TWICE, schedule_to_close_s=9, start_to_close_s=1)
    room.restart()
    assert room.last().failure == Failure("WorkerLost", "the server was restarted while the attempt ran")
    room.open(1)
    room.tick()
    assert room.attempts()[0].attempt == 2


def test_after_a_restart_an_attempt_that_was_the_last_one_has_failed(room):
    scheduled(room, retry=ONCE)
    room.restart()
    assert isinstance(room.last(), e.ActivityFailed)
    assert room.run().queued


def test_after_a_restart_a_cancelled_attempt_is_over(room):
    scheduled(room)
    room.complete(room.token(), c.CancelPending("1"))
    room.restart()
    assert room.last() == e.ActivityCancelled("1")


def test_after_a_restart_the_delay_before_the_next_attempt_goes_on(room):
    scheduled(room, retry=RetryPolicy(initial_s=10, jitter=0))
    room.complete(room.attempt(), c.FailActivity(BOOM))
    room.now += 4 * S
    room.restart()
    room.open(2, workflows=())
    room.sleep(5.999)
    assert room.activity().attempt == 1
    room.sleep(0.001)
    assert room.activity().attempt == 2
