"""Finding by difference from the empty tray: faint paper, stale references, hands, several sheets."""

import cv2
import numpy as np
import pytest

from hardware.camera.page import take
from hardware.camera.scene import Seen, find
from hardware.camera.tray import Tray
from kiosk.health import Reason

SIZE = (1280, 960)


def photo(picture, seed, gain=1.0):
    """With the sensor's noise and through a JPEG."""
    noisy = picture * gain + np.random.default_rng(seed).normal(0, 2.5, picture.shape)
    data = cv2.imencode(".jpg", np.rint(noisy).clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def ground(level=210.0, slope=0.06):
    x = np.linspace(-1, 1, SIZE[0], dtype=np.float32)[None, :, None]
    return np.full((SIZE[1], SIZE[0], 3), level, np.float32) * (1 + slope * x)


def sheet_on(picture, paper, middle=(640, 480), size=(460, 650), turn=4.0, text=True):
    """A page with writing; returns its corners."""
    corners = cv2.boxPoints((middle, size, turn))
    cv2.fillPoly(picture, [np.rint(corners * 16).astype(np.int32)], (paper,) * 3, cv2.LINE_AA, 4)
    ink = np.zeros(picture.shape[:2], np.uint8)
    for y in range(-7, 8) if text else ():
        at = (int(middle[0] - 0.36 * size[0]), int(middle[1] + y * size[1] / 18))
        cv2.putText(ink, "mau don 0123", at, cv2.FONT_HERSHEY_SIMPLEX, 0.9, 255, 2, cv2.LINE_AA)
    picture *= 1 - 0.7 * (ink[..., None] / np.float32(255))
    return corners


def worst(found, corners):
    return min(np.hypot(*(np.roll(found.corners, k, axis=0) - corners).T).max() for k in range(4))


def tray_of(picture):
    return Tray.of([photo(picture, seed) for seed in range(5)])


@pytest.mark.parametrize("levels", [30, 8, 5, 3])
@pytest.mark.parametrize("text", [True, False])
def test_white_paper_is_found_on_a_white_tray(levels, text):
    empty = ground(slope=0)
    laid = empty.copy()
    corners = sheet_on(laid, 210.0 + levels, text=text)
    scene = find(photo(laid, 9, gain=0.97), tray_of(empty))
    assert scene.seen is Seen.SHEET
    assert worst(scene.found, corners) < 0.005 * np.hypot(*SIZE)


def test_nothing_is_seen_on_the_empty_tray_in_other_light_or_under_a_shadow():
    empty = ground(120.0)
    tray = tray_of(empty)
    assert find(photo(empty, 9, gain=1.1), tray).seen is Seen.NOTHING
    shadow = cv2.GaussianBlur(cv2.circle(np.zeros(SIZE[::-1], np.float32), (600, 900), 400, 1.0, -1), (0, 0), 40)
    assert find(photo(empty * (1 - 0.4 * shadow)[..., None], 9), tray).seen is Seen.NOTHING


def test_a_soft_round_shadow_of_the_size_of_a_sheet_is_no_sheet_even_on_a_white_tray():
    empty = ground(205.0)
    shadow = np.zeros(SIZE[::-1], np.float32)
    cv2.ellipse(shadow, (680, 440), (300, 260), 0, 0, 360, 1.0, -1)
    shaded = photo(empty * (1 - 0.4 * cv2.GaussianBlur(shadow, (0, 0), 35))[..., None], 9)
    assert find(shaded, tray_of(empty)).found is None
    assert find(shaded).found is None


def test_the_edge_of_faint_paper_wins_over_the_edge_of_the_writing_on_it():
    """Dense writing is a far stronger step than white paper on a white tray, and as straight."""
    empty = ground(slope=0)
    laid = empty.copy()
    corners = sheet_on(laid, 213.0, turn=5.0, text=False)
    block = cv2.boxPoints(((640, 480), (370, 560), 5.0))
    cv2.fillPoly(laid, [np.rint(block).astype(np.int32)], (150.0, 150.0, 150.0))
    scene = find(photo(laid, 9), tray_of(empty))
    assert scene.seen is Seen.SHEET
    assert worst(scene.found, corners) < 0.005 * np.hypot(*SIZE)


def test_a_moved_tray_makes_the_reference_stale_and_the_page_is_still_found():
    checks = np.kron(np.indices((12, 16)).sum(axis=0) % 2, np.ones((80, 80)))[..., None].astype(np.float32) * 60 + 60
    empty = np.repeat(checks, 3, axis=2)
    moved = np.roll(empty, 80, axis=1)
    sheet_on(moved, 235.0)
    scene = find(photo(moved, 9), tray_of(empty))
    assert scene.stale
    assert scene.seen is Seen.SHEET
    assert take(photo(moved, 9), tray=tray_of(empty), least_dpi=50).stale


def test_the_reference_follows_dust_and_daylight_while_the_tray_is_empty():
    tray = tray_of(ground(120.0))
    dusty = ground(120.0)
    cv2.circle(dusty, (500, 500), 120, (150.0, 150.0, 150.0), -1)
    assert find(photo(dusty, 9), tray).seen is not Seen.NOTHING
    for seed in range(60):
        tray = tray.updated(photo(dusty, seed))
    assert find(photo(dusty, 99), tray).seen is Seen.NOTHING


def test_two_sheets_a_cut_sheet_and_a_hand_are_told_apart():
    empty = ground(110.0)
    tray = tray_of(empty)
    two = empty.copy()
    sheet_on(two, 230.0, (330, 480), (400, 566))
    sheet_on(two, 225.0, (900, 480), (400, 566), -3)
    assert find(photo(two, 9), tray).seen is Seen.SEVERAL

    cut = empty.copy()
    sheet_on(cut, 230.0, (640, 780))
    assert find(photo(cut, 9), tray).seen is Seen.CUT_OFF

    hand = empty.copy()
    corners = sheet_on(hand, 230.0)
    cv2.line(hand, (1279, 500), (830, 480), (110.0, 140.0, 200.0), 90)
    scene = find(photo(hand, 9), tray)
    assert scene.seen is Seen.HAND
    assert scene.refused is Reason.PAGE_HAND
    assert worst(scene.found, corners) < 0.01 * np.hypot(*SIZE)


def test_a_reference_survives_its_file_to_a_fraction_of_a_level():
    tray = tray_of(ground(120.0))
    again = Tray.of_png(tray.png(), 330.0)
    assert again.view_mm == 330.0
    assert np.abs(again.reference - tray.reference).max() < 0.01
    assert Tray.of_png(b"") is None
    assert Tray.of_png(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()) is None


def test_a_reference_of_another_shape_is_not_used():
    assert find(photo(ground(), 1), Tray.of([np.zeros((400, 400, 3), np.uint8)])).stale


def test_a_tray_needs_a_frame():
    with pytest.raises(ValueError, match="at least one frame"):
        Tray.of([])
