"""Forks servers that kill themselves with SIGKILL at a given place. One request a line on stdin, JSON.

    {"db": path, "port": number, "mode": persistence, "interval_s": seconds, "clock_s": seconds,
     "die": [run_key, seq, place] or null}

Answers with a line for the address, and with a line for the exit status once the server is gone. What a server needs is
imported once, here, so a server is there in a few milliseconds. Places:

    before       the commit that would write event `seq` of run `run_key` has not begun
    between      of the pages of that commit, half are written to the log, the other half is not
    unflushed    all of them are written, and the log is not flushed
    after        it is on disk, and nobody has been told
    opening      while starting: possession is taken, and the epoch is on disk
    reading      while starting: half of the events of open runs are read
    recovering   while starting: what recovery decides is on its way to the disk
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from typing import TypedDict

import trio

from aether.server import serve
from aether.server.clock import Clock
from aether.server.settings import Persistence, Settings
from aether.store.interface import Batch, EventRow, Opened
from aether.store.sqlite import SqliteStore
from aether.store.sqlite_reader import SqliteReader
from tests.unit.store.faulty_disk import FaultyDisk


class Request(TypedDict):
    db: str
    port: int
    mode: str
    interval_s: float
    clock_s: int
    die: tuple[int, int, str] | None


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_with_parent() -> None:
    """A test that is killed leaves nobody behind (prctl(2): PR_SET_PDEATHSIG is 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class DyingStore(SqliteStore):
    def __init__(self, path: str, run_key: int, seq: int, place: str) -> None:
        # Only where it is needed, for each write of it is a call into Python.
        self._disk = FaultyDisk() if place in ("between", "unflushed") else None
        super().__init__(path, vfs=self._disk.vfs_name if self._disk is not None else None)
        self._event = (run_key, seq)
        self._place = place

    def open(self) -> Opened:
        opened = super().open()
        if self._place == "opening":
            die()
        return opened

    def reader(self) -> SqliteReader:
        return DyingReader(self._path) if self._place == "reading" else super().reader()

    def commit(self, batches: Sequence[Batch]) -> None:
        if self._place == "recovering":
            die()
        is_it = any((event.run_key, event.seq) == self._event for batch in batches for event in batch.events)
        if is_it and self._place == "before":
            die()
        if is_it and self._disk is not None:
            self._disk.judge = partial(self._judge, numbers=count(1))
        super().commit(batches)
        if is_it and self._place == "after":
            die()

    def _judge(self, operation: str, path: str, *, numbers: "count[int]") -> int | None:
        # A page in the log is two writes, its head and its body; any commit has several pages.
        at_half = self._place == "between" and operation == "write" and path.endswith("-wal") and next(numbers) == 4
        if at_half or (self._place == "unflushed" and operation == "flush"):
            die()
        return None


class DyingReader(SqliteReader):
    def open_events(self) -> Iterator[EventRow]:
        events = list(super().open_events())
        yield from events[: len(events) // 2]
        die()


def run(request: Request) -> None:
    Clock.__init__.__defaults__ = (lambda: time.time_ns() + request["clock_s"] * 1_000_000_000,)
    if request["die"] is not None:
        run_key, seq, place = request["die"]
        serve.open_store = lambda location: DyingStore(location, run_key, seq, place)  # type: ignore[attr-defined]
    settings = Settings(
        grpc_port=request["port"],
        db_path=request["db"],
        persistence=Persistence(request["mode"]),
        snapshot_interval_s=request["interval_s"],
    )
    trio.run(partial(serve.serve, settings, ready=say))


def say(line: str) -> None:
    """In one piece, whoever dies meanwhile."""
    os.write(1, f"{line}\n".encode())


def end_with(parent: int) -> None:
    """For the forge, whose parent made it in a thread that ends long before the process does."""

    def look(*_: object) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)


def main() -> None:
    end_with(os.getppid())
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            die_with_parent()
            say(f"pid {os.getpid()}")
            run(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say(f"gone {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
