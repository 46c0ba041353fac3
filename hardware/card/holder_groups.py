"""What the chip says of its holder and itself: DG11 and DG12 (Doc 9303-10 §4.7.11, §4.7.12), DG13 of the CCCD.

Every field may be missing and is empty then. Pictures in them are left out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from hardware.card.errors import BadData
from hardware.card.tlv import elements, need
from kiosk.text import nfc

UTF8_STRING, SEQUENCE = 0x0C, 0x30
STRINGS = (UTF8_STRING, 0x13)
MOST_NAMES = 20


@dataclass(frozen=True, slots=True, repr=False)
class Dg11:
    """Additional personal details, in the holder's own script. Parts of places are separated by commas."""

    full_name: str = ""
    other_names: tuple[str, ...] = ()
    personal_number: str = ""
    birth: date | None = None
    birth_place: str = ""
    address: str = ""
    telephone: str = ""
    profession: str = ""
    title: str = ""
    summary: str = ""
    other_documents: tuple[str, ...] = ()
    custody: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Dg12:
    """Additional document details. `personalised` is YYYYMMDDhhmmss as told."""

    issuing_authority: str = ""
    issued: date | None = None
    other_persons: tuple[str, ...] = ()
    endorsements: str = ""
    tax_or_exit: str = ""
    personalised: str = ""
    system_serial: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Dg13:
    """The card's own record of the holder (chip-card reference §2.3). Dates as told: dd/mm/yyyy or words."""

    personal_id: str = ""
    full_name: str = ""
    birth: str = ""
    sex: str = ""
    nationality: str = ""
    ethnicity: str = ""
    """Only if asked for: sensitive."""
    religion: str = ""
    """Only if asked for: sensitive."""
    origin: str = ""
    """Quê quán."""
    address: str = ""
    """Nơi thường trú as at issue."""
    marks: str = ""
    """Đặc điểm nhận dạng."""
    issued: str = ""
    expiry: str = ""
    father: str = ""
    mother: str = ""
    spouse: str = ""
    old_id: str = ""
    """Số CMND."""
    extra: str = ""
    """Field 16, of which sources disagree what it is."""


FIELDS = {
    1: "personal_id",
    2: "full_name",
    3: "birth",
    4: "sex",
    5: "nationality",
    6: "ethnicity",
    7: "religion",
    8: "origin",
    9: "address",
    10: "marks",
    11: "issued",
    12: "expiry",
    14: "spouse",
    15: "old_id",
    16: "extra",
}
SENSITIVE = (6, 7)
PARENTS = 13


def parse_dg11(raw: bytes) -> Dg11:
    """EF.DG11; BadData if its encoding breaks. A value that makes no sense is as good as missing."""
    values = _values(need(raw, 0x6B))
    return Dg11(
        full_name=_name(values.get(0x5F0E, b"")),
        other_names=_names(values, 0x5F0F),
        personal_number=_text(values.get(0x5F10, b"")),
        birth=_full_date(values.get(0x5F2B, b"")),
        birth_place=_place(values.get(0x5F11, b"")),
        address=_place(values.get(0x5F42, b"")),
        telephone=_text(values.get(0x5F12, b"")),
        profession=_text(values.get(0x5F13, b"")),
        title=_text(values.get(0x5F14, b"")),
        summary=_text(values.get(0x5F15, b"")),
        other_documents=_parts(values.get(0x5F17, b"")),
        custody=_text(values.get(0x5F18, b"")),
    )


def parse_dg12(raw: bytes) -> Dg12:
    """EF.DG12; BadData if its encoding breaks. A value that makes no sense is as good as missing."""
    values = _values(need(raw, 0x6C))
    moment = values.get(0x5F55, b"")
    return Dg12(
        issuing_authority=_text(values.get(0x5F19, b"")),
        issued=_full_date(values.get(0x5F26, b"")),
        other_persons=_names(values, 0x5F1A),
        endorsements=_text(values.get(0x5F1B, b"")),
        tax_or_exit=_text(values.get(0x5F1C, b"")),
        personalised=moment.hex() if len(moment) == 7 else _text(moment),
        system_serial=_text(values.get(0x5F56, b"")),
    )


def parse_dg13(raw: bytes, *, sensitive: bool = False) -> Dg13:
    """The fields by their number, real BER: unknown ones are skipped, the last of a repeated one counts.

    Ethnicity and religion are dropped unless they are asked for as `sensitive`.
    """
    values: dict[str, str] = {}
    for number, strings in _numbered(need(raw, 0x6D, SEQUENCE, 0x31)):
        if number in SENSITIVE and not sensitive:
            continue
        if number == PARENTS:
            values |= dict(zip(("father", "mother"), strings, strict=False))
        elif strings:
            values[FIELDS[number]] = strings[0]
    return Dg13(**values)


def _numbered(entries: bytes) -> Iterator[tuple[int, list[str]]]:
    """The numbers we know, each with its strings: two in a SEQUENCE for the parents, else one, or none."""
    for tag, entry in elements(entries):
        parts = list(elements(entry)) if tag == SEQUENCE else []
        if not parts or parts[0][0] != 0x02:
            raise BadData("DG13: an entry is not a numbered value")
        number = int.from_bytes(parts[0][1], "big")
        if number in FIELDS or number == PARENTS:
            yield number, _strings(parts[1:2])


def _strings(values: list[tuple[int, bytes]]) -> list[str]:
    inner = [part for tag, value in values for part in (elements(value) if tag == SEQUENCE else [(tag, value)])]
    if any(tag not in STRINGS for tag, _ in inner):
        raise BadData("DG13: a value is not a string")
    try:
        return [nfc(value.decode("utf-8")) for _, value in inner]
    except UnicodeDecodeError:
        raise BadData("DG13: a value is not UTF-8") from None


def vietnamese_date(text: str) -> date | None:
    """`dd/mm/yyyy`, None for anything else («Không thời hạn», unknown day)."""
    match = re.fullmatch(r"([0-9]{2})/([0-9]{2})/([0-9]{4})", text)
    return _date(match[3], match[2], match[1]) if match else None


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _full_date(value: bytes) -> date | None:
    """YYYYMMDD as eight characters or four BCD bytes; None if it is not told whole."""
    digits = value.hex() if len(value) == 4 else value.decode("ascii", "replace")
    match = re.fullmatch(r"([0-9]{4})([0-9]{2})([0-9]{2})", digits)
    return _date(*match.groups()) if match else None


def _values(group: bytes) -> Mapping[int, bytes]:
    """The first value of every tag: the tag list before them is no more than a hint."""
    values: dict[int, bytes] = {}
    for tag, value in elements(group):
        values.setdefault(tag, value)
    return values


def _names(values: Mapping[int, bytes], tag: int) -> tuple[str, ...]:
    """A repeated name, in a template with its count; some issuers leave a single one bare."""
    listed = [value for one, value in elements(values.get(0xA0, b"")) if one == tag]
    if tag in values:
        listed.append(values[tag])
    return tuple(name for value in listed[:MOST_NAMES] if (name := _name(value)))


def _text(value: bytes) -> str:
    try:
        return nfc(value.decode("utf-8"))
    except UnicodeDecodeError:
        return ""


def _name(value: bytes) -> str:
    """Surname first, as in the zone; fillers become spaces."""
    return nfc(_text(value).replace("<", " "))


def _parts(value: bytes) -> tuple[str, ...]:
    return tuple(part.strip() for part in _text(value).split("<") if part.strip())


def _place(value: bytes) -> str:
    return ", ".join(_parts(value))
