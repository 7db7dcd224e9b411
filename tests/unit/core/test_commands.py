"""What workers ask for: all or nothing, one event each, consecutive; and whether they keep the run."""

import pytest

from aether.core.effects import Recorded
from aether.errors import InvalidArgument, LimitExceeded, StaleLease
from aether.model import commands as c
from aether.model import events as e
from tests.unit.core.engine_room import BOOM, Room, activity, child, data, done, step


@pytest.fixture
def room():
    """With a run that a worker has in hand."""
    made = Room()
    made.open()
    made.start()
    return made


def refused(room: Room, *commands: c.Command, **fields: object) -> InvalidArgument:
    """The refusal, of which nothing else may have followed."""
    before = len(room.history())
    answer = room.complete(room.token(), *commands, **fields)
    assert isinstance(answer, InvalidArgument)
    assert len(room.history()) == before
    assert len(room.decision.effects) == 1
    return answer


# Commands become events.


def test_each_command_becomes_one_event_and_the_answer_tells_the_last(room):
    answer = room.complete(
        room.token(),
        step("1"),
        c.RecordStep("2", "pay", None, BOOM, 3, 55),
        c.StartTimer("3", 1_500),
        activity("4", "mail", queue="far"),
        child("5", "unknown"),
    )
    assert answer == Recorded(room.token(), 7, room.now)
    facts = room.history()[2:7]
    assert facts[0] == e.StepCompleted("1", "pack", data("pack"))
    assert facts[1] == e.StepFailed("2", "pay", BOOM, 3, 55)
    assert facts[2] == e.TimerStarted("3", room.now + 1_500_000)
    assert facts[3] == e.ActivityScheduled("4", "mail", "far", data("4"))
    assert isinstance(facts[4], e.ChildStarted)


def test_what_commands_set_off_comes_after_all_of_them_and_after_the_answer(room):
    room.start("parcel", kind="ship")
    room.complete(room.token(), activity("1"), child("2", id="parcel"), step("3"))
    assert room.kinds()[2:] == [
        "ActivityScheduled",
        "ChildStarted",
        "StepCompleted",
        "ActivityStarted",
        "ChildFailed",
    ]
    assert room.news() == [(1, 6, 6), (1, 7, 7)]
    assert type(room.decision.effects[0]).__name__ == "Reply"


def test_a_step_that_does_not_say_its_attempt_was_the_first(room):
    room.complete(room.token(), c.RecordStep("1", "pack", data(), attempt=0))
    assert room.last() == e.StepCompleted("1", "pack", data(), 1)


def test_a_request_that_becomes_no_event_is_answered_with_none(room):
    assert room.complete(room.token()).seq == 0
    assert room.complete(room.token(), c.CancelPending("9")).seq == 0


def test_what_has_ended_while_its_cancel_was_under_way_needs_none(room):
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.tick(1)
    assert room.complete(room.token(), c.CancelPending("1"), step("2")).seq == 5
    assert room.kinds()[-2:] == ["TimerFired", "StepCompleted"]


def test_a_cancelled_timer_does_not_fire(room):
    room.complete(room.token(), c.StartTimer("1", 1_000))
    room.complete(room.token(), c.CancelPending("1"))
    room.tick(5)
    assert room.last() == e.TimerCancelled("1")


def test_what_is_cancelled_twice_is_cancelled_once(room):
    room.complete(room.token(), activity("1"), child("2"))
    for _ in range(2):
        room.complete(room.token(), c.CancelPending("1"), c.CancelPending("2"))
    assert room.kinds()[-2:] == ["ActivityCancelRequested", "ChildCancelRequested"]


def test_what_is_started_and_cancelled_in_one_request_was_both(room):
    commands = (c.StartTimer("1", 1_000), activity("2"), child("3", "unknown"))
    room.complete(room.token(), *commands, *[c.CancelPending(path) for path in "123"])
    assert room.kinds()[2:8] == [
        "TimerStarted",
        "ActivityScheduled",
        "ChildStarted",
        "TimerCancelled",
        "ActivityCancelRequested",
        "ChildCancelRequested",
    ]
    assert room.last() == e.ChildCancelled("3")
    assert room.stopped() == [room.attempt("2")]


def test_a_child_that_could_not_start_needs_no_cancel(room):
    room.start("parcel", kind="unknown")
    room.complete(room.token(), child("1", id="parcel"), c.CancelPending("1"))
    assert room.kinds()[-2:] == ["ChildCancelRequested", "ChildFailed"]
    assert not room.run("parcel").cancel_requested


@pytest.mark.parametrize(
    ("command", "fact"),
    [
        (done("out"), e.RunCompleted(data("out"))),
        (c.FailRun(BOOM), e.RunFailed(BOOM)),
        (c.CancelRun("why"), e.RunCancelled("why")),
        (c.CancelRun(), e.RunCancelled("")),
    ],
)
def test_a_run_ends_as_its_worker_says(room, command, fact):
    answer = room.complete(room.token(), step(), command)
    assert answer.seq == 4
    assert room.last() == fact
    assert not room.is_open()


def test_commands_before_the_last_word_set_nothing_off(room):
    room.complete(room.token(), activity("1"), c.FailRun(BOOM))
    assert room.attempts() == []
    assert room.kinds()[-2:] == ["ActivityScheduled", "RunFailed"]


# Refusals.


def test_one_wrong_command_refuses_the_whole_request(room):
    assert refused(room, step("1"), c.StartTimer("x", 5)).field == "path"


def test_two_things_can_not_wait_at_one_path(room):
    room.complete(room.token(), c.StartTimer("1", 1_000))
    assert "path 1 waits for something already" in str(refused(room, activity("1")))
    assert "path 2 waits" in str(refused(room, activity("2"), child("2")))
    assert "path 1 waits" in str(refused(room, c.CancelPending("1"), c.StartTimer("1", 5)))


def test_the_last_word_comes_last(room):
    for ending in (done(), c.FailRun(BOOM), c.CancelRun(), c.BlockRun(BOOM)):
        assert "after the one that ends" in str(refused(room, ending, step()))


def test_a_run_ends_after_its_children(room):
    assert "children at 1 are open" in str(refused(room, child("1"), done()))
    room.complete(room.token(), child("1"), child("2"))
    assert "children at 1, 2 are open" in str(refused(room, c.CancelRun()))


def test_code_that_does_not_fit_may_have_open_children(room):
    room.complete(room.token(), child("1"))
    room.complete(room.token(), c.BlockRun(BOOM))
    assert room.run().blocked


def test_tasks_are_answered_with_commands_of_their_kind(room):
    assert "for a workflow task" in str(refused(room, c.CompleteActivity(data())))
    room.complete(room.token(), activity())
    for commands in ((), (step(),), (c.CancelActivity(), c.CancelActivity())):
        answer = room.complete(room.attempt(), *commands)
        assert "one activity command" in str(answer)


def test_requests_have_bounds():
    room = Room(commands_max=2, pending_max=2)
    room.open()
    room.start()
    assert "3 commands; at most 2" in str(refused(room, step("1"), step("2"), step("3")))
    room.complete(room.token(), c.StartTimer("1", 9_000))
    assert "more than 2 positions" in str(refused(room, c.StartTimer("2", 5), c.StartTimer("3", 5)))
    assert room.complete(room.token(), c.StartTimer("2", 9_000)).seq == 4


def test_a_token_of_nobody_is_refused_and_changes_nothing(room):
    late = room.token()
    room.close()
    room.open(2)
    answer = room.complete(late, done())
    assert isinstance(answer, StaleLease)
    assert room.is_open()
    assert isinstance(room.complete(12345, done()), StaleLease)


# Repetitions.


def test_a_request_that_is_repeated_gets_its_answer_again_and_does_nothing(room):
    first = room.complete(room.token(), step(), number=1)
    assert room.complete(room.token(), step(), number=1) is first
    assert room.decision.records == []
    assert room.complete(room.token(), step("2"), number=2).seq == first.seq + 1


def test_a_request_that_comes_after_a_later_one_is_refused(room):
    room.complete(room.token(), step("1"), number=1)
    room.complete(room.token(), step("2"), number=2)
    assert refused(room, step("1"), number=1).field == "number"


def test_requests_that_are_not_counted_do_not_make_counted_ones_new(room):
    first = room.complete(room.token(), step(), number=7)
    room.complete(room.token(), step("2"))
    assert room.complete(room.token(), step(), number=7) is first


def test_a_refused_request_is_judged_again(room):
    assert refused(room, c.StartTimer("x", 5), number=1)
    assert room.complete(room.token(), c.StartTimer("1", 5), number=1).seq == 3


@pytest.mark.parametrize(
    ("commands", "fields"),
    [
        ((done(),), {}),
        ((c.BlockRun(BOOM),), {}),
        ((c.StartTimer("1", 1_000),), {"release": True, "blocked": True, "known_seq": 2}),
    ],
)
def test_the_request_that_gave_a_run_away_may_be_repeated_too(room, commands, fields):
    token = room.token()
    first = room.complete(token, *commands, number=1, **fields)
    assert isinstance(first, Recorded)
    assert room.complete(token, *commands, number=1, **fields) is first
    assert room.decision.records == []
    assert isinstance(room.complete(token, *commands, number=2, **fields), StaleLease)
    assert isinstance(room.complete(token, *commands, **fields), StaleLease)


def test_the_outcome_of_an_activity_may_be_repeated_too(room):
    room.complete(room.token(), activity())
    token = room.attempt()
    first = room.complete(token, c.CompleteActivity(data()), number=1)
    assert room.complete(token, c.CompleteActivity(data()), number=1) is first
    assert room.kinds().count("ActivityCompleted") == 1


def test_so_many_last_answers_are_kept_and_no_more():
    room = Room(answers_max=2)
    room.open()
    tokens = []
    for name in "abc":
        room.start(name)
        tokens.append(room.token(name))
        room.complete(tokens[-1], done(), number=1)
    assert isinstance(room.complete(tokens[0], done(), number=1), StaleLease)
    assert isinstance(room.complete(tokens[1], done(), number=1), Recorded)
    assert isinstance(room.complete(tokens[2], done(), number=1), Recorded)


# Parking.


def test_a_run_parks_with_the_event_after_which_it_only_waits(room):
    room.park(room.token(), step("1"), c.StartTimer("2", 1_000))
    assert [event.parked for event in room.log.histories[1]] == [False, False, False, True]
    assert room.run().lease.is_idle


def test_a_run_that_parks_may_say_for_which_signals_it_waits(room):
    awaits = (e.AwaitedSignal("2", "go"),)
    room.park(room.token(), step("1"), c.StartTimer("3", 1_000), awaits=awaits)
    assert [event.awaits for event in room.log.histories[1]] == [(), (), (), awaits]
    assert room.run().awaits == awaits


def test_what_is_said_of_signals_counts_only_when_the_run_parks(room):
    room.complete(room.token(), step("1"), awaits=(e.AwaitedSignal("2", "go"),))
    assert room.run().awaits == ()
    assert room.log.histories[1][-1].awaits == ()


def test_a_signal_that_can_not_be_waited_for_is_refused_by_name(room):
    refused = room.complete(room.token(), step("1"), blocked=True, awaits=(e.AwaitedSignal("2", ""),))
    assert isinstance(refused, InvalidArgument)
    assert refused.field == "awaits"
    assert room.run().last_seq == 2


def test_a_run_may_park_without_a_word(room):
    room.complete(room.token(), c.StartTimer("1", 1_000))
    room.park(room.token())
    assert room.run().lease.is_idle


def test_a_run_does_not_park_while_news_are_under_way_to_it(room):
    known = room.engine.state.leases[room.token()].known_seq
    room.cancel()
    room.complete(room.token(), c.StartTimer("1", 1_000), blocked=True, known_seq=known)
    assert not room.run().lease.is_idle
    assert not room.run().parked


def test_a_run_does_not_park_if_what_it_did_is_answered_at_once(room):
    room.start("parcel", kind="ship")
    room.park(room.token(), child("1", id="parcel"))
    assert not room.run().lease.is_idle
    assert not room.run().parked


@pytest.mark.parametrize("commands", [(), (step(),)])
def test_a_run_that_only_a_signal_can_wake_takes_no_slot_and_no_worker(room, commands):
    room.park(room.token(), *commands)
    assert room.run().lease.is_idle
    room.close()
    assert not room.run().queued
    room.signal()
    assert room.run().queued


def test_a_run_that_waits_for_a_signal_does_so_after_a_restart(room):
    room.park(room.token(), step())
    room.restart()
    assert not room.run().queued
    room.signal()
    assert room.run().queued


def test_a_run_that_waits_for_a_signal_may_be_given_back(room):
    before = room.kinds()
    room.complete(room.token(), blocked=True, known_seq=room.seen[room.token()], release=True)
    assert room.run().lease is None
    assert not room.run().queued
    room.signal()
    assert room.kinds() == [*before, "SignalReceived"]
    assert room.run().lease is not None


def test_a_run_that_gave_up_what_it_waited_for_hears_of_it_first(room):
    room.park(room.token(), c.StartTimer("1", 5), c.CancelPending("1"))
    assert not room.run().lease.is_idle
    assert not room.run().parked
    room.close()
    assert room.run().queued


def test_a_run_parks_with_a_cancel_if_something_else_is_pending(room):
    room.complete(room.token(), c.StartTimer("1", 5_000), c.StartTimer("2", 5_000))
    room.park(room.token(), c.CancelPending("1"))
    assert room.run().parked
    room.close()
    assert not room.run().queued


def test_an_idle_run_that_goes_on_by_itself_takes_a_slot_even_one_too_many(room):
    room.park(room.token(), c.StartTimer("1", 5_000))
    for number in range(10):
        room.start(f"other{number}")
    room.complete(room.token(), step("2"))
    session = room.run().lease.session
    assert sum(session.used.values()) == 11
    room.park(room.token(), c.StartTimer("3", 5_000))
    assert sum(session.used.values()) == 10


# Giving back.


def test_a_run_that_is_forgotten_while_it_waits_is_in_nobodys_hands(room):
    token = room.token()
    room.complete(token, c.StartTimer("1", 1_000), blocked=True, known_seq=2, release=True)
    assert token not in room.engine.state.leases
    assert room.run().parked
    room.tick(1)
    assert [task.first_seq for task in room.tasks()] == [1]
    assert room.run().attempts == 1


@pytest.mark.parametrize("blocked", [True, False])
def test_a_run_that_is_forgotten_after_it_went_idle_is_not_handed_out_before_it_has_news(room, blocked):
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.complete(room.token(), release=True, blocked=blocked, known_seq=3)
    assert room.tasks() == []
    assert room.run().lease is None
    room.tick(1)
    assert len(room.tasks()) == 1
    assert room.run().attempts == 1


def test_a_run_that_is_forgotten_when_it_is_about_to_wake_is_handed_out(room):
    room.open(2)
    room.start("full", kind="ship")
    token = room.token()
    room.park(token, c.StartTimer("1", 1_000))
    for number in range(20):
        room.start(f"other{number}")
    room.tick(1)
    assert room.run().lease.is_waking
    room.complete(token, release=True, blocked=True, known_seq=3)
    assert room.run().queued


def test_a_run_that_is_given_back_in_the_middle_is_another_attempt_for_somebody(room):
    room.complete(room.token(), step(), release=True)
    assert room.last() == e.RunStarted("worker-1", 2, "the worker gave it back")


def test_a_run_that_is_given_back_while_news_are_under_way_is_handed_out(room):
    room.complete(room.token(), c.StartTimer("1", 5_000))
    room.cancel()
    room.complete(room.token(), release=True, blocked=True, known_seq=3)
    assert len(room.tasks()) == 1


# A history that grows too long.


@pytest.fixture
def long_run():
    room = Room(history_max=5)
    room.open()
    room.start()
    room.complete(room.token(), step("1"), step("2"), step("3"))
    return room


def test_a_run_that_outgrows_its_history_fails_and_its_worker_is_told_to_forget_it(long_run):
    room = long_run
    token = room.token()
    room.await_result("me")
    answer = room.complete(token, step("4"), number=1)
    assert isinstance(answer, LimitExceeded)
    assert "beyond 5 events" in str(answer)
    assert room.revoked() == [token]
    assert room.replies["me"].failure.type == "LimitExceeded"
    assert room.kinds()[-1] == "RunFailed"
    assert room.complete(token, step("4"), number=1) is answer


def test_a_run_with_a_full_history_may_still_say_its_last_word(long_run):
    assert long_run.complete(long_run.token(), done()).seq == 6


def test_a_run_with_a_full_history_may_still_be_blocked_or_wait(long_run):
    assert long_run.complete(long_run.token()).seq == 0
    long_run.complete(long_run.token(), c.BlockRun(BOOM))
    assert long_run.run().blocked


def test_last_words_do_not_make_room_for_others(long_run):
    assert isinstance(long_run.complete(long_run.token(), step("4"), done()), LimitExceeded)
    assert long_run.kinds()[-1] == "RunFailed"
