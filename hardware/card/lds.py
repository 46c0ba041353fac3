"""The logical data structure (Doc 9303-10): which files there are and what is in them. Untrusted bytes go in here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from hardware.card.errors import BadData
from hardware.card.mrz import Mrz, parse_td1
from hardware.card.tlv import elements, find, need
from kiosk.text import nfc

APPLICATION = bytes.fromhex("A0000002471001")
"""The eMRTD application's identifier."""

GROUP_TAGS = (0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70)


@dataclass(frozen=True, slots=True)
class Ef:
    """An elementary file: its name, short identifier, outermost tag, and the most bytes we are ready to hold."""

    name: str
    sfi: int
    tag: int
    limit: int = 4096


def data_group(number: int) -> Ef:
    """EF.DG1 to EF.DG16."""
    return Ef(f"EF.DG{number}", number, GROUP_TAGS[number - 1], 32_767 if number == 2 else 4096)


COM = Ef("EF.COM", 0x1E, 0x60)
SOD = Ef("EF.SOD", 0x1D, 0x77, 32_767)


def groups_of_com(raw: bytes) -> tuple[int, ...]:
    """The data groups that EF.COM lists. Unsigned: only a hint."""
    tags = need(raw, COM.tag, 0x5C)
    return tuple(number for number, tag in enumerate(GROUP_TAGS, start=1) if tag in tags)


def mrz_of_dg1(raw: bytes) -> Mrz:
    """The machine readable zone of a TD1 card."""
    return parse_td1(need(raw, 0x61, 0x5F1F).decode("ascii", "replace"))


IMAGE_STARTS = (b"\xff\xd8\xff", b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
"""JPEG, JPEG 2000, bare JPEG 2000 codestream."""


def portrait_of_dg2(raw: bytes) -> bytes:
    """The first face's image file. Told by its magic bytes: header fields are wrong in the field."""
    template = need(raw, 0x75, 0x7F61, 0x7F60)
    block = find(template, 0x5F2E) or find(template, 0x7F2E)
    starts = [at for magic in IMAGE_STARTS if block and (at := block.find(magic)) >= 0]
    if block is None or not starts:
        raise BadData("DG2: no JPEG or JPEG 2000 in it")
    return block[min(starts) :]


@dataclass(frozen=True, slots=True, repr=False)
class Dg13:
    """The card's own record of the holder (chip-card reference §2.3). Missing fields are empty."""

    personal_id: str = ""
    full_name: str = ""
    birth: str = ""
    sex: str = ""
    address: str = ""
    """Nơi thường trú as at issue."""
    issued: str = ""


FIELDS = {1: "personal_id", 2: "full_name", 3: "birth", 4: "sex", 9: "address", 11: "issued"}
"""The fields we take. Ethnicity (6), religion (7) and everything else is dropped where it is parsed."""


def parse_dg13(raw: bytes) -> Dg13:
    """The fields by their number, real BER: unknown ones are skipped, the last of a repeated one counts."""
    values: dict[str, str] = {}
    for tag, entry in elements(need(raw, 0x6D, 0x30, 0x31)):
        parts = list(elements(entry)) if tag == 0x30 else []
        if len(parts) < 2 or parts[0][0] != 0x02:
            raise BadData("DG13: an entry is not a numbered value")
        name = FIELDS.get(int.from_bytes(parts[0][1], "big"))
        if name is not None:
            values[name] = _text(*parts[1])
    return Dg13(**values)


def _text(tag: int, value: bytes) -> str:
    if tag not in (0x0C, 0x13):
        raise BadData("DG13: a value is not a string")
    try:
        return nfc(value.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadData("DG13: a value is not UTF-8") from None


def vietnamese_date(text: str) -> date | None:
    """`dd/mm/yyyy`, None for anything else («Không thời hạn», unknown day)."""
    match = re.fullmatch(r"(\d{2})/(\d{2})/(\d{4})", text)
    if match is None:
        return None
    day, month, year = map(int, match.groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None


def evidence_order(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The raw files with EF.SOD first, then data groups by number."""
    return dict(sorted(files.items(), key=lambda item: (item[0] != SOD.name, len(item[0]), item[0])))
