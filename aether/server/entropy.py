"""The only place that draws random bits: ids that nobody can guess or repeat."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_source: Callable[[int], bytes] = os.urandom


def new_id() -> str:
    """128 random bits in hexadecimal."""
    return _source(16).hex()


@contextmanager
def drawing_from(source: Callable[[int], bytes]) -> Iterator[None]:
    """For tests that must be repeatable: within the block, `source` gives the bytes."""
    global _source  # noqa: PLW0603 - one seam for the whole process is the point
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before
