"""Each thing that must hold is missed when it does not."""

from collections.abc import Callable
from typing import Any

import pytest

from aether.core.invariants import check
from aether.core.run import Activity, ActivityState, Child, Promise, Run, Timer
from aether.core.sessions import Lease
from aether.core.state import State
from aether.model import commands as c
from aether.model.payload import Failure
from aether.model.runs import RunState, TaskKind
from tests.unit.core.engine_room import BOOM, Room, activity, child

Damage = Callable[[State], object]
STRANGER = Run(99, "stranger", "r", "order", "q", None, 0)
KEY = ("q", TaskKind.WORKFLOW, "order", ())


@pytest.fixture
def state() -> State:
    """Runs `lazy` (idle), `busy` (in hand), `asleep` (waking), `stuck` (blocked), `parked`, `queued` and `early`."""
    room = Room()
    room.open(1, workflows=("old",), activities=())
    room.start("stuck", kind="old")
    room.complete(room.token("stuck"), c.BlockRun(BOOM))
    room.open(2, slots=2, activity_slots=1)
    for name in ("lazy", "asleep"):
        room.start(name)
    room.complete(room.token("lazy"), activity("1", heartbeat_s=60), activity("2"), child("3", "none"))
    room.park(room.token("lazy"), c.StartTimer("4", 60_000))
    room.park(room.token("asleep"), c.StartTimer("1", 1_000), c.StartTimer("2", 90_000))
    room.start("parked")
    token = room.token("parked")
    room.complete(token, activity("1", "nobody", schedule_to_close_s=90), blocked=True, known_seq=2, release=True)
    for name in ("busy", "busy2", "queued"):
        room.start(name)
    room.start("early", start_delay_ms=60_000)
    room.tick(1)
    room.await_result("me", "busy")
    found = room.engine.state
    assert lease_of(found, "lazy").is_idle
    assert lease_of(found, "asleep").is_waking
    assert found.open_ids["queued"].queued
    check(found)
    return found


def lease_of(state: State, name: str) -> Lease:
    lease = state.open_ids[name].lease
    assert lease is not None
    return lease


def attempt(state: State) -> Activity:
    found = state.open_ids["lazy"].pending["1"]
    assert isinstance(found, Activity)
    return found


def waiting(state: State) -> Activity:
    found = state.open_ids["lazy"].pending["2"]
    assert isinstance(found, Activity)
    return found


def test_a_child_that_is_damaged_on_disk_is_waited_for(state: State) -> None:
    kid(state).workflow_id = "damaged"
    with pytest.raises(AssertionError, match="waits for child damaged, which is not open"):
        check(state)
    state.withheld["damaged"] = kid(state).run_id
    check(state)


def kid(state: State) -> Child:
    found = state.open_ids["lazy"].pending["3"]
    assert isinstance(found, Child)
    return found


def session(state: State):
    return state.sessions[2]


def put(thing: object, **values: object) -> None:
    for name, value in values.items():
        setattr(thing, name, value)


def unqueue(state: State, name: str) -> None:
    state.queues.remove(KEY, state.open_ids[name])  # type: ignore[arg-type]


def forget_what_it_waits_for(run: Run) -> None:
    run.pending.clear()
    run.rest_seq = 0


def make_attempt_idle(state: State) -> None:
    put(attempt(state).lease, is_idle=True)
    session(state).used[TaskKind.ACTIVITY] = 0


def wake_without_slot(state: State) -> None:
    put(lease_of(state, "asleep"), is_idle=False)
    session(state).used[TaskKind.WORKFLOW] = 3


def give_a_dead_lease(state: State) -> None:
    put(waiting(state), state=ActivityState.STARTED, lease=Lease(1, session(state), STRANGER))


def bring_a_later_worker(state: State) -> None:
    """The blocked run was blocked by a session before the one that has its type."""
    put(state.open_ids["stuck"], blocked_by=0)
    for line in state.blocked.values():
        line[0] = line.pop(1)


DAMAGES: list[tuple[str, Damage]] = [
    ("wait for its slots alone", lambda s: put(session(s), is_watched=False)),
    ("waiters counted", lambda s: put(s, waiter_count=5)),
    ("records that no decision took", lambda s: put(s, records=[None])),
    ("effects that no decision took", lambda s: put(s, effects=[None])),
    # Names.
    ("is filed under", lambda s: put(s.open_ids["queued"], key=1_000)),
    ("can not be found by its id", lambda s: s.open_ids.pop("busy")),
    ("is closed and still there", lambda s: put(s.open_ids["busy"], state=RunState.FAILED)),
    ("ids without a run", lambda s: s.open_ids.update(ghost=s.open_ids["busy"])),
    ("fewer than no runs", lambda s: put(s.counters, runs_closed=-1)),
    (
        "too many closed ids",
        lambda s: s.recently_closed.update(dict.fromkeys(map(str, range(10_001)), ("r", RunState.FAILED, None))),
    ),
    ("that was not closed", lambda s: s.recently_closed.update(w=("r", RunState.RUNNING, None))),
    ("a run without an event", lambda s: put(s.counters, runs_started=10_000)),
    # Sessions.
    ("is filed under another id", lambda s: s.sessions.update({7: session(s)})),
    ("files lease", lambda s: session(s).leases.update({7: lease_of(s, "busy")})),
    ("has a lease of another session", lambda s: put(lease_of(s, "busy"), session=s.sessions[1])),
    ("that is over", lambda s: s.leases.pop(lease_of(s, "busy").token)),
    ("WORKFLOW slots", lambda s: session(s).used.update({TaskKind.WORKFLOW: 1})),
    ("ACTIVITY slots", lambda s: session(s).used.update({TaskKind.ACTIVITY: -1})),
    ("which it does not have", lambda s: session(s).waking.update({7: lease_of(s, "busy")})),
    ("which does not know", lambda s: put(lease_of(s, "asleep"), is_waking=False)),
    ("drains, and runs wait", lambda s: put(session(s), draining=True)),
    ("nobody told its runs", lambda s: session(s).slots.update({TaskKind.WORKFLOW: 5})),
    # Leases.
    ("was not drawn", lambda s: put(s, tokens=type(s.tokens)(0))),
    ("belongs to a session that is over", lambda s: s.sessions.pop(2)),
    ("is not known to its session", lambda s: put(session(s), leases={}, waking={}, used=dict.fromkeys(TaskKind, 0))),
    ("is of a run that is closed", lambda s: put(lease_of(s, "busy"), run=STRANGER)),
    ("waits for a slot in no line", lambda s: session(s).waking.clear()),
    ("is not known to its activity", lambda s: put(attempt(s), lease=None)),
    ("of an attempt is idle", make_attempt_idle),
    ("is not known to its run", lambda s: put(s.open_ids["busy"], lease=None)),
    ("knows events that there are not", lambda s: put(lease_of(s, "lazy"), known_seq=1_000)),
    ("nothing will ever wake it", lambda s: forget_what_it_waits_for(s.open_ids["lazy"])),
    ("is awake and waits", wake_without_slot),
    ("was not sent events after", lambda s: put(lease_of(s, "busy"), known_seq=1, pushed_seq=1)),
    # Runs.
    ("is in several places", lambda s: put(s.open_ids["busy"], blocked=BOOM)),
    ("is stuck", lambda s: forget_what_it_waits_for(s.open_ids["parked"])),
    ("run run-.* has a lease that is over", lambda s: put(s.open_ids["parked"], lease=Lease(1, session(s), STRANGER))),
    ("would count as lost", lambda s: put(s.open_ids["busy"], interrupted="it was lost")),
    ("is RUNNING at 0", lambda s: put(s.open_ids["busy"], attempts=0)),
    ("waits for too much", lambda s: s.open_ids["lazy"].pending.update({str(n): kid(s) for n in range(20_000)})),
    ("has priority 6", lambda s: put(s.open_ids["busy"], priority=6)),
    ("too many signals", lambda s: put(s.open_ids["busy"], signal_ids=dict.fromkeys(map(str, range(10_001))))),
    ("shows too much", lambda s: put(s.open_ids["busy"], published=dict.fromkeys(map(str, range(101))))),
    ("that it does not know", lambda s: s.open_ids["busy"].pending.update({"1": Promise("1", "approval")})),
    ("several places", lambda s: put(s.open_ids["early"], queued=7)),
    ("files 4 under", lambda s: s.open_ids["lazy"].pending.update({"9": s.open_ids["lazy"].pending["4"]})),
    ("which is not open", lambda s: put(kid(s), workflow_id="nobody")),
    ("waits for another run", lambda s: put(kid(s), run_id="another")),
    ("a child of somebody else", lambda s: put(s.open_ids["lazy/3"], parent_path="8")),
    ("a child that was not told", lambda s: put(kid(s), cancel_requested=True)),
    # Activities.
    ("belongs to another run", lambda s: put(attempt(s), run=s.open_ids["busy"])),
    ("is with nobody", lambda s: put(waiting(s), state=ActivityState.STARTED)),
    ("activity 2 .* has a lease that is over", give_a_dead_lease),
    ("is queued and with a worker", lambda s: put(attempt(s), queued=5)),
    ("and it is not over", lambda s: put(waiting(s), cancel_requested=True)),
    ("is scheduled and in no queue", lambda s: put(waiting(s), queued=0)),
    ("for the first time after 3", lambda s: put(waiting(s), attempt=3)),
    ("had 9 attempts of 2", lambda s: put(attempt(s), attempt=9, retry=type(attempt(s).retry)(max_attempts=2))),
    # Lines.
    ("sessions are not filed", lambda s: s.takers.pop(KEY)),  # type: ignore[call-overload]
    ("takes tasks and is over", lambda s: s.takers[KEY].update({2: s.sessions[1]})),  # type: ignore[index]
    ("queues and runs do not agree", lambda s: s.queues._lines.pop(KEY)),  # type: ignore[call-overload]
    ("queued twice", lambda s: s.queues._lines[KEY].append(s.queues._lines[KEY][0])),  # type: ignore[index]
    ("in the wrong line", lambda s: put(s.open_ids["queued"], workflow_type="ship")),
    ("has a slot for them", lambda s: session(s).slots.update({TaskKind.ACTIVITY: 5})),
    # Blocked.
    ("without a session", lambda s: s.blocked.update({KEY: {}})),  # type: ignore[dict-item]
    ("without a run", lambda s: s.blocked.update({KEY: {1: {}}})),  # type: ignore[dict-item]
    ("are not filed", lambda s: s.blocked.clear()),
    ("can not be found", lambda s: s.blocked["q", TaskKind.WORKFLOW, "old", ()][1].update({1: s.open_ids["busy"]})),  # type: ignore[index]
    ("may have the code", bring_a_later_worker),
    # Timers.
    ("armed for nothing or not armed", lambda s: s.timers.cancel(("session", 1, ""))),
    ("armed for nothing or not armed", lambda s: s.timers.arm(("timer", 99, "1"), 5)),
    ("armed for nothing or not armed", lambda s: put(s.open_ids["busy"], cancel_requested=True)),
    ("armed for nothing or not armed", lambda s: put(s.open_ids["busy"], expires_at=5)),
    ("armed for nothing or not armed", lambda s: s.timers.cancel(("start", s.open_ids["early"].key, ""))),
    ("is due at", lambda s: put(s.open_ids["early"], start_at=5)),
    ("is due at", lambda s: put(s.open_ids["asleep"].pending["2"], fire_at=5)),
    ("do not agree", lambda s: put(s.timers, next_due=lambda: None)),
    ("before the wheel wants", lambda s: put(s.timers, next_due=lambda: 2**62)),
]  # fmt: skip


@pytest.mark.parametrize(("complaint", "damage"), DAMAGES, ids=[complaint for complaint, _ in DAMAGES])
def test_what_must_hold_is_missed_when_it_does_not(state, complaint, damage):
    damage(state)
    with pytest.raises(AssertionError, match=complaint):
        check(state)


def test_a_healthy_state_is_left_as_it_is(state):
    before = [(run.key, run.last_seq, dict(run.pending)) for run in state.runs.values()]
    check(state)
    assert before == [(run.key, run.last_seq, dict(run.pending)) for run in state.runs.values()]


def test_an_empty_state_is_healthy():
    check(Room().engine.state)


def test_every_kind_of_deadline_is_known():
    room = Room()
    room.open()
    room.start()
    bounds: dict[str, Any] = {
        "schedule_to_start_s": 5,
        "schedule_to_close_s": 9,
        "start_to_close_s": 6,
        "heartbeat_s": 3,
    }
    room.complete(room.token(), activity("1", **bounds), activity("2", "nobody", **bounds), c.StartTimer("3", 5))
    room.complete(room.attempt("1"), c.FailActivity(Failure("E", "")))
    assert isinstance(room.run().pending["3"], Timer)
    check(room.engine.state)
    assert len(room.engine.state.timers) == 1 + 1 + 2 + 2
