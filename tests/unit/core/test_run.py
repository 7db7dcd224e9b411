import pytest

from aether.core.run import TRANSITIONS, Activity, ActivityState, Child, Run, Timer, digest, fold
from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.model.policy import RetryPolicy
from aether.model.runs import RunState

NONE = Payload(b"")
BOOM = Failure("ValueError", "boom")
CREATED = e.RunCreated("w", "r", "order", "q", Payload(b"in"), "parent", "parent-run", "1.2")
STARTED = e.RunStarted("worker-1", 1)


def folded(*facts: e.Fact, parked: bool = False) -> Run:
    run = Run(1, "w", "r", "order", "q", None, 0)
    for seq, fact in enumerate(facts, start=1):
        fold(run, e.Event(seq, seq * 10, fact, parked and seq == len(facts)))
    return run


def test_a_created_run_is_pending_and_knows_its_input_and_its_parent():
    run = folded(CREATED)
    assert run.state is RunState.PENDING
    assert run.input_digest == digest(Payload(b"in"))
    assert (run.parent_workflow_id, run.parent_path) == ("parent", "1.2")


@pytest.mark.parametrize(
    ("fact", "state"),
    [
        (e.RunCompleted(NONE), RunState.COMPLETED),
        (e.RunFailed(BOOM), RunState.FAILED),
        (e.RunCancelled(), RunState.CANCELLED),
    ],
)
def test_a_started_run_ends_in_one_of_three_ways(fact, state):
    run = folded(CREATED, STARTED, fact)
    assert run.state is state
    assert run.last_seq == 3


def test_there_is_no_way_out_of_an_end():
    assert not [state for state, _ in TRANSITIONS if state.is_closed]
    with pytest.raises(KeyError):
        folded(CREATED, STARTED, e.RunCompleted(NONE), e.RunStarted("worker-2", 2))
    with pytest.raises(KeyError):
        folded(CREATED, e.RunCompleted(NONE))


def test_attempts_of_the_run_are_counted():
    assert folded(CREATED, STARTED, e.RunStarted("worker-2", 2, "lost")).attempts == 2


def test_events_come_without_gaps():
    run = folded(CREATED)
    for seq in (1, 3):
        with pytest.raises(AssertionError, match=f"event {seq} after 1"):
            fold(run, e.Event(seq, 0, STARTED))


def test_a_cancel_request_is_remembered_with_its_reason():
    run = folded(CREATED, e.CancelRequested("enough"))
    assert run.cancel_requested
    assert run.cancel_reason == "enough"
    assert run.state is RunState.PENDING


def test_a_run_is_parked_until_something_happens_that_matters_to_its_code():
    scheduled = e.ActivityScheduled("1", "charge", "q", NONE)
    assert folded(CREATED, STARTED, scheduled, parked=True).parked
    run = folded(CREATED, STARTED, scheduled, parked=True)
    fold(run, e.Event(4, 0, e.ActivityStarted("1", 1, "worker-2")))
    fold(run, e.Event(5, 0, e.ActivityRetried("1", 1, BOOM, 70)))
    fold(run, e.Event(6, 0, e.ActivityStarted("1", 2, "worker-2")))
    assert run.parked
    fold(run, e.Event(7, 0, e.ActivityCompleted("1", 2, NONE)))
    assert not run.parked


def test_a_timer_is_pending_until_it_fires_or_is_cancelled():
    run = folded(CREATED, STARTED, e.TimerStarted("1", 99), e.TimerStarted("2", 98))
    timer = run.pending["1"]
    assert isinstance(timer, Timer)
    assert timer.fire_at == 99
    fold(run, e.Event(5, 0, e.TimerFired("1")))
    fold(run, e.Event(6, 0, e.TimerCancelled("2")))
    assert run.pending == {}


@pytest.mark.parametrize(
    "over", [e.ActivityCompleted("1", 1, NONE), e.ActivityFailed("1", 1, BOOM), e.ActivityCancelled("1")]
)
def test_an_activity_is_pending_from_its_schedule_to_its_outcome(over):
    retry = RetryPolicy(max_attempts=2)
    run = folded(CREATED, STARTED, e.ActivityScheduled("1", "charge", "other", Payload(b"x"), retry))
    activity = run.pending["1"]
    assert isinstance(activity, Activity)
    assert (activity.state, activity.attempt, activity.scheduled_at) == (ActivityState.SCHEDULED, 0, 30)
    assert (activity.activity_type, activity.task_queue, activity.retry) == ("charge", "other", retry)
    fold(run, e.Event(4, 0, e.ActivityStarted("1", 1, "worker-1")))
    assert (activity.state, activity.attempt) == (ActivityState.STARTED, 1)
    fold(run, e.Event(5, 0, e.ActivityRetried("1", 1, BOOM, 70, Payload(b"beat"))))
    assert (activity.state, activity.next_at, activity.last_failure) == (ActivityState.BACKING_OFF, 70, BOOM)
    assert activity.heartbeat == Payload(b"beat")
    fold(run, e.Event(6, 0, e.ActivityCancelRequested("1")))
    assert activity.cancel_requested
    fold(run, e.Event(7, 0, over))
    assert run.pending == {}


@pytest.mark.parametrize("over", [e.ChildCompleted("1", NONE), e.ChildFailed("1", BOOM), e.ChildCancelled("1")])
def test_a_child_is_pending_from_its_start_to_its_end(over):
    run = folded(CREATED, STARTED, e.ChildStarted("1", "w/1", "kid", "ship"))
    pending = run.pending["1"]
    assert isinstance(pending, Child)
    assert (pending.workflow_id, pending.run_id, pending.cancel_requested) == ("w/1", "kid", False)
    fold(run, e.Event(4, 0, e.ChildCancelRequested("1")))
    assert pending.cancel_requested
    fold(run, e.Event(5, 0, over))
    assert run.pending == {}


def test_steps_change_nothing_but_the_length_of_the_history():
    run = folded(CREATED, STARTED, e.StepCompleted("1", "pack", NONE), e.StepFailed("2", "pay", BOOM))
    assert run.last_seq == 4
    assert run.pending == {}


def test_inputs_are_the_same_when_their_bytes_and_their_encoding_are():
    assert digest(Payload(b"a")) == digest(Payload(b"a"))
    different = [Payload(b"a"), Payload(b"b"), Payload(b"a", "x"), Payload(b"a", "x" * 16), Payload(b"a", "x" * 17)]
    assert len({digest(payload) for payload in different}) == len(different)
    assert digest(Payload(b"1 xa")) != digest(Payload(b"a", "1 x"))


def test_what_a_run_was_started_with_is_known():
    options = e.RunCreated(
        "w", "r", "order", "q", NONE, start_at=5, expires_at=9, priority=1, tags=(("a", "b"),), memo=(("n", NONE),)
    )
    run = folded(options)
    assert (run.start_at, run.expires_at, run.priority) == (5, 9, 1)
    assert (run.tags, run.memo) == ((("a", "b"),), (("n", NONE),))
    assert folded(CREATED).priority == 3


def test_ids_of_signals_are_remembered_and_their_values_are_not():
    signals = [e.SignalReceived("go", NONE, signal_id) for signal_id in ("", "s1", "s2", "s1")]
    assert list(folded(CREATED, *signals).signal_ids or ()) == ["s1", "s2"]
    assert folded(CREATED, signals[0]).signal_ids is None


@pytest.mark.parametrize(
    "end", [e.PromiseResolved("1", NONE), e.PromiseRejected("1", BOOM), e.PromiseDropped("1")], ids=repr
)
def test_a_promise_waits_until_it_is_kept_or_dropped_and_is_remembered(end):
    made = folded(CREATED, STARTED, e.PromiseCreated("1", "a"), e.PromiseCreated("2", "b"))
    assert list(made.pending) == ["1", "2"]
    over = folded(CREATED, STARTED, e.PromiseCreated("1", "a"), e.PromiseCreated("2", "b"), end)
    assert list(over.pending) == ["2"]
    assert over.promises == {"1", "2"}


def test_the_last_value_under_a_key_counts():
    facts = [e.ValuePublished("1", "k", Payload(b"1")), e.ValuePublished("2", "k", Payload(b"2"))]
    assert folded(CREATED, STARTED, *facts).published == {"k": (Payload(b"2"), 40)}


def test_a_step_that_is_tried_again_waits_like_a_timer():
    run = folded(CREATED, STARTED, e.StepRetried("1", "pack", BOOM, 2, 77))
    step = run.pending["1"]
    assert isinstance(step, Timer)
    assert (step.fire_at, step.step_name, step.attempt, step.last_failure) == (77, "pack", 2, BOOM)
    assert folded(CREATED, STARTED, e.StepRetried("1", "pack", BOOM, 2, 77), e.TimerFired("1")).pending == {}


def test_a_message_ends_the_rest_of_a_parked_run():
    run = folded(CREATED, STARTED, e.TimerStarted("1", 9), parked=True)
    assert run.parked
    fold(run, e.Event(4, 0, e.SignalReceived("go", NONE)))
    assert not run.parked
