"""Keeps other web sites out of a server that listens on loopback only."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost")

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class OwnPagesOnly:
    """ASGI middleware: 403 unless the request was made for a loopback name and, if by a page, by a page of ours.

    The Host check stops DNS rebinding, the Origin check cross-site requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with the security headers on every response."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = _refusal(Headers(scope=scope))
        answer = JSONResponse({"error": refusal}, 403) if refusal else self._app
        await answer(scope, receive, send_guarded)


def _refusal(headers: Headers) -> str:
    """Why a request with these headers is refused; empty if it is welcome."""
    host = headers.get("host", "")
    if host.partition(":")[0] not in LOOPBACK:
        return f"the dock answers under {' or '.join(LOOPBACK)} only"
    if headers.get("origin", f"http://{host}") != f"http://{host}":
        return "the dock takes no requests from other web pages"
    return ""
