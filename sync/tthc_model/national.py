"""The model TTHC system's second face: the national flow (sync.connectors.national says its contract)."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kiosk.catalogue import Catalogue
from sync import serving
from sync.connectors.national import GOOD, KNOWN, UNKNOWN
from sync.connectors.opencps import PORTAL_CODES
from sync.tthc_model.store import Conflict, Invalid, Raw, TthcStore, Unknown

BASE = "/quoc-gia/v1"
TOKEN_SECONDS = 300
MOST_BODY = 1024 * 1024
MOST_FILE = 100 * 1024 * 1024


class NationalApi:
    """The calls of the national flow over the model's store; `offered` reads the catalogue of procedures."""

    def __init__(
        self, held: TthcStore, credentials: str, offered: Callable[[], Catalogue | None], *, unique: bool
    ) -> None:
        self._store = held
        self._credentials = credentials
        self._offered = offered
        self._unique = unique
        self._tokens: dict[str, float] = {}

    def routes(self) -> list[Route]:
        """Everything below BASE."""
        calls = {
            "GetNextValue": self.next_value,
            "HoSo": self.file,
            "TraCuuHoSo": self.look,
            "LayDanhSachTTHC": self.procedures,
            "LayThuTuc": self.procedure,
            "GetKetQuaGiayTo": self.results,
        }
        return [
            Route(f"{BASE}/token", self.token, methods=["POST"]),
            Route(f"{BASE}/TepTin", self.upload, methods=["POST"]),
            *(Route(f"{BASE}/{name}", self._call(call), methods=["POST"]) for name, call in calls.items()),
        ]

    def _call(self, call: Callable[[Raw], tuple[str, Raw]]) -> Callable[[Request], Any]:
        """A JSON call behind a token; its work touches the disk, so it runs on a thread."""

        async def endpoint(request: Request) -> Response:
            self._authorise(request)
            asked = await _object(request)
            try:
                code, data = await run_in_threadpool(call, asked)
            except (Invalid, KeyError, TypeError, AttributeError) as error:
                return _said("THIEU_TRUONG", {}, f"{type(error).__name__}")
            return _said(code, data)

        return endpoint

    async def token(self, request: Request) -> Response:
        """A token for who knows the secret."""
        raw = await _object(request)
        given = f"{raw.get('client_id', '')}:{raw.get('client_secret', '')}"
        if not hmac.compare_digest(given.encode(), self._credentials.encode()):
            raise HTTPException(401)
        now = time.monotonic()
        token = secrets.token_urlsafe(24)
        self._tokens = {t: end for t, end in self._tokens.items() if end > now} | {token: now + TOKEN_SECONDS}
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    async def upload(self, request: Request) -> Response:
        """One file; the id and the SHA-256 by which a dossier names it."""
        self._authorise(request)
        async with request.form(max_files=1, max_fields=5, max_part_size=MOST_FILE) as form:
            given = form.get("file")
            content = await given.read(MOST_FILE) if isinstance(given, UploadFile) else b""
        identifier = await run_in_threadpool(self._store.add_upload, content)
        return _said(GOOD, {"IdTepTin": identifier, "HashTepTin": hashlib.sha256(content).hexdigest()})

    def _authorise(self, request: Request) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0.0) < time.monotonic():
            raise HTTPException(401)

    # --- calls: asked → (code, data) ---

    def next_value(self, _: Raw) -> tuple[str, Raw]:
        """A fresh MaHoSo."""
        return GOOD, {"MaHoSo": self._store.draw_code()}

    def file(self, asked: Raw) -> tuple[str, Raw]:
        """The dossier, with files that are here and whose hashes fit."""
        papers = []
        for component in asked["ThanhPhanHoSo"]:
            for paper in component["GiayToDinhKem"]:
                content = self._store.upload(paper["IdGiayTo"])
                if hashlib.sha256(content).hexdigest() != paper["HashTepTin"]:
                    return "SAI_HASH", {}
                papers.append((paper["IdGiayTo"], component["MaThanhPhanHoSo"], paper["TenGiayTo"]))
        try:
            filed = self._store.file_national(asked["MaHoSo"], _fields(asked), papers, unique=self._unique)
        except Conflict:
            return KNOWN, {}
        return GOOD, {"IdHoSo": str(filed["dossierId"])}

    def look(self, asked: Raw) -> tuple[str, Raw]:
        """A dossier by its code."""
        try:
            dossier = self._store.get(asked["MaHoSo"])
        except Unknown:
            return UNKNOWN, {}
        given, log = dossier["input"], dossier["log"]
        return GOOD, {
            "MaHoSo": dossier["dossierNo"],
            "MaThamChieu": dossier["referenceUid"],
            "TenTTHC": given["serviceName"],
            "ChuHoSo": given["applicantName"],
            "TrangThaiHoSo": str(PORTAL_CODES[dossier["dossierStatus"]]),
            "NgayNopHoSo": dossier.get("submitted_at"),
            "NgayTiepNhan": dossier.get("received_at"),
            "NgayHenTra": dossier.get("due_at"),
            "GhiChu": log[-1]["note"],
            "NoiTraKetQua": given["govAgencyCode"],
            "DanhSachLePhi": [{"TenPhiLePhi": "Lệ phí", "Gia": str(dossier["fee"])}] if "fee" in dossier else [],
        }

    def procedures(self, _: Raw) -> tuple[str, Raw]:
        """Codes and names."""
        offered = self._offered()
        listed = offered.procedures.values() if offered else ()
        return GOOD, {"DanhSachTTHC": [{"MATTHC": p.code, "TENTTHC": p.name.vi} for p in listed]}

    def procedure(self, asked: Raw) -> tuple[str, Raw]:
        """One procedure in full (domain reference §10.1)."""
        offered = self._offered()
        found = offered.procedures.get(asked["maTTHC"]) if offered else None
        if offered is None or found is None:
            return "TTHC_KHONG_TON_TAI", {}
        sector = next(group for group in offered.groups if group.id == found.sector)
        papers = [
            {"GIAYTO": c.name.vi, "MAGIAYTO": c.code, "BATBUOC": "1" if c.required else "0"} for c in found.components
        ]
        return GOOD, {
            "MATTHC": found.code,
            "TENTTHC": found.name.vi,
            "LINHVUCTHUCHIEN": [{"MALINHVUC": sector.id, "TENLINHVUC": sector.name.vi}],
            "CACHTHUCTHUCHIEN": [{"KENH": "1", "THOIGIAN": found.duration.vi, "PHILEPHI": found.fee.vi}],
            "THANHPHANHOSO": papers,
            "COQUANTHUCHIEN": found.receiving_unit,
        }

    def results(self, asked: Raw) -> tuple[str, Raw]:
        """The owner's digitised papers for the components asked for."""
        wanted = {entry["MaKetQua"] for entry in asked["DanhSachDanhMucKetQua"]}
        found = [
            {
                "MaThanhPhanHoSo": paper.component,
                "MaKetQua": paper.result_code,
                "TenGiayTo": paper.name,
                "SoKyHieu": paper.number,
                "CoQuanChuQuan": paper.issuer,
                "DanhSachTepDinhKem": [{"TenTep": paper.name, "DuongDan": paper.result_code}],
            }
            for paper in self._store.reusable(asked["SoDinhDanhChuSoHuu"])
            if paper.component in wanted
        ]
        return GOOD, {"DanhSachGiayToKetQua": found}


def _fields(asked: Raw) -> Raw:
    """The dossier in the terms in which the model keeps what came by the other way."""
    details, person = asked["EformThongTinChiTiet"], asked["ThongTinNguoiNop"]["ThongTinChiTiet"]
    components = [
        {"code": c["MaThanhPhanHoSo"], "name": c["TenThanhPhanHoSo"], "paper_only": c.get("NhanBanGiay", False)}
        | ({"reused": c["MaKetQuaThayThe"]} if c.get("MaKetQuaThayThe") else {})
        for c in asked["ThanhPhanHoSo"]
    ]
    meta = {
        "provisional_ref": details["MaThamChieuTam"],
        "support_place": details["NoiNopHoSo"],
        "form_version": details["PhienBanBieuMau"],
        "components": components,
        "reuse_consent": details.get("DongYTraGiayToSoHoa"),
        "answers": details["ToKhai"],
        "owner": {"identity_grade": details["MucDinhDanh"]},
    }
    return {
        "referenceUid": details["MaThamChieu"],
        "serviceCode": asked["MaTTHC"],
        "serviceName": details["TenTTHC"],
        "govAgencyCode": asked["MaDonViTiepNhan"],
        "applicantName": asked["ChuHoSo"],
        "applicantIdNo": person["SoDinhDanh"],
        "address": person["DiaChi"],
        "contactTelNo": person["SoDienThoai"],
        "metaData": json.dumps(meta, ensure_ascii=False),
    }


def _said(code: str, data: Raw, message: str = "") -> Response:
    return JSONResponse({"code": code, "message": message, "data": data})


async def _object(request: Request) -> Raw:
    try:
        raw = json.loads(await serving.body(request, MOST_BODY))
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        raise HTTPException(400, "a JSON object is awaited")
    return raw
