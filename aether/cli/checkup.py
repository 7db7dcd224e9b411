"""What `aether doctor` looks at of the machine: its disk, its limits, its ports, its terminal."""

import errno
import os
import resource
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import get_terminal_size

from aether.cli.call import Caller
from aether.cli.clock import monotonic
from aether.cli.findings import Finding, Level
from aether.errors import AetherError
from aether.server.settings import Settings
from aether.wire.generated.grpc.health.v1 import health_pb2

# A commit waits for a sync. Beyond this people notice.
_SLOW_SYNC_S = 0.05
# Each connection takes one file, and the database some.
_FILES_MIN = 1024
# They promise a sync that they do not keep, or forget all at a restart of the machine.
_FAR = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "glusterfs")
_FLEETING = ("tmpfs", "ramfs")
_PATIENCE_S = 2.0


def check_machine(folder: Path | None) -> Iterator[Finding]:
    """`folder` is where the database is; None if none is kept on a disk."""
    if folder is not None and os.access(folder, os.W_OK | os.X_OK):
        yield check_sync(folder)
        yield from check_file_system(folder, _mounts())
    yield check_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if sys.stdout.isatty():
        yield check_terminal(sys.stdout.encoding, get_terminal_size().columns, os.environ.get("TERM", ""))


def check_sync(folder: Path) -> Finding:
    """How long the disk takes to keep a page; the file that is written has no name."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            begun = monotonic()
            os.fsync(file.fileno())
            took = monotonic() - begun
    except OSError as error:
        return Finding(Level.FAIL, "disk", f"{folder} takes no file ({error.strerror})", "make room, or open it")
    level = Level.WARN if took > _SLOW_SYNC_S else Level.OK
    advice = "each commit waits for that: use a faster disk" if level is Level.WARN else ""
    return Finding(level, "disk", f"a sync in {folder} takes {took * 1000:.1f} ms", advice)


def check_file_system(folder: Path, mounts: list[tuple[str, str]]) -> Iterator[Finding]:
    """`mounts` are places and kinds of file systems."""
    above = [str(folder), *map(str, folder.parents)]
    found = [(len(place), kind) for place, kind in mounts if place in above]
    if not found:
        return
    kind = max(found)[1]
    if kind.startswith(_FAR):
        text = f"{folder} is on another machine ({kind})"
        advice = "SQLite's locks and syncs need a disk of this one: name another place"
        yield Finding(Level.WARN, "disk", text, advice)
    elif kind in _FLEETING:
        text = f"{folder} is in memory ({kind})"
        yield Finding(Level.WARN, "disk", text, "all is gone when the machine starts again: name another place")


def _mounts() -> list[tuple[str, str]]:
    try:
        lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [(words[1], words[2]) for words in (line.split() for line in lines) if len(words) > 2]


def check_open_files(limit: int) -> Finding:
    if limit != resource.RLIM_INFINITY and limit < _FILES_MIN:
        return Finding(Level.WARN, "limits", f"at most {limit} open files", f"`ulimit -n {_FILES_MIN}` or more")
    return Finding(Level.OK, "limits", "open files without limit" if limit < 0 else f"at most {limit} open files")


def check_terminal(encoding: str, columns: int, kind: str) -> Finding:
    if encoding.lower().replace("-", "") != "utf8":
        return Finding(Level.WARN, "terminal", f"shows {encoding}, not UTF-8", "set LC_ALL=C.UTF-8, or use --ascii")
    if columns < 60 or kind == "dumb":
        return Finding(Level.WARN, "terminal", f"{columns} columns, TERM={kind}", "`aether top` wants 60 columns")
    return Finding(Level.OK, "terminal", f"{columns} columns, UTF-8")


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Whether a server can listen; one that listens there already is no fault."""
    wanted = [("grpc_port", settings.grpc_host, settings.grpc_port, True)]
    wanted.append(("http_port", settings.http_host, settings.http_port, settings.web_enabled))
    wanted.append(("metrics_port", settings.metrics_host, settings.metrics_port, settings.metrics_enabled))
    taken = [(name, port) for name, host, port, is_on in wanted if is_on and port and _is_taken(host, port)]
    if not taken:
        free = ", ".join(str(port) if port else "any" for _, _, port, is_on in wanted if is_on)
        yield Finding(Level.OK, "ports", f"free: {free}")
        return
    shown = ", ".join(str(port) for _, port in taken)
    if _is_aether(settings):
        yield Finding(Level.OK, "ports", f"{shown}: an aether server listens there")
        return
    is_given = any(name in settings.given for name, _ in taken)
    flags = ", ".join(f"--{name.replace('_', '-')}" for name, _ in taken)
    text = f"{shown}: another program listens there"
    yield Finding(Level.FAIL if is_given else Level.WARN, "ports", text, f"end it, or name others: {flags}")


def _is_taken(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def _is_aether(settings: Settings) -> bool:
    scheme = "https" if settings.tls_cert else "http"
    host = f"[{settings.grpc_host}]" if ":" in settings.grpc_host else settings.grpc_host
    try:
        Caller(f"{scheme}://{host}:{settings.grpc_port}", _PATIENCE_S).unary(
            "/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest()
        )
    except AetherError:
        return False
    return True
