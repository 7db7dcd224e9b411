"""Accepts connections of HTTP, each in a task of its own whose failure concerns nobody else."""

import errno
import socket
from operator import itemgetter

import trio

from aether.server.http.connection import Admit, HttpConnection, admit_everybody
from aether.server.http.limits import DEFAULT_HTTP_LIMITS, HttpLimits
from aether.server.http.messages import Handler
from aether.server.listener import tune
from aether.server.telemetry import Log

log = Log("aether.server")

_ACCEPT_PAUSE_S = 0.5
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class HttpDoor:
    """Has at most so many connections; one that waits for a request gives way to a new one when all are taken."""

    def __init__(
        self, handler: Handler, limits: HttpLimits = DEFAULT_HTTP_LIMITS, admit: Admit = admit_everybody
    ) -> None:
        self._open: set[HttpConnection] = set()
        self._handler = handler
        self._limits = limits
        self._admit = admit

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
                if len(self._open) >= self._limits.connections and not self._make_room():
                    client.close()
                    continue
                try:
                    client.setblocking(False)
                    tune(client)
                    stream = trio.SocketStream(trio.socket.from_stdlib_socket(client))
                except OSError:
                    client.close()
                    continue
                connection = HttpConnection(stream, self._handler, self._limits, self._admit)
                self._open.add(connection)
                connections.start_soon(self._serve, connection)

    def _make_room(self) -> bool:
        """Let the connection go that has waited longest for a request; False if all have one in hand."""
        waiting = [(since, each) for each in self._open if (since := each.waiting_since) is not None]
        if not waiting:
            return False
        _, oldest = min(waiting, key=itemgetter(0))
        self._open.discard(oldest)
        oldest.give_way()
        return True

    async def _serve(self, connection: HttpConnection) -> None:
        try:
            await connection.run()
        except Exception as error:
            log.error("http_connection_failed", exc_info=error)
        finally:
            self._open.discard(connection)
