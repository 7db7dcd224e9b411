"""Where a history can be cut, what of it a fork begins with, and how the engine takes it up."""

import pytest
from attrs import evolve

from aether.core.effects import Started
from aether.core.fork import FORK_TAG, plan, retry_point
from aether.errors import InvalidArgument, LimitExceeded, WorkflowAlreadyExists, WorkflowClosed
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure
from aether.model.policy import ConcurrencyLimit, RetryPolicy
from aether.model.runs import RunState
from tests.unit.core.engine_room import BOOM, T0, Room, S, activity, child, data, done, step

CREATED = e.RunCreated("w", "r", "order", "q", data())
STARTED = e.RunStarted("worker-1", 1)
FAILED = Failure("StepFailed", "step 'b' failed", causes=(Failure("ValueError", "boom"),))


def events(*facts):
    return [e.Event(seq, T0 + seq, fact) for seq, fact in enumerate((CREATED, STARTED, *facts), start=1)]


def kept(at, *facts):
    """Facts of the run that a fork begins with; its first two events are as they were."""
    cut = plan(events(*facts), at)
    assert [event.seq for event in cut] == list(range(1, len(cut) + 1))
    return [event.fact for event in cut[2:]]


def scheduled(path):
    return e.ActivityScheduled(path, "charge", "q", data())


def began(path):
    return e.ChildStarted(path, f"w/{path}", "kid", "ship")


def completed(path):
    return e.StepCompleted(path, "pack", data())


def test_what_is_over_is_kept_and_nothing_of_what_came_later():
    facts = (completed("1"), scheduled("2"), e.ActivityStarted("2", 1, "a"), e.ActivityCompleted("2", 1, data()))
    assert kept(6, *facts, completed("3")) == list(facts)
    assert kept(3, *facts) == [completed("1")]
    assert plan(events(*facts), 1) == (e.Event(1, T0 + 1, CREATED),)


def test_what_is_not_over_begins_anew():
    facts = (
        scheduled("1.1.1"), e.StepRetried("1.2.1", "b", BOOM, 1, 5), began("1.3.1"), completed("1.4.1"),
        e.ActivityStarted("1.1.1", 1, "a"), e.ActivityProgressed("1.1.1", 1, data()), e.TimerFired("1.2.1"),
        e.ActivityRetried("1.1.1", 1, BOOM, 9), e.StepRetried("1.2.1", "b", BOOM, 2, 5),
        e.ActivityCancelRequested("1.1.1"), e.ChildCancelRequested("1.3.1"),
    )  # fmt: skip
    assert kept(13, *facts) == [completed("1.4.1")]


def test_a_fork_of_a_paused_run_is_not_paused():
    assert kept(5, e.RunPaused("lunch"), completed("1"), e.RunPaused("again")) == [completed("1")]


def test_a_step_or_a_child_that_is_over_is_kept_with_all_of_it():
    facts = (
        e.StepRetried("1", "b", BOOM, 1, 5), e.TimerFired("1"), e.StepFailed("1", "b", BOOM, 2),
        e.StepRetried("2", "b", BOOM, 1, 5), e.TimerCancelled("2"), began("3"), e.ChildFailed("3", BOOM),
    )  # fmt: skip
    assert kept(9, *facts) == list(facts)


def test_timers_promises_signals_and_values_are_kept():
    facts = (
        e.TimerStarted("1.1.1", 9), e.PromiseCreated("1.2.1", "paid"), e.SignalReceived("go", data()),
        e.ValuePublished("1.3.1", "key", data()), e.TimerStarted("1.4.1", 9), e.TimerFired("1.4.1"),
    )  # fmt: skip
    assert kept(8, *facts) == list(facts)


@pytest.mark.parametrize("at", [0, -1, 4])
def test_only_an_event_that_there_is_can_be_forked_at(at):
    with pytest.raises(InvalidArgument, match=f"no event {at}: the history has events 1 to 3"):
        kept(at, completed("1"))


@pytest.mark.parametrize("end", [e.RunCompleted(data()), e.RunFailed(BOOM), e.RunCancelled()])
def test_the_end_of_a_run_is_no_place_to_go_on_from(end):
    with pytest.raises(InvalidArgument, match="event 4 is the end of the run"):
        kept(4, completed("1"), end)


def test_a_run_that_was_asked_to_stop_goes_on_from_before():
    facts = (completed("1"), e.CancelRequested(), completed("2"))
    with pytest.raises(InvalidArgument, match="with event 4 the run was asked to stop; fork at 3 or before"):
        kept(5, *facts)
    assert kept(3, *facts) == [completed("1")]


@pytest.mark.parametrize(
    ("child", "later"),
    [
        ("1", ["2"]),  # the code went on behind it
        ("1", ["2.1.1"]),
        ("1.1.1", ["1.1.2"]),
        ("1.1.1", ["2"]),
        ("2", ["1.1.1"]),  # a branch of an earlier nursery, opened nobody knows when
    ],
)
def test_a_child_that_is_left_open_can_not_be_left_out(child, later):
    facts = (began(child), *map(completed, later))
    with pytest.raises(InvalidArgument, match=f"child 'w/{child}' was open and the run had gone on: fork at 2 or bef"):
        kept(4, *facts)
    assert kept(3, *facts) == []
    over = (*facts, e.ChildCompleted(child, data()))
    assert kept(5, *over) == list(over)


@pytest.mark.parametrize(
    "given_up",
    [e.ChildCancelRequested, e.ChildCancelled, e.ActivityCancelled, e.ActivityCancelRequested, e.TimerCancelled,
     e.PromiseDropped],
)  # fmt: skip
def test_a_branch_that_has_won_by_starting_a_child_can_not_be_left_out(given_up):
    """`race([sleep, spawn])`: that the sleep is over rests on the child, though nothing comes after it yet."""
    begins = [e.TimerStarted("1.1.1", 9), began("1.2.1")]
    with pytest.raises(InvalidArgument, match=r"child 'w/1\.2\.1' was open and the run had gone on: fork at 3 or bef"):
        kept(5, *begins, given_up("1.1.1"))
    assert kept(4, *begins) == begins[:1]


@pytest.mark.parametrize(
    ("before", "child", "later"),
    [
        ([], "1.1.1", ["1.2.1", "1.2.2.1.1"]),  # beside it
        (["1.1.1"], "2", ["1.1.2"]),  # a branch that was at work before
        ([], "2", []),
    ],
)
def test_a_child_on_which_nothing_rests_begins_anew(before, child, later):
    beside = [*map(completed, before), *map(completed, later)]
    facts = (*map(completed, before), began(child), *map(completed, later), e.SignalReceived("go", data()))
    assert kept(2 + len(facts), *facts) == [*beside, e.SignalReceived("go", data())]


def test_a_child_that_nobody_waited_for_can_not_be_left_out_when_a_later_branch_began_behind_it():
    """`parallel(limit=1)`: the second branch began because the first one, which spawned the child, had ended."""
    spawned = evolve(began("1.1.1"), detached=True)
    facts = (spawned, completed("1.2.1"))
    with pytest.raises(InvalidArgument, match=r"child 'w/1\.1\.1' was open and the run had gone on: fork at 2 or bef"):
        kept(4, *facts)
    assert kept(3, *facts) == []
    # One that has not begun, or was at work before, does not rest on it.
    assert kept(4, spawned, e.SignalReceived("go", data())) == [e.SignalReceived("go", data())]
    assert kept(5, completed("1.2.1"), spawned, completed("1.2.2")) == [completed("1.2.1"), completed("1.2.2")]
    for path in ("1.2.1", "1.10.1"):
        assert kept(4, evolve(began(path), detached=True), completed("1.1.1")) == [completed("1.1.1")]
    assert kept(4, evolve(began("1.10.1"), detached=True), completed("1.2.1")) == [completed("1.2.1")]


def test_a_child_in_what_had_a_deadline_can_not_be_left_out_when_the_deadline_was_given_up():
    begins = [e.TimerStarted("1.1.1", 9), began("2")]
    with pytest.raises(InvalidArgument, match="child 'w/2' was open and the run had gone on: fork at 3 or before"):
        kept(5, *begins, e.TimerCancelled("1.1.1"))
    assert kept(4, *begins) == begins[:1]


def retried(path, attempt=1):
    return e.StepRetried(path, "b", BOOM, attempt, 5)


@pytest.mark.parametrize(
    ("step", "later"),
    [
        ("2", completed("3")),
        ("1.1.2", completed("2")),
        ("1.1.2", completed("1.1.3.1.1")),
        ("1.2.2", e.TimerCancelled("1.1.1.1.1")),  # the branch of the step has ended, and ends the others
        ("4", e.TimerCancelled("1.1.1")),  # a deadline around that of the step
    ],
)
def test_a_step_that_was_given_up_between_attempts_is_kept(step, later):
    """Its deadline came, and then its next attempt was due before the server had heard that nobody wants it."""
    beside = [e.TimerStarted("1.1.1.1.1", 9), e.TimerStarted("1.1.1", 9)]
    begins = [*beside, retried(step), e.TimerFired(step), retried(step, 2)]
    facts = [*begins, e.TimerFired(step), later]
    assert kept(9, *facts, e.RunCompleted(data())) == facts
    # Nor has it heard of it yet.
    assert kept(8, *begins, later, e.TimerCancelled(step)) == [*begins, later]
    # As far as one can tell it has not gone on before.
    assert kept(8, *facts) == kept(7, *facts) == beside


def test_a_step_that_was_tried_again_later_had_not_been_given_up():
    """What was given up beside it, a deadline that was not needed, has nothing to do with it."""
    deadline, over = e.TimerStarted("1.1.1.1.1", 9), e.TimerCancelled("1.1.1.1.1")
    facts = [deadline, retried("1.2.1"), over, e.TimerFired("1.2.1")]
    for end in (e.StepCompleted("1.2.1", "b", data()), e.StepFailed("1.2.1", "b", BOOM, 2), retried("1.2.1", 2)):
        assert kept(6, *facts, end) == [deadline, over]
    assert kept(6, *facts, e.StepCompleted("1.2.2", "b", data())) == facts


def test_a_run_that_failed_by_itself_is_retried_at_its_last_event():
    assert retry_point(events(completed("1"), e.RunFailed(BOOM))) == 3
    caught = Failure("KeyError", "caught")
    assert retry_point(events(e.StepFailed("1", "a", caught), completed("2"), e.RunFailed(BOOM))) == 4


@pytest.mark.parametrize(
    "failed",
    [
        e.StepFailed("2", "b", Failure("ValueError", "boom")),
        e.ActivityFailed("2", 3, Failure("ValueError", "boom")),
        e.ChildFailed("2", Failure("ValueError", "boom")),
        e.PromiseRejected("2", Failure("ValueError", "boom")),
    ],
)
def test_a_run_is_retried_before_what_made_it_fail(failed):
    beside = completed("1.2.1")
    assert retry_point(events(completed("1.1.1"), failed, beside, e.RunFailed(FAILED))) == 3


@pytest.mark.parametrize(
    ("failed", "later"),
    [("2", "3"), ("1.1.2", "2"), ("1.1.2", "1.1.3"), ("1.1.2", "2.1.1"), ("1.1.2.1.1", "1.1.3.2.1")],
)
def test_a_run_that_cleaned_up_after_its_failure_is_not_retried_blindly(failed, later):
    failure = e.StepFailed(failed, "b", Failure("ValueError", "boom"))
    history = events(failure, completed(later), e.RunFailed(FAILED))
    with pytest.raises(WorkflowClosed, match=r"did something more \(event 4\).*from event 2 all the same"):
        retry_point(history)


@pytest.mark.parametrize("later", ["1.2.1", "1.2.2.1.1"])
def test_what_ended_beside_a_failure_does_not_matter(later):
    failure = e.StepFailed("1.1.1", "b", Failure("ValueError", "boom"))
    assert retry_point(events(failure, completed(later), e.RunFailed(FAILED))) == 2


@pytest.mark.parametrize(
    ("facts", "undone", "before"),
    [
        ((completed("1"), completed("2"), e.RunFailed(BOOM, "2")), 4, 3),
        ((completed("1"), e.StepFailed("2", "b", FAILED.causes[0]), completed("3"), e.RunFailed(FAILED, "3")), 5, 3),
        ((completed("1.1.1"), e.StepFailed("2", "undo", BOOM), e.RunFailed(BOOM, "2")), 4, 3),
        ((completed("1"), e.CancelRequested(), completed("2"), e.RunCancelled("", "2")), 5, 3),
    ],
)
def test_a_run_that_was_undone_is_not_retried_but_told_where_to_fork(facts, undone, before):
    with pytest.raises(WorkflowClosed, match=f"from event {undone} on the run undid .* event {before} all the same"):
        retry_point(events(*facts))


def test_a_worker_that_names_an_undo_which_nothing_follows_keeps_nobody_from_a_retry():
    assert retry_point(events(completed("1"), e.RunFailed(BOOM, "2"))) == 3


def test_a_cancelled_run_is_retried_before_it_was_asked_to_stop():
    history = events(completed("1"), e.CancelRequested(), completed("2"), e.RunCancelled())
    assert retry_point(history) == 3
    # As a child does that ends with its parent.
    assert retry_point(events(completed("1"), e.RunCancelled("its parent is closed"))) == 3


@pytest.mark.parametrize(
    "cleanup",
    [
        [e.TimerCancelled("2"), completed("3")],
        [e.TimerCancelled("2"), e.ActivityScheduled("3", "free", "q", data()), e.ActivityCompleted("3", 1, data())],
        [e.StepCompleted("2", "free", data(), started_at=T0 + 9)],  # it waited for a signal, of which no event tells
        [completed("2.1.1"), completed("2.2.1"), completed("2.1.2")],
    ],
)
def test_a_run_that_cleaned_up_when_it_was_asked_to_stop_is_not_retried_blindly(cleanup):
    history = events(completed("1"), e.TimerStarted("2", 9), e.CancelRequested(), *cleanup, e.RunCancelled())
    with pytest.raises(WorkflowClosed, match=r"did something more \(event \d\), .* from event 4 all the same, fork it"):
        retry_point(history)


def test_what_a_run_was_at_when_it_was_asked_to_stop_may_end_before_it_is_retried():
    ended = [completed("2.1.1"), completed("2.2.1"), e.StepFailed("2.3.1", "a", BOOM), e.TimerCancelled("2.4.1")]
    assert retry_point(events(completed("1"), e.CancelRequested(), *ended, e.RunCancelled())) == 3


@pytest.mark.parametrize(("end", "how"), [(e.RunCompleted(data()), "is COMPLETED"), (completed("2"), "is open")])
def test_what_did_not_end_badly_is_not_retried(end, how):
    with pytest.raises(WorkflowClosed, match=how):
        retry_point(events(end))


# The engine's part.


@pytest.fixture
def room():
    return Room()


def fork(room, at, id="fork", source="w", run_id=""):  # noqa: A002
    key = max(key for key, opened in room.log.opened.items() if opened.workflow_id == source)
    return room.fork(key, at, id, run_id or f"run of {id}")


def test_a_fork_is_a_run_of_its_own(room):
    room.open()
    source_run = room.start(tags=(("team", "red"),), priority=1, run_timeout_ms=60_000).run_id
    room.park(room.token(), step("1"), c.StartTimer("2", 30_000))
    room.tick(10)
    assert fork(room, 4) == Started("fork", "run of fork", existing=False)
    run = room.run("fork")
    assert run.forked_from == ("w", source_run, 4)
    assert (run.state, run.priority, run.parent_key) == (RunState.RUNNING, 1, None)
    assert run.tags == ((FORK_TAG, source_run), ("team", "red"))
    assert run.expires_at == room.now + 60 * S
    created, *others = room.history("fork")
    assert (created.workflow_id, created.run_id, created.seed) == ("fork", "run of fork", source_run)
    assert others == [
        *room.history("w")[1:4],
        e.RunForked("w", source_run, 4, "run of fork"),
        e.RunStarted("worker-1", 2, "forked from w at event 4"),
    ]
    # The timer keeps its time.
    room.sleep(20)
    assert room.kinds("fork")[-1] == "TimerFired"
    room.open(2)
    room.complete(room.token("fork"), done())
    assert room.is_open("w")


def test_a_fork_of_what_happened_later_than_now_lies_in_the_past(room):
    """The clock was set back while no server ran, and the run was closed by then."""
    room.open()
    room.start(run_timeout_ms=60_000)
    room.park(
        room.token(), step("1"), c.StartTimer("2", 30_000), c.CreatePromise("3", "paid", 40_000),
        c.CreatePromise("4", "told"), activity("5", retry=RetryPolicy(initial_s=1)),
    )  # fmt: skip
    room.complete(room.attempt("5"), c.FailActivity(BOOM))
    room.sleep(2)
    room.complete(room.attempt("5"), c.CompleteActivity(data()))
    was = room.log.histories[room.run().key]
    room.now -= 3600 * S
    assert isinstance(fork(room, len(was)), Started)
    events = room.log.histories[room.run("fork").key]
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert events[-1].at == room.now
    run = room.run("fork")
    source = room.run()
    assert run.expires_at == room.now + 60 * S
    ahead = was[-1].at - room.now
    assert run.pending["2"].fire_at == source.pending["2"].fire_at - ahead
    assert run.pending["3"].expires_at == source.pending["3"].expires_at - ahead
    (retried,) = [event for event in events if isinstance(event.fact, e.ActivityRetried)]
    assert 0 < retried.fact.next_at - retried.at <= 2 * S


def test_a_fork_that_is_asked_for_again_after_its_run_has_ended_is_made_once(room):
    room.open()
    room.start()
    room.complete(room.token(), step("1"))
    fork(room, 3)
    room.cancel("fork", force=True)
    assert fork(room, 3) == Started("fork", "run of fork", existing=True)
    assert not room.is_open("fork")


def test_a_fork_can_not_have_the_id_of_an_open_run_that_is_damaged(room):
    room.open()
    room.start()
    room.complete(room.token(), step("1"))
    room.engine.withhold("fork", "lost")
    assert isinstance(fork(room, 3), WorkflowAlreadyExists)
    assert not room.is_open("fork")


def test_a_fork_of_a_fork_draws_as_the_first_did(room):
    room.open()
    source_run = room.start().run_id
    room.complete(room.token(), step("1"))
    fork(room, 3)
    fork(room, 4, "second", "fork")
    created, *others = room.history("second")
    assert (created.seed, created.forked_from_run_id) == (source_run, "run of fork")
    assert [fact.seed for fact in others if isinstance(fact, e.RunForked)] == ["run of fork", "run of second"]


def test_a_fork_from_the_beginning_is_a_start(room):
    room.start(start_delay_ms=60_000)
    fork(room, 1)
    run = room.run("fork")
    assert (run.state, run.interrupted, run.is_early, run.expires_at) == (RunState.PENDING, "", False, 0)
    room.open()
    assert room.run("fork").lease is not None
    assert room.run("w").is_early


def test_a_fork_outlives_a_restart_of_the_server(room):
    room.open()
    room.start()
    room.park(room.token(), step("1"), c.CreatePromise("2", "paid"))
    fork(room, 4)
    room.restart()
    room.open()
    assert room.run("fork").lease is not None
    assert room.resolve(room.promise_token("2", "fork")).duplicate is False


def test_a_fork_begins_its_activities_and_children_anew(room):
    room.open()
    room.start()
    retry = RetryPolicy(max_attempts=1)
    room.park(room.token(), activity("1", retry=retry), child("2"))
    assert room.kinds("w")[-3:] == ["ActivityScheduled", "ChildStarted", "ActivityStarted"]
    fork(room, 5)
    assert room.kinds("fork") == ["RunCreated", "RunStarted", "RunForked", "RunStarted"]
    room.park(room.token("fork"), activity("1", retry=retry), child("2"))
    assert room.activity("1", "fork").attempt == 1
    assert room.is_open("fork/2")


def test_an_id_that_is_open_is_forked_to_only_by_the_same_request(room):
    room.start()
    assert fork(room, 1).existing is False
    assert fork(room, 1).existing is True
    assert isinstance(fork(room, 1, run_id="another"), WorkflowAlreadyExists)
    assert isinstance(fork(room, 1, "w"), WorkflowAlreadyExists)


def test_a_closed_run_may_be_forked_under_its_own_id(room):
    room.open()
    room.start()
    room.complete(room.token(), c.FailRun(BOOM))
    assert fork(room, 2, "w").existing is False
    assert room.is_open("w")


def test_forks_have_bounds():
    room = Room(forked_events_max=2)
    room.open()
    room.start()
    room.complete(room.token(), step("1"))
    assert isinstance(fork(room, 3), LimitExceeded)
    full = Room(open_runs_max=1)
    full.start()
    assert isinstance(fork(full, 1), LimitExceeded)


def test_a_fork_that_has_begun_takes_a_place_of_its_concurrency_key(room):
    room.open()
    room.start(concurrency=ConcurrencyLimit("printer", 1))
    fork(room, 2)
    fork(room, 1, "waits")
    assert room.run("fork").lease is not None
    assert room.run("waits").queued
    room.complete(room.token("w"), done())
    room.complete(room.token("fork"), done())
    assert room.run("waits").lease is not None
