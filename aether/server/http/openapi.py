"""The API as an OpenAPI 3.1 document, made from its table of routes."""

import re

from aether.server.http.api import PREFIX, ROUTES, Route
from aether.server.http.extras import EXTRAS, Extra
from aether.server.http.transcode import is_repeated, schema_name, schemas_of
from aether.version import VERSION
from aether.wire.generated.aether.v1.admin_pb2 import LoggedEvent

_ERROR = {
    "type": "object",
    "properties": {
        "error": {"type": "object", "properties": {"code": {"type": "string"}, "message": {"type": "string"}}}
    },
}


def document() -> dict[str, object]:
    schemas: dict[str, object] = {"Error": _ERROR}
    paths: dict[str, dict[str, object]] = {}
    for route in ROUTES:
        schemas_of(route.request.DESCRIPTOR, schemas, of_request=True)
        schemas_of(route.answer.DESCRIPTOR, schemas, of_request=False)
        paths.setdefault(PREFIX + route.pattern, {})[route.verb.lower()] = _operation(route, schemas)
    schemas_of(LoggedEvent.DESCRIPTOR, schemas, of_request=False)
    for extra in EXTRAS:
        paths.setdefault(PREFIX + extra.path, {})[extra.verb.lower()] = _extra(extra)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Aether", "version": VERSION, "description": "Runs, workers and queues of one server."},
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


def _operation(route: Route, schemas: dict[str, object]) -> dict[str, object]:
    in_path = re.findall(r"\{(\w+)\}", route.pattern)
    parameters: list[object] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path
    ]
    operation: dict[str, object] = {
        "summary": route.about,
        "operationId": route.rpc.rpartition("/")[2] + (f"_{'_'.join(route.only)}" if route.only else ""),
        "parameters": parameters,
        "responses": _responses(_answer(route, schemas)),
    }
    if route.is_change:
        reference = {"$ref": f"#/components/schemas/{schema_name(route.request.DESCRIPTOR)}"}
        operation["requestBody"] = {"content": {"application/json": {"schema": reference}}}
        return operation
    parameters.extend(
        {"name": field.name, "in": "query", "schema": {"type": ["string", "integer", "boolean"]}}
        for field in route.request.DESCRIPTOR.fields
        if field.name not in in_path and field.message_type is None and not is_repeated(field)
    )
    return operation


def _answer(route: Route, schemas: dict[str, object]) -> dict[str, object]:
    name = schema_name(route.answer.DESCRIPTOR)
    one: dict[str, object] = {"$ref": f"#/components/schemas/{name}"}
    if not route.many:
        return one
    return {
        "type": "object",
        "properties": {route.many: {"type": "array", "items": one}, "next": {"type": ["integer", "null"]}},
    }


def _extra(extra: Extra) -> dict[str, object]:
    operation: dict[str, object] = {
        "summary": extra.about,
        "operationId": extra.name,
        "responses": _responses(extra.answer, extra.content_type),
    }
    if extra.query:
        operation["parameters"] = [{"name": name, "in": "query", "schema": each} for name, each in extra.query.items()]
    if extra.body is not None:
        operation["requestBody"] = {"required": True, "content": {extra.body_type: {"schema": extra.body}}}
    return operation


def _responses(answer: object, content_type: str = "application/json") -> dict[str, object]:
    why_not = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "200": {"description": "Done.", "content": {content_type: {"schema": answer}}},
        "default": {"description": "Why not.", "content": why_not},
    }


_SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "What the file of `web.token_file` holds; asked for if there is one.",
    }
}
