"""Connections in memory between a client and a server of the same Trio run, and the weather that they lie in.

A `Wire` is what two sockets and a network are elsewhere: octets in order, a bounded number of them under way, an end
that each side can make, and a cut that both sides feel. Weather delays octets, hands them over in pieces, or loses the
wire. Nothing here takes real time.
"""

import math
from collections import deque
from typing import Final, Protocol

import anyio
import trio
from anyio.abc import ByteStream

_ROOM: Final = 256 * 1024


class Weather(Protocol):
    """What becomes of octets under way."""

    def delay_s(self) -> float:
        """How long the next octets take."""

    def piece(self, size: int) -> int:
        """How many of `size` octets arrive at once; at least one."""


class Calm:
    """Everything arrives at once and whole."""

    def delay_s(self) -> float:
        return 0.0

    def piece(self, size: int) -> int:
        return size


CALM: Final = Calm()


class Way:
    """One direction of a wire."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._last_due = -math.inf
        self._held_until = -math.inf
        self._is_ended = False
        self._is_broken = False
        self._is_dead = False
        self._is_spoilt = False
        self._change = trio.Event()

    def die(self) -> None:
        """Nothing arrives any more, and nobody is told: not even that the other side is gone."""
        self._is_dead = True

    def spoil(self) -> None:
        """A bit flips in what arrives next. Its reader finds that out, as under TLS, and gives the wire up."""
        self._is_spoilt = True

    def hold(self, until: float) -> None:
        """Nothing arrives before that moment, and nothing is lost."""
        self._held_until = max(self._held_until, until)

    def end(self) -> None:
        """Whoever reads finds the end behind what is under way."""
        if self._is_dead:
            return
        self._is_ended = True
        self._changed()

    def cut(self) -> None:
        """What is under way is lost; both sides find the wire broken."""
        if self._is_dead:
            return
        self._is_broken = True
        self._under_way.clear()
        self._changed()

    def send_now(self, data: bytes) -> int:
        """How many octets were taken. Raises ConnectionResetError."""
        if self._is_broken or self._is_ended:
            raise ConnectionResetError("the wire is cut")
        taken = min(len(data), _ROOM - self._size)
        if taken > 0:
            # In order, whatever the delays are.
            self._last_due = max(self._last_due, trio.current_time() + self._weather.delay_s())
            self._under_way.append((self._last_due, bytes(data[:taken])))
            self._size += taken
            self._changed()
        return max(taken, 0)

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        while data := data[self.send_now(data) :]:
            await self._change.wait()

    async def receive(self, size_max: int) -> bytes:
        """Octets, or nothing at the end. Raises ConnectionResetError."""
        await trio.lowlevel.checkpoint()
        while True:
            if self._is_broken:
                raise ConnectionResetError("the wire is cut")
            due = max(self._under_way[0][0], self._held_until) if self._under_way else math.inf
            if self._is_dead:
                due = math.inf
            if due <= trio.current_time():
                if self._is_spoilt:
                    self.cut()
                    continue
                return self._take(size_max)
            if self._is_ended and not self._under_way and not self._is_dead:
                return b""
            with trio.CancelScope(deadline=due):
                await self._change.wait()

    def _take(self, size_max: int) -> bytes:
        due, data = self._under_way.popleft()
        size = self._weather.piece(min(len(data), size_max))
        if size < len(data):
            self._under_way.appendleft((due, data[size:]))
        self._size -= size
        self._changed()
        return data[:size]

    def _changed(self) -> None:
        self._change.set()
        self._change = trio.Event()


class ClientEnd(ByteStream):
    """The end that a `Transport` of the SDK opens."""

    def __init__(self, wire: "Wire") -> None:
        self.wire = wire

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        data = await self.wire.to_client.receive(max_bytes)
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        await self.wire.to_server.send(item)

    async def send_eof(self) -> None:
        self.wire.to_server.end()

    async def aclose(self) -> None:
        self.wire.to_server.end()
        self.wire.to_client.cut()


class ServerEnd:
    """The end that a `Connection` of the server reads and writes."""

    def __init__(self, wire: "Wire") -> None:
        self._wire = wire

    async def read(self) -> bytes:
        return await self._wire.to_server.receive(65_536)

    def write_now(self, data: bytes) -> int:
        return self._wire.to_client.send_now(data)

    async def write(self, data: bytes | memoryview) -> None:
        await self._wire.to_client.send(bytes(data))

    async def end_writing(self) -> None:
        self._wire.to_client.end()

    async def close(self) -> None:
        self._wire.to_client.end()
        self._wire.to_server.cut()


class Wire:
    """Both directions."""

    def __init__(self, weather: Weather = CALM) -> None:
        self.to_server = Way(weather)
        self.to_client = Way(weather)

    def cut(self) -> None:
        self.to_server.cut()
        self.to_client.cut()

    def vanish(self) -> None:
        """Like a peer whose cable is pulled: no end, no reset, and whatever is sent to it goes nowhere."""
        self.to_server.die()
        self.to_client.die()

    def hold(self, until: float) -> None:
        """Like a peer that is paused, or a network that drops everything for a while."""
        self.to_server.hold(until)
        self.to_client.hold(until)
