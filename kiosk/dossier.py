"""A dossier as filed at the kiosk: papers, answers, consent, and what the receiver gets of it.

Field names of the payload follow domain reference §1; the kiosk never mints an official dossier code (§5).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kiosk.catalogue import Component, Procedure
from kiosk.citizen import Citizen
from kiosk.clock import utc_iso
from kiosk.reuse import Agreement, Reusable

PROVISIONAL_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no 0/O, 1/I/L, U: read aloud and typed by hand


def new_provisional_ref() -> str:
    """«TAM-7K3F-92QD»: random (39 bits), visibly unlike an official code (H15.50.05.13-261008-0975)."""
    picked = [secrets.choice(PROVISIONAL_ALPHABET) for _ in range(8)]
    return f"TAM-{''.join(picked[:4])}-{''.join(picked[4:])}"


@dataclass(frozen=True, slots=True, repr=False)
class Page:
    """One captured page: a JPEG, its size in pixels and its honest resolution in dots per inch."""

    jpeg: bytes
    width: int
    height: int
    dpi: int


@dataclass(frozen=True, slots=True)
class DocumentLabel:
    """What an assembled document says of itself. No personal data: `title` is the component's name in the catalogue."""

    title: str
    component: str
    reference: str
    """The dossier's provisional reference; empty for what belongs to none (a bench scan)."""
    taken_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """A finished PDF/A-2b, its SHA-256 (hexadecimal), its pages, and how many of them have a text layer."""

    data: bytes
    sha256: str
    pages: int
    searchable: int


@dataclass(frozen=True, slots=True, repr=False)
class Papers:
    """What the citizen gave for one component: captured pages, a digitised paper to re-use, or paper only."""

    component: Component
    pages: tuple[Page, ...] = ()
    pdf: bytes = b""
    sha256: str = ""
    """Of `pdf`, hexadecimal, from the moment it was made; empty without one."""
    reused: Reusable | None = None
    """What the province holds already; then there are no pages."""

    @property
    def paper_only(self) -> bool:
        """Whether the paper stays with the citizen until an officer has seen it."""
        return not self.pages and self.reused is None


@dataclass(frozen=True, slots=True, repr=False)
class Dossier:
    """Everything filed in one submission; immutable from the moment the citizen submits."""

    reference_uid: str
    provisional_ref: str
    procedure: Procedure
    owner: Citizen
    answers: Mapping[str, str]
    papers: tuple[Papers, ...]
    submitted_at: datetime
    support_place: str
    reuse: Agreement | None = None
    """The consent to the search for digitised papers; None: nothing was searched."""

    def file_name(self, number: int, papers: Papers) -> str:
        """`<reference>_<component>_<nn>.pdf`: ASCII, without names or ID numbers (domain reference §6)."""
        return f"{self.provisional_ref}_{papers.component.code}_{number:02}.pdf"

    @property
    def answers_shown(self) -> dict[str, str]:
        """The answers as an officer reads them: the question's label, and a choice's own words."""
        return {
            field.label.vi: dict(field.choices)[value].vi if value in dict(field.choices) else value
            for field in self.procedure.fields
            if (value := self.answers.get(field.name, ""))
        }

    def payload(self) -> dict[str, Any]:
        """The dossier without its files, as sealed for the receiver."""
        return {
            "schema": 1,
            "reference_uid": self.reference_uid,
            "provisional_ref": self.provisional_ref,
            "procedure_code": self.procedure.code,
            "procedure_name": self.procedure.name.vi,
            "form_version": self.procedure.version,
            "sector": self.procedure.sector,
            "receiving_unit": self.procedure.receiving_unit,
            "support_place": self.support_place,
            "channel": "direct",
            "submitted_at": utc_iso(self.submitted_at),
            "owner": {
                "personal_id": self.owner.personal_id,
                "full_name": self.owner.full_name,
                "birth": self.owner.birth.isoformat() if self.owner.birth else None,
                "sex": self.owner.sex,
                "address": self.owner.address,
                "identity_grade": self.owner.grade.value,
            },
            "answers": dict(self.answers),
            "answers_shown": self.answers_shown,
            "reuse_consent": self.reuse.payload() if self.reuse else None,
            "components": [self._component(number, papers) for number, papers in enumerate(self.papers, start=1)],
        }

    def _component(self, number: int, papers: Papers) -> dict[str, Any]:
        told = {
            "code": papers.component.code,
            "name": papers.component.name.vi,
            "paper_only": papers.paper_only,
            "pages": len(papers.pages),
            "dpi": [page.dpi for page in papers.pages],
            "sha256": papers.sha256 or None,
            "file": self.file_name(number, papers) if papers.pages else None,
        }
        if reused := papers.reused:
            told |= {"reused": reused.result_code, "reused_number": reused.number, "reused_issuer": reused.issuer}
        return told

    def files(self) -> dict[str, bytes]:
        """Attachments and identity evidence by file name."""
        attachments = {
            self.file_name(number, papers): papers.pdf
            for number, papers in enumerate(self.papers, start=1)
            if papers.pages
        }
        evidence = {f"identity/{name}.bin": content for name, content in self.owner.evidence.items()}
        return attachments | evidence


@dataclass(frozen=True, slots=True)
class DossierState:
    """What the TTHC system says of a dossier. `status` is the portal code 0–10 (domain reference §5).

    `owner` is masked. `dossier_code` is None until the system has answered.
    """

    provisional_ref: str
    dossier_code: str | None
    status: int
    procedure: str = ""
    owner: str = ""
    submitted_at: datetime | None = None
    received_at: datetime | None = None
    due_at: datetime | None = None
    note: str = ""
    fee: str = ""
    """What is to be paid, in the system's words."""
    collect_at: str = ""
    """Where the result is handed over."""
    received: bool = field(default=False)
