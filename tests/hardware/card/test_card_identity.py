"""The holder of a document, put together from its groups; and whether that is somebody this kiosk serves by card."""

import contextlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.card.errors import BadData, CardError
from hardware.card.identity import citizen_of, holder_of, problems_of
from hardware.card.mrz import Mrz
from hardware.card.tlv import encode
from hardware.simulators.personalisation.files import data_groups
from hardware.simulators.personalisation.person import load_people
from kiosk.citizen import NO_EXPIRY, Citizen, IdentityGrade
from kiosk.health import Reason

PEOPLE = load_people(Path(__file__).parents[3] / "assets" / "cards")
MAU = PEOPLE["mau"]
GROUPS = data_groups(MAU)
PASSPORT = Mrz("UTO", "L898902C3", "ZE184226B", "740812", "F", "320415", "UTO", "ERIKSSON  ANNA MARIA", "P", "TD3")
TODAY = date(2026, 7, 1)


def dg1(zone: Mrz) -> bytes:
    return encode(0x61, encode(0x5F1F, "".join(zone.lines()).encode()))


def dg11(**values: bytes) -> bytes:
    tags = {"name": 0x5F0E, "number": 0x5F10, "birth": 0x5F2B, "address": 0x5F42}
    return encode(0x6B, b"".join(encode(tags[name], value) for name, value in values.items()))


def dg13(**values: str) -> bytes:
    numbers = {"personal_id": 1, "full_name": 2, "birth": 3, "sex": 4, "expiry": 12}
    entries = (
        encode(0x30, encode(0x02, bytes([numbers[name]])) + encode(0x0C, value.encode()))
        for name, value in values.items()
    )
    return encode(0x6D, encode(0x30, encode(0x31, b"".join(entries))))


def citizen(groups: dict[int, bytes]) -> Citizen:
    return citizen_of(holder_of(groups), IdentityGrade.CHIP_READ, b"", {})


def test_the_holder_of_every_card_is_whole():
    for person in PEOPLE.values():
        holder = holder_of(data_groups(person))
        assert (holder.document_code, holder.issuer) == ("ID", "VNM")
        assert (holder.document_number, holder.personal_id) == (person.personal_id[-9:], person.personal_id)
        assert (holder.full_name, holder.birth, holder.sex) == (person.full_name, person.birth, person.sex)
        assert (holder.address, holder.origin, holder.issued) == (person.address, person.origin, person.issued)
        assert (holder.father, holder.mother, holder.spouse) == (person.father, person.mother, person.spouse)
        assert (holder.expiry, holder.expires) == (person.expiry, person.expiry is not None)
        assert (holder.old_id, holder.marks, holder.nationality) == (person.old_number, "Không có", "Việt Nam")
        assert holder.warnings == ()


def test_the_citizen_of_a_card_is_who_holds_it():
    evidence = {"EF.SOD": b"signed"}
    found = citizen_of(holder_of(GROUPS), IdentityGrade.ISSUER_VERIFIED, b"face", evidence)
    assert (found.personal_id, found.full_name, found.birth) == (MAU.personal_id, MAU.full_name, MAU.birth)
    assert (found.sex, found.address, found.grade) == (MAU.sex, MAU.address, IdentityGrade.ISSUER_VERIFIED)
    assert (found.portrait, found.evidence) == (b"face", evidence)


def test_without_dg13_the_zone_speaks_in_the_right_century():
    for name, birth in (("thu", date(1958, 8, 20)), ("nghiem", date(2009, 11, 5))):
        holder = holder_of({1: data_groups(PEOPLE[name])[1]})
        assert (holder.birth, holder.nationality, holder.address) == (birth, "VNM", "")
    assert holder_of({1: GROUPS[1]}).full_name == "NGUYEN THI MAU"


def test_without_dg1_there_is_no_holder():
    with pytest.raises(BadData, match="missing"):
        holder_of({13: GROUPS[13]})


@pytest.mark.parametrize(
    "other",
    [{"personal_id": "001199000124"}, {"full_name": "NGUYỄN THỊ MẬN"}, {"birth": "03/01/1999"}],
    ids=["number", "name", "birth"],
)
def test_groups_of_a_card_that_contradict_each_other_are_bad_data(other: dict[str, str]):
    with pytest.raises(BadData, match="DG13 and DG1 differ") as caught:
        holder_of({1: GROUPS[1], 13: dg13(**other)})
    assert not any(value in str(caught.value) for value in other.values())


@pytest.mark.parametrize(
    "other",
    [{"number": b"001199000124"}, {"name": b"NGUYEN<<THI<MAN"}, {"birth": b"19990103"}],
    ids=["number", "name", "birth"],
)
def test_additional_details_that_contradict_the_card_are_bad_data(other: dict[str, bytes]):
    with pytest.raises(BadData, match="DG11 and DG1 differ"):
        holder_of({1: GROUPS[1], 11: dg11(**other)})


def test_details_that_agree_fill_what_the_card_does_not_say():
    details = dg11(number=b"001199000123", name="NGUYỄN<<THỊ<MẪU".encode(), birth=b"19990102", address=b"HUE")
    holder = holder_of({1: GROUPS[1], 11: details})
    assert (holder.full_name, holder.birth, holder.address) == ("NGUYỄN THỊ MẪU", date(1999, 1, 2), "HUE")


def test_spelling_that_only_the_zone_cannot_hold_is_no_contradiction():
    zone = Mrz("VNM", "201000789", "079201000789", "010610", "M", "410610", "VNM", "YBHIM  NIE")
    assert holder_of({1: dg1(zone), 13: dg13(full_name="Y'BHĨM NIÊ")}).full_name == "Y'BHĨM NIÊ"


def test_the_longest_names_are_compared_as_far_as_the_zone_goes():
    name = "TRẦN NGUYỄN PHƯƠNG QUỲNH HƯƠNG THẢO LINH"
    assert holder_of(data_groups(replace(MAU, full_name=name))).full_name == name
    zone = data_groups(replace(MAU, full_name=name))[1]
    with pytest.raises(BadData, match="name"):
        holder_of({1: zone, 13: dg13(full_name=name.replace("PHƯƠNG", "PHƯỢNGA"))})


def test_a_foreign_passport_has_a_holder_but_is_no_identity_card():
    holder = holder_of({1: dg1(PASSPORT)}, TODAY)
    assert (holder.document_code, holder.issuer, holder.nationality) == ("P", "UTO", "UTO")
    assert (holder.document_number, holder.personal_id) == ("L898902C3", "ZE184226B")
    assert (holder.full_name, holder.birth, holder.sex) == ("ERIKSSON ANNA MARIA", date(1974, 8, 12), "Nữ")
    assert (holder.expiry, holder.expires) == (date(2032, 4, 15), True)
    with pytest.raises(CardError) as caught:
        citizen({1: dg1(PASSPORT)})
    assert caught.value.failure.reason is Reason.NOT_AN_ID_CARD


@pytest.mark.parametrize(
    "zone",
    [
        replace(PASSPORT, issuer="VNM", nationality="VNM", optional="001199000123"),
        replace(MAU.mrz, issuer="UTO"),
        replace(MAU.mrz, document_code="C"),
        replace(MAU.mrz, optional=""),
        replace(MAU.mrz, optional="001999000123"),
    ],
    ids=["passport", "state", "kind", "no-number", "impossible-number"],
)
def test_only_a_vietnamese_card_with_a_personal_number_makes_a_citizen(zone: Mrz):
    with pytest.raises(CardError) as caught:
        citizen({1: dg1(zone)})
    assert caught.value.failure.reason is Reason.NOT_AN_ID_CARD


def test_what_another_state_keeps_in_dg13_is_its_own_affair():
    holder = holder_of({1: dg1(PASSPORT), 13: encode(0x6D, b"\xff\xff")})
    assert holder.full_name == "ERIKSSON ANNA MARIA"


def test_another_state_may_spell_a_name_otherwise_but_not_move_a_birthday():
    holder = holder_of({1: dg1(PASSPORT), 11: dg11(name="ERIKSSÖN<<ÄNNA<MARÍA<LUÍSA".encode(), number=b"X-1")})
    assert (holder.full_name, holder.personal_id) == ("ERIKSSÖN ÄNNA MARÍA LUÍSA", "X-1")
    assert holder.warnings == ("DG11 and DG1 differ in the spelling of the name",)
    with pytest.raises(BadData, match="birth"):
        holder_of({1: dg1(PASSPORT), 11: dg11(birth=b"19740813")})


@pytest.mark.parametrize(
    ("printed", "born"),
    [("260701", date(2026, 7, 1)), ("260702", date(1926, 7, 2)), ("740800", None), ("7408<<", None)],
)
def test_nobody_is_born_in_the_future(printed: str, born: date | None):
    assert holder_of({1: dg1(replace(PASSPORT, birth=printed))}, TODAY).birth == born


def test_a_card_without_end_never_expires():
    zone = replace(MAU.mrz, expiry="991231")
    for groups in (
        {1: dg1(zone)},
        {1: dg1(zone), 13: dg13(expiry="Không thời hạn")},
        {1: dg1(replace(MAU.mrz, expiry="240101")), 13: dg13(expiry="Không thời hạn")},
        {1: dg1(replace(MAU.mrz, expiry="<<<<<<"))},
    ):
        holder = holder_of(groups)
        assert (holder.expires, holder.expiry) == (False, None)
        assert problems_of(holder, NO_EXPIRY) == ()


def test_a_card_has_expired_on_the_day_after_its_last():
    holder = holder_of(GROUPS)
    assert holder.expiry == MAU.expiry == date(2039, 1, 2)
    assert problems_of(holder, date(2039, 1, 2)) == ()
    assert problems_of(holder, date(2039, 1, 3)) == ("document_expired",)
    assert citizen(GROUPS).full_name == MAU.full_name


def test_what_is_merely_odd_is_a_warning_without_anything_of_the_holder():
    odd = replace(MAU.mrz, document_number="199000124")
    holder = holder_of({1: dg1(odd), 13: dg13(sex="Nam", expiry="03/01/2039")})
    assert len(holder.warnings) == 3
    assert not any(told in " ".join(holder.warnings) for told in ("199000124", MAU.personal_id, "2039", "Nam"))


def test_nothing_of_the_holder_is_in_what_a_log_could_show():
    assert not any(word in repr(holder_of(GROUPS)) for word in (MAU.full_name, MAU.personal_id, "1999"))


SOURCES = {
    1: [GROUPS[1], dg1(PASSPORT)],
    11: [dg11(name=b"A<<B", number=b"1", birth=b"19990102")],
    12: [encode(0x6C, encode(0x5F26, b"20240315"))],
    13: [GROUPS[13], dg13(expiry="Không thời hạn")],
}


@given(st.data())
def test_no_groups_whatever_break_the_holder(data):
    groups = {}
    for number, known in SOURCES.items():
        raw = bytearray(data.draw(st.sampled_from(known)))
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.integers(0, len(raw) - 1))
            raw[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        if data.draw(st.booleans()):
            groups[number] = bytes(raw)
    with contextlib.suppress(BadData):
        problems_of(holder_of(groups, TODAY), TODAY)


DAMAGED = st.text("0123456789<", min_size=6, max_size=6)


@given(DAMAGED, DAMAGED, st.text("0123456789<ABC", max_size=14), st.sampled_from(["VNM", "UTO", "D"]))
def test_whatever_a_zone_with_right_check_digits_says_has_a_holder(birth: str, expiry: str, number: str, issuer: str):
    zone = replace(MAU.mrz, birth=birth, expiry=expiry, optional=number, issuer=issuer)
    holder = holder_of({1: dg1(zone)}, TODAY)
    problems_of(holder, TODAY)
    with contextlib.suppress(CardError):
        assert citizen_of(holder, IdentityGrade.CHIP_READ, b"", {}).personal_id == number[:12]
