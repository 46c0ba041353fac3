"""Digitised papers that the province holds already: asked for with consent, named in a dossier instead of a capture.

Sources: domain reference §10.3 (store of digitised results), NĐ 118/2025 (re-use).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kiosk.citizen import IdentityGrade, mask_id
from kiosk.clock import utc_iso
from kiosk.i18n import catalogue
from kiosk.text import Language

PROVEN = (IdentityGrade.ISSUER_VERIFIED, IdentityGrade.INTEGRITY_ONLY)
"""Whose papers are looked for: a number that was only typed or copied would open another person's."""
_PERSONAL = re.compile(r"(?<!\d)(\d{12}|\d{9})(?!\d)")


@dataclass(frozen=True, slots=True, repr=False)
class Wish:
    """Who asks for digitised papers of whom, for which components.

    The requester's consent, or the owner's where they differ, was given before this is made.
    """

    owner_id: str
    requester_id: str
    requester_name: str
    procedure_code: str
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Reusable:
    """A digitised paper that stands for a component; `result_code` (MaKetQua) is what a dossier names instead."""

    component: str
    result_code: str
    name: str
    number: str
    issuer: str

    @property
    def shown_number(self) -> str:
        """The paper's number; a personal number within it is masked."""
        return _PERSONAL.sub(lambda found: mask_id(found[0]), self.number)


@dataclass(frozen=True, slots=True)
class Agreement:
    """A citizen's consent to the search: when, and to which words."""

    agreed_at: datetime
    language: Language
    text_version: str

    def payload(self) -> dict[str, Any]:
        """As a dossier carries it."""
        return {
            "agreed_at": utc_iso(self.agreed_at),
            "language": self.language,
            "text_version": self.text_version,
        }


@dataclass(frozen=True, slots=True, repr=False)
class Reuse:
    """What came of the step: the consent if there was one, and the paper chosen by component code."""

    agreement: Agreement | None = None
    chosen: Mapping[str, Reusable] = field(default_factory=dict)


def text_version(screen: str, language: Language) -> str:
    """What names the words of a screen as people read them: the beginning of their SHA-256."""
    prefix = f"screen.{screen}."
    words = [f"{key}={text.in_(language)}" for key, text in sorted(catalogue().items()) if key.startswith(prefix)]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
