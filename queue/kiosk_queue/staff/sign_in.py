"""Signing in and out: one page for officers, supervisors and administrators; guessing is slowed by address and name."""

import secrets
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kiosk_queue.floor import Floor, Refused
from kiosk_queue.model import Json
from kiosk_queue.staff import accounts, attempts
from kiosk_queue.web import ANYTHING, Site, base_of, body_bytes, json_body, page, text_of

PAGES = ("console", "supervisor")
"""Where signing in may lead."""
WRONG = "Tên hoặc mật khẩu không đúng."


def to_sign_in(request: Request, to: str = "console") -> Response:
    """Send a browser without a session to the sign-in page, and from there to `to`."""
    return RedirectResponse(f"{base_of(request)}/sign-in" + (f"?to={to}" if to != "console" else ""), 303)


def routes(site: Site) -> list[BaseRoute]:
    """The page, its form, and the way out."""
    door = _Door(site)
    return [
        Route("/sign-in", door.show),
        Route("/sign-in", door.sign_in, methods=["POST"]),
        Route("/sign-out", door.sign_out, methods=["POST"]),
        Route("/password", door.change_password, methods=["POST"]),
    ]


class _Door:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def show(self, request: Request) -> Response:
        return await self._page(request)

    async def sign_in(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused("forbidden", "Hãy đăng nhập từ trang của trung tâm.", 403)
        name, password = await _fields(request)
        token, address = secrets.token_urlsafe(32), _address(request)

        def enter(floor: Floor) -> Json:
            attempts.fitted(floor, address, name)
            return accounts.begin_session(floor, name, stored, token)

        try:
            stored = await self._fitting(request, name, password)
            await self._site.do(self._site.centre_of(request), enter)
        except Refused as refused:
            answer = await self._page(request, refused.status, refused.text, name)
            if isinstance(refused, attempts.TooSoon):
                answer.headers["retry-after"] = str(refused.seconds)
            return answer
        return self._enter(request, token)

    async def sign_out(self, request: Request) -> Response:
        account = await accounts.signed_in(self._site, request)
        accounts.check_csrf(request, account)
        await self._site.do(account.centre, lambda floor: accounts.end_session(floor, account))
        answer = JSONResponse({})
        answer.delete_cookie(accounts.cookie_name(self._site), path="/", secure=accounts.is_secure(self._site))
        return answer

    async def change_password(self, request: Request) -> Response:
        """Officers change their own, knowing the old one; every session of the account ends."""
        account = await accounts.signed_in(self._site, request)
        accounts.check_csrf(request, account)
        body = await json_body(request)
        old, new = text_of(body, "old", ANYTHING), text_of(body, "new", ANYTHING)
        try:
            await self._fitting(request, account.name, old)
        except Refused as refused:  # 401 would tell the page that its session is over
            raise Refused(refused.reason, refused.text, 422 if refused.status == 401 else refused.status) from None
        stored, address = await accounts.hashed(new, account.name), _address(request)

        def change(floor: Floor) -> Json:
            attempts.fitted(floor, address, account.name)
            return accounts.set_password(floor, account.name, account.name, stored)

        await self._site.do(account.centre, change)
        return JSONResponse({})

    async def _fitting(self, request: Request, name: str, password: str) -> str:
        """The stored password of `name` if this one fits; else Refused, ever more slowly."""
        centre, address = self._site.centre_of(request), _address(request)
        await self._site.do(centre, lambda floor: attempts.begin(floor, address, name))
        stored = await self._site.see(centre, lambda view: accounts.password_of(view, name))
        if not await accounts.fits(password, stored):
            raise Refused("unauthorized", WRONG, 401)
        return stored

    def _enter(self, request: Request, token: str) -> Response:
        """The cookie ends with the browser; how long it is good for is the server's business."""
        answer = RedirectResponse(f"{base_of(request)}/{_to(request)}", 303)
        secure = accounts.is_secure(self._site)
        answer.set_cookie(
            accounts.cookie_name(self._site), token, path="/", secure=secure, httponly=True, samesite="strict"
        )
        return answer

    async def _page(self, request: Request, status: int = 200, problem: str = "", name: str = "") -> Response:
        centre = await self._site.see(self._site.centre_of(request), lambda view: view.centre.name.vi)
        return page(
            "sign_in.html", status, centre=centre, base=base_of(request), to=_to(request), problem=problem, name=name
        )


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _to(request: Request) -> str:
    wanted = request.query_params.get("to", "console")
    return wanted if wanted in PAGES else "console"


async def _fields(request: Request) -> tuple[str, str]:
    """Name and password of the form; raises Refused."""
    try:
        fields = parse_qs((await body_bytes(request)).decode(), max_num_fields=10)
    except ValueError:
        raise Refused("bad_request", "Yêu cầu không hợp lệ", 400) from None
    name, password = (fields.get(field, [""])[0] for field in ("name", "password"))
    return name.strip().casefold()[:64], password[: accounts.LONGEST_PASSWORD * 2]
