"""What the operating system tells about this process."""

import os
import resource
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")
_FDS = Path("/proc/self/fd")


def rss_bytes() -> int:
    """Resident memory; where it is not told, the most that it ever was."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def cpu_s() -> float:
    times = os.times()
    return times.user + times.system


def open_fds() -> int:
    """0 where it is not told."""
    try:
        return len(os.listdir(_FDS))  # noqa: PTH208 - names are enough, and quicker
    except OSError:
        return 0


def max_fds() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
