"""OpenCPS v2 (domain reference §9): one dossier per reference_uid, each file once, submitted once, whatever happens.

It looks before it sends: a POST with a known referenceUid would update the dossier and stamp its dates anew. A file's
referenceUid and modifiedDate are fixed by the dossier, so a second upload is a conflict, which means «already there».
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from kiosk.citizen import mask_name
from kiosk.clock import HANOI, from_iso
from kiosk.dossier import DossierState
from sync.answers import RECEIVED
from sync.envelope import Opened
from sync.web import NoAnswer, Reply, fetch, new_session

TIME_FORMAT = "%d/%m/%Y %H:%M:%S"
"""How OpenCPS writes times, in Vietnam's zone."""

PORTAL_CODES = {
    "receiving": 1,
    "new": 2,
    "denied": 3,
    "processing": 4,
    "waiting": 5,
    "paying": 6,
    "cancelled": 7,
    "unresolved": 8,
    "releasing": 9,
    "done": 10,
    "interoperating": 0,
    "posting": 0,
}
UNKNOWN_STATUS = -1
_ONE_STOP = "3"  # originality of a dossier filed at a one-stop unit (DossierTerm)
_FINAL_WITHOUT_CODE = frozenset({3, 7, 8})


class Unreachable(Exception):
    """The TTHC system does not serve now: wait and try again."""


class Refused(Exception):
    """The TTHC system refuses this dossier for good: a human must look."""


@dataclass(frozen=True, slots=True)
class OpenCps:
    """A TTHC system at `url` (…/o/rest/v2) for this user. Usable from any thread."""

    url: str
    user: str
    password: str
    timeout: float = 30.0

    def file(self, opened: Opened) -> None:
        """Have the dossier there, whole and submitted. Raises Unreachable or Refused."""
        try:
            uid, form, moment = opened.payload["reference_uid"], _form(opened.payload), _epoch(opened.payload)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Refused(f"the payload lacks a field: {type(error).__name__}") from None
        dossier = self._find(uid)
        if dossier is None:
            dossier = self._json("POST", "/dossiers", data=form)
        if dossier.get("submitDate"):
            return
        path = f"/dossiers/{quote(uid, safe='')}"
        there = {file.get("referenceUid") for file in self._json("GET", f"{path}/files").get("data", [])}
        parts = _parts(opened.payload)
        for name, content in opened.files.items():
            if file_uid(uid, name) not in there:
                fields = {"referenceUid": file_uid(uid, name), "modifiedDate": moment, "displayName": name}
                fields["dossierPartNo"] = parts.get(name, "IDENTITY")
                self._json("POST", f"{path}/files", data=fields, files={"file": (name, content)}, conflict_is_fine=True)
        self._json("POST", f"{path}/submit", conflict_is_fine=True)

    def state(self, reference_uid: str, provisional_ref: str, procedure: str) -> DossierState | None:
        """What the system says now, owner masked; None if it does not know the dossier. Raises Unreachable, Refused."""
        raw = self._find(reference_uid)
        if raw is None:
            return None
        try:
            code, status = raw.get("dossierNo") or None, PORTAL_CODES.get(raw["dossierStatus"], UNKNOWN_STATUS)
            return DossierState(
                provisional_ref=provisional_ref,
                dossier_code=code,
                status=status,
                procedure=raw.get("serviceName") or procedure,
                owner=mask_name(raw["applicantName"]),
                submitted_at=_moment(raw.get("submitDate")),
                received_at=_moment(raw.get("receiveDate")),
                due_at=_moment(raw.get("dueDate")),
                note=raw.get("lastActionNote") or "",
                received=code is not None and status in RECEIVED,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unreachable(f"the answer is not understood: {type(error).__name__}") from None

    def _find(self, reference_uid: str) -> dict[str, Any] | None:
        reply = self._call("GET", f"/dossiers/{quote(reference_uid, safe='')}")
        return None if reply.status == 404 else _object(reply)

    def _json(self, method: str, path: str, *, conflict_is_fine: bool = False, **request: Any) -> dict[str, Any]:
        reply = self._call(method, path, **request)
        if reply.status == 409 and conflict_is_fine:
            return {}
        return _object(reply)

    def _call(self, method: str, path: str, **request: Any) -> Reply:
        with new_session() as session:
            session.auth = (self.user, self.password)
            session.headers["Accept"] = "application/json"
            try:
                reply = fetch(session, method, self.url.rstrip("/") + path, self.timeout, **request)
            except NoAnswer as error:
                raise Unreachable(str(error)) from None
        if reply.status in (401, 403, 408, 425, 429) or reply.status >= 500 or 300 <= reply.status < 400:
            raise Unreachable(f"HTTP {reply.status}")
        return reply


def answered(state: DossierState) -> bool:
    """Whether an office has decided on intake: a code was minted, or the dossier refused or ended without one."""
    return state.dossier_code is not None or state.status in _FINAL_WITHOUT_CODE


def file_uid(reference_uid: str, name: str) -> str:
    """The fixed referenceUid of a dossier's file."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"motcua:{reference_uid}/{name}"))


def _object(reply: Reply) -> dict[str, Any]:
    if reply.status >= 400:
        raise Refused(f"HTTP {reply.status}")
    try:
        raw = json.loads(reply.body or b"{}")
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        raise Unreachable("the answer is not a JSON object")
    return raw


def _form(payload: Mapping[str, Any]) -> dict[str, str]:
    """Fields of DossierInputModel; what OpenCPS has no field for goes into metaData."""
    owner, answers = payload["owner"], payload["answers"]
    components = payload["components"]
    marks = [
        {"partNo": c["code"], "fileMark": 0 if c["paper_only"] else 1, "recordCount": c["pages"]} for c in components
    ]
    extra = ("provisional_ref", "support_place", "receiving_unit", "sector", "submitted_at", "components")
    meta = {name: payload[name] for name in extra}
    meta |= {
        "answers": payload.get("answers_shown", answers),
        "owner": {name: owner[name] for name in ("birth", "sex", "identity_grade")},
    }
    return {
        "referenceUid": payload["reference_uid"],
        "serviceCode": payload["procedure_code"],
        "serviceName": payload["procedure_name"],
        "govAgencyCode": payload["receiving_unit"],
        "dossierTemplateNo": payload["procedure_code"],
        "applicantName": owner["full_name"],
        "applicantIdType": "citizen",
        "applicantIdNo": owner["personal_id"],
        "address": owner["address"],
        "contactName": owner["full_name"],
        "contactTelNo": answers.get("phone", ""),
        "isSameAsApplicant": "true",
        "originality": _ONE_STOP,
        "online": "false",
        "dossierMarkArr": json.dumps(marks, ensure_ascii=False),
        "metaData": json.dumps(meta, ensure_ascii=False),
    }


def _parts(payload: Mapping[str, Any]) -> dict[str, str]:
    return {component["file"]: component["code"] for component in payload["components"] if component["file"]}


def _epoch(payload: Mapping[str, Any]) -> str:
    return str(int(from_iso(payload["submitted_at"]).timestamp() * 1000))


def _moment(text: str | None) -> datetime | None:
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=HANOI) if text else None
