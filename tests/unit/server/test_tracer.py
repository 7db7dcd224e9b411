"""What of the log becomes spans, and what becomes of them when nobody takes them."""

import gzip
import json
from typing import Any

import pytest
import trio

from aether.core.engine import Engine
from aether.model import events as e
from aether.model.payload import Payload
from aether.server import tracer as tracers
from aether.server.archive import Archive
from aether.server.clock import Clock
from aether.server.engine_loop import EngineLoop
from aether.server.histories import Histories
from aether.server.tally import Tally
from aether.server.trace_stats import TraceStats
from aether.server.tracer import MARK, Tracer
from aether.server.writer import DirectWriter
from aether.store.interface import Batch, EventRow, RunRow, StoreFailed
from aether.store.memory import MemoryStore
from aether.wire.convert import KINDS, encode_event
from tests.integration.collector import Collector

NOTHING = Payload(b"")


def row(key: int, seq: int, fact: e.Fact) -> EventRow:
    return EventRow(key, seq, 1_000 * seq, KINDS[type(fact)], encode_event(e.Event(seq, 1_000 * seq, fact)))


def stored(runs: int = 1, steps: int = 3) -> MemoryStore:
    """Each run has RunCreated and so many steps; all of one run before all of the next."""
    store = MemoryStore()
    store.open()
    for key in range(1, runs + 1):
        facts: list[e.Fact] = [e.RunCreated(f"w{key}", f"r{key}", "order", "q", NOTHING)]
        facts += [e.StepCompleted(str(number), f"step-{number}", NOTHING) for number in range(1, steps + 1)]
        events = [row(key, seq, fact) for seq, fact in enumerate(facts, start=1)]
        store.commit([Batch([RunRow(key, f"w{key}", f"r{key}", "order", "q", 2, None, 1, None)], [], events)])
    return store


def made(store: MemoryStore, endpoint: str = "http://127.0.0.1:9") -> Tracer:
    clock = Clock()
    loop = EngineLoop(Engine(clock.now()), clock, Histories(1_000), Tally({}))
    writer = DirectWriter(store, loop.on_durable)
    loop.attach(writer)
    return Tracer(loop, Archive(store), writer, endpoint, "node", TraceStats())


def within(script) -> Any:
    async def main() -> Any:
        return await script()

    return trio.run(main)


def names(body: bytes) -> list[str]:
    (resource,) = json.loads(gzip.decompress(body))["resourceSpans"]
    return [span["name"] for span in resource["scopeSpans"][0]["spans"]]


def page(store: MemoryStore, position: int):
    async def script():
        return made(store)._page(position, store.reader())

    return within(script)


def test_what_is_behind_the_position_becomes_spans():
    read = page(stored(), 1)
    assert (names(read.body), read.spans, read.position, read.behind) == (
        ["step step-1", "step step-2", "step step-3"],
        3,
        4,
        0,
    )
    assert page(stored(), 4).spans == 0


def test_a_run_whose_beginning_was_told_by_an_earlier_server_is_known_from_its_history():
    read = page(stored(), 3)
    assert names(read.body) == ["step step-3"]


def test_a_run_that_was_removed_since_is_told_nothing_of():
    store = stored(runs=2)
    del store.logs[1]
    assert len(names(page(store, 2).body)) == 3


def test_a_page_is_bounded_and_the_next_goes_on_behind_it(monkeypatch):
    monkeypatch.setattr(tracers, "_PAGE_IN_MEMORY", 2)
    store = stored()

    async def script():
        tracer = made(store)
        first = tracer._page(0, store.reader())
        return first, tracer._page(first.position, store.reader())

    first, second = within(script)
    assert (first.position, first.behind, second.position, second.behind) == (2, 2, 4, 0)
    assert names(second.body) == ["step step-2", "step step-3"]


def test_when_too_much_waits_the_oldest_is_dropped_and_that_is_counted(monkeypatch):
    monkeypatch.setattr(tracers, "BEHIND_MAX", 6)
    read = page(stored(runs=3), 0)
    assert read.dropped == 9
    assert names(read.body) == ["step step-1", "step step-2", "step step-3"]


def test_what_is_known_of_runs_is_bounded(monkeypatch):
    monkeypatch.setattr(tracers, "_RUNS_MAX", 2)
    store = stored(runs=5)

    async def script():
        tracer = made(store)
        tracer._page(0, store.reader())
        return tracer._runs

    assert list(within(script)) == [4, 5]


BAD = {
    "no message": b"\xff",
    "a fact of a later version": b"\x08\x02",
    "about what nobody has begun": encode_event(e.Event(2, 2_000, e.ActivityStarted("9", 1, "worker"))),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_row_that_cannot_be_read_is_told_once_and_left_behind(body, caplog):
    store = stored(runs=2)
    bad = store.logs[1][1]._replace(body=body)
    store.logs[1][1] = store.newest[1] = bad

    async def script():
        tracer = made(store)
        first = tracer._page(0, store.reader())
        store.commit([Batch([], [], [row(1, 5, e.StepCompleted("4", "step-4", NOTHING))])])
        return first, tracer._page(first.position, store.reader())

    first, second = within(script)
    assert (names(first.body), first.position) == (["step step-1", "step step-2", "step step-3"], 8)
    assert (second.spans, second.position) == (0, 9)
    assert [record.message for record in caplog.records] == ["trace_unreadable"]


def test_a_disk_that_cannot_be_read_costs_no_row(monkeypatch):
    def broken(*_):
        raise StoreFailed("input/output error", where="disk", advice="")

    monkeypatch.setattr(tracers, "_known", broken)
    with pytest.raises(StoreFailed):
        page(stored(), 2)


def told(store: MemoryStore, collector: Collector) -> TraceStats:
    """Runs a tracer until all was taken, and that was noted."""

    async def script():
        tracer = made(store, collector.url)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tracer.run)
            while store.notes[MARK] < store.position:  # noqa: ASYNC110 - nobody is told
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        return tracer._stats

    return within(script)


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(tracers, "_PAUSES_S", (0.01, 0.02))
    monkeypatch.setattr(tracers, "_GATHER_S", 0.01)


def test_what_was_taken_is_noted_and_what_the_collector_does_not_want_is_not_sent_again(no_pauses):
    store = stored()
    store.remember(MARK, 1)
    with Collector(answers=(400,)) as collector:
        stats = told(store, collector)
    assert (stats.sent, stats.refused, stats.failures, store.notes[MARK]) == (0, 3, 0, 4)


def test_a_collector_that_asks_to_wait_gets_it_later(no_pauses):
    store = stored()
    store.remember(MARK, 1)
    with Collector(answers=(503, 429)) as collector:
        stats = told(store, collector)
    assert (stats.sent, stats.failures, len(collector.seen)) == (3, 2, 3)


def test_a_collector_that_does_not_answer_is_given_up_and_asked_again(no_pauses, monkeypatch):
    monkeypatch.setattr(tracers, "_POST_S", 0.2)
    store = stored()
    store.remember(MARK, 1)
    with Collector(answers=(0,)) as collector:
        stats = told(store, collector)
    assert (stats.sent, stats.failures) == (3, 1)


def test_what_a_dead_collector_was_not_given_is_counted_as_waiting_until_it_is_taken(no_pauses):
    store = stored()
    store.remember(MARK, 1)

    async def script():
        with Collector() as once:
            port = once.port
        tracer = made(store, f"http://127.0.0.1:{port}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tracer.run)
            while not tracer._stats.failures:  # noqa: ASYNC110 - nobody is told
                await trio.sleep(0.01)
            waiting = tracer._stats.behind
            with Collector(port=port):
                while tracer._stats.behind:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        return waiting, tracer._stats.sent

    assert within(script) == (3, 3)


def test_the_first_server_that_sends_spans_begins_with_what_happens_now():
    store = stored()

    async def script():
        return await made(store)._begin()

    assert within(script) == 4
    assert store.notes[MARK] == 4
    store.remember(MARK, 99)
    assert within(script) == 4
