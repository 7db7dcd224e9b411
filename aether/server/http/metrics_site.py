"""The metrics port: numbers for Prometheus, and whether this process lives and can work."""

import socket
from collections.abc import Iterator

import trio

from aether.server.http.door import HttpDoor
from aether.server.http.messages import TEXT_TYPE, HttpError, Request, Response, as_json
from aether.server.metric_families import families
from aether.server.metrics_report import MetricsReport
from aether.server.openmetrics import OPENMETRICS_TYPE, Exposition
from aether.server.openmetrics import TEXT_TYPE as PROMETHEUS_TYPE
from aether.version import VERSION


class MetricsSite:
    def __init__(self, report: MetricsReport, database: str) -> None:
        self._report = report
        self._database = database
        self._exposition = Exposition()
        self._pages = {
            "/metrics": self.metrics,
            "/livez": self.livez,
            "/readyz": self.readyz,
            "/healthz": self.readyz,
            "/version": self.version,
        }

    async def serve(self, bound: socket.socket) -> None:
        await HttpDoor(self.handle).serve(bound)

    async def handle(self, request: Request) -> Response:
        page = self._pages.get(request.path)
        if page is None:
            raise HttpError(404, f"there are {', '.join(self._pages)}")
        if request.method not in {"GET", "HEAD"}:
            raise HttpError(405, "only GET", headers=(("allow", "GET, HEAD"),))
        return await page(request)

    async def metrics(self, request: Request) -> Response:
        openmetrics = "application/openmetrics-text" in request.headers.get("accept", "")
        details = await self._report.census.take()
        found = families(self._report, details, self._database)
        body = await _joined(self._exposition.pieces(found, openmetrics=openmetrics))
        kind = OPENMETRICS_TYPE if openmetrics else PROMETHEUS_TYPE
        return Response(200, body, kind, (("cache-control", "no-store"),))

    async def livez(self, request: Request) -> Response:
        """Whoever reads this has been answered by the event loop. It looks at nothing else on purpose."""
        return Response(200, b"ok\n", TEXT_TYPE)

    async def readyz(self, request: Request) -> Response:
        checks = self._report.readiness.checks()
        failing = {name: fault for name, fault in checks.items() if fault}
        document = {
            "ready": not failing,
            "failing": failing,
            "checks": {name: "failing" if fault else "ok" for name, fault in checks.items()},
        }
        return as_json(document, status=503 if failing else 200)

    async def version(self, request: Request) -> Response:
        return as_json({"version": VERSION, "node": self._report.node})


async def _joined(pieces: Iterator[str]) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece.encode()
        # The engine has its turn between two pieces.
        await trio.lowlevel.checkpoint()
    return bytes(body)
