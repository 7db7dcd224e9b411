"""The trace of the caller."""

from opentelemetry import trace

from aether.sdk.traces import current_traceparent


def test_a_caller_without_a_trace_has_none():
    assert current_traceparent() == ""


def test_a_callers_trace_is_told_as_others_write_it():
    context = trace.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        assert current_traceparent() == f"00-{'abc':0>32}-{'def':0>16}-01"
