"""Calls of our own methods from inside: the API asks what any client asks, and is checked and answered the same."""

from collections.abc import Mapping
from http import HTTPStatus

import trio

from aether.errors import ServerUnavailable
from aether.server.entropy import new_id
from aether.server.http.messages import HttpError
from aether.server.traffic import Traffic
from aether.wire.calls import Call, Method
from aether.wire.status import OK, Code, Status

_STATUS = {
    Code.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    Code.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    Code.FAILED_PRECONDITION: HTTPStatus.CONFLICT,
    Code.ABORTED: HTTPStatus.CONFLICT,
    Code.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}
# A handler that does not answer is not waited for any longer.
_ANSWER_S = 30.0


class LocalCall(Call):
    """A call without a connection; takes at most `messages_max` messages, then the answer is over."""

    is_congested = False

    def __init__(self, path: str, messages_max: int) -> None:
        # Not the base class's: that one belongs to a connection.
        self.path = path
        self.messages: list[bytes] = []
        self.status: Status | None = None
        self._messages_max = messages_max
        self._request_id = new_id()[:12]
        self._over = trio.Event()

    @property
    def peer(self) -> str:
        return "the web page"

    @property
    def request_id(self) -> str:
        return self._request_id

    @property
    def has_ended(self) -> bool:
        return self.status is not None

    def send(self, message: bytes) -> None:
        if self.status is not None:
            # Whoever goes on producing for nobody stops here.
            raise ServerUnavailable("nobody listens any more")
        self.messages.append(message)
        if len(self.messages) >= self._messages_max:
            self.finish()

    def has_room_for(self, message: bytes) -> bool:
        return True

    def respond(self, message: bytes) -> None:
        if self.status is None:
            self.messages.append(message)
            self.finish()

    def finish(self, status: Status = OK) -> None:
        if self.status is None:
            self.status = status
            self._over.set()

    async def over(self) -> None:
        try:
            await self._over.wait()
        except trio.Cancelled:
            if self.status is None:
                self.status = Status(Code.CANCELLED)
                self.on_closed("the client went away")
            raise


class LocalClient:
    """Raises HttpError for whatever is not an answer."""

    def __init__(self, methods: Mapping[str, Method], traffic: Traffic) -> None:
        self._methods = methods
        self._traffic = traffic

    async def ask(self, path: str, message: bytes, messages_max: int = 1_000) -> list[bytes]:
        call = LocalCall(path, messages_max)
        method, began_at = self._methods[path], trio.current_time()
        with trio.move_on_after(_ANSWER_S) as scope:
            method.handler(call, message)  # type: ignore[call-arg]  # all methods that are asked here take one message
            await call.over()
        code = call.status.code if call.status is not None else Code.DEADLINE_EXCEEDED
        self._traffic.call_ended(path, code, began_at if call.is_timed else None)
        if scope.cancelled_caught:
            raise HttpError(HTTPStatus.GATEWAY_TIMEOUT, "no answer in time; whether it was done is not known")
        assert call.status is not None
        if call.status.code != Code.OK:
            raise error_of(call.status)
        return call.messages

    async def listen(self, path: str, message: bytes, messages_max: int, within_s: float) -> list[bytes]:
        """What a method whose answer has no end has told by then."""
        call = LocalCall(path, messages_max)
        with trio.move_on_after(within_s):
            self._methods[path].handler(call, message)  # type: ignore[call-arg]  # as above
            await call.over()
        assert call.status is not None
        if call.status.code not in {Code.OK, Code.CANCELLED}:
            raise error_of(call.status)
        call.on_closed("enough was heard")
        self._traffic.call_ended(path, Code.OK, None)
        return call.messages


def error_of(status: Status) -> HttpError:
    try:
        code = Code(status.code)
    except ValueError:
        code = Code.UNKNOWN
    return HttpError(_STATUS.get(code, HTTPStatus.INTERNAL_SERVER_ERROR), status.message, code=code.name)
