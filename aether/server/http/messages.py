"""Requests and responses as the handlers see them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from attrs import field, frozen

Send = Callable[[bytes], Awaitable[None]]
Headers = tuple[tuple[str, str], ...]

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"


@frozen
class Request:
    """`path` is decoded, and so are `segments`, its parts; a slash in a part is one of its letters.

    `query` has the last value of each name, names of `headers` are in lower case.
    """

    method: str
    path: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@frozen
class Response:
    """`stream`, if set, is called with a function that sends, and writes the body after `body`."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    content_type: str = TEXT_TYPE
    headers: Headers = ()
    stream: Callable[[Send], Awaitable[None]] | None = field(default=None, eq=False)


Handler = Callable[[Request], Awaitable[Response]]


class HttpError(Exception):
    """A request that is answered with an error. `words` are for the one who asked."""

    def __init__(self, status: int, words: str, *, code: str = "", headers: Headers = ()) -> None:
        super().__init__(status, words)
        self.status = status
        self.words = words
        self.code = code or HTTPStatus(status).name
        self.headers = headers

    def response(self) -> Response:
        document = {"error": {"code": self.code, "message": self.words}}
        return as_json(document, status=self.status, headers=self.headers)


def as_json(document: object, *, status: int = HTTPStatus.OK, headers: Headers = ()) -> Response:
    return json_response(json_text(document), status=status, headers=headers)


def json_text(document: object) -> str:
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def json_response(text: str, *, status: int = HTTPStatus.OK, headers: Headers = ()) -> Response:
    return Response(status, text.encode(), JSON_TYPE, (("cache-control", "no-store"), *headers))
