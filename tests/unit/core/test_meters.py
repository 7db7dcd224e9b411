"""What the engine counts."""

import pytest

from aether.core import inputs as i
from aether.core.meters import OTHER, Problem, RunMeter, Table
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import ABORTED, UNREADABLE, Failure
from aether.model.policy import RetryPolicy
from aether.model.runs import ParentClosePolicy
from aether.model.tracing import span_id
from tests.unit.core.engine_room import BOOM, T0, Room, S, activity, child, data, done, step


@pytest.fixture
def room():
    made = Room()
    made.engine.state.problems_to = "problems"
    return made


def meters(room):
    return room.engine.state.meters


def test_runs_are_counted_by_type_and_outcome_with_how_long_they_waited_and_lasted(room):
    room.start("a")
    room.now += S
    room.open()
    room.start("b")
    room.now += 2 * S
    room.complete(room.token("a"), done())
    room.complete(room.token("b"), c.FailRun(BOOM))
    room.start("c")
    room.cancel("c", force=True)
    row = meters(room).runs["order",]
    assert (row.started, row.completed, row.failed, row.cancelled, row.recovered) == (3, 1, 1, 1, 0)
    assert (row.start_lag.count, row.start_lag.total) == (3, S)
    durations = (row.completed_duration, row.failed_duration, row.cancelled_duration)
    assert [(each.count, each.total) for each in durations] == [(1, 3 * S), (1, 2 * S), (1, 0)]
    lengths = meters(room).history_length
    assert (lengths.count, lengths.total) == (3, 3 + 3 + 4)


def test_a_delayed_start_lags_from_when_it_was_due(room):
    room.open()
    room.start(start_delay_ms=5_000)
    room.sleep(5)
    row = meters(room).runs["order",]
    assert (row.start_lag.count, row.start_lag.total) == (1, 0)


def test_a_run_that_another_worker_takes_up_is_a_replay_and_not_a_start(room):
    room.open()
    room.start()
    room.close()
    room.open(2)
    row = meters(room).runs["order",]
    assert (row.started, row.recovered, row.evicted, row.start_lag.count) == (1, 1, 0, 1)
    assert meters(room).queues["q", "workflow"].expired == 1
    assert meters(room).replay_events == 2


def test_a_run_that_no_worker_has_in_memory_any_more_is_replayed_without_having_been_lost(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.close()
    room.open(2)
    room.sleep(2)
    row = meters(room).runs["order",]
    assert (row.recovered, row.evicted) == (0, 1)
    assert meters(room).queues["q", "workflow"].expired == 0
    assert meters(room).replay_events == 4


def test_a_run_that_wakes_up_waits_for_a_slot_as_one_that_begins_does(room):
    room.open(slots=1)
    room.start("a")
    room.park(room.token("a"), c.StartTimer("1", 1_000))
    room.start("b")
    waits = meters(room).queues["q", "workflow"]
    assert (waits.taken, waits.wait.total) == (2, 0)
    room.now += 2 * S
    room.tick()
    assert (waits.added, waits.taken) == (2, 2)
    room.now += 3 * S
    room.complete(room.token("b"), done())
    assert (waits.added, waits.taken, waits.wait.count) == (3, 3, 3)
    assert waits.wait.total == 3 * S


def test_a_run_that_wakes_up_and_finds_a_slot_has_not_waited(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.sleep(1)
    row = meters(room).queues["q", "workflow"]
    assert (row.added, row.taken, row.wait.count, row.wait.total) == (2, 2, 2, 0)


def test_a_run_that_moves_to_a_free_worker_has_waited_since_it_woke(room):
    room.open(slots=1)
    room.start("a")
    room.park(room.token("a"), c.StartTimer("1", 1_000))
    room.start("b")
    room.now += S
    room.tick()
    room.open(2)
    room.sleep(5)
    row = meters(room).queues["q", "workflow"]
    assert (row.taken, row.wait.count) == (3, 3)
    assert 0 < row.wait.total <= 5 * S


def test_how_long_a_run_takes_a_slot_is_told_each_time_it_gives_it_back(room):
    room.open()
    room.start()
    room.now += S
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.sleep(1)
    room.now += 2 * S
    room.complete(room.token(), done())
    busy = meters(room).runs["order",].busy
    assert (busy.count, busy.total) == (2, 3 * S)


def test_sizes_of_what_goes_in_and_out_are_told(room):
    room.open()
    room.start()
    given = meters(room).inputs.total
    room.complete(room.token(), activity("1"), c.RecordStep("2", "pack", data("12345")))
    assert (meters(room).inputs.count, meters(room).inputs.total) == (2, given + 1)
    room.complete(room.attempt("1"), c.CompleteActivity(data("123")))
    room.complete(room.token(), done("12"))
    assert (meters(room).outputs.count, meters(room).outputs.total) == (3, 10)


TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_what_is_part_of_a_trace_leads_to_it(room):
    room.open()
    room.start(traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    room.now += S
    room.complete(room.token(), c.RecordStep("1", "pack", data(), None, 1, room.now - 3_000))
    room.complete(room.token(), c.FailRun(BOOM))
    assert room.replies["problems"].trace_id == TRACE
    (exemplar,) = (meters(room).runs["order",].failed_duration.exemplars or {}).values()
    assert exemplar == (S, TRACE, room.now)
    (exemplar,) = (meters(room).steps["order", "pack"].duration.exemplars or {}).values()
    assert (exemplar.value, exemplar.trace_id) == (3_000, TRACE)


def test_without_a_trace_there_is_nothing_to_lead_to_unless_spans_are_told_of_all_runs(room):
    room.open()
    room.start("a")
    room.complete(room.token("a"), c.FailRun(BOOM))
    row = meters(room).runs["order",]
    assert (room.replies["problems"].trace_id, row.failed_duration.exemplars) == ("", None)
    meters(room).is_traced = True
    room.start("b")
    room.complete(room.token("b"), c.FailRun(BOOM))
    assert len(room.replies["problems"].trace_id) == 32
    assert row.failed_duration.exemplars


def test_steps_are_counted_by_type_and_name_with_how_long_they_took(room):
    room.open()
    room.start()
    room.now += S
    retry = RetryPolicy(initial_s=5, jitter=0, max_attempts=2)
    room.complete(
        room.token(),
        c.RecordStep("1", "pack", data(), None, 1, room.now - 3_000),
        step("2"),
        c.RecordStep("3", "send", None, BOOM),
        c.FailStep("4", "weigh", BOOM, 1, retry),
    )
    steps = meters(room).steps
    pack, send, weigh = steps["order", "pack"], steps["order", "send"], steps["order", "weigh"]
    assert (pack.completed, pack.duration.count, pack.duration.total) == (2, 1, 3_000)
    assert (send.failed, weigh.retried) == (1, 1)


def test_a_step_that_was_cancelled_has_not_failed_and_is_no_problem(room):
    room.open()
    room.start()
    room.complete(room.token(), c.RecordStep("1", "pack", None, ABORTED))
    row = meters(room).steps["order", "pack"]
    assert (row.completed, row.failed, row.cancelled) == (0, 0, 1)
    assert "problems" not in room.replies


def test_what_went_wrong_is_told_with_where_and_whether_it_is_tried_again(room):
    room.open()
    run_id = room.start().run_id
    room.complete(room.token(), c.FailStep("1", "pack", BOOM, 1, RetryPolicy(initial_s=5, jitter=0)))
    assert room.replies["problems"] == Problem(
        T0, "step", "w", run_id, "order", "pack", 1, T0 + 5 * S, "ValueError", "boom"
    )
    room.complete(room.token(), c.FailRun(Failure("ValueError", "long" * 100)))
    assert room.replies["problems"] == Problem(
        T0, "run", "w", run_id, "order", "order", 0, 0, "ValueError", "long" * 50
    )


def test_what_goes_wrong_again_is_the_same_problem_and_is_counted():
    first = Problem(T0, "step", "w", "r", "order", "pack", 1, T0 + S, "ValueError", "boom")
    second = Problem(T0 + S, "step", "w", "r", "order", "pack", 2, 0, "KeyError", "bang")
    assert first.subject == second.subject
    both = second.after(first)
    assert (both.attempt, both.failure_type, both.at) == (2, "KeyError", T0 + S)
    assert (both.count, both.first_at) == (2, T0)
    assert (first.after(both).count, first.after(both).first_at) == (3, T0)


def test_a_run_whose_code_does_not_fit_is_a_problem(room):
    room.open()
    room.start()
    room.complete(room.token(), c.BlockRun(BOOM))
    assert room.replies["problems"].kind == "blocked"
    assert meters(room).runs["order",].blocked == 1


def test_a_run_that_can_not_be_read_is_a_problem_and_no_misfit(room):
    room.open()
    room.start()
    room.complete(room.token(), c.BlockRun(Failure(UNREADABLE, "the disk failed")))
    assert room.replies["problems"].kind == "blocked"
    assert meters(room).runs["order",].blocked == 0


def test_activities_are_counted_by_type_and_outcome(room):
    room.open()
    room.start()
    once = RetryPolicy(max_attempts=1)
    twice = RetryPolicy(initial_s=5, jitter=0, max_attempts=2)
    paths = [activity("1"), activity("2", retry=once), activity("3", retry=twice), activity("4", "pack")]
    room.complete(room.token(), *paths)
    room.now += 2 * S
    room.complete(room.attempt("1"), c.CompleteActivity(data()))
    room.complete(room.attempt("2"), c.FailActivity(BOOM))
    assert room.replies["problems"].kind == "activity"
    room.complete(room.attempt("3"), c.FailActivity(BOOM))
    assert room.replies["problems"].next_at == room.now + 5 * S
    room.complete(room.token(), c.CancelPending("4"))
    row = meters(room).activities["charge",]
    assert (row.scheduled, row.started, row.completed, row.failed, row.retried, row.lost) == (3, 3, 1, 1, 1, 0)
    assert (row.duration.count, row.duration.total) == (1, 2 * S)
    assert meters(room).activities["pack",].cancelled == 1


def test_an_attempt_whose_worker_goes_away_is_lost(room):
    room.open(activities=())
    room.open(2, workflows=())
    room.start()
    room.complete(room.token(), activity("1"), activity("2", retry=RetryPolicy(max_attempts=1)))
    room.close(2)
    row = meters(room).activities["charge",]
    assert (row.retried, row.failed, row.lost) == (1, 1, 2)


def test_a_worker_that_falls_silent_is_counted_and_one_that_leaves_is_not(room):
    room.open()
    room.open(2)
    room.close(2)
    room.sleep(60)
    assert meters(room).workers_lost == 1


def test_queues_count_what_comes_and_what_is_taken_and_how_long_it_waited(room):
    room.start("a")
    room.start("b")
    room.now += 3 * S
    room.open(slots=1)
    assert (meters(room).queues["q", "workflow"].added, meters(room).queues["q", "workflow"].taken) == (2, 1)
    room.complete(room.token("a"), activity(retry=RetryPolicy(initial_s=5, jitter=0)))
    room.complete(room.attempt("1", "a"), c.FailActivity(BOOM))
    room.sleep(5)
    waits = meters(room).queues["q", "activity"].wait
    assert (waits.count, waits.total) == (2, 0)
    room.complete(room.token("a"), done())
    row = meters(room).queues["q", "workflow"]
    assert (row.added, row.taken, row.wait.count, row.wait.total) == (2, 2, 2, 11 * S)


def test_a_blocked_run_that_is_given_out_again_comes_and_is_taken_again(room):
    room.open()
    room.start()
    room.complete(room.token(), c.BlockRun(BOOM))
    room.open(2)
    row = meters(room).queues["q", "workflow"]
    assert (row.added, row.taken) == (2, 2)


def test_timers_and_signals_are_counted(room):
    room.open()
    room.start()
    room.park(room.token(), c.StartTimer("1", 1_000))
    room.signal()
    room.tick(3)
    assert (meters(room).timers_fired, meters(room).timer_lag.total) == (1, 2 * S)
    assert meters(room).runs["order",].signals == 1


def test_a_restarted_server_counts_anew_and_what_it_reads_back_is_not_counted(room):
    room.open()
    room.start()
    room.complete(room.token(), step())
    room.restart()
    assert not meters(room).runs
    assert not meters(room).steps


def test_names_without_end_share_a_row_when_there_are_too_many(room):
    table = Table(2, 2, RunMeter)
    for number in range(5):
        table["a", str(number)].started += 1
    table["a", "0"].started += 1
    assert {names: row.started for names, row in table.items()} == {
        ("a", "0"): 2,
        ("a", "1"): 1,
        (OTHER, OTHER): 3,
    }
    assert table.overflowed == 3
    made = Room(metric_series_max=1)
    made.start("a", "one")
    made.start("b", "two")
    assert set(meters(made).runs) == {("one",), (OTHER,)}
    assert meters(made).overflowed == 1
    assert made.ask(i.DescribeRun, "b").workflow_type == "two"


CALLER = f"00-{TRACE}-b7ad6b7169203331-01"


def test_an_attempt_is_given_its_own_span_in_the_trace_of_its_run(room):
    room.open()
    run_id = room.start(traceparent=CALLER).run_id
    room.complete(room.token(), activity("1"))
    assert room.attempts()[0].traceparent == f"00-{TRACE}-{span_id(run_id, '1', 1)}-01"


def test_without_a_trace_an_attempt_is_given_none(room):
    room.open()
    room.start()
    room.complete(room.token(), activity("1"))
    assert room.attempts()[0].traceparent == ""


def test_a_child_is_part_of_the_trace_of_its_parent_unless_it_goes_on_for_itself(room):
    room.open(workflows=("order", "ship"))
    parent = room.start(traceparent=CALLER)
    room.complete(room.token(), child("1", id="joins"), child("2", id="apart", policy=ParentClosePolicy.ABANDON))
    assert room.run("joins").traceparent == f"00-{TRACE}-{span_id(parent.run_id, '1')}-01"
    assert room.run("apart").traceparent == ""


def test_a_signal_keeps_what_its_sender_was_doing(room):
    room.open()
    room.start()
    room.ask(i.SignalRun, "w", "", "go", data(), "", CALLER)
    received = [fact for fact in room.history() if isinstance(fact, e.SignalReceived)]
    assert [fact.traceparent for fact in received] == [CALLER]
