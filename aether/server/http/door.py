"""Accepts connections of HTTP, each in a task of its own whose failure concerns nobody else."""

import errno
import socket

import trio

from aether.server.http.connection import HttpConnection
from aether.server.http.limits import DEFAULT_HTTP_LIMITS, HttpLimits
from aether.server.http.messages import Handler
from aether.server.listener import tune
from aether.server.telemetry import Log

log = Log("aether.server")

_ACCEPT_PAUSE_S = 0.5
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class HttpDoor:
    """`count` is how many connections are open."""

    def __init__(self, handler: Handler, limits: HttpLimits = DEFAULT_HTTP_LIMITS) -> None:
        self.count = 0
        self._handler = handler
        self._limits = limits

    async def serve(self, bound: socket.socket) -> None:
        """Accept until cancelled. The socket stays open: whoever bound it closes it."""
        async with trio.open_nursery() as connections:
            while True:
                await trio.lowlevel.wait_readable(bound.fileno())
                try:
                    client, _ = bound.accept()
                except OSError as error:
                    # Gone before it was accepted, or no descriptor to have it in.
                    if error.errno in _OUT_OF_RESOURCES:
                        await trio.sleep(_ACCEPT_PAUSE_S)
                    continue
                if self.count >= self._limits.connections:
                    client.close()
                    continue
                self.count += 1
                connections.start_soon(self._serve, client)

    async def _serve(self, client: socket.socket) -> None:
        try:
            client.setblocking(False)
            tune(client)
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(client))
            await HttpConnection(stream, self._handler, self._limits).run()
        except Exception as error:
            log.error("http_connection_failed", exc_info=error)
        finally:
            client.close()
            self.count -= 1
