"""The door: binds addresses, accepts connections, and closes in an orderly way.

Binding comes first and by itself, so that a port in use is known before anything else has started. Each
connection runs in a task of its own whose failure is logged and concerns nobody else.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import socket
import ssl
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import trio

from aether.server.connection import Connection, Pipe, SocketPipe, StreamPipe
from aether.server.telemetry import Log
from aether.server.traffic import Traffic
from aether.wire.calls import Method
from aether.wire.limits import TransportLimits

# A vanished client is noticed after two minutes: asked after one, and then every 15 s, four times.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
_BACKLOG: Final = 1_024
_ACCEPT_PAUSE_S: Final = 0.1  # out of descriptors: nothing can be accepted until something closes
_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# Linux tells by accept also what befell the new connection on its way (accept(2)).
_GONE_BEFORE_ACCEPT: Final = frozenset(
    {
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EPROTO,
        errno.ETIMEDOUT,
    }
)
_log = Log("aether.transport")


class BindError(Exception):
    """An address cannot be listened on; the message says which and what to do."""


class Listener:
    """A bound socket. Close it, or hand it to `serve_connections`, which does."""

    def __init__(self, sock: socket.socket, address: str, tls: ssl.SSLContext | None, path: Path | None) -> None:
        self.socket = sock
        self.address = address
        """What clients connect to: "host:port" with the real port, or "unix:///path"."""
        self.port = 0 if path is not None else int(sock.getsockname()[1])
        """The TCP port; 0 for a Unix socket."""
        self.tls = tls
        self._path = path
        self._inode = path.stat().st_ino if path is not None else 0

    def close(self) -> None:
        self.socket.close()
        if self._path is not None:
            # Only our own: somebody may have bound the path anew.
            with contextlib.suppress(OSError):
                if self._path.stat().st_ino == self._inode:
                    self._path.unlink()


def bind_tcp(host: str, port: int, *, tls: ssl.SSLContext | None = None) -> Listener:
    """Listens on one TCP address; port 0 lets the system choose. Raises BindError."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise BindError(f"cannot listen on {where}: unknown address ({error.strerror}); check the host") from error
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            # Permits binding while old connections are in TIME_WAIT. Never SO_REUSEPORT: with that a second
            # server would start unnoticed on the same port and take half of the connections.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise BindError(_explain(where, error)) from error
    sock.setblocking(False)
    bound = sock.getsockname()
    shown = f"[{host}]:{bound[1]}" if ":" in host else f"{host}:{bound[1]}"
    return Listener(sock, shown, tls, None)


def bind_unix(path: str | os.PathLike[str], *, tls: ssl.SSLContext | None = None) -> Listener:
    """Listens on a Unix socket; a socket file that nobody listens on is replaced. Raises BindError."""
    where = Path(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_stale(where):
            where.unlink()
        sock.bind(str(where))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise BindError(_explain(str(where), error)) from error
    sock.setblocking(False)
    return Listener(sock, f"unix://{where.absolute()}", tls, where.absolute())


def _is_stale(path: Path) -> bool:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False


def _explain(where: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {where}: it is in use, probably by another server; stop that or choose another"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"cannot listen on {where}: permission denied; choose a port above 1023 or another path"
    return f"cannot listen on {where}: {error.strerror or error}"


def server_tls(
    certificate: str | os.PathLike[str],
    key: str | os.PathLike[str],
    *,
    client_ca: str | os.PathLike[str] | None = None,
) -> ssl.SSLContext:
    """TLS for a listener; with `client_ca`, clients need a certificate of that authority (mTLS)."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


class Drain:
    """The order to stop, from anywhere in the Trio thread; given again it can only shorten the grace."""

    def __init__(self) -> None:
        self._started = trio.Event()
        self._ends_at = math.inf
        self._scopes: set[trio.CancelScope] = set()

    @property
    def is_started(self) -> bool:
        return self._started.is_set()

    def start(self, grace_s: float) -> None:
        """Accept nothing more, let open calls finish for `grace_s` seconds, then close whatever is left."""
        self._ends_at = min(self._ends_at, trio.current_time() + grace_s)
        for scope in self._scopes:
            scope.deadline = self._ends_at
        self._started.set()

    async def started(self) -> None:
        await self._started.wait()

    @contextlib.contextmanager
    def limit(self) -> Iterator[None]:
        """Cancels the block when the grace is over."""
        with trio.CancelScope(deadline=self._ends_at) as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)


async def serve_connections(
    listeners: Sequence[Listener],
    methods: Mapping[str, Method] | Sequence[Method],
    limits: TransportLimits | None = None,
    *,
    drain: Drain | None = None,
    traffic: Traffic | None = None,
) -> None:
    """Serves until `drain` is started and every connection has ended. Closes the listeners."""
    await _Door(methods, limits or TransportLimits(), drain or Drain(), traffic or Traffic()).serve(listeners)


class _Door:
    def __init__(
        self,
        methods: Mapping[str, Method] | Sequence[Method],
        limits: TransportLimits,
        drain: Drain,
        traffic: Traffic,
    ) -> None:
        self._traffic = traffic
        self._methods = methods if isinstance(methods, Mapping) else {each.path: each for each in methods}
        self._limits = limits
        self._drain = drain
        self._connections: set[Connection] = set()
        self._sockets = 0

    async def serve(self, listeners: Sequence[Listener]) -> None:
        try:
            with self._drain.limit():
                async with trio.open_nursery() as connections:
                    async with trio.open_nursery() as doors:
                        for listener in listeners:
                            doors.start_soon(self._accept, listener, connections)
                        await self._drain.started()
                        doors.cancel_scope.cancel()
                    # Only now, for an accept in the same pass would find its socket closed.
                    for listener in listeners:
                        listener.close()
                    for connection in list(self._connections):
                        connection.drain()
        finally:
            for listener in listeners:
                listener.close()

    async def _accept(self, listener: Listener, connections: trio.Nursery) -> None:
        sock = listener.socket
        while True:
            await trio.lowlevel.wait_readable(sock.fileno())
            try:
                client, address = sock.accept()
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno in _GONE_BEFORE_ACCEPT:
                    continue
                if error.errno not in _OUT_OF_RESOURCES:
                    raise
                _log.warning("accept_failed", address=listener.address, error=error.strerror)
                await trio.sleep(_ACCEPT_PAUSE_S)
                continue
            if self._sockets >= self._limits.connections:
                _log.warning("connection_refused", address=listener.address, limit=self._limits.connections)
                client.close()
                continue
            self._sockets += 1
            connections.start_soon(self._serve, client, _name(address, listener), listener.tls)

    async def _serve(self, client: socket.socket, peer: str, tls: ssl.SSLContext | None) -> None:
        try:
            pipe = await self._open(client, tls)
            if pipe is not None:
                await self._run(Connection(pipe, self._methods, self._limits, peer, self._traffic))
        except Exception as error:  # noqa: BLE001 - one connection's failure is contained here
            _log.error("connection_failed", peer=peer, exc_info=error)
        finally:
            client.close()
            self._sockets -= 1

    async def _run(self, connection: Connection) -> None:
        self._connections.add(connection)
        try:
            if self._drain.is_started:
                connection.drain()
            await connection.run()
        finally:
            self._connections.discard(connection)

    async def _open(self, client: socket.socket, tls: ssl.SSLContext | None) -> Pipe | None:
        client.setblocking(False)
        if client.family != socket.AF_UNIX:
            tune(client)
        if tls is None:
            return SocketPipe(client)
        stream = trio.SSLStream(
            trio.SocketStream(trio.socket.from_stdlib_socket(client)),
            tls,
            server_side=True,
            https_compatible=True,
        )
        try:
            with trio.fail_after(self._limits.handshake_s):
                await stream.do_handshake()
            if stream.selected_alpn_protocol() == "h2":
                return StreamPipe(stream)
        except (trio.BrokenResourceError, trio.TooSlowError, OSError):
            pass
        await trio.aclose_forcefully(stream)
        return None


def tune(sock: socket.socket) -> None:
    """Sets a client's TCP socket up: no waiting for more to send, and the system looks after clients that vanish.

    Clients with open calls are asked by HTTP/2, and sooner; this is for the idle ones, which so cost us no timer.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _name(address: object, listener: Listener) -> str:
    if isinstance(address, tuple):
        return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
    return listener.address
