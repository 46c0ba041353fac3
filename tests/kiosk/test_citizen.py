"""Numbers, QR codes and expiry rules of the ID card."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.citizen import (
    NO_EXPIRY,
    AccessKey,
    Citizen,
    IdentityGrade,
    birth_year,
    expiry_candidates,
    mask_id,
    mask_name,
    parse_card_qr,
    valid_personal_id,
)

QR = "001199000123|012345678|NGUYỄN THỊ MẪU|02011999|Nữ|Số 1, phố Mẫu, Hà Nội|05052021"


def test_the_seven_fields_of_the_qr():
    qr = parse_card_qr(QR)
    assert (qr.personal_id, qr.full_name, qr.birth) == ("001199000123", "NGUYỄN THỊ MẪU", date(1999, 1, 2))
    assert (qr.sex, qr.address, qr.issued) == ("Nữ", "Số 1, phố Mẫu, Hà Nội", date(2021, 5, 5))


@pytest.mark.parametrize(
    "payload",
    [
        "001199000123||NGUYỄN THỊ MẪU|02011999|Nữ|Số 1",
        "001199000123||NGUYỄN THỊ MẪU|02/01/1999|Nữ|Số 1|05/05/2021",
        QR + "|TRẦN VĂN CHA|LÊ THỊ MẸ||",
    ],
)
def test_six_fields_slashes_and_extra_fields_are_read(payload):
    assert parse_card_qr(payload).birth == date(1999, 1, 2)


@pytest.mark.parametrize(
    "payload",
    ["", "|||||||", "https://example.invalid", QR.replace("0011", "00X1"), QR.replace("02011999", "31021999"), QR * 20],
)
def test_anything_else_is_refused(payload):
    assert parse_card_qr(payload) is None


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(payload):
    parse_card_qr(payload)


@pytest.mark.parametrize(
    ("birth", "issued", "likeliest"),
    [
        (date(1999, 1, 2), date(2021, 5, 5), date(2024, 1, 2)),  # 22 years old: to the 25th birthday
        (date(1999, 1, 2), date(2022, 5, 5), date(2039, 1, 2)),  # within two years of 25: to the 40th
        (date(1985, 6, 1), date(2021, 5, 5), date(2025, 6, 1)),
        (date(1985, 6, 1), date(2023, 7, 1), date(2045, 6, 1)),
        (date(1960, 6, 1), date(2021, 5, 5), NO_EXPIRY),
        (date(1962, 6, 1), date(2021, 5, 5), NO_EXPIRY),  # 58 years and 11 months: to the next, which is never
        (date(2012, 2, 29), date(2022, 5, 5), date(2026, 2, 28)),
    ],
)
def test_expiry_follows_from_birth_and_issue(birth, issued, likeliest):
    assert expiry_candidates(birth, issued)[0] == likeliest


@pytest.mark.parametrize(
    ("birth", "issued", "expiry"),
    [
        (date(1996, 11, 3), date(2021, 11, 2), date(2036, 11, 3)),  # the day before 25
        (date(1996, 11, 3), date(2021, 11, 3), date(2036, 11, 3)),  # on the 25th birthday
        (date(1996, 11, 3), date(2019, 11, 2), date(2021, 11, 3)),  # a day more than two years before it
        (date(1996, 11, 3), date(2019, 11, 3), date(2036, 11, 3)),  # two years before it
        (date(1981, 11, 3), date(2021, 11, 2), date(2041, 11, 3)),  # the day before 40
        (date(1961, 11, 3), date(2021, 11, 2), NO_EXPIRY),  # the day before 60
        (date(1961, 11, 3), date(2021, 11, 3), NO_EXPIRY),
        (date(2016, 3, 1), date(2024, 8, 1), date(2030, 3, 1)),  # a child's card
        (date(2012, 3, 1), date(2024, 8, 1), date(2037, 3, 1)),  # a child of 12: past 14, to 25
    ],
)
def test_the_days_around_a_milestone(birth, issued, expiry):
    assert expiry_candidates(birth, issued)[0] == expiry


def age_on(birth, day):
    """Whole years, as the law counts them; who was born on 29 February comes of age on the last of February."""
    start = 28 if (birth.month, birth.day) == (2, 29) and day.year % 4 else birth.day
    return day.year - birth.year - ((day.month, day.day) < (birth.month, start))


def lawful_ends(birth, issued):
    """Luật Căn cước 2023, Điều 21, from ages alone; for 29 February both readings of the birthday."""
    age = age_on(birth, issued)
    end = next((m for m in (14, 25, 40, 60) if age < m - 2), None)
    if end is None:
        return {NO_EXPIRY}
    if (birth.month, birth.day) == (2, 29) and (birth.year + end) % 4:
        return {date(birth.year + end, 2, 28), date(birth.year + end, 3, 1)}
    return {date(birth.year + end, birth.month, birth.day)}


FIRST, TODAY = date(2021, 1, 1), date(2026, 11, 23)
births = st.dates(date(1925, 1, 1), date(2020, 12, 31)) | st.builds(
    date, st.sampled_from(range(1928, 2021, 4)), st.just(2), st.just(29)
)


@given(births, st.dates(FIRST, TODAY))
def test_the_lawful_expiry_is_tried_first_and_no_more_than_three_are(birth, issued):
    candidates = expiry_candidates(birth, issued)
    assert candidates[0] in lawful_ends(birth, issued)
    assert lawful_ends(birth, issued) <= set(candidates)
    assert len(set(candidates)) == len(candidates) <= 3


@given(births, st.dates(FIRST, TODAY))
def test_without_a_day_of_issue_the_lawful_expiry_is_among_three(birth, issued):
    candidates = expiry_candidates(birth, None, TODAY)
    assert min(lawful_ends(birth, issued)) in candidates
    assert len(set(candidates)) == len(candidates) <= 3


def test_without_a_day_of_issue_the_first_guess_at_a_valid_card_is_nearly_always_right():
    """Every month of birth, every fortnight of issue, cards that have not expired, of people of 14 and more."""
    born = [date(1925, 1, 1) + n * timedelta(days=30) for n in range(1060)]
    issues = [FIRST + n * timedelta(days=14) for n in range(153)]
    lawful = [(b, lawful_ends(b, issued)) for b in born for issued in issues if age_on(b, issued) >= 14]
    valid = [(birth, ends) for birth, ends in lawful if min(ends) >= TODAY]
    guesses = {birth: expiry_candidates(birth, None, TODAY)[0] for birth, _ in valid}
    assert sum(guesses[birth] in ends for birth, ends in valid) / len(valid) >= 0.95


def test_a_payload_with_an_impossible_year_opens_nothing_and_breaks_nothing():
    assert parse_card_qr(QR.replace("02011999", "02019999")) is None
    assert parse_card_qr(QR.replace("05052021", "05059999")).issued is None


def test_a_card_is_good_on_its_last_day():
    holder = Citizen("001199000123", "", None, "", "", IdentityGrade.CHIP_READ, expiry=date(2026, 11, 23))
    assert not holder.card_expired(date(2026, 11, 23))
    assert holder.card_expired(date(2026, 11, 24))
    assert not replace(holder, expiry=None).card_expired(date(2026, 11, 24))


def test_numbers():
    assert valid_personal_id("001199000123")
    assert not valid_personal_id("00119900012")
    assert not valid_personal_id("001999000123")
    assert birth_year("001199000123") == 1999
    assert birth_year("001205000123") == 2005


def test_a_key_shows_nothing_of_itself():
    assert "0011" not in repr(AccessKey("001199000123", date(1999, 1, 2), date(2039, 1, 2)))
    assert AccessKey("001199000123", date(1999, 1, 2), date(2039, 1, 2)).document_number == "199000123"


def test_masks_keep_just_enough_to_recognise_oneself():
    assert mask_id("001199000123") == "0011••••••23"
    assert mask_name("NGUYỄN THỊ MẪU") == "N••••• T•• M••"
