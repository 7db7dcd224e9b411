from aether.core.effects import EventRecorded, Reply, RunChanged, RunOpened
from aether.core.run import Run
from aether.core.sessions import Tokens
from aether.core.state import State
from aether.core.timers import TimerWheel
from aether.model import events as e
from aether.model.limits import DEFAULT_LIMITS
from aether.model.payload import Payload
from aether.model.runs import RunState

GO = e.AwaitedSignal("1", "go")


def state() -> State:
    return State(DEFAULT_LIMITS, Tokens(1), TimerWheel(0), 2, 77)


def test_a_run_that_is_opened_is_found_by_its_id_and_recorded():
    made = state()
    run = Run(1, "w", "r", "order", "q", None, 77)
    made.open_run(run)
    assert made.open_ids["w"] is made.runs[1] is run
    assert made.counters.runs_started == 1
    assert made.take_decision().records == [RunOpened(1, "w", "r", "order", "q", None, 77)]


def test_a_fact_is_folded_and_recorded_at_the_present_with_the_next_seq():
    made = state()
    run = Run(1, "w", "r", "order", "q", None, 77)
    created, started = e.RunCreated("w", "r", "order", "q", Payload(b"")), e.RunStarted("worker-1", 1)
    assert [made.record(run, created), made.record(run, started, (GO,))] == [1, 2]
    assert run.attempts == 1
    assert made.counters.events == 2
    assert made.take_decision().records == [
        EventRecorded(1, e.Event(1, 77, created)),
        EventRecorded(1, e.Event(2, 77, started, parked=True, awaits=(GO,))),
        RunChanged(1, "order", RunState.PENDING, RunState.RUNNING, None),
    ]


def test_the_last_fact_of_a_run_tells_when_it_was_closed():
    made = state()
    run = Run(1, "w", "r", "order", "q", None, 77)
    made.record(run, e.RunCancelled())
    assert made.take_decision().records[-1] == RunChanged(1, "order", RunState.PENDING, RunState.CANCELLED, 77)


def test_a_decision_is_taken_once():
    made = state()
    made.reply("me", "answer")
    assert made.take_decision().effects == [Reply("me", "answer")]
    assert made.take_decision().effects == []
