"""The trace that the calling code is in, if it uses OpenTelemetry."""

import sys


def current_traceparent() -> str:
    """In the form of W3C Trace Context; empty when there is none. Never imports OpenTelemetry: who uses it has it."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return ""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
