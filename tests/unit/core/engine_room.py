"""An engine with a clock that the test turns, which checks after each input all that must hold after any input."""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from attrs import evolve

from aether.core import inputs as i
from aether.core.effects import (
    CancelAttempt,
    Decision,
    EndSession,
    EventRecorded,
    QueueSet,
    Record,
    Recorded,
    Reply,
    Revoke,
    RunChanged,
    RunOpened,
    SendActivity,
    SendEvents,
)
from aether.core.engine import Engine
from aether.core.fork import plan
from aether.core.invariants import check
from aether.core.run import Activity, Child, Pending, Promise, Run, Timer, fold
from aether.core.timeline import Row, RowKind, RowState, Timeline
from aether.core.views import describe
from aether.model import commands as c
from aether.model import events as e
from aether.model.limits import DEFAULT_LIMITS, Limits
from aether.model.payload import Failure, Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS, ActivityTimeouts, ConcurrencyLimit, RetryPolicy
from aether.model.runs import Labels, ParentClosePolicy
from tests.unit.core.explained import check_explanation

S = 1_000_000
T0 = 1_700_000_000 * S
CLOSING = (e.RunCompleted, e.RunFailed, e.RunCancelled)
BOOM = Failure("ValueError", "boom")


def data(text: str = "") -> Payload:
    return Payload(text.encode())


def activity(
    path: str = "1",
    kind: str = "charge",
    *,
    queue: str = "",
    retry: RetryPolicy = DEFAULT_RETRY,
    labels: Labels = (),
    limit: ConcurrencyLimit | None = None,
    **timeouts: Any,
) -> c.ScheduleActivity:
    bounds = ActivityTimeouts(**timeouts) if timeouts else NO_TIMEOUTS
    return c.ScheduleActivity(path, kind, queue, data(path), retry, bounds, labels, limit)


def child(
    path: str = "1",
    kind: str = "ship",
    *,
    id: str = "",  # noqa: A002
    queue: str = "",
    policy: ParentClosePolicy = ParentClosePolicy.CANCEL,
    labels: Labels = (),
    limit: ConcurrencyLimit | None = None,
) -> c.StartChild:
    return c.StartChild(path, kind, id, queue, data(path), policy, labels, limit)


def step(path: str = "1", name: str = "pack") -> c.RecordStep:
    return c.RecordStep(path, name, data(name))


def done(text: str = "") -> c.CompleteRun:
    return c.CompleteRun(data(text))


def durable(run: Run) -> tuple[object, ...]:
    """What of a run must survive a restart."""
    return (
        (run.key, run.workflow_id, run.run_id, run.workflow_type, run.task_queue, run.parent_key, run.created_at),
        (run.parent_workflow_id, run.parent_path, run.state, run.input_digest, run.last_seq, run.attempts),
        (run.cancel_requested, run.cancel_reason, run.parked, run.paused, run.pause_reason),
        (run.start_at, run.expires_at, run.priority, run.tags, run.memo, run.labels, run.concurrency, run.traceparent),
        (run.published, run.signal_ids, run.promises),
        [_durable(pending) for pending in run.pending.values()],
    )


def _durable(pending: Pending) -> tuple[object, ...]:
    if isinstance(pending, Timer):
        return ("timer", pending.path, pending.fire_at, pending.step_name, pending.attempt, pending.last_failure)
    if isinstance(pending, Promise):
        return "promise", pending.path, pending.name, pending.expires_at
    if isinstance(pending, Child):
        return ("child", pending.path, pending.workflow_id, pending.run_id, pending.policy, pending.cancel_requested)
    return (
        ("activity", pending.path, pending.activity_type, pending.task_queue, pending.input, pending.retry),
        (pending.timeouts, pending.scheduled_at, pending.state, pending.attempt, pending.next_at),
        (pending.heartbeat, pending.last_failure, pending.cancel_requested, pending.labels, pending.concurrency),
    )


def compare_rows(run: Run, rows: list[Row]) -> None:
    """A timeline is open where its run is."""
    assert (rows[0].kind, rows[0].state.is_open) == (RowKind.RUN, not run.state.is_closed)
    assert rows[0].last_seq <= run.last_seq
    pending = {} if run.state.is_closed else run.pending
    opened = {row.path for row in rows[1:] if row.state.is_open and row.kind is not RowKind.STEP}
    backing_off = {row.path for row in rows if row.state is RowState.BACKING_OFF}
    assert opened == {path for path, item in pending.items() if not (isinstance(item, Timer) and item.step_name)}
    assert backing_off <= pending.keys()
    for row in rows:
        assert bool(row.ended_at) != row.state.is_open
        ended = [attempt for attempt in row.attempts if attempt.ended_at]
        assert len(row.attempts) - len(ended) <= 1, "two attempts at a time"


class Log:
    """What a disk would hold, and the runs folded from it, which must equal the engine's own."""

    def __init__(self) -> None:
        self.opened: dict[int, RunOpened] = {}
        self.histories: dict[int, list[e.Event]] = {}
        self.folded: dict[int, Run] = {}
        self.timelines: dict[int, Timeline] = {}
        self.ids: set[str] = set()
        self.touched: set[int] = set()
        self.queues: dict[str, QueueSet] = {}

    def take(self, records: Iterable[Record]) -> None:
        self.touched = set()
        for record in records:
            if isinstance(record, RunOpened):
                assert record.run_id not in self.ids, "two runs have one run id"
                self.ids.add(record.run_id)
                self.opened[record.key] = record
                self.histories[record.key] = []
                self.folded[record.key] = empty_run(record)
                self.timelines[record.key] = Timeline()
            elif isinstance(record, EventRecorded):
                history = self.histories[record.run_key]
                assert record.event.seq == len(history) + 1, "a gap in the history"
                assert not (history and isinstance(history[-1].fact, CLOSING)), "an event after the last"
                history.append(record.event)
                fold(self.folded[record.run_key], record.event)
                self.timelines[record.run_key].add(record.event)
                self.touched.add(record.run_key)
            elif isinstance(record, QueueSet):
                self.queues.pop(record.task_queue, None)
                if record.is_needed:
                    self.queues[record.task_queue] = record
            else:
                assert isinstance(record, RunChanged)
                run = self.folded[record.key]
                assert run.state is record.state
                assert (record.closed_at is not None) == record.state.is_closed

    def compare(self, engine: Engine) -> None:
        runs = engine.state.runs
        set_ = {name: QueueSet(name, gate.paused, gate.reason, gate.limit) for name, gate in engine.state.gates.items()}
        assert set_ == self.queues
        assert {key for key, run in self.folded.items() if not run.state.is_closed} == set(runs)
        for key, run in runs.items():
            assert durable(run) == durable(self.folded[key])
        for key in self.touched:
            compare_rows(self.folded[key], self.timelines[key].rows())

    def recovered(self, epoch: int, now: int, limits: Limits) -> tuple[Engine, Decision]:
        """A new engine that has taken up what is open."""
        engine = Engine(now, epoch=epoch, next_run_key=max(self.opened, default=0) + 1, limits=limits)
        for setting in self.queues.values():
            engine.adopt_queue(setting)
        for opened in self.open_runs():
            engine.adopt(opened, self.histories[opened.key])
        return engine, engine.take_up(now)

    def rehearse(self, now: int, limits: Limits) -> None:
        """What a restart at this moment would come to: a healthy engine that knows what is known now."""
        engine, decision = self.recovered(2**20, now, limits)
        check(engine.state)
        copy = Log()
        for opened in self.open_runs():
            copy.take([opened, *(EventRecorded(opened.key, event) for event in self.histories[opened.key])])
        copy.queues = dict(self.queues)
        copy.take(decision.records)
        copy.compare(engine)

    def open_runs(self) -> list[RunOpened]:
        return [opened for key, opened in self.opened.items() if not self.folded[key].state.is_closed]


def empty_run(opened: RunOpened) -> Run:
    return Run(
        opened.key,
        opened.workflow_id,
        opened.run_id,
        opened.workflow_type,
        opened.task_queue,
        opened.parent_key,
        opened.created_at,
    )


class Room:
    def __init__(self, **limits: int) -> None:
        self.limits: Limits = evolve(DEFAULT_LIMITS, **limits)
        self.now = T0
        self.epoch = 1
        self.engine = Engine(self.now, limits=self.limits)
        self.log = Log()
        self.decision = Decision([], [])
        self.replies: dict[object, Any] = {}
        # Last event that the worker of a lease was sent, or knows as its own.
        self.seen: dict[int, int] = {}
        self._names = count(1)
        self._last_token = 0

    # Turning the crank.

    def apply(self, item: i.Input) -> Decision:
        before = set(self.engine.state.sessions)
        self.decision = self.engine.apply(item, self.now)
        self._check(before)
        return self.decision

    def tick(self, seconds: float = 0.0) -> Decision:
        """Let time pass without anything falling due, and then see what is due."""
        self.now += int(seconds * S)
        return self.apply(i.Tick())

    def sleep(self, seconds: float) -> None:
        """Let time pass as the timekeeper would: a Tick at each deadline."""
        until = self.now + int(seconds * S)
        for _ in range(100_000):
            due = self.engine.next_due()
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            self.apply(i.Tick())
        self.now = until

    def restart(self) -> Decision:
        """A new server takes up what the log holds."""
        self.epoch += 1
        self.engine, self.decision = self.log.recovered(self.epoch, self.now, self.limits)
        self._check(set())
        return self.decision

    def _check(self, sessions_before: set[int]) -> None:
        self.log.take(self.decision.records)
        check(self.engine.state)
        self.log.compare(self.engine)
        for run in self.engine.state.runs.values():
            view = describe(self.engine.state, run)
            assert view.worker_id or view.pending, "an open run that can not say what it waits for"
            check_explanation(self.engine.state, run)
        ended = {effect.session_id for effect in self.decision.effects if isinstance(effect, EndSession)}
        sessions = self.engine.state.sessions.keys() | (sessions_before & ended)
        for effect in self.decision.effects:
            if isinstance(effect, Reply):
                self.replies[effect.to] = effect.answer
                if isinstance(effect.answer, Recorded):
                    self.seen[effect.answer.token] = max(self.seen[effect.answer.token], effect.answer.seq)
                continue
            assert effect.session_id in sessions, f"{effect} to nobody"
            if isinstance(effect, EndSession):
                sessions.remove(effect.session_id)
                continue
            if isinstance(effect, SendActivity) or (isinstance(effect, SendEvents) and effect.task is not None):
                assert effect.token > self._last_token, "a token that did not grow"
                self._last_token = effect.token
                self.seen[effect.token] = 0
            if isinstance(effect, SendEvents):
                assert effect.first_seq == self.seen[effect.token] + 1, (
                    f"{effect} after event {self.seen[effect.token]}"
                )
                assert effect.last_seq >= effect.first_seq
                self.seen[effect.token] = effect.last_seq

    # What clients do.

    def ask(self, kind: type, *args: object, **fields: object) -> Any:
        """The answer to an input that is answered; None if there is none yet."""
        name = f"reply-{next(self._names)}"
        self.apply(kind(name, *args, **fields))
        return self.replies.get(name)

    def start(
        self,
        id: str = "w",  # noqa: A002
        kind: str = "order",
        text: str = "",
        queue: str = "q",
        **options: Any,
    ) -> Any:
        run_id = options.pop("run_id", None) or f"run-{next(self._names)}"
        return self.ask(i.StartRun, kind, id, run_id, queue, data(text), **options)

    def cancel(self, id: str = "w", reason: str = "enough", *, force: bool = False) -> Any:  # noqa: A002
        return self.ask(i.CancelRun, id, "", reason, force)

    def pause(self, id: str = "w", reason: str = "") -> Any:  # noqa: A002
        return self.ask(i.PauseRun, id, "", reason)

    def resume(self, id: str = "w") -> Any:  # noqa: A002
        return self.ask(i.ResumeRun, id)

    def signal(self, id: str = "w", name: str = "go", text: str = "", *, signal_id: str = "") -> Any:  # noqa: A002
        return self.ask(i.SignalRun, id, "", name, data(text), signal_id)

    def promise_token(self, path: str = "1", id: str = "w") -> str:  # noqa: A002
        return f"{path}/{self.run(id).run_id}/{id}"

    def resolve(self, token: str, text: str = "") -> Any:
        return self.ask(i.CompletePromise, token, data(text))

    def read(self, key: str, id: str = "w") -> Any:  # noqa: A002
        return self.ask(i.ReadValue, id, "", key)

    def await_result(self, name: str, id: str = "w") -> None:  # noqa: A002
        self.apply(i.AwaitRun(name, id))

    def fork(self, source_key: int, at: int, id: str, run_id: str = "") -> Any:  # noqa: A002
        """Raises InvalidArgument when the history can not be cut there."""
        source = self.log.opened[source_key]
        events = plan(self.log.histories[source_key], at)
        run_id = run_id or f"run-{next(self._names)}"
        return self.ask(i.ForkRun, id, run_id, source.workflow_id, source.run_id, at, events)

    # What workers do.

    def open(
        self,
        session: int = 1,
        *,
        workflows: tuple[str, ...] = ("order", "ship"),
        activities: tuple[str, ...] = ("charge",),
        slots: int = 10,
        activity_slots: int = 10,
        queue: str = "q",
        labels: Mapping[str, str] | None = None,
    ) -> Decision:
        has = tuple((labels or {}).items())
        return self.apply(
            i.OpenSession(session, f"worker-{session}", queue, workflows, activities, slots, activity_slots, has)
        )

    def close(self, session: int = 1) -> Decision:
        return self.apply(i.CloseSession(session, "its stream ended"))

    def drain(self, session: int = 1) -> Decision:
        return self.apply(i.DrainSession(session))

    def beat(self, session: int = 1, token: int = 0, details: Payload | None = None) -> Any:
        return self.ask(i.Heartbeat, session, token, details)

    def complete(self, token: int, *commands: c.Command, **fields: object) -> Any:
        return self.ask(i.Complete, token, commands, **fields)

    def park(self, token: int, *commands: c.Command, awaits: tuple[e.AwaitedSignal, ...] = ()) -> Any:
        """Commands, and then nothing to do with all that is known."""
        known = self.engine.state.leases[token].known_seq
        return self.complete(token, *commands, blocked=True, known_seq=known, awaits=awaits)

    # What there is to see.

    def run(self, id: str = "w") -> Any:  # noqa: A002
        return self.engine.state.open_ids[id]

    def token(self, id: str = "w") -> int:  # noqa: A002
        """Of the lease on the run."""
        token = self.run(id).lease.token
        assert isinstance(token, int)
        return token

    def activity(self, path: str = "1", id: str = "w") -> Any:  # noqa: A002
        pending = self.run(id).pending[path]
        assert isinstance(pending, Activity)
        return pending

    def attempt(self, path: str = "1", id: str = "w") -> int:  # noqa: A002
        """Token of the lease on the activity's attempt."""
        token = self.activity(path, id).lease.token
        assert isinstance(token, int)
        return token

    def history(self, id: str = "w") -> list[Any]:  # noqa: A002
        """Facts of the newest run with that id."""
        key = max(key for key, opened in self.log.opened.items() if opened.workflow_id == id)
        return [event.fact for event in self.log.histories[key]]

    def last(self, id: str = "w") -> Any:  # noqa: A002
        return self.history(id)[-1]

    def kinds(self, id: str = "w") -> list[str]:  # noqa: A002
        return [type(fact).__name__ for fact in self.history(id)]

    def is_open(self, id: str = "w") -> bool:  # noqa: A002
        return id in self.engine.state.open_ids

    def tasks(self) -> list[Any]:
        """Runs that the last input handed out."""
        return [effect for effect in self.decision.effects if isinstance(effect, SendEvents) and effect.task]

    def news(self) -> list[tuple[int, int, int]]:
        """(session, first, last) of what the last input told about runs in hand."""
        return [
            (effect.session_id, effect.first_seq, effect.last_seq)
            for effect in self.decision.effects
            if isinstance(effect, SendEvents) and effect.task is None
        ]

    def attempts(self) -> list[SendActivity]:
        return [effect for effect in self.decision.effects if isinstance(effect, SendActivity)]

    def stopped(self) -> list[int]:
        """Attempts that the last input asked to stop."""
        return [effect.token for effect in self.decision.effects if isinstance(effect, CancelAttempt)]

    def revoked(self) -> list[int]:
        return [effect.token for effect in self.decision.effects if isinstance(effect, Revoke)]
