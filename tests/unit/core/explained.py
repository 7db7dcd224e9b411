"""Is what the engine says of a run true? Told apart anew from the state, without the code that words it."""

from collections.abc import Iterator
from itertools import combinations

from aether.core.explain import explain
from aether.core.run import Activity, Run, Timer
from aether.core.state import State
from aether.model.runs import RunState, TaskKind


def check_explanation(state: State, run: Run) -> None:
    """Raises AssertionError when the explanation is silent, or says what is not so."""
    told = explain(state, run)
    kinds = [reason.kind.value for reason in told.reasons]
    assert told.reasons, "an open run without a reason"
    assert told.sentence.startswith(f"workflow {run.workflow_id!r} ")
    assert told.sentence.endswith(".")
    assert told.sentence.count("waits for .") == 0
    assert ("cancelling" in kinds) == run.cancel_requested
    assert ("blocked" in kinds) == (run.blocked is not None)
    assert run.blocked is None or run.blocked.message in told.sentence
    assert ("start" in kinds) == run.is_early
    assert ("paused" in kinds) == run.paused
    _check_worker(run, told.sentence, kinds)
    if run.queued:
        assert run.task_queue in told.sentence
        assert _in_line(state, run, TaskKind.WORKFLOW, run.workflow_type) in kinds[:2]
    by_path = {reason.path: reason for reason in told.reasons if reason.path and reason.kind != "signal"}
    assert list(by_path) == list(run.pending)[:100]
    for number, (path, reason) in enumerate(by_path.items()):
        pending = run.pending[path]
        assert reason.text in told.sentence or number >= 5
        if isinstance(pending, Timer):
            assert reason.due_at == pending.fire_at
        if isinstance(pending, Activity):
            _check_activity(state, pending, reason.kind.value, reason.worker_id)


def _check_worker(run: Run, sentence: str, kinds: list[str]) -> None:
    lease = run.lease
    has_it = lease is not None and (lease.is_waking or not lease.is_idle)
    assert has_it == bool({"worker", "slot"} & set(kinds))
    is_elsewhere = has_it or run.queued or run.blocked is not None or run.is_early or run.held
    assert ("signal" in kinds) == (bool(run.awaits) or (not is_elsewhere and not run.pending))
    assert not (run.awaits and is_elsewhere), "who goes on waits for no signal yet"
    if lease is not None and has_it:
        assert lease.session.worker_id in sentence
        assert ("slot" in kinds) == lease.is_waking


def _check_activity(state: State, activity: Activity, kind: str, worker_id: str) -> None:
    assert worker_id == (activity.lease.session.worker_id if activity.lease else "")
    if activity.lease is not None or activity.held:
        assert kind == "activity"
    elif activity.queued:
        assert kind == _in_line(state, activity, TaskKind.ACTIVITY, activity.activity_type)
    else:
        assert kind == "retry"


def _in_line(state: State, item: Run | Activity, kind: TaskKind, type_: str) -> str:
    if item.concurrency is not None and _is_full(state, item):
        return "limit"
    return "queue" if _is_offered(state, item, kind, type_) else "no_worker"


def _is_full(state: State, item: Run | Activity) -> bool:
    if isinstance(item, Run) and item.state is RunState.RUNNING:
        return False
    assert item.concurrency is not None
    key = item.concurrency.key
    attempts = [lease.activity for lease in state.leases.values() if lease.activity is not None]
    running: list[Run | Activity] = [each for each in state.runs.values() if each.state is RunState.RUNNING]
    running += attempts
    count = sum(each.concurrency is not None and each.concurrency.key == key for each in running)
    return count >= state.queues.groups.of(item.concurrency).limit


def _is_offered(state: State, item: Run | Activity, kind: TaskKind, type_: str) -> bool:
    return any(
        type_ in each.types[kind] and each.task_queue == item.task_queue and item.labels in (*_choices(each.labels),)
        for each in state.sessions.values()
    )


def _choices(labels: dict[str, str]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Everything that somebody with these labels can be asked for."""
    pairs = sorted(labels.items())
    for count in range(len(pairs) + 1):
        yield from combinations(pairs, count)
