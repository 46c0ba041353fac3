"""The public pages of appointments: choose service, day and slot; `/a/{token}` shows, moves and cancels one.

Plain forms: they work without a script. No name, no telephone number is asked for. Booking is slowed by address.
"""

import re
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import date
from typing import TypeVar
from urllib.parse import parse_qs

import segno
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from kiosk_queue import appointments
from kiosk_queue.floor import Deed, Refused, View
from kiosk_queue.model import Json, text_json
from kiosk_queue.web import KEY, Site, base_of, body_bytes, page

T = TypeVar("T")
CHANGES, SECONDS = 12, 600.0
"""Bookings, moves and cancellations from one address in so many seconds."""
ADDRESSES_KEPT = 10_000
WEEKDAYS = {
    "vi": ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_LANGUAGE = re.compile(r"\s*(vi|en)\b", re.IGNORECASE)


def routes(site: Site) -> list[BaseRoute]:
    """The pages."""
    pages = _Pages(site)
    return [
        Route("/appointments", pages.choose),
        Route("/appointments", pages.book, methods=["POST"]),
        Route("/a/{token}", pages.show),
        Route("/a/{token}/move", pages.move, methods=["POST"]),
        Route("/a/{token}/cancel", pages.cancel, methods=["POST"]),
    ]


class Pace:
    """At most so many changes from one address in a while; kept in this process's memory."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: defaultdict[str, deque[float]] = defaultdict(deque)

    def take(self, address: str) -> None:
        """Count a change; raises Refused 429 when there were too many."""
        now = self._monotonic()
        seen = self._seen.pop(address, deque())
        while seen and seen[0] < now - SECONDS:
            seen.popleft()
        while len(self._seen) >= ADDRESSES_KEPT:
            del self._seen[next(iter(self._seen))]
        self._seen[address] = seen
        if len(seen) >= CHANGES:
            raise Refused("too_many", "Quá nhiều yêu cầu. Mời thử lại sau ít phút.", 429)
        seen.append(now)


def language_of(request: Request) -> str:
    """What the switch says, else the first of ours that the browser names, else Vietnamese."""
    asked = request.query_params.get("lang", "")
    if asked in WEEKDAYS:
        return asked
    for part in request.headers.get("accept-language", "").split(","):
        found = _LANGUAGE.match(part)
        if found:
            return found[1].lower()
    return "vi"


def dress(request: Request, centre: dict[str, str]) -> Json:
    """What every page for citizens needs: the centre's name, the language, `t` that picks a text of two."""
    language = language_of(request)

    def pick(vi: str, en: str) -> str:
        return en if language == "en" else vi

    return {"centre": centre, "lang": language, "t": pick, "base": base_of(request)}


def long_date(day: date, language: str) -> str:
    """«Thứ Hai, 23/11/2026»."""
    return f"{WEEKDAYS[language][day.weekday()]}, {day:%d/%m/%Y}"


class _Pages:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._pace = Pace()

    # --- looking ---

    async def choose(self, request: Request) -> Response:
        """One question at a time: the service, then day and slot."""
        return await self._choose(request)

    async def _choose(self, request: Request, wrong: str = "", status: int = 200) -> Response:
        asked = request.query_params
        token = asked.get("move", "")
        offer = await self._see(
            request, lambda view: _offer(view, asked.get("service", ""), asked.get("day", ""), token)
        )
        dressing = dress(request, offer["centre"])
        return page(
            "appointments.html", status, **dressing, offer=offer, wrong=wrong, key=secrets.token_urlsafe(16),
            dated=lambda day: long_date(day, dressing["lang"]), weekdays=WEEKDAYS[dressing["lang"]],
        )  # fmt: skip

    async def show(self, request: Request) -> Response:
        """One appointment with its QR code."""
        token = request.path_params["token"]
        found, name = await self._see(
            request, lambda view: (appointments.appointment(view, token), text_json(view.centre.name))
        )
        dressing = dress(request, name)
        if found is None:
            return _private(page("appointment.html", 404, **dressing, found=None))
        address = self._site.address_of(self._site.centre_of(request))
        qr = segno.make(f"{address}/a/{token}", error="m", micro=False)
        picture = qr.svg_data_uri(border=2, scale=4, dark="#14213d", light="#fff")
        return _private(
            page(
                "appointment.html", **dressing, found=found, qr=picture, key=secrets.token_urlsafe(16),
                dated=long_date(found["local"].date(), dressing["lang"]),
                asks_cancel="cancel" in request.query_params,
            )
        )  # fmt: skip

    # --- doing ---

    async def book(self, request: Request) -> Response:
        """Book and show it; a slot that is gone meanwhile shows those that are left."""
        form = await self._form(request)
        service, slot = form["service"], form["slot"]
        try:
            made = await self._do(
                request, form["key"], f"book {service} {slot}", lambda f: appointments.book(f, service, slot)
            )
        except Refused as refused:
            return await self._again(request, refused)
        return self._to(request, made["id"])

    async def move(self, request: Request) -> Response:
        """Another slot."""
        form, token = await self._form(request), request.path_params["token"]
        slot = form["slot"]
        try:
            await self._do(request, form["key"], f"move {token} {slot}", lambda f: appointments.move(f, token, slot))
        except Refused as refused:
            return await self._again(request, refused)
        return self._to(request, token)

    async def cancel(self, request: Request) -> Response:
        """Give it back."""
        form, token = await self._form(request), request.path_params["token"]
        try:
            await self._do(request, form["key"], f"cancel {token}", lambda f: appointments.cancel(f, token))
        except Refused as refused:
            return await self._again(request, refused)
        return self._to(request, token)

    # --- inside ---

    async def _see(self, request: Request, look: Callable[[View], T]) -> T:
        return await self._site.see(self._site.centre_of(request), look)

    async def _do(self, request: Request, key: str, what: str, deed: Deed) -> Json:
        if not KEY.fullmatch(key) or len(key) > 64:
            raise Refused("bad_request", "Yêu cầu không hợp lệ", 400)
        self._pace.take(request.client.host if request.client else "")
        return await self._site.do(self._site.centre_of(request), deed, f"a:{key}", what)

    async def _form(self, request: Request) -> dict[str, str]:
        try:
            fields = parse_qs((await body_bytes(request)).decode(), max_num_fields=10)
        except ValueError:
            raise Refused("bad_request", "Yêu cầu không hợp lệ", 400) from None
        return {name: fields.get(name, [""])[0] for name in ("service", "slot", "key")}

    async def _again(self, request: Request, refused: Refused) -> Response:
        """The choice once more, with what went wrong; one that cannot be changed any more shows why."""
        if refused.reason == "changed":
            return self._to(request, request.path_params["token"])
        if refused.reason not in ("slot_gone", "service_closed", "too_many"):
            raise refused
        return await self._choose(request, refused.reason, refused.status)

    def _to(self, request: Request, token: str) -> Response:
        return RedirectResponse(f"{base_of(request)}/a/{token}?lang={language_of(request)}", 303)


def _offer(view: View, service: str, day: str, token: str) -> Json:
    """All that the choice shows. `moving`: the appointment whose slot is to change; its service is settled."""
    moving = appointments.appointment(view, token) if token else None
    if moving is not None and moving["state"] == "booked":
        service = moving["service"]
    else:
        moving = None
    offered = {known.id for known in appointments.bookable(view.centre)}
    groups = [
        {
            "name": text_json(group.name),
            "services": [{"id": s.id, "name": text_json(s.name)} for s in group.services if s.id in offered],
        }
        for group in view.centre.groups
    ]
    chosen = view.centre.services[service] if service in offered else None
    days = appointments.days(view) if chosen else []
    slots = {when: appointments.free_slots(view, service, when) for when in days}
    days = [when for when in days if slots[when]]
    wanted = next((when for when in days if when.isoformat() == day), None)
    if wanted is None:
        wanted = next((when for when in days if any(slot["free"] for slot in slots[when])), None)
    return {
        "centre": text_json(view.centre.name),
        "groups": [group for group in groups if group["services"]],
        "service": {"id": chosen.id, "name": text_json(chosen.name)} if chosen else None,
        "days": [{"date": when, "free": sum(slot["free"] for slot in slots[when])} for when in days],
        "day": wanted,
        "slots": slots[wanted] if wanted else [],
        "moving": moving,
    }


def _private(answer: Response) -> Response:
    """No search engine keeps the address of an appointment."""
    answer.headers["x-robots-tag"] = "noindex, nofollow"
    return answer
