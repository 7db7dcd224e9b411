"""The traces of OpenTelemetry that code is in, if it uses OpenTelemetry.

Nothing here imports it: a process in which nobody else has done so has no spans of its own, and nothing is to be done.
"""

import sys
from types import ModuleType
from typing import Any

from aether.model.tracing import Origin, origin_of, parse_traceparent, traceparent_of


def current_traceparent() -> str:
    """Of the calling code, in the form of W3C Trace Context; empty when it is in no trace."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return ""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


class Traced:
    """The trace of a run, for code whose spans are to nest in those of its attempts."""

    def __init__(self, origin: Origin, run_id: str) -> None:
        self._origin = origin
        self._run_id = run_id

    def enter(self, path: str, attempt: int) -> object:
        """The code that follows is that attempt of a step."""
        return enter(traceparent_of(self._origin, self._run_id, path, attempt))


def traced_run(traceparent: str, run_id: str) -> Traced | None:
    """Of a run that somebody traces. None if this process uses no OpenTelemetry."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    return Traced(origin_of(traceparent, run_id), run_id)


def enter(traceparent: str) -> object:
    """The code that follows is within that span. What is given back, `leave` takes."""
    trace: Any = sys.modules.get("opentelemetry.trace")
    origin = parse_traceparent(traceparent)
    if trace is None or origin is None:
        return None
    flags = trace.TraceFlags(origin.is_sampled)
    context = trace.SpanContext(int(origin.trace_id, 16), int(origin.span_id, 16), is_remote=True, trace_flags=flags)
    return _context().attach(trace.set_span_in_context(trace.NonRecordingSpan(context)))


def leave(token: object) -> None:
    if token is not None:
        _context().detach(token)


def _context() -> Any:
    # `opentelemetry.trace` imports it.
    module: ModuleType = sys.modules["opentelemetry.context"]
    return module
