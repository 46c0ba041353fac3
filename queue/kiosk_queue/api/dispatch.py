"""`/api/v1`: one table of endpoints that requests are dispatched by, checked by and documented from.

The way of a request is short on purpose: one dictionary, one pass over the headers, one decoding, one deed.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from kiosk_queue.api import metrics
from kiosk_queue.api.devices import Device, Role
from kiosk_queue.api.shapes import Shape
from kiosk_queue.floor import Refused
from kiosk_queue.model import Json
from kiosk_queue.storage.store import Conflict, StorageFault
from kiosk_queue.web import LARGEST_BODY, SLOWEST_BODY, Site

log = logging.getLogger(__name__)

PREFIX = "/api/v1"
KEY = re.compile(rb'"?([A-Za-z0-9_.:-]{8,128})"?')
"""Idempotency-Key: bare, or in quotes as its draft standard writes it."""


@dataclass(slots=True)
class Call:
    """One request, checked. `centre` is the device's unless the address names one."""

    site: Site
    scope: Scope
    device: Device
    centre: str
    id: str
    body: Any
    key: str | None
    request: str
    counter: str
    """The X-Counter header."""


Reply = tuple[int, Json | None]
Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A row of the table."""

    method: str
    path: str
    summary: str
    roles: tuple[Role, ...]
    handler: Handler
    answers: dict[int, Shape | None]
    body: Shape | None = None
    key: str = "none"
    """Idempotency-Key: required, optional, none."""
    by_counter: bool = False
    """The deed of a counter: which one is told by X-Counter where the ticket does not tell."""
    refusals: tuple[int, ...] = ()


class Api:
    """ASGI middleware: it answers the addresses of its table, `/c/{centre}` before them or not, and passes on the rest.

    It stands before all routes and their middleware, because what they do for pages is half of a deed's way.
    """

    def __init__(self, app: ASGIApp, site: Site, table: Sequence[Endpoint]) -> None:
        self._app, self._site = app, site
        self._table: dict[str, dict[str, _Ready]] = {}
        for endpoint in table:
            self._table.setdefault(endpoint.path.replace("{id}", "*"), {})[endpoint.method] = _Ready(endpoint)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith("/c/"):
                named, _, rest = path[3:].partition("/")
                path, scope["path_params"] = f"/{rest}", {"centre": named}
            if path.startswith(PREFIX):
                methods, identity = self._find(path[len(PREFIX) :])
                if methods is not None:
                    await self._handle(methods, identity, scope, receive, send)
                    return
        await self._app(scope, receive, send)

    def _find(self, path: str) -> tuple[dict[str, "_Ready"] | None, str]:
        """The methods of an address and the identity in it."""
        found = self._table.get(path)
        if found is not None:
            return found, ""
        parts = path.split("/")
        if len(parts) == 3:
            return self._table.get(f"/{parts[1]}/*"), parts[2]
        if len(parts) == 4:
            return self._table.get(f"/{parts[1]}/*/{parts[3]}"), parts[2]
        return None, ""

    async def _handle(
        self, methods: dict[str, "_Ready"], identity: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer, whatever happens short of a defect."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in methods:
            await _problem(send, 405, "method_not_allowed", "Phương thức không được phép", ", ".join(methods))
            return
        ready: _Ready = methods[method]
        begun = time.perf_counter()
        try:
            call = await self._call(ready, scope, receive, identity)
            status, answer = await ready.handler(call)
            if status == STREAM:
                await call.scope["api.response"](scope, receive, send)
                return
            await _send(send, status, b"" if answer is None else msgspec.json.encode(answer))
        except Refused as error:
            status = error.status
            await _problem(send, status, error.reason, error.text)
        except StorageFault as error:
            log.error("not stored: %s", error)
            status = 503
            await _problem(send, status, "storage_error", "Máy chủ chưa lưu được. Hãy thử lại.")
        except Conflict as error:
            log.warning("refused by the database: %s", error)
            status = 409
            await _problem(send, status, "changed", "Dữ liệu vừa thay đổi. Hãy thử lại.")
        except ClientDisconnect:
            return
        ready.latency(status).observe(time.perf_counter() - begun)

    async def _call(self, ready: "_Ready", scope: Scope, receive: Receive, identity: str) -> Call:
        """Who asks for what; raises Refused."""
        authorization = counter = b""
        keys = []
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"idempotency-key":
                keys.append(value)
            elif name == b"x-counter":
                counter = value
        device = await self._site.devices.of(authorization.decode("latin-1"))
        named = scope.get("path_params", {}).get("centre")
        if (named is not None and named != device.centre) or (ready.roles and device.role not in ready.roles):
            raise Refused("forbidden", "Thiết bị không được phép làm việc này", 403)
        key = _key(keys, ready.endpoint)
        body, request = None, ""
        if ready.decoder is not None:
            body = _decoded(ready.decoder, await _read(receive))
            if key is not None:
                request = msgspec.json.encode(body).decode()
        if key is not None:
            key = f"{device.name}:{key}"
            request = f"{ready.endpoint.path}|{identity}|{counter.decode('latin-1')}|{request}"
        return Call(self._site, scope, device, device.centre, identity, body, key, request, counter.decode("latin-1"))


STREAM = 0
"""Instead of a status: the answer is `scope["api.response"]`, an ASGI application."""


class _Ready:
    """An endpoint with what its requests need, made once."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint, self.handler, self.roles = endpoint, endpoint.handler, endpoint.roles
        self.decoder = None if endpoint.body is None else msgspec.json.Decoder(endpoint.body)
        self._latency: dict[int, metrics.Observer] = {}

    def latency(self, status: int) -> metrics.Observer:
        """The histogram of this endpoint's answers with `status`."""
        found = self._latency.get(status)
        if found is None:
            found = self._latency[status] = metrics.latency(self.endpoint.method, self.endpoint.path, status)
        return found


def request_of(call: Call) -> Request:
    """The same as Starlette sees it."""
    return Request(call.scope)


def _key(keys: list[bytes], endpoint: Endpoint) -> str | None:
    if endpoint.key == "none" or not keys:
        if endpoint.key == "required":
            raise Refused("key_required", "Thiếu tiêu đề Idempotency-Key", 400)
        return None
    found = KEY.fullmatch(keys[0])
    if found is None or len(keys) > 1:
        raise Refused("bad_key", "Tiêu đề Idempotency-Key phải có một, gồm 8 đến 128 chữ, số hoặc _ . : -", 400)
    return found[1].decode()


def _decoded(decoder: "msgspec.json.Decoder[Any]", data: bytes) -> Any:
    try:
        return decoder.decode(data or b"{}")
    except msgspec.ValidationError as error:
        raise Refused("bad_request", f"Yêu cầu không hợp lệ: {error}", 400) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("bad_request", "Yêu cầu không phải JSON", 400) from None


async def _read(receive: Receive) -> bytes:
    """The body within size and time; raises Refused."""
    data = b""
    try:
        async with asyncio.timeout(SLOWEST_BODY):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk: bytes = message.get("body", b"")
                data += chunk
                if len(data) > LARGEST_BODY:
                    raise Refused("too_large", "Yêu cầu quá lớn", 413)
                if not message.get("more_body"):
                    return data
    except TimeoutError:
        raise Refused("too_slow", "Yêu cầu quá chậm", 408) from None


_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Enough for answers that are no pages; every further one costs a program's request."""
_JSON = ((b"content-type", b"application/json"), *_HEADERS)
_PROBLEM = ((b"content-type", b"application/problem+json"), *_HEADERS)


async def _send(
    send: Send, status: int, body: bytes, *more: tuple[bytes, bytes], kind: tuple[tuple[bytes, bytes], ...] = _JSON
) -> None:
    length = (b"content-length", b"%d" % len(body))
    headers = [*_HEADERS, *more] if status == 204 else [*kind, length, *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _problem(send: Send, status: int, reason: str, text: str, allow: str = "") -> None:
    body = {"type": "about:blank", "title": text, "status": status, "reason": reason}
    more = []
    if status == 401:
        more.append((b"www-authenticate", b'Bearer realm="queue"'))
    if status == 503:
        more.append((b"retry-after", b"1"))
    if allow:
        more.append((b"allow", allow.encode()))
    await _send(send, status, msgspec.json.encode(body), *more, kind=_PROBLEM)
