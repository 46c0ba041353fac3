"""Photographs of papers on a desk: a camera 420 mm above a dark matt mat, its lens a little tilted, under one lamp."""

import math
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hardware.simulators.papers import drawn
from hardware.simulators.papers.sheet import DPI

Picture = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

STILL = (2448, 3264)
"""Width and height of a still: 8 MP, portrait."""
STREAM = (960, 1280)
"""Width and height of a stream frame."""
VIEW_MM = 330.0
"""What the frame's long side sees of the mat: A4 and 16 mm around it, which gives stills of 251 dpi."""
VARIANTS = 6
"""Encoded stream frames of one scene, each with its own noise: a live sensor never repeats itself."""

_HEIGHT_MM = 420.0
_TILT = (math.radians(1.6), math.radians(-0.7))
_MAT_BGR = (78, 80, 72)
_PAPER_LIGHT = (0.90, 0.925, 0.93)  # BGR: a warm lamp, exposed a little short of white


@dataclass(frozen=True, slots=True)
class Scene:
    """One state of the desk, as JPEG files, with the sheet's true corners (fractions of the frame, clockwise)."""

    stream: tuple[bytes, ...]
    still: bytes
    outline: tuple[tuple[float, float], ...] | None


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a sheet lies: offset from its place in mm, turn in degrees; `cut_off`: a fifth is out of the picture."""

    x: float
    y: float
    turn: float
    cut_off: bool = False

    @classmethod
    def by_hand(cls, seed: str, cut_off: bool = False) -> "Pose":
        """As a person lays a sheet: never twice the same, but always the same for one `seed`."""
        rng = Random(seed)  # noqa: S311 - a pose, no secret
        return cls(rng.uniform(-3.5, 3.5), rng.uniform(-3, 3), rng.uniform(-2.2, 2.2), cut_off)


def compose(paper: str | None, pose: Pose, blurred: bool = False) -> Scene:
    """Photograph the mat with `paper` on it, or empty. Half a second of work: call it on a thread."""
    picture, outline = _mat().copy(), None
    if paper is not None:
        page = cv2.cvtColor(drawn(paper), cv2.COLOR_RGB2BGR)
        outline = _corners(page, pose)
        _lay(page, outline, picture)
    cv2.multiply(picture, _light(), picture, scale=1 / 255)
    picture = cv2.GaussianBlur(picture, (0, 0), 8.0 if blurred else 0.7)
    small = cv2.resize(picture, STREAM, interpolation=cv2.INTER_AREA)
    stream = tuple(_encoded(_noisy(small, variant), 85) for variant in range(VARIANTS))
    shares = (
        None
        if outline is None
        else tuple((float((x + 0.5) / STILL[0]), float((y + 0.5) / STILL[1])) for x, y in outline)
    )
    return Scene(stream, _encoded(_noisy(picture, VARIANTS), 92), shares)


def _corners(page: Picture, pose: Pose) -> Floats:
    """The sheet's corners in still pixels, clockwise from its top left."""
    width, height = page.shape[1] * 25.4 / DPI, page.shape[0] * 25.4 / DPI
    turn = math.radians(pose.turn)
    middle = pose.x + (VIEW_MM * STILL[0] / STILL[1] / 2 - 0.3 * width if pose.cut_off else 0.0)
    points = []
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        u, v = x * width / 2, y * height / 2
        points.append(
            _seen(middle + u * math.cos(turn) - v * math.sin(turn), pose.y + u * math.sin(turn) + v * math.cos(turn))
        )
    return np.array(points)


def _seen(x: float, y: float) -> tuple[float, float]:
    """Where the tilted camera sees a point of the mat (mm from the middle), in still pixels."""
    depth = _HEIGHT_MM + y * math.sin(_TILT[0]) + x * math.sin(_TILT[1])
    focal = _HEIGHT_MM * STILL[1] / VIEW_MM
    return (
        (STILL[0] - 1) / 2 + focal * x * math.cos(_TILT[1]) / depth,
        (STILL[1] - 1) / 2 + focal * y * math.cos(_TILT[0]) / depth,
    )


def _lay(page: Picture, corners: Floats, picture: Picture) -> None:
    height, width = page.shape[:2]
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - np.float32(0.5)
    warp = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    sheet = cv2.warpPerspective(page, warp, STILL, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpPerspective(np.full((height, width), 255, np.uint8), warp, STILL, flags=cv2.INTER_LINEAR)
    sheet = cv2.multiply(sheet, np.array((*_PAPER_LIGHT, 0.0)))
    _shade(picture, cover)
    share = cv2.merge([cover] * 3)
    cv2.add(
        cv2.multiply(sheet, share, scale=1 / 255), cv2.multiply(picture, cv2.bitwise_not(share), scale=1 / 255), picture
    )


def _shade(picture: Picture, cover: Picture) -> None:
    """The sheet's shadow on the mat: wide from the lamp, narrow where the edge touches."""
    small = cv2.resize(cover, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    moved = cv2.warpAffine(small, np.array([[1.0, 0, 5], [0, 1.0, 6]]), small.shape[::-1])
    soft = cv2.addWeighted(cv2.GaussianBlur(moved, (0, 0), 6), 0.30, cv2.GaussianBlur(small, (0, 0), 2), 0.22, 0)
    keep = cv2.bitwise_not(cv2.resize(soft, STILL, interpolation=cv2.INTER_LINEAR))
    cv2.multiply(picture, cv2.merge([keep] * 3), picture, scale=1 / 255)


@cache
def _mat() -> Picture:
    """The empty mat in even light: matt, slightly cloudy, finely grained."""
    rng = np.random.default_rng(7)
    clouds = _grain(rng, 24, 2.5) + _grain(rng, 400, 5.0) + _grain(rng, 2, 3.0)
    return cv2.merge([_bytes(clouds + np.float32(level)) for level in _MAT_BGR])


def _grain(rng: np.random.Generator, size: int, sigma: float) -> Picture:
    rough = rng.normal(0, sigma, (STILL[1] // size + 2, STILL[0] // size + 2)).astype(np.float32)
    return cv2.resize(rough, STILL, interpolation=cv2.INTER_CUBIC)


@cache
def _light() -> Picture:
    """The lamp at the upper left, and the soft shadow of the person in front of the kiosk."""
    width, height = STILL[0] // 16, STILL[1] // 16
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    lamp = 1.0 - 0.20 * ((x - 0.3) ** 2 + (y - 0.2) ** 2)
    person = 1.0 - 0.13 / (1 + np.exp(-(y + 0.35 * x - 1.12) / 0.045))
    level = np.asarray(255 * lamp * person, np.float32)
    return cv2.merge([_bytes(cv2.resize(level, STILL, interpolation=cv2.INTER_CUBIC))] * 3)


def _noisy(picture: Picture, variant: int) -> Picture:
    """With the sensor's noise; every variant has another cut of it."""
    height, width = picture.shape[:2]
    noise = _noise()[variant * 7 : variant * 7 + height, variant * 11 : variant * 11 + width]
    return cv2.add(picture, noise, dtype=cv2.CV_8U)


@cache
def _noise() -> Picture:
    """More than a still of it; one tile repeated, which no eye can tell."""
    tile = np.random.default_rng(11).normal(0, 2.2, (STILL[1] // 3, STILL[0] // 3, 3))
    return cv2.repeat(np.rint(tile).astype(np.int16), 4, 4)


def _bytes(values: Picture) -> Picture:
    return np.asarray(np.clip(values, 0, 255).astype(np.uint8))


def _encoded(picture: Picture, quality: int) -> bytes:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return bytes(data)
