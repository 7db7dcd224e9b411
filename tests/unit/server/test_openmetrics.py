"""What Prometheus reads, judged by its own parser."""

from collections import Counter

import pytest
import trio
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from aether.core import inputs as i
from aether.core.engine import Engine
from aether.core.histograms import Histogram
from aether.core.meters import Meters
from aether.core.views import Detail
from aether.model import commands as c
from aether.model.payload import Failure, Payload
from aether.server.census import Census
from aether.server.clock import Clock
from aether.server.engine_loop import EngineLoop
from aether.server.histories import Histories
from aether.server.metric_families import _activities, _runs, _steps, families
from aether.server.metrics_report import MetricsReport
from aether.server.openmetrics import Exposition, Family
from aether.server.readiness import Readiness
from aether.server.tally import Tally
from aether.server.tiers import Tier
from aether.server.traffic import Traffic
from aether.server.writer import DirectWriter
from aether.store.memory import MemoryStore

HOSTILE = 'a"b\\c\nd {x="1"} # \u2028 é'


def written(rows, *, openmetrics=True):
    return "".join(Exposition().pieces(rows, openmetrics=openmetrics))


def samples(text, parse=parse_openmetrics):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


async def _everything() -> str:
    clock = Clock()
    engine = Engine(clock.now())
    loop = EngineLoop(engine, clock, Histories(1_000), Tally({("order", 3): 7}))
    writer = DirectWriter(MemoryStore(), loop.on_durable)
    loop.attach(writer)
    engine.apply(i.OpenSession(1, "w1", "q", (HOSTILE,), ("charge",), 10, 10), clock.now())
    for number in range(3):
        engine.apply(i.StartRun(None, HOSTILE, f"id-{number}", f"run-{number}", "q", Payload(b"")), clock.now())
    tokens = list(engine.state.leases)
    step = c.RecordStep("1", "pack", Payload(b""), None, 1, clock.now() - 3_000)
    engine.apply(i.Complete(None, tokens[0], (step, c.CompleteRun(Payload(b"")))), clock.now())
    engine.apply(i.Complete(None, tokens[1], (c.FailRun(Failure("Boom", "secret-text")),)), clock.now())
    engine.apply(i.Complete(None, tokens[2], (c.ScheduleActivity("1", "charge", "q", Payload(b"")),)), clock.now())
    engine.apply(i.StartRun(None, "nobody-has-it", "id-9", "run-9", "other", Payload(b"")), clock.now())
    traffic = Traffic()
    traffic.call_ended("/aether.v1.ClientService/StartWorkflow", 0, trio.current_time())
    traffic.call_ended("/grpc.health.v1.Health/Check", 5, None)
    traffic.call_ended("", 12, None)
    traffic.call_ended("/aether.v1.ClientService/StartWorkflow", 99, None)
    report = MetricsReport(loop, Readiness(loop, writer, Tier("memory")), Census(engine.state), "node", traffic)
    return written(families(report, Counter({Detail.RUNNING: 1}), "memory"))


def test_all_metrics_are_read_by_prometheus_and_hold_what_happened():
    text = trio.run(_everything)
    found = samples(text)
    kind = (("workflow_type", HOSTILE),)
    assert found["aether_workflows_started_total", kind] == 3
    for outcome, count in (("completed", 1), ("failed", 1), ("cancelled", 0)):
        assert found["aether_workflows_completed_total", (("outcome", outcome), *kind)] == count
    assert found["aether_step_duration_seconds_sum", (("step", "pack"), *kind)] >= 0.003
    assert found["aether_workflows", (("state", "completed"),)] == 7
    assert found["aether_workflows_open", (("detail", "running"),)] == 1
    assert found["aether_queue_depth", (("kind", "workflow"), ("queue", "other"))] == 1
    assert found["aether_worker_slots", (("kind", "activity"), ("queue", "q"), ("state", "used"))] == 1
    assert found["aether_ready", ()] == 1
    assert found["aether_workflow_duration_seconds_count", (("outcome", "completed"), *kind)] == 1
    assert ("aether_workflow_duration_seconds_count", (("outcome", "cancelled"), *kind)) not in found
    assert found["aether_payload_size_bytes_count", (("kind", "input"),)] == 5
    assert found["aether_history_length_events_count", ()] == 2
    assert found["aether_api_requests_total", (("code", "OK"), ("method", "StartWorkflow"))] == 1
    assert found["aether_api_requests_total", (("code", "unknown"), ("method", "StartWorkflow"))] == 1
    assert found["aether_api_requests_total", (("code", "UNIMPLEMENTED"), ("method", "unknown"))] == 1
    assert found["aether_api_requests_total", (("code", "NOT_FOUND"), ("method", "grpc.health.v1.Health/Check"))] == 1
    assert found["aether_api_request_duration_seconds_count", (("method", "StartWorkflow"),)] == 1
    assert found["aether_log_messages_total", (("level", "debug"),)] >= 0
    assert found["process_start_time_seconds", ()] > 1_000_000_000
    assert found["process_virtual_memory_bytes", ()] > found["process_resident_memory_bytes", ()]
    assert found["process_resident_memory_bytes", ()] > 1_000_000


def test_no_id_and_no_text_of_an_error_is_in_the_metrics():
    text = trio.run(_everything)
    for secret in ("id-1", "run-1", "w1", "secret-text", "Boom"):
        assert secret not in text


def test_every_name_has_the_form_that_prometheus_asks_for():
    for family in parse_openmetrics(trio.run(_everything)):
        assert family.name.startswith(("aether_", "process_", "python_"))
        assert family.documentation
        if family.unit:
            assert family.name.endswith(f"_{family.unit}")


@pytest.mark.parametrize("openmetrics", [True, False])
def test_both_formats_tell_the_same(openmetrics):
    histogram = Histogram((1_000, 2_000_000))
    for value in (500, 1_000, 1_500_000, 9_000_000):
        histogram.observe(value)
    rows = [
        (Family("jobs", "counter", "Jobs.", ("kind",)), [((HOSTILE,), 3)]),
        (Family("wait_seconds", "histogram", "Waits.", unit="seconds", scale=1_000_000), [((), histogram)]),
        (Family("depth", "gauge", "Depth."), [((), 0.5)]),
    ]
    text = written(rows, openmetrics=openmetrics)
    found = samples(text, parse_openmetrics if openmetrics else parse_text)
    assert found["aether_jobs_total", (("kind", HOSTILE),)] == 3
    assert found["aether_wait_seconds_bucket", (("le", "0.001"),)] == 2
    assert found["aether_wait_seconds_bucket", (("le", "2.0"),)] == 3
    assert found["aether_wait_seconds_bucket", (("le", "+Inf"),)] == 4
    assert found["aether_wait_seconds_count", ()] == 4
    assert found["aether_wait_seconds_sum", ()] == 10.5015
    assert found["aether_depth", ()] == 0.5
    assert text.endswith("# EOF\n") == openmetrics


def test_many_series_are_written_in_pieces_and_a_second_time_from_what_was_kept():
    histogram = Histogram()
    family = Family("wait_seconds", "histogram", "Waits.", ("step",), "seconds", 1_000_000)
    exposition = Exposition()

    def pieces() -> list[str]:
        rows = [((f"step-{number}",), histogram) for number in range(500)]
        return list(exposition.pieces([(family, rows)], openmetrics=True))

    first = pieces()
    assert len(first) > 5
    assert max(piece.count("\n") for piece in first) < 1_100
    again = pieces()
    assert "".join(again) == "".join(first)
    assert len(again) == 1
    histogram.observe(7)
    assert len(pieces()) == len(first)
    assert len(next(iter(parse_openmetrics("".join(first)))).samples) == 500 * 21


def test_an_exemplar_leads_from_a_bucket_to_a_trace_where_the_format_has_a_place_for_it():
    histogram = Histogram((1_000, 2_000_000))
    for value in (500, 1_500_000):
        histogram.observe(value)
    histogram.trace(1_500_000, "a" * 32, 1_700_000_000_123_456)
    family = Family("wait_seconds", "histogram", "Waits.", ("step",), unit="seconds", scale=1_000_000)
    rows = [(family, [(("other",), Histogram((1_000, 2_000_000))), (("pack",), histogram)])]
    (read,) = parse_openmetrics(written(rows))
    (sample,) = [each for each in read.samples if each.exemplar]
    assert sample.labels == {"step": "pack", "le": "2.0"}
    assert (sample.value, sample.exemplar.labels) == (2, {"trace_id": "a" * 32})
    assert (sample.exemplar.value, float(sample.exemplar.timestamp)) == (1.5, 1_700_000_000.123)
    assert "# {" not in written(rows, openmetrics=False)


def test_a_scrape_of_200_names_leaves_the_loop_a_turn_after_every_thousand_lines():
    # All types, steps and queues that are told apart, each with all its outcomes. A piece is made in one go: its lines
    # are what the loop is kept for, at most a thousand and those of the histogram that went beyond.
    meters = Meters(200)

    def observe() -> None:
        for number in range(200):
            run = meters.runs[f"type-{number}",]
            for histogram in (run.start_lag, run.busy, run.completed_duration, run.failed_duration):
                histogram.observe(number * 1_000)
            for step in range(5):
                meters.steps[f"type-{number}", f"step-{step}"].duration.observe(number * 100)
            meters.activities[f"activity-{number}",].duration.observe(number)
            meters.queues[f"queue-{number}", "workflow"].wait.observe(number)

    exposition = Exposition()
    lines = []
    for _ in range(2):
        observe()
        pieces = exposition.pieces([*_runs(meters), *_steps(meters), *_activities(meters)], openmetrics=True)
        lines = [len([line for line in piece.splitlines() if not line.startswith("#")]) for piece in pieces]
        assert max(lines) < 1_050
    assert sum(lines) > 10_000


def test_what_is_kept_is_told_until_something_is_observed_and_each_format_as_its_own():
    histogram = Histogram((1_000,))
    family = Family("wait_seconds", "histogram", "Waits.", unit="seconds", scale=1_000_000)
    exposition = Exposition()

    def count(*, openmetrics: bool) -> object:
        text = "".join(exposition.pieces([(family, [((), histogram)])], openmetrics=openmetrics))
        return samples(text, parse_openmetrics if openmetrics else parse_text)["aether_wait_seconds_count", ()]

    for seen in range(3):
        assert count(openmetrics=True) == count(openmetrics=False) == count(openmetrics=False) == seen
        histogram.observe(0)
        histogram.trace(0, "a" * 32, 1)


def test_what_is_kept_is_bounded():
    exposition = Exposition()
    family = Family("jobs", "counter", "Jobs.", ("kind",))
    for number in range(20_500):
        list(exposition.pieces([(family, [((str(number),), 1)])], openmetrics=True))
    assert len(exposition._rows) <= 20_000
