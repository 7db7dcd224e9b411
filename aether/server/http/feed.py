"""The stream of server-sent events: what a page shows without asking again and again.

One task looks at the numbers each second while somebody listens, and rests while nobody does. What has not changed is
not sent. Each listener has a small buffer: who does not read is told `resync` in place of what was left out, and costs
nobody else anything.
"""

import json

import trio

from aether.server.http.messages import HttpError, Response, Send
from aether.server.metrics_report import MetricsReport
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.plain import plain

LISTENERS_MAX = 64
EVENT_STREAM = "text/event-stream; charset=utf-8"
_EVERY_S = 1.0
# A sign of life for proxies, and for us: a listener that is gone is found by writing to it.
_PING_S = 15.0
# Full before the deadline of sending has passed: who reads slowly hears of it, who does not read at all is cut off.
_BUFFER = 8
# What changes by itself while nothing happens.
_RESTLESS = ("at_us", "rss_bytes", "loop_lag", "start_lag", "step_latency", "activity_latency", "timer_lag")


class Feed:
    """`run` is the task; `response` is the stream for one listener."""

    def __init__(self, report: MetricsReport) -> None:
        self._report = report
        self._streams = report.streams
        self._listeners: set[_Listener] = set()
        self._wanted = trio.Event()

    @property
    def listeners(self) -> int:
        return self._streams.open

    async def run(self) -> None:
        while True:
            await self._wanted.wait()
            last: pb.Metrics | None = None
            while self._listeners:
                metrics = await self._report.take()
                settled = _settled(metrics)
                fresh = any(not listener.has_begun for listener in self._listeners)
                if fresh or settled != last:
                    event = _event("metrics", plain(metrics), metrics.events)
                    for listener in self._listeners:
                        self._streams.dropped += listener.give(event)
                last = settled
                await trio.sleep(_EVERY_S)
            self._wanted = trio.Event()

    def response(self) -> Response:
        if len(self._listeners) >= LISTENERS_MAX:
            raise HttpError(429, f"{LISTENERS_MAX} streams are open, the most this server has")
        headers = (("cache-control", "no-store"), ("x-accel-buffering", "no"))
        return Response(200, b"retry: 1000\n\n", EVENT_STREAM, headers, self._stream)

    async def _stream(self, send: Send) -> None:
        if len(self._listeners) >= LISTENERS_MAX:
            return  # so many were let in at once; who is left over comes again
        listener = _Listener()
        self._listeners.add(listener)
        self._streams.open += 1
        self._wanted.set()
        try:
            while True:
                with trio.move_on_after(_PING_S) as quiet:
                    await listener.something.wait()
                if quiet.cancelled_caught:
                    await send(b": still here\n\n")
                    continue
                for event in listener.take():
                    await send(event)
        finally:
            self._listeners.discard(listener)
            self._streams.open -= 1


class _Listener:
    def __init__(self) -> None:
        self.has_begun = False
        self.something = trio.Event()
        self._waiting: list[bytes] = []

    def give(self, event: bytes) -> int:
        """How many events were left out to make room for this one."""
        self.has_begun = True
        dropped = 0
        if len(self._waiting) >= _BUFFER:
            dropped = len(self._waiting) - (self._waiting[0] is _RESYNC)
            self._waiting = [_RESYNC]
        self._waiting.append(event)
        self.something.set()
        return dropped

    def take(self) -> list[bytes]:
        taken, self._waiting = self._waiting, []
        self.something = trio.Event()
        return taken


def _event(name: str, document: object, number: int | None) -> bytes:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(document, separators=(',', ':'))}\n\n".encode()


_RESYNC = _event("resync", {}, None)


def _settled(metrics: pb.Metrics) -> pb.Metrics:
    """The numbers without those that change by themselves."""
    settled = pb.Metrics()
    settled.CopyFrom(metrics)
    for name in _RESTLESS:
        settled.ClearField(name)
    settled.writer.ClearField("commit")
    return settled
