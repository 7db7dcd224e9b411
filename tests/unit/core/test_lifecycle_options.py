"""Options of a start; ends that a run's worker does not know of; children that go on or end with their parent."""

import pytest

from aether.core.effects import Closed, NotOpen, Started
from aether.core.inputs import AwaitRun, StartRun
from aether.errors import LimitExceeded, WorkflowAlreadyExists
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure
from aether.model.policy import RetryPolicy
from aether.model.runs import IdReusePolicy, ParentClosePolicy, RunState
from tests.unit.core.engine_room import BOOM, T0, Room, S, activity, child, data, done, step


@pytest.fixture
def room():
    return Room()


# Options of a start.


@pytest.mark.parametrize(
    ("end", "policy", "is_allowed"),
    [
        (done(), IdReusePolicy.ALLOW, True),
        (done(), IdReusePolicy.ALLOW_IF_FAILED, False),
        (done(), IdReusePolicy.REJECT, False),
        (c.FailRun(BOOM), IdReusePolicy.ALLOW_IF_FAILED, True),
        (c.FailRun(BOOM), IdReusePolicy.REJECT, False),
        (c.CancelRun(), IdReusePolicy.ALLOW_IF_FAILED, True),
    ],
)
def test_an_id_is_used_again_only_as_the_start_allows(room, end, policy, is_allowed):
    room.open()
    room.start()
    room.complete(room.token(), end)
    answer = room.start(reuse=policy)
    assert isinstance(answer, Started if is_allowed else WorkflowAlreadyExists)
    assert room.is_open() is is_allowed


def test_a_start_that_is_repeated_finds_its_open_run_whatever_may_be_reused(room):
    room.start(reuse=IdReusePolicy.REJECT)
    assert room.start(reuse=IdReusePolicy.REJECT).existing


def test_a_start_that_is_repeated_after_its_run_has_ended_makes_no_second_run(room):
    room.start(run_id="mine")
    room.cancel()
    assert room.start(run_id="mine") == Started("w", "mine", existing=True)
    assert room.start(run_id="mine", awaited=True) == NotOpen("w", "mine")
    assert not room.is_open()
    assert room.start(run_id="other") == Started("w", "other", existing=False)


def test_a_start_that_is_awaited_is_answered_when_its_run_has_ended(room):
    room.open()
    for name in ("first", "again"):
        room.apply(StartRun(name, "order", "w", f"run-{name}", "q", data(), awaited=True))
    assert room.replies == {}
    room.complete(room.token(), done("paid"))
    closed = Closed("w", "run-first", RunState.COMPLETED, data("paid"), None)
    assert (room.replies["first"], room.replies["again"]) == (closed, closed)


def test_a_start_is_refused_when_too_many_wait_for_results():
    room = Room(waiters_max=1)
    room.start(awaited=True)
    assert isinstance(room.start("x", awaited=True), LimitExceeded)
    assert not room.is_open("x")
    assert isinstance(room.start(awaited=True), LimitExceeded)


def test_so_many_closed_ids_are_remembered_the_latest_of_them():
    room = Room(recently_closed_max=2)
    for name in ("a", "b", "a", "c"):
        room.start(name)
        room.cancel(name)
    assert list(room.engine.state.recently_closed) == ["a", "c"]


def test_a_run_with_a_delay_is_handed_out_when_it_is_due_and_not_before(room):
    room.open()
    room.start(start_delay_ms=2_000)
    room.tick(1.999)
    assert room.kinds() == ["RunCreated"]
    room.tick(0.001)
    assert room.kinds() == ["RunCreated", "RunStarted"]


def test_a_run_with_a_delay_is_handed_out_when_it_is_due_after_a_restart(room):
    room.start("early", start_delay_ms=2_000)
    room.start("late", start_delay_ms=10_000)
    room.now += 5 * S
    room.restart()
    assert room.run("early").queued
    assert not room.run("late").queued
    room.tick(5)
    assert room.run("late").queued


def test_a_start_that_comes_due_waits_for_its_tick_even_if_something_else_wakes_the_run(room):
    """Otherwise the tick would wake a run that has begun and parked meanwhile, and has no news."""
    room.open(slots=1)
    room.start(start_delay_ms=1_000)
    room.now += 1 * S
    room.signal()
    assert room.kinds() == ["RunCreated", "SignalReceived"]
    room.tick()
    assert [task.last_seq for task in room.tasks()] == [3]


def test_a_clock_that_was_set_back_does_not_hold_back_a_run_that_has_begun(room):
    room.open()
    room.start(start_delay_ms=2_000)
    room.tick(2)
    room.now -= 1 * S
    room.restart()
    assert room.run().queued


def test_a_run_that_is_not_due_is_cancelled_at_once(room):
    room.start(start_delay_ms=2_000, run_timeout_ms=9_000)
    assert room.cancel().state is RunState.CANCELLED
    assert len(room.engine.state.timers) == 0


def test_a_run_fails_when_its_time_is_up_and_its_worker_is_told(room):
    room.open()
    room.start(run_timeout_ms=3_000)
    room.await_result("me")
    token = room.token()
    room.tick(3)
    assert room.revoked() == [token]
    failure = Failure("WorkflowTimeout", "workflow 'w' was open for longer than 3 s")
    assert room.last() == e.RunFailed(failure)
    assert room.replies["me"].failure == failure


@pytest.mark.parametrize("where", ["early", "queued", "idle", "waking", "parked", "blocked", "restarted"])
@pytest.mark.parametrize("how", ["expiry", "force", "grace"])
def test_a_run_is_ended_from_outside_wherever_it_is(where, how):
    room = Room(session_timeout_ms=10**9, cancel_grace_ms=5_000)
    if where not in ("queued", "early"):
        room.open(slots=1)
    room.start(
        start_delay_ms=20_000 if where == "early" else 0,
        run_timeout_ms=9_000 if how == "expiry" else 0,
    )
    if where in ("idle", "waking", "parked", "restarted"):
        room.park(room.token(), activity("1", "nobody"), child("2", "nobody"), c.StartTimer("3", 1_000_000))
    if where == "waking":
        room.start("busy")
        room.signal()
    if where == "blocked":
        room.complete(room.token(), c.BlockRun(BOOM))
    if where == "parked":
        room.close()
    if where == "restarted":
        room.restart()
    if how == "force":
        assert room.cancel(force=True).state is RunState.CANCELLED
    elif how == "grace":
        room.cancel()
        room.tick(5)
    else:
        room.tick(9)
    assert not room.is_open()
    assert not room.is_open("w/2")
    assert isinstance(room.last(), e.RunFailed if how == "expiry" else e.RunCancelled)
    assert list(room.engine.state.queues.depths()) == []
    if where == "waking":
        room.complete(room.token("busy"), done())
        assert room.news() == []


def test_a_run_that_is_ended_is_not_handed_out_because_its_child_ends_with_it(room):
    room.open(workflows=("order",))
    room.start(run_timeout_ms=5_000)
    room.park(room.token(), child("1", "unknown"))
    room.close()
    room.open(2)
    room.tick(5)
    assert room.tasks() == []
    assert room.kinds()[-1] == "RunFailed"
    assert not room.is_open("w/1")


def test_the_slot_of_a_run_that_is_ended_goes_to_those_who_wait(room):
    room.open(slots=1)
    room.start("a")
    room.start("b")
    room.cancel("a", force=True)
    assert [task.task.workflow_id for task in room.tasks()] == ["b"]


def test_a_run_that_expires_wakes_its_parent_before_those_who_wait_for_its_slot_go_without(room):
    room.open(slots=2)
    room.start()
    room.park(room.token(), c.StartTimer("9", 10**6), child("1"))
    kid = room.token("w/1")
    room.start("x")
    room.start("asleep")
    room.complete(kid, activity("1", "nobody", schedule_to_start_s=1))
    room.cancel("w/1", force=True)
    assert room.kinds()[-1] == "ChildCancelled"
    room.complete(room.token("x"), done())
    assert all(session.used[1] == 2 for session in room.engine.state.sessions.values())


# Cancel, and what comes after it.


def test_a_run_that_does_not_end_in_time_after_a_cancel_is_ended():
    room = Room(cancel_grace_ms=2_000)
    room.open()
    room.start()
    room.cancel(reason="enough")
    token = room.token()
    room.tick(2)
    assert room.revoked() == [token]
    assert room.last() == e.RunCancelled("it did not end within 2 s of being asked to")
    assert room.kinds().count("CancelRequested") == 1


def test_after_a_restart_a_cancelled_run_has_its_time_to_clean_up_again():
    room = Room(cancel_grace_ms=2_000)
    room.open()
    room.start()
    room.cancel()
    room.now += 10 * S
    room.restart()
    room.open()
    room.tick(1)
    room.complete(room.token(), step(), c.CancelRun("cleaned up"))
    assert room.last() == e.RunCancelled("cleaned up")


def test_a_forced_end_says_why(room):
    room.open()
    room.start()
    room.cancel(reason="", force=True)
    assert room.history()[-2:] == [e.CancelRequested("ended by force"), e.RunCancelled("ended by force")]
    assert room.cancel(force=True) == NotOpen("w", "")


# Children that are closed with their parent, or not.


def test_a_child_that_is_to_be_terminated_ends_with_its_parent_and_its_worker_is_told(room):
    room.open()
    room.start()
    room.complete(room.token(), child("1", policy=ParentClosePolicy.TERMINATE))
    kid = room.token("w/1")
    room.complete(kid, activity("1"))
    attempt = room.attempt("1", "w/1")
    room.complete(room.token(), done())
    assert room.last("w/1") == e.RunCancelled("its parent is closed")
    assert room.revoked() == [kid]
    assert room.stopped() == [attempt]


def test_a_chain_of_children_of_any_length_ends_with_the_first():
    room = Room()
    room.open(slots=1_000)
    room.start("w")
    name = "w"
    for number in range(400):
        room.park(room.token(name), child("1", id=f"kid-{number}", policy=ParentClosePolicy.TERMINATE))
        name = f"kid-{number}"
    room.cancel("w", force=True)
    assert room.engine.state.runs == {}


def test_a_child_that_is_abandoned_goes_on_also_after_a_restart(room):
    room.open()
    room.start()
    room.complete(room.token(), child("1", policy=ParentClosePolicy.ABANDON))
    room.complete(room.token(), done())
    assert room.is_open("w/1")
    room.restart()
    room.open()
    room.complete(room.token("w/1"), done())
    assert room.last("w/1") == e.RunCompleted(data())


@pytest.mark.parametrize("policy", [ParentClosePolicy.ABANDON, ParentClosePolicy.TERMINATE])
def test_a_child_that_is_started_with_its_parents_last_word_begins(room, policy):
    room.open()
    room.start()
    room.complete(room.token(), child("1", policy=policy), done())
    assert room.kinds()[-2:] == ["ChildStarted", "RunCompleted"]
    assert room.is_open("w/1") is (policy is ParentClosePolicy.ABANDON)
    assert "RunCreated" in room.kinds("w/1")


def test_a_child_that_can_not_begin_with_its_parents_last_word_is_in_the_history(room):
    room.open()
    room.start("parcel", kind="ship")
    room.start()
    room.complete(room.token(), child("1", id="parcel", policy=ParentClosePolicy.ABANDON), done())
    assert room.kinds()[-3:] == ["ChildStarted", "ChildFailed", "RunCompleted"]
    assert room.news() == []


def test_a_parent_does_not_end_before_a_child_that_it_waits_for(room):
    room.open()
    room.start()
    room.complete(room.token(), child("1"))
    refusal = room.complete(room.token(), done())
    assert "children at 1 are open" in str(refusal)
    refusal = room.complete(room.token(), child("2"), done())
    assert "children at 1, 2 are open" in str(refusal)


def test_a_parent_hears_of_a_child_that_it_would_abandon(room):
    room.open()
    room.start()
    room.park(room.token(), child("1", policy=ParentClosePolicy.ABANDON))
    room.complete(room.token("w/1"), done("out"))
    assert room.last() == e.ChildCompleted("1", data("out"))


def test_the_children_of_a_run_have_its_priority(room):
    room.open()
    room.start(priority=1)
    room.complete(room.token(), child("1"))
    assert room.run("w/1").priority == 1


def test_what_ends_with_its_parent_starts_none_of_the_parents_activities(room):
    """The end of the child frees a slot for which an activity of the parent waits."""
    room.open(activity_slots=1)
    room.start()
    room.complete(room.token(), child("1", policy=ParentClosePolicy.TERMINATE))
    room.complete(room.token("w/1"), activity("1"))
    room.complete(room.token(), activity("2"))
    assert room.run().pending["2"].queued
    room.cancel(force=True)
    assert room.attempts() == []
    assert "ActivityStarted" not in room.kinds()


# Steps that are tried again.

ONCE_MORE = RetryPolicy(initial_s=1, jitter=0, max_attempts=2)


def test_the_outcome_of_a_failed_step_is_recorded_even_if_the_run_ends_with_the_same_request(room):
    room.open()
    room.start()
    room.complete(room.token(), c.FailStep("1", "pack", BOOM, 2, ONCE_MORE, 7), c.FailRun(BOOM))
    assert room.history()[-2:] == [e.StepFailed("1", "pack", BOOM, 2, 7), e.RunFailed(BOOM)]
    assert room.news() == []


def test_a_step_that_would_be_tried_again_is_not_when_the_run_ends_with_the_same_request(room):
    room.open()
    room.start()
    room.complete(room.token(), c.FailStep("1", "pack", BOOM, 1, ONCE_MORE), c.FailRun(BOOM))
    assert room.history()[-2:] == [e.StepRetried("1", "pack", BOOM, 1, T0 + S), e.RunFailed(BOOM)]
    assert len(room.engine.state.timers) == 1  # the session's own


def test_what_is_due_for_a_run_that_has_ended_in_the_same_tick_is_passed_over(room):
    room.open()
    room.start(run_timeout_ms=1_000)
    room.complete(room.token(), child("1", policy=ParentClosePolicy.TERMINATE))
    room.start("delayed", start_delay_ms=1_000, run_timeout_ms=1_000)
    room.tick(1)
    assert [room.kinds(name)[-1] for name in ("w", "w/1", "delayed")] == ["RunFailed", "RunCancelled", "RunFailed"]


def finish(room: Room, name: str, command: c.RunCommand, run_id: str = "") -> None:
    room.start(name, run_id=run_id or f"run-{name}")
    room.complete(room.token(name), command)


def test_a_small_result_is_at_hand_for_whoever_asks_a_moment_later():
    room = Room(recently_closed_max=2, kept_max=10)
    room.open()
    finish(room, "a", done("paid"))
    closed = Closed("a", "run-a", RunState.COMPLETED, data("paid"), None)
    assert room.ask(AwaitRun, "a") == closed
    assert room.ask(AwaitRun, "a", "run-a") == closed
    assert room.ask(AwaitRun, "a", "another") == NotOpen("a", "another")
    # Of what is large, or no result, the disk knows.
    finish(room, "large", done("x" * 20))
    finish(room, "failed", c.FailRun(Failure("E", "")))
    assert room.ask(AwaitRun, "large") == NotOpen("large", "")
    assert room.ask(AwaitRun, "failed") == NotOpen("failed", "")
    finish(room, "b", done("paid"))
    finish(room, "c", done("paid"))
    assert room.ask(AwaitRun, "a") == NotOpen("a", "")
    assert room.ask(AwaitRun, "b") == Closed("b", "run-b", RunState.COMPLETED, data("paid"), None)


def test_the_result_of_a_run_that_was_followed_by_another_of_its_id_is_not_told_for_it(room):
    room.open()
    finish(room, "a", done("first"), "one")
    finish(room, "a", c.FailRun(Failure("E", "")), "two")
    assert room.ask(AwaitRun, "a") == NotOpen("a", "")
    assert room.ask(AwaitRun, "a", "one") == NotOpen("a", "one")
