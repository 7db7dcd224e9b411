"""What each of many open runs does, in a few words for a list: what `explain.py` tells of one, but for any number."""

from __future__ import annotations

from itertools import islice

from attrs import frozen

from aether.core.inputs import SurveyRuns
from aether.core.run import Activity, ActivityState, Child, Pending, Promise, Run, Timer
from aether.core.state import State
from aether.core.views import Detail, detail_of

# Of what a run waits for so much is looked at: a list must not cost more where runs wait for much.
_LOOK_MAX = 100


@frozen
class Doing:
    """`what` in a word, and what is most likely to need a look: `kind` is as of `PendingView`, "" for nothing."""

    what: Detail
    kind: str = ""
    name: str = ""
    attempt: int = 0
    due_at: int = 0
    # How many things it waits for beside.
    more: int = 0
    history_length: int = 0
    worker_id: str = ""
    parent_workflow_id: str = ""


def survey_runs(state: State, item: SurveyRuns) -> None:
    """Of those that are open still, by key."""
    runs = (state.runs.get(key) for key in item.keys)
    state.reply(item.reply, {run.key: doing(run) for run in runs if run is not None and not run.state.is_closed})


def doing(run: Run) -> Doing:
    what = detail_of(run)
    said: tuple[str, str, int, int] = ("", "", 0, 0)
    waits = len(run.pending) + len(run.awaits)
    if what in {Detail.SLEEPING, Detail.WAITING, Detail.RETRYING}:
        if run.is_early:
            said = "start", "", 0, run.start_at
        elif run.pending:
            said = _told(max(islice(run.pending.values(), _LOOK_MAX), key=_weight))
            if run.awaits and said[0] == "timer":
                said = "signal", run.awaits[0].name, 0, said[3]
        else:
            said = "signal", run.awaits[0].name if run.awaits else "", 0, 0
    worker = run.lease.session.worker_id if run.lease is not None else ""
    return Doing(what, *said, max(waits - 1, 0), run.last_seq, worker, run.parent_workflow_id)


def _told(item: Pending) -> tuple[str, str, int, int]:
    """Kind, name, attempt, when it is due."""
    if isinstance(item, Timer):
        return "step" if item.step_name else "timer", item.step_name, item.attempt, item.fire_at
    if isinstance(item, Promise):
        return "promise", item.name, 0, item.expires_at
    if isinstance(item, Child):
        return "child", item.workflow_id, 0, 0
    assert isinstance(item, Activity)
    return "activity", item.activity_type, item.attempt, item.next_at if _is_retried(item) else 0


def _weight(item: Pending) -> tuple[bool, int, bool]:
    """What waits for its next attempt comes first, and what was tried most often; a sleep comes last."""
    attempt = item.attempt if isinstance(item, Timer | Activity) else 0
    return _is_retried(item), attempt, not isinstance(item, Timer)


def _is_retried(item: Pending) -> bool:
    if isinstance(item, Timer):
        return bool(item.step_name)
    return isinstance(item, Activity) and item.state is ActivityState.BACKING_OFF
