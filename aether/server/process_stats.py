"""What the operating system tells about this process."""

import os
import resource
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")
_STAT = Path("/proc/self/stat")
_MACHINE = Path("/proc/stat")
_FDS = Path("/proc/self/fd")


def rss_bytes() -> int:
    """Resident memory; where it is not told, the most that it ever was."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def virtual_bytes() -> int:
    """0 where it is not told."""
    try:
        return int(_STATM.read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def started_at_s() -> float:
    """When the process started, since 1970; 0 where it is not told."""
    try:
        # After the name, which may hold anything: field 22 of proc(5), in ticks since the machine started.
        ticks = int(_STAT.read_text().rpartition(")")[2].split()[19])
        booted = next(line for line in _MACHINE.read_text().splitlines() if line.startswith("btime "))
        return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, StopIteration):
        return 0.0


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
