"""Signing in and out: one page for officers, supervisors and administrators; guessing is slowed by address and name."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kiosk_queue.floor import Refused
from kiosk_queue.staff import accounts
from kiosk_queue.web import ANYTHING, Site, base_of, body_bytes, json_body, page, text_of

PAGES = ("console", "supervisor")
"""Where signing in may lead."""
WRONG = "Tên hoặc mật khẩu không đúng."
FORGET_SECONDS = 900.0
"""So long after the last failure the count begins anew."""
FIRST_WAIT = 4.0
"""Seconds; longer than a password takes to check on a busy machine."""
KEPT = 10_000
"""Addresses and names that are remembered at most."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Failures that cost nothing, and the longest wait, seconds."""

    free: int
    most: float


BY_ADDRESS = Patience(20, 300)
"""A whole office may share an address."""
BY_NAME = Patience(5, 60)
"""Short, so that nobody can lock a colleague out for long."""


class Attempts:
    """Counts failures; from the free ones on the wait doubles. Kept in this process's memory."""

    def __init__(self, patience: Patience, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._monotonic = patience, monotonic
        self._failed: dict[str, tuple[int, float]] = {}

    def wait(self, whom: str) -> float:
        """Seconds until the next attempt is allowed."""
        count, last = self._count(whom)
        over = count - self._patience.free
        if over < 0:
            return 0.0
        return max(0.0, last + min(self._patience.most, FIRST_WAIT * 2.0 ** min(over, 20)) - self._monotonic())

    def begin(self, whom: str) -> None:
        """Count an attempt as failed until it is known better: many at once gain nothing."""
        count, _ = self._count(whom)
        self._failed.pop(whom, None)
        while len(self._failed) >= KEPT:
            del self._failed[next(iter(self._failed))]
        self._failed[whom] = count + 1, self._monotonic()

    def fitted(self, whom: str, *, forget: bool) -> None:
        """The attempt was right after all; `forget` the earlier ones too."""
        count, last = self._count(whom)
        if forget or count <= 1:
            self._failed.pop(whom, None)
        else:
            self._failed[whom] = count - 1, last

    def _count(self, whom: str) -> tuple[int, float]:
        count, last = self._failed.get(whom, (0, 0.0))
        return (count, last) if self._monotonic() - last < FORGET_SECONDS else (0, 0.0)


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
        self._by_address, self._by_name = Attempts(BY_ADDRESS), Attempts(BY_NAME)

    async def show(self, request: Request) -> Response:
        return await self._page(request)

    async def sign_in(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused("forbidden", "Hãy đăng nhập từ trang của trung tâm.", 403)
        name, password = await _fields(request)
        try:
            stored = await self._fitting(request, name, password)
            token = secrets.token_urlsafe(32)
            centre = self._site.centre_of(request)
            await self._site.do(centre, lambda floor: accounts.begin_session(floor, name, stored, token))
        except Refused as refused:
            answer = await self._page(request, refused.status, refused.text, name)
            if refused.status == 429:
                answer.headers["retry-after"] = str(round(self._wait(request, name)) + 1)
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
        stored = await accounts.hashed(new, account.name)
        await self._site.do(
            account.centre, lambda floor: accounts.set_password(floor, account.name, account.name, stored)
        )
        return JSONResponse({})

    async def _fitting(self, request: Request, name: str, password: str) -> str:
        """The stored password of `name` if this one fits; else Refused, ever more slowly."""
        wait = self._wait(request, name)
        if wait > 0:
            raise Refused("too_soon", f"Sai nhiều lần. Hãy chờ {round(wait) + 1} giây rồi thử lại.", 429)
        address, whom = _address(request), self._whom(request, name)
        self._by_address.begin(address)
        self._by_name.begin(whom)
        stored = await self._site.see(self._site.centre_of(request), lambda view: accounts.password_of(view, name))
        if not await accounts.fits(password, stored):
            raise Refused("unauthorized", WRONG, 401)
        self._by_address.fitted(address, forget=False)
        self._by_name.fitted(whom, forget=True)
        return stored

    def _wait(self, request: Request, name: str) -> float:
        """Seconds until this address may try this name again."""
        return max(self._by_address.wait(_address(request)), self._by_name.wait(self._whom(request, name)))

    def _whom(self, request: Request, name: str) -> str:
        return f"{self._site.centre_of(request)}/{name}"

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
