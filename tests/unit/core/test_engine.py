"""One input in, one decision out; time; and a new server that takes up what an old one wrote."""

import typing

import pytest

from aether.core import inputs as i
from aether.core.effects import EventRecorded, RunOpened
from aether.core.engine import Engine
from aether.core.invariants import check
from aether.errors import WorkflowAlreadyExists
from aether.model import commands as c
from aether.model import events as e
from tests.unit.core.engine_room import BOOM, Room, S, activity, child, data, done, step


@pytest.fixture
def room():
    return Room()


def due(room: Room) -> int:
    at = room.engine.next_due()
    assert at is not None
    return at


# Time.


def test_nothing_is_timed_until_something_is(room):
    assert room.engine.next_due() is None
    room.open()
    assert room.engine.next_due() is not None


def test_a_timer_fires_at_its_time_and_not_before(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 5_000))
    room.tick(4.999_999)
    assert room.kinds()[-1] == "TimerStarted"
    room.tick(0.000_001)
    assert room.last() == e.TimerFired("1")


def test_timers_that_are_due_in_one_tick_fire_in_the_order_of_their_deadlines(room):
    room.open()
    room.start()
    room.park(room.token(), *[c.StartTimer(str(n), 1_000 * (10 - n)) for n in range(1, 6)])
    room.beat()
    room.tick(14)
    assert [fact.path for fact in room.history()[-5:]] == ["5", "4", "3", "2", "1"]


def test_a_tick_in_which_everything_is_due_does_its_work_in_portions():
    room = Room(due_max=3)
    room.open()
    for number in range(8):
        room.start(f"w{number}")
        room.park(room.token(f"w{number}"), c.StartTimer("1", 1_000))
    room.now += S
    fired = []
    for _ in range(3):
        assert due(room) <= room.now
        fired.append(sum(isinstance(record, EventRecorded) for record in room.tick().records))
    assert fired == [3, 3, 2]
    assert due(room) > room.now


def test_timers_that_go_off_with_the_end_of_their_run_are_passed_over():
    """All were taken from the wheel in one tick, and the first ended what the others were for."""
    room = Room(history_max=4)
    room.open()
    room.start()
    room.complete(room.token(), c.StartTimer("1", 15_001), activity("2", start_to_close_s=15.002))
    room.tick(16)
    assert room.kinds()[-3:] == ["ActivityStarted", "ActivityFailed", "RunFailed"]


def test_a_timer_that_goes_off_with_the_end_of_its_activity_is_passed_over(room):
    room.open()
    room.start()
    room.complete(room.token(), activity("1", schedule_to_close_s=1, start_to_close_s=1.5, heartbeat_s=1.6))
    room.beat(1, room.attempt())
    room.tick(2)
    assert room.kinds()[-2:] == ["ActivityStarted", "ActivityFailed"]


def test_there_is_a_rule_for_every_input():
    from aether.core import engine

    assert set(engine._RULES) == set(typing.get_args(i.Input))


def test_the_overview_counts_what_happened(room):
    room.open()
    room.start()
    room.complete(room.token(), done())
    view = room.engine.overview()
    assert (view.runs_started, view.runs_closed, view.events, view.open_runs) == (1, 1, 3, 0)


# Restarts.


def test_a_run_that_nobody_had_begun_is_queued_again(room):
    room.start()
    room.restart()
    assert room.run().queued
    room.open()
    assert room.last() == e.RunStarted("worker-1", 1)


def test_a_run_that_was_in_hand_is_handed_out_again_as_its_next_attempt(room):
    room.open()
    room.start()
    room.complete(room.token(), step())
    old = room.token()
    room.restart()
    room.open(2)
    assert room.last() == e.RunStarted("worker-2", 2, "the server was restarted")
    assert room.token() > old


def test_a_parked_run_needs_no_worker_until_something_happens(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 5_000))
    room.restart()
    room.open()
    assert room.tasks() == []
    room.tick(5)
    assert room.kinds()[-1] == "TimerFired"
    assert [task.last_seq for task in room.tasks()] == [4]


def test_a_timer_that_was_due_while_the_server_was_away_fires_when_it_is_back(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 5_000))
    room.now += 3600 * S
    room.restart()
    assert due(room) <= room.now
    room.tick()
    assert room.last() == e.TimerFired("1")


def test_news_that_had_not_reached_the_worker_are_not_lost(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 5_000))
    room.cancel()
    room.restart()
    assert room.run().queued
    assert room.run().cancel_requested


def test_a_parked_run_whose_activity_is_lost_for_good_is_woken(room):
    from aether.model.policy import RetryPolicy

    room.open(1, activities=())
    room.open(2, workflows=())
    room.start()
    room.park(room.token(), activity(retry=RetryPolicy(max_attempts=1)))
    room.park(room.token())
    room.restart()
    assert room.last().failure.type == "WorkerLost"
    room.open(3)
    assert [task.last_seq for task in room.tasks()] == [5]
    assert room.run().attempts == 1


def test_children_and_parents_find_each_other_again(room):
    room.open()
    room.start()
    room.park(room.token(), child("1"))
    room.restart()
    room.open()
    room.complete(room.token("w/1"), done("out"))
    assert room.last() == e.ChildCompleted("1", data("out"))
    room.complete(room.token(), c.CompleteRun(data()))
    assert room.engine.state.runs == {}


def test_code_that_did_not_fit_is_tried_again_after_a_restart(room):
    room.open()
    room.start()
    room.complete(room.token(), c.BlockRun(BOOM))
    room.restart()
    assert room.run().queued


def test_an_idempotent_start_is_recognised_after_a_restart(room):
    first = room.start(text="in")
    room.restart()
    assert room.start(text="in").run_id == first.run_id


def test_keys_and_tokens_are_not_used_again(room):
    room.open()
    room.start("a")
    token = room.token("a")
    room.restart()
    room.start("b")
    room.open()
    assert room.run("b").key == 2
    assert room.token("a") > token
    assert room.token("b") > token


def test_a_closed_run_and_its_events_are_not_taken_up(room):
    room.open()
    room.start("a")
    room.complete(room.token("a"), done())
    room.start("b")
    room.restart()
    assert list(room.engine.state.runs) == [2]


def test_a_server_can_be_restarted_again_and_again(room):
    room.open()
    room.start()
    room.park(room.token(), activity("1"), c.StartTimer("2", 50_000), child("3"))
    for number in range(2, 6):
        room.restart()
        room.open(number)
        room.tick(1)
    assert room.run().attempts == 1
    assert room.activity().attempt == 5


def test_a_run_without_events_is_taken_up_as_new():
    engine = Engine(0, next_run_key=2)
    engine.adopt(RunOpened(1, "w", "r", "order", "q", None, 0), [])
    engine.take_up(0)
    assert engine.state.runs[1].queued


def test_the_id_of_an_open_run_that_can_not_be_taken_up_stays_taken():
    room = Room()
    room.engine.withhold("w", "lost")
    room.engine.withhold("kid", "lost too")
    refusal = room.start("w")
    assert isinstance(refusal, WorkflowAlreadyExists)
    assert str(refusal) == (
        "workflow id 'w' is open, and its run lost can not go on, because its history is damaged; "
        "choose another id, or restore a backup"
    )
    room.open()
    room.start("parent")
    room.complete(room.token("parent"), child(id="kid"))
    failure = room.last("parent").failure
    assert failure.type == "WorkflowAlreadyExists"
    assert "its run lost too can not go on" in failure.message


def test_a_worker_that_falls_silent_in_the_tick_in_which_its_runs_were_to_move_is_gone_for_both():
    room = Room()
    room.open(slots=1)
    room.start("first")
    room.park(room.token("first"), c.StartTimer("1", 60_000))
    room.start("second")
    room.sleep(14.5)
    room.signal("first")
    assert room.run("first").lease.is_waking
    room.tick(20)
    assert room.engine.state.sessions == {}
    assert {run.lease for run in room.engine.state.runs.values()} == {None}


@pytest.mark.parametrize(
    ("end", "news"),
    [
        (e.RunCompleted(data("ok")), e.ChildCompleted("1", data("ok"))),
        (e.RunFailed(BOOM), e.ChildFailed("1", BOOM)),
        (e.RunCancelled(), e.ChildCancelled("1")),
    ],
)
def test_a_parent_that_could_not_be_read_when_its_child_ended_hears_of_it(end, news):
    room = Room()
    room.open()
    room.start()
    room.park(room.token(), child(id="kid"))
    parent, kid = room.run(), room.run("kid")
    engine = Engine(room.now, next_run_key=3)
    engine.adopt(room.log.opened[parent.key], room.log.histories[parent.key])
    ((run, waits),) = engine.missing_children()
    assert (waits.workflow_id, waits.run_id) == ("kid", kid.run_id)
    engine.learn_end(run, waits.path, end)
    decision = engine.take_up(room.now)
    assert [each.event.fact for each in decision.records if isinstance(each, EventRecorded)] == [news]
    assert run.queued
    assert not list(engine.missing_children())
    check(engine.state)


def test_a_child_that_could_not_be_read_when_its_parent_gave_it_up_is_told_then():
    room = Room()
    room.open()
    room.start()
    room.park(room.token(), child(id="kid"), child("2", id="other"), c.StartTimer("3", 1_000))
    before = {name: room.log.histories[room.run(name).key][:1] for name in ("kid", "other")}
    opened = {name: room.log.opened[room.run(name).key] for name in ("w", "kid", "other")}
    room.sleep(2)
    room.park(room.token(), c.CancelPending("1"))
    engine = Engine(room.now, next_run_key=4)
    engine.adopt(opened["w"], room.log.histories[opened["w"].key])
    for name in ("kid", "other"):
        engine.adopt(opened[name], before[name])
    assert not list(engine.missing_children())
    engine.take_up(room.now)
    assert set(engine.state.open_ids) == {"w", "other"}
    check(engine.state)


def test_a_child_that_can_not_be_read_is_not_missed():
    room = Room()
    room.open()
    room.start()
    room.park(room.token(), child(id="kid"), c.StartTimer("2", 1_000))
    lost = room.run("kid").run_id
    room.sleep(2)
    room.complete(room.token(), c.CancelPending("1"))
    engine = Engine(room.now, next_run_key=3)
    history = room.log.histories[room.run().key]
    asked = next(event.seq for event in history if isinstance(event.fact, e.ChildCancelRequested))
    engine.adopt(room.log.opened[room.run().key], history[:asked])
    engine.withhold("kid", lost)
    assert not list(engine.missing_children())
    engine.take_up(room.now)
    check(engine.state)
