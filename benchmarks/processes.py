"""Processes under measurement: started on free ports of loopback, ended by their id, and what they have used so far."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

STOP_S = 30.0
_SYNCS = ("fsync", "fdatasync", "sync_file_range", "msync")
# It says nothing when it has begun to count.
_PERF_STARTS_S = 0.3


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def spawn(
    *command: object, log: Path | None = None, cwd: Path | None = None, **environment: str
) -> "subprocess.Popen[str]":
    """A process with pipes to its standard input and output; what it complains of goes to `log`."""
    return subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log.open("a") if log else subprocess.DEVNULL,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
    )


def line_of(process: "subprocess.Popen[str]") -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait(STOP_S)}")
    return line.rstrip("\n")


def stop(process: "subprocess.Popen[str]") -> None:
    if process.stdin is not None:
        process.stdin.close()
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)


def wait_for_port(port: int, within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


def family(pids: Sequence[int]) -> list[int]:
    """The processes and all that they have started: a database serves each connection by a process of its own."""
    found = list(pids)
    for pid in found:
        for thread in Path(f"/proc/{pid}/task").glob("*/children"):
            found += [int(child) for child in thread.read_text().split()]
    return found


def cpu_s(pids: Sequence[int]) -> float:
    """CPU of processes, their threads, and those they have started and seen the end of (proc(5): utime to cstime)."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return total


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def wakeups(pid: int) -> dict[str, int]:
    """How often each thread of the process has begun to run after it had waited."""
    counts = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                counts[thread.name] = int(line.split()[1])
    return counts


def wakeups_since(pid: int, before: dict[str, int]) -> int:
    return sum(count - before.get(thread, 0) for thread, count in wakeups(pid).items())


class SyncCount:
    """How often processes ask for data to be on disk: counted by `perf` where it may, and None elsewhere.

    What is asked for by way of io_uring is not seen.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._out = Path(self._folder.name) / "perf"
        self._perf: subprocess.Popen[str] | None = None
        if shutil.which("perf") is not None:
            events = ",".join(f"syscalls:sys_enter_{call}" for call in _SYNCS)
            watched = ",".join(map(str, pids))
            self._perf = spawn("perf", "stat", "-x", ",", "-e", events, "-o", self._out, "-p", watched)
            time.sleep(_PERF_STARTS_S)

    def stop(self) -> int | None:
        if self._perf is None:
            return None
        self._perf.send_signal(signal.SIGINT)
        self._perf.wait(STOP_S)
        text = self._out.read_text() if self._out.exists() else ""
        counts = [line.split(",")[0] for line in text.splitlines() if "sys_enter" in line]
        self._folder.cleanup()
        return sum(map(int, counts)) if counts and all(map(str.isdigit, counts)) else None


def aether_server(folder: Path, mode: str, *, port: int = 0) -> "tuple[subprocess.Popen[str], str]":
    """A server on a database in `folder`, and where it is."""
    command: list[object] = [sys.executable, "-m", "aether.cli", "serve", "--grpc-port", port, "--no-metrics"]
    if mode != "memory":
        command += ["--db", folder / "aether.db"]
    server = spawn(*command, "--persistence", mode, "--log-level", "error", cwd=folder, log=folder / "server.log")
    return server, line_of(server)
