"""A history that somebody has in a file, seen as if it were here: parsed, shown and kept nowhere.

It is what `aether history ID -o jsonl` writes, an event a line; the page makes that of any file that holds a history.
Line by line, because a file may be long, and the engine is to have its turn in between. Whatever else it may be, the
answer is what is wrong with it.
"""

import trio

from aether.core.timeline import Timeline
from aether.errors import AetherError
from aether.model import events as e
from aether.model.limits import DEFAULT_LIMITS
from aether.server.http.api import json_of
from aether.server.http.messages import HttpError, Response, json_response, json_text
from aether.server.past_answers import timeline_row
from aether.wire.convert import event_from_proto
from aether.wire.documents import event_document, event_of_document
from aether.wire.generated.aether.v1 import model_pb2 as pb
from aether.wire.plain import iso_time, plain

# The engine has its turn after so many events.
_TURN = 50
_CLOSED = {e.RunCompleted: "COMPLETED", e.RunFailed: "FAILED", e.RunCancelled: "CANCELLED"}


async def imported(body: bytes) -> Response:
    """What the page shows of a run that it has not got already. Raises HttpError."""
    timeline = Timeline()
    first: e.Event | None = None
    begin, seq = 0, 0
    while begin < len(body):
        end = body.find(b"\n", begin) % (len(body) + 1)
        line, begin = body[begin:end].strip(), end + 1
        if not line:
            continue
        seq += 1
        if seq > DEFAULT_LIMITS.history_max:
            raise _wrong(f"no history has more than {DEFAULT_LIMITS.history_max} events")
        message, last = _event(seq, line)
        first = first or last
        _add(timeline, last)
        if seq % _TURN == 0:
            await trio.lowlevel.checkpoint()
    if first is None:
        raise _wrong("a history has an event on each line")
    rows = await _rows(timeline)
    head = json_text({"info": _info(first, last), **_outcome(event_document(message))})
    return json_response(f'{head[:-1]},"rows":[{",".join(rows)}]}}')


def _event(seq: int, line: bytes) -> tuple[pb.Event, e.Event]:
    try:
        message = event_of_document(json_of(line))
        event = event_from_proto(message)
    except HttpError as fault:
        raise _wrong(f"line {seq}: {fault.words.replace('the body', 'it')}") from None
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


async def _rows(timeline: Timeline) -> list[str]:
    try:
        rows = timeline.rows()
    except ValueError:
        raise _wrong("a path in it is none") from None
    shown = []
    for row in rows:
        shown.append(json_text(plain(timeline_row(row))))
        if len(shown) % _TURN == 0:
            await trio.lowlevel.checkpoint()
    return shown


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
