"""One sentence for each thing that a run can wait for. That none is silent or wrong is checked after every input."""

import pytest

from aether.core import inputs as i
from aether.core.effects import NotOpen
from aether.core.engine import Engine
from aether.core.explain import REASONS_MAX, Explanation, explain, explain_end, span_text, time_text
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import UNREADABLE, Failure
from aether.model.policy import RetryPolicy
from aether.model.runs import RunState
from tests.unit.core.engine_room import BOOM, T0, Room, S, activity, child, data, done, step

GO = e.AwaitedSignal("1.2.1", "go")
AGAIN = RetryPolicy(initial_s=5, jitter=0, max_attempts=3)


@pytest.fixture
def room():
    return Room()


def why(room: Room, id: str = "w") -> str:  # noqa: A002
    told = room.ask(i.ExplainRun, id)
    assert isinstance(told, Explanation)
    assert told.state is room.run(id).state
    return told.sentence.removeprefix(f"workflow {id!r} ")


def reasons(room: Room) -> list[str]:
    return [reason.kind.value for reason in room.ask(i.ExplainRun, "w").reasons]


def at(seconds: float) -> str:
    return time_text(T0 + int(seconds * S))


def test_an_unknown_or_closed_id_is_not_open(room):
    assert room.ask(i.ExplainRun, "nobody") == NotOpen("nobody", "")
    room.open()
    run_id = room.start().run_id
    assert room.ask(i.ExplainRun, "w", run_id).run_id == run_id
    assert room.ask(i.ExplainRun, "w", "another") == NotOpen("w", "another")
    room.complete(room.token(), done())
    assert room.ask(i.ExplainRun, "w") == NotOpen("w", "")


def test_a_run_without_a_worker_says_which_type_is_missing_where(room):
    room.start()
    assert why(room) == "waits for a worker: no worker is connected that has workflow 'order' in task queue 'q'."
    assert reasons(room) == ["no_worker"]


def test_a_run_in_a_queue_says_its_place_and_who_is_busy(room):
    room.open(slots=1)
    for name in ("first", "second", "w"):
        room.start(name)
    assert why(room) == (
        "waits for a worker: it is number 2 of 2 for workflow 'order' in task queue 'q', "
        "and all 1 slots of the 1 worker that can do it are in use."
    )
    assert reasons(room) == ["queue"]


def test_a_run_for_which_only_workers_are_left_that_drain_says_so(room):
    room.open(slots=1)
    room.start("first")
    room.start()
    room.drain()
    assert why(room).endswith("and 1 worker that could do it will soon be gone.")
    room.open(2, slots=0)
    room.open(3, slots=0)
    assert why(room).endswith(
        "and all 0 slots of the 2 workers that can do it are in use and 1 worker that could do it will soon be gone."
    )


def test_a_run_that_lost_its_worker_says_so(room):
    room.open()
    room.start()
    room.close()
    assert why(room).startswith("waits for a worker since it was interrupted (its stream ended): no worker")


def test_a_run_at_work_says_at_whom(room):
    room.open()
    room.start()
    assert why(room) == "has been executed for 0 s by worker worker-1."
    room.now += 31 * S
    assert why(room) == "has been executed for 31 s by worker worker-1."
    room.now -= 31 * S
    room.complete(room.token(), c.StartTimer("1", 60_000))
    due = f"due at {at(60)} (in 1 min 0 s)"
    assert why(room) == f"has been executed for 0 s by worker worker-1, and waits for the timer at 1, {due}."
    assert reasons(room) == ["worker", "timer"]
    room.drain()
    assert why(room).startswith("has been executed for 0 s by worker worker-1, which is draining")


def test_a_paused_run_that_would_go_on_says_so_and_not_that_it_waits_for_a_signal(room):
    room.start()
    room.pause(reason="lunch")
    assert why(room) == "is ready to begin; it is paused (lunch) until somebody resumes it."
    room.resume()
    room.open()
    room.pause()
    room.complete(room.token(), c.StartTimer("1", 60_000))
    assert why(room) == (
        f"is ready to go on, and waits for the timer at 1, due at {at(60)} (in 1 min 0 s); "
        "it is paused until somebody resumes it."
    )
    assert reasons(room) == ["paused", "paused", "timer"]


def test_a_run_that_rests_at_its_worker_says_only_what_it_waits_for(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 60_000))
    assert why(room) == f"waits for the timer at 1, due at {at(60)} (in 1 min 0 s)."


def test_a_run_that_nothing_but_a_signal_can_wake_says_so(room):
    room.open()
    room.start()
    room.park(room.token())
    assert why(room) == "waits for a signal."
    room.signal()
    assert why(room) == "has been executed for 0 s by worker worker-1."


def test_a_run_names_the_signals_that_it_waits_for(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1.1.1", 60_000), awaits=(GO, e.AwaitedSignal("1.3.1", "stop")))
    assert why(room) == (
        "waits for signal 'go' at 1.2.1, signal 'stop' at 1.3.1, "
        f"and the timer at 1.1.1, due at {at(60)} (in 1 min 0 s)."
    )
    (go, *_) = explain(room.engine.state, room.run()).reasons
    assert (go.kind, go.name, go.path) == ("signal", "go", "1.2.1")
    room.signal()
    assert why(room).startswith("has been executed for 0 s by worker worker-1, and waits for the timer")
    room.park(room.token(), awaits=(e.AwaitedSignal("1.3.1", "stop"),))
    assert why(room).startswith("waits for signal 'stop' at 1.3.1, and the timer")


def test_a_run_names_the_signals_that_it_waits_for_after_a_restart_without_a_worker(room):
    room.open()
    room.start()
    room.park(room.token(), step("1"), awaits=(GO,))
    room.restart()
    assert why(room) == "waits for signal 'go' at 1.2.1."
    room.signal()
    assert "no worker is connected" in why(room)
    assert "signal" not in why(room)


def test_a_run_with_news_waits_for_a_slot_of_the_worker_that_has_it(room):
    room.open(slots=1)
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.start("other")
    room.sleep(2)
    assert why(room) == "has news and waits for a slot of worker worker-1, all 1 of which are in use."
    assert reasons(room) == ["slot"]


def test_a_blocked_run_names_both_sides(room):
    room.open()
    room.start()
    room.complete(room.token(), c.BlockRun(Failure("NonDeterminism", "history has step 'a', the code wants step 'b'")))
    assert "NonDeterminism: history has step 'a', the code wants step 'b'" in why(room)
    assert reasons(room) == ["blocked"]


def test_a_run_that_can_not_be_read_does_not_blame_its_code(room):
    room.open()
    room.start()
    room.complete(room.token(), c.BlockRun(Failure(UNREADABLE, "a file: the disk failed")))
    assert why(room) == (
        "is blocked, because its history can not be read from disk (a file: the disk failed); "
        "it is read again for a worker that comes later."
    )
    assert reasons(room) == ["blocked"]


def test_a_run_that_waited_for_signals_alone_does_not_claim_to_have_more_to_do_after_a_restart(room):
    room.open()
    room.start()
    room.park(room.token(), awaits=(GO,))
    assert why(room) == "waits for signal 'go' at 1.2.1."
    room.restart()
    assert why(room) == (
        "waits for a worker, which finds out whether its code has more to do or waited for a signal when the server "
        "was restarted: no worker is connected that has workflow 'order' in task queue 'q'."
    )
    assert reasons(room) == ["no_worker"]


def test_a_run_whose_child_can_not_be_read_says_so(room):
    room.open()
    room.start()
    room.park(room.token(), child("1"))
    room.engine.withhold("w/1", "another run of that id")
    assert why(room) == "waits for its child 'w/1' at 1, which is RUNNING."
    history = room.log.histories[room.run().key]
    engine = Engine(room.now, next_run_key=3)
    engine.adopt(room.log.opened[room.run().key], history)
    engine.withhold("w/1", room.run("w/1").run_id)
    engine.take_up(room.now)
    told = explain(engine.state, engine.state.open_ids["w"])
    assert told.sentence == (
        "workflow 'w' waits for its child 'w/1' at 1, which can not go on, because its history is damaged on disk."
    )


def test_a_run_that_is_not_due_says_when_it_is(room):
    room.start(start_delay_ms=90_000)
    assert why(room) == f"begins later: its start is due at {at(90)} (in 1 min 30 s)."


def test_a_run_that_was_asked_to_stop_says_until_when_it_may_clean_up(room):
    room.open()
    room.start()
    room.cancel()
    assert why(room) == (
        "has been executed for 0 s by worker worker-1; it was asked to stop (enough), cleans up, "
        f"and is ended at {at(300)} at the latest."
    )
    assert reasons(room) == ["cancelling", "worker"]
    other = Room()
    other.open()
    other.start()
    other.cancel(reason="")
    assert "it was asked to stop, cleans up" in why(other)


def test_a_step_says_when_it_is_tried_again_and_why(room):
    room.open()
    room.start()
    room.complete(room.token(), c.FailStep("1", "pack", BOOM, 1, AGAIN), blocked=True, known_seq=99)
    sentence = f"attempt 2 of step 'pack' at 1, due at {at(5)} (in 5 s), after ValueError: boom."
    assert why(room).endswith(f"waits for {sentence}")
    assert "retry" in reasons(room)


def test_a_promise_and_a_child_are_named(room):
    room.open()
    room.start()
    room.park(room.token(), c.CreatePromise("1", "answer"), child("2"))
    assert why(room) == (
        "waits for promise 'answer' at 1, which somebody outside keeps, and its child 'w/2' at 2, which is RUNNING."
    )
    room.complete(room.token(), c.CancelPending("2"))
    assert "its child 'w/2' at 2, which is RUNNING and was asked to stop" in why(room)


def test_an_activity_says_where_it_is(room):
    room.open(activities=())
    room.start()
    room.park(room.token(), activity("1", retry=AGAIN))
    assert why(room) == (
        "waits for attempt 1 of activity 'charge' at 1, which waits for a worker "
        "(no worker is connected that has activity 'charge' in task queue 'q')."
    )
    assert reasons(room) == ["no_worker"]
    room.open(2)
    assert why(room) == "waits for activity 'charge' at 1, whose attempt 1 runs at worker worker-2."
    room.complete(room.attempt(), c.FailActivity(Failure("Busy", "")))
    assert why(room) == f"waits for attempt 2 of activity 'charge' at 1, due at {at(5)} (in 5 s), after Busy."
    room.drain(2)
    room.sleep(6)
    assert why(room).endswith("and 1 worker that could do it will soon be gone), after Busy.")
    room.open(3)
    assert why(room).endswith("whose attempt 2 runs at worker worker-3, after Busy.")
    room.complete(room.token(), c.CancelPending("1"))
    room.drain(3)
    assert why(room).endswith("worker-3, which is draining, and was asked to stop, after Busy.")


def test_a_run_that_waits_for_much_names_some_of_it(room):
    room.open()
    room.start()
    timers = [c.StartTimer(str(number), 60_000) for number in range(1, 200)]
    room.park(room.token(), *timers)
    assert why(room).count("the timer at") == 5
    assert why(room).endswith(", and 194 more.")
    assert len(reasons(room)) == REASONS_MAX


def test_a_time_that_has_passed_is_due_since(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.now += 2 * S
    assert why(room) == f"waits for the timer at 1, due since {at(1)}."


def test_a_place_in_a_very_long_line_is_not_counted(room):
    room.open(slots=0)
    for number in range(10_001):
        room.engine.apply(i.StartRun("", "order", f"w{number}", f"r{number}", "q", data()), room.now)
    answer = room.engine.apply(i.ExplainRun("", "w7"), room.now).effects[0].answer
    assert "it is one of 10001 for workflow" in answer.sentence


@pytest.mark.parametrize(
    ("state", "fact", "how"),
    [
        (RunState.COMPLETED, e.RunCompleted(data()), ""),
        (RunState.FAILED, e.RunFailed(BOOM), " with ValueError: boom"),
        (RunState.CANCELLED, e.RunCancelled("enough"), ": enough"),
        (RunState.CANCELLED, e.RunCancelled(), ""),
    ],
)
def test_a_closed_run_says_how_it_ended(state, fact, how):
    told = explain_end("w", "r", state, T0, fact)
    assert told.sentence == f"workflow 'w' waits for nothing: it ended as {state.name} at {at(0)}{how}."
    assert [reason.kind for reason in told.reasons] == ["closed"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3_600, "1 h 0 min"), (90_000, "1 d 1 h"), (864_000, "10 d 0 h")],
)
def test_lengths_of_time_are_for_people(seconds, text):
    assert span_text(seconds * S + 999) == text
