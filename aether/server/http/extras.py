"""What the API has beside the methods of the contract, as a table: the document is made from it."""

from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from aether.server.http.batch import BATCH_SCHEMA, CHUNK, COUNT_MAX

JSON_LINES: Final = "application/jsonl"
Schema = Mapping[str, object]


@frozen
class Extra:
    """`is_change`: it is refused to who may only look."""

    verb: str
    path: str
    name: str
    about: str
    body: Schema | None = None
    query: Schema = field(factory=dict)
    answer: Schema = field(factory=lambda: {"type": "object"})
    content_type: str = "application/json"
    body_type: str = "application/json"
    is_change: bool = False


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer"}
_FLAG: Final = {"type": "boolean"}
_LIST: Final = {"type": "array", "items": {"type": "object"}}
_MAYBE_NUMBER: Final = {"type": ["integer", "null"]}

EXTRAS: Final = (
    Extra(
        "GET",
        "/about",
        "About",
        "Versions, settings without secrets and paths, health, and the token that changes of this origin show.",
        answer=_object(
            version=_TEXT,
            node=_TEXT,
            persistence=_TEXT,
            started_at=_TEXT,
            versions={"type": "object", "additionalProperties": _TEXT},
            settings=_LIST,
            checks={"type": "object", "additionalProperties": _TEXT},
            read_only=_FLAG,
            asks_for_token=_FLAG,
            token=_TEXT,
            actions={"type": "array", "items": _TEXT},
            batch_actions={"type": "array", "items": _TEXT},
        ),
    ),
    Extra(
        "POST",
        "/batch",
        "Batch",
        f"Do something to the runs that a filter means, or to `runs`: {CHUNK} a request, newest first. `next` is the "
        "`before_run_key` to go on with, or null. `fields` are those of the action's own request. With `dry_run` the "
        f"runs are counted, up to {COUNT_MAX}; ask with the `before_run_key` of that answer, and runs that are started "
        "meanwhile are not meant. Runs that are in no fitting state are left out.",
        body=BATCH_SCHEMA,
        answer=_object(
            count=_NUMBER, is_more=_FLAG, before_run_key=_NUMBER, done=_NUMBER, failed=_LIST, next=_MAYBE_NUMBER
        ),
        is_change=True,
    ),
    Extra(
        "GET",
        "/events",
        "Events",
        "What has happened over all runs, oldest first: with `last`, among so many of the newest events; with "
        "`after_position`, behind the `next` of an earlier answer. So many as `dropped` says were left out, because "
        "nobody had asked for too long.",
        query={"filter": _TEXT, "kinds": _TEXT, "last": _NUMBER, "after_position": _NUMBER},
        answer=_object(
            events={"type": "array", "items": {"$ref": "#/components/schemas/LoggedEvent"}},
            dropped=_NUMBER,
            next=_NUMBER,
        ),
    ),
    Extra(
        "POST",
        "/import",
        "Import",
        "What the page shows of a history that `aether history ID -o jsonl` has written. Nothing of it is kept.",
        body={"type": "string", "description": "An event a line."},
        body_type=JSON_LINES,
        answer=_object(
            info={"$ref": "#/components/schemas/WorkflowInfo"},
            result={"description": "Any JSON value."},
            failure={"$ref": "#/components/schemas/Failure"},
            rows={"type": "array", "items": {"$ref": "#/components/schemas/TimelineRow"}},
        ),
    ),
    Extra("GET", "/openapi.json", "OpenApi", "This document."),
    Extra(
        "GET",
        "/stream",
        "Stream",
        "Server-sent events: `metrics`, the server in numbers each second in which they change; `resync` when some "
        "were left out because they were not read in time.",
        answer=_TEXT,
        content_type="text/event-stream",
    ),
)
