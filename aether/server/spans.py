"""What a run did, as spans of OpenTelemetry in the JSON of OTLP: events of one run in, spans of what is over out. Pure.

A span is told when what it is about is over: an attempt of a step or an activity at once, so a run that is stuck shows
how it came there, and the run itself last. Ids follow from the run, the path and the attempt, so the same history gives
the same spans however often it is told, by whichever server. Payloads and messages of failures stay at home: spans go
to other places than histories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from attrs import define, field

from aether.model import events as e
from aether.model.payload import ABORTED, Failure
from aether.model.runs import ParentClosePolicy
from aether.model.tracing import Origin, origin_of, parse_traceparent, span_id

Span = dict[str, object]
F = TypeVar("F")
_INTERNAL, _CONSUMER = 1, 5
_ERROR: Final = 2
# Changes of the worker that are told with the span of a run: the last ones.
_STARTS_MAX: Final = 32


@define
class _Open:
    """Something that has begun at a path. `started_at` is 0 while no attempt of it is under way."""

    kind: str
    name: str
    due_at: int
    started_at: int = 0
    attempt: int = 0
    worker_id: str = ""
    link: tuple[str, str] | None = None


@define
class RunSpans:
    """Give it the events of a run in their order."""

    last_seq: int = 0
    is_over: bool = False
    _run_id: str = ""
    _origin: Origin = field(factory=lambda: Origin("", ""))
    # Attributes of every span.
    _own: list[object] = field(factory=list)
    _type: str = ""
    _forked_from: str = ""
    _created_at: int = 0
    # Up to here the history is that of another run, which has told it.
    _shared_seq: int = 0
    _open: dict[str, _Open] = field(factory=dict)
    _starts: list[Span] = field(factory=list)

    def add(self, event: e.Event) -> list[Span]:
        """What is over by that event."""
        self.last_seq = event.seq
        rule = _RULES.get(type(event.fact))
        if rule is None:
            return []
        spans = list(rule(self, event.fact, event.at))
        return spans if self._origin.is_sampled and event.seq > self._shared_seq else []

    # For the rules below.

    def begin(self, fact: e.RunCreated, at: int) -> None:
        self._run_id, self._type, self._created_at = fact.run_id, fact.workflow_type, at
        self._origin = origin_of(fact.traceparent, fact.run_id)
        self._forked_from, self._shared_seq = fact.forked_from_run_id, fact.forked_at_seq
        self._own = _attributes(
            ("aether.workflow.id", fact.workflow_id),
            ("aether.run.id", fact.run_id),
            ("aether.workflow.type", fact.workflow_type),
            ("aether.queue", fact.task_queue),
        )

    def forked(self, at: int) -> None:
        """From now on it is the run's own."""
        self._created_at = at

    def started(self, fact: e.RunStarted, at: int) -> None:
        told = _attributes(
            ("aether.worker", fact.worker_id), ("aether.attempt", fact.attempt), ("aether.reason", fact.reason)
        )
        self._starts = [*self._starts[-_STARTS_MAX + 1 :], _moment("started", at, told)]

    def open(self, path: str, what: _Open) -> None:
        self._open[path] = what

    def at(self, path: str) -> _Open:
        return self._open[path]

    def closed(self, path: str) -> _Open | None:
        return self._open.pop(path, None)

    def told(self, path: str, what: _Open, at: int, state: str, failure: Failure | None = None) -> Span:
        """The span of what is over, or of an attempt of it."""
        start = what.started_at or what.due_at
        span = self._span(span_id(self._run_id, path, what.attempt), span_id(self._run_id), what.kind, what.name)
        if what.started_at > what.due_at:
            span["events"] = [_moment("ready", what.due_at, [])]
        if what.link is not None:
            span["links"] = [{"traceId": what.link[0], "spanId": what.link[1]}]
        more: list[tuple[str, str | int]] = [("aether.path", path), ("aether.worker", what.worker_id)]
        if what.attempt:
            more.append(("aether.attempt", what.attempt))
        return _finished(span, (start, at), state, failure, more)

    def step(
        self, fact: e.StepCompleted | e.StepFailed | e.StepRetried, at: int, failure: Failure | None, state: str = ""
    ) -> Span:
        before = self.closed(fact.path)
        began = fact.started_at or (before.due_at if before is not None else at)
        due_at = before.due_at if before is not None else began
        what = _Open("step", fact.name, due_at, began, fact.attempt)
        return self.told(fact.path, what, at, state or ("failed" if failure else "completed"), failure)

    def child(self, fact: e.ChildStarted, at: int) -> _Open:
        """A child is part of the trace, unless it goes on for itself."""
        apart = fact.parent_close_policy is ParentClosePolicy.ABANDON
        trace_id = origin_of("", fact.run_id).trace_id if apart else self._origin.trace_id
        return _Open("child", fact.workflow_type, at, at, link=(trace_id, span_id(fact.run_id)))

    def signal(self, fact: e.SignalReceived, at: int) -> Span:
        own = span_id(self._run_id, "signal", self.last_seq)
        span = self._span(own, span_id(self._run_id), "signal", fact.name)
        span["kind"] = _CONSUMER
        sender = parse_traceparent(fact.traceparent)
        if sender is not None:
            span["links"] = [{"traceId": sender.trace_id, "spanId": sender.span_id}]
        return _finished(span, (at, at), "completed", None, [])

    def finish(self, at: int, state: str, failure: Failure | None = None) -> Iterator[Span]:
        """The run is over, and so is what it has not waited for."""
        self.is_over = True
        for path, what in self._open.items():
            if what.kind != "step" and (what.kind != "activity" or what.started_at):
                yield self.told(path, what, at, "abandoned")
        self._open.clear()
        span = self._span(span_id(self._run_id), self._origin.span_id, "workflow", self._type)
        if self._starts:
            span["events"] = self._starts
        if self._forked_from:
            # Both began with the same start; a run that nobody traced began a trace of its own.
            own = self._origin.span_id == ""
            origin = origin_of("", self._forked_from) if own else self._origin
            span["links"] = [{"traceId": origin.trace_id, "spanId": span_id(self._forked_from)}]
        yield _finished(span, (self._created_at, at), state, failure, [])

    def _span(self, own: str, parent: str, kind: str, name: str) -> Span:
        span: Span = {
            "traceId": self._origin.trace_id,
            "spanId": own,
            "name": f"{kind} {name}".strip(),
            "kind": _INTERNAL,
            "attributes": [*self._own, *_attributes(("aether.kind", "run" if kind == "workflow" else kind))],
        }
        if parent:
            span["parentSpanId"] = parent
        return span


def _moment(name: str, at: int, attributes: list[object]) -> Span:
    return {"name": name, "timeUnixNano": str(at * 1000), "attributes": attributes}


def _finished(
    span: Span, times: tuple[int, int], state: str, failure: Failure | None, more: Iterable[tuple[str, str | int]]
) -> Span:
    start, end = times
    span["startTimeUnixNano"] = str(start * 1000)
    span["endTimeUnixNano"] = str(max(start, end) * 1000)
    kind = failure.type if failure is not None else ""
    attributes = span["attributes"]
    assert isinstance(attributes, list)
    attributes += _attributes(("aether.state", state), *more, ("error.type", kind))
    if kind:
        span["status"] = {"code": _ERROR, "message": kind}
    return span


def _attributes(*pairs: tuple[str, str | int]) -> list[object]:
    """Those that are not empty."""
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in pairs
        if value != ""
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


_RULES: dict[type, Callable[[RunSpans, e.Fact, int], Iterable[Span]]] = {}


def _rule(
    *kinds: type[F],
) -> Callable[[Callable[[RunSpans, F, int], Iterable[Span]]], Callable[[RunSpans, F, int], Iterable[Span]]]:
    def register(rule: Callable[[RunSpans, F, int], Iterable[Span]]) -> Callable[[RunSpans, F, int], Iterable[Span]]:
        for kind in kinds:
            _RULES[kind] = rule  # type: ignore[assignment]
        return rule

    return register


@_rule(e.RunCreated)
def _(run: RunSpans, fact: e.RunCreated, at: int) -> Iterable[Span]:
    run.begin(fact, at)
    return ()


@_rule(e.RunForked)
def _(run: RunSpans, fact: e.RunForked, at: int) -> Iterable[Span]:
    run.forked(at)
    return ()


@_rule(e.RunStarted)
def _(run: RunSpans, fact: e.RunStarted, at: int) -> Iterable[Span]:
    run.started(fact, at)
    return ()


@_rule(e.RunCompleted)
def _(run: RunSpans, fact: e.RunCompleted, at: int) -> Iterable[Span]:
    return run.finish(at, "completed")


@_rule(e.RunFailed)
def _(run: RunSpans, fact: e.RunFailed, at: int) -> Iterable[Span]:
    return run.finish(at, "failed", fact.failure)


@_rule(e.RunCancelled)
def _(run: RunSpans, fact: e.RunCancelled, at: int) -> Iterable[Span]:
    return run.finish(at, "cancelled")


@_rule(e.StepCompleted)
def _(run: RunSpans, fact: e.StepCompleted, at: int) -> Iterable[Span]:
    return (run.step(fact, at, None),)


@_rule(e.StepFailed)
def _(run: RunSpans, fact: e.StepFailed, at: int) -> Iterable[Span]:
    if fact.failure == ABORTED:
        return (run.step(fact, at, None, state="cancelled"),)
    return (run.step(fact, at, fact.failure),)


@_rule(e.StepRetried)
def _(run: RunSpans, fact: e.StepRetried, at: int) -> Iterable[Span]:
    span = run.step(fact, at, fact.failure)
    run.open(fact.path, _Open("step", fact.name, fact.next_at))
    return (span,)


@_rule(e.ActivityScheduled)
def _(run: RunSpans, fact: e.ActivityScheduled, at: int) -> Iterable[Span]:
    run.open(fact.path, _Open("activity", fact.activity_type, at))
    return ()


@_rule(e.ActivityStarted)
def _(run: RunSpans, fact: e.ActivityStarted, at: int) -> Iterable[Span]:
    what = run.at(fact.path)
    what.started_at, what.attempt, what.worker_id = at, fact.attempt, fact.worker_id
    return ()


@_rule(e.ActivityRetried)
def _(run: RunSpans, fact: e.ActivityRetried, at: int) -> Iterable[Span]:
    what = run.at(fact.path)
    span = run.told(fact.path, what, at, "failed", fact.failure)
    what.due_at, what.started_at = fact.next_at, 0
    return (span,)


@_rule(e.TimerStarted)
def _(run: RunSpans, fact: e.TimerStarted, at: int) -> Iterable[Span]:
    run.open(fact.path, _Open("timer", "", at, at))
    return ()


@_rule(e.PromiseCreated)
def _(run: RunSpans, fact: e.PromiseCreated, at: int) -> Iterable[Span]:
    run.open(fact.path, _Open("promise", fact.name, at, at))
    return ()


@_rule(e.ChildStarted)
def _(run: RunSpans, fact: e.ChildStarted, at: int) -> Iterable[Span]:
    run.open(fact.path, run.child(fact, at))
    return ()


@_rule(e.SignalReceived)
def _(run: RunSpans, fact: e.SignalReceived, at: int) -> Iterable[Span]:
    return (run.signal(fact, at),)


@_rule(e.TimerFired)
def _(run: RunSpans, fact: e.TimerFired, at: int) -> Iterable[Span]:
    if run.at(fact.path).kind == "step":
        # Its next attempt begins.
        return ()
    what = run.closed(fact.path)
    assert what is not None
    return (run.told(fact.path, what, at, "completed"),)


def _over(kind: type, state: str) -> None:
    def rule(run: RunSpans, fact: e.Fact, at: int) -> Iterable[Span]:
        path: str = fact.path  # type: ignore[union-attr]
        what = run.closed(path)
        if what is None or what.kind == "step":
            return ()
        if not what.started_at:
            # The next attempt was waited for and did not come: its number is that of none.
            what.attempt = 0
        return (run.told(path, what, at, state, getattr(fact, "failure", None)),)

    _RULES[kind] = rule


for _kind, _state in (
    (e.ActivityCompleted, "completed"),
    (e.ActivityFailed, "failed"),
    (e.ActivityCancelled, "cancelled"),
    (e.TimerCancelled, "cancelled"),
    (e.ChildCompleted, "completed"),
    (e.ChildFailed, "failed"),
    (e.ChildCancelled, "cancelled"),
    (e.PromiseResolved, "completed"),
    (e.PromiseRejected, "failed"),
    (e.PromiseDropped, "cancelled"),
):
    _over(_kind, _state)
