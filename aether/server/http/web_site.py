"""The web port: the page, its API and its stream.

/                       the page; so are /workflows, /workflows/ID, /workers, /queues and /metrics-view
/static/…               its files
/api/v1/…               the JSON API, /api/v1/openapi.json, /api/v1/about, /api/v1/stream
/livez /readyz          as on the metrics port
"""

import hashlib
import socket
from importlib.resources import files

import trio

from aether.server.http.api import ACTIONS, PREFIX, Api
from aether.server.http.door import HttpDoor
from aether.server.http.feed import Feed
from aether.server.http.guard import SECURITY_HEADERS, Guard
from aether.server.http.local_call import LocalClient
from aether.server.http.messages import Handler, HttpError, Request, Response, as_json
from aether.server.http.openapi import document
from aether.server.metrics_report import MetricsReport
from aether.version import VERSION

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_VIEWS = {"", "workflows", "workers", "queues", "metrics-view"}
_API = tuple(PREFIX.strip("/").split("/"))


class WebSite:
    def __init__(self, report: MetricsReport, client: LocalClient, guard: Guard, health: Handler) -> None:
        self._report = report
        self._api = Api(client)
        self.feed = Feed(report)
        self._guard = guard
        self._health = health
        self._files = _load_files()

    async def serve(self, bound: socket.socket) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.feed.run)
            await HttpDoor(self.handle).serve(bound)

    async def handle(self, request: Request) -> Response:
        try:
            self._guard.check(request)
            response = await self._route(request)
        except HttpError as error:
            response = error.response()
        headers = (*response.headers, *SECURITY_HEADERS)
        return Response(response.status, response.body, response.content_type, headers, response.stream)

    async def _route(self, request: Request) -> Response:
        segments = request.segments
        if segments[:2] == _API:
            return await self._below_api(request, segments[2:])
        if request.method not in {"GET", "HEAD"}:
            raise HttpError(405, "only GET", headers=(("allow", "GET, HEAD"),))
        if segments[0] == "static" and len(segments) == 2:
            return self._file(request, segments[1])
        if segments[0] in {"livez", "readyz", "healthz"} and len(segments) == 1:
            return await self._health(request)
        if segments[0] in _VIEWS and len(segments) <= 2:
            return self._file(request, "index.html")
        raise HttpError(404, "there is no such page")

    async def _below_api(self, request: Request, segments: tuple[str, ...]) -> Response:
        if segments == ("stream",) and request.method == "GET":
            return self.feed.response()
        if segments == ("openapi.json",):
            return as_json(document())
        if segments == ("about",):
            return as_json(
                {
                    "version": VERSION,
                    "node": self._report.node,
                    "persistence": self._report.readiness.persistence,
                    "read_only": self._guard.read_only,
                    "token": self._guard.token,
                    "actions": [] if self._guard.read_only else ACTIONS,
                }
            )
        return await self._api.handle(request, segments)

    def _file(self, request: Request, name: str) -> Response:
        found = self._files.get(name)
        if found is None:
            raise HttpError(404, "there is no such file")
        body, tag = found
        # Asked for each time, and sent only if it is another: a new server has its page shown at once.
        headers = (("cache-control", "no-cache"), ("etag", tag))
        if request.headers.get("if-none-match") == tag:
            return Response(304, b"", _TYPES[_suffix(name)], headers)
        return Response(200, body, _TYPES[_suffix(name)], headers)


def _suffix(name: str) -> str:
    return name[name.rindex(".") :]


def _load_files() -> dict[str, tuple[bytes, str]]:
    """The files of the page, each with its tag."""
    found = {}
    for file in files("aether.server.http").joinpath("page").iterdir():
        if "." in file.name and _suffix(file.name) in _TYPES:
            body = file.read_bytes()
            found[file.name] = (body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"')
    return found
