"""The logical data structure (Doc 9303-10): which files there are and what is in them. Untrusted bytes go in here."""

from collections.abc import Mapping
from dataclasses import dataclass

from hardware.card.face import portrait_of_dg2 as portrait_of_dg2
from hardware.card.holder_groups import parse_dg13 as parse_dg13
from hardware.card.mrz import Mrz, parse_mrz
from hardware.card.tlv import need

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
    return Ef(f"EF.DG{number}", number, GROUP_TAGS[number - 1], 65_536 if number == 2 else 4096)


COM = Ef("EF.COM", 0x1E, 0x60)
SOD = Ef("EF.SOD", 0x1D, 0x77, 65_536)


def groups_of_com(raw: bytes) -> tuple[int, ...]:
    """The data groups that EF.COM lists. Unsigned: only a hint."""
    tags = need(raw, COM.tag, 0x5C)
    return tuple(number for number, tag in enumerate(GROUP_TAGS, start=1) if tag in tags)


def mrz_of_dg1(raw: bytes) -> Mrz:
    """The machine readable zone, of whatever size."""
    return parse_mrz(need(raw, 0x61, 0x5F1F).decode("ascii", "replace"))


def evidence_order(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The raw files with EF.SOD first, then data groups by number."""
    return dict(sorted(files.items(), key=lambda item: (item[0] != SOD.name, len(item[0]), item[0])))
