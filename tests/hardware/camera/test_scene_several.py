"""One sheet or two: seeded scenes of white sheets on a mat, beside and on one another, straight and turned."""

import cv2
import numpy as np
import pytest

from hardware.camera.scene import Seen, find
from hardware.camera.tray import Tray

SIZE = (1280, 720)
A5 = np.array([290.0, 412.0])


def photo(picture, rng):
    """With lamp, noise and JPEG."""
    x = np.linspace(-0.08, 0.08, SIZE[0], dtype=np.float32)[None, :, None]
    noisy = picture * (1 + x) + rng.standard_normal(picture.shape, np.float32) * 2.5
    data = cv2.imencode(".jpg", np.rint(noisy).clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def mat(rng):
    return np.full((SIZE[1], SIZE[0], 3), rng.uniform(50, 130), np.float32)


def lay(picture, rng, middle, turn, size=A5):
    """A sheet with a contact shadow and writing or a printed box."""
    corners = cv2.boxPoints((tuple(map(float, middle)), tuple(map(float, size)), float(turn)))
    shade = cv2.fillConvexPoly(np.zeros(picture.shape[:2], np.float32), np.rint(corners + 4).astype(np.int32), 1.0)
    picture *= 1 - 0.3 * cv2.GaussianBlur(shade, (0, 0), 5)[..., None]
    flat = np.full((round(size[1]), round(size[0]), 3), rng.uniform(215, 240), np.uint8)
    for y in range(50, len(flat) - 40, 22):
        if rng.random() < 0.7:
            cv2.putText(flat, "mau don 0123", (30, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (60, 60, 60), 1, cv2.LINE_AA)
    if rng.random() < 0.3:
        cv2.rectangle(flat, (25, 60), (round(size[0]) - 25, round(size[1]) - 80), (50, 50, 50), 3)
    home = np.array([(0, size[1]), (0, 0), (size[0], 0), (size[0], size[1])], np.float32)
    warp = cv2.getPerspectiveTransform(home, corners.astype(np.float32))
    seen = cv2.warpPerspective(flat.astype(np.float32), warp, SIZE)
    cover = cv2.warpPerspective(np.ones(flat.shape[:2], np.float32), warp, SIZE)[..., None]
    picture *= 1 - cover
    picture += seen


def two(rng, kind):
    """Two sheets of one size: beside one another, or the second on the first and shifted along both sides.

    Shifted along one side alone they have the outline of one wide sheet.
    """
    empty = mat(rng)
    laid, turn = empty.copy(), rng.uniform(-6, 6)
    if kind == "beside":
        lay(laid, rng, (330 + rng.uniform(-20, 20), 360), turn)
        lay(laid, rng, (930 + rng.uniform(-20, 20), 360), turn + rng.uniform(-8, 8))
        return empty, laid
    radians = np.radians(turn)
    along = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    shift = rng.uniform(0.1, 0.4, 2) * A5 * rng.choice([-1, 1], 2)
    middle = np.array([640, 360]) + rng.uniform(-60, 60, 2) * (1, 0.2)
    more = 0.0 if kind == "straight" else rng.uniform(12, 40) * rng.choice([-1, 1])
    lay(laid, rng, middle - 0.3 * shift @ along, turn)
    lay(laid, rng, middle + 0.7 * shift @ along, turn + more)
    return empty, laid


def told(empty, laid, rng, tray):
    return find(photo(laid, rng), Tray.of([photo(empty, rng) for _ in range(2)]) if tray else None).seen


@pytest.mark.parametrize("kind", ["beside", "straight", "turned"])
@pytest.mark.parametrize("seed", range(4))
def test_two_sheets_are_told_from_one(kind, seed):
    rng = np.random.default_rng((seed, len(kind)))
    assert told(*two(rng, kind), rng, tray=True) is Seen.SEVERAL


@pytest.mark.parametrize("seed", range(4))
def test_two_sheets_beside_one_another_are_told_without_a_reference(seed):
    rng = np.random.default_rng((seed, 6))
    assert told(*two(rng, "beside"), rng, tray=False) is Seen.SEVERAL


@pytest.mark.parametrize("tray", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_one_sheet_is_never_taken_for_two(seed, tray):
    rng = np.random.default_rng((seed, 1))
    empty = mat(rng)
    laid = empty.copy()
    lay(laid, rng, (640 + rng.uniform(-150, 150), 360), rng.uniform(-15, 15), A5 * rng.uniform(0.6, 1.3))
    assert told(empty, laid, rng, tray) is Seen.SHEET
