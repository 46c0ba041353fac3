"""The machine readable zone out of camera frames."""

from datetime import date

import cv2
import numpy as np
import pytest

from benchmarks.card_shots import Shot, mrz_shots, zone
from hardware.camera.mrz_reader import MrzReading, MrzVotes, Seen, access_key, read_mrz
from hardware.camera.ocr_b import ALPHABET
from hardware.card.bac import PrintedKey
from hardware.card.mrz import Mrz
from hardware.simulators import papers
from kiosk.citizen import AccessKey

CARD = Mrz("VNM", "199000123", "001199000123", "990102", "F", "390102", "VNM", "NGUYEN  THI MAU")


@pytest.fixture(scope="module", name="shots")
def _shots() -> dict[str, Shot]:
    return {shot.name: shot for shot in mrz_shots(3, 1)}


def voted(shot: Shot) -> MrzReading | None:
    votes, reading = MrzVotes(), None
    for frame in shot.frames:
        reading = votes.add(frame)
        if reading is not None and reading.valid:
            break
    return reading


KINDS = [
    "pitch 8",
    "pitch 24",
    "tilt 30",
    "upside down",
    "sideways",
    "glare",
    "blur 1.2",
    "noise 12",
    "clutter",
    "worn",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_in_a_hard_shot_is_read_exactly_within_ten_frames(shots, kind):
    reading = voted(shots[kind])
    assert reading is not None
    assert reading.valid
    assert "\n".join(reading.lines) == shots[kind].text


def test_a_passport_is_read_exactly():
    shot = next(iter(mrz_shots(4, 1, "TD3")))
    reading = voted(shot)
    assert reading is not None
    assert reading.mrz is not None
    assert reading.mrz.size == "TD3"
    assert "\n".join(reading.lines) == shot.text


def test_the_outline_lies_around_the_zone(shots):
    frame = next(iter(shots["upside down"].frames))
    reading = read_mrz(frame)
    assert reading is not None
    first, second, _, last = reading.corners
    assert first[0] > second[0]  # on its head: the first character is at the right
    assert first[1] > last[1]
    assert ((reading.corners > 0) & (reading.corners < frame.shape[1::-1])).all()


def test_papers_and_empty_tables_have_no_zone():
    for name in ("petition-1", "birth-form-1"):
        page = np.ascontiguousarray(np.asarray(papers.PAPERS[name].draw())[:1400, :1400, ::-1])
        assert read_mrz(page) is None
    assert read_mrz(np.full((600, 800, 3), 90, np.uint8)) is None


# --- what is believed ---


def frame_that_says(text: str, sure: float = 6.0) -> Seen:
    """A frame in which every character of `text` leads by `sure`."""
    likelihoods = np.full((90, len(ALPHABET)), -8.0)
    likelihoods[:, :] = -sure - 1
    likelihoods[np.arange(90), [ALPHABET.index(letter) for letter in text]] = -0.01
    return Seen("TD1", likelihoods, -0.01, np.zeros((4, 2)))


def heard(*frames: Seen) -> MrzReading:
    votes = MrzVotes()
    for frame in frames:
        votes.hear(frame)
    reading = votes.result()
    assert reading is not None
    return reading


def test_a_wrong_check_digit_is_never_believed_however_sure_the_characters_look():
    text = "".join(CARD.lines())
    wrong = text[:35] + ("0" if text[35] != "0" else "1") + text[36:]
    reading = heard(*[frame_that_says(wrong)] * 5)
    assert not reading.valid
    assert "check digit" in reading.doubt


def test_a_doubtful_character_is_not_believed_even_with_right_check_digits():
    reading = heard(frame_that_says("".join(CARD.lines()), sure=0.8))
    assert not reading.valid
    assert reading.doubt == "a character is not sure"


def test_frames_of_two_cards_do_not_make_one():
    other = zone(np.random.default_rng(8))
    reading = heard(frame_that_says("".join(CARD.lines())), frame_that_says("".join(other.lines())))
    assert not reading.valid


def test_two_numbers_on_a_card_that_differ_are_not_believed_though_every_digit_is_right():
    text = "".join(Mrz("VNM", "199000124", "001199000123", "990102", "F", "390102", "VNM", "MAU  THI").lines())
    assert not heard(*[frame_that_says(text)] * 3).valid


def test_a_frame_under_glare_does_not_outvote_the_others():
    text = "".join(CARD.lines())
    blind = frame_that_says(text[:40] + "9" * 5 + text[45:], sure=12)
    assert heard(*[frame_that_says(text)] * 3, blind).valid


def test_a_reading_says_nothing_of_the_holder_when_it_is_logged():
    assert "MAU" not in repr(heard(frame_that_says("".join(CARD.lines()))))


# --- the chip's key ---


def test_the_zone_of_a_card_opens_its_chip():
    assert access_key(CARD) == AccessKey("001199000123", date(1999, 1, 2), date(2039, 1, 2))


def test_the_zone_of_a_passport_is_a_key_as_printed():
    passport = Mrz(
        "VNM", "B1234567", "001199000123", "990102", "F", "390102", "VNM", "MAU", document_code="P", size="TD3"
    )
    assert access_key(passport) == PrintedKey("B1234567", "990102", "390102")


def test_a_grey_and_a_dark_photograph_say_the_same(shots):
    frame = next(iter(shots["pitch 14"].frames))
    grey = cv2.merge([cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)] * 3)
    for picture in (grey, (frame * 0.45).astype(np.uint8)):
        reading = read_mrz(picture)
        assert reading is not None
        assert "\n".join(reading.lines) == shots["pitch 14"].text
