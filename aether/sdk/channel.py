"""One connection of a client as tasks: reader, writer and timer around the protocol in `wire`; none per call.

The writer runs once per scheduler pass in which anything was queued, and writes all of it at once. Whoever knows that
nothing follows in that pass has it written there and then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio

from aether.sdk.gate import Gate
from aether.sdk.pipe import GONE, Pipe
from aether.wire.client import ClientLink
from aether.wire.limits import TransportLimits

_CLOSE_S: Final = 1.0


class Channel:
    """One connection to the server: the protocol, and what moves its octets."""

    def __init__(
        self, pipe: Pipe, limits: TransportLimits, clock: Callable[[], float], *, authority: str, scheme: str
    ) -> None:
        self._pipe = pipe
        self._clock = clock
        self.link = ClientLink(limits, clock(), authority=authority, scheme=scheme)
        self._output = Gate()
        self._alarm = Gate()
        self._written = Gate()
        self._room = anyio.Event()
        self._unsent: memoryview | None = None
        self._is_resting = False  # the writer has nothing in hand
        self.link.flush = self._flush
        self.link.wake = self._output.open
        self.link.wake_timer = self._alarm.open
        self.link.on_room = self._on_room

    @property
    def is_usable(self) -> bool:
        return not (self.link.is_closed or self.link.is_going_away)

    def _on_room(self) -> None:
        if self._room.statistics().tasks_waiting:
            self._room.set()
            self._room = anyio.Event()
        if self.link.is_spent:
            self._output.open()

    async def wait_for_room(self) -> None:
        """Returns when a call has ended here, or the connection has."""
        await self._room.wait()

    async def run(self) -> None:
        """Returns when the connection is over; every call on it has ended then."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._write, group.cancel_scope)
                group.start_soon(self._run_timer, group.cancel_scope)
                await self._read()
                group.cancel_scope.cancel()
        finally:
            self.link.lost("closed by the client")
            self._on_room()
            with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_S):
                await self._pipe.close()

    async def _read(self) -> None:
        link = self.link
        while not link.is_closed:
            while link.is_clogged:
                await self._written.wait()
            try:
                data = await self._pipe.read()
            except GONE:
                data = b""
            if not data:
                link.lost("the server closed the connection")
                return
            link.feed(data, self._clock())

    def _flush(self) -> None:
        if self._is_resting and self._unsent is None and (data := self.link.pull()):
            try:
                sent = self._pipe.write_now(data)
            except GONE:
                # The writer will find out too.
                sent = 0
            if sent < len(data):
                self._unsent = memoryview(data)[sent:]
                self._output.open()
            self._written.open()

    async def _write(self, scope: anyio.CancelScope) -> None:
        link = self.link
        try:
            while True:
                if self._unsent is not None:
                    rest, self._unsent = self._unsent, None
                    await self._pipe.write(rest)
                data = link.pull()
                if data:
                    await self._pipe.write(data)
                    self._written.open()
                if link.is_closed or link.is_spent:
                    if not data:
                        break
                else:
                    self._is_resting = True
                    await self._output.wait()
                    self._is_resting = False
        except GONE as error:
            link.lost(str(error) or "connection reset")
        scope.cancel()

    async def _run_timer(self, scope: anyio.CancelScope) -> None:
        link = self.link
        while True:
            with anyio.CancelScope(deadline=link.alarm_at):
                await self._alarm.wait()
            now = self._clock()
            if now >= link.alarm_at:
                link.on_alarm(now)
            if link.is_closed:
                # The peer may not even take our last words.
                scope.deadline = now + _CLOSE_S
                return
