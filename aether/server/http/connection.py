"""One connection of HTTP/1.1: bytes by h11, deadlines by Trio, answers by a handler.

Everything is bounded, and whatever goes wrong ends this connection and nothing else: a peer that breaks the protocol is
told with 4xx where the protocol still allows it, a handler that fails is a 500 and a line in the log. No upgrades: no
WebSocket, no HTTP/2.
"""

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

import h11
import trio
from attrs import evolve

from aether.server.http.limits import HttpLimits
from aether.server.http.messages import Handler, HttpError, Request, Response, Send
from aether.server.telemetry import Log

log = Log("aether.server")

_RECEIVE = 64 * 1024
# Names in a query.
_FIELDS_MAX = 50
_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, OSError)


Admit = Callable[[Request], None]


def admit_everybody(request: Request) -> None:
    pass


class HttpConnection:
    """Serves one stream until it ends.

    `admit` raises HttpError for who may not send a large body, and is asked before that has come.

    `waiting_since` is when it began to wait for the request that it has not got yet: when it was opened, had answered
    the one before, or saw the first byte. It is None while a request is in hand.
    """

    def __init__(
        self,
        stream: trio.abc.HalfCloseableStream,
        handler: Handler,
        limits: HttpLimits,
        admit: Admit = admit_everybody,
    ) -> None:
        self._stream = stream
        self._handler = handler
        self._admit = admit
        self._limits = limits
        self._wire = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_max)
        self._is_first = True
        self._waiting = trio.CancelScope()
        self.waiting_since: float | None = trio.current_time()

    def give_way(self) -> None:
        """End, unless a request has come; then end when it is answered."""
        self._waiting.cancel()

    async def run(self) -> None:
        try:
            while await self._serve_one():
                self._wire.start_next_cycle()
                self._is_first = False
                self._waiting = trio.CancelScope()
                self.waiting_since = trio.current_time()
        except h11.RemoteProtocolError as error:
            await self._refuse(error.error_status_hint)
        except trio.TooSlowError:
            await self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        except _BROKEN:
            pass
        finally:
            await trio.aclose_forcefully(self._stream)

    async def _serve_one(self) -> bool:
        """One request and its answer; whether another may follow."""
        received = None
        with self._waiting:
            received = await self._receive()
        if received is None:
            return False
        self.waiting_since = None
        method, taken = received
        answer = await self._answer(taken) if isinstance(taken, Request) else taken
        is_whole = await self._send(answer, method)
        if self._wire.their_state is h11.SEND_BODY:
            await self._linger()
        may_stay = not self._waiting.cancel_called
        return may_stay and is_whole and self._wire.our_state is h11.DONE and self._wire.their_state is h11.DONE

    async def _receive(self) -> tuple[bytes, Request | Response] | None:
        """The method of the next request, and the request or what it is refused with; None if none comes."""
        head_by = trio.current_time() + self._limits.head_s
        if not self._wire.trailing_data[0]:
            with trio.move_on_after(self._limits.head_s if self._is_first else self._limits.idle_s) as silence:
                self._wire.receive_data(bytes(await self._stream.receive_some(_RECEIVE)))
            if silence.cancelled_caught:
                return None
            self.waiting_since = trio.current_time()
            if not self._is_first:
                head_by = self.waiting_since + self._limits.head_s
        with trio.fail_at(head_by):
            head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        with trio.fail_after(self._limits.body_s):
            return head.method, await self._read(head)

    async def _read(self, head: h11.Request) -> Request | Response:
        """The whole request, or what it is refused with; then the connection is of no more use."""
        body = bytearray()
        try:
            request = _request(head)
            self._check_size(request, int(request.headers.get("content-length", "0")))
            while not isinstance(event := await self._next_event(), h11.EndOfMessage):
                if not isinstance(event, h11.Data):
                    raise trio.BrokenResourceError
                body += event.data
                self._check_size(request, len(body))
        except HttpError as error:
            return error.response()
        except ValueError:
            return _refusal(HTTPStatus.BAD_REQUEST)
        return evolve(request, body=bytes(body))

    def _check_size(self, request: Request, size: int) -> None:
        if size > self._limits.stranger_body_max:
            self._admit(request)
        if size > self._limits.body_max:
            raise HttpError(413, f"the body has more than {self._limits.body_max} bytes")

    async def _linger(self) -> None:
        """Closed on what the peer still sends, the connection would break before it has read the answer."""
        with trio.move_on_after(self._limits.linger_s):
            await self._stream.send_eof()
            while await self._stream.receive_some(_RECEIVE):
                pass

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handler(request)
        except HttpError as error:
            return error.response()
        except Exception as error:
            log.error("http_failed", method=request.method, path=request.path, exc_info=error)
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _next_event(self) -> h11.Event:
        while True:
            event = self._wire.next_event()
            if not isinstance(event, type):
                return event
            if event is h11.PAUSED:
                return h11.ConnectionClosed()
            if self._wire.they_are_waiting_for_100_continue:
                await self._write(self._wire.send(h11.InformationalResponse(status_code=100, headers=[])))
            self._wire.receive_data(bytes(await self._stream.receive_some(_RECEIVE)))

    async def _send(self, response: Response, method: bytes) -> bool:
        """Whether the answer went out whole."""
        headers = [("date", _date()), ("content-type", response.content_type), *response.headers]
        if response.stream is None:
            headers.append(("content-length", str(len(response.body))))
        if self._wire.their_state is not h11.DONE:
            headers.append(("connection", "close"))
        await self._write(self._wire.send(h11.Response(status_code=response.status, headers=headers)))
        if method != b"HEAD":
            for first in range(0, len(response.body), self._limits.send_piece):
                await self._write(self._wire.send(h11.Data(response.body[first : first + self._limits.send_piece])))
            if response.stream is not None and not await self._send_stream(response.stream):
                return False
        await self._write(self._wire.send(h11.EndOfMessage()))
        return True

    async def _send_stream(self, stream: Callable[[Send], Awaitable[None]]) -> bool:
        """Run the stream until it ends, which is True, or the peer goes away."""

        async def send(data: bytes) -> None:
            await self._write(self._wire.send(h11.Data(data)))

        is_whole = False
        try:
            async with trio.open_nursery() as nursery:

                async def watch() -> None:
                    # Whoever listens says nothing: what comes is the end of the connection, or nothing that we want.
                    await self._stream.receive_some(_RECEIVE)
                    nursery.cancel_scope.cancel()

                nursery.start_soon(watch)
                await stream(send)
                is_whole = True
                nursery.cancel_scope.cancel()
        except* _BROKEN:
            pass
        return is_whole

    async def _write(self, data: bytes | None) -> None:
        if data:
            with trio.fail_after(self._limits.send_s):
                await self._stream.send_all(data)

    async def _refuse(self, status: int) -> None:
        if self._wire.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        try:
            await self._send(_refusal(status), b"GET")
        except (h11.LocalProtocolError, *_BROKEN):
            pass


def _refusal(status: int) -> Response:
    return HttpError(status, HTTPStatus(status).phrase.lower()).response()


def _request(head: h11.Request) -> Request:
    """Raises ValueError for what is not text."""
    target = head.target.decode("ascii")
    if not target.startswith("/"):
        raise ValueError("only paths of this server")
    path, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict")
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
    segments = tuple(unquote(part, errors="strict") for part in path.split("/")[1:])
    return Request(head.method.decode("ascii"), "/" + "/".join(segments), segments, dict(pairs), headers)


def _date() -> str:
    return formatdate(usegmt=True)
