"""Which trace a run belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether.model.tracing import Origin, origin_of, parse_traceparent, span_id, traceparent_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_traceparent_says_the_trace_the_span_and_whether_it_is_to_be_told():
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-01") == Origin(TRACE, SPAN, True)
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-00") == Origin(TRACE, SPAN, False)
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-03") == Origin(TRACE, SPAN, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-xyz",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"01-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_what_is_no_traceparent_is_left_out_and_the_run_begins_a_trace(text):
    assert parse_traceparent(text) is None
    origin = origin_of(text, "run-1")
    assert (len(origin.trace_id), origin.span_id, origin.is_sampled) == (32, "", True)
    assert origin != origin_of(text, "run-2")


@given(st.text(max_size=20), st.from_regex(r"([1-9]\.){0,3}[1-9]", fullmatch=True), st.integers(0, 9), st.booleans())
def test_what_is_handed_on_is_a_traceparent_of_the_same_trace(run_id, path, attempt, is_sampled):
    origin = Origin(TRACE, "", is_sampled)
    handed = parse_traceparent(traceparent_of(origin, run_id, path, attempt))
    assert handed == Origin(TRACE, span_id(run_id, path, attempt), is_sampled)
    assert span_id(run_id, path, attempt) != span_id(run_id, path, attempt + 1)
