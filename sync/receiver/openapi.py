"""The kiosks' requests as a table: the routes and the OpenAPI document are both made from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.envelope import SHA256, SUBMISSION_ID
from sync.receiver.shapes import (
    Agreement,
    Announced,
    Clock,
    Comparison,
    Health,
    LookUp,
    Problem,
    Report,
    Status,
)

VERSION = "1.0.0"
"""Of the interface, not of the program."""

Json = dict[str, Any]
Shape = type[msgspec.Struct]
SIGNED = "application/vnd.motcua.signed"
"""One line of JSON, one line with its Ed25519 signature in base64 (sync.signed)."""
_JSON, _OCTETS, _TEXT = "application/json", "application/octet-stream", "text/plain"
_REF = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One request: `does` is the method of `api.Kiosks`; a body or answer is a shape or a media type."""

    method: str
    path: str
    does: str
    summary: str
    body: Shape | str | None = None
    answer: Shape | str | None = None
    status: int = 200
    refusals: tuple[int, ...] = ()
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    """Names of headers."""


_SUBMISSION, _BLOB = "/submissions/{id}", "/blobs/{sha256}"

TABLE = (
    Endpoint("GET", "/healthz", "healthz", "The receiver is there", answer=Health),
    Endpoint(
        "PUT", _SUBMISSION, "announce", "Take a signed manifest", SIGNED, Announced, refusals=(409, 413, 422, 507)
    ),
    Endpoint(
        "HEAD", _BLOB, "offset", "How much of a blob is here", refusals=(404, 507),
        gives=("Upload-Offset", "Upload-Length"),
    ),
    Endpoint(
        "PATCH", _BLOB, "append", "One piece of a blob", _OCTETS, status=204,
        refusals=(400, 404, 409, 413, 429, 507),
        takes=("Upload-Offset", "Content-Digest"), gives=("Upload-Offset",),
    ),
    Endpoint(
        "POST", f"{_SUBMISSION}/commit", "commit", "The receipt, once everything is durably here", answer=SIGNED,
        refusals=(404, 424, 507),
    ),
    Endpoint(
        "GET", f"{_SUBMISSION}/receipt", "receipt", "The receipt again", answer=SIGNED, refusals=(404, 424, 507)
    ),
    Endpoint("GET", f"{_SUBMISSION}/status", "status", "How far it is", answer=Status, refusals=(404, 507)),
    Endpoint(
        "POST", "/lookups", "look_up", "A dossier's state for the holder of both numbers", LookUp, _JSON,
        refusals=(400, 404, 413, 429, 507),
    ),
    Endpoint("PUT", "/report", "report", "What the kiosk says of itself", Report, Clock, refusals=(400, 413, 507)),
    Endpoint(
        "POST", "/reconciliation", "reconcile", "Do both sides hold the same receipts?", Comparison, Agreement,
        refusals=(400, 413, 507),
    ),
    Endpoint(
        "GET", "/catalogue", "catalogue", "The newest catalogue", answer=_JSON, refusals=(304, 404, 507),
        takes=("If-None-Match",), gives=("ETag",),
    ),
    Endpoint(
        "POST", "/reusable", "reusable", "Digitised papers that may stand for components", _JSON, _JSON,
        refusals=(400, 413, 429, 507),
    ),
    Endpoint("GET", "/keys", "keys", "The province's signed list of keys", answer=SIGNED, refusals=(404, 507)),
    Endpoint("GET", "/metrics", "metrics", "For Prometheus; only for the configured monitor", answer=_TEXT),
)  # fmt: skip


def document(table: Sequence[Endpoint] = TABLE) -> Json:
    """The OpenAPI 3.1 document of these requests."""
    shapes = {shape for endpoint in table for shape in (endpoint.body, endpoint.answer) if isinstance(shape, type)}
    _, components = msgspec.json.schema_components(
        sorted({*shapes, Problem}, key=lambda shape: shape.__name__), ref_template=_REF
    )
    paths: dict[str, Json] = {}
    for endpoint in table:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Motcua receiver", "version": VERSION, "description": "Sealed dossiers of kiosks."},
        "servers": [{"url": "/api/v1"}],
        "security": [{"certificate": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "certificate": {"type": "mutualTLS", "description": "The enrolled certificate of one kiosk."}
            },
        },
    }


def _operation(endpoint: Endpoint) -> Json:
    answer: Json = {"description": endpoint.summary}
    if endpoint.answer is not None:
        answer["content"] = _content(endpoint.answer)
    if endpoint.gives:
        answer["headers"] = {name: {"schema": {"type": "string"}} for name in endpoint.gives}
    found: Json = {
        "summary": endpoint.summary,
        "operationId": endpoint.does,
        "responses": {str(endpoint.status): answer} | {str(s): _refusal(s) for s in (403, *endpoint.refusals)},
    }
    named = [("id", SUBMISSION_ID.pattern), ("sha256", SHA256.pattern)]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": f"^{pattern}$"}}
        for name, pattern in named
        if f"{{{name}}}" in endpoint.path
    ]
    parameters += [{"name": name, "in": "header", "schema": {"type": "string"}} for name in endpoint.takes]
    if parameters:
        found["parameters"] = parameters
    if endpoint.body is not None:
        found["requestBody"] = {"required": True, "content": _content(endpoint.body)}
    return found


def _content(what: Shape | str) -> Json:
    if isinstance(what, str):
        return {what: {"schema": {"type": "object"} if what == _JSON else {"type": "string"}}}
    return {_JSON: {"schema": {"$ref": _REF.format(name=what.__name__)}}}


def _refusal(status: int) -> Json:
    if status == 304:  # Not Modified: has no body
        return {"description": "The kiosk has it"}
    return {"description": "Refused", "content": _content(Problem)}
