"""DG11, DG12 and DG13: what they say of the holder, in the shapes that issuers use."""

import contextlib
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.card.errors import BadData
from hardware.card.holder_groups import Dg11, Dg12, Dg13, parse_dg11, parse_dg12, parse_dg13, vietnamese_date
from hardware.card.tlv import encode
from hardware.simulators.personalisation.files import data_groups
from hardware.simulators.personalisation.person import load_people

PEOPLE = load_people(Path(__file__).parents[3] / "assets" / "cards")
VECTOR = bytes.fromhex(
    "6d433041313f3011020101130c30303131393930303031323330190201020c144e475559e1bb844e205448e1bb8a204de1baaa55"
    "300f020103130a30322f30312f31393939"
)
FULL_DG11 = encode(
    0x6B,
    encode(0x5C, bytes.fromhex("5F0EA05F105F2B5F115F425F125F135F145F155F165F175F18"))
    + encode(0x5F0E, "NGUYỄN<<THỊ<MẪU".encode())
    + encode(0xA0, encode(0x02, b"\x02") + encode(0x5F0F, b"MAU<<ANNA") + encode(0x5F0F, b"MAU<<BERTA"))
    + encode(0x5F10, b"001199000123")
    + encode(0x5F2B, b"19990102")
    + encode(0x5F11, "YÊN MÔ<NINH BÌNH".encode())
    + encode(0x5F42, "12 PHỐ THÍ DỤ<HÀ NỘI<".encode())
    + encode(0x5F12, b"+84 24 0000 0000")
    + encode(0x5F13, b"TEACHER")
    + encode(0x5F14, b"DR")
    + encode(0x5F15, b"SUMMARY")
    + encode(0x5F16, b"\xff\xd8\xff picture")
    + encode(0x5F17, b"B1234567<C7654321")
    + encode(0x5F18, b"CUSTODY"),
)
FULL_DG12 = encode(
    0x6C,
    encode(0x5C, bytes.fromhex("5F195F26A05F1B5F1C5F1D5F1E5F555F56"))
    + encode(0x5F19, b"UTOPIAN OFFICE")
    + encode(0x5F26, b"20240315")
    + encode(0xA0, encode(0x02, b"\x01") + encode(0x5F1A, b"SMITH<<BRENDA<P"))
    + encode(0x5F1B, b"NONE")
    + encode(0x5F1C, b"TAX FREE")
    + encode(0x5F1D, b"\xff\xd8\xff front")
    + encode(0x5F55, b"20240315101112")
    + encode(0x5F56, b"SN-1"),
)


def entry(n: int, *values: bytes) -> bytes:
    return encode(0x30, encode(0x02, bytes([n])) + b"".join(values))


def utf8(value: str, tag: int = 0x0C) -> bytes:
    return encode(tag, value.encode())


def dg13(*entries: bytes) -> bytes:
    return encode(0x6D, encode(0x30, encode(0x31, b"".join(entries))))


def told(group: object) -> dict[str, object]:
    """The fields that are not empty."""
    return {f.name: value for f in fields(group) if (value := getattr(group, f.name)) not in ("", (), None)}


def test_the_published_dg13_vector_is_read():
    assert told(parse_dg13(VECTOR)) == {
        "personal_id": "001199000123",
        "full_name": "NGUYỄN THỊ MẪU",
        "birth": "02/01/1999",
    }


def test_every_field_of_the_card_is_read():
    for person in PEOPLE.values():
        own = parse_dg13(data_groups(person)[13])
        assert (own.personal_id, own.full_name, own.sex) == (person.personal_id, person.full_name, person.sex)
        assert (own.nationality, own.origin, own.address) == ("Việt Nam", person.origin, person.address)
        assert vietnamese_date(own.birth) == person.birth
        assert vietnamese_date(own.issued) == person.issued
        assert vietnamese_date(own.expiry) == person.expiry
        assert own.expiry
        assert (own.father, own.mother, own.spouse) == (person.father, person.mother, person.spouse)
        assert (own.old_id, own.marks) == (person.old_number, "Không có")


def test_ethnicity_and_religion_are_dropped_unless_they_are_asked_for():
    raw = dg13(entry(6, utf8("Kinh")), entry(7, utf8("Không")), entry(5, utf8("Việt Nam")))
    assert told(parse_dg13(raw)) == {"nationality": "Việt Nam"}
    assert told(parse_dg13(raw, sensitive=True)) == {
        "nationality": "Việt Nam",
        "ethnicity": "Kinh",
        "religion": "Không",
    }


def test_a_name_that_contains_the_pattern_of_a_field_stays_a_name():
    tricky = "A0\x11\x02\x01\x01\x13\x0c999999999999"
    own = parse_dg13(dg13(entry(1, utf8("001199000123", 0x13)), entry(2, utf8(tricky))))
    assert own.personal_id == "001199000123"


def test_unknown_fields_and_long_lengths_are_accepted():
    foreign = entry(78, encode(0x04, b"\xff")) + entry(0, encode(0x31, b"\xff"))
    own = parse_dg13(dg13(entry(9, utf8("Thôn " + "x" * 300)), foreign, entry(16, utf8("", 0x13))))
    assert told(own) == {"address": "Thôn " + "x" * 300}


def test_a_field_without_a_value_is_empty():
    assert told(parse_dg13(dg13(entry(14), entry(13), entry(8, utf8("Huế"))))) == {"origin": "Huế"}


@pytest.mark.parametrize(
    ("value", "father", "mother"),
    [
        (encode(0x30, utf8("CHA") + utf8("MẸ")), "CHA", "MẸ"),
        (encode(0x30, utf8("") + utf8("MẸ")), "", "MẸ"),
        (encode(0x30, utf8("CHA")), "CHA", ""),
        (encode(0x30, b""), "", ""),
        (utf8("CHA") + utf8("MẸ"), "CHA", ""),
    ],
)
def test_parents_are_told_in_a_sequence(value: bytes, father: str, mother: str):
    own = parse_dg13(dg13(entry(13, value)))
    assert (own.father, own.mother) == (father, mother)


@pytest.mark.parametrize("value", [encode(0x02, b"\x01"), encode(0x30, encode(0x04, b"x")), utf8("x")[:-1] + b"\xff"])
def test_a_known_field_that_is_no_string_is_bad_data(value: bytes):
    with pytest.raises(BadData, match="DG13"):
        parse_dg13(dg13(entry(2, value)))


def test_additional_personal_details_are_read():
    assert told(parse_dg11(FULL_DG11)) == {
        "full_name": "NGUYỄN THỊ MẪU",
        "other_names": ("MAU ANNA", "MAU BERTA"),
        "personal_number": "001199000123",
        "birth": date(1999, 1, 2),
        "birth_place": "YÊN MÔ, NINH BÌNH",
        "address": "12 PHỐ THÍ DỤ, HÀ NỘI",
        "telephone": "+84 24 0000 0000",
        "profession": "TEACHER",
        "title": "DR",
        "summary": "SUMMARY",
        "other_documents": ("B1234567", "C7654321"),
        "custody": "CUSTODY",
    }


def test_additional_document_details_are_read():
    assert told(parse_dg12(FULL_DG12)) == {
        "issuing_authority": "UTOPIAN OFFICE",
        "issued": date(2024, 3, 15),
        "other_persons": ("SMITH BRENDA P",),
        "endorsements": "NONE",
        "tax_or_exit": "TAX FREE",
        "personalised": "20240315101112",
        "system_serial": "SN-1",
    }


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (b"19990102", date(1999, 1, 2)),
        (bytes.fromhex("19990102"), date(1999, 1, 2)),
        (b"19990000", None),
        (bytes.fromhex("1999000F"), None),
        ("１９９９０１０２".encode(), None),
        (b"", None),
    ],
)
def test_dates_are_told_in_characters_or_bcd(value: bytes, day: date | None):
    assert parse_dg11(encode(0x6B, encode(0x5F2B, value))).birth == day
    assert parse_dg12(encode(0x6C, encode(0x5F26, value))).issued == day


def test_a_moment_in_bcd_reads_like_one_in_characters():
    raw = encode(0x6C, encode(0x5F55, bytes.fromhex("20240315101112")))
    assert parse_dg12(raw).personalised == "20240315101112"


def test_a_single_other_name_may_stand_bare():
    assert parse_dg11(encode(0x6B, encode(0x5F0F, b"MAU<<ANNA"))).other_names == ("MAU ANNA",)


def test_what_is_not_told_or_makes_no_sense_is_empty():
    assert parse_dg11(encode(0x6B, b"")) == Dg11()
    assert parse_dg12(encode(0x6C, b"")) == Dg12()
    assert parse_dg13(dg13()) == Dg13()
    odd = encode(0x5F0E, b"\xff\xfe") + encode(0x5F7F, b"?") + encode(0x9A, b"") + encode(0x5F12, b"1") * 2
    assert told(parse_dg11(encode(0x6B, odd))) == {"telephone": "1"}


def test_a_flood_of_names_is_cut():
    names = encode(0xA0, encode(0x5F0F, b"X") * 900)
    assert len(parse_dg11(encode(0x6B, names)).other_names) < 30


@pytest.mark.parametrize("words", ["Không thời hạn", "00/00/1960", "31/02/2000", "2000-01-01", "", "０１/01/2000"])
def test_what_is_no_date_is_none(words: str):
    assert vietnamese_date(words) is None


def test_nothing_of_the_holder_is_in_what_a_log_could_show():
    groups = (parse_dg11(FULL_DG11), parse_dg12(FULL_DG12), parse_dg13(VECTOR))
    assert not any(word in repr(groups) for word in ("MẪU", "0011", "1999", "UTOPIAN"))


@given(st.data())
def test_no_damage_breaks_a_parser(data):
    cases = [(parse_dg11, FULL_DG11), (parse_dg12, FULL_DG12), (parse_dg13, VECTOR)]
    parser, content = data.draw(st.sampled_from(cases))
    raw = bytearray(content)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(BadData):
        parser(bytes(raw))


@given(st.dictionaries(st.sampled_from([0x5F0E, 0x5F2B, 0x5F11, 0x5F55, 0x5F26, 0x5F17, 0xA0]), st.binary(max_size=40)))
def test_no_values_break_a_parser(values: dict[int, bytes]):
    content = b"".join(encode(tag, value) for tag, value in values.items())
    for parser, tag in ((parse_dg11, 0x6B), (parse_dg12, 0x6C)):
        with contextlib.suppress(BadData):
            parser(encode(tag, content))
