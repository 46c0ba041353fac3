"""The pages: all kiosks, one kiosk, what stands still, what was decided; and the two deeds of four eyes.

    GET  /                           kiosks, alarms, totals, hours
    GET  /standing                   held and quarantined items, requests
    GET  /history                    every request, ended alarms
    GET  /kiosks/{id}                one kiosk
    GET  /kiosks/{id}/breach(.json)  breach package, to print or to send on
    POST /requests                   kiosk, submission, act, why, code
    POST /requests/{number}          verdict: agree or decline

A page fetches itself anew with `X-Live: idle` or `active`; the former does not make a session last.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from kiosk.clock import HANOI
from kiosk.text import nfc
from sync.enrolment import EnrolmentError
from sync.receiver import replay
from sync.receiver.database import Database, Tx
from sync.receiver.operator import accounts, breach, chart, kiosks, province, web, words
from sync.receiver.operator.accounts import Session

log = logging.getLogger(__name__)

MOST_KIOSKS = 100
"""Rows of the overview unless all are asked for; the worst come first."""
PLACES = ("/", "/standing", "/history")

Signed = Callable[[Request, Session], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Cookie:
    """The cookie of a session; `__Host-` keeps it from being set by any other host or path."""

    tls: bool

    @property
    def name(self) -> str:
        """With TLS, browsers hold it to this host."""
        return "__Host-operator" if self.tls else "operator"

    def set(self, answer: Response, token: str) -> None:
        """It ends with the browser; how long it is good for is the server's business."""
        answer.set_cookie(self.name, token, path="/", secure=self.tls, httponly=True, samesite="strict")

    def drop(self, answer: Response) -> None:
        """No session any more."""
        answer.delete_cookie(self.name, path="/", secure=self.tls, httponly=True, samesite="strict")


class Pages:
    """Over one database."""

    def __init__(self, database: Database, *, tls: bool) -> None:
        self._database = database
        self._cookie = Cookie(tls)

    def routes(self) -> list[Route]:
        """Everything but the static files."""
        return [
            Route("/sign-in", self.sign_in, methods=["GET", "POST"]),
            Route("/sign-out", self._for_operators(self.sign_out), methods=["POST"]),
            Route("/", self._for_operators(self.overview)),
            Route("/standing", self._for_operators(self.standing)),
            Route("/history", self._for_operators(self.history)),
            Route("/kiosks/{id}", self._for_operators(self.kiosk)),
            Route("/kiosks/{id}/breach", self._for_operators(self.breach)),
            Route("/kiosks/{id}/breach.json", self._for_operators(self.breach_json)),
            Route("/requests", self._for_operators(self.ask), methods=["POST"]),
            Route("/requests/{number:int}", self._for_operators(self.decide), methods=["POST"]),
        ]

    # --- who is there ---

    def _for_operators(self, handler: Signed) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if request.method == "POST":
                web.require_own_page(request)
            token, live = request.cookies.get(self._cookie.name, ""), request.headers.get("x-live")
            found = await run_in_threadpool(accounts.session, self._database, token, active=live != "idle")
            if found is not None:
                return await handler(request, found)
            if live or request.method == "POST":
                raise HTTPException(401, "Phiên làm việc đã hết. Hãy đăng nhập lại.")
            return RedirectResponse(f"/sign-in?to={quote(request.url.path)}", 303)

        return guarded

    async def sign_in(self, request: Request) -> Response:
        """The form, and what becomes of it."""
        to = request.query_params.get("to", "/")
        to = to if to in PLACES or to.startswith("/kiosks/") else "/"
        if request.method != "POST":
            return web.page("sign_in.html", to=to, problem="", name="")
        web.require_own_page(request)
        fields = await web.form(request)
        name, password = fields.get("name", "").casefold()[:64], fields.get("password", "")[:400]
        address = request.client.host if request.client else ""
        try:
            token = await run_in_threadpool(accounts.sign_in, self._database, name, password, address)
        except accounts.Wrong:
            return web.page("sign_in.html", 401, to=to, problem="Tên hoặc mật khẩu không đúng.", name=name)
        except accounts.TooSoon as soon:
            problem = f"Sai nhiều lần. Hãy chờ {soon.seconds} giây rồi thử lại."
            answer: Response = web.page("sign_in.html", 429, to=to, problem=problem, name=name)
            answer.headers["retry-after"] = str(soon.seconds)
            return answer
        answer = RedirectResponse(to, 303)
        self._cookie.set(answer, token)
        return answer

    async def sign_out(self, request: Request, _: Session) -> Response:
        """Back to the form."""
        await run_in_threadpool(accounts.sign_out, self._database, request.cookies[self._cookie.name])
        answer = RedirectResponse("/sign-in", 303)
        self._cookie.drop(answer)
        return answer

    # --- looking ---

    async def overview(self, request: Request, session: Session) -> Response:
        """Whether every kiosk delivers."""
        everything, wanted = request.query_params.get("show") == "all", request.query_params.get("q", "").strip()[:64]

        def look(tx: Tx, now: datetime) -> dict[str, Any]:
            found = kiosks.kiosks(tx, now)
            fitting = [kiosk for kiosk in found if wanted.casefold() in kiosk.id.casefold()]
            hours, totals = province.hours(tx, now), province.totals(tx, now)
            return {
                "judgement": kiosks.judgement(found, now),
                "stuck": province.judgement(totals),
                "counted": {level.name: sum(kiosk.level is level for kiosk in found) for level in kiosks.Level},
                "columns": kiosks.COLUMNS,
                "kiosks": fitting if everything else fitting[:MOST_KIOSKS],
                "more": 0 if everything else max(0, len(fitting) - MOST_KIOSKS),
                "wanted": wanted,
                "retired": kiosks.retired(tx),
                "alarms": province.alarms(tx, now),
                "ended": province.ended_alarms(tx, now)[:5],
                "totals": totals,
                "hours": hours,
                "chart": chart.drawn(hours),
                "series": chart.SERIES,
            }

        return await self._page("overview.html", request, session, look)

    async def standing(self, request: Request, session: Session, status: int = 200, **form: object) -> Response:
        """What a person must look at."""

        def look(tx: Tx, now: datetime) -> dict[str, Any]:
            found = province.items(tx, now)
            wrong = {"problem": "", "wrong": {}} | form
            return {"here": "/standing", "items": found, "acts": words.ACTS, "limits": _LIMITS, **wrong}

        return await self._page("standing.html", request, session, look, status)

    async def history(self, request: Request, session: Session) -> Response:
        """Who asked, who decided; what was alarming."""

        def look(tx: Tx, now: datetime) -> dict[str, Any]:
            return {"requests": province.history(tx), "ended": province.ended_alarms(tx, now)}

        return await self._page("history.html", request, session, look)

    async def kiosk(self, request: Request, session: Session) -> Response:
        """Everything of one kiosk."""
        name = request.path_params["id"]

        def look(tx: Tx, now: datetime) -> dict[str, Any]:
            found = kiosks.kiosks(tx, now, only=name)
            if not found:
                raise HTTPException(404)
            return {
                "kiosk": found[0],
                "row": tx.one("SELECT enrolled_at, retired_at FROM kiosk WHERE id = :name", name=name),
                "columns": kiosks.COLUMNS,
                "there": province.aside_there(tx, name),
                "alarms": province.alarms(tx, now, name),
                "ended": province.ended_alarms(tx, now, name),
                "items": province.items(tx, now, name),
                "requests": province.history(tx, name),
            }

        return await self._page("kiosk.html", request, session, look)

    async def breach(self, request: Request, session: Session) -> Response:
        """The breach package, to be read and printed."""
        found = await self._breach(request)

        def look(_: Tx, __: datetime) -> dict[str, Any]:
            return {"found": found, "states": words.STATES}

        return await self._page("breach.html", request, session, look)

    async def breach_json(self, request: Request, _: Session) -> Response:
        """The same for programs."""
        found = await self._breach(request)
        name = f"breach-{found['kiosk']}-{datetime.now(HANOI):%Y%m%d-%H%M}.json"
        return JSONResponse(found, headers={"content-disposition": f'attachment; filename="{name}"'})

    async def _breach(self, request: Request) -> dict[str, Any]:
        try:
            now = datetime.now(UTC)
            return await run_in_threadpool(breach.package, self._database, request.path_params["id"], now)
        except EnrolmentError:
            raise HTTPException(404) from None

    # --- deeds ---

    async def ask(self, request: Request, session: Session) -> Response:
        """One operator asks."""
        fields = await web.form(request)
        named = {name: fields.get(name, "") for name in ("kiosk", "submission", "act")}
        why, code = nfc(fields.get("why", "")), fields.get("code", "")
        try:
            act = replay.Act(named["act"])
            await run_in_threadpool(
                replay.ask,
                self._database,
                named["kiosk"],
                named["submission"],
                act,
                why,
                session.operator,
                code if act is replay.Act.FILED_AS else None,
            )
        except ValueError:
            raise HTTPException(400, "Yêu cầu không hợp lệ.") from None
        except replay.Refused as refused:
            wrong = {**named, "why": why, "code": code}
            problem = words.REFUSALS[refused.reason].vi
            return await self.standing(request, session, 409, problem=problem, wrong=wrong)
        return RedirectResponse("/standing?note=asked", 303)

    async def decide(self, request: Request, session: Session) -> Response:
        """Another one agrees or declines."""
        word = (await web.form(request)).get("verdict", "")
        if word not in ("agree", "decline"):
            raise HTTPException(400, "Yêu cầu không hợp lệ.")
        number, agree = request.path_params["number"], word == "agree"
        try:
            verdict = await run_in_threadpool(replay.decide, self._database, number, session.operator, agree=agree)
        except replay.Refused as refused:
            return await self.standing(request, session, 409, problem=words.REFUSALS[refused.reason].vi)
        return RedirectResponse(f"/standing?note={verdict}", 303)

    # --- what they share ---

    async def _look(self, look: Callable[[Tx, datetime], Any]) -> Any:
        def looked() -> Any:
            with self._database.read() as tx:
                return look(tx, datetime.now(UTC))

        return await run_in_threadpool(looked)

    async def _page(
        self,
        template: str,
        request: Request,
        session: Session,
        look: Callable[[Tx, datetime], dict[str, Any]],
        status: int = 200,
    ) -> Response:
        def everything(tx: Tx, now: datetime) -> dict[str, Any]:
            shared = {"here": request.url.path, "standing": province.standing(tx)}
            return shared | {"time": f"{now.astimezone(HANOI):%H:%M:%S}"} | look(tx, now)

        values = await self._look(everything)
        note = words.NOTES.get(request.query_params.get("note", ""))
        until = f"{session.ends_at.astimezone(HANOI):%H:%M}"
        return web.page(template, status, me=session.operator, until=until, note=note, **values)


_LIMITS = {"shortest": replay.SHORTEST_WHY, "longest": replay.LONGEST_WHY, "code": replay.CODE.pattern}
