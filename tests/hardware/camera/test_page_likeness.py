"""Blank pages, pages taken twice, quarter turns: on pages flattened by the real path."""

import cv2
import numpy as np
import pytest

from hardware.camera import likeness
from kiosk.dossier import Page

SIZE = (1654, 2339)


def page(pixels, dpi=200, quality=85):
    return Page(
        cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes(), *pixels.shape[1::-1], dpi
    )


def paper(seed=1):
    noise = np.random.default_rng(seed).normal(0, 3, (SIZE[1], SIZE[0], 3))
    return np.clip(248 + noise, 0, 255).astype(np.uint8)


def written(lines, seed=1, name="NGUYEN THI MAU"):
    """A form: printed lines, one of them filled in by hand."""
    pixels = paper(seed)
    for n in range(lines):
        words = f"{n + 1}. Ho ten, ngay thang nam sinh, noi cu tru" if n % 3 else f"Nguoi khai: {name}"
        cv2.putText(pixels, words, (160, 260 + n * 80), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (40, 30, 30), 3, cv2.LINE_AA)
    return pixels


def retaken(pixels, shift=(4, -3), turn=0.15, gain=0.97):
    """The same paper once more: the corners are found a little elsewhere, the light is another."""
    move = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), turn, 1.002)
    move[:, 2] += shift
    again = cv2.warpAffine(pixels, move, SIZE, borderMode=cv2.BORDER_REPLICATE)
    return np.clip(again * gain + np.random.default_rng(9).normal(0, 3, again.shape), 0, 255).astype(np.uint8)


def test_an_empty_page_is_blank():
    assert likeness.look(page(paper()), []).blank


def test_writing_that_shows_through_from_the_other_side_leaves_a_page_blank():
    through = cv2.addWeighted(paper(), 0.9, cv2.GaussianBlur(written(20)[:, ::-1], (0, 0), 3), 0.1, 0)
    assert likeness.look(page(through), []).blank


def test_one_short_line_makes_a_page_not_blank():
    assert not likeness.look(page(written(1)), []).blank


@pytest.mark.parametrize("turned", [False, True])
def test_a_page_taken_twice_is_noticed_either_way_up(turned):
    again = retaken(written(20))
    again = cv2.rotate(again, cv2.ROTATE_180) if turned else again
    assert likeness.look(page(again), [page(written(12, 2)), page(written(20))]).same_as == 1


def test_the_same_form_filled_in_by_somebody_else_is_another_page():
    other = written(20, name="TRAN VAN BINH")
    assert likeness.look(page(retaken(other)), [page(written(20))]).same_as is None


def test_the_next_page_of_a_letter_is_another_page():
    upside = written(20)[::-1].copy()
    assert likeness.look(page(upside), [page(written(20))]).same_as is None


def test_pages_of_other_size_are_other_pages():
    small = cv2.resize(written(20), None, fx=0.7, fy=0.7)
    assert likeness.look(page(small), [page(written(20))]).same_as is None


def test_a_turned_page_stands_on_its_side_and_four_turns_bring_it_back():
    once = page(written(20))
    sideways = likeness.turned(once)
    assert (sideways.width, sideways.height, sideways.dpi) == (once.height, once.width, once.dpi)
    back = likeness.turned(likeness.turned(likeness.turned(sideways)))
    before, after = (cv2.imdecode(np.frombuffer(p.jpeg, np.uint8), cv2.IMREAD_COLOR) for p in (once, back))
    assert cv2.PSNR(before, after) > 38


def test_a_picture_that_cannot_be_read_is_not_judged():
    assert likeness.look(Page(b"no jpeg", 10, 10, 200), []) == likeness.PageLook()
