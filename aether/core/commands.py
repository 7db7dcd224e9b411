"""A worker's commands: checked all together first, then each becomes one fact, then come their consequences.

The order matters to the worker. Its commands become consecutive events, whose last seq the answer tells; what they set
off (an attempt that starts, a child that fails to start) comes after them and is pushed like any other news. Only the
event that ends the run comes after what it must not prevent: a child that goes on, the outcome of a step that failed.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from aether.core import activity as activities
from aether.core import lifecycle
from aether.core.dispatch import block, drop_lease, fill, push_news, resume, revoke, wake_run
from aether.core.effects import Recorded
from aether.core.inputs import Complete
from aether.core.lifecycle import arm_promise, disarm_promise
from aether.core.retry import RetryAt, decide_retry, draw
from aether.core.run import Activity, Child, Promise, Run, Timer
from aether.core.sessions import Lease
from aether.core.state import Rest, State
from aether.core.validate import check_awaits, check_command
from aether.errors import AetherError, InvalidArgument, LimitExceeded, StaleLease
from aether.model import commands as c
from aether.model import events as e
from aether.model.runs import ParentClosePolicy


@frozen
class Consequence:
    """What a command sets off; only if it is `lasting` also when a later command of the request ends the run."""

    act: Callable[[], None]
    lasting: bool = False


# Commands after which the run waits for something at their path.
_OPENING = (c.StartTimer, c.ScheduleActivity, c.StartChild, c.FailStep, c.CreatePromise)
_CLOSING = (c.CompleteRun, c.FailRun, c.CancelRun)


def complete(state: State, item: Complete) -> None:
    lease = state.leases.get(item.token)
    if lease is None:
        state.reply(item.reply, _answer_before(state, item))
        return
    # Whoever works is alive, even if its heartbeats come late.
    lease.session.last_seen = state.now
    if item.number and item.number == lease.number:
        state.reply(item.reply, lease.answer)
        return
    if 0 < item.number < lease.number:
        late = f"request {item.number} of task {item.token} came after request {lease.number}"
        state.reply(item.reply, InvalidArgument(late, field="number"))
        return
    try:
        _check(state, lease, item)
    except AetherError as refusal:
        state.reply(item.reply, refusal)
        return
    if lease.activity is not None:
        _complete_activity(state, item, lease, lease.activity)
    else:
        _complete_run(state, item, lease)


def _answer(state: State, item: Complete, lease: Lease, answer: object) -> None:
    state.reply(item.reply, answer)
    if item.number:
        lease.number, lease.answer = item.number, answer


def _remember(state: State, item: Complete, lease: Lease) -> None:
    """The request has ended its lease; its answer may be lost all the same."""
    if item.number:
        state.answered[item.token] = (item.number, lease.answer)
        if len(state.answered) > state.limits.answers_max:
            state.answered.popitem(last=False)


def _answer_before(state: State, item: Complete) -> object:
    number, answer = state.answered.get(item.token, (0, None))
    if number and number == item.number:
        return answer
    return StaleLease(f"task {item.token} belongs to somebody else by now; nothing was changed")


def _check(state: State, lease: Lease, item: Complete) -> None:
    if len(item.commands) > state.limits.commands_max:
        raise InvalidArgument(f"{len(item.commands)} commands; at most {state.limits.commands_max}", field="commands")
    for command in item.commands:
        check_command(state.limits, command)
    if item.awaits:
        check_awaits(state.limits, item.awaits)
    if lease.activity is not None:
        if len(item.commands) != 1 or not isinstance(item.commands[0], c.ActivityCommand):
            raise InvalidArgument("an activity task is answered with one activity command", field="commands")
        return
    if len(item.commands) == 1 and type(item.commands[0]) is c.RecordStep:
        # By far the most frequent request, and nothing that it could collide with.
        return
    _check_run_commands(state, lease.run, item.commands)


def _check_run_commands(state: State, run: Run, commands: tuple[c.Command, ...]) -> None:
    opened: set[str] = set()
    published = set(run.published or ())
    started: list[str] = []
    for number, command in enumerate(commands, start=1):
        if isinstance(command, c.ActivityCommand):
            raise InvalidArgument("an activity command for a workflow task", field="commands")
        if isinstance(command, (*_CLOSING, c.BlockRun)):
            if number < len(commands):
                raise InvalidArgument("a command after the one that ends the task", field="commands")
            children = [
                item.path
                for item in run.pending.values()
                if isinstance(item, Child) and item.policy is ParentClosePolicy.CANCEL
            ] + started
            if isinstance(command, _CLOSING) and children:
                raise InvalidArgument(
                    f"children at {', '.join(children[:5])} are open: a run ends after its children; "
                    "cancel_pending them and wait until they are closed",
                    field="commands",
                )
        elif isinstance(command, c.CancelPending):
            if command.path not in run.pending:
                # It may have ended while the command was under way: then there is nothing to do.
                continue
        elif isinstance(command, c.PublishValue):
            published.add(command.key)
        elif isinstance(command, _OPENING):
            if command.path in run.pending or command.path in opened:
                raise InvalidArgument(f"path {command.path} waits for something already", field="path")
            opened.add(command.path)
            if isinstance(command, c.StartChild) and command.parent_close_policy is ParentClosePolicy.CANCEL:
                started.append(command.path)
    if len(published) > state.limits.published_max:
        raise LimitExceeded(f"more than {state.limits.published_max} keys are published")
    if len(run.pending) + len(opened) > state.limits.pending_max:
        raise InvalidArgument(f"more than {state.limits.pending_max} positions wait at the same time", field="commands")


def _complete_activity(state: State, item: Complete, lease: Lease, activity: Activity) -> None:
    command = item.commands[0]
    assert isinstance(command, c.ActivityCommand)
    _answer(state, item, lease, Recorded(item.token, 0, state.now))
    activities.command(state, lease, activity, command)
    _remember(state, item, lease)


def _complete_run(state: State, item: Complete, lease: Lease) -> None:
    run = lease.run
    if lease.is_idle:
        if item.release and not item.commands:
            _release_idle(state, item, lease)
            return
        # A worker that goes on by itself; it takes its slot again even if that is one too many for a while.
        resume(state, lease)
    if _outgrows(state, run, item.commands):
        _overflow(state, item, lease)
        return
    parks = item.blocked and item.known_seq >= lease.pushed_seq
    then: list[Consequence] = []
    before, last = run.last_seq, len(item.commands)
    for number, command in enumerate(item.commands, start=1):
        rest = item.awaits if parks and number == last and _may_rest_after(run, command) else None
        if isinstance(command, _CLOSING):
            # A child that outlives its parent must begin, and how a step failed belongs into the history.
            for consequence in then:
                if consequence.lasting:
                    consequence.act()
        _RULES[type(command)](state, run, command, rest, then)
    lease.known_seq = run.last_seq
    _answer(state, item, lease, Recorded(item.token, run.last_seq if run.last_seq > before else 0, state.now))
    if not run.state.is_closed:
        for consequence in then:
            consequence.act()
        wake_run(state, run)
    if state.leases.get(lease.token) is lease:
        _settle(state, item, lease, parks=parks and (bool(run.pending) or not _gives_up(item.commands)))
    if lease.token not in state.leases:
        _remember(state, item, lease)


def _may_rest_after(run: Run, command: c.Command) -> bool:
    """With nothing pending a run may still wait for a signal, but not when it is the first to hear that it gave up."""
    if isinstance(command, _CLOSING):
        return False
    if isinstance(command, c.CancelPending):
        goes = isinstance(run.pending.get(command.path), Timer | Promise)
        return len(run.pending) > goes
    return True


def _gives_up(commands: tuple[c.Command, ...]) -> bool:
    return any(isinstance(command, c.CancelPending) for command in commands)


def _release_idle(state: State, item: Complete, lease: Lease) -> None:
    had_news = lease.is_waking
    _answer(state, item, lease, Recorded(item.token, 0, state.now))
    drop_lease(state, lease)
    if had_news:
        wake_run(state, lease.run)
    _remember(state, item, lease)


def _settle(state: State, item: Complete, lease: Lease, *, parks: bool) -> None:
    """After the commands: does the worker keep the run, and its slot?"""
    run, session = lease.run, lease.session
    rests = parks and lease.pushed_seq <= item.known_seq
    # Who is told more goes on, and says again what it waits for.
    run.awaits = item.awaits if rests else ()
    if rests:
        run.rest_seq = run.last_seq
    if item.release:
        drop_lease(state, lease)
        if not rests:
            lifecycle.hand_out_again(state, run, "the worker gave it back")
        fill(state, session)
    elif rests:
        lease.is_idle = True
        state.meters.rested(run.workflow_type, state.now - lease.busy_since)
        session.used[lease.kind] -= 1
        fill(state, session)
    elif run.paused and not item.blocked:
        # What it was at is recorded, and it would go on.
        revoke(state, lease, "the run is paused")
        lifecycle.hand_out_again(state, run, "it was paused")
        fill(state, session)
    else:
        push_news(state, lease)


def _outgrows(state: State, run: Run, commands: tuple[c.Command, ...]) -> bool:
    growth = len(commands)
    if commands and isinstance(commands[-1], (*_CLOSING, c.BlockRun)):
        # A run may always say its last word.
        growth -= 1
    return growth > 0 and run.last_seq + growth > state.limits.history_max


def _overflow(state: State, item: Complete, lease: Lease) -> None:
    failure = lifecycle.outgrown(state)
    _answer(state, item, lease, LimitExceeded(failure.message))
    revoke(state, lease, failure.message)
    lifecycle.close(state, lease.run, e.RunFailed(failure))
    fill(state, lease.session)
    _remember(state, item, lease)


_Rule = Callable[[State, Run, c.Command, Rest | None, list[Consequence]], None]
_RULES: dict[type, _Rule] = {}


def _rule(kind: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def register(rule: Callable[..., None]) -> Callable[..., None]:
        _RULES[kind] = rule
        return rule

    return register


@_rule(c.RecordStep)
def _(state: State, run: Run, command: c.RecordStep, rest: Rest | None, then: list[Consequence]) -> None:
    if command.failure is not None:
        fact: e.Fact = e.StepFailed(
            command.path, command.name, command.failure, command.attempt or 1, command.started_at
        )
    else:
        assert command.result is not None
        fact = e.StepCompleted(command.path, command.name, command.result, command.attempt or 1, command.started_at)
    state.record(run, fact, rest)


@_rule(c.FailStep)
def _(state: State, run: Run, command: c.FailStep, rest: Rest | None, then: list[Consequence]) -> None:
    # What comes of it is the server's decision, which the worker is told of like of any other news.
    then.append(Consequence(lambda: _fail_step(state, run, command), lasting=True))


def _fail_step(state: State, run: Run, command: c.FailStep) -> None:
    attempt = command.attempt or 1
    drawn = draw(run.run_id, command.path, attempt)
    verdict = decide_retry(command.retry, attempt, command.failure, state.now, None, drawn)
    if isinstance(verdict, RetryAt) and run.last_seq < state.limits.history_max:
        fact = e.StepRetried(command.path, command.name, command.failure, attempt, verdict.at, command.started_at)
        state.record(run, fact)
        state.timers.arm(("timer", run.key, command.path), verdict.at)
    else:
        state.record(run, e.StepFailed(command.path, command.name, command.failure, attempt, command.started_at))


@_rule(c.CreatePromise)
def _(state: State, run: Run, command: c.CreatePromise, rest: Rest | None, then: list[Consequence]) -> None:
    expires_at = state.now + command.timeout_ms * 1000 if command.timeout_ms else 0
    state.record(run, e.PromiseCreated(command.path, command.name, expires_at), rest)
    arm_promise(state, run, command.path)


@_rule(c.PublishValue)
def _(state: State, run: Run, command: c.PublishValue, rest: Rest | None, then: list[Consequence]) -> None:
    state.record(run, e.ValuePublished(command.path, command.key, command.value), rest)


@_rule(c.StartTimer)
def _(state: State, run: Run, command: c.StartTimer, rest: Rest | None, then: list[Consequence]) -> None:
    fire_at = state.now + command.delay_ms * 1000
    state.record(run, e.TimerStarted(command.path, fire_at), rest)
    state.timers.arm(("timer", run.key, command.path), fire_at)


@_rule(c.ScheduleActivity)
def _(state: State, run: Run, command: c.ScheduleActivity, rest: Rest | None, then: list[Consequence]) -> None:
    fact = e.ActivityScheduled(
        command.path,
        command.activity_type,
        command.task_queue or run.task_queue,
        command.input,
        command.retry,
        command.timeouts,
        command.labels,
        command.concurrency,
    )
    state.record(run, fact, rest)
    activity = run.pending[command.path]
    assert isinstance(activity, Activity)
    then.append(Consequence(lambda: activities.begin(state, activity)))


@_rule(c.StartChild)
def _(state: State, run: Run, command: c.StartChild, rest: Rest | None, then: list[Consequence]) -> None:
    fact = lifecycle.child_of(run, command)
    state.record(run, fact, rest)
    then.append(Consequence(lambda: lifecycle.begin_child(state, run, command, fact), lasting=True))


@_rule(c.CancelPending)
def _(state: State, run: Run, command: c.CancelPending, rest: Rest | None, then: list[Consequence]) -> None:
    pending = run.pending.get(command.path)
    if isinstance(pending, Timer):
        state.timers.cancel(("timer", run.key, pending.path))
        state.record(run, e.TimerCancelled(pending.path), rest)
    elif isinstance(pending, Promise):
        disarm_promise(state, run, pending)
        state.record(run, e.PromiseDropped(pending.path), rest)
    elif isinstance(pending, Activity) and not pending.cancel_requested:
        state.record(run, e.ActivityCancelRequested(pending.path), rest)
        then.append(Consequence(lambda: activities.cancel(state, pending)))
    elif isinstance(pending, Child) and not pending.cancel_requested:
        state.record(run, e.ChildCancelRequested(pending.path), rest)
        then.append(Consequence(lambda: _cancel_child(state, pending)))


def _cancel_child(state: State, child: Child) -> None:
    run = lifecycle.find(state, child.workflow_id, child.run_id)
    if run is not None:
        lifecycle.request_cancel(state, run, "its parent cancelled it")


@_rule(c.CompleteRun)
def _(state: State, run: Run, command: c.CompleteRun, rest: Rest | None, then: list[Consequence]) -> None:
    lifecycle.close(state, run, e.RunCompleted(command.result))


@_rule(c.FailRun)
def _(state: State, run: Run, command: c.FailRun, rest: Rest | None, then: list[Consequence]) -> None:
    lifecycle.close(state, run, e.RunFailed(command.failure, command.undo_path))


@_rule(c.CancelRun)
def _(state: State, run: Run, command: c.CancelRun, rest: Rest | None, then: list[Consequence]) -> None:
    lifecycle.close(state, run, e.RunCancelled(command.reason or run.cancel_reason, command.undo_path))


@_rule(c.BlockRun)
def _(state: State, run: Run, command: c.BlockRun, rest: Rest | None, then: list[Consequence]) -> None:
    assert run.lease is not None
    block(state, run.lease, command.failure)
