"""The numbers of the last minute and of the last hour."""

import pytest

from aether.core.effects import RunOpened
from aether.core.engine import Engine
from aether.core.inputs import StartRun
from aether.core.meters import Problem
from aether.model.payload import Payload
from aether.server.metrics import Metrics
from aether.server.writer import WriterStats

S = 1_000_000
T0 = 1_700_000_000 * S


class Clockwork:
    """An engine whose decisions are marked as the loop does it."""

    def __init__(self) -> None:
        self.engine = Engine(T0)
        self.metrics = Metrics(self.engine.state, 50)
        self.started = 0

    def start(self, at: int, count: int = 1) -> None:
        now = T0 + at * S
        if now >= self.metrics.mark_at:
            self.metrics.mark(now)
        self.metrics.decided_at = now
        for _ in range(count):
            self.started += 1
            name = str(self.started)
            decision = self.engine.apply(StartRun(None, "t", name, name, "q", Payload(b"")), now)
            assert isinstance(decision.records[0], RunOpened)

    def last_minute(self, at: int) -> int:
        return self.metrics.last_minute(T0 + at * S).counts["started"]


@pytest.fixture
def clockwork():
    return Clockwork()


def test_the_last_minute_forgets_what_is_older(clockwork):
    for at in range(0, 200, 5):
        clockwork.start(at)
    # Twelve starts a minute; a mark may be up to ten seconds too old.
    assert 12 <= clockwork.last_minute(199) <= 14


def test_a_burst_is_forgotten_though_nothing_happened_since(clockwork):
    clockwork.start(0, 100)
    clockwork.start(3, 100)
    assert clockwork.last_minute(4) == 200
    assert clockwork.last_minute(1_000) == 0
    clockwork.start(1_000, 7)
    assert clockwork.last_minute(1_001) == 7


def test_the_last_hour_is_in_spans_that_add_up_and_show_when_nothing_happened(clockwork):
    for at in (0, 5, 10, 15, 20):
        clockwork.start(at)
    clockwork.start(2_000, 50)
    spans = list(clockwork.metrics.last_hour(T0 + 2_001 * S))
    assert sum(span.counts["started"] for span in spans) == clockwork.started
    assert [span.span_us > 0 for span in spans] == [True] * len(spans)
    quiet = max(spans, key=lambda span: span.span_us)
    assert (quiet.counts["started"], quiet.span_us) == (0, 1_980 * S)
    assert spans[-1].counts["open_runs"] == clockwork.started
    later = list(clockwork.metrics.last_hour(T0 + 5_000 * S))
    assert sum(span.counts["started"] for span in later) == 50


def test_a_server_that_has_done_nothing_shows_nothing(clockwork):
    assert list(clockwork.metrics.last_hour(T0 + S)) == []
    assert clockwork.last_minute(1) == 0


def test_marks_are_bounded(clockwork):
    for at in range(0, 40_000, 11):
        clockwork.start(at)
    assert len(clockwork.metrics._marks) == 720


def test_problems_are_bounded_and_the_newest_comes_first(clockwork):
    for number in range(60):
        clockwork.engine.state.problems_to(Problem(number, "run", "w", f"r{number}", "t", "t", 0, 0, "Boom", "secret"))
    assert [problem.at for problem in clockwork.metrics.problems] == list(range(59, 9, -1))


def test_a_step_that_is_tried_for_hours_is_one_problem_with_a_count(clockwork):
    tell = clockwork.engine.state.problems_to
    tell(Problem(1, "run", "other", "s", "t", "t", 0, 0, "Boom", ""))
    for number in range(2, 1002):
        tell(Problem(number, "step", "w", "r", "t", "pack", number, 9, "Boom", f"at {number}"))
        tell(Problem(number, "activity", "w", "r", "t", "pack", number, 9, "Boom", ""))
    told = [(each.kind, each.at, each.count, each.first_at) for each in clockwork.metrics.problems]
    assert told == [("activity", 1001, 1000, 2), ("step", 1001, 1000, 2), ("run", 1, 1, 0)]


def test_a_run_that_fails_is_a_line_in_the_log_without_what_the_failure_says(clockwork, caplog):
    caplog.set_level("DEBUG", "aether.server")
    clockwork.engine.state.problems_to(Problem(1, "run", "w", "r", "t", "t", 0, 0, "Boom", "secret"))
    clockwork.engine.state.problems_to(Problem(1, "step", "w", "r", "t", "pack", 2, 5, "Boom", "secret"))
    assert [(record.message, record.levelname) for record in caplog.records] == [
        ("run_failed", "WARNING"),
        ("attempt_failed", "WARNING"),
    ]
    ids = {"workflow_id": "w", "run_id": "r", "workflow_type": "t", "failure": "Boom"}
    attempt = {"kind": "step", "name": "pack", "attempt": 2, "again_in_s": 0.0}
    assert [record.fields for record in caplog.records] == [ids, ids | attempt]


def test_what_a_failure_says_is_logged_if_somebody_asked_for_it_and_its_trace_if_it_has_one(clockwork, caplog):
    clockwork.metrics.logs_payloads = True
    problem = Problem(1, "run", "w", "r", "t", "t", 0, 0, "Boom", "secret", trace_id="a" * 32)
    clockwork.engine.state.problems_to(problem)
    (record,) = caplog.records
    assert (record.fields["message"], record.fields["trace_id"]) == ("secret", "a" * 32)


def test_of_many_attempts_that_fail_some_are_logged_and_a_run_that_fails_is_not_lost_among_them(clockwork, caplog):
    for number in range(1, 100):
        problem = Problem(number, "step", "w", "r", "t", "pack", number, 0, "Boom", "secret")
        clockwork.engine.state.problems_to(problem)
    clockwork.engine.state.problems_to(Problem(100, "run", "w", "r", "t", "t", 0, 0, "Boom", "secret"))
    assert len(caplog.records) == 21
    clockwork.engine.state.problems_to(Problem(20_000_000, "step", "w", "r", "t", "pack", 1, 0, "Boom", "secret"))
    assert caplog.records[-1].fields["left_out"] == 79


def test_the_writer_tells_how_long_commits_take_and_how_much_is_in_one():
    stats = WriterStats()
    for number in range(1, 101):
        stats.note(number, number, 100, number / 1000)
    assert (stats.commit_us.count, stats.commit_us.total, stats.batches.count) == (100, 5_050_000, 100)
