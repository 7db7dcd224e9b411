"""The same server inside somebody else's process, in a thread with a Trio run of its own.

Nothing listens anywhere: a client asks for one end of a socket pair and speaks gRPC on it. The thread keeps the server
alive while the program's own loop is busy, and it does not matter what loop that is.
"""

import contextlib
import queue
import socket
import threading
from functools import partial

import trio

from aether.errors import AetherError, ServerFault
from aether.model.limits import CLOSED_RUNS_MAX, SNAPSHOT_INTERVAL_S
from aether.server.connection import serve_stream
from aether.server.loop_watch import watch_loop
from aether.server.retention import Keep
from aether.server.serve import Running, run_engine
from aether.server.tiers import Tier
from aether.server.traffic import Traffic
from aether.store.open import open_store
from aether.wire.calls import Method


class EmbeddedServer:
    """Start it, connect as often as needed, stop it. All methods may be called from any thread."""

    def __init__(
        self,
        location: str,
        persistence: str,
        *,
        snapshot_interval_s: float = SNAPSHOT_INTERVAL_S,
        closed_max: int = CLOSED_RUNS_MAX,
        closed_days: float = 0,
    ) -> None:
        """`location` is what `aether.store.open.open_store` takes; of closed runs so many are kept, for so long."""
        self._keep = Keep(closed_max, closed_days)
        self._location = location
        self._tier = Tier(persistence, snapshot_interval_s)
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._connections: trio.Nursery | None = None
        self._stopping: trio.Event | None = None
        self._methods: dict[str, Method] = {}
        self._traffic: Traffic | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Returns when it serves. Raises StoreError if the database can not be used."""
        started: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, args=(started,), name="aether-server", daemon=True)
        self._thread.start()
        # A large database takes its time; the thread says how it went in any case.
        failure = started.get()
        if failure is not None:
            self._thread.join()
            self._thread = None
            raise failure

    def connect(self) -> socket.socket:
        """A connected socket; the caller closes it."""
        token, thread = self._token, self._thread
        if token is None or thread is None or not thread.is_alive():
            raise ServerFault(f"the embedded server is not running{self._why()}")
        ours, theirs = socket.socketpair()
        try:
            token.run_sync_soon(self._serve, theirs)
        except trio.RunFinishedError:
            ours.close()
            theirs.close()
            # It is about to say why.
            thread.join()
            raise ServerFault(f"the embedded server is not running{self._why()}") from None
        return ours

    def stop(self) -> None:
        """Returns when everything is on disk and the thread is gone. Raises what ended the server, if it failed."""
        if self._thread is None:
            return
        if self._token is not None and self._stopping is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._stopping.set)
        self._thread.join()
        self._thread = self._token = None
        if self._failure is not None:
            raise self._failure

    def _why(self) -> str:
        return f": {self._failure}" if self._failure is not None else ""

    def _serve(self, sock: socket.socket) -> None:
        if self._connections is None:
            # It stops, and what is left is brought to disk.
            sock.close()
            return
        self._connections.start_soon(partial(serve_stream, sock, self._methods, traffic=self._traffic))

    def _main(self, started: "queue.SimpleQueue[BaseException | None]") -> None:
        try:
            trio.run(self._run, started)
        except BaseException as failure:  # noqa: BLE001 - it belongs to the thread that asked
            self._failure = _plain(failure)
            started.put(self._failure)

    async def _run(self, started: "queue.SimpleQueue[BaseException | None]") -> None:
        store = open_store(self._location)
        async with run_engine(store, self._tier, keep=self._keep) as running, trio.open_nursery() as connections:
            stopping = self._take(running, connections)
            connections.start_soon(watch_loop, running.loop.metrics, running.loop.clock)
            started.put(None)
            try:
                await stopping.wait()
            finally:
                self._connections = None
            connections.cancel_scope.cancel()

    def _take(self, running: Running, connections: trio.Nursery) -> trio.Event:
        self._methods = running.methods
        self._traffic = running.report.traffic
        self._connections = connections
        self._token = trio.lowlevel.current_trio_token()
        self._stopping = trio.Event()
        return self._stopping


def _plain(failure: BaseException) -> BaseException:
    """The first error of ours in a group, which is what the caller can do something about."""
    found: BaseException = failure
    if isinstance(failure, BaseExceptionGroup):
        found = failure.subgroup(AetherError) or failure
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
