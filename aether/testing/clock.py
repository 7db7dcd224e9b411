"""The real time, for those who want simulations to end at some time of theirs."""

import time
from collections.abc import Callable


def stopwatch() -> Callable[[], float]:
    """A function that tells the seconds since now."""
    started = time.monotonic()
    return lambda: time.monotonic() - started
