"""What others say to a run and what it shows them: signals, promises, published values.

A signal is a fact of the run as soon as it arrives, whether its code asks for it yet or not. A promise is a position of
the run that waits for somebody outside. Both wake the run like any other fact.
"""

from __future__ import annotations

from aether.core.dispatch import wake_run
from aether.core.effects import NotOpen, PromiseCompleted, Signalled, ValueRead
from aether.core.inputs import CompletePromise, ReadValue, SignalRun
from aether.core.lifecycle import disarm_promise, find
from aether.core.run import Promise
from aether.core.state import State
from aether.errors import InvalidArgument, LimitExceeded
from aether.model import events as e


def signal(state: State, item: SignalRun) -> None:
    run = find(state, item.workflow_id, item.run_id)
    if run is None:
        state.reply(item.reply, NotOpen(item.workflow_id, item.run_id))
        return
    known = run.signal_ids or {}
    if item.signal_id in known:
        state.reply(item.reply, Signalled(run.run_id, duplicate=True))
        return
    forgets = bool(item.signal_id) and len(known) >= state.limits.signal_ids_max
    if forgets or run.last_seq >= state.limits.history_max:
        state.reply(item.reply, LimitExceeded(f"workflow {run.workflow_id!r} has had too many signals"))
        return
    state.record(run, e.SignalReceived(item.name, item.value, item.signal_id, item.traceparent))
    state.reply(item.reply, Signalled(run.run_id, duplicate=False))
    wake_run(state, run)


def complete_promise(state: State, item: CompletePromise) -> None:
    path, _, rest = item.token.partition("/")
    run_id, _, workflow_id = rest.partition("/")
    if not workflow_id:
        state.reply(item.reply, InvalidArgument("not a token that ctx.promise() has given", field="token"))
        return
    run = find(state, workflow_id, run_id)
    if run is None:
        state.reply(item.reply, NotOpen(workflow_id, run_id))
        return
    if path not in (run.promises or ()):
        state.reply(item.reply, InvalidArgument(f"run {run_id} has made no promise at path {path!r}", field="token"))
        return
    # By now, something else may wait at that path.
    promise = run.pending.get(path)
    if not isinstance(promise, Promise):
        state.reply(item.reply, PromiseCompleted(duplicate=True))
        return
    disarm_promise(state, run, promise)
    if item.failure is not None:
        state.record(run, e.PromiseRejected(path, item.failure))
    else:
        assert item.result is not None
        state.record(run, e.PromiseResolved(path, item.result))
    state.reply(item.reply, PromiseCompleted(duplicate=False))
    wake_run(state, run)


def read_value(state: State, item: ReadValue) -> None:
    run = find(state, item.workflow_id, item.run_id)
    if run is None:
        state.reply(item.reply, NotOpen(item.workflow_id, item.run_id))
        return
    value, published_at = (run.published or {}).get(item.key, (None, 0))
    state.reply(item.reply, ValueRead(value, published_at))
