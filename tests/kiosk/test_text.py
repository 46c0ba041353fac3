"""Search without marks, NFC at every edge, both languages everywhere."""

import unicodedata

import pytest

from kiosk.catalogue import Service, search
from kiosk.health import Reason
from kiosk.i18n import catalogue, remedy, say, title
from kiosk.text import Text, fold, nfc

SERVICES = [
    Service("1", Text("Đăng ký kết hôn", "Marriage"), "HT"),
    Service("2", Text("Đăng kỳ hạn", ""), "HT"),
    Service("3", Text("Điện Biên", ""), "HT"),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("dang ky", ["1", "2"]),
        ("đăng kỳ", ["2", "1"]),
        ("dien bien", ["3"]),
        ("marri", ["1"]),
        ("ket dang", ["1"]),
        ("xyz", []),
        ("", ["1", "2", "3"]),
    ],
)
def test_search_needs_no_marks_and_prefers_exact_ones(query, found):
    assert [s.id for s in search(query, SERVICES)] == found


def test_decomposed_input_is_composed_and_controls_are_dropped():
    assert nfc(unicodedata.normalize("NFD", "Nguyễn\x00\t Thị ")) == "Nguyễn Thị"
    assert fold("ĐƯỜNG") == "duong"


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_title_and_remedy_in_both_languages(reason):
    for text in (title(reason), remedy(reason)):
        assert text.vi
        assert text.en


def test_every_text_is_nfc_and_both_languages_take_the_same_values():
    for key, text in catalogue().items():
        assert text.vi == unicodedata.normalize("NFC", text.vi), key
        assert sorted(_placeholders(text.vi)) == sorted(_placeholders(text.en)), key


def _placeholders(text):
    import string

    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_values_are_filled_in_language_by_language():
    assert say("status.unknown", code=42).vi == "Trạng thái chưa xác định (mã 42)"
