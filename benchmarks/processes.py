"""Processes under measurement: started on free ports of loopback, ended by their id, and what they have used so far."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

STOP_S = 30.0


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


def cpu_s(pids: Sequence[int]) -> float:
    """CPU of processes and their threads so far (proc(5): utime and stime)."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def wakeups(pid: int) -> int:
    """How often threads of the process have begun to run after they had waited."""
    count = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                count += int(line.split()[1])
    return count


def aether_server(folder: Path, mode: str, *, port: int = 0) -> "tuple[subprocess.Popen[str], str]":
    """A server on a database in `folder`, and where it is."""
    command: list[object] = [sys.executable, "-m", "aether.cli", "serve", "--grpc-port", port, "--no-metrics"]
    if mode != "memory":
        command += ["--db", folder / "aether.db"]
    server = spawn(*command, "--persistence", mode, "--log-level", "error", cwd=folder, log=folder / "server.log")
    return server, line_of(server)
