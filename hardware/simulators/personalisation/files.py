"""The files of a virtual card (Doc 9303-10; DG13: chip-card reference §2.3)."""

from collections.abc import Mapping
from dataclasses import replace

from hardware.card.lds import COM, GROUP_TAGS, SOD, data_group
from hardware.card.tlv import encode
from hardware.simulators.personalisation.chip_keys import security_groups
from hardware.simulators.personalisation.details import DOCUMENT, PERSONAL, details
from hardware.simulators.personalisation.faces import dg2
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.person import Personalisation
from hardware.simulators.personalisation.portrait import portrait

Content = Mapping[int, bytes]
"""File contents by short identifier."""


def card_files(person: Personalisation, issuer: Issuer) -> dict[int, bytes]:
    """Every file of a person's card by short identifier, EF.SOD signed by `issuer`."""
    groups = data_groups(person)
    files = groups | {COM.sfi: _com(groups), SOD.sfi: issuer.sign(groups)}
    traits = person.chip.traits()
    if traits.swapped:
        files[2] = _portrait_of(replace(person, look=person.look.stranger()))
    if traits.lies_in_length:
        files[2] = _longer(files[2])
    return files


def data_groups(person: Personalisation) -> dict[int, bytes]:
    """DG1, DG2, DG3, DG13 and what else the person's card and its chip have, by number."""
    chip, holder = person.chip, person.personal_id
    groups = {
        1: encode(0x61, encode(0x5F1F, "".join(person.mrz.lines()).encode())),
        2: _portrait_of(person),
        3: encode(0x63, encode(0x7F61, encode(0x02, b"\x00"))),
        13: _dg13(person),
    }
    if person.dg11:
        groups[11] = details(11, PERSONAL, person.dg11)
    if person.dg12:
        groups[12] = details(12, DOCUMENT, person.dg12)
    groups |= security_groups(chip.secrets(holder), chip.profile(holder)) | dict(person.extra_groups)
    return dict(sorted(groups.items()))


def _com(groups: Content) -> bytes:
    """LDS 1.7, Unicode 4.0, and the tags of the groups."""
    tags = bytes(GROUP_TAGS[number - 1] for number in groups)
    return encode(COM.tag, encode(0x5F01, b"0107") + encode(0x5F36, b"040000") + encode(0x5C, tags))


def _portrait_of(person: Personalisation) -> bytes:
    form = person.chip.portrait
    return dg2(portrait(person.look, int(person.personal_id), form), form)


def _longer(raw: bytes) -> bytes:
    """The same file, whose header promises 500 bytes more."""
    size = int.from_bytes(raw[2:4], "big")
    return raw[:2] + (size + 500).to_bytes(2, "big") + raw[4:]


def _dg13(person: Personalisation) -> bytes:
    expiry = f"{person.expiry:%d/%m/%Y}" if person.expiry else "Không thời hạn"
    values = (
        _printable(person.personal_id),
        _utf8(person.full_name),
        _printable(f"{person.birth:%d/%m/%Y}"),
        _utf8(person.sex),
        _utf8("Việt Nam"),
        _utf8(person.nation),
        _utf8(person.religion),
        _utf8(person.origin),
        _utf8(person.address),
        _utf8("Không có"),
        _printable(f"{person.issued:%d/%m/%Y}"),
        _utf8(expiry),
        encode(0x30, _utf8(person.father) + _utf8(person.mother)),
        _utf8(person.spouse),
        _printable(person.old_number),
    )
    entries = (encode(0x30, encode(0x02, bytes([n])) + value) for n, value in enumerate(values, start=1))
    return encode(data_group(13).tag, encode(0x30, encode(0x31, b"".join(entries))))


def _utf8(text: str) -> bytes:
    return encode(0x0C, text.encode())


def _printable(text: str) -> bytes:
    return encode(0x13, text.encode("ascii"))
