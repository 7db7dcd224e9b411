"""The one door through which the SDK brings its own server along, in a thread of this process."""

import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from attrs import mutable

from aether.errors import ServerFault
from aether.server.embed import EmbeddedServer


@mutable
class _Use:
    has_begun: bool = False
    is_over: bool = False


class Embedded:
    """A server for this process alone, which runs while somebody uses it.

    `connect` is what a transport opens its connections with. Who waits for a thread may be cancelled, the thread goes
    on: so it is the threads that take turns.
    """

    def __init__(
        self, location: str, persistence: str, snapshot_interval_s: float, closed_max: int, closed_days: float
    ) -> None:
        self._make: Callable[[], EmbeddedServer] = lambda: EmbeddedServer(
            location,
            persistence,
            snapshot_interval_s=snapshot_interval_s,
            closed_max=closed_max,
            closed_days=closed_days,
        )
        self._server: EmbeddedServer | None = None
        self._users = 0
        self._turn = threading.Lock()

    @asynccontextmanager
    async def used(self) -> AsyncIterator[None]:
        """Raises what keeps the server from starting: a database that somebody else has open, mostly.

        Everything is on disk when the last block has ended.
        """
        use = _Use()
        try:
            await anyio.to_thread.run_sync(self._begin, use)
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._end, use)

    async def connect(self) -> socket.socket:
        server = self._server
        if server is None:
            raise ServerFault("the embedded server is not running")
        return server.connect()

    def _begin(self, use: _Use) -> None:
        with self._turn:
            # Who was cancelled may have ended it before this thread came to it.
            if use.is_over:
                return
            if self._server is None:
                server = self._make()
                server.start()
                self._server = server
            self._users += 1
            use.has_begun = True

    def _end(self, use: _Use) -> None:
        with self._turn:
            use.is_over = True
            if not use.has_begun:
                return
            self._users -= 1
            server = self._server
            if self._users == 0 and server is not None:
                self._server = None
                server.stop()
