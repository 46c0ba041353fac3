"""OpenCPS v2 (domain reference §9): one dossier per reference_uid, each file once, submitted once, whatever happens.

It looks before it sends: a POST with a known referenceUid would update the dossier and stamp its dates anew. A file's
referenceUid and modifiedDate are fixed by the dossier, so a second upload is a conflict, which means «already there» –
if a look confirms it. The handle of a dossier is its referenceUid.
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
from sync.connectors.contract import Gone, Reusable, Unclear, Wish, complete_payload, parts_of, understood
from sync.connectors.exchange import Site, json_object
from sync.envelope import Opened
from sync.web import Reply

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
_CONFLICT = frozenset({409})
_GONE = frozenset({404, 410})


PAGE = 100
"""Entries of a list asked for at a time."""
MOST_ENTRIES = 100_000
BEARER = "bearer"
"""In the place of a user: the password is a token, presented as such (domain reference §9)."""


@dataclass(frozen=True, slots=True)
class OpenCps:
    """A TTHC system at `url` (…/o/rest/v2) for this user."""

    url: str
    user: str
    password: str
    timeout: float = 30.0
    repeatable: bool = True

    def create(self, dossier: Opened) -> str:
        """A draft, unless it is there."""
        with complete_payload():
            uid, form = str(dossier.payload["reference_uid"]), _form(dossier.payload)
        if self._find("create", uid) is None:
            self._send("create", "/dossiers", uid, data=form)
        return uid

    def upload(self, handle: str, dossier: Opened, name: str) -> str:
        """One file into the draft, unless it is there."""
        uid = file_uid(handle, name)
        with complete_payload():
            part = parts_of(dossier.payload).get(name, "IDENTITY")
            fields = {"referenceUid": uid, "modifiedDate": _epoch(dossier.payload), "displayName": name}
        path = f"/dossiers/{quote(handle, safe='')}/files"
        given = {"data": fields | {"dossierPartNo": part}, "files": {"file": (name, dossier.files[name])}}
        if not self._send("upload", path, uid, **given):
            raw = json_object("upload", self._call("upload", "GET", path))
            with understood("upload"):
                there = {file["referenceUid"] for file in raw["data"]}
            if uid not in there:
                raise Unclear("upload: a conflict, but the file is not there")
        return uid

    def submit(self, handle: str, dossier: Opened, uploads: Mapping[str, str]) -> None:  # noqa: ARG002
        """The draft becomes a dossier, unless it is one."""
        sent = self._send("submit", f"/dossiers/{quote(handle, safe='')}/submit", handle)
        if not sent and not self.find(handle, handle):
            raise Unclear("submit: a conflict, but it is still a draft")

    def find(self, handle: str, reference_uid: str) -> bool:  # noqa: ARG002
        """Whether the draft was submitted."""
        raw = self._find("find", handle)
        with understood("find"):
            return raw is not None and bool(raw["submitDate"])

    def status(self, handle: str, provisional_ref: str, procedure: str) -> DossierState | None:
        """What the system says now, owner masked; None if it does not know the dossier."""
        raw = self._find("status", handle)
        if raw is None:
            return None
        with understood("status"):
            code, status = raw["dossierNo"] or None, PORTAL_CODES.get(raw["dossierStatus"], UNKNOWN_STATUS)
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
                fee=str(raw.get("paymentFee") or ""),
                collect_at=raw.get("govAgencyName") or "",
                received=code is not None and status in RECEIVED,
            )

    def catalogue(self) -> list[dict[str, Any]]:
        """Active services with their receiving units and template parts."""
        units = {}
        for raw in self._data("catalogue", "/serviceconfigs"):
            with understood("catalogue"):
                units[raw["serviceCode"]] = (raw["govAgencyName"], raw["dossierTemplateNo"])
        groups: dict[str, dict[str, Any]] = {}
        for raw in self._data("catalogue", "/serviceinfos"):
            with understood("catalogue"):
                code = raw["serviceCode"]
                if not raw["active"] or code not in units:
                    continue
                group = {"id": raw["domainCode"], "vi": raw["domainName"], "procedure": []}
                unit, template = units[code]
            parts = self._data("catalogue", f"/dossiertemplates/{quote(template, safe='')}/parts")
            with understood("catalogue"):
                procedure = _procedure(raw, unit, parts)
            groups.setdefault(group["id"], group)["procedure"].append(procedure)
        return list(groups.values())

    def reusable_results(self, wish: Wish) -> list[Reusable]:
        """Files of the applicant's finished dossiers."""
        path = f"/applicant/{quote(wish.owner_id, safe='')}/fileDone/search"
        found = self._data("re-use", path)
        with understood("re-use"):
            every = [
                Reusable(
                    raw["fileTemplateNo"],
                    raw["referenceUid"],
                    raw["displayName"],
                    raw["deliverableCode"],
                    raw["govAgencyName"],
                )
                for raw in found
            ]
        return [one for one in every if one.component in wish.components]

    def _find(self, step: str, uid: str) -> dict[str, Any] | None:
        reply = self._call(step, "GET", f"/dossiers/{quote(uid, safe='')}")
        if reply.status == 404:
            return None
        raw = json_object(step, reply)
        if uid not in (raw.get("referenceUid"), raw.get("dossierNo")):
            raise Unclear(f"{step}: the answer is not understood: another dossier or none")
        return raw

    def _send(self, step: str, path: str, uid: str, **request: Any) -> bool:
        """Whether it was taken; False: a conflict."""
        allowed: frozenset[int] = frozenset() if step == "create" else _CONFLICT
        reply = self._call(step, "POST", path, allowed=allowed, **request)
        if reply.status in _CONFLICT:
            return False
        if reply.status in _GONE and step != "create":  # its address names this draft: no other dossier meets this
            raise Gone(f"{step}: HTTP {reply.status}: the draft is not there any more")
        if json_object(step, reply).get("referenceUid") != uid:
            raise Unclear(f"{step}: the answer is not understood: another referenceUid or none")
        return True

    def _data(self, step: str, path: str) -> list[dict[str, Any]]:
        """A whole list, page by page; also of a system that heeds no pages and gives everything at once."""
        found: list[dict[str, Any]] = []
        while len(found) < MOST_ENTRIES:
            asked = {"start": str(len(found)), "end": str(len(found) + PAGE)}
            raw = json_object(step, self._call(step, "GET", path, params=asked))
            with understood(step):
                page, total = list(raw["data"]), int(raw["total"])
            found += page
            if not page or len(found) >= total:
                break
        if len(found) != total:
            raise Unclear(f"{step}: {len(found)} entries of {total}; the list has changed under our eyes")
        return found

    def _call(self, step: str, method: str, path: str, **request: Any) -> Reply:
        own: dict[str, Any] = {"auth": (self.user, self.password)}
        if self.user == BEARER:
            own = {"headers": {"Authorization": f"Bearer {self.password}"}}
        return Site(self.url, self.timeout).call(step, method, path, **own, **request)


def file_uid(reference_uid: str, name: str) -> str:
    """The fixed referenceUid of a dossier's file."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"motcua:{reference_uid}/{name}"))


def _form(payload: Mapping[str, Any]) -> dict[str, str]:
    """Fields of DossierInputModel; what OpenCPS has no field for goes into metaData."""
    owner, answers = payload["owner"], payload["answers"]
    components = payload["components"]
    marks = [_mark(component) for component in components]
    extra = ("provisional_ref", "support_place", "receiving_unit", "sector", "submitted_at", "components")
    meta = {name: payload[name] for name in extra} | {"form_version": payload.get("form_version", "")}
    meta |= {
        "reuse_consent": payload.get("reuse_consent"),
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


def _mark(component: Mapping[str, Any]) -> dict[str, Any]:
    """What was handed in of a part; in its place, the digitised result that stands for it."""
    reused = component.get("reused", "")
    mark = {"partNo": component["code"], "recordCount": component["pages"]}
    mark |= {"fileMark": 0 if component["paper_only"] or reused else 1}
    return mark | ({"fileComment": f"Dùng lại giấy tờ số hóa {reused}"} if reused else {})


def _procedure(raw: Mapping[str, Any], unit: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """In the form of `kiosk.catalogue`; parts of type 1 are what the citizen hands in."""
    return {
        "code": raw["serviceCode"],
        "vi": raw["serviceName"],
        "receiving_unit": unit,
        "duration": {"vi": raw["durationText"]},
        "fee": {"vi": raw["feeText"]},
        "component": [
            {"code": part["partNo"], "vi": part["partName"], "required": bool(part["required"])}
            | ({"hint": {"vi": part["partTip"]}} if part.get("partTip") else {})
            for part in parts
            if part["partType"] == 1
        ],
    }


def _epoch(payload: Mapping[str, Any]) -> str:
    return str(int(from_iso(payload["submitted_at"]).timestamp() * 1000))


def _moment(text: str | None) -> datetime | None:
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=HANOI) if text else None
