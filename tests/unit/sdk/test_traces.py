"""The traces that code is in."""

import subprocess
import sys

from opentelemetry import trace

from aether.model.tracing import Origin, origin_of, span_id, traceparent_of
from aether.sdk.traces import current_traceparent, enter, leave, traced_run

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-01"


def test_a_caller_without_a_trace_has_none():
    assert current_traceparent() == ""


def test_a_callers_trace_is_told_as_others_write_it():
    context = trace.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        assert current_traceparent() == f"00-{'abc':0>32}-{'def':0>16}-01"


def test_code_is_within_the_span_that_it_is_given_until_it_leaves():
    for given in (CALLER, CALLER[:-1] + "0"):
        token = enter(given)
        assert current_traceparent() == given
        leave(token)
        assert current_traceparent() == ""
    leave(enter("what is none"))
    assert current_traceparent() == ""


def test_a_step_is_within_its_own_attempt():
    traced = traced_run(CALLER, "run")
    assert traced is not None
    token = traced.enter("1.2", 3)
    assert current_traceparent() == f"00-{TRACE}-{span_id('run', '1.2', 3)}-01"
    leave(token)


def test_a_run_that_was_started_outside_of_any_trace_is_one_by_itself():
    traced = traced_run("", "run")
    assert traced is not None
    token = traced.enter("1", 1)
    assert current_traceparent() == traceparent_of(origin_of("", "run"), "run", "1", 1)
    leave(token)


def test_a_process_that_does_not_use_it_is_not_made_to():
    script = (
        "import sys, aether\n"
        "from aether.sdk.traces import current_traceparent, enter, leave, traced_run\n"
        f"leave(enter({CALLER!r}))\n"
        f"assert traced_run({CALLER!r}, 'run') is None\n"
        "assert current_traceparent() == ''\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_is_entered_has_the_form_that_is_handed_on():
    assert traceparent_of(Origin(TRACE, "", is_sampled=False), "run", "1", 1).endswith("-00")
