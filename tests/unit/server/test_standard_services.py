"""Health, as gRPC tools ask for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define
from trio.testing import MockClock, wait_all_tasks_blocked

from aether.core.engine import Engine
from aether.server.clock import Clock
from aether.server.engine_loop import EngineLoop
from aether.server.histories import Histories
from aether.server.readiness import Readiness
from aether.server.standard_services import HealthService
from aether.server.tally import Tally
from aether.server.tiers import Tier
from aether.server.writer import DirectWriter
from aether.store.memory import MemoryStore
from aether.wire import frames
from aether.wire.frames import ErrorCode
from aether.wire.generated.grpc.health.v1 import health_pb2 as pb
from tests.conformance.wire_peer import RawClient

WATCH = b"/grpc.health.v1.Health/Watch"
CHECK = b"/grpc.health.v1.Health/Check"
SERVING = pb.HealthCheckResponse.SERVING
NOT_SERVING = pb.HealthCheckResponse.NOT_SERVING


@define
class Server:
    client: RawClient
    writer: DirectWriter
    readiness: Readiness
    health: HealthService

    def ask(self, stream: int, path: bytes, service: str = "") -> None:
        request = pb.HealthCheckRequest(service=service).SerializeToString()
        self.client.link.feed(self.client.request(stream, request, P_path=path), self.client.now)

    def told(self) -> list[tuple[int, int]]:
        """(stream, status) of what has been told since the last time."""
        return [
            (frame.stream, pb.HealthCheckResponse.FromString(frame.payload[5:]).status)
            for frame in self.client.read()
            if frame.kind == frames.DATA
        ]


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    clock = Clock()
    loop = EngineLoop(Engine(clock.now()), clock, Histories(1_000), Tally({}))
    writer = DirectWriter(MemoryStore(), loop.on_durable)
    loop.attach(writer)
    readiness = Readiness(loop, writer, Tier())
    health = HealthService(readiness)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(health.run)
        yield Server(RawClient(health.methods()), writer, readiness, health)
        nursery.cancel_scope.cancel()


def test_who_watches_is_told_of_each_change_once() -> None:
    async def main() -> None:
        async with serving() as server:
            server.ask(1, WATCH)
            server.ask(3, WATCH, "aether.v1.ClientService")
            server.ask(5, WATCH, "no.Service")
            assert server.told() == [(1, SERVING), (3, SERVING), (5, pb.HealthCheckResponse.SERVICE_UNKNOWN)]
            await trio.sleep(10)
            assert server.told() == []
            server.writer.fault = "no room"
            server.ask(7, CHECK)
            await trio.sleep(10)
            assert server.told() == [(7, NOT_SERVING), (1, NOT_SERVING), (3, NOT_SERVING)]
            server.client.feed(frames.rst_stream(3, ErrorCode.CANCEL))
            server.writer.fault = None
            await trio.sleep(10)
            assert server.told() == [(1, SERVING)]
            server.health.drain()
            assert server.told() == [(1, NOT_SERVING), (5, NOT_SERVING)]
            assert not server.client.link.streams

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_nothing_is_looked_at_while_nobody_watches() -> None:
    async def main() -> None:
        async with serving() as server:
            server.ask(1, WATCH)
            server.client.feed(frames.rst_stream(1, ErrorCode.CANCEL))
            await trio.sleep(2)
            await wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().seconds_to_next_deadline == float("inf")

    trio.run(main, clock=MockClock(autojump_threshold=0))
