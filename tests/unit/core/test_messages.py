"""Signals, promises, published values."""

import pytest

from aether.core import inputs as i
from aether.core.effects import NotOpen, PromiseCompleted, Signalled, ValueRead
from aether.core.views import describe
from aether.errors import InvalidArgument, LimitExceeded
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure
from tests.unit.core.engine_room import BOOM, T0, Room, S, activity, data, done, step

PROMISE = c.CreatePromise("1", "approval")


@pytest.fixture
def room():
    room = Room()
    room.open()
    room.start()
    return room


# Signals.


def test_a_signal_reaches_the_code_of_a_run_at_once(room):
    assert room.signal(text="hi") == Signalled(room.run().run_id, duplicate=False)
    assert room.last() == e.SignalReceived("go", data("hi"))
    assert room.news() == [(1, 3, 3)]


def test_a_signal_waits_for_a_run_that_no_worker_has(room):
    room.start("later", kind="unknown")
    room.signal("later")
    room.open(2, workflows=("unknown",))
    assert room.kinds("later") == ["RunCreated", "SignalReceived", "RunStarted"]


def test_a_signal_wakes_a_run_that_is_parked(room):
    room.park(room.token(), c.StartTimer("1", 60_000))
    room.signal()
    assert room.news() == [(1, 4, 4)]


def test_a_signal_hands_out_a_parked_run_that_no_worker_keeps(room):
    room.park(room.token(), c.StartTimer("1", 60_000))
    room.close()
    room.signal()
    assert room.run().queued


def test_a_run_that_was_parked_and_signalled_is_handed_out_after_a_restart(room):
    room.park(room.token(), c.StartTimer("1", 60_000))
    room.signal()
    room.restart()
    assert room.run().queued


def test_a_signal_does_not_start_a_run_that_is_not_due():
    room = Room()
    room.open()
    room.start(start_delay_ms=1_000)
    room.signal()
    assert room.kinds() == ["RunCreated", "SignalReceived"]
    room.tick(1)
    assert room.kinds()[-1] == "RunStarted"


def test_a_signal_with_an_id_counts_once_also_after_a_restart(room):
    assert not room.signal(signal_id="s1").duplicate
    assert room.signal(signal_id="s1") == Signalled(room.run().run_id, duplicate=True)
    assert not room.signal(signal_id="s2").duplicate
    room.restart()
    assert room.signal(signal_id="s1").duplicate
    assert room.kinds().count("SignalReceived") == 2


def test_signals_without_an_id_all_count(room):
    assert not room.signal().duplicate
    assert not room.signal().duplicate


def test_a_signal_for_a_run_that_is_not_open_says_so(room):
    assert room.signal("nobody") == NotOpen("nobody", "")
    assert room.ask(i.SignalRun, "w", "another", "go", data()) == NotOpen("w", "another")


def test_a_run_has_so_many_signals_with_ids_and_no_more():
    room = Room(signal_ids_max=2)
    room.start()
    for signal_id in ("s1", "s2"):
        room.signal(signal_id=signal_id)
    assert isinstance(room.signal(signal_id="s3"), LimitExceeded)
    assert room.signal(signal_id="s1").duplicate
    assert not room.signal().duplicate, "those without an id take no room among the ids"


def test_signals_do_not_grow_a_history_beyond_its_limit():
    room = Room(history_max=3)
    room.start()
    answers = [room.signal() for _ in range(4)]
    assert [isinstance(answer, LimitExceeded) for answer in answers] == [False, False, True, True]
    assert len(room.history()) == 3


# Promises.


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_that_waits_for_a_promise_hears_how_it_went(room, fails):
    room.park(room.token(), PROMISE)
    outcome = (None, BOOM) if fails else (data("yes"), None)
    answer = room.ask(i.CompletePromise, room.promise_token(), *outcome)
    assert answer == PromiseCompleted(duplicate=False)
    assert room.last() == (e.PromiseRejected("1", BOOM) if fails else e.PromiseResolved("1", data("yes")))
    assert room.news() == [(1, 4, 4)]


def test_a_promise_is_kept_once(room):
    room.park(room.token(), PROMISE)
    token = room.promise_token()
    room.resolve(token)
    assert room.resolve(token, "other") == PromiseCompleted(duplicate=True)
    room.restart()
    assert room.resolve(token) == PromiseCompleted(duplicate=True)
    assert room.kinds().count("PromiseResolved") == 1


def test_a_run_that_waits_for_a_promise_alone_outlives_a_restart(room):
    room.park(room.token(), PROMISE)
    room.restart()
    assert not room.run().queued
    assert room.resolve(room.promise_token()) == PromiseCompleted(duplicate=False)
    assert room.run().queued


def test_a_promise_that_the_run_does_not_want_any_more_is_not_kept(room):
    room.park(room.token(), PROMISE, c.StartTimer("2", 1_000))
    room.park(room.token(), c.CancelPending("1"))
    assert room.kinds()[-1] == "PromiseDropped"
    assert room.resolve(room.promise_token()) == PromiseCompleted(duplicate=True)
    assert room.kinds()[-1] == "PromiseDropped"


def test_a_promise_is_not_taken_for_what_waits_at_its_path_by_now(room):
    """A worker that uses a path twice must not bring down an activity by it."""
    room.park(room.token(), PROMISE)
    token = room.promise_token()
    room.resolve(token)
    room.complete(room.token(), activity("1"))
    assert room.resolve(token) == PromiseCompleted(duplicate=True)
    room.complete(room.attempt(), c.CompleteActivity(data()))
    assert room.kinds()[-1] == "ActivityCompleted"


@pytest.mark.parametrize("token", ["", "1", "1/run", "1/run/"])
def test_what_is_no_token_is_refused(room, token):
    assert isinstance(room.resolve(token), InvalidArgument)


def test_a_promise_that_nobody_made_is_refused(room):
    assert isinstance(room.resolve(room.promise_token("9")), InvalidArgument)


def test_a_promise_of_a_closed_run_is_not_found(room):
    room.park(room.token(), PROMISE)
    token = room.promise_token()
    room.cancel(force=True)
    assert isinstance(room.resolve(token), NotOpen)


def test_a_workflow_id_may_have_slashes(room):
    room.start("a/b/c")
    room.park(room.token("a/b/c"), PROMISE)
    assert room.resolve(room.promise_token("1", "a/b/c")) == PromiseCompleted(duplicate=False)


# Values.


def test_what_a_run_has_published_last_is_read_also_after_a_restart(room):
    assert room.read("progress") == ValueRead(None, 0)
    room.complete(room.token(), c.PublishValue("1", "progress", data("1")))
    room.tick(1)
    room.complete(room.token(), c.PublishValue("2", "progress", data("2")))
    assert room.read("progress") == ValueRead(data("2"), T0 + S)
    room.restart()
    assert room.read("progress") == ValueRead(data("2"), T0 + S)
    assert room.read("other") == ValueRead(None, 0)


def test_a_value_of_a_run_that_is_not_open_is_looked_for_on_disk(room):
    room.complete(room.token(), c.PublishValue("1", "progress", data("1")), done())
    assert room.read("progress") == NotOpen("w", "")


def test_a_run_publishes_under_so_many_keys_and_no_more():
    room = Room(published_max=2)
    room.open()
    room.start()
    for key in ("a", "b", "a"):
        room.complete(room.token(), c.PublishValue("1", key, data()))
    refusal = room.complete(room.token(), step("1"), c.PublishValue("2", "c", data()))
    assert isinstance(refusal, LimitExceeded)
    assert room.kinds()[-1] == "ValuePublished", "nothing of a refused request is done"
    both = Room(published_max=1)
    both.open()
    both.start()
    refusal = both.complete(both.token(), *(c.PublishValue(key, key, data()) for key in ("1", "2")))
    assert isinstance(refusal, LimitExceeded)


# A promise with a limit.


@pytest.fixture
def bounded():
    room = Room()
    room.open()
    room.start()
    room.park(room.token(), c.CreatePromise("1", "approval", 2_000))
    return room


def test_a_promise_that_nobody_has_completed_in_time_is_over(bounded):
    token = bounded.promise_token()
    bounded.sleep(1.999)
    assert describe(bounded.engine.state, bounded.run()).pending[0].due_at == T0 + 2 * S
    bounded.sleep(0.001)
    assert bounded.last() == e.PromiseRejected(
        "1", Failure("PromiseTimeout", "nobody has completed promise 'approval' in time")
    )
    assert bounded.news() == [(1, 4, 4)]
    assert bounded.resolve(token).duplicate


def test_the_limit_of_a_promise_outlives_the_server(bounded):
    bounded.restart()
    bounded.sleep(2)
    assert isinstance(bounded.last(), e.PromiseRejected)


@pytest.mark.parametrize("end", ["completed", "dropped", "closed", "cancelled in the same tick"])
def test_a_promise_that_is_over_has_no_limit_any_more(bounded, end):
    if end == "completed":
        bounded.resolve(bounded.promise_token())
    elif end == "dropped":
        bounded.signal()
        bounded.complete(bounded.token(), c.CancelPending("1"))
    elif end == "closed":
        bounded.cancel(force=True)
    else:
        bounded.start("x", run_timeout_ms=2_000)
        bounded.complete(bounded.token("x"), c.CreatePromise("1", "approval", 2_000))
        bounded.tick(2)
        assert not bounded.is_open("x")
        assert bounded.kinds("x")[-1] == "RunFailed"
    bounded.sleep(5)
    rejected = [fact for fact in bounded.history() if isinstance(fact, e.PromiseRejected)]
    assert len(rejected) == (end == "cancelled in the same tick")
