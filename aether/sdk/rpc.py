"""Calls to the server as the client makes them: the one seam where statuses become errors, and what is repeated."""

import logging
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

import anyio
from google.protobuf.message import Message

from aether.errors import AetherError, DeadlineExceeded, ServerUnavailable
from aether.sdk.entropy import draw
from aether.sdk.transport import Transport
from aether.wire.errors import error_from_status
from aether.wire.status import RpcError

T = TypeVar("T")

_log = logging.getLogger("aether.client")

_BACKOFF_S: Final = 0.05
_BACKOFF_FACTOR: Final = 1.15
_BACKOFF_MAX_S: Final = 2.0
# A stream or a session that is lost sooner is no sign that the next will last.
_LASTING_S: Final = 1.0
# Thousands that wait for results may lose the server together, which is told once.
_NEWS_S: Final = 1.0
_told_at: Final[WeakKeyDictionary[Transport, float]] = WeakKeyDictionary()


class Backoff:
    """The pauses between requests that are repeated: longer each time, and not the same for everybody."""

    def __init__(self, max_s: float = _BACKOFF_MAX_S) -> None:
        self.next_s = _BACKOFF_S
        self._max_s = max_s

    def reset(self) -> None:
        self.next_s = _BACKOFF_S

    def reset_if_lasting(self, begun_at: float) -> None:
        """What has just been lost had begun then; infinity: it never had."""
        if anyio.current_time() - begun_at >= _LASTING_S:
            self.reset()

    def take(self) -> float:
        """The next pause in seconds, for those who make it themselves."""
        pause_s = self.next_s * (0.5 + draw())
        self.next_s = min(self.next_s * _BACKOFF_FACTOR, self._max_s)
        return pause_s

    async def wait(self) -> None:
        await anyio.sleep(self.take())


async def call(
    transport: Transport, path: str, request: Message, parse: Callable[[bytes], T], *, timeout_s: float | None = None
) -> T:
    """One request, one answer. Raises what the server meant, as an error of `aether.errors`."""
    try:
        data = await transport.unary(path, request.SerializeToString(), timeout_s=timeout_s)
    except RpcError as error:
        raise translated(error) from error
    return parse(data)


class _Repetition:
    """How often, and for how long, a request is repeated while the server can not be reached."""

    def __init__(self, transport: Transport, timeout_s: float | None) -> None:
        self._transport = transport
        self._deadline = None if timeout_s is None else anyio.current_time() + timeout_s
        self._backoff = Backoff()
        self._cause: AetherError | None = None
        self._is_told = False

    def left_s(self) -> float | None:
        return None if self._deadline is None else self._deadline - anyio.current_time()

    async def after(self, error: AetherError) -> None:
        """Until it may be asked again. Raises the error where that is of no use, or too late."""
        left_s = self.left_s()
        is_late = left_s is not None and self._backoff.next_s >= left_s
        if isinstance(error, DeadlineExceeded) and is_late and self._cause is not None:
            # That the time is over says less than why nothing came of it.
            raise self._cause from error
        if not error.is_retryable or is_late:
            raise error
        if isinstance(error, ServerUnavailable) and not self._is_told:
            self._is_told = True
            self._tell(error)
        self._cause = error
        await self._backoff.wait()

    def _tell(self, error: AetherError) -> None:
        now = anyio.current_time()
        if now - _told_at.get(self._transport, -math.inf) >= _NEWS_S:
            _told_at[self._transport] = now
            _log.warning("%s; trying again", error, extra={"event": "server_unreachable", "fields": {}})


async def call_until(
    transport: Transport,
    path: str,
    request: Message,
    parse: Callable[[bytes], T],
    *,
    timeout_s: float | None,
    before_again: Callable[[], None] | None = None,
) -> T:
    """The same for a request that may be repeated: it is, while the server can not be reached, until the deadline.

    `before_again` may change the request.
    """
    repetition = _Repetition(transport, timeout_s)
    while True:
        try:
            return await call(transport, path, request, parse, timeout_s=repetition.left_s())
        except AetherError as error:
            await repetition.after(error)
        if before_again is not None:
            before_again()


async def stream_until(
    transport: Transport, path: str, request: Message, parse: Callable[[bytes], T], *, timeout_s: float
) -> AsyncGenerator[T, None]:
    """One request, many answers. It is repeated by the same rule, but not when some of the answers have come."""
    repetition = _Repetition(transport, timeout_s)
    while True:
        has_begun = False
        try:
            async with aclosing(stream(transport, path, request, parse)) as answers:
                async for answer in answers:
                    has_begun = True
                    yield answer
        except AetherError as error:
            if has_begun:
                raise
            await repetition.after(error)
        else:
            return


async def stream(
    transport: Transport, path: str, request: Message, parse: Callable[[bytes], T]
) -> AsyncGenerator[T, None]:
    """One request, many answers."""
    async with aclosing(batches(transport, path, request, parse)) as received:
        async for batch in received:
            for answer in batch:
                yield answer


async def batches(
    transport: Transport, path: str, request: Message, parse: Callable[[bytes], T]
) -> AsyncGenerator[list[T], None]:
    """The same in pieces, as they came together."""
    try:
        async with await transport.open_stream(path) as answers:
            answers.send(request.SerializeToString())
            answers.half_close()
            while batch := await answers.receive():
                yield [parse(data) for data in batch]
    except RpcError as error:
        raise translated(error) from error


def translated(error: RpcError) -> AetherError:
    return error_from_status(error.code, error.message, error.details)
