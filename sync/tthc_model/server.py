"""A model of a province's TTHC system: what a kiosk needs of OpenCPS v2 and of the national flow, and officers' pages.

    GET/POST /o/rest/v2/dossiers                          form-urlencoded; known referenceUid: updates
    GET      /o/rest/v2/dossiers/{id}                     id: dossierId, dossierNo or referenceUid
    GET/POST /o/rest/v2/dossiers/{id}/files               multipart; referenceUid and modifiedDate rule
    GET      /o/rest/v2/dossiers/{id}/files/{referenceUid}
    POST     /o/rest/v2/dossiers/{id}/submit
    GET      /o/rest/v2/serviceinfos, serviceconfigs, dossiertemplates/{no}/parts, applicant/{idNo}/fileDone/search
    POST     /quoc-gia/v1/…                               the national flow (sync.tthc_model.national)
    GET      /                                            what arrived by either way; /ho-so/{id} one dossier
    GET/POST /su-co                                       faults for the next requests; /api/faults for programs

Authentication everywhere: it holds personal data. Semantics: domain reference §9, §10.
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

from kiosk import catalogue
from kiosk.catalogue import Catalogue, Group, Procedure
from kiosk.clock import HANOI, from_iso, shown
from kiosk.config import TthcModelSettings, secret
from sync import serving
from sync.connectors.opencps import BEARER, PORTAL_CODES, TIME_FORMAT
from sync.tthc_model import national
from sync.tthc_model.faults import FAULT_TEXT, Faults, FaultyWire, order
from sync.tthc_model.store import MOVES, Conflict, Invalid, Raw, TthcStore, Unknown

MOST_FILE = 100 * 1024 * 1024

STATUS_TEXT = {
    "": "Bản nháp",
    "receiving": "Mới đăng ký",
    "new": "Được tiếp nhận",
    "denied": "Không được tiếp nhận",
    "processing": "Đang xử lý",
    "waiting": "Yêu cầu bổ sung giấy tờ",
    "paying": "Yêu cầu thực hiện nghĩa vụ tài chính",
    "cancelled": "Công dân yêu cầu rút hồ sơ",
    "unresolved": "Dừng xử lý",
    "releasing": "Đã xử lý xong",
    "done": "Đã trả kết quả",
}
ACTION_TEXT = {
    "submit": "Nộp hồ sơ",
    "receive": "Tiếp nhận",
    "process": "Chuyển xử lý",
    "supplement": "Yêu cầu bổ sung",
    "ask_payment": "Yêu cầu nộp phí",
    "withdraw": "Công dân rút hồ sơ",
    "stop": "Dừng xử lý",
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
WAY_TEXT = {"opencps": "OpenCPS", "national": "Luồng quốc gia"}
NOTE_NEEDED = {
    "supplement": "Giấy tờ còn thiếu, ghi rõ cho công dân",
    "ask_payment": "Số tiền (đồng)",
    "stop": "Lý do, ghi rõ cho công dân",
    "deny": "Lý do, ghi rõ cho công dân",
}
"""Acts that a citizen must be told more of, and what."""


def create_app(settings: TthcModelSettings) -> Starlette:
    """The application; raises ConfigError without its user file, OSError if the folder is in use."""
    credentials = secret(settings.user_file, "the user of the TTHC model")
    model = Model(settings, credentials)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        model.close()

    wire = Middleware(FaultyWire, faults=model.faults)
    guard = Middleware(Authentication, credentials=credentials)
    return Starlette(routes=model.routes(), middleware=[wire, guard], lifespan=lifespan)


def serve(settings: TthcModelSettings) -> None:
    """Serve until stopped. Raises ConfigError or OSError with one clear line."""
    serving.run(create_app(settings), settings.host, settings.port)


class Authentication:
    """One user (Basic or bearer) for all but the national flow; changes only from our own pages or programs."""

    def __init__(self, app: ASGIApp, credentials: str) -> None:
        self._app = app
        self._credentials = credentials.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what is authorised, with headers that keep pages to themselves."""
        if scope["type"] != "http" or scope["path"].startswith(national.BASE + "/"):
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
        if scheme.lower() == BEARER:
            return hmac.compare_digest(f"{BEARER}:{given}".encode(), self._credentials)
        try:
            decoded = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(decoded, self._credentials)


class Model:
    """Requests of connectors and officers over one store."""

    def __init__(self, settings: TthcModelSettings, credentials: str) -> None:
        self._settings = settings
        self._store = TthcStore(settings.state, settings.agency, settings.answer_seconds)
        unique = settings.refuses_duplicates
        self._national = national.NationalApi(self._store, credentials, self._offered, unique=unique)
        self.faults = Faults()
        self._pages = Jinja2Templates(Path(__file__).parent / "templates")
        self._pages.env.filters |= {"shown": _shown, "size": _size}
        words = {"STATUS": STATUS_TEXT, "ACTION": ACTION_TEXT, "GRADE": GRADE_TEXT, "WAY": WAY_TEXT}
        self._pages.env.globals |= words | {"FAULT": FAULT_TEXT}

    def close(self) -> None:
        """Let go of the folder."""
        self._store.close()

    def routes(self) -> list[Route]:
        """API and pages."""
        base, page = "/o/rest/v2", "/ho-so/{id}"
        api = f"{base}/dossiers"
        return [
            Route(api, self.listing, methods=["GET"]),
            Route(api, self.create, methods=["POST"]),
            Route(f"{api}/{{id}}", self.detail, methods=["GET"]),
            Route(f"{api}/{{id}}/files", self.files, methods=["GET"]),
            Route(f"{api}/{{id}}/files", self.upload, methods=["POST"]),
            Route(f"{api}/{{id}}/files/{{uid}}", self.file, methods=["GET"]),
            Route(f"{api}/{{id}}/submit", self.submit, methods=["POST"]),
            Route(f"{base}/serviceinfos", self.services, methods=["GET"]),
            Route(f"{base}/serviceconfigs", self.service_configs, methods=["GET"]),
            Route(f"{base}/dossiertemplates/{{no}}/parts", self.template_parts, methods=["GET"]),
            Route(f"{base}/applicant/{{id}}/fileDone/search", self.reusable, methods=["GET"]),
            *self._national.routes(),
            Route("/api/faults", self.fault_api, methods=["GET", "POST", "DELETE"]),
            Route("/su-co", self.fault_page, methods=["GET"]),
            Route("/su-co", self.add_fault, methods=["POST"]),
            Route("/su-co/xoa", self.clear_faults, methods=["POST"]),
            Route("/", self.overview, methods=["GET"]),
            Route(page, self.dossier, methods=["GET"]),
            Route(f"{page}/tep/{{uid}}", self.file, methods=["GET"]),
            Route(f"{page}/{{action}}", self.act, methods=["POST"]),
        ]

    # --- API ---

    async def listing(self, _: Request) -> Response:
        """Everything, newest first."""
        dossiers = [
            _detail(d) | {"files": d["files"], "reused": [c["reused"] for c in _view(d)["reused"]]}
            for d in await run_in_threadpool(self._store.all)
        ]
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

    # --- catalogue and re-use ---

    def _offered(self) -> Catalogue | None:
        path = self._settings.catalogue
        return catalogue.load(path) if path.is_file() else None

    async def _procedures(self) -> list[tuple[Group, Procedure]]:
        offered = await run_in_threadpool(self._offered)
        return [(group, p) for group in (offered.groups if offered else ()) for p in group.procedures]

    async def services(self, request: Request) -> Response:
        """`ServiceInfo`, as far as a kiosk needs it."""
        found = [
            {
                "serviceCode": p.code,
                "serviceName": p.name.vi,
                "domainCode": group.id,
                "domainName": group.name.vi,
                "durationText": p.duration.vi,
                "feeText": p.fee.vi,
                "active": True,
            }
            for group, p in await self._procedures()
        ]
        return _page_of(request, found)

    async def service_configs(self, request: Request) -> Response:
        """Who receives a service, by which template."""
        found = [
            {"serviceCode": p.code, "govAgencyName": p.receiving_unit, "dossierTemplateNo": p.code}
            for _, p in await self._procedures()
        ]
        return _page_of(request, found)

    async def template_parts(self, request: Request) -> Response:
        """What a dossier consists of; type 1 is handed in."""
        procedures = {p.code: p for _, p in await self._procedures()}
        found = procedures.get(request.path_params["no"])
        parts = [
            {"partNo": c.code, "partName": c.name.vi, "partTip": c.hint.vi, "partType": 1, "required": c.required}
            for c in (found.components if found else ())
        ]
        return _page_of(request, parts)

    async def reusable(self, request: Request) -> Response:
        """An applicant's digitised papers."""
        found = [
            {
                "fileTemplateNo": paper.component,
                "referenceUid": paper.result_code,
                "displayName": paper.name,
                "deliverableCode": paper.number,
                "govAgencyName": paper.issuer,
            }
            for paper in await run_in_threadpool(self._store.reusable, request.path_params["id"])
        ]
        return _page_of(request, found)

    # --- faults ---

    async def fault_api(self, request: Request) -> Response:
        """See, add, clear."""
        if request.method == "DELETE":
            self.faults.clear()
        if request.method == "POST":
            try:
                self.faults.add(order(json.loads(await serving.body(request, 4096))))
            except ValueError as error:
                raise HTTPException(400, str(error)) from None
        return JSONResponse({"faults": self.faults.waiting()})

    async def fault_page(self, request: Request) -> Response:
        """What waits, and a form for more."""
        return self._page(request, "tthc_faults.html", waiting=self.faults.waiting())

    async def add_fault(self, request: Request) -> Response:
        """From the form."""
        async with request.form(max_files=0, max_fields=10) as form:
            try:
                self.faults.add(order(dict(form)))
            except ValueError:
                raise HTTPException(400, "Loại sự cố, số lần hoặc số giây không hợp lệ.") from None
        return RedirectResponse("/su-co", 303)

    async def clear_faults(self, _: Request) -> Response:
        """None any more."""
        self.faults.clear()
        return RedirectResponse("/su-co", 303)

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
            raise HTTPException(400, f"Cần ghi rõ: {NOTE_NEEDED[action]}")
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


def _page_of(request: Request, entries: list[Raw]) -> Response:
    """A list from `start` to before `end`, as OpenCPS pages it; everything without them."""
    try:
        start, end = (int(request.query_params.get(name, last)) for name, last in (("start", 0), ("end", len(entries))))
    except ValueError:
        raise HTTPException(400, "start and end are numbers") from None
    return JSONResponse({"total": len(entries), "data": entries[max(start, 0) : max(end, 0)]})


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
        "govAgencyName": given.get("govAgencyCode", ""),
        "paymentFee": f"{dossier['fee']:,} đồng".replace(",", ".") if "fee" in dossier else "",
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
    return (
        {"way": "opencps"}
        | dossier
        | {
            "detail": _detail(dossier),
            "meta": meta,
            "portal_code": PORTAL_CODES.get(dossier["dossierStatus"]),
            "papers": [
                f | {"part": names.get(f["dossierPartNo"])} for f in dossier["files"] if f["name"].endswith(".pdf")
            ],
            "evidence": [f for f in dossier["files"] if not f["name"].endswith(".pdf")],
            "reused": [c for c in meta.get("components", []) if c.get("reused")],
            "paper_only": [c for c in meta.get("components", []) if c.get("paper_only")],
        }
    )


def _opencps_time(iso: str | None) -> str:
    return from_iso(iso).astimezone(HANOI).strftime(TIME_FORMAT) if iso else ""


def _shown(iso: str | None) -> str:
    return shown(from_iso(iso)) if iso else "—"


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KB" if count < 1024 * 1024 else f"{count / 1024 / 1024:,.1f} MB"
