"""Who stands before the kiosk: identity with its grade, the chip's access key, the card's QR code.

Sources: domain reference §8 (number, validity, QR), chip-card reference §2 (BAC key, DG13).
"""

import re
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from kiosk.text import nfc


class IdentityGrade(StrEnum):
    """How far the identity is proven, best first; shown to the citizen and sent with the dossier."""

    ISSUER_VERIFIED = "issuer_verified"
    INTEGRITY_ONLY = "integrity_only"
    CHIP_READ = "chip_read"
    QR_ONLY = "qr_only"
    TYPED = "typed"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What opens the chip by BAC: the 12-digit number (its last nine are the document number) and two dates."""

    personal_id: str
    birth: date
    expiry: date = field(repr=False)

    @property
    def document_number(self) -> str:
        """The nine-character document number of the MRZ."""
        return self.personal_id[-9:]

    def __repr__(self) -> str:
        return "AccessKey(…)"


@dataclass(frozen=True, slots=True, repr=False)
class CardQr:
    """The card's printed QR code: unsigned, so it prefills and never proves."""

    personal_id: str
    full_name: str
    birth: date
    sex: str
    address: str
    issued: date | None


@dataclass(frozen=True, slots=True, repr=False)
class Citizen:
    """A person's identity as read, and what the receiver needs to verify it again.

    `evidence` maps the names of raw chip files (EF.SOD, EF.DG1 …) to their bytes. `portrait` is an image file's bytes.
    """

    personal_id: str
    full_name: str
    birth: date | None
    sex: str
    address: str
    grade: IdentityGrade
    portrait: bytes = b""
    evidence: dict[str, bytes] = field(default_factory=dict)

    @property
    def masked_id(self) -> str:
        """«0011••••••23»: enough to recognise one's own number."""
        return mask_id(self.personal_id)


PERSONAL_ID = re.compile(r"\d{12}")


def valid_personal_id(number: str) -> bool:
    """Twelve digits whose century digit is one in use (0–3; domain reference §8). There is no check digit."""
    return bool(PERSONAL_ID.fullmatch(number)) and number[3] in "0123"


def birth_year(personal_id: str) -> int:
    """The birth year that digits 4–6 of a personal number encode (NĐ 137/2015)."""
    return 1900 + 100 * (int(personal_id[3]) // 2) + int(personal_id[4:6])


def mask_id(number: str) -> str:
    """The first four and last two characters; the rest are dots."""
    return f"{number[:4]}{'•' * max(len(number) - 6, 0)}{number[-2:]}"


def mask_name(name: str) -> str:
    """«N••••• T•• M••»: initials only, for answers that anybody with two numbers may see."""
    return " ".join(part[0] + "•" * (len(part) - 1) for part in name.split())


def parse_card_qr(payload: str) -> CardQr | None:
    """The card's QR (`number|old|name|ddMMyyyy|sex|address|ddMMyyyy`), None if it is something else.

    Tolerant as the field demands: six fields or more, empty and extra ones, dates also as dd/MM/yyyy.
    """
    parts = [nfc(part) for part in payload.split("|")]
    if len(parts) < 6 or len(payload) > 1000 or not valid_personal_id(parts[0]):
        return None
    birth = _compact_date(parts[3])
    if birth is None or not parts[2]:
        return None
    issued = _compact_date(parts[6]) if len(parts) > 6 else None
    return CardQr(parts[0], parts[2], birth, parts[4], parts[5], issued)


def _compact_date(text: str) -> date | None:
    digits = text.replace("/", "")
    if not re.fullmatch(r"\d{8}", digits):
        return None
    try:
        return date(int(digits[4:]), int(digits[2:4]), int(digits[:2]))
    except ValueError:
        return None


MILESTONES = (14, 25, 40, 60)
NO_EXPIRY = date(2099, 12, 31)


def expiry_candidates(birth: date, issued: date | None) -> tuple[date, ...]:
    """Expiry dates a card may bear, likeliest first, at most two.

    A card is valid to the holder's 25th, 40th or 60th birthday (14th for children); one issued within two years
    before a milestone holds until the next; after 60 there is no expiry (domain reference §8).
    """
    reference = issued or date.today()  # noqa: DTZ011  # only years matter
    ends = [_birthday(birth, age) for age in MILESTONES] + [NO_EXPIRY]
    ahead = [end for end in ends if end > reference]
    soon = ahead[0] != NO_EXPIRY and (ahead[0] - reference).days <= 2 * 365.25
    if issued is None or not soon:
        return tuple(ahead[:2])
    return (ahead[1], ahead[0])


def _birthday(birth: date, age: int) -> date:
    try:
        return birth.replace(year=birth.year + age)
    except ValueError:  # 29 February
        return date(birth.year + age, 2, 28)
