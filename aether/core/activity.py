"""The life of an activity, from being scheduled to its outcome.

    SCHEDULED ──> STARTED ──> completed | failed | cancelled
        ^            │ the attempt failed, timed out, or its worker was lost
        └─ BACKING_OFF

Each start of an attempt is on disk before a worker sees it, so no crash can make more attempts than the policy allows.
Timeouts, each a timer of the wheel: schedule_to_start and schedule_to_close end the activity; start_to_close and
heartbeat end the attempt. Whether another follows is decided in `retry.py` alone.

Details of heartbeats are recorded when they have waited for a while (`keep_due`), so that the next attempt has them
also after a crash of the server; how long is a bound of `model/limits.py`.
"""

from __future__ import annotations

from aether.core.dispatch import drop_lease, fill, queue_activity, unqueue, wake_run
from aether.core.effects import CancelAttempt
from aether.core.retry import RetryAt, decide_retry, draw
from aether.core.run import Activity, ActivityState
from aether.core.sessions import Lease, Session
from aether.core.state import State
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Failure, Payload

PROGRESS = "progress"
TIMEOUTS = ("schedule_to_start", "schedule_to_close", "start_to_close", "heartbeat")


def begin(state: State, activity: Activity) -> None:
    """It was recorded as scheduled: arm its bounds and let a worker have it."""
    _arm_from_schedule(state, activity, "schedule_to_start", activity.timeouts.schedule_to_start_s)
    _arm_from_schedule(state, activity, "schedule_to_close", activity.timeouts.schedule_to_close_s)
    queue_activity(state, activity)


def recover(state: State, activity: Activity) -> None:
    """After a restart: whoever had an attempt in hand is refused by its token, so that attempt is over."""
    if activity.state is ActivityState.SCHEDULED:
        begin(state, activity)
        return
    _arm_from_schedule(state, activity, "schedule_to_close", activity.timeouts.schedule_to_close_s)
    if activity.state is ActivityState.STARTED:
        lost(state, activity, "the server was restarted while the attempt ran")
    else:
        state.timers.arm(("retry", activity.run.key, activity.path), activity.next_at)


def command(state: State, lease: Lease, activity: Activity, command: c.ActivityCommand) -> None:
    """The worker says how the attempt ended."""
    drop_lease(state, lease)
    if isinstance(command, c.CompleteActivity):
        _close(state, activity, e.ActivityCompleted(activity.path, activity.attempt, command.result))
    elif isinstance(command, c.FailActivity):
        attempt_failed(state, activity, command.failure)
    elif activity.cancel_requested:
        _close(state, activity, e.ActivityCancelled(activity.path))
    else:
        # Nobody asked for it: the worker gave the attempt back, as it does when it is shut down.
        lost(state, activity, "the worker gave it back")
    fill(state, lease.session)


def lost(state: State, activity: Activity, reason: str) -> None:
    """The worker that had the attempt is gone."""
    # That says nothing about the activity: the next worker may try at once.
    attempt_failed(state, activity, Failure("WorkerLost", reason), at_once=True)


def attempt_failed(state: State, activity: Activity, failure: Failure, *, at_once: bool = False) -> None:
    """The attempt that was started last is over without a result; its lease is gone already."""
    _disarm(state, activity, ("start_to_close", "heartbeat"))
    _forget_beat(state, activity)
    if activity.cancel_requested:
        _close(state, activity, e.ActivityCancelled(activity.path))
        return
    run, bound_s = activity.run, activity.timeouts.schedule_to_close_s
    give_up_at = activity.scheduled_at + int(bound_s * 1e6) if bound_s else None
    drawn = draw(run.run_id, activity.path, activity.attempt)
    verdict = decide_retry(activity.retry, activity.attempt, failure, state.now, give_up_at, drawn, at_once=at_once)
    # A full history has no room for attempts without end.
    if not isinstance(verdict, RetryAt) or run.last_seq >= state.limits.history_max:
        _close(state, activity, e.ActivityFailed(activity.path, activity.attempt, failure))
        return
    beat = activity.last_beat or activity.heartbeat
    state.record(run, e.ActivityRetried(activity.path, activity.attempt, failure, verdict.at, beat))
    _tell_active(state, activity)
    state.timers.arm(("retry", run.key, activity.path), verdict.at)


def retry_due(state: State, activity: Activity) -> None:
    assert activity.state is ActivityState.BACKING_OFF
    queue_activity(state, activity)


def timed_out(state: State, activity: Activity, name: str) -> None:
    """One of `TIMEOUTS` has passed."""
    is_of_attempt = name in ("start_to_close", "heartbeat")
    if is_of_attempt and activity.lease is None:
        # Another timer of the same tick has ended the attempt.
        return
    if name == "schedule_to_start" and activity.attempt:
        # A slot that became free in the same tick was just in time for it.
        return
    bound_s: float = getattr(activity.timeouts, f"{name}_s")
    failure = Failure(
        "ActivityTimeout",
        f"{activity.activity_type} took longer than {name} = {bound_s:g} s (attempt {activity.attempt})",
    )
    lease = activity.lease
    if lease is not None:
        drop_lease(state, lease)
        state.effects.append(CancelAttempt(lease.session.session_id, lease.token, failure.message))
    if is_of_attempt:
        attempt_failed(state, activity, failure)
    elif activity.cancel_requested:
        _close(state, activity, e.ActivityCancelled(activity.path))
    else:
        _close(state, activity, e.ActivityFailed(activity.path, activity.attempt, failure))
    if lease is not None:
        fill(state, lease.session)


def cancel(state: State, activity: Activity) -> None:
    """The workflow does not want it any more; the request is recorded already."""
    if activity.lease is None:
        _close(state, activity, e.ActivityCancelled(activity.path))
        return
    state.effects.append(
        CancelAttempt(activity.lease.session.session_id, activity.lease.token, "the workflow cancelled it")
    )


def abandon(state: State, activity: Activity) -> list[Session]:
    """Its run is closed: forget it, and stop whoever works on it. Sessions that have a free slot now."""
    _disarm(state, activity, (*TIMEOUTS, "retry"))
    _forget_beat(state, activity)
    unqueue(state, activity)
    lease = activity.lease
    if lease is None:
        return []
    drop_lease(state, lease)
    state.effects.append(CancelAttempt(lease.session.session_id, lease.token, "its run is closed"))
    return [lease.session]


def beat(state: State, activity: Activity, details: Payload | None) -> None:
    """The worker says that it is still at it, and maybe how far it is."""
    bound_s = activity.timeouts.heartbeat_s
    if bound_s:
        state.timers.arm(("heartbeat", activity.run.key, activity.path), state.now + int(bound_s * 1e6))
    if details is None:
        return
    activity.last_beat = details
    if not activity.keep_at and details != activity.heartbeat:
        activity.keep_at = activity.kept_at + _keeping_interval(state, activity)
        state.timers.arm((PROGRESS, activity.run.key, activity.path), activity.keep_at)


def keep_due(state: State, activity: Activity) -> None:
    """The details have waited long enough: record the newest."""
    if not activity.keep_at:
        # Another timer of the same tick has ended the attempt.
        return
    assert activity.last_beat is not None
    activity.keep_at, activity.kept_at = 0, state.now
    # Half of the history is for what happens.
    if activity.last_beat != activity.heartbeat and activity.run.last_seq < state.limits.history_max // 2:
        state.record(activity.run, e.ActivityProgressed(activity.path, activity.attempt, activity.last_beat))
        _tell_active(state, activity)


def _keeping_interval(state: State, activity: Activity) -> int:
    limits, age = state.limits, activity.kept_at - activity.started_at
    return min(max(limits.heartbeat_kept_ms * 1000, age // 10), limits.heartbeat_kept_max_ms * 1000)


def _forget_beat(state: State, activity: Activity) -> None:
    """The attempt is over: its details go with what becomes of it."""
    if activity.keep_at:
        activity.keep_at = 0
        state.timers.cancel((PROGRESS, activity.run.key, activity.path))


def _close(
    state: State, activity: Activity, fact: e.ActivityCompleted | e.ActivityFailed | e.ActivityCancelled
) -> None:
    _disarm(state, activity, (*TIMEOUTS, "retry"))
    _forget_beat(state, activity)
    unqueue(state, activity)
    state.record(activity.run, fact)
    wake_run(state, activity.run)


def _arm_from_schedule(state: State, activity: Activity, name: str, bound_s: float) -> None:
    if bound_s:
        state.timers.arm((name, activity.run.key, activity.path), activity.scheduled_at + int(bound_s * 1e6))


def _disarm(state: State, activity: Activity, names: tuple[str, ...]) -> None:
    for name in names:
        state.timers.cancel((name, activity.run.key, activity.path))


def _tell_active(state: State, activity: Activity) -> None:
    lease = activity.run.lease
    if lease is not None and not lease.is_idle:
        wake_run(state, activity.run)
