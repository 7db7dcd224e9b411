"""Claims about what a new server takes up: all that is open, in the state that its events lead to, damage left out."""

import gc
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from aether.core.effects import Decision, EventRecorded, QueueSet
from aether.core.engine import Engine
from aether.core.run import INERT_FACTS, fold
from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS
from aether.server import recovery as module
from aether.server.queue_settings import row_of
from aether.server.recovery import Recovery
from aether.store.interface import Batch, EventRow, Reader, RunChange, RunRow, SettingRow, StoreDamaged
from aether.store.memory import MemoryStore
from aether.store.sqlite import SqliteStore
from aether.wire.convert import KINDS, decode_event, encode_event
from tests.unit.core.engine_room import durable, empty_run

T0 = 1_795_000_000_000_000
VALUE = Payload(b"1")
STEP = e.StepCompleted("1", "pay", VALUE)
ACTIVITY = e.ActivityScheduled("2", "charge", "q", VALUE, DEFAULT_RETRY, NO_TIMEOUTS)


def events_of(key: int, *facts: e.Fact | tuple[e.Fact, bool]) -> list[e.Event]:
    """A history; what stands beside True parked the run."""
    created = e.RunCreated(f"w-{key}", f"r-{key}", "order", "q", VALUE, tags=(("a", "b"),))
    pairs = [fact if isinstance(fact, tuple) else (fact, False) for fact in (created, e.RunStarted("x", 1), *facts)]
    return [e.Event(seq, T0 + seq, fact, parked) for seq, (fact, parked) in enumerate(pairs, 1)]


def fill(store: MemoryStore | SqliteStore, histories: dict[int, list[e.Event]]) -> None:
    store.open()
    runs = [RunRow(key, f"w-{key}", f"r-{key}", "order", "q", 2, None, T0, None) for key in histories]
    rows = [
        EventRow(key, event.seq, event.at, KINDS[type(event.fact)], encode_event(event))
        for key, events in histories.items()
        for event in events
    ]
    store.commit([Batch(runs=runs, events=rows)])


def taken_up(reader: Reader) -> tuple[Engine, Recovery, Decision]:
    engine = Engine(T0 + 1_000_000, epoch=2, next_run_key=100)
    recovery = Recovery()
    recovery.read(engine, reader)
    return engine, recovery, engine.take_up(T0 + 1_000_000)


HISTORIES = {
    1: events_of(1),
    2: events_of(2, STEP, STEP, STEP),
    3: events_of(3, STEP, (STEP, True)),
    4: events_of(4, (STEP, True), STEP),
    5: events_of(5, ACTIVITY, (STEP, True), e.ActivityStarted("2", 1, "x")),
    6: events_of(6, ACTIVITY, STEP, e.ActivityStarted("2", 1, "x"), e.ActivityCompleted("2", 1, VALUE), STEP),
    7: events_of(7, e.SignalReceived("go", VALUE, "s-1"), STEP, (e.TimerStarted("3", T0 + 10**12), True)),
    8: events_of(8, e.StepFailed("1", "pay", Failure("Boom", ""), 1), e.ValuePublished("4", "k", VALUE), STEP),
}


def test_every_run_is_as_its_events_make_it_though_not_all_are_decoded(monkeypatch: pytest.MonkeyPatch):
    store = MemoryStore()
    fill(store, HISTORIES)
    decoded = []
    monkeypatch.setattr(module, "decode_event", lambda body: decoded.append(1) or decode_event(body))
    engine, recovery, decision = taken_up(store.reader())
    assert (recovery.runs, recovery.events, recovery.damage) == (8, sum(map(len, HISTORIES.values())), {})
    for key, events in HISTORIES.items():
        expected = empty_run(module._opened(store.runs[key]))
        # Taking up records that attempts were cut off.
        new = [each.event for each in decision.records if isinstance(each, EventRecorded) and each.run_key == key]
        for event in (*events, *new):
            fold(expected, event)
        assert durable(engine.state.runs[key]) == durable(expected), key
    assert recovery.newest_at == T0 + max(map(len, HISTORIES.values()))
    skipped = recovery.events - len(decoded)
    assert skipped == 7, "steps that others follow are not decoded, but for one that only quiet facts follow"


def test_steps_are_what_is_not_decoded():
    assert {e.StepCompleted, e.StepFailed} <= set(INERT_FACTS)
    assert not set(INERT_FACTS) & {e.RunCreated, e.TimerStarted, e.ActivityCompleted, e.ActivityStarted}


@pytest.fixture
def path(tmp_path: Path) -> str:
    store = SqliteStore(str(tmp_path / "a.db"))
    fill(store, {key: events_of(key, STEP, STEP) for key in range(1, 8)})
    store.close()
    return store.location


@pytest.mark.parametrize("key", [1, 4, 7])
@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ("UPDATE runs SET type = 'x' WHERE key = ?", "run {} is not what was written"),
        ("UPDATE log SET body = x'00' WHERE run_key = ? AND seq = 1", "event 1 of run {} is not what was written"),
        ("UPDATE log SET body = x'00' WHERE run_key = ? AND seq = 4", "event 4 of run {} is not what was written"),
        ("DELETE FROM log WHERE run_key = ? AND seq = 2", "event 2 of run {} is missing"),
        ("DELETE FROM log WHERE run_key = ?", "run {} has no events"),
    ],
)
def test_a_damaged_run_is_left_out_and_told_and_all_others_go_on(path: str, key: int, edit: str, words: str):
    connection = apsw.Connection(path)
    connection.execute(edit, (key,))
    connection.close()
    reader = SqliteStore(path).reader()
    engine, recovery, _ = taken_up(reader)
    reader.close()
    assert sorted(engine.state.runs) == [each for each in range(1, 8) if each != key]
    assert list(recovery.damage) == [key]
    assert engine.state.withheld == {f"w-{key}": f"r-{key}"}
    assert words.format(key) in recovery.damage[key]


def test_a_run_of_which_events_are_hidden_does_not_go_on_in_its_middle(path: str):
    engine = Engine(T0 + 1_000_000, epoch=2, next_run_key=100)
    recovery = Recovery(found={3: "of 9 events of run 3 only 4 can be found", 99: "of a closed run"})
    reader = SqliteStore(path).reader()
    recovery.read(engine, reader)
    reader.close()
    assert recovery.damage == {3: "of 9 events of run 3 only 4 can be found"}
    assert sorted(engine.state.runs) == [1, 2, 4, 5, 6, 7]
    assert engine.state.withheld == {"w-3": "r-3"}


def test_a_damaged_file_is_no_damaged_run(monkeypatch: pytest.MonkeyPatch):
    def broken() -> Iterator[EventRow]:
        raise StoreDamaged("the file is damaged", where="a file", advice="restore")
        yield

    store = MemoryStore()
    fill(store, HISTORIES)
    reader = store.reader()
    monkeypatch.setattr(reader, "open_events", broken)
    with pytest.raises(StoreDamaged, match="the file is damaged"):
        taken_up(reader)


def test_a_parent_hears_of_the_end_of_a_child_that_came_while_it_could_not_be_read():
    store = MemoryStore()
    child = e.ChildStarted("2", "w-2", "r-2", "order")
    unknown = e.ChildStarted("3", "w-9", "r-9", "order")
    fill(store, {1: events_of(1, (child, True), (unknown, True)), 2: events_of(2, e.RunCompleted(VALUE))})
    store.commit([Batch(changes=[RunChange(2, 3, T0 + 9)])])
    engine, _, decision = taken_up(store.reader())
    news = [record.event.fact for record in decision.records if isinstance(record, EventRecorded)]
    assert news == [e.ChildCompleted("2", VALUE)]
    assert list(engine.state.runs) == [1]


@pytest.mark.parametrize(
    "edit", ["UPDATE runs SET type = 'x' WHERE key = 2", "UPDATE log SET body = x'00' WHERE run_key = 2 AND seq = 3"]
)
def test_a_child_whose_end_can_not_be_read_keeps_nobody_from_being_served(tmp_path: Path, edit: str):
    store = SqliteStore(str(tmp_path / "aether.db"))
    child = e.ChildStarted("2", "w-2", "r-2", "order")
    fill(store, {1: events_of(1, (child, True)), 2: events_of(2, e.RunCompleted(VALUE))})
    store.commit([Batch(changes=[RunChange(2, 3, T0 + 9)])])
    store.close()
    connection = apsw.Connection(store.location)
    connection.execute(edit)
    connection.close()
    reader = SqliteStore(store.location).reader()
    engine, _, decision = taken_up(reader)
    reader.close()
    assert list(engine.state.runs) == [1]
    assert [record for record in decision.records if isinstance(record, EventRecorded)] == []


def test_task_queues_are_as_they_were_set_and_a_damaged_setting_is_told(path: str):
    store = SqliteStore(path)
    store.open()
    settings = [QueueSet("a", True, "deploy", 0), QueueSet("b", False, "", 3), QueueSet("c", True, "", 1)]
    store.commit([Batch(settings=[row_of(each) for each in settings])])
    store.close()
    connection = apsw.Connection(path)
    connection.execute("UPDATE settings SET value = x'00' WHERE name = 'queue/b'")
    connection.close()
    assert list(store.check()) == ["setting 'queue/b' is not what was written (checksum); it counts as not set"]
    reader = SqliteStore(path).reader()
    engine, recovery, _ = taken_up(reader)
    reader.close()
    gates = engine.state.gates
    assert {name: (gate.paused, gate.reason, gate.limit) for name, gate in gates.items()} == {
        "a": (True, "deploy", 0),
        "c": (True, "", 1),
    }
    assert [fault.partition(": ")[2] for fault in recovery.unset] == [
        "setting 'queue/b' is not what was written (checksum); it counts as not set; set it again"
    ]


def test_settings_of_a_damaged_file_are_no_damaged_setting(monkeypatch: pytest.MonkeyPatch):
    class Broken:
        fault = StoreDamaged("the file is damaged", where="a file", advice="restore")

        def __iter__(self) -> "Broken":
            return self

        def __next__(self) -> SettingRow:
            raise self.fault

    store = MemoryStore()
    fill(store, HISTORIES)
    reader = store.reader()
    monkeypatch.setattr(reader, "settings", Broken)
    with pytest.raises(StoreDamaged, match="the file is damaged"):
        taken_up(reader)


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_of_garbage_is_as_it_was(monkeypatch: pytest.MonkeyPatch, is_on: bool):
    def broken() -> Iterator[EventRow]:
        assert not gc.isenabled()
        raise StoreDamaged("the file is damaged", where="a file", advice="restore")
        yield

    store = MemoryStore()
    fill(store, HISTORIES)
    reader = store.reader()
    monkeypatch.setattr(reader, "open_events", broken)
    (gc.enable if is_on else gc.disable)()
    try:
        with pytest.raises(StoreDamaged):
            taken_up(reader)
        assert gc.isenabled() is is_on
    finally:
        gc.enable()
