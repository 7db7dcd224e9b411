"""What a run did and when, told from its events."""

import pytest

from aether.core.timeline import ATTEMPTS_MAX, Attempt, Row, RowKind, RowState, Timeline, project
from aether.model import events as e
from aether.model.payload import ABORTED, Failure
from aether.model.runs import ParentClosePolicy
from tests.unit.core.engine_room import BOOM, T0, S, data

CREATED = e.RunCreated("w", "r", "order", "q", data())
STARTED = e.RunStarted("worker-1", 1)


def told(*facts):
    """Rows of a history with an event a second."""
    return project(e.Event(seq, T0 + seq * S, fact) for seq, fact in enumerate(facts, start=1))


def at(seq):
    return T0 + seq * S


def one(*facts):
    """The only row besides that of the run."""
    run, row = told(CREATED, STARTED, *facts)
    assert run.kind is RowKind.RUN
    return row


def test_an_empty_history_has_no_rows():
    assert told() == []


def test_who_follows_is_told_of_the_rows_that_changed():
    timeline = Timeline()
    facts: tuple[e.Fact, ...] = (
        e.RunCreated("w", "r", "order", "q", data()),
        e.TimerStarted("2", T0),
        e.StepCompleted("1", "pack", data()),
        e.TimerFired("2"),
        e.RunCompleted(data()),
    )
    assert timeline.changed(0) == []
    told = []
    for seq, fact in enumerate(facts, start=1):
        timeline.add(e.Event(seq, T0 + seq * S, fact))
        told.append([row.path for row in timeline.changed(seq - 1)])
    assert told == [[""], ["2"], ["1"], ["2"], [""]]
    assert timeline.changed(0) == timeline.rows()
    assert [row.path for row in timeline.changed(2)] == ["", "1", "2"]


def test_a_run_is_queued_then_runs_then_is_over():
    assert told(CREATED) == [Row("", RowKind.RUN, "order", RowState.QUEUED, at(1), 1, 1)]
    (running,) = told(CREATED, STARTED)
    assert (running.state, running.started_at, running.worker_id) == (RowState.RUNNING, at(2), "worker-1")
    assert list(running.attempts) == [Attempt(1, at(1), at(2), worker_id="worker-1")]
    (over,) = told(CREATED, STARTED, e.RunCompleted(data()))
    assert (over.state, over.ended_at, over.last_seq, over.failure) == (RowState.COMPLETED, at(3), 3, None)
    assert [attempt.ended_at for attempt in over.attempts] == [at(3)]


def test_a_run_that_is_not_due_shows_when_it_is():
    later = e.RunCreated("w", "r", "order", "q", data(), start_at=at(9))
    (row,) = told(later)
    assert (row.state, row.due_at) == (RowState.QUEUED, at(9))
    (row,) = told(later, STARTED)
    assert (row.due_at, row.attempts[0].due_at) == (0, at(9))


def test_a_run_whose_worker_was_lost_has_another_attempt():
    (row,) = told(CREATED, STARTED, e.RunStarted("worker-2", 2, "worker-1 fell silent"))
    assert list(row.attempts) == [
        Attempt(1, at(1), at(2), at(3), "worker-1", Failure("Interrupted", "worker-1 fell silent")),
        Attempt(2, at(3), at(3), worker_id="worker-2"),
    ]
    assert (row.attempt_count, row.worker_id, row.started_at) == (2, "worker-2", at(2))


@pytest.mark.parametrize(
    ("fact", "state", "failure"),
    [
        (e.RunFailed(BOOM), RowState.FAILED, BOOM),
        (e.RunCancelled("enough"), RowState.CANCELLED, Failure("Cancelled", "enough")),
        (e.RunCancelled(), RowState.CANCELLED, None),
    ],
)
def test_a_run_that_ended_badly_says_how(fact, state, failure):
    (row,) = told(CREATED, STARTED, fact)
    assert (row.state, row.failure) == (state, failure)


def test_what_a_run_has_not_waited_for_is_abandoned_with_it():
    _, done, timer, activity = told(
        CREATED, STARTED, e.StepCompleted("1", "pack", data()), e.TimerStarted("2", at(60)),
        e.ActivityScheduled("3", "charge", "q", data()), e.ActivityStarted("3", 1, "worker-1"), e.RunCompleted(data()),
    )  # fmt: skip
    assert done.state is RowState.COMPLETED
    assert [(row.state, row.ended_at) for row in (timer, activity)] == [(RowState.ABANDONED, at(7))] * 2
    assert activity.attempts[0].ended_at == at(7)


def test_a_step_began_when_its_worker_says():
    row = one(e.StepCompleted("1", "pack", data(), 1, at(2)))
    assert (row.kind, row.name, row.state) == (RowKind.STEP, "pack", RowState.COMPLETED)
    assert (row.created_at, row.started_at, row.ended_at) == (at(2), at(2), at(3))
    assert list(row.attempts) == [Attempt(1, at(2), at(2), at(3))]


def test_a_step_whose_start_nobody_told_took_no_time():
    row = one(e.StepFailed("1", "pack", BOOM))
    assert (row.state, row.started_at, row.ended_at, row.failure) == (RowState.FAILED, at(3), at(3), BOOM)
    assert list(row.attempts) == [Attempt(1, 0, 0, at(3), failure=BOOM)]


def test_a_step_whose_code_was_cancelled_is_told_as_cancelled():
    row = one(e.StepFailed("1", "pack", ABORTED, 1, at(2)))
    assert (row.state, row.started_at, row.ended_at, row.failure) == (RowState.CANCELLED, at(2), at(3), None)


def test_a_step_that_is_tried_again_is_one_row():
    failed = e.StepRetried("1", "pack", BOOM, 1, at(5), at(2))
    row = one(failed)
    assert (row.state, row.due_at, row.failure) == (RowState.BACKING_OFF, at(5), BOOM)
    row = one(failed, e.TimerFired("1"))
    assert (row.state, row.ended_at) == (RowState.RUNNING, 0)
    row = one(failed, e.TimerFired("1"), e.StepCompleted("1", "pack", data(), 2, at(6)))
    assert (row.state, row.started_at, row.first_seq, row.last_seq) == (RowState.COMPLETED, at(2), 3, 5)
    assert list(row.attempts) == [Attempt(1, at(2), at(2), at(3), failure=BOOM), Attempt(2, at(5), at(6), at(5))]
    row = one(failed, e.StepRetried("1", "pack", BOOM, 2, at(9)))
    assert row.attempts[1] == Attempt(2, at(5), at(5), at(4), failure=BOOM)


def test_a_step_that_is_not_tried_again_after_all_is_cancelled():
    row = one(e.StepRetried("1", "pack", BOOM, 1, at(5)), e.TimerCancelled("1"))
    assert (row.state, row.failure) == (RowState.CANCELLED, BOOM)


def test_a_worker_that_records_a_step_before_its_time_ends_it():
    early = (e.StepRetried("1", "pack", BOOM, 1, at(5)), e.StepCompleted("1", "pack", data(), 2))
    assert one(*early, e.TimerFired("1")).state is RowState.COMPLETED
    assert one(*early, e.TimerCancelled("1")).state is RowState.COMPLETED


def test_a_timer_is_open_until_it_fires_or_nobody_wants_it():
    assert (one(e.TimerStarted("1", at(60))).state, one(e.TimerStarted("1", at(60))).due_at) == ("waiting", at(60))
    fired = one(e.TimerStarted("1", at(60)), e.TimerFired("1"))
    assert (fired.state, fired.due_at, fired.ended_at) == (RowState.COMPLETED, at(60), at(4))
    assert one(e.TimerStarted("1", at(60)), e.TimerCancelled("1")).state is RowState.CANCELLED


def test_an_activity_shows_its_attempts_and_what_is_between_them():
    scheduled = e.ActivityScheduled("1", "charge", "q", data())
    row = one(scheduled)
    assert (row.kind, row.name, row.state, row.created_at, row.started_at) == ("activity", "charge", "queued", at(3), 0)
    first = (scheduled, e.ActivityStarted("1", 1, "a"), e.ActivityRetried("1", 1, BOOM, at(7)))
    row = one(*first)
    assert (row.state, row.due_at, row.worker_id, row.failure) == (RowState.BACKING_OFF, at(7), "a", BOOM)
    row = one(*first, e.ActivityStarted("1", 2, "b"), e.ActivityCompleted("1", 2, data()))
    assert (row.state, row.started_at, row.ended_at, row.failure) == (RowState.COMPLETED, at(4), at(7), None)
    assert list(row.attempts) == [Attempt(1, at(3), at(4), at(5), "a", BOOM), Attempt(2, at(7), at(6), at(7), "b")]


@pytest.mark.parametrize(
    ("fact", "state"),
    [(e.ActivityFailed("1", 1, BOOM), RowState.FAILED), (e.ActivityCancelled("1"), RowState.CANCELLED)],
)
def test_an_activity_that_was_asked_to_stop_ends_somehow(fact, state):
    begun = (e.ActivityScheduled("1", "charge", "q", data()), e.ActivityStarted("1", 1, "a"))
    row = one(*begun, e.ActivityProgressed("1", 1, data("half")))
    assert (row.state, row.last_seq) == (RowState.RUNNING, 5)
    row = one(*begun, e.ActivityCancelRequested("1"), fact)
    assert (row.state, row.last_seq) == (state, 6)


def test_an_activity_that_is_tried_for_ever_keeps_its_newest_attempts():
    timeline = Timeline()
    facts: list[e.Fact] = [CREATED, STARTED, e.ActivityScheduled("1", "charge", "q", data())]
    for number in range(1, ATTEMPTS_MAX + 50):
        long = Failure("ValueError", "x" * 5_000, "traceback")
        facts += [e.ActivityStarted("1", number, "a"), e.ActivityRetried("1", number, long, at(1))]
    for seq, fact in enumerate(facts, start=1):
        timeline.add(e.Event(seq, at(seq), fact))
    row = timeline.rows()[1]
    assert (len(row.attempts), row.attempt_count) == (ATTEMPTS_MAX, ATTEMPTS_MAX + 49)
    assert row.attempts[-1].number == ATTEMPTS_MAX + 49
    assert row.attempts[0].failure == Failure("ValueError", "x" * 1_000)
    assert timeline.last_seq == len(facts)


@pytest.mark.parametrize(
    ("fact", "state"),
    [
        (e.ChildCompleted("1", data()), RowState.COMPLETED),
        (e.ChildFailed("1", BOOM), RowState.FAILED),
        (e.ChildCancelled("1"), RowState.CANCELLED),
    ],
)
def test_a_child_is_named_and_ends_somehow(fact, state):
    begun = e.ChildStarted("1", "w/1", "kid", "ship", ParentClosePolicy.CANCEL)
    row = one(begun)
    assert (row.kind, row.name, row.state) == (RowKind.CHILD, "ship", RowState.RUNNING)
    assert (row.child_workflow_id, row.child_run_id) == ("w/1", "kid")
    assert one(begun, e.ChildCancelRequested("1"), fact).state is state


@pytest.mark.parametrize(
    ("fact", "state"),
    [
        (e.PromiseResolved("1", data()), RowState.COMPLETED),
        (e.PromiseRejected("1", BOOM), RowState.FAILED),
        (e.PromiseDropped("1"), RowState.CANCELLED),
    ],
)
def test_a_promise_waits_until_it_is_kept_or_not(fact, state):
    row = one(e.PromiseCreated("1", "answer"))
    assert (row.kind, row.name, row.state) == (RowKind.PROMISE, "answer", RowState.WAITING)
    assert one(e.PromiseCreated("1", "answer"), fact).state is state


def test_rows_are_in_the_order_of_the_code_and_signals_follow():
    rows = told(
        CREATED, STARTED, e.SignalReceived("go", data()), e.StepCompleted("2.2.1", "b", data()),
        e.StepCompleted("2.1.10", "a", data()), e.StepCompleted("2.1.9", "a", data()),
        e.ValuePublished("1", "progress", data()), e.CancelRequested("enough"),
    )  # fmt: skip
    assert [(row.path, row.kind) for row in rows] == [
        ("", "run"), ("1", "value"), ("2.1.9", "step"), ("2.1.10", "step"), ("2.2.1", "step"), ("", "signal"),
    ]  # fmt: skip
    assert [(row.branch, row.depth) for row in rows[1:4]] == [("", 0), ("2.1", 1), ("2.1", 1)]
    value, signal = rows[1], rows[5]
    assert (value.name, value.started_at, value.ended_at) == ("progress", at(7), at(7))
    assert (signal.name, signal.state) == ("go", RowState.COMPLETED)


def test_a_place_that_is_used_again_has_a_row_for_each_use():
    rows = told(
        CREATED, STARTED, e.TimerStarted("1", at(9)), e.TimerFired("1"), e.StepRetried("1", "a", BOOM, 1, at(9))
    )
    assert [(row.kind, row.state) for row in rows[1:]] == [("timer", "completed"), ("step", "backing_off")]


def test_a_history_without_a_beginning_is_a_defect():
    with pytest.raises(AssertionError, match="begins with RunCreated"):
        told(STARTED)
