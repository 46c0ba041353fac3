"""A model of a province's TTHC system: the subset of OpenCPS v2 that a kiosk needs, and an officer's page over it.

    GET/POST /o/rest/v2/dossiers                          form-urlencoded; known referenceUid: updates
    GET      /o/rest/v2/dossiers/{id}                     id: dossierId, dossierNo or referenceUid
    GET/POST /o/rest/v2/dossiers/{id}/files               multipart; referenceUid and modifiedDate rule
    GET      /o/rest/v2/dossiers/{id}/files/{referenceUid}
    POST     /o/rest/v2/dossiers/{id}/submit
    GET      /                                            what arrived; /ho-so/{id} one dossier

Basic authentication everywhere: it holds personal data. Semantics: domain reference §9.
"""

import base64
import binascii
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Receive, Scope, Send

from kiosk.clock import HANOI, from_iso, shown
from kiosk.config import TthcModelSettings, secret
from sync import serving
from sync.connectors.opencps import PORTAL_CODES, TIME_FORMAT
from sync.tthc_store import MOVES, Conflict, Invalid, Raw, TthcStore, Unknown

MOST_FILE = 100 * 1024 * 1024

STATUS_TEXT = {
    "": "Bản nháp",
    "receiving": "Mới đăng ký",
    "new": "Được tiếp nhận",
    "denied": "Không được tiếp nhận",
    "processing": "Đang xử lý",
    "waiting": "Yêu cầu bổ sung giấy tờ",
    "releasing": "Đã xử lý xong",
    "done": "Đã trả kết quả",
}
ACTION_TEXT = {
    "submit": "Nộp hồ sơ",
    "receive": "Tiếp nhận",
    "process": "Chuyển xử lý",
    "supplement": "Yêu cầu bổ sung",
    "deny": "Từ chối",
    "finish": "Hoàn thành",
    "hand_over": "Trả kết quả",
}
GRADE_TEXT = {
    "issuer_verified": "Đã xác thực với cơ quan cấp",
    "integrity_only": "Chip toàn vẹn",
    "chip_read": "Đọc từ chip",
    "qr_only": "Chỉ đọc mã QR",
    "typed": "Tự khai",
}
NOTE_NEEDED = frozenset({"supplement", "deny"})
"""Acts that a citizen must be told the reason of."""


def create_app(settings: TthcModelSettings) -> Starlette:
    """The application; raises ConfigError without its user file, OSError if the folder is in use."""
    credentials = secret(settings.user_file, "the user of the TTHC model")
    model = Model(TthcStore(settings.state, settings.agency, settings.answer_seconds))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        model.close()

    guard = Middleware(BasicAuthentication, credentials=credentials)
    return Starlette(routes=model.routes(), middleware=[guard], lifespan=lifespan)


def serve(settings: TthcModelSettings) -> None:
    """Serve until stopped. Raises ConfigError or OSError with one clear line."""
    serving.run(create_app(settings), settings.host, settings.port)


class BasicAuthentication:
    """One user for everything; changes only from our own pages or from programs."""

    def __init__(self, app: ASGIApp, credentials: str) -> None:
        self._app = app
        self._credentials = credentials.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what is authorised, with headers that keep pages to themselves."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        if not self._authorised(request):
            refusal = Response("401", 401, {"WWW-Authenticate": 'Basic realm="TTHC", charset="UTF-8"'})
            return await refusal(scope, receive, send)
        origin = request.headers.get("origin")
        if request.method != "GET" and origin and urlsplit(origin).netloc != request.headers.get("host"):
            return await Response("403", 403)(scope, receive, send)
        return await self._app(scope, receive, send)

    def _authorised(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            decoded = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(decoded, self._credentials)


class Model:
    """Requests of connectors and officers over one store."""

    def __init__(self, held: TthcStore) -> None:
        self._store = held
        self._pages = Jinja2Templates(Path(__file__).parent / "templates")
        self._pages.env.filters |= {"shown": _shown, "size": _size}
        self._pages.env.globals |= {"STATUS": STATUS_TEXT, "ACTION": ACTION_TEXT, "GRADE": GRADE_TEXT}

    def close(self) -> None:
        """Let go of the folder."""
        self._store.close()

    def routes(self) -> list[Route]:
        """API and pages."""
        api, page = "/o/rest/v2/dossiers", "/ho-so/{id}"
        return [
            Route(api, self.listing, methods=["GET"]),
            Route(api, self.create, methods=["POST"]),
            Route(f"{api}/{{id}}", self.detail, methods=["GET"]),
            Route(f"{api}/{{id}}/files", self.files, methods=["GET"]),
            Route(f"{api}/{{id}}/files", self.upload, methods=["POST"]),
            Route(f"{api}/{{id}}/files/{{uid}}", self.file, methods=["GET"]),
            Route(f"{api}/{{id}}/submit", self.submit, methods=["POST"]),
            Route("/", self.overview, methods=["GET"]),
            Route(page, self.dossier, methods=["GET"]),
            Route(f"{page}/tep/{{uid}}", self.file, methods=["GET"]),
            Route(f"{page}/{{action}}", self.act, methods=["POST"]),
        ]

    # --- API ---

    async def listing(self, _: Request) -> Response:
        """Everything, newest first."""
        dossiers = [_detail(d) | {"files": d["files"]} for d in await run_in_threadpool(self._store.all)]
        return JSONResponse({"total": len(dossiers), "data": dossiers})

    async def create(self, request: Request) -> Response:
        """Create or, with a known referenceUid, update."""
        async with request.form(max_files=0, max_fields=200) as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
        return JSONResponse(_detail(await _stored(self._store.save, fields)))

    async def detail(self, request: Request) -> Response:
        """One dossier."""
        return JSONResponse(_detail(await self._of(request)))

    async def files(self, request: Request) -> Response:
        """The files of a dossier."""
        files = (await self._of(request))["files"]
        return JSONResponse({"total": len(files), "data": files})

    async def upload(self, request: Request) -> Response:
        """One file."""
        async with request.form(max_files=1, max_fields=20, max_part_size=MOST_FILE) as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            upload = form.get("file")
            if not isinstance(upload, UploadFile):
                raise HTTPException(400, "file is missing")
            content = await upload.read(MOST_FILE + 1)
        if len(content) > MOST_FILE:
            raise HTTPException(413, f"more than {MOST_FILE} bytes")
        return JSONResponse(await _stored(self._store.add_file, request.path_params["id"], fields, content))

    async def file(self, request: Request) -> Response:
        """The content of a file: PDFs are shown, anything else is saved."""
        dossier, uid = await self._of(request), request.path_params["uid"]
        name = next((f["name"] for f in dossier["files"] if f["referenceUid"] == uid), None)
        if name is None:
            raise HTTPException(404)
        pdf = name.endswith(".pdf")
        return FileResponse(
            self._store.file_path(dossier, uid),
            media_type="application/pdf" if pdf else "application/octet-stream",
            filename=name.rpartition("/")[2],
            content_disposition_type="inline" if pdf else "attachment",
            headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"},
        )

    async def submit(self, request: Request) -> Response:
        """The draft is complete."""
        return JSONResponse(_detail(await _stored(self._store.submit, request.path_params["id"])))

    # --- pages ---

    async def overview(self, request: Request) -> Response:
        """What arrived, newest first."""
        dossiers = [_view(d) for d in await run_in_threadpool(self._store.all)]
        return self._page(request, "tthc_list.html", dossiers=dossiers)

    async def dossier(self, request: Request) -> Response:
        """One dossier with its papers and what an officer may do."""
        dossier = await self._of(request)
        moves = [action for action, (allowed, _) in MOVES.items() if dossier["dossierStatus"] in allowed]
        return self._page(request, "tthc_dossier.html", d=_view(dossier), moves=moves, note_needed=NOTE_NEEDED)

    async def act(self, request: Request) -> Response:
        """An officer's act, then the page again."""
        action = request.path_params["action"]
        if action not in MOVES:
            raise HTTPException(404)
        async with request.form(max_files=0, max_fields=5) as form:
            note = str(form.get("note", "")).strip()[:1000]
        if action in NOTE_NEEDED and not note:
            raise HTTPException(400, "Cần ghi rõ lý do.")
        dossier = await _stored(self._store.move, request.path_params["id"], action, note)
        return RedirectResponse(f"/ho-so/{dossier['dossierId']}", 303)

    async def _of(self, request: Request) -> Raw:
        dossier: Raw = await _stored(self._store.get, request.path_params["id"])
        return dossier

    def _page(self, request: Request, template: str, **values: Any) -> Response:
        headers = {
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
        }
        return self._pages.TemplateResponse(request, template, values, headers=headers)


async def _stored(work: Callable[..., Any], *arguments: object) -> Any:
    try:
        return await run_in_threadpool(work, *arguments)
    except Unknown:
        raise HTTPException(404, "no such dossier") from None
    except Conflict as conflict:
        raise HTTPException(409, str(conflict)) from None
    except Invalid as invalid:
        raise HTTPException(400, f"required or malformed: {invalid}") from None


def _detail(dossier: Raw) -> Raw:
    """`DossierDetailModel`, as far as a kiosk needs it."""
    given, log = dossier["input"], dossier["log"]
    return {
        "dossierId": dossier["dossierId"],
        "referenceUid": dossier["referenceUid"],
        "dossierNo": dossier["dossierNo"],
        "dossierStatus": dossier["dossierStatus"],
        "dossierStatusText": STATUS_TEXT[dossier["dossierStatus"]],
        "submitDate": _opencps_time(dossier.get("submitted_at")),
        "receiveDate": _opencps_time(dossier.get("received_at")),
        "dueDate": _opencps_time(dossier.get("due_at")),
        "lastActionNote": log[-1]["note"] if log else "",
        **{name: given.get(name, "") for name in ("serviceCode", "serviceName", "govAgencyCode")},
        **{name: given.get(name, "") for name in ("applicantName", "applicantIdNo", "address", "contactTelNo")},
    }


def _view(dossier: Raw) -> Raw:
    """What the pages show."""
    try:
        meta = json.loads(dossier["input"].get("metaData", "{}"))
    except ValueError:
        meta = {}
    names = {c.get("code"): c.get("name") for c in meta.get("components", [])}
    return dossier | {
        "detail": _detail(dossier),
        "meta": meta,
        "portal_code": PORTAL_CODES.get(dossier["dossierStatus"]),
        "papers": [f | {"part": names.get(f["dossierPartNo"])} for f in dossier["files"] if f["name"].endswith(".pdf")],
        "evidence": [f for f in dossier["files"] if not f["name"].endswith(".pdf")],
        "paper_only": [c for c in meta.get("components", []) if c.get("paper_only")],
    }


def _opencps_time(iso: str | None) -> str:
    return from_iso(iso).astimezone(HANOI).strftime(TIME_FORMAT) if iso else ""


def _shown(iso: str | None) -> str:
    return shown(from_iso(iso)) if iso else "—"


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KB" if count < 1024 * 1024 else f"{count / 1024 / 1024:,.1f} MB"
