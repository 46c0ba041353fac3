"""The national flow of 2025–26 (domain reference §10.2): token → code → files with hash → dossier → status.

    POST {url}/token            {client_id, client_secret} → {access_token, expires_in}
    POST {url}/GetNextValue     {MaTTHC} → MaHoSo
    POST {url}/TepTin           multipart → IdTepTin, HashTepTin (SHA-256)
    POST {url}/HoSo             the dossier under its MaHoSo → IdHoSo
    POST {url}/TraCuuHoSo       {MaHoSo} → status
    POST {url}/LayDanhSachTTHC, LayThuTuc, GetKetQuaGiayTo

Every answer is {code, message, data}; "00" is good. No public text fixes the addresses, so these are our own contract.
The handle of a dossier is its MaHoSo. A crash before `submit` leaves an unused code, which is normal.
"""

import hashlib
import re
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kiosk.citizen import mask_name
from kiosk.clock import from_iso
from kiosk.dossier import DossierState
from sync.answers import RECEIVED
from sync.connectors.contract import (
    Refused,
    Reusable,
    Unclear,
    Unreachable,
    Wish,
    complete_payload,
    parts_of,
    understood,
)
from sync.connectors.exchange import Site, json_object
from sync.envelope import Opened
from sync.web import Reply

GOOD = "00"
UNKNOWN = "HS_KHONG_TON_TAI"
KNOWN = "HS_DA_TON_TAI"
BROKEN = "99"
"""The system failed inside; whether it did anything is unknown."""
_CONFLICT = frozenset({409})
_EARLY = 30.0  # seconds before its end that a token counts as expired
_WITHOUT_CODE = frozenset({0, 1})  # statuses before intake: the code is drawn, but nobody has received anything


class National:
    """A TTHC system at `url` for this client. `repeatable`: it refuses a second dossier under one code."""

    def __init__(self, url: str, client: str, secret: str, timeout: float = 30.0, *, repeatable: bool = False) -> None:
        self.repeatable = repeatable
        self._site = Site(url, timeout)
        self._credentials = {"client_id": client, "client_secret": secret}
        self._lock = threading.Lock()
        self._token = ""
        self._ends = 0.0

    def create(self, dossier: Opened) -> str:
        """A fresh code."""
        with complete_payload():
            asked = {"MaTTHC": dossier.payload["procedure_code"]}
        data = self._data("create", "GetNextValue", asked)
        with understood("create"):
            return _text(data["MaHoSo"])

    def upload(self, handle: str, dossier: Opened, name: str) -> str:
        """One file into the system's store; it must have understood the same bytes."""
        content = dossier.files[name]
        reply = self._call("upload", "TepTin", files={"file": (name, content)}, data={"MaHoSo": handle})
        data = _good("upload", json_object("upload", reply))
        with understood("upload"):
            identifier, digest = _text(data["IdTepTin"]), _text(data["HashTepTin"])
        if digest.lower() != hashlib.sha256(content).hexdigest():
            raise Unclear("upload: the system holds other bytes")
        return identifier

    def submit(self, handle: str, dossier: Opened, uploads: Mapping[str, str]) -> None:
        """The dossier; if it is there already, it must be this one."""
        with complete_payload():
            form = _form(handle, dossier, uploads)
        reply = self._call("submit", "HoSo", json=form, allowed=_CONFLICT)
        raw = {"code": KNOWN} if reply.status in _CONFLICT else json_object("submit", reply)
        if raw.get("code") == KNOWN:
            if not self.find(handle, dossier.payload["reference_uid"]):
                raise Unclear("submit: a conflict, but the dossier is not there")
            return
        with understood("submit"):
            _text(_good("submit", raw)["IdHoSo"])

    def find(self, handle: str, reference_uid: str) -> bool:
        """Whether the dossier under this code is ours; Refused if it is another's."""
        data = self._look("find", handle)
        if data is None:
            return False
        with understood("find"):
            ours = data["MaThamChieu"] == reference_uid
        if not ours:
            raise Refused("find: another dossier stands under this code")
        return True

    def status(self, handle: str, provisional_ref: str, procedure: str) -> DossierState | None:
        """What the system says now; its code counts from intake only."""
        data = self._look("status", handle)
        if data is None:
            return None
        with understood("status"):
            status = int(data["TrangThaiHoSo"])
            return DossierState(
                provisional_ref=provisional_ref,
                dossier_code=None if status in _WITHOUT_CODE else handle,
                status=status,
                procedure=data.get("TenTTHC") or procedure,
                owner=mask_name(data["ChuHoSo"]),
                submitted_at=_moment(data.get("NgayNopHoSo")),
                received_at=_moment(data.get("NgayTiepNhan")),
                due_at=_moment(data.get("NgayHenTra")),
                note=data.get("GhiChu") or "",
                fee=_fees(data.get("DanhSachLePhi") or []),
                collect_at=data.get("NoiTraKetQua") or "",
                received=status in RECEIVED,
            )

    def catalogue(self) -> list[dict[str, Any]]:
        """Every procedure of the list, by its own description."""
        groups: dict[str, dict[str, Any]] = {}
        for entry in self._data("catalogue", "LayDanhSachTTHC", {}).get("DanhSachTTHC", []):
            with understood("catalogue"):
                code = entry["MATTHC"]
            raw = self._data("catalogue", "LayThuTuc", {"maTTHC": code})
            with understood("catalogue"):
                sector = raw["LINHVUCTHUCHIEN"][0]
                group = {"id": sector["MALINHVUC"], "vi": sector["TENLINHVUC"], "procedure": []}
                groups.setdefault(group["id"], group)["procedure"].append(_procedure(raw))
        return list(groups.values())

    def reusable_results(self, wish: Wish) -> list[Reusable]:
        """What the store of digitised results holds of the owner (domain reference §10.3)."""
        asked = {
            "SoDinhDanhChuSoHuu": wish.owner_id,
            "HoTenNguoiYeuCau": wish.requester_name,
            "KenhThucHien": "1",
            "SoDinhDanhNguoiYeuCau": wish.requester_id,
            "MaThuTuc": wish.procedure_code,
            "DanhSachDanhMucKetQua": [{"MaKetQua": code} for code in wish.components],
        }
        data = self._data("re-use", "GetKetQuaGiayTo", asked)
        with understood("re-use"):
            return [
                Reusable(
                    raw["MaThanhPhanHoSo"], raw["MaKetQua"], raw["TenGiayTo"], raw["SoKyHieu"], raw["CoQuanChuQuan"]
                )
                for raw in data["DanhSachGiayToKetQua"]
            ]

    # --- exchanges ---

    def _look(self, step: str, handle: str) -> dict[str, Any] | None:
        raw = json_object(step, self._call(step, "TraCuuHoSo", json={"MaHoSo": handle}))
        if raw.get("code") == UNKNOWN:
            return None
        data = _good(step, raw)
        if data.get("MaHoSo") != handle:
            raise Unclear(f"{step}: the answer is not understood: another code or none")
        return data

    def _data(self, step: str, name: str, asked: Mapping[str, object]) -> dict[str, Any]:
        return _good(step, json_object(step, self._call(step, name, json=asked)))

    def _call(self, step: str, name: str, allowed: frozenset[int] = frozenset(), **request: Any) -> Reply:
        """With a token; one that the system no longer knows is renewed once."""
        for _ in range(2):
            token = self._valid_token()
            headers = {"Authorization": f"Bearer {token}"}
            reply = self._site.call(step, "POST", f"/{name}", allowed=allowed | {401}, headers=headers, **request)
            if reply.status != 401:
                return reply
            self._forget(token)
        raise Unreachable(f"{step}: HTTP 401 with a fresh token")

    def _valid_token(self) -> str:
        with self._lock:
            if time.monotonic() >= self._ends:
                raw = json_object("token", self._site.call("token", "POST", "/token", json=self._credentials))
                with understood("token"):
                    self._token = _text(raw["access_token"])
                    life = float(raw["expires_in"])
                    self._ends = time.monotonic() + max(life - _EARLY, life / 2)
            return self._token

    def _forget(self, token: str) -> None:
        with self._lock:
            if token == self._token:
                self._ends = 0.0


def _good(step: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    code = str(raw.get("code", ""))
    if code == GOOD and isinstance(raw.get("data"), dict):
        return dict(raw["data"])
    if not code or code in (GOOD, BROKEN):
        raise Unclear(f"{step}: the answer is not understood or says that the system failed")
    shown = code if re.fullmatch(r"[A-Z0-9_]{1,40}", code) else "of another form"
    raise Refused(f"{step}: code {shown}")


def _form(handle: str, dossier: Opened, uploads: Mapping[str, str]) -> dict[str, Any]:
    payload, owner = dossier.payload, dossier.payload["owner"]
    details = {
        "MaThamChieu": payload["reference_uid"],
        "MaThamChieuTam": payload["provisional_ref"],
        "TenTTHC": payload["procedure_name"],
        "MaLinhVuc": payload["sector"],
        "NoiNopHoSo": payload["support_place"],
        "PhienBanBieuMau": payload.get("form_version", ""),
        "MucDinhDanh": owner["identity_grade"],
        "DongYTraGiayToSoHoa": payload.get("reuse_consent"),
        "ToKhai": payload.get("answers_shown", payload["answers"]),
    }
    person = {
        "HoTen": owner["full_name"],
        "SoDinhDanh": owner["personal_id"],
        "NgaySinh": owner["birth"],
        "GioiTinh": owner["sex"],
        "DiaChi": owner["address"],
        "SoDienThoai": payload["answers"].get("phone", ""),
    }
    return {
        "MaHoSo": handle,
        "MaTTHC": payload["procedure_code"],
        "MaDichVuCong": "",
        "ChuHoSo": owner["full_name"],
        "LoaiDoiTuong": "1",
        "MaDonViTiepNhan": payload["receiving_unit"],
        "KenhThucHien": "1",
        "NgayNopHoSo": payload["submitted_at"],
        "EformThongTinChiTiet": details,
        "ThanhPhanHoSo": _components(dossier, uploads),
        "ThongTinNguoiNop": {"LoaiDoiTuong": "1", "ThongTinChiTiet": person},
    }


def _components(dossier: Opened, uploads: Mapping[str, str]) -> list[dict[str, Any]]:
    def attached(name: str) -> dict[str, str]:
        digest = hashlib.sha256(dossier.files[name]).hexdigest()
        return {"IdGiayTo": uploads[name], "HashTepTin": digest, "TenGiayTo": name}

    components = [
        {
            "MaThanhPhanHoSo": c["code"],
            "TenThanhPhanHoSo": c["name"],
            "SoLuong": 1,
            "LoaiBan": "1",
            "SoTrang": c["pages"],
            "NhanBanGiay": c["paper_only"],
            "MaKetQuaThayThe": c.get("reused", ""),
            "GiayToDinhKem": [attached(c["file"])] if c["file"] else [],
        }
        for c in dossier.payload["components"]
    ]
    evidence = [attached(name) for name in dossier.files if name not in parts_of(dossier.payload)]
    identity = {"MaThanhPhanHoSo": "IDENTITY", "TenThanhPhanHoSo": "Bằng chứng định danh", "GiayToDinhKem": evidence}
    return [*components, identity] if evidence else components


def _procedure(raw: Mapping[str, Any]) -> dict[str, Any]:
    """In the form of `kiosk.catalogue`; how it is done at a counter is channel 1."""
    at_counter: Mapping[str, Any] = next((way for way in raw["CACHTHUCTHUCHIEN"] if str(way["KENH"]) == "1"), {})
    return {
        "code": raw["MATTHC"],
        "vi": raw["TENTTHC"],
        "receiving_unit": raw["COQUANTHUCHIEN"],
        "duration": {"vi": at_counter.get("THOIGIAN", "")},
        "fee": {"vi": at_counter.get("PHILEPHI", "")},
        "component": [
            {"code": paper["MAGIAYTO"], "vi": paper["GIAYTO"], "required": paper.get("BATBUOC", "1") != "0"}
            for paper in raw["THANHPHANHOSO"]
        ],
    }


def _fees(raw: list[Mapping[str, Any]]) -> str:
    """«Lệ phí: 15.000 đồng», one after the other."""
    return "; ".join(f"{fee['TenPhiLePhi']}: {int(fee['Gia']):,} đồng".replace(",", ".") for fee in raw)


def _moment(text: str | None) -> datetime | None:
    return from_iso(text) if text else None


def _text(raw: object) -> str:
    if not isinstance(raw, str) or not raw or len(raw) > 200:
        raise ValueError("a text is missing or too long")
    return raw
