"""A real server for tests of the transport: our listener in a thread, with methods that tests need."""

from __future__ import annotations

import contextlib
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Literal

import attrs
import trio

from aether.server.connection import Call, Method
from aether.server.listener import Drain, Listener, bind_tcp, serve_connections
from aether.wire.limits import TransportLimits
from aether.wire.status import Code, Status

GRACE_S = 5.0


@attrs.define
class Seen:
    """What handlers were told, in order; tests wait on it."""

    _items: list[tuple[str, str]] = attrs.Factory(list)
    _changed: threading.Condition = attrs.Factory(threading.Condition)

    def add(self, method: str, what: str) -> None:
        with self._changed:
            self._items.append((method, what))
            self._changed.notify_all()

    def count(self, method: str, what: str) -> int:
        return self._items.count((method, what))

    def wait(self, method: str, what: str, count: int = 1) -> None:
        with self._changed:
            done = self._changed.wait_for(lambda: self.count(method, what) >= count, timeout=20)
            assert done, f"waited in vain for {(method, what)} x {count}; seen: {self._items[-20:]}"


def methods(seen: Seen) -> list[Method]:
    """Echo, failures, waiting and streams, all under /test.Echo/."""

    def held(call: Call, _: bytes) -> None:
        seen.add("hold", "started")
        call.on_closed = lambda reason: seen.add("hold", reason)

    def boom(call: Call, _: bytes) -> None:
        raise RuntimeError("the secret at /root/path")

    def bidi(call: Call) -> None:
        seen.add("bidi", "started")
        call.on_message = call.send
        call.on_half_close = call.finish
        call.on_closed = lambda reason: seen.add("bidi", reason)

    def status(call: Call, message: bytes) -> None:
        call.finish(Status(Code.FAILED_PRECONDITION, message.decode(), b"\x08\x09details"))

    def metadata(call: Call, _: bytes) -> None:
        call.set_answer_metadata([("seen-peer", call.peer), ("x-bin", b"\x00\xff")])
        call.set_trailing_metadata([("x-trailer", "last")])
        lines = [f"{key}={value!r}" for key, value in call.metadata if key != "user-agent"]
        call.respond("\n".join(lines).encode())

    def flow(call: Call, message: bytes) -> None:
        left = int(message)

        def fill() -> None:
            nonlocal left
            while left and not call.is_congested:
                left -= 1
                call.send(b"x" * 1000)
            if not left:
                call.finish()

        call.on_writable = fill
        call.on_closed = lambda reason: seen.add("flow", reason)
        fill()

    handlers: dict[str, tuple[Callable[..., None], Literal["unary", "stream"]]] = {
        "Unary": (lambda call, message: call.respond(message), "unary"),
        "Hold": (held, "unary"),
        "Boom": (boom, "unary"),
        "Status": (status, "unary"),
        "Metadata": (metadata, "unary"),
        "Flow": (flow, "unary"),
        "Bidi": (bidi, "stream"),
    }
    return [Method(f"/test.Echo/{name}", handler, kind) for name, (handler, kind) in handlers.items()]


@attrs.define
class RunningServer:
    """A server and the ways to stop it."""

    listeners: Sequence[Listener]
    seen: Seen
    _token: trio.lowlevel.TrioToken
    _drain: Drain
    _thread: threading.Thread

    @property
    def address(self) -> str:
        return self.listeners[0].address

    @property
    def port(self) -> int:
        return self.listeners[0].port

    def drain(self, grace_s: float) -> None:
        self._token.run_sync_soon(self._drain.start, grace_s)

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()

    def count_calls(self) -> Callable[[], int]:
        """Tells how many functions its loop has called since: work, whatever else the machine does."""
        count = 0

        def note(frame: FrameType, event: str, argument: object) -> None:
            nonlocal count
            count += event in {"call", "c_call"}

        trio.from_thread.run_sync(sys.setprofile, note, trio_token=self._token)
        return lambda: count

    def stats(self) -> tuple[int, int]:
        """Living tasks of the server's loop, and open files of the process."""
        stats = trio.from_thread.run_sync(trio.lowlevel.current_statistics, trio_token=self._token)
        return stats.tasks_living, len(list(Path("/proc/self/fd").iterdir()))


@contextlib.contextmanager
def running_server(
    *,
    limits: TransportLimits | None = None,
    tls: ssl.SSLContext | None = None,
    listeners: Sequence[Listener] | None = None,
    extra: Sequence[Method] = (),
) -> Iterator[RunningServer]:
    """Serves on a port that the system chooses, until the block ends."""
    bound = listeners or [bind_tcp("127.0.0.1", 0, tls=tls)]
    seen = Seen()
    box: list[tuple[trio.lowlevel.TrioToken, Drain]] = []
    started = threading.Event()
    failures: list[BaseException] = []

    async def main() -> None:
        drain = Drain()
        box.append((trio.lowlevel.current_trio_token(), drain))
        started.set()
        await serve_connections(bound, [*methods(seen), *extra], limits, drain=drain)

    def run() -> None:
        try:
            trio.run(main)
        except BaseException as error:
            failures.append(error)
            started.set()

    thread = threading.Thread(target=run, name="wire-server")
    thread.start()
    assert started.wait(20)
    token, drain = box[0]
    server = RunningServer(bound, seen, token, drain, thread)
    try:
        yield server
    finally:
        with contextlib.suppress(trio.RunFinishedError):
            server.drain(0.0)
        server.join()
    if failures:
        raise failures[0]
