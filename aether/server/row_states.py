"""The state of a run that was read, told by its events where what is stored of it can not be right.

No checksum covers the state of a row, because it changes by updates that do not read the row. But a bit that flips in
it leaves a state that there is not, or one that does not fit the end and the error beside it. Then the events tell.
"""

from attrs import evolve

from aether.errors import WorkflowNotFound
from aether.model import events as e
from aether.model.runs import RunState
from aether.store.format import RESTORE_ADVICE
from aether.store.interface import Reader, RunRow, StoreDamaged
from aether.wire.convert import KINDS, decode_event

_OPEN = (RunState.PENDING, RunState.RUNNING)
_CLOSED_BY = {
    KINDS[e.RunCompleted]: RunState.COMPLETED,
    KINDS[e.RunFailed]: RunState.FAILED,
    KINDS[e.RunCancelled]: RunState.CANCELLED,
}


def with_true_state(row: RunRow, reader: Reader) -> RunRow:
    """The row, in the state to which its events lead if its own can not be right."""
    if row.closed_at is None:
        # The engine knows better; for all others it is enough that it is open.
        return row if row.state in _OPEN else evolve(row, state=RunState.RUNNING)
    if row.state in _CLOSED_BY.values() and (row.error != "") is (row.state == RunState.FAILED):
        return row
    return evolve(row, state=_told(row.key, reader))


def end_of(row: RunRow, reader: Reader) -> e.Event:
    """The event with which a closed run ended. Raises StoreDamaged if there is none."""
    last = reader.last_event(row.key)
    if last is None or last.kind not in _CLOSED_BY:
        if reader.run_by_key(row.key) is None:
            raise WorkflowNotFound(f"workflow {row.workflow_id!r} (run {row.run_id}) has just been removed")
        what = f"the end of run {row.key} is missing"
        raise StoreDamaged(what, where="the database", advice=RESTORE_ADVICE, run_key=row.key)
    return decode_event(last.body)


def _told(run_key: int, reader: Reader) -> RunState:
    try:
        last = reader.last_event(run_key)
    except StoreDamaged:
        last = None
    # Without its end nobody can say that it went well.
    return RunState.FAILED if last is None else _CLOSED_BY.get(last.kind, RunState.FAILED)
