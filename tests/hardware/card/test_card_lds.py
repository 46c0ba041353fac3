"""What is in the chip's files, and that no bytes whatever break the parsers."""

import contextlib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.card.errors import BadData
from hardware.card.identity import citizen_of
from hardware.card.lds import groups_of_com, mrz_of_dg1, parse_dg13, portrait_of_dg2, vietnamese_date
from hardware.card.mrz import check_digit, parse_td1
from hardware.card.passive import parse_sod
from hardware.card.tlv import encode
from hardware.simulators.personalisation.files import data_groups
from hardware.simulators.personalisation.person import load_people
from kiosk.citizen import IdentityGrade

PEOPLE = load_people(Path(__file__).parents[3] / "assets" / "cards")
MAU = data_groups(PEOPLE["mau"])
SPECIMEN = "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6ERIKSSON<<ANNA<MARIA<<<<<<<<<<"
VECTOR = bytes.fromhex(
    "6d433041313f3011020101130c30303131393930303031323330190201020c144e475559e1bb844e205448e1bb8a204de1baaa55"
    "300f020103130a30322f30312f31393939"
)


def text(n: int, value: str, tag: int = 0x0C) -> bytes:
    return encode(0x30, encode(0x02, bytes([n])) + encode(tag, value.encode()))


def dg13(*entries: bytes) -> bytes:
    return encode(0x6D, encode(0x30, encode(0x31, b"".join(entries))))


def test_zone_of_the_card_has_the_published_check_digits():
    assert PEOPLE["mau"].mrz.lines() == (
        "IDVNM1990001239001199000123<<0",
        "9901029F3901027VNM<<<<<<<<<<<0",
        "NGUYEN<<THI<MAU<<<<<<<<<<<<<<<",
    )


def test_the_icao_specimen_is_read():
    zone = parse_td1(SPECIMEN)
    assert (zone.issuer, zone.document_number, zone.birth, zone.expiry) == ("UTO", "D23145890", "740812", "120415")
    assert zone.names == "ERIKSSON  ANNA MARIA"


@pytest.mark.parametrize("column", [5, 14, 30, 36, 38, 44, 59])
def test_a_misread_column_is_noticed(column: int):
    wrong = "5" if SPECIMEN[column] != "5" else "4"
    with pytest.raises(BadData):
        parse_td1(SPECIMEN[:column] + wrong + SPECIMEN[column + 1 :])


def test_the_published_dg13_vector_is_read():
    own = parse_dg13(VECTOR)
    assert (own.personal_id, own.full_name, own.birth) == ("001199000123", "NGUYỄN THỊ MẪU", "02/01/1999")
    assert own.address == ""


def test_a_name_that_contains_the_pattern_of_a_field_stays_a_name():
    tricky = "A0\x11\x02\x01\x01\x13\x0c999999999999"
    own = parse_dg13(dg13(text(1, "001199000123", 0x13), text(2, tricky)))
    assert own.personal_id == "001199000123"


def test_unknown_fields_and_long_lengths_are_accepted():
    own = parse_dg13(dg13(text(9, "Thôn " + "x" * 300), text(77, "?"), text(16, "", 0x13)))
    assert own.address.startswith("Thôn xxx")


def test_sensitive_fields_are_not_kept():
    own = parse_dg13(MAU[13])
    assert "Kinh" not in str([getattr(own, name) for name in own.__slots__])


def test_portrait_is_told_by_its_magic_bytes():
    image = portrait_of_dg2(MAU[2])
    assert image.startswith(b"\xff\xd8\xff")
    assert image.endswith(b"\xff\xd9")
    for start in (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"):
        block = encode(0x7F60, encode(0xA1, b"") + encode(0x5F2E, b"FAC\0 some header" + start + b"picture"))
        assert portrait_of_dg2(encode(0x75, encode(0x7F61, block))) == start + b"picture"


def test_another_picture_format_is_refused():
    block = encode(0x7F60, encode(0x5F2E, b"FAC\0 header GIF89a"))
    with pytest.raises(BadData):
        portrait_of_dg2(encode(0x75, encode(0x7F61, block)))


def test_com_lists_the_groups():
    assert groups_of_com(bytes.fromhex("60165F0104303130375F36063034303030305C0461756D6E")) == (1, 2, 13, 14)


def test_the_holder_of_every_card_is_whole():
    for person in PEOPLE.values():
        citizen = citizen_of(data_groups(person), IdentityGrade.CHIP_READ, {})
        assert (citizen.personal_id, citizen.full_name, citizen.birth, citizen.sex, citizen.address) == (
            person.personal_id,
            person.full_name,
            person.birth,
            person.sex,
            person.address,
        )


def test_without_dg13_the_zone_speaks_in_the_right_century():
    for name, birth in (("thu", date(1958, 8, 20)), ("nghiem", date(2009, 11, 5))):
        groups = {1: data_groups(PEOPLE[name])[1]}
        assert citizen_of(groups, IdentityGrade.CHIP_READ, {}).birth == birth


@pytest.mark.parametrize(
    "foreign",
    [text(1, "001199000124", 0x13), text(2, "NGUYỄN THỊ MẬN"), text(3, "03/01/1999", 0x13)],
    ids=["number", "name", "birth"],
)
def test_groups_that_contradict_each_other_are_bad_data(foreign: bytes):
    with pytest.raises(BadData, match="differ"):
        citizen_of({1: MAU[1], 13: dg13(foreign)}, IdentityGrade.CHIP_READ, {})


def test_spelling_that_only_the_zone_cannot_hold_is_no_contradiction():
    zone = "IDVNM2010007897079201000789<<7" + "0106108M4106106VNM<<<<<<<<<<<4" + "YBHIM<NIE<<<<<<<<<<<<<<<<<<<<<"
    groups = {1: encode(0x61, encode(0x5F1F, zone.encode())), 13: dg13(text(2, "Y'BHĨM NIÊ"))}
    assert citizen_of(groups, IdentityGrade.CHIP_READ, {}).full_name == "Y'BHĨM NIÊ"


def test_a_card_of_another_state_is_refused():
    with pytest.raises(BadData):
        citizen_of({1: encode(0x61, encode(0x5F1F, SPECIMEN.encode()))}, IdentityGrade.CHIP_READ, {})


@pytest.mark.parametrize("words", ["Không thời hạn", "00/00/1960", "31/02/2000", "2000-01-01", ""])
def test_what_is_no_date_is_none(words: str):
    assert vietnamese_date(words) is None


def test_check_digit_wraps_fillers_and_letters():
    assert check_digit("L898902C<") == "3"


PARSERS = (parse_dg13, portrait_of_dg2, mrz_of_dg1, groups_of_com, parse_sod)


@given(st.sampled_from(PARSERS), st.binary(max_size=300))
def test_no_bytes_break_a_parser(parser, raw: bytes):
    with contextlib.suppress(BadData):
        parser(raw)


@given(st.data())
def test_no_damage_breaks_a_parser(data):
    """Real files with bytes altered, cut out or doubled: read, or refused as bad data."""
    parser, number = data.draw(st.sampled_from([(parse_dg13, 13), (mrz_of_dg1, 1), (portrait_of_dg2, 2)]))
    raw = bytearray(MAU[number][:600])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(BadData):
        parser(bytes(raw))


def test_the_longest_names_are_compared_as_far_as_the_zone_goes():
    person = PEOPLE["mau"]
    name = "TRẦN NGUYỄN PHƯƠNG QUỲNH HƯƠNG THẢO LINH"
    long = type(person)(**{slot: getattr(person, slot) for slot in person.__slots__} | {"full_name": name})
    assert citizen_of(data_groups(long), IdentityGrade.CHIP_READ, {}).full_name == name
