"""Vietnamese out of plain keys."""

import unicodedata

import pytest

from screens.keyboard import telex

WORDS = {
    "dduwowngf": "đường",
    "dduowngf": "đường",
    "duongdwf": "đường",
    "nguwowif": "người",
    "nguowfi": "người",
    "khuyur": "khuỷu",
    "tieengs": "tiếng",
    "tiengse": "tiếng",
    "vieejt": "việt",
    "hoaf": "hòa",
    "hoanf": "hoàn",
    "thuys": "thúy",
    "quys": "quý",
    "quas": "quá",
    "giaf": "già",
    "gif": "gì",
    "gieengs": "giếng",
    "muaw": "mưa",
    "duw": "dư",
    "thuowr": "thuở",
    "huuw": "hưu",
    "ruowuj": "rượu",
    "nghieenj": "nghiện",
    "khuyeens": "khuyến",
    "ngoaif": "ngoài",
    "hoawcj": "hoặc",
    "quoocs": "quốc",
    "truowngf": "trường",
    "tuwowngr": "tưởng",
    "yeeu": "yêu",
    "gioiws": "giới",
    "DDaf": "Đà",
    "NGUYEENX": "NGUYỄN",
    "Ddieenj": "Điện",
}
UNDONE = {"thuyrr": "thuyr", "aaa": "aa", "ddd": "dd", "ass": "as", "asz": "a", "ooo": "oo"}
FOREIGN = {"window": "window", "ww": "ww", "az": "az", "zip": "zip"}


def compose(keys: str) -> str:
    word = ""
    for key in keys:
        word = telex.press(word, key)
    return word


@pytest.mark.parametrize(("keys", "word"), (WORDS | UNDONE | FOREIGN).items())
def test_keys_compose_the_word(keys, word):
    assert compose(keys) == word


@pytest.mark.parametrize("keys", WORDS)
def test_everything_composed_is_nfc(keys):
    word = compose(keys)
    assert word == unicodedata.normalize("NFC", word)


def test_marks_may_be_touched_directly_and_take_a_tone_where_it_belongs():
    assert telex.with_tone("ngươi", telex.TONES["f"]) == "người"
    assert telex.with_tone("quôc", telex.TONES["s"]) == "quốc"
    assert telex.with_tone("hoà", "") == "hoa"


def test_backspace_needs_no_history():
    assert telex.press("đườn", "g") == "đường"
