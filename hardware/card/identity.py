"""From the files of a chip to its holder and a citizen: what they say, and that they agree with each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from hardware.card.errors import BadData, CardError
from hardware.card.holder_groups import Dg11, Dg12, Dg13, parse_dg11, parse_dg12, parse_dg13, vietnamese_date
from hardware.card.lds import mrz_of_dg1
from hardware.card.mrz import HOME, NAMES_ROOM, Mrz, yymmdd
from kiosk.citizen import NO_EXPIRY, Citizen, IdentityGrade, birth_year, valid_personal_id
from kiosk.health import Reason
from kiosk.text import fold, nfc

SEXES = {"M": "Nam", "F": "Nữ"}
EXPIRED = "document_expired"


@dataclass(frozen=True, slots=True, repr=False)
class Holder:
    """What a chip says of its holder and of the document. What it does not tell is empty, or None.

    `sex` is Nam or Nữ, `nationality` words or the zone's letters, `origin` the quê quán, `address` as at issue.
    `expiry` is None also where there is no end: then `expires` is False. `warnings` are for technicians, with nothing
    of the holder's in them.
    """

    document_code: str
    issuer: str
    document_number: str
    personal_id: str
    full_name: str
    birth: date | None
    sex: str
    nationality: str
    expiry: date | None
    expires: bool
    issued: date | None = None
    origin: str = ""
    address: str = ""
    marks: str = ""
    father: str = ""
    mother: str = ""
    spouse: str = ""
    old_id: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class _Groups:
    """The parsed groups; one that the chip does not have says nothing."""

    mrz: Mrz
    details: Dg11
    document: Dg12
    own: Dg13

    @property
    def at_home(self) -> bool:
        """Whether this country issued the document."""
        return self.mrz.issuer == HOME


def _is_our_card(issuer: str, document_code: str) -> bool:
    return issuer == HOME and document_code.startswith("I")


def holder_of(groups: Mapping[int, bytes], today: date | None = None) -> Holder:
    """The holder of any eMRTD, from DG1 and those of DG11, DG12 and DG13 that are there.

    BadData if DG1 is missing, a group is broken, or two contradict each other. `today` tells centuries apart.
    """
    if 1 not in groups:
        raise BadData("EF.DG1 is missing")
    parsed = _parsed(mrz_of_dg1(groups[1]), groups)
    _cross_check(parsed)
    mrz, own = parsed.mrz, parsed.own
    personal_id = _personal_id(parsed)
    expires = _expires(parsed)
    return Holder(
        document_code=mrz.document_code,
        issuer=mrz.issuer,
        document_number=mrz.document_number,
        personal_id=personal_id,
        full_name=own.full_name or parsed.details.full_name or nfc(mrz.names),
        birth=vietnamese_date(own.birth) or parsed.details.birth or _birth(mrz.birth, personal_id, today),
        sex=own.sex or SEXES.get(mrz.sex, ""),
        nationality=own.nationality or mrz.nationality,
        expiry=(vietnamese_date(own.expiry) or _date(2000, mrz.expiry)) if expires else None,
        expires=expires,
        issued=vietnamese_date(own.issued) or parsed.document.issued,
        origin=own.origin,
        address=own.address or parsed.details.address,
        marks=own.marks,
        father=own.father,
        mother=own.mother,
        spouse=own.spouse,
        old_id=own.old_id,
        warnings=(*mrz.warnings, *_oddities(parsed)),
    )


def citizen_of(holder: Holder, grade: IdentityGrade, portrait: bytes, evidence: Mapping[str, bytes]) -> Citizen:
    """The citizen that a Vietnamese identity card is of; CardError(NOT_AN_ID_CARD) for any other document."""
    if not _is_our_card(holder.issuer, holder.document_code):
        raise CardError(Reason.NOT_AN_ID_CARD, "DG1: no identity card of this country")
    if not valid_personal_id(holder.personal_id):
        raise CardError(Reason.NOT_AN_ID_CARD, "DG1: no personal number in it")
    return Citizen(
        personal_id=holder.personal_id,
        full_name=holder.full_name,
        birth=holder.birth,
        sex=holder.sex,
        address=holder.address,
        expiry=holder.expiry,
        grade=grade,
        portrait=portrait,
        evidence=dict(evidence),
    )


def problems_of(holder: Holder, today: date) -> tuple[str, ...]:
    """Codes of what is wrong with the document itself: service goes on, the screen tells."""
    return (EXPIRED,) if holder.expiry is not None and holder.expiry < today else ()


def _parsed(mrz: Mrz, groups: Mapping[int, bytes]) -> _Groups:
    """DG13 only of a Vietnamese card: every state puts there what it likes."""
    ours = _is_our_card(mrz.issuer, mrz.document_code)
    return _Groups(
        mrz,
        parse_dg11(groups[11]) if 11 in groups else Dg11(),
        parse_dg12(groups[12]) if 12 in groups else Dg12(),
        parse_dg13(groups[13]) if ours and 13 in groups else Dg13(),
    )


def _personal_id(parsed: _Groups) -> str:
    """The twelve digits of a Vietnamese document, another state's number as it tells it."""
    if parsed.at_home:
        return parsed.mrz.optional[:12]
    return parsed.details.personal_number or (parsed.mrz.optional if parsed.mrz.size == "TD3" else "")


def _cross_check(parsed: _Groups) -> None:
    """Chip-card reference §2.3 and §9.11. What a group does not say cannot contradict.

    Other states may spell names and number their people otherwise in DG11: of theirs only the birth date counts.
    """
    mrz, details, own = parsed.mrz, parsed.details, parsed.own
    born = vietnamese_date(own.birth)
    if own.personal_id and own.personal_id != mrz.optional[:12]:
        raise BadData("DG13 and DG1 differ in the personal number")
    if born is not None and yymmdd(born) != mrz.birth:
        raise BadData("DG13 and DG1 differ in the birth date")
    if own.full_name and not _same_name(own.full_name, mrz):
        raise BadData("DG13 and DG1 differ in the name")
    if details.birth is not None and yymmdd(details.birth) != mrz.birth:
        raise BadData("DG11 and DG1 differ in the birth date")
    if not parsed.at_home:
        return
    if details.personal_number and details.personal_number != mrz.optional[:12]:
        raise BadData("DG11 and DG1 differ in the personal number")
    if details.full_name and not _same_name(details.full_name, mrz):
        raise BadData("DG11 and DG1 differ in the name")


def _oddities(parsed: _Groups) -> Iterator[str]:
    """What is unusual and no reason to refuse the document."""
    mrz, own = parsed.mrz, parsed.own
    ends = vietnamese_date(own.expiry)
    if ends is not None and yymmdd(ends) != mrz.expiry:
        yield "DG13 and DG1 differ in the expiry date"
    if own.sex and SEXES.get(mrz.sex, own.sex) != own.sex:
        yield "DG13 and DG1 differ in the sex"
    if parsed.at_home and mrz.size == "TD1" and not mrz.optional[:12].endswith(mrz.document_number):
        yield "DG1: the document number is not the end of the personal number"
    if not parsed.at_home and parsed.details.full_name and not _same_name(parsed.details.full_name, mrz):
        yield "DG11 and DG1 differ in the spelling of the name"


def _same_name(name: str, mrz: Mrz) -> bool:
    """Whether the zone's name is this one, as far as it goes: a full zone is cut off."""
    full, short = _letters(name), _letters(mrz.names)
    return full == short or (len(mrz.names) >= NAMES_ROOM[mrz.size] - 1 and full.startswith(short))


def _letters(name: str) -> str:
    """Only what both spellings share: the zone has no marks, spaces or apostrophes of its own."""
    return "".join(c for c in fold(name) if c.isalpha())


def _expires(parsed: _Groups) -> bool:
    """Whether the document has an end: «Không thời hạn» stands in DG13, a far date or nothing in the zone."""
    printed = parsed.mrz.expiry
    if not printed.strip("<") or (parsed.at_home and printed == yymmdd(NO_EXPIRY)):
        return False
    return not parsed.own.expiry or vietnamese_date(parsed.own.expiry) is not None


def _birth(printed: str, personal_id: str, today: date | None) -> date | None:
    """The zone's birth date in the century that the number tells, else in the last one that is not ahead."""
    if valid_personal_id(personal_id):
        return _date(birth_year(personal_id) // 100 * 100, printed)
    born = _date(2000, printed)
    latest = today or date.today()  # noqa: DTZ011  # only the century matters
    return born if born is None or born <= latest else _date(1900, printed)


def _date(century: int, printed: str) -> date | None:
    """A date of the zone; None if day or month are unknown."""
    try:
        return date(century + int(printed[:2]), int(printed[2:4]), int(printed[4:]))
    except ValueError:
        return None
