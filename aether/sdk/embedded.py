"""The one door through which the SDK brings its own server along, in a thread of this process."""

import socket

import anyio
import anyio.to_thread

from aether.server.embed import EmbeddedServer


class Embedded:
    """A server for this process alone. `connect` is what a transport opens its connections with."""

    def __init__(
        self, location: str, persistence: str, snapshot_interval_s: float, closed_max: int, closed_days: float
    ) -> None:
        self._server = EmbeddedServer(
            location,
            persistence,
            snapshot_interval_s=snapshot_interval_s,
            closed_max=closed_max,
            closed_days=closed_days,
        )

    async def start(self) -> None:
        """Raises what keeps the server from starting: a database that somebody else has open, mostly."""
        await anyio.to_thread.run_sync(self._server.start)

    async def connect(self) -> socket.socket:
        return self._server.connect()

    async def stop(self) -> None:
        """Everything is on disk when this returns."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._server.stop)
