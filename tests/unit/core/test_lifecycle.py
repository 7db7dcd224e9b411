"""Runs begin, are awaited, cancelled and end; parents and children."""

import pytest

from aether.core import inputs as i
from aether.core.effects import CancelAccepted, Closed, NotOpen, Started
from aether.core.views import RunView
from aether.errors import LimitExceeded, WorkflowAlreadyExists
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure
from aether.model.runs import RunState
from tests.unit.core.engine_room import BOOM, Room, activity, child, data, done, step


@pytest.fixture
def room():
    return Room()


# Start.


def test_a_started_run_is_acknowledged_and_waits_for_a_worker(room):
    answer = room.start("w", text="in")
    assert isinstance(answer, Started)
    assert (answer.workflow_id, answer.existing) == ("w", False)
    assert room.kinds() == ["RunCreated"]
    assert room.run().queued


def test_starting_the_same_again_gives_the_run_that_is_open(room):
    first = room.start(text="in")
    again = room.start(text="in")
    assert again.existing
    assert again.run_id == first.run_id
    assert room.decision.records == []


def test_the_same_id_with_another_input_is_refused(room):
    room.start(text="in")
    refusal = room.start(text="other")
    assert isinstance(refusal, WorkflowAlreadyExists)
    assert "open with another input" in str(refusal)


def test_the_same_id_with_another_type_is_refused(room):
    room.start(kind="order")
    refusal = room.start(kind="ship")
    assert isinstance(refusal, WorkflowAlreadyExists)
    assert "open as a order" in str(refusal)


def test_an_id_may_be_used_again_when_its_run_is_closed(room):
    first = room.start()
    room.cancel()
    second = room.start(text="other")
    assert isinstance(second, Started)
    assert second.run_id != first.run_id
    assert not second.existing


def test_a_server_holds_no_more_runs_than_its_limit():
    room = Room(open_runs_max=2)
    room.start("a")
    room.start("b")
    assert isinstance(room.start("c"), LimitExceeded)
    assert room.start("b").existing
    room.cancel("a")
    assert isinstance(room.start("c"), Started)


# Ask and wait.


def test_a_run_is_described_by_its_id_or_by_its_run_id(room):
    run_id = room.start().run_id
    assert isinstance(room.ask(i.DescribeRun, "w"), RunView)
    assert room.ask(i.DescribeRun, "w", run_id).run_id == run_id
    assert room.ask(i.DescribeRun, "w", "another") == NotOpen("w", "another")
    assert room.ask(i.DescribeRun, "nobody") == NotOpen("nobody", "")


def test_everybody_who_waits_is_told_how_the_run_ended(room):
    room.open()
    room.start()
    room.await_result("me")
    room.await_result("you")
    assert "me" not in room.replies
    run_id = room.run().run_id
    room.complete(room.token(), done("out"))
    assert room.replies["me"] == room.replies["you"] == Closed("w", run_id, RunState.COMPLETED, data("out"), None)


def test_who_waits_for_a_failed_run_is_told_the_failure(room):
    room.open()
    room.start()
    room.await_result("me")
    room.complete(room.token(), c.FailRun(BOOM))
    assert room.replies["me"].failure == BOOM
    assert room.replies["me"].result is None


def test_who_waits_for_a_run_that_is_not_open_is_told_at_once(room):
    room.await_result("me", "nobody")
    assert room.replies["me"] == NotOpen("nobody", "")


def test_who_does_not_wait_any_more_is_not_told(room):
    room.start()
    room.await_result("me")
    room.await_result("you")
    room.apply(i.ForgetAwait("me", "w"))
    room.apply(i.ForgetAwait("me", "w"))
    room.apply(i.ForgetAwait("stranger", "nobody"))
    room.cancel()
    assert "me" not in room.replies
    assert room.replies["you"].state is RunState.CANCELLED
    room.apply(i.ForgetAwait("you", "w"))


def test_a_forgotten_wait_is_not_taken_for_one_of_a_later_run(room):
    room.start()
    room.await_result("me")
    room.cancel()
    room.start()
    room.apply(i.ForgetAwait("me", "w"))
    assert room.engine.state.waiter_count == 0


def test_so_many_may_wait_and_no_more():
    room = Room(waiters_max=1)
    room.start()
    room.await_result("me")
    room.await_result("you")
    assert isinstance(room.replies["you"], LimitExceeded)
    room.apply(i.ForgetAwait("me", "w"))
    room.await_result("him")
    assert "him" not in room.replies


# Cancel.


def test_a_run_that_nobody_has_begun_is_cancelled_at_once(room):
    room.start()
    answer = room.cancel(reason="enough")
    assert answer.state is RunState.CANCELLED
    assert room.history()[1:] == [e.CancelRequested("enough"), e.RunCancelled("enough")]
    room.open()
    assert room.tasks() == []


def test_a_running_run_is_told_of_the_cancel_and_ends_when_its_code_does(room):
    room.open()
    room.start()
    answer = room.cancel(reason="enough")
    assert answer == CancelAccepted(room.run().run_id, RunState.RUNNING)
    assert room.news() == [(1, 3, 3)]
    room.complete(room.token(), step(), c.CancelRun())
    assert room.last() == e.RunCancelled("enough")


def test_a_parked_run_is_woken_by_a_cancel(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.cancel()
    assert room.news() == [(1, 4, 4)]
    room.park(room.token(), c.CancelPending("1"), c.CancelRun("obeyed"))
    assert room.kinds()[-2:] == ["TimerCancelled", "RunCancelled"]
    assert room.last() == e.RunCancelled("obeyed")


def test_a_parked_run_that_no_worker_keeps_is_handed_out_for_its_cancel(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000_000))
    room.close()
    room.cancel()
    assert room.run().queued
    room.open(2)
    assert [task.last_seq for task in room.tasks()] == [4]


def test_a_blocked_run_remembers_a_cancel_for_the_code_that_fits(room):
    room.open()
    room.start()
    room.complete(room.token(), c.BlockRun(BOOM))
    assert room.cancel().state is RunState.RUNNING
    assert room.run().blocked == BOOM
    room.open(2)
    assert room.kinds()[-2:] == ["CancelRequested", "RunStarted"]


def test_a_second_cancel_changes_nothing_and_is_accepted(room):
    room.open()
    room.start()
    room.cancel(reason="first")
    assert isinstance(room.cancel(reason="second"), CancelAccepted)
    assert room.decision.records == []
    assert room.run().cancel_reason == "first"


def test_a_run_that_is_not_open_can_not_be_cancelled(room):
    assert room.cancel("nobody") == NotOpen("nobody", "")


def test_a_run_may_end_well_although_it_was_cancelled(room):
    room.open()
    room.start()
    room.cancel()
    room.complete(room.token(), done())
    assert isinstance(room.last(), e.RunCompleted)


# Close.


def test_what_a_closed_run_waited_for_is_forgotten_and_its_attempts_are_stopped(room):
    room.open()
    room.start()
    commands = (c.StartTimer("1", 1_000), activity("2", heartbeat_s=1), activity("3", "mail", schedule_to_start_s=1))
    room.complete(room.token(), *commands)
    attempt = room.attempt("2")
    room.complete(room.token(), done())
    assert room.stopped() == [attempt]
    assert len(room.engine.state.timers) == 1  # the session's own
    assert room.kinds()[-1] == "RunCompleted"


def test_a_run_that_closes_does_not_start_its_own_queued_activities(room):
    room.open(activity_slots=1)
    room.start()
    room.complete(room.token(), activity("1"), activity("2"), activity("3"))
    running = room.attempt("1")
    answer = room.complete(room.token(), done())
    assert room.attempts() == []
    assert room.stopped() == [running]
    assert room.kinds()[-2:] == ["ActivityStarted", "RunCompleted"]
    assert answer.seq == 7


def test_the_slots_of_a_closed_run_go_to_those_who_wait(room):
    room.open(slots=1, activity_slots=1)
    room.start("a")
    room.start("b")
    room.complete(room.token("a"), activity())
    room.complete(room.token("a"), done())
    assert [task.task.workflow_id for task in room.tasks()] == ["b"]


def test_a_blocked_run_that_is_closed_by_nobody_stays_until_new_code_ends_it(room):
    room.open()
    room.start()
    room.complete(room.token(), c.BlockRun(BOOM))
    room.open(2)
    room.complete(room.token(), done())
    assert not room.is_open()


# Children.


def test_a_child_is_a_run_of_its_own_that_knows_its_parent(room):
    room.start()
    room.open()
    room.park(room.token(), child("1"))
    created = room.history("w/1")[0]
    parent = room.run()
    assert created.input == data("1")
    assert (created.workflow_type, created.task_queue) == ("ship", "q")
    assert (created.parent_workflow_id, created.parent_run_id, created.parent_path) == ("w", parent.run_id, "1")
    assert room.last() == e.ChildStarted("1", "w/1", created.run_id, "ship")
    assert room.run("w/1").parent_key == parent.key


def test_a_child_may_have_an_id_and_a_queue_of_its_own(room):
    room.open()
    room.start()
    room.park(room.token(), child("1", id="parcel", queue="far"))
    assert room.run("parcel").task_queue == "far"


@pytest.mark.parametrize(
    ("end", "news"),
    [
        (done("out"), e.ChildCompleted("1", data("out"))),
        (c.FailRun(BOOM), e.ChildFailed("1", BOOM)),
        (c.CancelRun(), e.ChildCancelled("1")),
    ],
)
def test_a_parent_is_told_how_its_child_ended(room, end, news):
    room.open()
    room.start()
    room.park(room.token(), child("1"))
    room.complete(room.token("w/1"), end)
    assert room.last() == news
    assert room.news() == [(1, 4, 4)]
    room.complete(room.token(), done())


def test_a_child_whose_id_is_taken_fails_and_its_parent_goes_on(room):
    room.open()
    room.start("parcel", kind="ship")
    room.start()
    room.park(room.token(), child("1", id="parcel"))
    failure = room.last().failure
    assert failure.type == "WorkflowAlreadyExists"
    assert room.run("parcel").run_id in failure.message
    assert room.news() == [(1, 4, 4)]


def test_a_child_whose_id_would_be_too_long_fails_and_its_parent_goes_on(room):
    room.open()
    room.start("w" * 199)
    room.park(room.token("w" * 199), child("1"))
    assert room.last("w" * 199).failure.type == "InvalidArgument"
    assert "201 characters; at most 200" in room.last("w" * 199).failure.message


def test_children_count_among_the_runs_that_a_server_holds():
    room = Room(open_runs_max=2)
    room.open()
    room.start()
    room.park(room.token(), child("1"), child("2"))
    failure = room.last().failure
    assert failure == Failure("LimitExceeded", "2 runs are open, the most this server holds")
    assert room.is_open("w/1")


def test_a_path_that_is_used_again_gives_another_run(room):
    room.open()
    room.start()
    room.park(room.token(), child("1"))
    first = room.run("w/1").run_id
    room.complete(room.token("w/1"), done())
    room.park(room.token(), child("1"))
    assert room.run("w/1").run_id != first


def test_two_children_that_close_in_one_tick_are_both_heard_of(room):
    room.open()
    room.start()
    room.park(room.token(), child("1"), child("2"))
    for path in ("w/1", "w/2"):
        room.park(room.token(path), c.StartTimer("1", 1_000))
    room.tick(1)
    for path in ("w/1", "w/2"):
        room.complete(room.token(path), done())
    assert room.kinds()[-2:] == ["ChildCompleted", "ChildCompleted"]
    room.complete(room.token(), done())


def test_a_cancelled_child_that_nobody_has_begun_ends_at_once(room):
    room.open(workflows=("order",))
    room.start()
    room.park(room.token(), child("1"))
    room.park(room.token(), c.CancelPending("1"))
    assert room.kinds()[-2:] == ["ChildCancelRequested", "ChildCancelled"]
    assert not room.is_open("w/1")


def test_a_cancelled_child_that_runs_ends_when_its_code_does(room):
    room.open()
    room.start()
    room.park(room.token(), child("1"))
    room.park(room.token(), c.CancelPending("1"))
    assert room.last("w/1") == e.CancelRequested("its parent cancelled it")
    room.complete(room.token("w/1"), c.CancelRun())
    assert room.last() == e.ChildCancelled("1")


def test_a_child_outlives_a_parent_that_outgrew_its_history_and_is_asked_to_stop():
    room = Room(history_max=5)
    room.open()
    room.start()
    room.complete(room.token(), child("1"), child("2", "unknown"))
    room.complete(room.token(), step("3"), step("4"))
    assert not room.is_open()
    assert not room.is_open("w/2")
    assert room.last("w/1") == e.CancelRequested("its parent is closed")
    room.complete(room.token("w/1"), c.CancelRun())
    assert not room.is_open("w/1")


def test_a_run_that_is_lost_again_and_again_fails_when_its_history_is_full():
    room = Room(history_max=6)
    room.start()
    for session in range(1, 10):
        room.open(session)
        room.close(session)
    assert room.last() == e.RunFailed(
        Failure("LimitExceeded", "its history would grow beyond 6 events; divide the work among child workflows")
    )
    assert len(room.history()) == 7
