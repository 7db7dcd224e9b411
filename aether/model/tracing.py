"""Traces: which one a run belongs to, and the ids of its spans, in the form of W3C Trace Context.

Ids follow from the run, the path and the attempt, so whoever tells the same history tells the same spans: the server
that projects them, and the worker whose code other spans are to nest in.
"""

import re
from hashlib import blake2b
from typing import Final, NamedTuple

_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_ZEROS: Final = ("0" * 32, "0" * 16)
_SAMPLED: Final = 1


class Origin(NamedTuple):
    """Where a run comes from. `span_id` is empty when it is the first of its trace."""

    trace_id: str
    span_id: str
    # What whoever began the trace wants: False means that nobody is to tell spans of it.
    is_sampled: bool = True


def parse_traceparent(text: str) -> Origin | None:
    """None if it is not a `traceparent` of version 00."""
    match = _TRACEPARENT.fullmatch(text)
    if match is None or match[1] == _ZEROS[0] or match[2] == _ZEROS[1]:
        return None
    return Origin(match[1], match[2], bool(int(match[3], 16) & _SAMPLED))


def origin_of(traceparent: str, run_id: str) -> Origin:
    """The trace of a run: the one that its start was part of, or one of its own."""
    return parse_traceparent(traceparent) or Origin(_hash(run_id, 16), "")


def span_id(run_id: str, path: str = "", attempt: int = 0) -> str:
    """Of a run, of what it has at a path, of an attempt of that."""
    return _hash(f"{run_id}/{path}/{attempt}", 8)


def traceparent_of(origin: Origin, run_id: str, path: str, attempt: int = 0) -> str:
    """What code that runs there hands on to those it calls."""
    return f"00-{origin.trace_id}-{span_id(run_id, path, attempt)}-{'01' if origin.is_sampled else '00'}"


def _hash(text: str, size: int) -> str:
    return blake2b(text.encode(), digest_size=size).hexdigest()
