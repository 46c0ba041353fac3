"""From the files of a chip to a citizen: what they say, and that they agree with each other."""

from collections.abc import Mapping
from datetime import date

from hardware.card.errors import BadData
from hardware.card.lds import Dg13, mrz_of_dg1, parse_dg13, portrait_of_dg2, vietnamese_date
from hardware.card.mrz import Mrz, yymmdd
from hardware.card.passive import ISSUING_STATE
from kiosk.citizen import Citizen, IdentityGrade, birth_year, valid_personal_id
from kiosk.text import fold

SEXES = {"M": "Nam", "F": "Nữ"}


def citizen_of(groups: Mapping[int, bytes], grade: IdentityGrade, evidence: dict[str, bytes]) -> Citizen:
    """The holder, from DG1, DG13 and DG2; BadData if a group is broken or two contradict each other."""
    if 1 not in groups:
        raise BadData("EF.DG1 is missing")
    mrz = mrz_of_dg1(groups[1])
    own = parse_dg13(groups[13]) if 13 in groups else Dg13()
    personal_id = mrz.optional[:12]
    if not valid_personal_id(personal_id):
        raise BadData("DG1: no personal number in it")
    _cross_check(mrz, own)
    return Citizen(
        personal_id=personal_id,
        full_name=own.full_name or mrz.names,
        birth=vietnamese_date(own.birth) or _birth(mrz.birth, personal_id),
        sex=own.sex or SEXES.get(mrz.sex, ""),
        address=own.address,
        grade=grade,
        portrait=portrait_of_dg2(groups[2]) if 2 in groups else b"",
        evidence=evidence,
    )


def _cross_check(mrz: Mrz, own: Dg13) -> None:
    """Chip-card reference §2.3 and §9.11. What a group does not say cannot contradict."""
    if mrz.issuer != ISSUING_STATE:
        raise BadData("DG1: issued by another state")
    if own.personal_id and own.personal_id != mrz.optional[:12]:
        raise BadData("DG13 and DG1 differ in the personal number")
    born = vietnamese_date(own.birth)
    if born is not None and yymmdd(born) != mrz.birth:
        raise BadData("DG13 and DG1 differ in the birth date")
    full, short = _letters(own.full_name), _letters(mrz.names)
    if own.full_name and not (full == short or (len(mrz.names) >= 29 and full.startswith(short))):
        raise BadData("DG13 and DG1 differ in the name")


def _letters(name: str) -> str:
    """Only what both spellings share: the zone has no marks, spaces or apostrophes of its own."""
    return "".join(c for c in fold(name) if c.isalpha())


def _birth(printed: str, personal_id: str) -> date | None:
    """The zone's birth date in the century that the number tells; None if day or month are unknown."""
    century = birth_year(personal_id) // 100
    try:
        return date(century * 100 + int(printed[:2]), int(printed[2:4]), int(printed[4:]))
    except ValueError:
        return None
