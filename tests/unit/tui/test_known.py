"""What is remembered of looks at a server: rates, and what changed from one to the next."""

from attrs import evolve

from aether_tui.known import CLOSED, LOG_MAX, STARTED, Known, LogLine, Look
from aether_tui.ring import Ring
from tests.unit.tui.world import METRICS, NOW_US, ORDER, RUNS, ago, known, logged


def texts(seen):
    return [f"{line.state} {line.subject} {line.text}" for line in seen.log]


def later(seconds, **changes):
    return evolve(METRICS, at=ago(-seconds), samples=(), **changes)


def test_rates_come_of_counters_and_begin_with_what_the_server_has_kept():
    seen = known()
    assert seen.ring.rate(STARTED) == 148
    assert seen.ring.rate(CLOSED) == 157
    for second in range(1, 9):
        seen.take_look(Look(NOW_US + second * 1_000_000, later(second, runs_started=900_000 + 20 * second)))
    assert seen.ring.rate(STARTED) == 20
    assert seen.ring.rate(CLOSED) == 0


def test_a_server_that_was_started_anew_does_not_make_negative_rates():
    seen = known()
    seen.take_look(Look(NOW_US + 1, later(1, started_at=ago(0), runs_started=3)))
    seen.take_look(Look(NOW_US + 2, later(2, started_at=ago(0), runs_started=5)))
    assert min(seen.ring.curve(STARTED, 50)) >= 0
    assert "NEWS node-a the server was started anew" in texts(seen)


def test_what_changed_is_noted_once():
    seen = known()
    changed = later(1, storage_fault="the disk is full", workers=METRICS.workers[1:])
    for at_us in (NOW_US + 1, NOW_US + 2):
        seen.take_look(Look(at_us, changed, RUNS))
    assert texts(seen) == ["FAILED storage the disk is full", "CANCELLED wkr-7f3a worker left"]
    seen.take_look(Look(NOW_US + 3, later(2), RUNS))
    assert texts(seen)[2:] == ["COMPLETED storage can be written again", "NEWS wkr-7f3a worker registered"]


def test_events_are_lines_that_open_their_runs_until_others_are_wanted():
    seen = known()
    seen.note(NOW_US, "NEWS", "storage", "is there")
    retried = logged(
        "StepRetried", attempt=3, due_at=ago(-7), failure_type="ReadTimeout", message="10 s", worker_id="w"
    )
    for event in (
        retried,
        logged("ActivityStarted", name="", path="2.1"),
        logged("RunCancelled", name="", path="", message="not needed"),
        logged("StepCompleted", dropped=40),
        logged("SomethingNew", failure_type="Boom"),
    ):
        seen.take_event(event)
    assert [f"{line.state} {line.event} {line.text}" for line in seen.log][1:] == [
        "RETRYING StepRetried pack attempt 3, ReadTimeout: 10 s, due in 8.0s, on w",
        "RUNNING ActivityStarted at 2.1",
        "CANCELLED RunCancelled not needed",
        "NEWS dropped 40 left out: more happens than can be told",
        "COMPLETED StepCompleted pack",
        "NEWS SomethingNew pack Boom",
    ]
    assert (seen.log[1].run, seen.log[1].at_us) == (("order-0002", "c" * 32), NOW_US - 1_000_000)
    seen.forget_events()
    assert texts(seen) == ["NEWS storage is there"]
    assert seen.log.maxlen == LOG_MAX


def test_a_look_of_a_recording_brings_what_had_happened():
    seen = known()
    line = LogLine(9, NOW_US, "FAILED", "order-0002", "Boom", ORDER, "RunFailed")
    seen.take_look(Look(NOW_US + 1, later(1, workers=()), log=(line,)))
    assert [(each.number, each.event, each.run) for each in seen.log] == [(1, "RunFailed", ORDER)]


def test_a_lost_server_is_noted_when_it_goes_and_when_it_is_back():
    seen = known()
    seen.take_lost("connection refused", NOW_US + 5, NOW_US + 500)
    seen.take_lost("connection refused", NOW_US + 6, NOW_US + 900)
    assert seen.lost
    assert (seen.lost.since_us, seen.lost.retry_at_us) == (NOW_US + 5, NOW_US + 900)
    seen.take_look(Look(NOW_US + 7, METRICS, RUNS))
    assert seen.lost is None
    assert [text.partition(" ")[0] for text in texts(seen)] == ["FAILED", "COMPLETED"]


def test_times_are_compared_on_the_servers_clock():
    seen = Known("x")
    assert seen.server_time(7) == 7
    seen.take_look(Look(NOW_US - 3_600_000_000, METRICS))
    assert seen.server_time(NOW_US - 3_600_000_000 + 5) == NOW_US + 5


def test_the_log_is_bounded_and_a_copy_stands_still():
    seen = known()
    still = seen.copied()
    for number in range(LOG_MAX + 10):
        seen.note(number, "NEWS", "x", "y")
    assert (len(seen.log), len(still.log)) == (LOG_MAX, 0)
    assert seen.log[-1].number == LOG_MAX + 10


def test_a_ring_keeps_five_minutes_of_seconds_and_draws_them_on_any_width():
    ring = Ring()
    for second in range(1000):
        ring.add(second * 1_000_000, (second * 3,))
    for cells in (1, 7, 60, 300):
        assert {round(value, 6) for value in ring.curve(0, cells)} == {3.0}
    assert ring.curve(0, 0) == []
    assert (Ring().rate(0), Ring().curve(0, 3)) == (0, [0.0] * 3)


def test_a_ring_takes_no_stretch_twice():
    ring = Ring()
    ring.put(10, 20, (1.0,))
    ring.put(15, 25, (9.0,))
    ring.put(20, 20, (9.0,))
    ring.put(0, 10, (3.0,))
    ring.put(20, 30, (2.0,))
    assert ring.rate(0) == 2.0
