"""Claims about the audit of histories: each way in which rows and events can disagree is told, and nothing else."""

import attrs
import pytest

from aether.model import events as e
from aether.model.payload import Failure, Payload
from aether.server.audit import Audit
from aether.store.interface import Batch, EventRow, RunRow
from aether.store.memory import MemoryStore
from aether.wire.convert import KINDS, encode_event

T0 = 1_795_000_000_000_000
VALUE = Payload(b"1")
CREATED = e.RunCreated("w", "r", "order", "default", VALUE, tags=(("a", "b"),))
DONE = (CREATED, e.RunStarted("worker", 1), e.StepCompleted("1", "pay", VALUE), e.RunCompleted(VALUE))


def row(**changes):
    made = RunRow(1, "w", "r", "order", "default", 3, None, T0 + 1, T0 + 4, (("a", "b"),))
    return attrs.evolve(made, **changes)


def log(*facts):
    events = [e.Event(seq, T0 + seq, fact) for seq, fact in enumerate(facts, 1)]
    return [EventRow(1, event.seq, event.at, KINDS[type(event.fact)], encode_event(event)) for event in events]


def audit(run, events):
    store = MemoryStore()
    store.open()
    store.commit([Batch(runs=[run], events=events)])
    made = Audit(store.reader())
    return list(made.faults()), made


def test_a_story_that_fits_has_no_faults_and_is_counted():
    faults, made = audit(row(), log(*DONE))
    assert faults == []
    assert (made.runs, made.events) == (1, 4)
    assert audit(row(state=2, closed_at=None), log(*DONE[:2]))[0] == []
    assert audit(row(state=1, closed_at=None), log(*DONE[:1]))[0] == []
    assert audit(row(state=4, error="Boom"), log(*DONE[:3], e.RunFailed(Failure("Boom", ""))))[0] == []


@pytest.mark.parametrize(
    ("run", "events", "fault"),
    [
        (row(state=4), log(*DONE), "run 1: it is stored as 4, and its history leads to 3 (COMPLETED)"),
        (row(error="Boom"), log(*DONE), "run 1: it is stored as failed of 'Boom', and by its history '' is right"),
        (
            row(state=4, error="Bang"),
            log(*DONE[:3], e.RunFailed(Failure("StepFailed", "", causes=(Failure("Boom", ""),)))),
            "run 1: it is stored as failed of 'Bang', and by its history 'Boom' is right",
        ),
        (row(closed_at=None), log(*DONE), "run 1: it is open and has 1 ends"),
        (row(state=2), log(*DONE[:3]), "run 1: it is closed and has 0 ends"),
        (row(closed_at=T0 + 9), log(*DONE), "run 1: it is closed, and not by its last event"),
        (row(), log(*DONE, e.CancelRequested("")), "run 1: it is closed, and not by its last event"),
        (row(), [], "run 1: it has no events"),
        (row(workflow_id="x"), log(*DONE), "event 1 of run 1: it started a run of another name than this"),
        (row(tags=()), log(*DONE), "event 1 of run 1: it started a run of another name than this"),
        (row(), log(*DONE[1:]), "event 1 of run 1: a history has its start at its beginning, and only there"),
        (row(), log(CREATED, *DONE), "event 2 of run 1: a history has its start at its beginning, and only there"),
        (row(), log(CREATED, e.TimerFired("7")), "event 2 of run 1 can not follow those before it"),
        (row(), log(*DONE, DONE[-1]), "event 5 of run 1 can not follow those before it"),
        (row(), [*log(CREATED), EventRow(1, 2, T0, 2, b"\xff")], "event 2 of run 1 can not be understood: "),
        (row(), [*log(CREATED), EventRow(1, 2, T0, 2, b"")], "event 2 of run 1 can not be understood: "),
        (
            row(),
            [event._replace(at=1) for event in log(*DONE)],
            "event 1 of run 1: its number, time or kind is not that of its row",
        ),
    ],
)
def test_what_does_not_fit_is_told(run, events, fault):
    faults, _ = audit(run, events)
    assert any(found.startswith(fault) for found in faults), faults


def test_counts_that_do_not_fit_are_told():
    store = MemoryStore()
    store.open()
    store.commit([Batch(runs=[row()], events=log(*DONE))])
    reader = store.reader()
    reader.counts = lambda: {("order", 3): 3, ("bill", 1): 1}  # type: ignore[method-assign]
    assert list(Audit(reader).faults()) == [
        "runs of type 'bill' in state 1: the count is off by 1",
        "runs of type 'order' in state 3: the count is off by 2",
    ]
