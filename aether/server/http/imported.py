"""A history that somebody has in a file, seen as if it were here: parsed, shown and kept nowhere.

It is what `aether history ID -o json` or the page itself has written. Whatever else it may be, the answer is what is
wrong with it.
"""

from collections.abc import Mapping

import trio

from aether.core.timeline import Timeline
from aether.errors import AetherError
from aether.model import events as e
from aether.model.limits import DEFAULT_LIMITS
from aether.server.http.messages import HttpError
from aether.server.past_answers import timeline_row
from aether.wire.convert import event_from_proto
from aether.wire.documents import event_document, event_of_document
from aether.wire.generated.aether.v1 import model_pb2 as pb
from aether.wire.plain import iso_time, plain

# The engine has its turn after so many events.
_TURN = 50
_CLOSED = {e.RunCompleted: "COMPLETED", e.RunFailed: "FAILED", e.RunCancelled: "CANCELLED"}


async def imported(document: object) -> dict[str, object]:
    """What the page shows of a run, from `{"events": […]}`. Raises HttpError."""
    events = document.get("events") if isinstance(document, Mapping) else None
    if not isinstance(events, list) or not events:
        raise _wrong("events must be the list of a run's events")
    if len(events) > DEFAULT_LIMITS.history_max:
        raise _wrong(f"no history has more than {DEFAULT_LIMITS.history_max} events")
    timeline, shown, first, last = Timeline(), [], None, None
    for seq, each in enumerate(events, 1):
        message, last = _event(seq, each)
        first = first or last
        _add(timeline, last)
        shown.append(event_document(message))
        if seq % _TURN == 0:
            await trio.lowlevel.checkpoint()
    assert first is not None
    assert last is not None
    return {"info": _info(first, last), **_outcome(shown[-1]), "events": shown, "rows": _rows(timeline)}


def _event(seq: int, document: object) -> tuple[pb.Event, e.Event]:
    try:
        message = event_of_document(document)
        event = event_from_proto(message)
    except (AetherError, ValueError, RecursionError) as fault:
        raise _wrong(str(fault)) from None
    if event.seq != seq:
        raise _wrong(f"event {seq} is missing: event {event.seq} stands in its place")
    if seq == 1 and not isinstance(event.fact, e.RunCreated):
        raise _wrong("a history begins with RunCreated")
    return message, event


def _add(timeline: Timeline, event: e.Event) -> None:
    try:
        timeline.add(event)
    except (LookupError, ValueError):
        raise _wrong(f"event {event.seq} does not fit those before it") from None


def _rows(timeline: Timeline) -> list[dict[str, object]]:
    try:
        return [plain(timeline_row(row)) for row in timeline.rows()]
    except ValueError:
        raise _wrong("a path in it is none") from None


def _info(first: e.Event, last: e.Event) -> dict[str, object]:
    created = first.fact
    assert isinstance(created, e.RunCreated)
    state = _CLOSED.get(type(last.fact), "RUNNING" if last.seq > 1 else "PENDING")
    return {
        "workflow_id": created.workflow_id,
        "run_id": created.run_id,
        "workflow_type": created.workflow_type,
        "task_queue": created.task_queue,
        "state": state,
        "created_at": iso_time(first.at),
        "closed_at": iso_time(last.at) if type(last.fact) in _CLOSED else None,
        "history_length": last.seq,
        "tags": dict(created.tags),
    }


def _outcome(last: dict[str, object]) -> dict[str, object]:
    """What the last event says of how the run ended."""
    if last["event"] == "RunCompleted":
        return {"result": last.get("result")}
    return {"failure": last["failure"]} if "failure" in last and last["event"] == "RunFailed" else {}


def _wrong(words: str) -> HttpError:
    return HttpError(400, words, code="INVALID_ARGUMENT")
