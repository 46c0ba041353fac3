"""Numbers, QR codes and expiry rules of the ID card."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.citizen import (
    NO_EXPIRY,
    AccessKey,
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


def test_never_more_than_two_guesses():
    for year in range(1940, 2020):
        assert 1 <= len(expiry_candidates(date(year, 6, 15), date(2022, 1, 1))) <= 2


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
