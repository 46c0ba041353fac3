"""The model TTHC system's memory: dossiers as JSON, their files beside them, every change atomic.

    <state>/dossiers/<dossierId>.json
    <state>/files/<dossierId>/<referenceUid>
    <state>/uploads/<IdTepTin>                  national flow: files that no dossier names yet
    <state>/codes.json                          the last number minted, by prefix
    <state>/results.json                        digitised papers of earlier days: owner_id and the fields of `Reusable`

It is the province's system, so it holds personal data; numbers, dates and statuses are minted here and nowhere else.
"""

import io
import json
import os
import re
import secrets
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from kiosk.clock import HANOI, from_iso, utc_iso
from kiosk.reuse import Reusable
from sync import store

Raw = dict[str, Any]

DAYS_TO_ANSWER = 5
_AFTERNOON = time(15)  # received after 15:00 counts from the next working day (NĐ 61/2018 Art. 18)
_CLOSING = time(17)
_UID = re.compile(r"[A-Za-z0-9._-]{1,80}")

MOVES: Mapping[str, tuple[frozenset[str], str]] = {
    "receive": (frozenset({"receiving"}), "new"),
    "process": (frozenset({"new", "waiting", "paying"}), "processing"),
    "supplement": (frozenset({"new", "processing"}), "waiting"),
    "ask_payment": (frozenset({"new", "processing"}), "paying"),
    "withdraw": (frozenset({"receiving", "new", "processing", "waiting", "paying"}), "cancelled"),
    "stop": (frozenset({"new", "processing", "waiting", "paying"}), "unresolved"),
    "deny": (frozenset({"receiving", "new"}), "denied"),
    "finish": (frozenset({"new", "processing"}), "releasing"),
    "hand_over": (frozenset({"releasing"}), "done"),
}
"""What an officer may do: from which statuses, to which."""


class Unknown(Exception):
    """No such dossier or file."""


class Conflict(Exception):
    """The file is there already, or the dossier is past this step."""


class Invalid(ValueError):
    """A field is missing or malformed; the message names it."""


class TthcStore:
    """One folder; one process has it open. Usable from any thread."""

    def __init__(self, folder: Path, agency: str, answer_seconds: float) -> None:
        self._folder = folder
        self._agency = agency
        self._answer_after = timedelta(seconds=answer_seconds)
        self._lock = threading.RLock()
        for name in ("dossiers", "files", "uploads"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = store.hold(folder / "tthc-model.lock")
        paths = (folder / "dossiers").glob("*.json")
        self._codes_path = folder / "codes.json"
        self._codes: dict[str, int] = json.loads(self._codes_path.read_text()) if self._codes_path.exists() else {}
        self._dossiers: dict[int, Raw] = {int(p.stem): json.loads(p.read_text("utf-8")) for p in paths}

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._held)

    def all(self) -> list[Raw]:
        """Every dossier, newest first."""
        with self._lock:
            self._accept_due()
            return [self._dossiers[number] for number in sorted(self._dossiers, reverse=True)]

    def get(self, key: str) -> Raw:
        """A dossier by dossierId, dossierNo or referenceUid; raises Unknown."""
        with self._lock:
            self._accept_due()
            return self._get(key)

    def save(self, fields: Mapping[str, str]) -> Raw:
        """A draft; a known referenceUid updates its dossier and never makes a second one. Raises Invalid."""
        uid = fields.get("referenceUid", "")
        for name in ("serviceCode", "govAgencyCode", "applicantName", "applicantIdNo"):
            if not fields.get(name):
                raise Invalid(name)
        if not _UID.fullmatch(uid):
            raise Invalid("referenceUid")
        with self._lock:
            try:
                dossier = self._get(uid)
            except Unknown:
                dossier = self._blank("opencps", "")
            return self._keep(dossier | {"referenceUid": uid, "input": dict(fields)})

    def add_file(self, key: str, fields: Mapping[str, str], content: bytes) -> Raw:
        """One file; a known referenceUid only by a later modifiedDate. Raises Unknown, Invalid, Conflict."""
        uid, modified = fields.get("referenceUid", ""), fields.get("modifiedDate", "")
        if not _UID.fullmatch(uid) or not fields.get("dossierPartNo") or not re.fullmatch(r"\d{0,15}", modified):
            raise Invalid("referenceUid, dossierPartNo or modifiedDate")
        with self._lock:
            dossier = self._get(key)
            stamp = int(modified or datetime.now(UTC).timestamp() * 1000)
            others = [file for file in dossier["files"] if file["referenceUid"] != uid]
            if any(f["referenceUid"] == uid and f["modifiedDate"] >= stamp for f in dossier["files"]):
                raise Conflict("Conflict dossier file")
            path = self.file_path(dossier, uid)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            store.replace_durably(path, content)
            file = _file(uid, fields["dossierPartNo"], fields.get("displayName", uid), stamp, content)
            self._keep(dossier | {"files": [*others, file]})
            return file

    # --- national flow ---

    def draw_code(self) -> str:
        """A code that nobody else gets; it may stay unused."""
        with self._lock:
            return self._mint(datetime.now(UTC))

    def add_upload(self, content: bytes) -> str:
        """A file that a dossier may name by this id."""
        identifier = secrets.token_hex(16)
        store.replace_durably(self._folder / "uploads" / identifier, content)
        return identifier

    def upload(self, identifier: str) -> bytes:
        """An uploaded file; raises Invalid."""
        try:
            return (self._folder / "uploads" / identifier).read_bytes() if _UID.fullmatch(identifier) else b""
        except FileNotFoundError:
            raise Invalid("IdGiayTo") from None

    def file_national(self, code: str, fields: Raw, papers: list[tuple[str, str, str]], *, unique: bool) -> Raw:
        """A dossier under its code, submitted at once; papers are (upload id, part, name).

        Raises Invalid, and Conflict if the code is taken and `unique`.
        """
        with self._lock:
            if unique and any(dossier["dossierNo"] == code for dossier in self._dossiers.values()):
                raise Conflict(code)
            dossier, files = self._blank("national", code), []
            for identifier, part, name in papers:
                content = self.upload(identifier)
                path = self.file_path(dossier, identifier)
                path.parent.mkdir(exist_ok=True, mode=0o700)
                store.replace_durably(path, content)
                files.append(_file(identifier, part, name, 0, content))
            now = datetime.now(UTC)
            filed = dossier | {"referenceUid": fields["referenceUid"], "input": fields, "files": files}
            return self._keep(_moved(filed | {"submitted_at": utc_iso(now)}, "receiving", "submit", "", now))

    def reusable(self, owner_id: str) -> list[Reusable]:
        """The owner's digitised papers: those of accepted dossiers, newest first, then what `results.json` lists."""
        accepted = [d for d in self.all() if d.get("received_at") and d["input"]["applicantIdNo"] == owner_id]
        filed = [_result(d, file) for d in accepted for file in d["files"] if file["name"].endswith(".pdf")]
        path = self._folder / "results.json"
        listed = json.loads(path.read_text("utf-8")) if path.is_file() else []
        return filed + [Reusable(**paper) for owner, paper in map(_owned, listed) if owner == owner_id]

    def file_path(self, dossier: Raw, uid: str) -> Path:
        """Where a file of a dossier lies."""
        return self._folder / "files" / str(dossier["dossierId"]) / uid

    def submit(self, key: str) -> Raw:
        """The draft becomes a submitted dossier, once. Raises Unknown, Conflict."""
        with self._lock:
            dossier = self._get(key)
            if dossier["dossierStatus"]:
                raise Conflict("already submitted")
            now = datetime.now(UTC)
            return self._keep(_moved(dossier | {"submitted_at": utc_iso(now)}, "receiving", "submit", "", now))

    def move(self, key: str, action: str, note: str) -> Raw:
        """An officer's act out of MOVES; the note of `ask_payment` is the fee (đồng).

        Raises Unknown, Conflict, Invalid.
        """
        with self._lock:
            dossier = self._get(key)
            allowed, status = MOVES[action]
            if dossier["dossierStatus"] not in allowed:
                raise Conflict(f"{action} is not possible now")
            now = datetime.now(UTC)
            if action == "receive":
                return self._accept(dossier, now, note)
            if action == "ask_payment":
                dossier = dossier | {"fee": _dong(note)}
            return self._keep(_moved(dossier, status, action, note, now))

    def _accept_due(self) -> None:
        """What waited long enough is accepted, as if at that moment: no timer to lose over a restart."""
        for dossier in list(self._dossiers.values()):
            if dossier["dossierStatus"] == "receiving":
                moment = from_iso(dossier["submitted_at"]) + self._answer_after
                if moment <= datetime.now(UTC):
                    self._accept(dossier, moment, "")

    def _accept(self, dossier: Raw, moment: datetime, note: str) -> Raw:
        accepted = dossier | {
            "dossierNo": dossier["dossierNo"] or self._mint(moment),
            "received_at": utc_iso(moment),
            "due_at": utc_iso(due(moment)),
        }
        return self._keep(_moved(accepted, "new", "receive", note, moment))

    def _mint(self, moment: datetime) -> str:
        prefix = f"{self._agency}-{moment.astimezone(HANOI):%y%m%d}-"
        numbers = [d["dossierNo"] for d in self._dossiers.values()]
        used = [int(number[-4:]) for number in numbers if number.startswith(prefix)]
        self._codes = {prefix: max([*used, self._codes.get(prefix, 0)]) + 1}
        store.replace_durably(self._codes_path, json.dumps(self._codes).encode())
        return f"{prefix}{self._codes[prefix]:04}"

    def _blank(self, way: str, code: str) -> Raw:
        """A new dossier that came by `way` (opencps, national)."""
        number = max(self._dossiers, default=0) + 1
        return {"dossierId": number, "way": way, "dossierNo": code, "dossierStatus": "", "files": [], "log": []}

    def _get(self, key: str) -> Raw:
        for dossier in self._dossiers.values():
            if key and key in (str(dossier["dossierId"]), dossier["dossierNo"], dossier["referenceUid"]):
                return dossier
        raise Unknown

    def _keep(self, dossier: Raw) -> Raw:
        text = json.dumps(dossier, ensure_ascii=False, indent=1).encode()
        store.replace_durably(self._folder / "dossiers" / f"{dossier['dossierId']}.json", text)
        self._dossiers[dossier["dossierId"]] = dossier
        return dossier


def _result(dossier: Raw, file: Raw) -> Reusable:
    """A paper of an accepted dossier, by its part's name and the dossier's number."""
    part, given = file["dossierPartNo"], dossier["input"]
    name = str(file["name"])
    with suppress(KeyError, TypeError, ValueError):  # not filed from a kiosk
        components = json.loads(given["metaData"])["components"]
        name = {component["code"]: str(component["name"]) for component in components}[part]
    return Reusable(part, file["referenceUid"], name, dossier["dossierNo"], given["govAgencyCode"])


def _owned(listed: Raw) -> tuple[str, Raw]:
    """Whose a listed paper is, and what is told of it."""
    return listed["owner_id"], {name: value for name, value in listed.items() if name != "owner_id"}


def _dong(text: str) -> int:
    """«15.000» or «15000 đồng»."""
    digits = text.removesuffix("đồng").strip().replace(".", "")
    if not re.fullmatch(r"[0-9]{1,12}", digits):
        raise Invalid("số tiền")
    return int(digits)


def _file(uid: str, part: str, name: str, modified: int, content: bytes) -> Raw:
    return {
        "referenceUid": uid,
        "dossierPartNo": part,
        "name": name,
        "modifiedDate": modified,
        "bytes": len(content),
        "pages": _pages(content),
    }


def _moved(dossier: Raw, status: str, action: str, note: str, moment: datetime) -> Raw:
    entry = {"at": utc_iso(moment), "action": action, "note": note, "status": status}
    return dossier | {"dossierStatus": status, "log": [*dossier["log"], entry]}


def due(received: datetime, days: int = DAYS_TO_ANSWER) -> datetime:
    """The due time: `days` working days on, at closing time. Public holidays are not in this model."""
    local = received.astimezone(HANOI)
    day = _working(local.date() + timedelta(days=1 if local.time() >= _AFTERNOON else 0))
    for _ in range(days):
        day = _working(day + timedelta(days=1))
    return datetime.combine(day, _CLOSING, HANOI)


def _working(day: date) -> date:
    """`day`, or the Monday after a weekend."""
    return day + timedelta(days=7 - day.weekday() if day.weekday() >= 5 else 0)


def _pages(content: bytes) -> int | None:
    """The page count of a PDF; None for anything else, or without pikepdf."""
    try:
        import pikepdf
    except ImportError:
        return None
    if not content.startswith(b"%PDF-"):
        return None
    try:
        with pikepdf.open(io.BytesIO(content)) as document:
            return len(document.pages)
    except pikepdf.PdfError:
        return None
