"""The supervisor's pages: live board, statistics, exports, settings, audit; for administrators accounts and devices."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date, timedelta
from functools import partial

import msgspec
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from kiosk.clock import utc_iso
from kiosk.text import nfc
from kiosk_queue import line
from kiosk_queue.api import devices, webhooks
from kiosk_queue.counter import void
from kiosk_queue.floor import Deed, Floor, Refused, View, dump
from kiosk_queue.model import Json
from kiosk_queue.staff import accounts, sign_in
from kiosk_queue.staff.accounts import Account, Role
from kiosk_queue.storage.store import Row
from kiosk_queue.supervisor import export, statistics
from kiosk_queue.supervisor import settings as settings_page
from kiosk_queue.supervisor.board import Board
from kiosk_queue.supervisor.export import Cell, Table
from kiosk_queue.supervisor.settings import FieldErrors
from kiosk_queue.supervisor.statistics import Book
from kiosk_queue.web import ANYTHING, KEY, Site, base_of, events, json_body, page, text_of

LARGEST_SETTINGS = 262_144
LONGEST_RANGE = 366
"""Days of one question."""
AUDIT_PAGE, AUDIT_WINDOW = 100, 20_000
"""Events on a page of the audit, and how many are looked through for them at once."""
ADMINISTRATIVE = (
    "settings_changed", "account_added", "account_role", "account_password", "account_disabled", "account_enabled",
    "device_added", "device_revoked", "webhook_added", "webhook_removed",
)  # fmt: skip

Handler = Callable[[Request], Awaitable[Response]]
Change = Callable[[Account, Json], Awaitable[Deed]]


def routes(site: Site) -> list[BaseRoute]:
    """Pages, their data, and what they do."""
    pages, book = _Pages(site), Book()
    desk, figures, rules, people = _BoardPart(site, book), _Figures(site, book), _Settings(site), _People(site)
    return [
        *(Route(f"/supervisor{path}", pages.page(template, role)) for path, template, role in _PAGES),
        Route("/supervisor/events", desk.events),
        Route("/supervisor/api/board", desk.state),
        Route("/supervisor/api/void", _deed(site, "void", "supervisor", desk.void), methods=["POST"]),
        Route("/supervisor/api/reprint", _deed(site, "reprint", "supervisor", desk.reprint), methods=["POST"]),
        Route("/supervisor/api/today", figures.today),
        Route("/supervisor/api/history", figures.history),
        Route("/supervisor/export/{what}.{ending}", figures.export),
        Route("/supervisor/api/settings", rules.read),
        Route("/supervisor/api/settings", rules.save, methods=["POST"]),
        Route("/supervisor/api/settings/preview", rules.preview, methods=["POST"]),
        Route("/supervisor/api/settings/effect", rules.effect, methods=["POST"]),
        Route("/supervisor/api/audit", figures.audit),
        Route("/supervisor/api/accounts", people.read),
        *(
            Route(f"/supervisor/api/accounts/{name}", _deed(site, name, "administrator", change), methods=["POST"])
            for name, change in people.changes().items()
        ),
        Route("/supervisor/api/devices", people.device, methods=["POST"]),
        Route("/supervisor/api/webhooks", people.webhook, methods=["POST"]),
    ]


_PAGES: tuple[tuple[str, str, Role], ...] = (
    ("", "board", "supervisor"),
    ("/statistics", "statistics", "supervisor"),
    ("/settings", "settings", "supervisor"),
    ("/audit", "audit", "supervisor"),
    ("/accounts", "accounts", "administrator"),
)


async def _account(site: Site, request: Request, role: Role) -> Account:
    """Who asks, of this role at least; a request that changes something carries the session's token."""
    account = await accounts.signed_in(site, request)
    accounts.require(account, role)
    if request.method == "POST":
        accounts.check_csrf(request, account)
    return account


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if not KEY.fullmatch(key):
        raise Refused("bad_request", "Thiếu hoặc sai Idempotency-Key", 400)
    return key


def _deed(site: Site, name: str, role: Role, change: Change) -> Handler:
    """A deed with its `Idempotency-Key`: asked again, it has the same answer. No password is in what it keeps."""

    async def handler(request: Request) -> Response:
        account = await _account(site, request, role)
        key, body = _key(request), await json_body(request)
        asked = dump({field: value for field, value in body.items() if field != "password"})
        deed = await change(account, body)
        return JSONResponse(await site.do(account.centre, deed, key, f"{account.id}\nsupervisor/{name}\n{asked}"))

    return handler


class _Pages:
    def __init__(self, site: Site) -> None:
        self._site = site

    def page(self, name: str, role: Role) -> Handler:
        async def handler(request: Request) -> Response:
            try:
                account = await accounts.signed_in(self._site, request)
            except Refused as refused:
                if refused.status != 401:
                    raise
                return sign_in.to_sign_in(request, "supervisor")
            if not account.may(role):
                return RedirectResponse(
                    f"{base_of(request)}/{'supervisor' if account.may('supervisor') else 'console'}"
                )
            centre, day = await self._site.see(account.centre, lambda view: (view.centre, view.day))
            return page(
                f"supervisor_{name}.html",
                here=name,
                centre=centre,
                day=day,
                base=base_of(request),
                account=account,
                kinds=export.KINDS,
                tables={what: table.title for what, table in export.TABLES.items()},
                rules=settings_page.RULES,
                numbers=settings_page.NUMBERS,
                service_numbers=settings_page.SERVICE_NUMBERS,
                weekdays=settings_page.WEEKDAYS,
            )

        return handler


class _BoardPart:
    """The live board and what can be done from it."""

    def __init__(self, site: Site, book: Book) -> None:
        self._site, self._board = site, Board(book)

    async def events(self, request: Request) -> Response:
        account = await _account(self._site, request, "supervisor")
        return events(self._site, request, self._board.audience(account))

    async def state(self, request: Request) -> Response:
        account = await _account(self._site, request, "supervisor")
        return JSONResponse(await self._site.see(account.centre, self._board.seen))

    async def void(self, account: Account, body: Json) -> Deed:
        ticket, reason = text_of(body, "ticket"), nfc(text_of(body, "reason"))
        return lambda floor: void(floor, account.name, ticket, reason)

    async def reprint(self, account: Account, body: Json) -> Deed:
        ticket = text_of(body, "ticket")
        return lambda floor: line.request_reprint(floor, ticket, account.name)


class _Figures:
    """Statistics, exports and the audit."""

    def __init__(self, site: Site, book: Book) -> None:
        self._site, self._book = site, book

    async def today(self, request: Request) -> Response:
        account = await _account(self._site, request, "supervisor")

        def look(view: View) -> Json:
            today = self._book.today(view)
            start = view.centre.cut_over_hours * 60
            return {"day": view.day, "start": start, "quarters": today.quarters(today.quarter_of(view))}

        return JSONResponse(await self._site.see(account.centre, look))

    async def history(self, request: Request) -> Response:
        account = await _account(self._site, request, "supervisor")
        first, last = await self._range(account, request)
        by = request.query_params.get("by", "day")
        if by not in ("day", "week", "month"):
            raise Refused("bad_request", "Chọn theo ngày, tuần hoặc tháng", 400)
        found = {}
        for day in statistics.days_between(first, last):
            found[day] = await self._site.see(account.centre, partial(self._book.numbers, day=str(day)))
        centre = await self._site.see(account.centre, lambda view: view.centre)
        return JSONResponse({"from": str(first), "to": str(last), **statistics.history(centre, found, by)})

    async def export(self, request: Request) -> Response:
        account = await _account(self._site, request, "supervisor")
        table, ending = export.TABLES.get(request.path_params["what"]), request.path_params["ending"]
        if table is None or ending not in ("csv", "xlsx"):
            raise Refused("not_found", "Không có bảng này", 404)
        first, last = await self._range(account, request)
        centre = await self._site.see(account.centre, lambda view: view.centre)
        name = export.file_name(centre, request.path_params["what"], first, last, ending)
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        rows = self._rows(account, table, first, last)
        if ending == "csv":
            return StreamingResponse(export.csv_parts(table, rows), media_type="text/csv", headers=headers)
        sheet = export.Sheet(table)
        async for portion in rows:
            if sheet.rows + len(portion) > export.MOST_ROWS:
                raise Refused("too_large", "Quá nhiều dòng cho một bảng Excel. Hãy chọn khoảng ngắn hơn.", 422)
            await asyncio.to_thread(sheet.add, portion)
        file = await asyncio.to_thread(sheet.finish)
        return StreamingResponse(
            iter(lambda: file.read(65536), b""), media_type=XLSX, headers=headers, background=BackgroundTask(file.close)
        )

    async def audit(self, request: Request) -> Response:
        account = await _account(self._site, request, "supervisor")
        asked = request.query_params
        before = asked.get("before", "")
        if len(before) > 15 or not before.isdecimal():
            before = ""
        kinds = ADMINISTRATIVE if asked.get("kind") == "administrative" else tuple(filter(None, [asked.get("kind")]))
        day, actor = asked.get("day", ""), asked.get("actor", "").strip()

        def look(view: View) -> Json:
            return audit_page(view, day, actor, kinds, int(before) if before else None)

        return JSONResponse(await self._site.see(account.centre, look))

    async def _rows(
        self, account: Account, table: Table, first: date, last: date
    ) -> AsyncIterator[list[Sequence[Cell]]]:
        for day in statistics.days_between(first, last):
            yield await self._site.see(account.centre, partial(table.rows, book=self._book, day=str(day)))

    async def _range(self, account: Account, request: Request) -> tuple[date, date]:
        """The days that are asked for, until today if none are named; raises Refused."""
        today = date.fromisoformat(await self._site.see(account.centre, lambda view: view.day))
        try:
            last = date.fromisoformat(request.query_params.get("to") or str(today))
            first = date.fromisoformat(request.query_params.get("from") or str(last))
        except ValueError:
            raise Refused("bad_request", "Ngày không hợp lệ", 400) from None
        last = min(last, today)
        if first > last or last - first >= timedelta(days=LONGEST_RANGE):
            raise Refused("bad_request", f"Chọn từ ngày đến ngày, tối đa {LONGEST_RANGE} ngày.", 422)
        return first, last


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def audit_page(view: View, day: str, actor: str, kinds: Sequence[str], before: int | None) -> Json:
    """The events before number `before`, newest first; `older` is where the next page begins, null at the end."""
    top = view.seq + 1 if not day else statistics.first_of_day(view, f"{day}~")
    bottom = 1 if not day else statistics.first_of_day(view, day)
    top = top if before is None else min(top, before)
    lowest = max(bottom, top - AUDIT_WINDOW)
    names = {f"k{n}": kind for n, kind in enumerate(kinds)}
    sql = (
        "SELECT seq, at, day, kind, counter, actor, body FROM event"
        " WHERE centre = :centre AND seq >= :lowest AND seq < :top"
    )
    values: dict[str, object] = {"centre": view.centre.id, "lowest": lowest, "top": top, **names}
    if names:
        sql += f" AND kind IN ({', '.join(f':{name}' for name in names)})"
    if actor:
        sql, values = sql + " AND actor = :actor", {**values, "actor": actor}
    rows = view.tx.all(sql + " ORDER BY seq DESC LIMIT :most", most=AUDIT_PAGE, **values)
    end = rows[-1]["seq"] if len(rows) == AUDIT_PAGE else lowest
    return {
        "events": [_audited(row) for row in rows],
        "older": end if end > bottom else None,
        "searched": top - end,
    }


def _audited(row: Row) -> Json:
    body = msgspec.json.decode(row["body"])
    return {
        **{name: row[name] for name in ("seq", "at", "day", "kind", "counter", "actor")},
        "title": export.KINDS.get(row["kind"], row["kind"]),
        "number": body.pop("number", None),
        "changes": body.pop("changes", []),
        "body": {name: value for name, value in body.items() if name != "changed" and not isinstance(value, dict)},
    }


class _Settings:
    """Settings: read, tried, taken over."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._one_at_a_time = asyncio.Lock()

    async def read(self, request: Request) -> Response:
        account = await _account(self._site, request, "supervisor")
        centre = await self._site.see(account.centre, lambda view: view.centre)
        return JSONResponse({"version": centre.version, "draft": settings_page.draft_of(centre)})

    async def preview(self, request: Request) -> Response:
        """What the draft would change."""
        account = await _account(self._site, request, "supervisor")
        draft, version = await _draft(request)
        centre = await self._site.see(account.centre, lambda view: view.centre)
        if centre.version != version:
            raise Refused("changed", "Cấu hình vừa được người khác thay đổi. Hãy tải lại trang rồi sửa.")
        try:
            found = settings_page.changes(centre, settings_page.wanted(centre, draft))
        except FieldErrors as wrong:
            return _wrong(wrong)
        return JSONResponse({"changes": found})

    async def save(self, request: Request) -> Response:
        account = await _account(self._site, request, "supervisor")
        key = _key(request)
        draft, version = await _draft(request)
        asked = f"{account.id}\nsettings\n{version}\n{dump(draft)}"
        try:
            answer = await self._site.do(
                account.centre, lambda floor: settings_page.save(floor, draft, account.name, version), key, asked
            )
        except FieldErrors as wrong:
            return _wrong(wrong)
        return JSONResponse(answer)

    async def effect(self, request: Request) -> Response:
        """What the rule of the draft would do to waits like those of the last weeks."""
        account = await _account(self._site, request, "supervisor")
        draft, _ = await _draft(request)
        centre, stays = await self._site.see(
            account.centre, lambda view: (view.centre, settings_page.recent_stays(view))
        )
        try:
            rule = settings_page.wanted(centre, {"rule": draft.get("rule")}).rule
        except FieldErrors as wrong:
            return _wrong(wrong)
        async with self._one_at_a_time:
            return JSONResponse(await asyncio.to_thread(settings_page.effect, centre, stays, rule))


async def _draft(request: Request) -> tuple[Json, int]:
    body = await json_body(request, LARGEST_SETTINGS)
    draft, version = body.get("draft"), body.get("version")
    if not isinstance(draft, dict) or not isinstance(version, int):
        raise Refused("bad_request", "Thiếu draft hoặc version", 400)
    return draft, version


def _wrong(wrong: FieldErrors) -> Response:
    return JSONResponse({"title": "Có mục chưa đúng, xem bên dưới.", "errors": wrong.errors}, 422)


class _People:
    """Accounts, devices and webhooks: an administrator's business."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def read(self, request: Request) -> Response:
        account = await _account(self._site, request, "administrator")

        def look(view: View) -> Json:
            centre = view.centre.id
            return {
                "accounts": accounts.accounts_of(view.tx, centre, utc_iso(view.now)),
                "devices": [dict(row) for row in devices.list_devices(view.tx, centre)],
                "webhooks": [dict(row) for row in webhooks.list_webhooks(view.tx, centre)],
            }

        return JSONResponse(await self._site.see(account.centre, look))

    def changes(self) -> dict[str, Change]:
        """What can be done to accounts, by the name of its address."""
        return {"add": self._add, "role": self._role, "password": self._password, "disabled": self._disabled}

    async def _add(self, account: Account, body: Json) -> Deed:
        name, shown, role = (text_of(body, field) for field in ("name", "shown", "role"))
        stored = await accounts.hashed(text_of(body, "password", ANYTHING), name.strip().casefold())
        return lambda floor: accounts.add_account(floor, account.name, name, shown, _role_of(role), stored)

    async def _role(self, account: Account, body: Json) -> Deed:
        name, role = text_of(body, "name"), _role_of(text_of(body, "role"))
        return lambda floor: accounts.set_role(floor, account.name, name, role)

    async def _password(self, account: Account, body: Json) -> Deed:
        name = text_of(body, "name")
        stored = await accounts.hashed(text_of(body, "password", ANYTHING), name.strip().casefold())
        return lambda floor: accounts.set_password(floor, account.name, name, stored)

    async def _disabled(self, account: Account, body: Json) -> Deed:
        name, disabled = text_of(body, "name"), body.get("disabled") is True
        return lambda floor: accounts.set_disabled(floor, account.name, name, disabled=disabled)

    async def device(self, request: Request) -> Response:
        """Give a device a token, shown this once; or revoke the one it has (`revoke`). Doing it again is harmless."""
        account = await _account(self._site, request, "administrator")
        key, body = _key(request), await json_body(request)
        name, store = text_of(body, "name"), self._site.desk.store
        answer: Json = {"name": name}
        try:
            if body.get("revoke") is True:
                await asyncio.to_thread(devices.revoke_device, store, account.centre, name)
            else:
                role = text_of(body, "role")
                answer["token"] = await asyncio.to_thread(devices.add_device, store, account.centre, name, role)
        except devices.DeviceError:
            raise Refused(
                "bad_request", "Tên thiết bị: chữ không dấu, số, chấm, gạch; tối đa 40 ký tự, có trong danh sách.", 422
            ) from None
        await self._told(account, key, "device_added" if "token" in answer else "device_revoked", device=name)
        return JSONResponse(answer)

    async def webhook(self, request: Request) -> Response:
        """Tell an address of events, its secret shown this once; or no more (`remove`)."""
        account = await _account(self._site, request, "administrator")
        key, body = _key(request), await json_body(request)
        url, store = text_of(body, "url", ANYTHING), self._site.desk.store
        answer: Json = {"url": url}
        try:
            if body.get("remove") is True:
                await asyncio.to_thread(webhooks.remove_webhook, store, account.centre, url)
            else:
                known = await self._site.see(
                    account.centre, lambda view: webhooks.list_webhooks(view.tx, account.centre)
                )
                if any(row["url"] == url for row in known):
                    raise Refused("name_taken", "Địa chỉ này đã có trong danh sách.")
                kinds = [kind for kind in text_of(body, "kinds", ANYTHING, "").split() if kind]
                added = await asyncio.to_thread(webhooks.add_webhook, store, account.centre, url, kinds)
                answer["secret"] = added.secret
        except webhooks.WebhookError:
            raise Refused("bad_request", "Địa chỉ cần bắt đầu bằng http:// hoặc https://", 422) from None
        await self._told(account, key, "webhook_added" if "secret" in answer else "webhook_removed", url=url)
        return JSONResponse(answer)

    async def _told(self, account: Account, key: str, kind: str, **about: str) -> None:
        def deed(floor: Floor) -> Json:
            floor.event(kind, actor=account.name, **about)
            return {}

        await self._site.do(account.centre, deed, key, f"{account.id}\n{kind}\n{dump(dict(about))}")


def _role_of(text: str) -> Role:
    for role in accounts.ROLES:
        if role == text:
            return role
    raise Refused("bad_request", "Vai trò không đúng", 422)
