"""What the simulated camera sees beside the sheets: mat, lamp, shadow, reflection, things and hands, sensor noise.

Pictures are BGR of a given size; everything that is drawn is given in millimetres from the middle of the view.
"""

from collections.abc import Sequence
from functools import cache, lru_cache

import cv2
import numpy as np

from hardware.simulators.papers.optics import STILL, Floats, Picture, Size, pixels, seen

PAPER_LIGHT = (0.90, 0.925, 0.93)
"""BGR: a warm lamp, exposed a little short of white."""

Colour = tuple[int, int, int]

_MAT_BGR = (78, 80, 72)
_WHITE_BGR = (220, 230, 232)  # what the sheets' colour becomes under PAPER_LIGHT
_DARKER, _NOISIER = 0.26, 2.4  # without the lamp: exposure, and the noise of the raised gain
_SKIN = (118, 150, 203)
_FINGERS = (  # from, to, thickness
    ((52, 96), (8, 66), 17.0),
    ((48, 92), (4, 42), 17.5),
    ((54, 86), (20, 28), 17.5),
    ((64, 86), (42, 26), 16.5),
    ((64, 118), (16, 104), 20.0),
    ((62, 100), (112, 220), 62.0),
)


@lru_cache(maxsize=4)
def mat(size: Size, white: int = 0) -> Picture:
    """The empty mat in even light: matt, slightly cloudy, finely grained. `white`: so many levels below the paper."""
    if size != STILL:
        return cv2.resize(mat(STILL, white), size, interpolation=cv2.INTER_AREA)
    clouds = _clouds()
    if white:
        return cv2.merge([_bytes(clouds * 0.1 + np.float32(level - white + 0.5)) for level in _WHITE_BGR])
    return cv2.merge([_bytes(clouds + np.float32(level)) for level in _MAT_BGR])


@cache
def _clouds() -> Picture:
    rng = np.random.default_rng(7)
    return _grain(rng, 24, 2.5) + _grain(rng, 400, 5.0) + _grain(rng, 2, 3.0)


def _grain(rng: np.random.Generator, size: int, sigma: float) -> Picture:
    rough = rng.normal(0, sigma, (STILL[1] // size + 2, STILL[0] // size + 2)).astype(np.float32)
    return cv2.resize(rough, STILL, interpolation=cv2.INTER_CUBIC)


@lru_cache(maxsize=8)
def light(size: Size, low: bool = False, shadow: bool = False) -> Picture:
    """The lamp at the upper left and the soft shadow of the person in front of the kiosk; 255 is full light."""
    x, y = _shares()
    lamp = 1.0 - 0.20 * ((x - 0.3) ** 2 + (y - 0.2) ** 2)
    person = 1.0 - 0.13 / (1 + np.exp(-(y + 0.35 * x - 1.12) / 0.045))
    level = 255 * lamp * person * (_DARKER if low else 1.0) * (_leaning_over() if shadow else 1.0)
    return cv2.merge([_bytes(cv2.resize(level.astype(np.float32), size, interpolation=cv2.INTER_CUBIC))] * 3)


def _shares() -> tuple[Floats, Floats]:
    """Where the pixels of a picture at 1/16 are, as fractions of width and height."""
    width, height = STILL[0] // 16, STILL[1] // 16
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    return x, y


def _leaning_over() -> Picture:
    """How much light is left where the shadow of head and shoulders falls: half of it, with an edge of 8 mm."""
    x, y = _shares()
    head = ((x - 0.66) / 0.17) ** 2 + ((y - 0.60) / 0.15) ** 2 < 1
    shoulders = ((x - 0.70) / 0.46) ** 2 + ((y - 1.02) / 0.28) ** 2 < 1
    return 1 - 0.5 * cv2.GaussianBlur((head | shoulders).astype(np.float64), (0, 0), 3.0)


def mirrored_lamp(picture: Picture, cover: Picture) -> None:
    """Burn the lamp's mirror image into the picture: full on the sheet (`cover` 255), faint on the matt mat."""
    size = (picture.shape[1], picture.shape[0])
    x, y = _shares()
    spot = ((x - 0.58) / 0.15) ** 2 + ((y - 0.36 + 0.12 * x) / 0.075) ** 2
    bright = cv2.resize(_bytes(330 * np.exp(-(spot**1.5))), size, interpolation=cv2.INTER_LINEAR)
    share = cv2.addWeighted(cover, 0.85, np.full_like(cover, 255), 0.15, 0)
    burnt = cv2.multiply(bright, share, scale=1 / 255)
    cv2.add(picture, cv2.merge([burnt] * 3), picture)


def clutter(picture: Picture) -> None:
    """Draw what people put down: a pen, coins, a telephone, a cable. Sheets are laid over it."""
    size = (picture.shape[1], picture.shape[0])
    cable = [(-124, -60), (-112, -110), (-118, -150), (-70, -158), (-20, -152), (30, -168)]
    _stroke(picture, size, cable, 5, (40, 38, 36))
    _stroke(picture, size, cable, 1.5, (88, 86, 84))
    _stroke(picture, size, [(-112, -20), (-110, 96)], 9, (150, 60, 30))
    _stroke(picture, size, [(-112, -20), (-111.5, 0)], 9, (60, 60, 62))
    _stroke(picture, size, [(-110, 96), (-109.8, 106)], 4, (190, 190, 196))
    for x, y, radius in ((113, -132, 12.0), (108, -102, 10.0), (-40, 158, 11.0)):
        centre = _place(size, (x, y))
        for share, colour in ((1.0, (96, 128, 140)), (0.86, (132, 170, 182)), (0.5, (112, 148, 160))):
            cv2.circle(picture, centre, round(pixels(radius * share, size)), colour, -1, cv2.LINE_AA)
    body = seen(np.array([(48, 122), (126, 108), (148, 230), (70, 244)], np.float64), size)
    cv2.fillConvexPoly(picture, np.rint(body).astype(np.int32), (30, 27, 26), cv2.LINE_AA)
    glass = body.mean(axis=0) + (body - body.mean(axis=0)) * 0.9
    cv2.fillConvexPoly(picture, np.rint(glass).astype(np.int32), (92, 66, 44), cv2.LINE_AA)


def _stroke(picture: Picture, size: Size, points: Sequence[tuple[float, float]], mm: float, colour: Colour) -> None:
    line = np.rint(seen(np.array(points, np.float64), size)).astype(np.int32)
    cv2.polylines(picture, [line], False, colour, max(1, round(pixels(mm, size))), cv2.LINE_AA)


def _place(size: Size, point: tuple[float, float]) -> tuple[int, int]:
    x, y = np.rint(seen(np.array([point], np.float64), size)[0])
    return int(x), int(y)


def hand(picture: Picture, moved: float = 0.0) -> None:
    """A right hand that comes from below, its fingers in the middle; `moved` mm further down."""
    size = (picture.shape[1], picture.shape[0])
    small = (size[0] // 4, size[1] // 4) if size == STILL else (size[0] // 2, size[1] // 2)
    shape = np.zeros((small[1], small[0]), np.uint8)
    for start, end, mm in _FINGERS:
        first, last = (_place(small, (x, y + moved)) for x, y in (start, end))
        cv2.line(shape, first, last, 255, max(1, round(pixels(mm, small))), cv2.LINE_AA)
    cv2.ellipse(shape, _place(small, (54, 100 + moved)), _axes(small, 34, 40), -25, 0, 360, 255, -1, cv2.LINE_AA)
    if not shape.any():
        return
    _darken(picture, shape, small)
    cover = cv2.resize(shape, size, interpolation=cv2.INTER_LINEAR)
    _blend(picture, cv2.resize(_skin(shape, small, moved), size, interpolation=cv2.INTER_LINEAR), cover)


def _skin(shape: Picture, size: Size, moved: float) -> Picture:
    """Skin of this outline: darker where it turns away from the light, nails lighter."""
    depth = np.minimum(cv2.distanceTransform(shape, cv2.DIST_L2, 3) / pixels(10, size), 1.0)
    rounded = cv2.GaussianBlur(0.62 + 0.38 * np.sqrt(depth), (0, 0), pixels(1.2, size))
    skin = _bytes(rounded[..., None] * np.array(_SKIN))
    for start, end, mm in _FINGERS[:5]:
        way = np.array(end, np.float64) - start
        at = np.array(end) + way / np.linalg.norm(way) * mm * 0.12 + (0, moved)
        turn = float(np.degrees(np.arctan2(way[1], way[0])))
        cv2.ellipse(skin, _place(size, (at[0], at[1])), _axes(size, 5.5, 4.3), turn, 0, 360, (172, 190, 226), -1, 16)
    return cv2.GaussianBlur(skin, (0, 0), max(0.3, pixels(0.35, size)))


def _axes(size: Size, first: float, second: float) -> tuple[int, int]:
    return round(pixels(first, size)), round(pixels(second, size))


def _darken(picture: Picture, shape: Picture, small: Size) -> None:
    """The hand's own shadow, to the lower right."""
    by = pixels(6, small)
    moved = cv2.warpAffine(shape, np.array([[1.0, 0, by * 0.7], [0, 1.0, by]]), small)
    soft = cv2.GaussianBlur(moved, (0, 0), pixels(3, small))
    keep = cv2.resize(cv2.addWeighted(soft, -0.42, soft, 0, 255), (picture.shape[1], picture.shape[0]))
    cv2.multiply(picture, cv2.merge([keep] * 3), picture, scale=1 / 255)


def _blend(picture: Picture, over: Picture, cover: Picture) -> None:
    share = cv2.merge([cover] * 3)
    cv2.add(
        cv2.multiply(over, share, scale=1 / 255), cv2.multiply(picture, cv2.bitwise_not(share), scale=1 / 255), picture
    )


def noisy(picture: Picture, variant: int, low: bool = False) -> Picture:
    """With the sensor's noise; every variant has another cut of it."""
    height, width = picture.shape[:2]
    noise = _noise(_NOISIER if low else 1.0)[variant * 7 : variant * 7 + height, variant * 11 : variant * 11 + width]
    return cv2.add(picture, noise, dtype=cv2.CV_8U)


@lru_cache(maxsize=2)
def _noise(gain: float) -> Picture:
    """More than a still of it; one tile repeated, which no eye can tell."""
    tile = np.random.default_rng(11).normal(0, 2.2 * gain, (STILL[1] // 3, STILL[0] // 3, 3))
    return cv2.repeat(np.rint(tile).astype(np.int16), 4, 4)


def _bytes(values: Picture) -> Picture:
    return np.asarray(np.clip(values, 0, 255).astype(np.uint8))
