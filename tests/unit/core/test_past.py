"""A run as it was after any of its events."""

import pytest

from aether.core.past import Outcome, PastRun, Signal, past_run
from aether.core.views import PendingView
from aether.model import events as e
from aether.model.payload import ABORTED
from aether.model.runs import RunState
from tests.unit.core.engine_room import BOOM, T0, data

CREATED = e.RunCreated("w", "r", "order", "q", data())
STARTED = e.RunStarted("worker-1", 1)
ONE = data("one")
KID = e.ChildStarted("1", "kid", "k", "ship")


def after(*facts: e.Fact) -> PastRun:
    return past_run(e.Event(seq, T0 + seq, fact) for seq, fact in enumerate((CREATED, STARTED, *facts), start=1))


def outcome(*facts: e.Fact) -> Outcome:
    past = after(*facts)
    assert past.pending() == []
    (only,) = past.outcomes
    assert (only.seq, only.at) == (2 + len(facts), T0 + 2 + len(facts))
    return only


def test_a_run_is_known_from_its_first_event_on():
    past = past_run([e.Event(1, T0, CREATED)])
    assert past.run
    assert (past.run.state, past.worker_id, past.pending(), past.outcomes) == (RunState.PENDING, "", [], [])
    past = after()
    assert past.run
    assert past.last
    assert (past.run.state, past.run.attempts, past.worker_id, past.last.seq) == (RunState.RUNNING, 1, "worker-1", 2)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ([e.StepCompleted("1", "pack", ONE, 2)], ("step", "pack", "completed", 2, ONE, None)),
        ([e.StepFailed("1", "pack", BOOM)], ("step", "pack", "failed", 1, None, BOOM)),
        ([e.StepFailed("1", "pack", ABORTED)], ("step", "pack", "cancelled", 1, None, ABORTED)),
        ([e.TimerStarted("1", 9), e.TimerFired("1")], ("timer", "", "completed", 0, None, None)),
        ([e.TimerStarted("1", 9), e.TimerCancelled("1")], ("timer", "", "cancelled", 0, None, None)),
        (
            [KID, e.ChildCompleted("1", ONE)],
            ("child", "kid", "completed", 0, ONE, None),
        ),
        (
            [KID, e.ChildFailed("1", BOOM)],
            ("child", "kid", "failed", 0, None, BOOM),
        ),
        (
            [KID, e.ChildCancelled("1")],
            ("child", "kid", "cancelled", 0, None, None),
        ),
        ([e.PromiseCreated("1", "paid"), e.PromiseResolved("1", ONE)], ("promise", "paid", "completed", 0, ONE, None)),
        ([e.PromiseCreated("1", "paid"), e.PromiseRejected("1", BOOM)], ("promise", "paid", "failed", 0, None, BOOM)),
        ([e.PromiseCreated("1", "paid"), e.PromiseDropped("1")], ("promise", "paid", "cancelled", 0, None, None)),
    ],
)
def test_what_was_over_says_how_it_ended(facts, told):
    one = outcome(*facts)
    assert (one.kind, one.name, one.state, one.attempt, one.result, one.failure) == told


def test_an_activity_tells_its_attempts():
    scheduled = e.ActivityScheduled("1", "charge", "q", data())
    assert after(scheduled).pending() == [PendingView("1", "activity", "charge")]
    begun = (scheduled, e.ActivityStarted("1", 1, "a"))
    assert after(*begun).pending() == [PendingView("1", "activity", "charge", 1, worker_id="a")]
    again = (*begun, e.ActivityRetried("1", 1, BOOM, 99, ONE))
    assert after(*again).pending() == [
        PendingView("1", "activity", "charge", 1, due_at=99, last_failure=BOOM, heartbeat=ONE)
    ]
    done = outcome(*again, e.ActivityStarted("1", 2, "b"), e.ActivityCompleted("1", 2, ONE))
    assert (done.name, done.state, done.attempt, done.result) == ("charge", "completed", 2, ONE)


def test_a_step_between_attempts_is_pending_and_then_over_once():
    retried = e.StepRetried("1", "pack", BOOM, 1, 99)
    assert after(retried).pending() == [PendingView("1", "step", "pack", 1, due_at=99, last_failure=BOOM)]
    assert (after(retried, e.TimerFired("1")).pending(), after(retried, e.TimerFired("1")).outcomes) == ([], [])
    assert outcome(retried, e.TimerFired("1"), e.StepCompleted("1", "pack", ONE, 2)).attempt == 2


def test_what_was_pending_shown_and_heard_is_there():
    past = after(
        e.TimerStarted("1.1.1", 9), e.ChildStarted("1.2.1", "kid", "k", "ship"), e.PromiseCreated("1.3.1", "paid"),
        e.ValuePublished("1.4.1", "progress", ONE), e.SignalReceived("go", ONE),
    )  # fmt: skip
    assert past.pending() == [
        PendingView("1.1.1", "timer", due_at=9), PendingView("1.2.1", "child", "kid"),
        PendingView("1.3.1", "promise", "paid"),
    ]  # fmt: skip
    assert past.signals == [Signal(7, T0 + 7, "go", ONE)]
    assert past.run
    assert past.run.published == {"progress": (ONE, T0 + 6)}


def test_the_signals_that_were_waited_for_are_there_until_it_went_on():
    parked = e.Event(2, T0, STARTED, parked=True, awaits=(e.AwaitedSignal("1", "go"),))
    past = past_run([e.Event(1, T0, CREATED), parked])
    assert past.pending() == [PendingView("1", "signal", "go")]
    past.add(e.Event(3, T0, e.SignalReceived("go", ONE)))
    assert past.pending() == []


def test_a_closed_run_waits_for_nothing():
    assert after(e.TimerStarted("1", 9), e.RunCompleted(ONE)).pending() == []


def test_a_history_without_a_beginning_is_a_defect():
    with pytest.raises(AssertionError, match="begins with RunCreated"):
        past_run([e.Event(1, T0, STARTED)])
