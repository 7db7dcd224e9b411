"""The web port: the page, its API and its stream.

/                       the page; so are /workflows, /workflows/ID and the other views
/static/…               its files
/api/v1/…               the JSON API: methods of the contract (`api.py`) and what there is beside them (`extras.py`)
/livez /readyz          as on the metrics port
"""

import hashlib
import socket
from collections.abc import Awaitable, Callable
from importlib.resources import files

import trio

from aether.server.http.about import about_server
from aether.server.http.api import ACTIONS, PREFIX, Api, json_of
from aether.server.http.batch import BATCH_ACTIONS, Batches, batch_of
from aether.server.http.door import HttpDoor
from aether.server.http.extras import EXTRAS, Extra
from aether.server.http.feed import Feed
from aether.server.http.guard import SECURITY_HEADERS, Guard
from aether.server.http.happened import happened
from aether.server.http.imported import imported
from aether.server.http.local_call import LocalClient
from aether.server.http.messages import Handler, HttpError, Request, Response, as_json
from aether.server.http.openapi import document
from aether.server.metrics_report import MetricsReport
from aether.server.settings import Settings

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_VIEWS = {"", "workflows", "workers", "queues", "metrics-view", "log", "import", "about"}
_HEALTH = {"livez", "readyz", "healthz"}
_EXTRAS: dict[str, Extra] = {extra.path: extra for extra in EXTRAS}
_API = tuple(PREFIX.strip("/").split("/"))


class WebSite:
    def __init__(
        self, report: MetricsReport, client: LocalClient, guard: Guard, health: Handler, settings: Settings
    ) -> None:
        self._report = report
        self._settings = settings
        self._client = client
        self._api = Api(client)
        self._batches = Batches(client)
        self.feed = Feed(report)
        self._guard = guard
        self._health = health
        self._files = _load_files()
        self._extras: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/about": self.about,
            "/batch": self.batch,
            "/events": self.events,
            "/import": self.imported,
            "/openapi.json": self.openapi,
            "/stream": self.stream,
        }

    async def serve(self, bound: socket.socket) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.feed.run)
            await HttpDoor(self.handle, admit=self._guard.check_known).serve(bound)

    async def handle(self, request: Request) -> Response:
        try:
            self._guard.check_name(request)
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
        if segments[0] in _HEALTH and len(segments) == 1:
            return await self._healthy(request)
        if segments[0] in _VIEWS and len(segments) <= 2:
            return self._file(request, "index.html")
        raise HttpError(404, "there is no such page")

    async def _healthy(self, request: Request) -> Response:
        """What fails is told to who may ask the rest."""
        response = await self._health(request)
        return response if self._guard.is_known(request) else Response(response.status, b"")

    async def _below_api(self, request: Request, segments: tuple[str, ...]) -> Response:
        self._guard.check_known(request)
        extra = _EXTRAS.get("/" + "/".join(segments))
        if extra is None:
            route, parts = self._api.find(request, segments)
            self._guard.check(request)
            return await self._api.ask(route, parts, request)
        verbs = ("GET", "HEAD") if extra.verb == "GET" else (extra.verb,)
        if request.method not in verbs:
            raise HttpError(405, f"only {extra.verb}", headers=(("allow", ", ".join(verbs)),))
        self._guard.check(request, only_looks=not extra.is_change, kind=extra.body_type)
        return await self._extras[extra.path](request)

    async def about(self, request: Request) -> Response:
        is_closed = self._guard.read_only
        told = {
            "read_only": is_closed,
            "asks_for_token": self._guard.has_secret,
            "token": self._guard.token,
            "actions": [] if is_closed else ACTIONS,
            "batch_actions": [] if is_closed else list(BATCH_ACTIONS),
        }
        return as_json(about_server(self._report, self._settings) | told)

    async def batch(self, request: Request) -> Response:
        return as_json(await self._batches.answer(batch_of(json_of(request.body))))

    async def events(self, request: Request) -> Response:
        return await happened(self._client, request.query)

    async def imported(self, request: Request) -> Response:
        return await imported(request.body)

    async def openapi(self, request: Request) -> Response:
        return as_json(document())

    async def stream(self, request: Request) -> Response:
        return self.feed.response()

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
