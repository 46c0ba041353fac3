"""The OpenAPI 3.1 document of `/api/v1`, made from the table that the requests are dispatched by."""

from collections.abc import Sequence

import msgspec

from kiosk_queue.api.dispatch import Endpoint
from kiosk_queue.api.shapes import Problem, Shape
from kiosk_queue.model import Json

VERSION = "1.0.0"
_REF = "#/components/schemas/{name}"
_EVERYWHERE = {
    "refused": (401, 403, 503),
    "body": (400, 408, 413),
    "key": (400, 422),
}
_MEANING = {
    400: "The request is not well formed; `reason` says more",
    401: "No token, or one that is not valid",
    403: "Not for a device of this role or centre",
    404: "There is no such thing",
    408: "The body came too slowly",
    409: "Not allowed now; `reason` says why",
    413: "The body is too large",
    422: "The key was used for another request",
    429: "Not so soon, or not so often",
    503: "Not stored, or not known whether it was: ask again with the same key",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and request always have the same answer, for two days.",
    "schema": {"type": "string", "pattern": '^"?[A-Za-z0-9_.:-]{8,128}"?$'},
}
_X_COUNTER = {
    "name": "X-Counter",
    "in": "header",
    "description": "The counter that acts; needed when the number is at none and the device holds several.",
    "schema": {"type": "string", "maxLength": 40},
}
_SINCE = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The last event that is known: every later one is sent. Without it only what happens from now on.",
    "schema": {"type": "integer", "minimum": 0},
}
_AFTER = _SINCE | {"name": "after", "in": "query", "description": "Stands in for Last-Event-ID."}
_STREAM = {
    "description": "Frames `event: event` (one event each, `id:` its number, without gaps) and `event: state`"
    " (numbers waiting by service), at least every 10 seconds.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


def document(table: Sequence[Endpoint]) -> Json:
    """The document of these endpoints."""
    shapes: set[Shape] = {Problem}
    paths: dict[str, Json] = {}
    for endpoint in table:
        shapes.update(shape for shape in (endpoint.body, *endpoint.answers.values()) if shape is not None)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    paths["/openapi.json"] = {"get": _own()}
    _, components = msgspec.json.schema_components(sorted(shapes, key=lambda s: s.__name__), ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Motcua queue",
            "version": VERSION,
            "description": "Numbers, counters and events of a one-stop centre. Errors are problem details (RFC 9457).",
        },
        "servers": [
            {"url": "/api/v1", "description": "The centre of the device"},
            {"url": "/c/{centre}/api/v1", "variables": {"centre": {"default": "centre"}}},
        ],
        "security": [{"device": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "device": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Issued by `serve queue token --device NAME --role kiosk|counter|display`.",
                }
            },
        },
    }


def _operation(endpoint: Endpoint) -> Json:
    roles = " or ".join(endpoint.roles) or "any"
    found: Json = {
        "summary": endpoint.summary,
        "operationId": _identity(endpoint.method, endpoint.path),
        "description": f"Role of the device: {roles}.",
        "responses": {str(status): _answer(endpoint, shape) for status, shape in endpoint.answers.items()},
    }
    parameters = _parameters(endpoint)
    if parameters:
        found["parameters"] = parameters
    if endpoint.body is not None:
        required = bool(msgspec.json.schema_components([endpoint.body])[1][endpoint.body.__name__].get("required"))
        found["requestBody"] = {"required": required, "content": {"application/json": {"schema": _ref(endpoint.body)}}}
    for status in _refusals(endpoint):
        found["responses"].setdefault(str(status), _problem(status))
    return found


def _refusals(endpoint: Endpoint) -> list[int]:
    statuses = {*endpoint.refusals, *_EVERYWHERE["refused"]}
    if endpoint.body is not None:
        statuses.update(_EVERYWHERE["body"])
    if endpoint.key != "none":
        statuses.update(_EVERYWHERE["key"])
    return sorted(statuses)


def _parameters(endpoint: Endpoint) -> list[Json]:
    found: list[Json] = []
    if "{id}" in endpoint.path:
        found.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    if endpoint.key != "none":
        found.append(_KEY | {"required": endpoint.key == "required"})
    if endpoint.by_counter:
        found.append(_X_COUNTER)
    if endpoint.path == "/events":
        found.extend((_SINCE, _AFTER))
    return found


def _answer(endpoint: Endpoint, shape: Shape | None) -> Json:
    if endpoint.path == "/events":
        return _STREAM
    if shape is None:
        return {"description": "Nothing"}
    text = (shape.__doc__ or "").split("\n", maxsplit=1)[0]
    return {"description": text, "content": {"application/json": {"schema": _ref(shape)}}}


def _own() -> Json:
    answer = {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"summary": "This document", "operationId": "getOpenapi", "security": [], "responses": {"200": answer}}


def _problem(status: int) -> Json:
    return {
        "description": _MEANING[status],
        "content": {"application/problem+json": {"schema": _ref(Problem)}},
    }


def _ref(shape: Shape) -> Json:
    return {"$ref": _REF.format(name=shape.__name__)}


def _identity(method: str, path: str) -> str:
    words = [word for part in path.split("/") for word in part.split("-") if word not in ("", "{id}")]
    return method.lower() + "".join(word.capitalize() for word in words) + ("ById" if path.endswith("{id}") else "")
