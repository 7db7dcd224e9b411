"""What a run did, as spans of OpenTelemetry in the JSON of OTLP. Pure.

Ids follow from the run, the path and the attempt, so the same history gives the same spans however often it is told, by
whichever server. A child's span has its parent's span at that path as its parent, in the parent's trace. Payloads and
messages of failures stay at home: spans go to other places than histories.
"""

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

from attrs import frozen

from aether.core.timeline import Attempt, Row, RowKind, RowState

Span = dict[str, object]
TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_ATTEMPTED = (RowKind.STEP, RowKind.ACTIVITY)
_INTERNAL = 1
_ERROR = 2


@frozen
class Identity:
    """Which run it is. `parent_span` is empty for the first span of a trace; `forked_from` is a run id, or empty."""

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    trace_id: str
    parent_span: str = ""
    forked_from: str = ""


def trace_of(traceparent: str, run_id: str) -> tuple[str, str]:
    """(trace, parent span) for a run that nobody else is the parent of."""
    match = TRACEPARENT.fullmatch(traceparent)
    return (match[1], match[2]) if match else (_hash(run_id, 16), "")


def span_id(run_id: str, path: str = "", attempt: int = 0) -> str:
    return _hash(f"{run_id}/{path}/{attempt}", 8)


def _hash(text: str, size: int) -> str:
    return blake2b(text.encode(), digest_size=size).hexdigest()


def spans_of(rows: Sequence[Row], identity: Identity) -> list[Span]:
    """Of a closed run: one for the run, one for each attempt, one for each thing else that took time."""
    spans: list[Span] = []
    for row in rows:
        if row.kind in {RowKind.SIGNAL, RowKind.VALUE}:
            continue
        if row.kind in _ATTEMPTED and row.attempts:
            spans.extend(_attempt(identity, row, attempt) for attempt in row.attempts if attempt.started_at)
        else:
            spans.append(_row(identity, row))
    return spans


def _row(identity: Identity, row: Row) -> Span:
    is_run = row.kind is RowKind.RUN
    span = _span(
        identity,
        span_id(identity.run_id, row.path),
        identity.parent_span if is_run else span_id(identity.run_id),
        f"workflow {row.name}" if is_run else f"{row.kind} {row.name}".strip(),
        row.created_at if is_run else row.started_at or row.created_at,
        row.ended_at,
    )
    if is_run and identity.forked_from:
        # The run that it was forked from began a trace of its own, if nobody else had.
        origin = identity.forked_from
        span["links"] = [{"traceId": trace_of("", origin)[0], "spanId": span_id(origin)}]
    failed = row.state is RowState.FAILED
    return _finished(span, row, row.worker_id, row.failure.type if row.failure and failed else "", failed=failed)


def _attempt(identity: Identity, row: Row, attempt: Attempt) -> Span:
    span = _span(
        identity,
        span_id(identity.run_id, row.path, attempt.number),
        span_id(identity.run_id),
        f"{row.kind} {row.name}",
        attempt.started_at,
        attempt.ended_at or row.ended_at,
    )
    span["attributes"] = [*_attributes(("aether.attempt", attempt.number)), *_list(span["attributes"])]
    failure = attempt.failure.type if attempt.failure else ""
    return _finished(span, row, attempt.worker_id, failure, failed=bool(failure))


def _span(identity: Identity, own: str, parent: str, name: str, start: int, end: int) -> Span:
    span: Span = {
        "traceId": identity.trace_id,
        "spanId": own,
        "name": name,
        "kind": _INTERNAL,
        "startTimeUnixNano": str(start * 1000),
        "endTimeUnixNano": str(max(end, start) * 1000),
        "attributes": _attributes(
            ("aether.workflow.id", identity.workflow_id),
            ("aether.run.id", identity.run_id),
            ("aether.workflow.type", identity.workflow_type),
            ("aether.queue", identity.task_queue),
        ),
    }
    if parent:
        span["parentSpanId"] = parent
    return span


def _finished(span: Span, row: Row, worker_id: str, failure: str, *, failed: bool) -> Span:
    more: list[tuple[str, str | int]] = [("aether.kind", str(row.kind)), ("aether.state", str(row.state))]
    if row.path:
        more.append(("aether.path", row.path))
    if worker_id:
        more.append(("aether.worker", worker_id))
    if failure:
        more.append(("error.type", failure))
    span["attributes"] = [*_list(span["attributes"]), *_attributes(*more)]
    if failed:
        span["status"] = {"code": _ERROR, "message": failure}
    return span


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def _attributes(*pairs: tuple[str, str | int]) -> list[object]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in pairs
    ]


def request_of(spans: Iterable[Span], version: str, node: str) -> dict[str, object]:
    """An ExportTraceServiceRequest."""
    resource = {
        "attributes": _attributes(
            ("service.name", "aether"), ("service.version", version), ("service.instance.id", node)
        )
    }
    scope = {"scope": {"name": "aether", "version": version}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}
