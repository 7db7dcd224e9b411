"""What open runs do, told of many at once."""

import pytest

from aether.core import inputs as i
from aether.core.doing import Doing
from aether.core.views import Detail
from aether.model import commands as c
from aether.model import events as e
from aether.model.policy import RetryPolicy
from tests.unit.core.engine_room import BOOM, T0, Room, S, activity, child


@pytest.fixture
def room():
    return Room()


def surveyed(room, *keys):
    answer = room.ask(i.SurveyRuns, keys or (1,))
    assert isinstance(answer, dict)
    return answer


def does(room):
    """In short: the detail, and the thing that it waits for."""
    doing = surveyed(room)[1]
    return doing.what, doing.kind, doing.name, doing.attempt, doing.due_at, doing.more


def test_many_runs_are_told_of_at_once_and_what_is_over_is_left_out(room):
    room.open(slots=1)
    room.start("a")
    room.start("b")
    told = surveyed(room, 1, 2, 3)
    assert told == {
        1: Doing(Detail.RUNNING, history_length=2, worker_id="worker-1"),
        2: Doing(Detail.QUEUED, history_length=1),
    }
    room.complete(room.token("a"), c.FailRun(BOOM))
    assert list(surveyed(room, 1, 2)) == [2]


def test_a_sleep_is_told_with_its_end(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 5_000))
    assert does(room) == (Detail.SLEEPING, "timer", "", 0, T0 + 5 * S, 0)


def test_what_is_tried_most_often_comes_first(room):
    room.open(activities=("charge", "pack"))
    room.start()
    retry = RetryPolicy(initial_s=5, jitter=0)
    room.complete(
        room.token(), c.StartTimer("1", 9_000), activity("2", retry=retry), activity("3", "pack", retry=retry)
    )
    room.park(room.token())
    room.complete(room.attempt("3"), c.FailActivity(BOOM))
    assert does(room) == (Detail.RETRYING, "activity", "pack", 1, T0 + 5 * S, 2)


def test_a_step_that_is_tried_again_is_told(room):
    room.open()
    room.start()
    room.complete(room.token(), c.FailStep("1", "weigh", BOOM, 1, RetryPolicy(initial_s=5, jitter=0)))
    room.park(room.token())
    assert does(room)[:4] == (Detail.RETRYING, "step", "weigh", 1)


def test_children_and_promises_are_told_by_their_names(room):
    room.open()
    room.start()
    room.park(room.token(), child("1"), c.StartTimer("2", 9_000))
    what, kind, name, *_, more = does(room)
    assert (what, kind, more) == (Detail.WAITING, "child", 1)
    assert name
    other = Room()
    other.open()
    other.start()
    other.park(other.token(), c.CreatePromise("1", "approval"))
    assert does(other)[:3] == (Detail.WAITING, "promise", "approval")


def test_a_run_without_anything_waits_for_a_signal(room):
    room.open()
    room.start()
    room.park(room.token())
    assert does(room) == (Detail.WAITING, "signal", "", 0, 0, 0)


def test_a_signal_that_is_awaited_is_told_rather_than_a_sleep_beside_it(room):
    room.open()
    room.start()
    room.park(room.token(), awaits=(e.AwaitedSignal("1", "go"),))
    assert does(room)[:3] == (Detail.WAITING, "signal", "go")
    other = Room()
    other.open()
    other.start()
    other.park(other.token(), c.StartTimer("2", 5_000), awaits=(e.AwaitedSignal("1", "go"),))
    assert does(other)[1:] == ("signal", "go", 0, T0 + 5 * S, 1)


def test_a_run_that_is_not_due_tells_when_it_begins(room):
    room.open()
    room.start(start_delay_ms=5_000)
    assert does(room)[1:5] == ("start", "", 0, T0 + 5 * S)
