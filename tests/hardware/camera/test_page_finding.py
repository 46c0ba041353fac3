"""Finding, measuring and judging sheets in pictures drawn for the purpose."""

import cv2
import numpy as np
import pytest

from hardware.camera.finder import find
from hardware.camera.flatten import whiten
from hardware.camera.judge import sharpness
from hardware.camera.page import decoded, straighten, take
from hardware.camera.sizes import measure
from kiosk.health import Reason

PX_PER_MM = 3264 / 330


def picture_of(width_mm, height_mm, turn=3.0, paper=(225, 228, 226), ground=(80, 82, 76), size=(2448, 3264), text=True):
    """A sheet of this size in the middle of an 8 MP tray picture; returns it with the true corners."""
    rng = np.random.default_rng(3)
    picture = np.full((size[1], size[0], 3), ground, np.uint8)
    box = ((size[0] / 2, size[1] / 2), (width_mm * PX_PER_MM, height_mm * PX_PER_MM), turn)
    corners = cv2.boxPoints(box)
    cv2.fillPoly(picture, [np.rint(corners * 16).astype(np.int32)], paper, cv2.LINE_AA, 4)
    if text:
        flat = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * np.array([width_mm, height_mm]) * PX_PER_MM / 2
        for y in np.linspace(flat[0][1] * 0.8, flat[2][1] * 0.8, 14):
            at = (int(size[0] / 2 + flat[0][0] * 0.8), int(size[1] / 2 + y))
            cv2.putText(
                picture, "mau don de nghi 0123", at, cv2.FONT_HERSHEY_SIMPLEX, 1.4, (40, 40, 40), 3, cv2.LINE_AA
            )
    noise = np.rint(rng.normal(0, 2, (size[1] // 4, size[0] // 4, 3))).astype(np.int16)
    return cv2.add(picture, cv2.repeat(noise, 4, 4), dtype=cv2.CV_8U), corners


@pytest.mark.parametrize(
    ("width", "height", "name"),
    [
        (210, 297, "A4"),
        (148, 210, "A5"),
        (210, 148, "A5"),
        (85.6, 53.98, "ID-1"),
        (160, 120, "free"),
    ],
)
def test_size_and_resolution_follow_from_the_corners(width, height, name):
    picture, _ = picture_of(width, height, turn=2.0)
    found = find(picture)
    sheet = measure(found.corners, max(picture.shape[:2]))
    assert sheet.name == name
    assert sheet.width_mm == pytest.approx(width, rel=0.01)
    assert sheet.height_mm == pytest.approx(height, rel=0.01)
    assert sheet.dpi == pytest.approx(PX_PER_MM * 25.4, rel=0.01)


@pytest.mark.parametrize("turn", [-25, -10, 0, 15, 30])
def test_corners_run_clockwise_from_the_top_left_at_any_turn(turn):
    picture, corners = picture_of(148, 210, turn=turn)
    found = find(picture)
    first = corners[np.argmin(corners.sum(axis=1))]
    assert np.hypot(*(found.corners[0] - first)) < 4
    x, y = found.corners.T
    assert np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)) > 0  # clockwise, as y runs down


@pytest.mark.parametrize(
    ("paper", "ground"),
    [
        ((225, 228, 226), (150, 150, 150)),  # a light desk
        ((190, 215, 235), (90, 140, 190)),  # tinted paper on wood
        ((60, 60, 60), (200, 200, 200)),  # something dark on a light desk
    ],
)
def test_other_grounds_than_the_mat(paper, ground):
    picture, corners = picture_of(148, 210, paper=paper, ground=ground)
    found = find(picture)
    distance = min(np.hypot(*(np.roll(found.corners, i, axis=0) - corners).T).max() for i in range(4))
    assert distance < 0.002 * np.hypot(*picture.shape[:2])


def test_a_ruled_box_on_the_page_is_not_the_page():
    picture, corners = picture_of(210, 297, turn=0, text=False)
    cv2.rectangle(picture, (700, 900), (1700, 2300), (30, 30, 30), 8)
    found = find(picture)
    assert np.hypot(*(found.corners[0] - corners[np.argmin(corners.sum(axis=1))])) < 6


def test_the_preview_helps_where_the_still_alone_would_not():
    """The sheet is hardly brighter than the desk; what the preview found is refined on the still."""
    picture, corners = picture_of(148, 210, paper=(128, 128, 128), ground=(118, 118, 118), text=False)
    ordered = np.roll(corners, -int(np.argmin(corners.sum(axis=1))), axis=0)
    found = find(picture, prior=(ordered + 6) / (2448, 3264))
    assert found is not None
    assert np.hypot(*(found.corners - ordered).T).max() < 0.01 * np.hypot(*picture.shape[:2])


def test_an_empty_desk_with_a_shadow_has_no_page():
    rng = np.random.default_rng(5)
    x = np.linspace(0, 1, 960)[None, :]
    light = 95 - 25 / (1 + np.exp(-(x - 0.5) / 0.05)) + np.zeros((1280, 1))
    picture = np.clip(light[..., None] + rng.normal(0, 3, (1280, 960, 3)), 0, 255).astype(np.uint8)
    assert find(picture) is None
    assert take(picture).refused.reason is Reason.PAGE_NOT_FOUND


@pytest.mark.parametrize(("right", "down"), [(700, 0), (0, -900), (-600, 800)])
def test_a_sheet_over_the_frames_edge_is_cut_off(right, down):
    picture, _ = picture_of(210, 297)
    shift = np.array([[1.0, 0, right], [0, 1, down]])
    moved = cv2.warpAffine(picture, shift, (2448, 3264), borderMode=cv2.BORDER_CONSTANT, borderValue=(80, 82, 76))
    assert take(moved).refused.reason is Reason.PAGE_CUT_OFF


def test_blur_in_one_direction_is_blur():
    picture, _ = picture_of(210, 297)
    assert take(picture).page is not None
    moved = cv2.blur(picture, (25, 1))
    assert take(moved).refused.reason is Reason.PAGE_BLURRED


def test_a_blank_page_cannot_be_blurred():
    picture, _ = picture_of(148, 210, text=False)
    result = take(picture)
    assert result.page is not None
    flat = straighten(picture, result.found.corners, result.sheet, 250)
    assert sharpness(flat, 250) is None


def test_a_dark_picture_on_the_page_is_not_bleached():
    small = np.full((200, 140, 3), (200, 215, 220), np.uint8)
    small[:, 70:] = (small[:, 70:] * 0.7).astype(np.uint8)  # a soft shadow over the right half
    flat = cv2.resize(cv2.GaussianBlur(small, (0, 0), 6), (1400, 2000))
    flat[300:800, 200:560] = (70, 90, 120)
    even = whiten(flat, 170)
    assert even[1500, 200:500].min() > 245
    assert even[1500, 950:1300].min() > 245
    assert even[550, 380].max() < 160


def test_files_that_are_no_pictures_or_far_too_large_are_refused():
    assert decoded(b"") is None
    assert decoded(b"\xff\xd8\xff\xe0 broken") is None
    assert decoded(b"GIF89a" + bytes(200)) is None
    header_of_100_mp = cv2.imencode(".png", np.zeros((10, 10), np.uint8))[1].tobytes()
    huge = header_of_100_mp[:16] + (10_000).to_bytes(4, "big") * 2 + header_of_100_mp[24:]
    assert decoded(huge) is None
