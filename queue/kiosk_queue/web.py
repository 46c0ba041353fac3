"""What all pages and APIs of the queue server share: its parts, bounded request bodies, answers, headers."""

import asyncio
import contextlib
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kiosk.config import QueueServerSettings
from kiosk_queue.api.devices import Devices
from kiosk_queue.estimate import Estimates
from kiosk_queue.feed import Audience, Feed
from kiosk_queue.floor import Deed, Desk, Refused, View
from kiosk_queue.model import Json

PAGES = Path(__file__).parent / "pages"
LARGEST_BODY = 4096
SLOWEST_BODY = 5.0
"""Bytes and seconds that a request's body may take."""

KEY = re.compile(r"[A-Za-z0-9_.:-]{8,200}")
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
ANYTHING = re.compile(r"(?s).{0,200}")

_HEADERS = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
        "cache-control": "no-store",
    }.items()
)
_HEADER_NAMES = frozenset(name for name, _ in _HEADERS)

_templates = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)

T = TypeVar("T")


class Answers:
    """Brings what the store's threads have done into the event loop, many at one waking."""

    def __init__(self) -> None:
        self._landed: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._scheduled = False

    async def of(self, work: "Future[T]") -> T:
        """The result of `work`, or what it raised."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()

        def land(done: "Future[T]") -> None:
            self._landed.append((waiter, done))
            if not self._scheduled:
                self._scheduled = True
                with contextlib.suppress(RuntimeError):  # the loop is already gone
                    loop.call_soon_threadsafe(self._deliver)

        work.add_done_callback(land)
        return await waiter

    def _deliver(self) -> None:
        self._scheduled = False  # before the last look, so that nothing is left lying
        while self._landed:
            waiter, done = self._landed.popleft()
            if waiter.done():  # whoever asked is gone
                continue
            error = done.exception()
            if error is None:
                waiter.set_result(done.result())
            else:
                waiter.set_exception(error)


@dataclass(frozen=True, slots=True)
class Site:
    """The parts of a running queue server. `home` is the centre of addresses that name none."""

    desk: Desk
    feed: Feed
    settings: QueueServerSettings
    home: str
    devices: Devices
    estimates: Estimates
    answers: Answers = field(default_factory=Answers)

    def centre_of(self, request: Request) -> str:
        """The centre that an address names (`/c/{centre}/…`), else the home one."""
        return str(request.path_params.get("centre", self.home))

    def address_of(self, centre: str) -> str:
        """The public address that a centre's pages begin with."""
        return self.settings.public_url.rstrip("/") + ("" if centre == self.home else f"/c/{centre}")

    async def do(self, centre: str, deed: Deed, key: str | None = None, request: str = "") -> Json:
        """One deed, awaited."""
        return await self.answers.of(self.desk.do(centre, deed, key, request))

    async def see(self, centre: str, look: Callable[[View], T]) -> T:
        """One look, awaited."""
        return await self.answers.of(self.desk.see(centre, look))


def base_of(request: Request) -> str:
    """What the page's own addresses begin with: empty, or `/c/{centre}`."""
    centre = request.path_params.get("centre")
    return f"/c/{centre}" if centre else ""


def page(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A rendered page."""
    return HTMLResponse(_templates.get_template(template).render(**values), status)


def problem(status: int, reason: str, text: str) -> JSONResponse:
    """An error as RFC 9457 problem details; `reason` is the code for programs."""
    body = {"type": "about:blank", "title": text, "status": status, "reason": reason}
    return JSONResponse(body, status, media_type="application/problem+json")


async def body_bytes(request: Request, largest: int = LARGEST_BODY) -> bytes:
    """The whole body; raises Refused when it is too large or comes too slowly."""
    data = b""
    try:
        async with asyncio.timeout(SLOWEST_BODY):
            async for chunk in request.stream():
                data += chunk
                if len(data) > largest:
                    raise Refused("too_large", "Yêu cầu quá lớn", 413)
    except TimeoutError:
        raise Refused("too_slow", "Yêu cầu quá chậm", 408) from None
    return data


async def json_body(request: Request, largest: int = LARGEST_BODY) -> Json:
    """A JSON object; raises Refused."""
    try:
        data = json.loads(await body_bytes(request, largest))
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


def events(site: Site, request: Request, audience: Audience, centre: str = "") -> Response:
    """The stream of events for one page; `?after=` stands in for Last-Event-ID when a page opens a new EventSource."""
    last = request.headers.get("last-event-id", request.query_params.get("after", ""))
    seen = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else None
    return EventStream(site.feed.listen(centre or site.centre_of(request), audience, seen))


class EventStream(StreamingResponse):
    """Waits for its first frame before it answers, so that what is refused has a status of its own."""

    def __init__(self, frames: AsyncIterator[bytes]) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(frames, media_type="text/event-stream", headers=headers)
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        first = await anext(self._frames, b"")
        self.body_iterator = _chained(first, self._frames)
        await super().__call__(scope, receive, send)


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for frame in rest:
        yield frame


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


def _completed(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """What is missing is added; an answer with a policy of its own (the API's) is left as it is."""
    given = list(headers)
    present = _HEADER_NAMES.intersection([name for name, _ in given])
    if not present:
        return [*given, *_HEADERS]
    if b"content-security-policy" in present:
        return given
    return [*given, *(header for header in _HEADERS if header[0] not in present)]
