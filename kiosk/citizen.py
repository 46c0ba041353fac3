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

    `evidence` maps the names of raw chip files (EF.SOD, EF.DG1 …) to their bytes; «face-match» may be among them.
    `portrait` is an image file's bytes. `expiry` is the card's last day, None if it has none or it is not known.
    """

    personal_id: str
    full_name: str
    birth: date | None
    sex: str
    address: str
    grade: IdentityGrade
    portrait: bytes = b""
    evidence: dict[str, bytes] = field(default_factory=dict)
    expiry: date | None = None

    def card_expired(self, today: date) -> bool:
        """Whether the card's last day is over. It still serves to take a number (domain reference §8)."""
        return self.expiry is not None and self.expiry < today

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
    """`ddMMyyyy` or `dd/MM/yyyy` of the three centuries that a personal number can tell."""
    digits = text.replace("/", "")
    if not re.fullmatch(r"[0-9]{8}", digits) or not 1900 <= int(digits[4:]) < 2200:
        return None
    try:
        return date(int(digits[4:]), int(digits[2:4]), int(digits[:2]))
    except ValueError:
        return None


# --- how long a card holds ---

MILESTONES = (14, 25, 40, 60)
"""Ages at which a card is renewed (Luật Căn cước 2023, Điều 21)."""
YEARS_BEFORE = 2
"""A card issued within so many years before a milestone holds to the next one (the same article)."""
NO_EXPIRY = date(2099, 12, 31)
FIRST_CHIP_CARDS = date(2021, 1, 1)
MOST_CANDIDATES = 3
"""Each key that does not fit costs the chip one attempt."""


def expiry_candidates(birth: date, issued: date | None, today: date | None = None) -> tuple[date, ...]:
    """Expiry dates a card may bear, likeliest first, at most three.

    A card holds to the next of the holder's milestones, after the last one for ever. The milestone beside the lawful
    one follows, for cards issued by another count of the two years. Without a day of issue every day since the first
    chip cards comes into question; `today` is the last of them.
    """
    ends = _ends_ahead(birth, issued) if issued else _ends_of_any_issue(birth, today or date.today())  # noqa: DTZ011
    return tuple(day for end in ends for day in _readings(birth, end))[:MOST_CANDIDATES]


def _ends_ahead(birth: date, issued: date) -> list[date]:
    """The lawful end of a card issued that day, then the milestone it may be confused with, if any."""
    ahead = [*(end for age in MILESTONES if (end := birthday(birth, age)) > issued), NO_EXPIRY][:2]
    soon = any(birthday(birth, age - YEARS_BEFORE) <= issued < birthday(birth, age) for age in MILESTONES)
    return ahead[::-1] if soon else ahead


def _ends_of_any_issue(birth: date, today: date) -> list[date]:
    """Ends that are not over, the earliest first: most cards are of the first years. Then those that are over."""
    first, last = (_ends_ahead(birth, day)[0] for day in (FIRST_CHIP_CARDS, max(today, FIRST_CHIP_CARDS)))
    ends = [end for age in MILESTONES if first <= (end := birthday(birth, age)) <= last]
    ends += [NO_EXPIRY] if last == NO_EXPIRY else []
    return sorted(end for end in ends if end >= today) + sorted((end for end in ends if end < today), reverse=True)


def _readings(birth: date, end: date) -> tuple[date, ...]:
    """Who was born on 29 February may have a card to 1 March of a common year instead of 28 February."""
    leapling = (birth.month, birth.day) == (2, 29) and (end.month, end.day) == (2, 28)
    return (end, date(end.year, 3, 1)) if leapling else (end,)


def birthday(birth: date, age: int) -> date:
    """The day somebody comes of an age; born on 29 February: 28 February of common years (Bộ luật Dân sự, Điều 148)."""
    try:
        return birth.replace(year=birth.year + age)
    except ValueError:
        return date(birth.year + age, 2, 28)
