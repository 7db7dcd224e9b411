"""All that the engine knows, and the few ways in which it is changed.

The modules of rules (`lifecycle`, `dispatch`, `activity`, `commands`, `sessions`) are functions over a `State`. They
change durable things only through `record`, and the world only through `effects`.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field

from aether.core.effects import Decision, Effect, EventRecorded, Record, Reply, RunChanged, RunOpened
from aether.core.gates import Gate
from aether.core.meters import Meters, Problem
from aether.core.queues import QueueKey, TaskQueues
from aether.core.run import Run, fold
from aether.core.sessions import Lease, Session, Tokens
from aether.core.timers import TimerWheel
from aether.model.events import AwaitedSignal, Event, Fact, RunFailed
from aether.model.limits import Limits
from aether.model.payload import Payload, error_name
from aether.model.runs import RunState

# What a timer of the wheel is for: a tuple that begins with the name of its rule in `engine.py`.
TimerKey = tuple[str, int, str]
# The signals for which a run waits that has nothing to do before it hears from the server.
Rest = tuple[AwaitedSignal, ...]


@define(eq=False)
class Counters:
    """Since the server started."""

    runs_started: int = 0
    runs_closed: int = 0
    events: int = 0


@define(eq=False)
class State:
    limits: Limits
    tokens: Tokens
    timers: TimerWheel[TimerKey]
    next_run_key: int
    now: int
    meters: Meters = field(init=False)
    # To whom problems go, as answers that wait for what they rest on; None: to nobody.
    problems_to: object = None
    runs: dict[int, Run] = field(factory=dict)
    open_ids: dict[str, Run] = field(factory=dict)
    leases: dict[int, Lease] = field(factory=dict)
    sessions: dict[int, Session] = field(factory=dict)
    # Which sessions take a kind of task, the one that was served longest ago first.
    takers: dict[QueueKey, dict[int, Session]] = field(factory=dict)
    queues: TaskQueues = field(factory=TaskQueues)
    # By task queue, of those that are paused or have a limit; and those that have opened during this input.
    gates: dict[str, Gate] = field(factory=dict)
    opened_gates: list[Gate] = field(factory=list)
    # Runs whose code did not fit, by the line in which they would wait and by the session that had that code.
    blocked: dict[QueueKey, dict[int, dict[int, Run]]] = field(factory=dict)
    # Ids of runs that are open and can not be served, because their history is damaged: with their run ids.
    withheld: dict[str, str] = field(factory=dict)
    waiter_count: int = 0
    # Ids whose run was closed a moment ago, which it was, how, and its result if that is small.
    recently_closed: OrderedDict[str, tuple[str, RunState, Payload | None]] = field(factory=OrderedDict)
    # Counted requests that ended their lease, with their answers, for a repetition: token -> (number, answer).
    answered: OrderedDict[int, tuple[int, object]] = field(factory=OrderedDict)
    counters: Counters = field(factory=Counters)
    records: list[Record] = field(factory=list)
    effects: list[Effect] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.meters = Meters(self.limits.metric_series_max)

    def remember_closed(self, run: Run, result: Payload | None) -> None:
        self.recently_closed.pop(run.workflow_id, None)
        kept = result if result is not None and len(result.data) <= self.limits.kept_max else None
        self.recently_closed[run.workflow_id] = (run.run_id, run.state, kept)
        if len(self.recently_closed) > self.limits.recently_closed_max:
            self.recently_closed.popitem(last=False)

    def take_decision(self) -> Decision:
        decision = Decision(self.records, self.effects)
        self.records = []
        self.effects = []
        return decision

    def open_run(self, run: Run, tags: tuple[tuple[str, str], ...] = ()) -> None:
        self.runs[run.key] = run
        self.open_ids[run.workflow_id] = run
        self.records.append(
            RunOpened(
                run.key,
                run.workflow_id,
                run.run_id,
                run.workflow_type,
                run.task_queue,
                run.parent_key,
                run.created_at,
                tags,
            )
        )
        self.counters.runs_started += 1

    def record(self, run: Run, fact: Fact, rest: Rest | None = None) -> int:
        """Append a fact to the run's history, after which it rests if `rest` is given; its seq."""
        at = self.now
        event = Event(run.last_seq + 1, at, fact) if rest is None else Event(run.last_seq + 1, at, fact, True, rest)
        before = run.state
        problem = self.meters.note(run, fact, self.now)
        if problem is not None:
            self.tell(problem)
        fold(run, event)
        self.records.append(EventRecorded(run.key, event))
        self.counters.events += 1
        if run.state is not before:
            closed_at = self.now if run.state.is_closed else None
            error = error_name(fact.failure) if isinstance(fact, RunFailed) else ""
            self.records.append(RunChanged(run.key, run.workflow_type, before, run.state, closed_at, error))
        return event.seq

    def tell(self, problem: Problem) -> None:
        """Something went wrong in a run."""
        if self.problems_to is not None:
            self.effects.append(Reply(self.problems_to, problem))

    def reply(self, to: object, answer: object) -> None:
        self.effects.append(Reply(to, answer))
