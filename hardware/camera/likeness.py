"""What strikes the eye about flattened pages: nothing on one, or two pictures of the same; and quarter turns."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kiosk.dossier import Page
from kiosk.ports import PageLook

LOOK_DPI = 75
"""Letters are still letters, and a page is half a million pixels."""
INK = 42
"""Grey levels darker than the paper around: writing does, the other side showing through does not."""
LEAST_INK = 45
"""Pixels of ink at `LOOK_DPI` (5 mm²): one short word."""
MOST_STRAY = 30
"""Pixels of ink in a tile that the other picture has nowhere near (3.4 mm²): a letter or two in another hand."""

_TURNED_QUALITY = 92
_RIM = 0.03  # of each side: mat at the edges of a sheet that is not quite straight is no writing
_NEAR = 7  # pixels: corners of two pictures differ by so much
_TILE = 40

Grey = npt.NDArray[Any]


def look(page: Page, earlier: Sequence[Page]) -> PageLook:
    """Whether a page is blank or the same as one of the earlier ones, either way up. About 20 ms a page."""
    ink = _ink(page)
    if ink is None:
        return PageLook()
    if cv2.countNonZero(ink) < LEAST_INK:
        return PageLook(blank=True)
    others = ((n, _ink(other)) for n, other in enumerate(earlier))
    same = (n for n, other in others if other is not None and _same(ink, other))
    return PageLook(same_as=next(same, None))


def turned(page: Page) -> Page:
    """The page turned a quarter clockwise; raises ValueError if its JPEG cannot be read."""
    picture = cv2.imdecode(np.frombuffer(page.jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("the page is not a picture")
    turn = cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE)
    _, data = cv2.imencode(".jpg", turn, [cv2.IMWRITE_JPEG_QUALITY, _TURNED_QUALITY])
    return Page(bytes(data), page.height, page.width, page.dpi)


def _ink(page: Page) -> Grey | None:
    """Where there is writing, at `LOOK_DPI`, without the rim; None if the JPEG cannot be read."""
    shrink = cv2.IMREAD_REDUCED_GRAYSCALE_2 if page.dpi >= 2 * LOOK_DPI else cv2.IMREAD_GRAYSCALE
    grey = cv2.imdecode(np.frombuffer(page.jpeg, np.uint8), shrink)
    if grey is None:
        return None
    size = (max(page.width * LOOK_DPI // page.dpi, 16), max(page.height * LOOK_DPI // page.dpi, 16))
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    wide, high = round(size[0] * _RIM), round(size[1] * _RIM)
    paper = cv2.blur(cv2.dilate(grey, np.ones((9, 9), np.uint8)), (31, 31))
    dark = cv2.subtract(paper, grey) > INK
    return np.ascontiguousarray(dark[high : size[1] - high, wide : size[0] - wide].astype(np.uint8))


def _same(one: Grey, other: Grey) -> bool:
    """Whether each tile of ink in one has ink near it in the other."""
    return any(_alike(one, way) for way in (other, cv2.rotate(other, cv2.ROTATE_180)))


def _alike(one: Grey, other: Grey) -> bool:
    if max(abs(one.shape[0] / other.shape[0] - 1), abs(one.shape[1] / other.shape[1] - 1)) > 0.04:
        return False
    other = cv2.resize(other, one.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    near = np.ones((_NEAR, _NEAR), np.uint8)
    other = _shifted(one, other)
    stray = (one & (1 - cv2.dilate(other, near))) | (other & (1 - cv2.dilate(one, near)))
    tiles = cv2.boxFilter(stray.astype(np.float32), -1, (_TILE, _TILE), normalize=False)
    return float(tiles.max()) <= MOST_STRAY


def _shifted(one: Grey, other: Grey) -> Grey:
    """`other` moved onto `one`, if they differ by a small shift."""
    (dx, dy), _ = cv2.phaseCorrelate(other.astype(np.float32), one.astype(np.float32))
    if max(abs(dx), abs(dy)) > 2 * _NEAR:
        return other
    move = np.array([[1, 0, round(dx)], [0, 1, round(dy)]], np.float32)
    return np.asarray(cv2.warpAffine(other, move, other.shape[1::-1], flags=cv2.INTER_NEAREST))
