"""The web port of an engine in this process: requests in, answers out, without a socket."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote

import trio

from aether.server.http.connection import HttpConnection
from aether.server.http.guard import Guard
from aether.server.http.limits import DEFAULT_HTTP_LIMITS
from aether.server.http.local_call import LocalClient
from aether.server.http.messages import Request, Response
from aether.server.http.metrics_site import MetricsSite
from aether.server.http.web_site import WebSite
from aether.server.serve import Running, run_engine
from aether.server.settings import Settings
from aether.server.tiers import Tier
from aether.store.memory import MemoryStore

JSON = {"host": "localhost:7234", "content-type": "application/json"}


class Web:
    def __init__(self, running: Running, site: WebSite, guard: Guard) -> None:
        self.running = running
        self.site = site
        self.guard = guard

    async def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> Response:
        path, _, query = target.partition("?")
        segments = tuple(unquote(part) for part in path.split("/")[1:])
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(method, unquote(path), segments, dict(parse_qsl(query)), JSON | names, body)
        return await self.site.handle(request)

    async def get(self, target: str, **headers: str) -> Any:
        response = await self.send("GET", f"/api/v1{target}", b"", **headers)
        assert response.status == 200, response.body
        return json.loads(response.body)

    async def post(self, target: str, document: object, **headers: str) -> tuple[int, Any]:
        response = await self.send("POST", f"/api/v1{target}", json.dumps(document).encode(), **headers)
        return response.status, json.loads(response.body)

    async def start(self, workflow_id: str, **fields: object) -> str:
        status, document = await self.post(
            "/workflows", {"workflow_type": "order", "workflow_id": workflow_id, "input": [1], **fields}
        )
        assert status == 200, document
        return str(document["run_id"])

    async def exchange(self, data: bytes) -> bytes:
        """What comes back for bytes on a connection."""
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(HttpConnection(theirs, self.site.handle, DEFAULT_HTTP_LIMITS).run)
            await ours.send_all(data)
            await ours.send_eof()
            received = b""
            while chunk := await ours.receive_some():
                received += bytes(chunk)
            return received


@asynccontextmanager
async def web(
    *hosts: str, read_only: bool = False, secret: str = "", settings: Settings | None = None
) -> AsyncIterator[Web]:
    async with run_engine(MemoryStore(), Tier("memory")) as running, trio.open_nursery() as nursery:
        guard = Guard(hosts, read_only=read_only, secret=secret)
        health = MetricsSite(running.report, "memory")
        site = WebSite(
            running.report,
            LocalClient(running.methods, running.report.traffic),
            guard,
            health.handle,
            settings or Settings(),
        )
        nursery.start_soon(site.feed.run)
        yield Web(running, site, guard)
        nursery.cancel_scope.cancel()


def mutated(draw: random.Random, seeds: list[bytes]) -> bytes:
    """A request with some of its bytes cut, doubled or replaced."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(data) + 1)
        pieces = [b"", b"\x00", b"\r\n", b"\n", b":", b" ", b"%ff", b"/", bytes([draw.randrange(256)]), b"0" * 40]
        data[at : at + draw.randint(0, 4)] = draw.choice(pieces)
    return bytes(data)
