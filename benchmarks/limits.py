"""What this machine allows at most: the disk, loopback, the gRPC codec and the store, each by itself.

    python benchmarks/limits.py [--seconds 1]

Stands beside every comparison of `compare.py`, as a workflow can not be quicker than what it is made of.
"""

import argparse
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from attrs import frozen

sys.path.insert(0, str(Path(__file__).parents[1]))

from aether.store.sqlite import SqliteStore
from benchmarks.processes import line_of, spawn, stop
from benchmarks.store import flush_loop, sqlite_loop, store_loop
from benchmarks.transport import Server, measure

BODY = 256
BATCH = 64
MESSAGE = 128


@frozen
class Limit:
    name: str
    per_s: float
    p50_ms: float | None


def loopback(seconds: float) -> Limit:
    """A message there and back over TCP, one at a time, between two processes of plain Python."""
    echo = spawn(sys.executable, __file__, "--echo")
    try:
        with socket.create_connection(("127.0.0.1", int(line_of(echo)))) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            took, began = [], time.perf_counter()
            now = began
            while now - began < seconds:
                client.sendall(bytes(MESSAGE))
                client.recv(MESSAGE, socket.MSG_WAITALL)
                then, now = now, time.perf_counter()
                took.append(now - then)
    finally:
        stop(echo)
    return Limit(f"loopback, {MESSAGE} B there and back", len(took) / (now - began), statistics.median(took) * 1e3)


def echo() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := connection.recv(MESSAGE):
                connection.sendall(data)


def codec(seconds: float) -> Limit:
    server = Server("aether", sys.executable)
    try:
        rate, _, _ = measure(server, "unary", seconds)
    finally:
        server.stop()
    return Limit("gRPC alone, unary, 64 in flight", rate, None)


def limits(seconds: float = 1.0) -> list[Limit]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        flushes = flush_loop(place, BODY, seconds)
        rows = sqlite_loop(place, bytes(BODY), BATCH, seconds)
        store = store_loop(SqliteStore(str(place / "store.db")), bytes(BODY), BATCH, seconds)
    return [
        Limit("append of 256 B and fdatasync", flushes.per_s, flushes.p50_ms),
        loopback(seconds),
        codec(seconds),
        Limit(f"rows of bare SQLite, {BATCH} to a commit", rows.per_s, rows.p50_ms),
        Limit(f"events of the bare store, {BATCH} to a commit", store.per_s, store.p50_ms),
    ]


def show(found: list[Limit]) -> None:
    print(f"\n{'limits of this machine':48}{'per s':>12}{'p50 ms':>10}")
    for limit in found:
        print(f"  {limit.name:46}{limit.per_s:>12,.0f}" + ("" if limit.p50_ms is None else f"{limit.p50_ms:>10.3f}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--echo", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.echo:
        echo()
    else:
        show(limits(options.seconds))


if __name__ == "__main__":
    main()
