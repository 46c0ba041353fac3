"""Sheets that do not lie flat: their lines come out straight, and flat ones are left alone."""

import cv2
import numpy as np
import pytest

from hardware.camera import curl
from hardware.camera.page import decoded, take
from hardware.camera.sizes import Sheet
from hardware.simulators.papers.conditions import Conditions
from hardware.simulators.papers.desk import Pose, compose

A4 = Sheet("A4", 210.0, 297.0, 200.0)
DPI = 150
SCALE = 4  # pixels a mm of the drawn sheet
GRID = [(x, y) for y in range(20, 290, 32) for x in range(15, 205, 30)]

SHAPES = {
    "bowed": lambda t: 6 * np.sin(np.pi * t),
    "hollow": lambda t: -4 * np.sin(np.pi * t),
    "one corner up": lambda t: 5 * t**3,
    "wave": lambda t: 2.5 * np.sin(2 * np.pi * t),
}


def photograph(across=None, down=None, ground=(70, 75, 60), paper=235) -> tuple[np.ndarray, np.ndarray]:
    """A sheet with dots at GRID, bent by `across` (mm down over 0..1 across) and `down`, and its corners if flat."""
    margin = 30
    shape = ((297 + 2 * margin) * SCALE, (210 + 2 * margin) * SCALE)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) / SCALE - margin
    flat = np.full((*shape, 3), ground, np.float32)
    sheet = np.full((297 * SCALE, 210 * SCALE, 3), paper, np.float32)
    for place in GRID:
        cv2.circle(sheet, (place[0] * SCALE, place[1] * SCALE), SCALE, (20, 20, 20), -1, cv2.LINE_AA)
    along = y - (0 if across is None else across(np.clip(x / 210, 0, 1)).astype(np.float32))
    beside = x - (0 if down is None else down(np.clip(y / 297, 0, 1)).astype(np.float32))
    bent = cv2.remap(sheet, beside * SCALE, along * SCALE, cv2.INTER_LINEAR, borderValue=(-1, -1, -1))
    picture = np.where(bent.min(axis=2, keepdims=True) < 0, flat, bent)
    corners = (np.array([(0, 0), (210, 0), (210, 297), (0, 297)], np.float32) + margin) * SCALE
    lean = np.array([(40, 14), (shape[1] - 20, 0), (shape[1] - 4, shape[0] - 17), (0, shape[0])], np.float32)
    frame = np.array([(0, 0), (shape[1], 0), (shape[1], shape[0]), (0, shape[0])], np.float32)
    warp = cv2.getPerspectiveTransform(frame, lean)
    seen = cv2.warpPerspective(picture, warp, shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(5).normal(0, 3, seen.shape)
    return np.clip(seen + noise, 0, 255).astype(np.uint8), cv2.perspectiveTransform(corners[None], warp)[0]


def dots(page: np.ndarray) -> np.ndarray:
    """Where the dots are, in mm, in the order of GRID."""
    ink = (cv2.cvtColor(page, cv2.COLOR_BGR2GRAY) < 110).astype(np.uint8)
    _, _, boxes, centres = cv2.connectedComponentsWithStats(ink)
    small = (boxes[:, cv2.CC_STAT_AREA] < 400) & (boxes[:, cv2.CC_STAT_AREA] > 20)
    found = (centres[small] + 0.5) * 25.4 / DPI
    grid = np.array(GRID, np.float64)
    nearest = np.linalg.norm(found[None] - grid[:, None], axis=2).argmin(axis=1)
    return found[nearest]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_page_bent_across_or_down_comes_out_straight(shape: str):
    for bent in ({"across": SHAPES[shape]}, {"down": SHAPES[shape]}):
        picture, corners = photograph(**bent)
        bend = curl.traced(picture, corners, A4)
        assert bend is not None
        assert np.abs(dots(curl.pulled_flat(picture, bend, DPI)) - GRID).max() < 0.7


def test_a_flat_page_is_left_alone():
    picture, corners = photograph()
    assert curl.traced(picture, corners, A4) is None


def test_a_card_is_never_bent():
    picture, corners = photograph(across=SHAPES["bowed"])
    assert curl.traced(picture, corners, Sheet("ID-1", 85.6, 53.98, 300.0)) is None


def test_sides_that_cannot_be_followed_are_taken_as_straight():
    faint, corners = photograph(across=SHAPES["bowed"], ground=(228, 228, 228))
    assert curl.traced(faint, corners, A4) is None
    picture, corners = photograph(across=SHAPES["bowed"])
    cv2.rectangle(picture, (333, 0), (733, 280), (120, 150, 200), -1)  # a hand over the upper side
    assert curl.traced(picture, corners, A4) is None


def test_a_curled_form_under_the_camera_is_as_straight_as_a_flat_one():
    pages = {}
    for curled in (False, True):
        scene = compose("birth-form-1", Pose.by_hand("curl"), Conditions(curl=curled))
        picture = decoded(scene.still)
        taken = take(picture)
        assert taken.page is not None, taken.refused
        pages[curled] = cv2.resize(decoded(taken.page.jpeg), (620, 877), interpolation=cv2.INTER_AREA)
    ink = {curled: (page.min(axis=2) < 150).astype(np.uint8) for curled, page in pages.items()}
    near = cv2.dilate(ink[False], np.ones((7, 7), np.uint8))  # 1 mm
    assert (ink[True] & near).sum() > 0.9 * ink[True].sum()
