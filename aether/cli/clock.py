"""The clock of the commands: the one file here that looks at it."""

import time


def now_us() -> int:
    """Wall clock, in microseconds since the Unix epoch."""
    return time.time_ns() // 1000


def monotonic() -> float:
    """Seconds that only ever grow, for deadlines."""
    return time.monotonic()


def pause(seconds: float) -> None:
    time.sleep(seconds)
