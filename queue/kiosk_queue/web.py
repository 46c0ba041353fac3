"""What all pages and APIs of the queue server share: its parts, bounded request bodies, answers, headers."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kiosk.catalogue import Catalogue
from kiosk.clock import Clock
from kiosk_queue.desk import Desk, Json, Refused
from kiosk_queue.feed import Audience, Feed
from kiosk_queue.store import Store
from kiosk_queue.voice import Voice

PAGES = Path(__file__).parent / "pages"
LARGEST_BODY = 4096
SLOWEST_BODY = 5.0
"""Bytes and seconds that a request's body may take."""

KEY = re.compile(r"[A-Za-z0-9_.:-]{8,200}")
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
ANYTHING = re.compile(r"(?s).{0,200}")

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

_templates = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)


@dataclass(frozen=True, slots=True)
class Centre:
    """The parts of a running queue server."""

    catalogue: Catalogue
    clock: Clock
    store: Store
    desk: Desk
    feed: Feed
    voice: Voice

    def now(self) -> datetime:
        """The time, UTC."""
        return self.clock.now()


def page(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A rendered page."""
    return HTMLResponse(_templates.get_template(template).render(**values), status)


def problem(status: int, reason: str, text: str) -> JSONResponse:
    """An error as RFC 9457 problem details; `reason` is the code for programs."""
    body = {"type": "about:blank", "title": text, "status": status, "reason": reason}
    return JSONResponse(body, status, media_type="application/problem+json")


async def body_bytes(request: Request) -> bytes:
    """The whole body; raises Refused when it is too large or comes too slowly."""
    data = b""
    try:
        async with asyncio.timeout(SLOWEST_BODY):
            async for chunk in request.stream():
                data += chunk
                if len(data) > LARGEST_BODY:
                    raise Refused("too_large", "Yêu cầu quá lớn", 413)
    except TimeoutError:
        raise Refused("too_slow", "Yêu cầu quá chậm", 408) from None
    return data


async def json_body(request: Request) -> Json:
    """A JSON object; raises Refused."""
    try:
        data = json.loads(await body_bytes(request))
    except (ValueError, RecursionError):
        raise Refused("bad_request", "Yêu cầu không phải JSON", 400) from None
    if not isinstance(data, dict):
        raise Refused("bad_request", "Yêu cầu không phải JSON", 400)
    return data


async def form_field(request: Request, name: str) -> str:
    """One field of an HTML form; raises Refused."""
    try:
        fields = parse_qs((await body_bytes(request)).decode(), max_num_fields=10)
    except ValueError:
        raise Refused("bad_request", "Yêu cầu không hợp lệ", 400) from None
    return fields.get(name, [""])[0]


def text_of(body: Json, name: str, shape: re.Pattern[str] = NAME, default: str | None = None) -> str:
    """A text member of the right shape; raises Refused."""
    value = body.get(name, default)
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise Refused("bad_request", f"Thiếu hoặc sai trường {name}", 400)
    return value


def events(centre: Centre, request: Request, audience: Audience) -> Response:
    """The stream of events for one page; `?after=` stands in for Last-Event-ID when a page opens a new EventSource."""
    last = request.headers.get("last-event-id", request.query_params.get("after", ""))
    seen = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else None
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(centre.feed.listen(audience, seen), media_type="text/event-stream", headers=headers)


class SecurityHeaders:
    """ASGI middleware: the same strict headers on every answer; nothing is cached unless it says so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, completing the headers of the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _completed(message["headers"])
            await send(message)

        await self._app(scope, receive, with_headers)


def _completed(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in headers}
    wanted: dict[str, Any] = {**_HEADERS, "cache-control": "no-store"}
    extra = [(k.encode(), v.encode()) for k, v in wanted.items() if k.encode() not in present]
    return [*headers, *extra]
