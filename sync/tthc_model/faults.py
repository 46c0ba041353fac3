"""Faults of the model TTHC system: the next requests to its interfaces meet one, as the order says.

    GET    /api/faults     {"faults": [{"fault", "count", "only", "seconds"}]}
    POST   /api/faults     one of these, appended
    DELETE /api/faults     none any more

`only` is a part of «METHOD path»; empty means every request to an interface. Faults are taken in their order.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

Message = MutableMapping[str, Any]
INTERFACES = ("/o/rest/v2/", "/quoc-gia/")
MOST_COUNT = 1000
MOST_SECONDS = 120.0


class Fault(StrEnum):
    """What may go wrong with one request."""

    SLOW = "slow"
    ERROR_AFTER = "error_after"
    LOST_REPLY = "lost_reply"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    SCHEMA_CHANGE = "schema_change"
    TOKEN_EXPIRY = "token_expiry"  # noqa: S105  # no password


FAULT_TEXT: Mapping[str, str] = {
    Fault.SLOW: "Xử lý chậm, trả lời muộn",
    Fault.ERROR_AFTER: "Đã ghi nhận nhưng báo lỗi 500",
    Fault.LOST_REPLY: "Đã ghi nhận nhưng mất câu trả lời",
    Fault.DUPLICATE: "Một yêu cầu đến hai lần",
    Fault.CONFLICT: "Báo trùng (409), không ghi nhận",
    Fault.SCHEMA_CHANGE: "Đổi cấu trúc câu trả lời",
    Fault.TOKEN_EXPIRY: "Hết hạn đăng nhập (401)",
}


@dataclass(frozen=True, slots=True)
class Order:
    """`fault` for the next `count` requests whose «METHOD path» holds `only`; `seconds` is how slow."""

    fault: Fault
    count: int = 1
    only: str = ""
    seconds: float = 2.0


def order(raw: Mapping[str, Any]) -> Order:
    """An order as given to the page or the API; raises ValueError."""
    try:
        read = Order(
            Fault(str(raw["fault"])), int(raw.get("count", 1)), str(raw.get("only", "")), float(raw.get("seconds", 2))
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a fault: {type(error).__name__}") from None
    if not 1 <= read.count <= MOST_COUNT or not 0 <= read.seconds <= MOST_SECONDS or len(read.only) > 100:
        raise ValueError(f"count is 1 to {MOST_COUNT}, seconds 0 to {MOST_SECONDS:.0f}, only at most 100 characters")
    return read


class Faults:
    """The orders that wait; used on the event loop only."""

    def __init__(self) -> None:
        self._orders: list[Order] = []

    def add(self, new: Order) -> None:
        """One more."""
        self._orders.append(new)

    def clear(self) -> None:
        """None any more."""
        self._orders.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """As the API shows them."""
        return [asdict(one) for one in self._orders]

    def take(self, request: str) -> Order | None:
        """What this «METHOD path» meets."""
        for n, one in enumerate(self._orders):
            if one.only in request:
                self._orders[n : n + 1] = [replace(one, count=one.count - 1)] if one.count > 1 else []
                return one
        return None


class FaultyWire:
    """ASGI middleware around the interfaces; pages and the API of faults go through untouched."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, with its fault if it is to have one."""
        met = None
        if scope["type"] == "http" and scope["path"].startswith(INTERFACES):
            met = self._faults.take(f"{scope['method']} {scope['path']}")
        if met is None:
            return await self._app(scope, receive, send)
        request = await _whole(receive)
        if met.fault is Fault.TOKEN_EXPIRY:
            return await _answer(send, 401, _json({"code": "401", "message": "token expired"}))
        if met.fault is Fault.CONFLICT:
            return await _answer(send, 409, _json({"code": "HS_DA_TON_TAI", "message": "Conflict"}))
        if met.fault is Fault.SLOW:
            await asyncio.sleep(met.seconds)
        status, body = await self._reply(scope, request)
        if met.fault is Fault.DUPLICATE:
            status, body = await self._reply(scope, request)
        if met.fault is Fault.ERROR_AFTER:
            status, body = 500, _json({"message": "Internal Server Error"})
        if met.fault is Fault.SCHEMA_CHANGE:
            body = _renamed(body)
        if met.fault is Fault.LOST_REPLY:
            return await _cut(send, status)
        await _answer(send, status, body)
        return None

    async def _reply(self, scope: Scope, request: bytes) -> tuple[int, bytes]:
        """What the application says to a request, kept from the wire."""
        status, body = 500, bytearray()
        unread = [request]

        async def receive() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            body.extend(message.get("body", b""))

        await self._app(dict(scope), receive, send)
        return status, bytes(body)


async def _whole(receive: Callable[[], Awaitable[Message]]) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body.extend(message.get("body", b""))
        if not message.get("more_body"):
            return bytes(body)


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _cut(send: Send, status: int) -> None:
    """Promise a body and end the connection before it."""
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"1000")]})


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _renamed(body: bytes) -> bytes:
    """The same answer after a change of the interface: every field has another name."""

    def renamed(raw: Any) -> Any:
        if isinstance(raw, dict):
            return {f"new_{name}": renamed(value) for name, value in raw.items()}
        return [renamed(one) for one in raw] if isinstance(raw, list) else raw

    try:
        return _json(renamed(json.loads(body)))
    except ValueError:
        return b"<html>" + body
