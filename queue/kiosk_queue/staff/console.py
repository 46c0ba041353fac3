"""The officers' console: the page, its stream and lists, and the deeds that its keys do."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from kiosk.clock import from_iso
from kiosk.text import nfc
from kiosk_queue import counter, line
from kiosk_queue.counter import Officer
from kiosk_queue.floor import Floor, Refused, View, dump
from kiosk_queue.model import Json
from kiosk_queue.staff import accounts, sign_in
from kiosk_queue.staff import view as staff_view
from kiosk_queue.staff.accounts import Account
from kiosk_queue.web import ANYTHING, KEY, Site, base_of, events, json_body, page, text_of

PAUSES = ("Nghỉ giữa giờ", "Xử lý hồ sơ", "Họp", "Hỗ trợ công dân tại kiosk", "Thiết bị hỏng")
"""Reasons for a pause that are one key away."""
REFERENCE_MOST, NOTE_MOST = 64, 200

Handler = Callable[[Request], Awaitable[Response]]
ConsoleDeed = Callable[[Floor, Officer, Json], Json]


def routes(site: Site) -> list[BaseRoute]:
    """The console and the way in."""
    pages = _Pages(site)
    return [
        *sign_in.routes(site),
        Route("/console", pages.console),
        Route("/console/events", pages.events),
        Route("/console/state", pages.look(staff_view.state)),
        Route("/console/line", pages.look(staff_view.line)),
        Route("/console/targets", pages.look(lambda view, _: staff_view.targets(view))),
        *(Route(f"/console/api/{name}", pages.deed(name, deed), methods=["POST"]) for name, deed in DEEDS.items()),
    ]


class _Pages:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def console(self, request: Request) -> Response:
        try:
            account = await accounts.signed_in(self._site, request)
        except Refused as refused:
            if refused.status != 401:
                raise
            return sign_in.to_sign_in(request)
        centre = await self._site.see(account.centre, lambda view: view.centre)
        return page(
            "console.html",
            centre=centre,
            base=base_of(request),
            account=account,
            supervises=account.may("supervisor"),
            pauses=PAUSES,
            shortest_password=accounts.SHORTEST_PASSWORD,
            reference_most=REFERENCE_MOST,
            note_most=NOTE_MOST,
        )

    async def events(self, request: Request) -> Response:
        account = await accounts.signed_in(self._site, request)
        return events(self._site, request, staff_view.audience(account))

    def look(self, seen: Callable[[View, Account], Json]) -> Handler:
        async def handler(request: Request) -> Response:
            account = await accounts.signed_in(self._site, request)
            return JSONResponse(await self._site.see(account.centre, lambda view: seen(view, account)))

        return handler

    def deed(self, name: str, deed: ConsoleDeed) -> Handler:
        """A deed with its `Idempotency-Key`: asked again with it, it has the same answer. A beat needs none."""

        async def handler(request: Request) -> Response:
            account = await accounts.signed_in(self._site, request)
            accounts.check_csrf(request, account)
            body = await json_body(request)
            key = None if deed is _beat else request.headers.get("idempotency-key", "")
            if key is not None and not KEY.fullmatch(key):
                raise Refused("bad_request", "Thiếu hoặc sai Idempotency-Key", 400)
            who = Officer(account.session, text_of(body, "counter"), account.name)
            asked = f"{account.id}\n{name}\n{dump(body)}"
            return JSONResponse(await self._site.do(account.centre, lambda floor: deed(floor, who, body), key, asked))

        return handler


def _open(floor: Floor, who: Officer, body: Json) -> Json:
    return counter.open_counter(floor, who, take_over=body.get("take_over") is True)


def _close(floor: Floor, who: Officer, _: Json) -> Json:
    return counter.close_counter(floor, who)


def _pause(floor: Floor, who: Officer, body: Json) -> Json:
    return counter.pause(floor, who, nfc(text_of(body, "reason", ANYTHING))[:80])


def _beat(floor: Floor, who: Officer, _: Json) -> Json:
    return counter.beat(floor, who)


def _next(floor: Floor, who: Officer, body: Json) -> Json:
    current = text_of(body, "current") if body.get("current") is not None else None
    return counter.call_next(floor, who, current, check_current=True)


def _call(floor: Floor, who: Officer, body: Json) -> Json:
    return counter.call_chosen(floor, who, text_of(body, "ticket"))


def _recall(floor: Floor, who: Officer, body: Json) -> Json:
    return counter.recall(floor, who, text_of(body, "ticket"))


def _serve(floor: Floor, who: Officer, body: Json) -> Json:
    return counter.serve(floor, who, text_of(body, "ticket"))


def _complete(floor: Floor, who: Officer, body: Json) -> Json:
    return counter.complete(floor, who, text_of(body, "ticket"))


def _no_show(floor: Floor, who: Officer, body: Json) -> Json:
    return counter.no_show(floor, who, text_of(body, "ticket"))


def _hold(floor: Floor, who: Officer, body: Json) -> Json:
    return counter.hold(floor, who, text_of(body, "ticket"))


def _unhold(floor: Floor, who: Officer, body: Json) -> Json:
    return counter.unhold(floor, who, text_of(body, "ticket"))


def _transfer(floor: Floor, who: Officer, body: Json) -> Json:
    service, to_counter, to_officer = (
        text_of(body, name, ANYTHING, "") for name in ("service", "to_counter", "to_officer")
    )
    position = text_of(body, "position", default="keep")
    known = accounts.accounts_of(floor.tx, floor.centre.id, floor.at) if to_officer else []
    if to_officer and not any(person["name"] == to_officer and not person["disabled"] for person in known):
        raise Refused("bad_request", "Không có cán bộ này", 400)
    return counter.transfer(floor, who, text_of(body, "ticket"), service, to_counter, to_officer, position)


def _undo_transfer(floor: Floor, who: Officer, body: Json) -> Json:
    ticket = text_of(body, "ticket")
    last = floor.tx.one(
        "SELECT at FROM event WHERE ticket = :ticket AND kind = 'transferred' ORDER BY seq DESC LIMIT 1", ticket=ticket
    )
    limit = timedelta(seconds=staff_view.UNDO_SECONDS)
    if last is not None and floor.now - from_iso(last["at"]) > limit:
        raise Refused("too_late", f"Chỉ hoàn tác được trong {staff_view.UNDO_SECONDS} giây.")
    return counter.undo_transfer(floor, who, ticket)


def _group(floor: Floor, who: Officer, body: Json) -> Json:
    return counter.confirm_group(floor, who, text_of(body, "ticket"), text_of(body, "group", ANYTHING))


def _note(floor: Floor, who: Officer, body: Json) -> Json:
    note, reference = nfc(text_of(body, "note", ANYTHING)), nfc(text_of(body, "reference", ANYTHING))
    if len(reference) > REFERENCE_MOST:
        raise Refused("bad_request", f"Mã hồ sơ dài quá {REFERENCE_MOST} ký tự", 400)
    return counter.annotate(floor, who, text_of(body, "ticket"), note, reference)


def _reprint(floor: Floor, who: Officer, body: Json) -> Json:
    return line.request_reprint(floor, text_of(body, "ticket"), who.name)


def _answer_staff(floor: Floor, who: Officer, body: Json) -> Json:
    call = body.get("call")
    if not isinstance(call, int) or isinstance(call, bool) or not 0 < call < 2**53:
        raise Refused("bad_request", "Thiếu hoặc sai trường call", 400)
    return counter.answer_staff(floor, who, call)


DEEDS: dict[str, ConsoleDeed] = {
    "open": _open,
    "close": _close,
    "pause": _pause,
    "beat": _beat,
    "next": _next,
    "call": _call,
    "recall": _recall,
    "serve": _serve,
    "complete": _complete,
    "no-show": _no_show,
    "hold": _hold,
    "unhold": _unhold,
    "transfer": _transfer,
    "undo-transfer": _undo_transfer,
    "group": _group,
    "note": _note,
    "reprint": _reprint,
    "answer-staff": _answer_staff,
}
