"""The files of a virtual card (Doc 9303-10; DG13: chip-card reference §2.3)."""

import struct
from collections.abc import Mapping

from hardware.card.lds import COM, GROUP_TAGS, SOD, data_group
from hardware.card.tlv import encode
from hardware.simulators.personalisation.issuer import Issuer
from hardware.simulators.personalisation.person import Personalisation
from hardware.simulators.personalisation.portrait import HEIGHT, WIDTH, portrait_jpeg

Content = Mapping[int, bytes]
"""File contents by short identifier."""


def card_files(person: Personalisation, issuer: Issuer) -> dict[int, bytes]:
    """Every file of a person's card by short identifier, EF.SOD signed by `issuer`."""
    groups = data_groups(person)
    return groups | {COM.sfi: _com(groups), SOD.sfi: issuer.sign(groups)}


def data_groups(person: Personalisation) -> dict[int, bytes]:
    """DG1, DG2, DG3, DG13 and what else the person's card has, by number."""
    groups = {
        1: encode(0x61, encode(0x5F1F, "".join(person.mrz.lines()).encode())),
        2: _dg2(portrait_jpeg(person.look, int(person.personal_id))),
        3: encode(0x63, encode(0x7F61, encode(0x02, b"\x00"))),
        13: _dg13(person),
    }
    return dict(sorted((groups | dict(person.extra_groups)).items()))


def _com(groups: Content) -> bytes:
    """LDS 1.7, Unicode 4.0, and the tags of the groups."""
    tags = bytes(GROUP_TAGS[number - 1] for number in groups)
    return encode(COM.tag, encode(0x5F01, b"0107") + encode(0x5F36, b"040000") + encode(0x5C, tags))


def _dg2(image: bytes) -> bytes:
    """One face in a biometric template (CBEFF) holding an ISO/IEC 19794-5 record."""
    header = b"".join(
        encode(tag, value)
        for tag, value in ((0x80, b"\x01\x01"), (0x81, b"\x02"), (0x87, b"\x01\x01"), (0x88, b"\x00\x08"))
    )
    template = encode(0x7F60, encode(0xA1, header) + encode(0x5F2E, _face_record(image)))
    return encode(data_group(2).tag, encode(0x7F61, encode(0x02, b"\x01") + template))


def _face_record(image: bytes) -> bytes:
    """Facial record header, facial information, image information (all unspecified but type and size), image."""
    picture = struct.pack(">BBHHBBHH", 1, 0, WIDTH, HEIGHT, 1, 2, 0, 0) + image
    facial = struct.pack(">IH14x", 20 + len(picture), 0) + picture
    return struct.pack(">4s4sIH", b"FAC\0", b"010\0", 14 + len(facial), 1) + facial


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
