"""Targets: TLV and the parsers of single files."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from pathlib import Path

from hardware.card.active import key_of_dg15, proves_key
from hardware.card.card_access import parse_card_access
from hardware.card.chip_authentication import agree, commands, parse_dg14
from hardware.card.errors import BadData
from hardware.card.face import portrait_of_dg2
from hardware.card.holder_groups import parse_dg11, parse_dg12, parse_dg13
from hardware.card.identity import citizen_of, holder_of, problems_of
from hardware.card.lds import groups_of_com, mrz_of_dg1
from hardware.card.mapping import Mapping
from hardware.card.mrz import parse_mrz
from hardware.card.tlv import elements, encode, find, need, total_length
from hardware.simulators.personalisation.files import data_groups
from hardware.simulators.personalisation.pace import PaceProfile
from hardware.simulators.personalisation.person import load_people
from kiosk.citizen import IdentityGrade
from tests.fuzz.fixed import AA_EC, AA_RSA, CHALLENGE, dg14s, dg15, recoverable

PEOPLE = load_people(Path(__file__).parents[2] / "assets" / "cards")
DEPTH = 8
TODAY = date(2026, 7, 1)
TD2 = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<D231458907UTO7408122F1204159<<<<<<<6"
TD3 = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<L898902C36UTO7408122F1204159ZE184226B<<<<<10"


@cache
def groups() -> dict[int, bytes]:
    """The data groups of one of the demo's cards, with a portrait of a few bytes."""
    whole = data_groups(PEOPLE["mau"])
    jpeg = b"\xff\xd8\xff\xe0" + bytes(40) + b"\xff\xd9"
    face = encode(0x75, encode(0x7F61, encode(0x02, b"\x01") + encode(0x7F60, encode(0x5F2E, b"FAC\0010\0" + jpeg))))
    return {1: whole[1], 2: face, 13: whole[13]}


def tlv(data: bytes) -> None:
    """All levels, and what asks for one element."""
    for ask in (total_length, lambda raw: find(raw, 0x75, 0x7F61, 0x7F60), lambda raw: need(raw, 0x30, 0x31)):
        _whatever(ask, data)
    _walk(data, DEPTH)


def _whatever(ask: Callable[[bytes], object], data: bytes) -> None:
    try:
        ask(data)
    except BadData:
        return


def _walk(data: bytes, depth: int) -> None:
    for _, value in elements(data):
        if depth:
            _whatever(lambda inner: _walk(inner, depth - 1), value)


def mrz(data: bytes) -> None:
    """A zone as read or typed, and its lines again."""
    parse_mrz(data.decode("latin-1")).lines()


def own_record(data: bytes) -> None:
    """EF.DG13 with what is sensitive and without."""
    parse_dg13(data)
    parse_dg13(data, sensitive=True)


def holder(data: bytes) -> None:
    """Groups, each after its number and two octets of length, against each other."""
    found = {}
    while data:
        size = int.from_bytes(data[1:3], "big")
        found[data[0]], data = data[3 : 3 + size], data[3 + size :]
    person = holder_of(found, TODAY)
    problems_of(person, TODAY)
    citizen_of(person, IdentityGrade.CHIP_READ, b"", {})


def chip_authentication(data: bytes) -> None:
    """The infos, and an agreement with the best key."""
    for key in parse_dg14(data).chip_keys[:1]:
        commands(key, agree(key).public)


def active_response(data: bytes) -> None:
    """An answer to the challenge for a curve and for RSA, and a block that the RSA key recovers."""
    for key, response in ((AA_EC, data), (AA_RSA, data), (AA_RSA, recoverable(data))):
        proves_key(key.public_key(), CHALLENGE, response, "0.4.0.127.0.7.1.1.4.1.3")


def _card_accesses() -> list[bytes]:
    profiles = (PaceProfile(), PaceProfile(Mapping.INTEGRATED, parameters=2), PaceProfile(Mapping.CHIP_AUTHENTICATION))
    own = bytes.fromhex("3012060A04007F0007020204020202010202010D")
    return [*(profile.card_access() for profile in profiles), encode(0x31, own)]


def _responses() -> list[bytes]:
    block = b"\x6a" + bytes(94) + bytes(32) + b"\xcc"
    return [bytes(64), bytes(128), block, b"\x6b" * 60 + b"\xba" + block[61:-2] + b"\x34\xcc"]


def _faces() -> list[bytes]:
    jp2 = bytes.fromhex("0000000C6A5020200D0A870A00000014667479706A703220000000006A703220000000086A703263")
    pictures = (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x02\x11\xff\x00\xff\xd9", jp2, b"\xff\x4f\xff\x51" + bytes(60))
    return [groups()[2], *(_face(tag, picture) for picture in pictures for tag in (0x5F2E, 0x7F2E))]


def _face(tag: int, picture: bytes) -> bytes:
    block = encode(0xA1, encode(0x30, encode(0x80, picture))) if tag == 0x7F2E else b"FAC\0010\0" + picture
    return encode(0x75, encode(0x7F61, encode(0x02, b"\x01") + encode(0x7F60, encode(tag, block))))


def _dg11() -> bytes:
    names = encode(0xA0, encode(0x02, b"\x01") + encode(0x5F0F, b"OTHER<<NAME"))
    values = encode(0x5F0E, "NGUYỄN<<THỊ<MẪU".encode()) + names + encode(0x5F2B, bytes.fromhex("19990102"))
    texts = b"".join(encode(tag, b"Some<text<") for tag in (0x5F11, 0x5F42, 0x5F12, 0x5F13, 0x5F14, 0x5F15, 0x5F17))
    return encode(0x6B, encode(0x5C, bytes.fromhex("5F0EA05F2B5F115F42")) + values + texts)


def _dg12() -> bytes:
    names = encode(0xA0, encode(0x02, b"\x01") + encode(0x5F1A, b"ANOTHER<<PERSON"))
    values = encode(0x5F19, b"AUTHORITY") + encode(0x5F26, b"20240315") + names
    return encode(0x6C, encode(0x5C, bytes.fromhex("5F195F26A05F55")) + values + encode(0x5F55, bytes(7)))


def _holders() -> list[bytes]:
    files = {**groups(), 11: encode(0x6B, encode(0x5F2B, b"19990102")), 12: _dg12()}
    parts = {n: bytes([n]) + len(raw).to_bytes(2, "big") + raw for n, raw in files.items()}
    return [parts[1], parts[1] + parts[13], parts[1] + parts[11] + parts[12]]


def _tlvs() -> list[bytes]:
    return [*groups().values(), *dg14s(), b"\x7f\x61\x82\x00\x02\x30\x00"]


TARGETS: dict[str, tuple[Callable[[bytes], object], Callable[[], Sequence[bytes]]]] = {
    "tlv": (tlv, _tlvs),
    "com": (groups_of_com, lambda: [encode(0x60, encode(0x5F01, b"0107") + encode(0x5C, b"\x61\x75\x6d"))]),
    "dg1": (mrz_of_dg1, lambda: [groups()[1]]),
    "dg2": (portrait_of_dg2, _faces),
    "mrz": (mrz, lambda: [zone.encode() for zone in (TD2, TD3, "".join(PEOPLE["mau"].mrz.lines()))]),
    "dg11": (parse_dg11, lambda: [_dg11()]),
    "dg12": (parse_dg12, lambda: [_dg12()]),
    "dg13": (own_record, lambda: [groups()[13]]),
    "dg14": (chip_authentication, dg14s),
    "dg15": (key_of_dg15, lambda: [dg15(AA_EC), dg15(AA_RSA)]),
    "holder": (holder, _holders),
    "active-response": (active_response, _responses),
    "card-access": (parse_card_access, _card_accesses),
}
