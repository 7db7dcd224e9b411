"""The engine: one input at a time in, one decision out.

`apply` is a table from kinds of input to rules. Rules are functions over `State`, one module a subject:

    lifecycle    runs begin, are awaited, cancelled and end; parents and children
    commands     what workers ask for
    pausing      runs that are held where they are
    messages     signals, promises, published values
    activity     attempts, timeouts, retries          retry    when is the next attempt
    membership   workers come and go
    dispatch     who gets what                        queues   what waits      timers   what is due
    explain      what a run waits for                 fork     runs that begin with the history of others

The engine is synchronous and pure: time comes as `now` (microseconds since the epoch, never falling), random ids come
with the inputs, and nothing here waits or opens anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from aether.core import activity as activities
from aether.core import commands, doing, inputs, lifecycle, membership, messages, pausing
from aether.core.dispatch import STICKY, move_waking, serve_opened, wake_run
from aether.core.effects import Decision, QueueSet, RunOpened
from aether.core.explain import explain_run
from aether.core.fork import fork
from aether.core.gates import Gate
from aether.core.run import RESTARTED, Activity, Child, Promise, Run, Timer, fold
from aether.core.sessions import Tokens
from aether.core.state import State, TimerKey
from aether.core.timers import TimerWheel
from aether.core.views import EngineView, overview
from aether.model import events as e
from aether.model.limits import DEFAULT_LIMITS, Limits
from aether.model.runs import RunState


class Engine:
    def __init__(self, now: int, *, epoch: int = 1, next_run_key: int = 1, limits: Limits = DEFAULT_LIMITS) -> None:
        self.state = State(limits, Tokens(epoch), TimerWheel(now), next_run_key, now)
        # Children whose parents do not know that they are over.
        self._ended: list[tuple[Run, str, lifecycle.ClosingFact]] = []

    def apply(self, item: inputs.Input, now: int) -> Decision:
        """Decide what `item` means at `now`."""
        self.state.now = now
        _RULES[type(item)](self.state, item)
        if self.state.queues.opened or self.state.opened_gates:
            serve_opened(self.state)
        return self.state.take_decision()

    def next_due(self) -> int | None:
        """When a `Tick` is wanted next; None while nothing is timed."""
        return self.state.timers.next_due()

    def overview(self) -> EngineView:
        return overview(self.state)

    def adopt(self, opened: RunOpened, history: Iterable[e.Event]) -> None:
        """Know an open run of an earlier server, with its events from the first to the last; `take_up` follows all.

        Of `INERT_FACTS` some may be left out: those behind which others come that are not quiet.
        """
        run = Run(
            opened.key,
            opened.workflow_id,
            opened.run_id,
            opened.workflow_type,
            opened.task_queue,
            opened.parent_key,
            opened.created_at,
        )
        self.state.runs[run.key] = run
        self.state.open_ids[run.workflow_id] = run
        for event in history:
            run.last_seq = event.seq - 1
            fold(run, event)

    def adopt_queue(self, setting: QueueSet) -> None:
        """Know what an earlier server was asked of a task queue; before any worker comes."""
        self.state.gates[setting.task_queue] = Gate(
            setting.task_queue, setting.paused, setting.reason, setting.activity_limit
        )

    def withhold(self, workflow_id: str, run_id: str) -> None:
        """Know of an open run that can not be adopted, because its history is damaged: its id stays taken."""
        self.state.withheld[workflow_id] = run_id

    def missing_children(self) -> Iterator[tuple[Run, Child]]:
        """Which adopted runs wait for children that were not adopted, and could have been."""
        state = self.state
        for run in state.runs.values():
            for child in run.pending.values():
                if not isinstance(child, Child) or child.workflow_id in state.withheld:
                    continue
                if lifecycle.find(state, child.workflow_id, child.run_id) is None:
                    yield run, child

    def learn_end(self, run: Run, path: str, fact: lifecycle.ClosingFact) -> None:
        """A child has ended while its parent could not be read, and was told nobody."""
        self._ended.append((run, path, fact))

    def take_up(self, now: int) -> Decision:
        """Go on with the runs that were adopted."""
        state = self.state
        state.now = now
        for run in state.runs.values():
            if run.concurrency is not None and run.state is RunState.RUNNING:
                state.queues.take_up(run.concurrency)
        for run, path, fact in self._ended:
            lifecycle.record_end(state, run, path, fact)
        self._ended.clear()
        for run in list(state.runs.values()):
            _take_up(state, run)
        for run in list(state.runs.values()):
            lifecycle.catch_up_with_children(state, run)
        serve_opened(state)
        return state.take_decision()


def _take_up(state: State, run: Run) -> None:
    """Put a recovered run where it belongs: under its timers, into a queue."""
    if run.parked:
        run.rest_seq = run.last_seq
    elif run.attempts:
        run.interrupted = RESTARTED
    for pending in list(run.pending.values()):
        if isinstance(pending, Timer):
            state.timers.arm(("timer", run.key, pending.path), pending.fire_at)
        elif isinstance(pending, Promise):
            lifecycle.arm_promise(state, run, pending.path)
        elif isinstance(pending, Activity):
            activities.recover(state, pending)
    lifecycle.arm(state, run)
    if not run.parked and not run.queued:
        wake_run(state, run)


def _tick(state: State, item: inputs.Tick) -> None:
    due = state.timers.advance(state.now, state.limits.due_max)
    for key in due:
        if key[0] == "session":
            membership.suspect(state, state.sessions[key[1]])
    for key in due:
        _DUE[key[0]](state, key)


# Timers that fall due together were taken from the wheel together, so the rule of one may find that the rule of another
# has just ended what it was armed for.


def _timer_due(state: State, key: TimerKey) -> None:
    run = state.runs.get(key[1])
    if run is not None and isinstance(run.pending.get(key[2]), Timer):
        state.record(run, e.TimerFired(key[2]))
        wake_run(state, run)


def _activity_due(state: State, key: TimerKey) -> None:
    run = state.runs.get(key[1])
    activity = run.pending.get(key[2]) if run is not None else None
    if not isinstance(activity, Activity):
        return
    if key[0] == "retry":
        activities.retry_due(state, activity)
    elif key[0] == activities.PROGRESS:
        activities.keep_due(state, activity)
    else:
        activities.timed_out(state, activity, key[0])


def _promise_due(state: State, key: TimerKey) -> None:
    run = state.runs.get(key[1])
    if run is not None:
        lifecycle.promise_due(state, run, key[2])


def _run_due(state: State, key: TimerKey) -> None:
    run = state.runs.get(key[1])
    if run is not None:
        _RUN_RULES[key[0]](state, run)


_RUN_RULES = {"start": lifecycle.start_due, "expiry": lifecycle.expired, "grace": lifecycle.grace_over}


def _session_due(state: State, key: TimerKey) -> None:
    membership.silence(state, state.sessions[key[1]])


def _sticky_due(state: State, key: TimerKey) -> None:
    session = state.sessions.get(key[1])
    if session is not None:
        move_waking(state, session)


_DUE: dict[str, Callable[[State, TimerKey], None]] = {
    "timer": _timer_due,
    "session": _session_due,
    lifecycle.PROMISE: _promise_due,
    STICKY: _sticky_due,
    **dict.fromkeys(("retry", activities.PROGRESS, *activities.TIMEOUTS), _activity_due),
    **dict.fromkeys(lifecycle.RUN_TIMERS, _run_due),
}

_RULES: dict[type, Callable[[State, inputs.Input], None]] = {
    inputs.StartRun: lifecycle.start,  # type: ignore[dict-item]
    inputs.ForkRun: fork,  # type: ignore[dict-item]
    inputs.DescribeRun: lifecycle.describe_run,  # type: ignore[dict-item]
    inputs.SurveyRuns: doing.survey_runs,  # type: ignore[dict-item]
    inputs.ExplainRun: explain_run,  # type: ignore[dict-item]
    inputs.AwaitRun: lifecycle.await_run,  # type: ignore[dict-item]
    inputs.ForgetAwait: lifecycle.forget_await,  # type: ignore[dict-item]
    inputs.CancelRun: lifecycle.cancel,  # type: ignore[dict-item]
    inputs.SetQueue: pausing.set_queue,  # type: ignore[dict-item]
    inputs.PauseRun: pausing.pause,  # type: ignore[dict-item]
    inputs.ResumeRun: pausing.resume,  # type: ignore[dict-item]
    inputs.SignalRun: messages.signal,  # type: ignore[dict-item]
    inputs.CompletePromise: messages.complete_promise,  # type: ignore[dict-item]
    inputs.ReadValue: messages.read_value,  # type: ignore[dict-item]
    inputs.OpenSession: membership.open_session,  # type: ignore[dict-item]
    inputs.CloseSession: membership.close_session,  # type: ignore[dict-item]
    inputs.DrainSession: membership.drain_session,  # type: ignore[dict-item]
    inputs.Heartbeat: membership.heartbeat,  # type: ignore[dict-item]
    inputs.Complete: commands.complete,  # type: ignore[dict-item]
    inputs.Tick: _tick,  # type: ignore[dict-item]
}
