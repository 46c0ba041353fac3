"""The officers' console: sign-in, the page, its event stream and its deeds."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kiosk_queue import views
from kiosk_queue.access import ATTEMPTS_SECONDS, COOKIE, SESSION_SECONDS, Attempts, Sessions
from kiosk_queue.desk import Desk, Json, Officer, Refused
from kiosk_queue.feed import Audience
from kiosk_queue.web import KEY, Centre, events, form_field, json_body, page, text_of

Handler = Callable[[Request], Awaitable[Response]]
Deed = Callable[[Desk, str, Json, str], "Future[Any]"]
"""Takes desk, session, request body and idempotency key."""


def routes(centre: Centre, password: str, *, secure: bool) -> list[BaseRoute]:
    """The console; `secure`: it is reached over HTTPS, so the cookie is sent only there."""
    sessions = Sessions(password)
    return [
        *_sign_in_routes(centre, sessions, secure),
        *_page_routes(centre, sessions),
        *_deed_routes(centre, sessions),
    ]


def _sign_in_routes(centre: Centre, sessions: Sessions, secure: bool) -> list[BaseRoute]:
    attempts = Attempts()

    def sign_in_page(status: int = 200, problem: str = "") -> Response:
        return page("sign_in.html", status, centre=centre.catalogue.centre, problem=problem)

    async def sign_in_form(_: Request) -> Response:
        return sign_in_page()

    async def sign_in(request: Request) -> Response:
        address = request.client.host if request.client else ""
        if attempts.blocked(address):
            answer = sign_in_page(429, "Sai quá nhiều lần. Hãy chờ một phút rồi thử lại.")
            answer.headers["retry-after"] = str(int(ATTEMPTS_SECONDS))
            return answer
        cookie = sessions.sign_in(await form_field(request, "password"))
        if cookie is None:
            attempts.failed(address)
            return sign_in_page(401, "Mật khẩu không đúng.")
        answer = RedirectResponse("/console", 303)
        answer.set_cookie(
            COOKIE, cookie, SESSION_SECONDS, path="/console", secure=secure, httponly=True, samesite="strict"
        )
        return answer

    async def sign_out(request: Request) -> Response:
        await asyncio.wrap_future(centre.desk.close_counter(sessions.officer(request).id))
        answer = JSONResponse({})
        answer.delete_cookie(COOKIE, path="/console")
        return answer

    return [
        Route("/console/sign-in", sign_in_form),
        Route("/console/sign-in", sign_in, methods=["POST"]),
        Route("/console/sign-out", sign_out, methods=["POST"]),
    ]


def _page_routes(centre: Centre, sessions: Sessions) -> list[BaseRoute]:
    audience: Audience = (
        views.staff_events,
        lambda db: views.staff_state(db, centre.catalogue, centre.now()),
    )

    async def console(request: Request) -> Response:
        session = sessions.of(request)
        if session is None:
            return RedirectResponse("/console/sign-in", 303)
        return page(
            "console.html",
            centre=centre.catalogue.centre,
            counters=centre.catalogue.counters,
            csrf=session.csrf,
            holder=views.holder_tag(session.id),
        )

    async def console_events(request: Request) -> Response:
        if sessions.of(request) is None:
            raise Refused("unauthorized", "Phiên làm việc đã hết. Hãy đăng nhập lại.", 401)
        return events(centre, request, audience)

    return [Route("/console", console), Route("/console/events", console_events)]


def _deed_routes(centre: Centre, sessions: Sessions) -> list[BaseRoute]:
    def handler(deed: Deed) -> Handler:
        async def checked(request: Request) -> Response:
            session = sessions.officer(request)
            body = await json_body(request)
            answer = await asyncio.wrap_future(deed(centre.desk, session.id, body, text_of(body, "key", KEY)))
            return JSONResponse(answer or {})

        return checked

    return [Route(f"/console/api/{name}", handler(deed), methods=["POST"]) for name, deed in _DEEDS.items()]


def _who(session: str, body: Json) -> Officer:
    return Officer(session, text_of(body, "counter"))


def _open_counter(desk: Desk, session: str, body: Json, _: str) -> "Future[Any]":
    return desk.open_counter(session, text_of(body, "counter"))


def _call(desk: Desk, session: str, body: Json, key: str) -> "Future[Any]":
    current = text_of(body, "current") if body.get("current") is not None else None
    return desk.call(_who(session, body), current, key)


def _recall(desk: Desk, session: str, body: Json, key: str) -> "Future[Any]":
    return desk.recall(_who(session, body), text_of(body, "ticket"), key)


def _finish(desk: Desk, session: str, body: Json, key: str) -> "Future[Any]":
    return desk.end(_who(session, body), text_of(body, "ticket"), "completed", key)


def _no_show(desk: Desk, session: str, body: Json, key: str) -> "Future[Any]":
    return desk.end(_who(session, body), text_of(body, "ticket"), "no_show", key)


def _answer_staff(desk: Desk, session: str, body: Json, key: str) -> "Future[Any]":
    number = body.get("call")
    if not isinstance(number, int) or not 0 < number < 2**53:
        raise Refused("bad_request", "Thiếu hoặc sai trường call", 400)
    return desk.answer_staff(_who(session, body), number, key)


def _reprint(desk: Desk, _: str, body: Json, key: str) -> "Future[Any]":
    return desk.request_reprint(text_of(body, "ticket"), key)


_DEEDS: dict[str, Deed] = {
    "counter": _open_counter,
    "call": _call,
    "recall": _recall,
    "finish": _finish,
    "no-show": _no_show,
    "answer-staff": _answer_staff,
    "reprint": _reprint,
}
