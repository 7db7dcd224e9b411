"""One gRPC call on a blocking socket: a command asks once and ends, so it needs no event loop.

The protocol is `wire`'s; this is the loop that carries its bytes: write what it has, read what comes, until the call
has its status or the deadline is over.
"""

import math
import os
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from attrs import frozen
from google.protobuf.message import Message

from aether.cli.clock import monotonic
from aether.errors import DeadlineExceeded, InvalidArgument, ServerUnavailable
from aether.wire.client import ClientCall, ClientLink
from aether.wire.errors import error_from_status
from aether.wire.limits import TransportLimits
from aether.wire.status import Code, RpcError

TIMEOUT_S = 30.0
_READ_BYTES = 64 * 1024
_PORTS = {"http": 80, "https": 443}
_TLS_VARIABLES = ("AETHER_SERVER_CA", "AETHER_CLIENT_CERT", "AETHER_CLIENT_KEY")
_LONGEST_S = 3600.0  # and infinity not at all
_LEAST_S = 0.001  # a socket takes 0 for "do not wait at all", which is something else


@frozen
class Caller:
    """Makes calls to the server at `target`, each on a connection of its own."""

    target: str
    timeout_s: float = TIMEOUT_S

    def unary(self, path: str, request: Message) -> bytes:
        """The one answer; raises what `aether.errors` has for the status that came instead."""
        answers = list(self.stream(path, request))
        if len(answers) != 1:
            raise ServerUnavailable(f"{self.target} gave {len(answers)} answers to one question: no Aether server?")
        return answers[0]

    def stream(self, path: str, request: Message, *, is_endless: bool = False) -> Iterator[bytes]:
        """The answers as they come; without end, they may take any time once the server has been reached."""
        deadline = monotonic() + self.timeout_s
        url = self._url()
        tls = _tls() if url.scheme == "https" else None
        with self._connect(url, tls, deadline) as sock:
            link = ClientLink(TransportLimits(), monotonic(), authority=url.netloc, scheme=url.scheme)
            call = link.open(path, timeout_s=None if is_endless else self.timeout_s)
            call.send(request.SerializeToString())
            call.half_close()
            yield from self._answers(sock, link, call, math.inf if is_endless else deadline)
        try:
            call.raise_for_status()
        except RpcError as error:
            raise self._translated(error) from None

    def _answers(self, sock: socket.socket, link: ClientLink, call: ClientCall, deadline: float) -> Iterator[bytes]:
        while True:
            yield from call.take()
            try:
                # The link's alarm asks after a server that is silent.
                _settle(sock, min(deadline, link.alarm_at))
                while data := link.pull():
                    sock.sendall(data)
                if call.status is not None:
                    break
                received = sock.recv(_READ_BYTES)
            except TimeoutError:
                if monotonic() < deadline:
                    link.on_alarm(monotonic())
                    continue
                raise DeadlineExceeded(f"{self.target} gave no answer within {self.timeout_s:g} s") from None
            except OSError as error:
                link.lost(error.strerror or str(error))
                continue
            if received:
                link.feed(received, monotonic())
            else:
                link.lost("the server closed it")
        yield from call.take()

    def _url(self) -> SplitResult:
        try:
            url = urlsplit(self.target)
            # A name that can not be looked up, like "a..b", is found here.
            if url.scheme in _PORTS and url.port != 0 and (url.hostname or "").encode("idna"):
                return url
        except ValueError:
            pass
        raise InvalidArgument(
            f"{self.target!r} is no address of a server: write http://host:port or https://host:port",
            field="--server",
        )

    def _connect(self, url: SplitResult, tls: ssl.SSLContext | None, deadline: float) -> socket.socket:
        try:
            host = url.hostname or ""
            sock = socket.create_connection((host, url.port or _PORTS[url.scheme]), deadline - monotonic())
            _settle(sock, deadline)
            return tls.wrap_socket(sock, server_hostname=host) if tls else sock
        except OSError as error:
            raise ServerUnavailable(
                f"no server answers at {self.target} ({error.strerror or error}); start one with `aether serve`, "
                "or name another with --server"
            ) from None

    def _translated(self, error: RpcError) -> Exception:
        if error.code == Code.UNAVAILABLE and not error.details:
            return ServerUnavailable(f"{self.target}: {error.message}")
        return error_from_status(error.code, error.message, error.details)


def _settle(sock: socket.socket, deadline: float) -> None:
    sock.settimeout(min(max(deadline - monotonic(), _LEAST_S), _LONGEST_S))


def _tls() -> ssl.SSLContext:
    """What a server that asks for certificates is shown; docs/command-line.md names the variables."""
    authority, certificate, key = (os.environ.get(name) or None for name in _TLS_VARIABLES)
    try:
        context = ssl.create_default_context(cafile=authority)
        if certificate:
            context.load_cert_chain(certificate, key)
    except OSError as error:
        given = [f"{name}={os.environ[name]}" for name in _TLS_VARIABLES if os.environ.get(name)]
        raise InvalidArgument(f"{', '.join(given)} can not be used: {error.strerror or error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    return context
