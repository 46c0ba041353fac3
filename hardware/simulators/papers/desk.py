"""Photographs of papers on a desk: a dark matt mat under one lamp, or whatever harder scene is asked for."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import cv2
import numpy as np

from hardware.simulators.papers import Paper, drawn, scenery
from hardware.simulators.papers.conditions import Conditions
from hardware.simulators.papers.optics import STILL, STREAM, VIEW_MM, Floats, Picture, Size, pixels, seen
from hardware.simulators.papers.sheet import DPI

VARIANTS = 6
"""Encoded stream frames of one scene, each with its own noise: a live sensor never repeats itself."""
SLIDE_FRAMES = 18
"""Frames in which a sheet slides in."""
LEAVE_FRAMES = 8
"""Frames in which the hand that brought it leaves."""

_BOW_MM = 5.0
_FLAT = Conditions()


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

    def moved(self, x: float, y: float, turn: float = 0.0) -> "Pose":
        """Further along by so many mm and degrees."""
        return Pose(self.x + x, self.y + y, self.turn + turn, self.cut_off)


def compose(paper: str | Paper | None, pose: Pose, conditions: Conditions = _FLAT) -> Scene:
    """Photograph the mat with `paper` on it, or empty. Half a second of work: call it on a thread."""
    picture, outline = _scene(paper, pose, conditions, STILL)
    if conditions.hand:
        scenery.hand(picture)
    picture = cv2.GaussianBlur(_lit(picture, conditions), (0, 0), 8.0 if conditions.blurred else 0.7)
    small = cv2.resize(picture, STREAM, interpolation=cv2.INTER_AREA)
    low = conditions.low_light
    stream = tuple(_encoded(scenery.noisy(small, variant, low), 85) for variant in range(VARIANTS))
    return Scene(stream, _encoded(scenery.noisy(picture, VARIANTS, low), 92), _shares(outline))


def slide(paper: str | Paper, pose: Pose, conditions: Conditions = _FLAT) -> Iterator[bytes]:
    """Stream frames in which a hand pushes the sheet in from below, slower and slower, then leaves: 26, as JPEG."""
    before = VIEW_MM
    for step in range(SLIDE_FRAMES):
        away = VIEW_MM * (1 - (step + 1) / SLIDE_FRAMES) ** 3
        picture, _ = _scene(paper, pose.moved(0, away), conditions, STREAM)
        smear = pixels((before - away) / 2, STREAM)  # the shutter is open for half the time between two frames
        yield _moving(picture, conditions, away, smear, step)
        before = away
    resting, _ = _scene(paper, pose, conditions, STREAM)
    for step in range(LEAVE_FRAMES):
        gone = 260.0 * ((step + 1) / LEAVE_FRAMES) ** 1.5
        yield _moving(resting.copy(), conditions, gone, 0.0, SLIDE_FRAMES + step)


def _moving(picture: Picture, conditions: Conditions, hand: float, smear: float, number: int) -> bytes:
    scenery.hand(picture, hand + 60)
    lit = _lit(picture, conditions)
    if smear > 1.5:
        lit = cv2.blur(lit, (1, round(smear)))
    lit = cv2.GaussianBlur(lit, (0, 0), 3.2 if conditions.blurred else 0.5)
    return _encoded(scenery.noisy(lit, number % VARIANTS, conditions.low_light), 85)


def enlarged(frame: bytes) -> bytes:
    """A stream frame at the size of a still: what a camera photographs of a moving sheet, blurred as it is."""
    picture = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return _encoded(cv2.resize(picture, STILL, interpolation=cv2.INTER_LINEAR), 85)


def _lit(picture: Picture, conditions: Conditions) -> Picture:
    size = (picture.shape[1], picture.shape[0])
    return cv2.multiply(picture, scenery.light(size, conditions.low_light, conditions.shadow), picture, scale=1 / 255)


def _scene(paper: str | Paper | None, pose: Pose, conditions: Conditions, size: Size) -> tuple[Picture, Floats | None]:
    """Mat, things and sheets in even light, and the corners of the sheet on top, in pixels."""
    picture = scenery.mat(size, conditions.white_on_white).copy()
    if conditions.clutter:
        scenery.clutter(picture)
    if paper is None:
        if conditions.glare:
            scenery.mirrored_lamp(picture, np.zeros(picture.shape[:2], np.uint8))
        return picture, None
    if conditions.two_sheets:
        pose, other, place = _beside(paper, pose)
        _lay(other, place, conditions, picture)
    corners, cover = _lay(paper, pose, conditions, picture)
    if conditions.glare:
        scenery.mirrored_lamp(picture, cover)
    return picture, corners


def _beside(paper: str | Paper, pose: Pose) -> tuple[Pose, str, Pose]:
    """Where this sheet then lies, the other sheet, and where that lies: two A5 abreast, an A4 showing under an A4."""
    width, height = _extent(paper)
    if width * height > 200 * 280:
        other = "birth-form-1" if paper == "marriage-certificate-1" else "marriage-certificate-1"
        return pose.moved(-5, -4), other, pose.moved(13, 8, 6)
    if width > height:
        return pose.moved(0, -79), "household-book-1", pose.moved(2, 79, 87)
    return pose.moved(0, -79, 90), "birth-notification-1", pose.moved(2, 79, 3)


@lru_cache(maxsize=4)
def _page(paper: str | Paper, size: Size) -> Picture:
    """The flat original as BGR: 300 dpi for stills, 120 for stream frames."""
    page = cv2.cvtColor(drawn(paper), cv2.COLOR_RGB2BGR)
    return page if size == STILL else cv2.resize(page, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)


def _extent(paper: str | Paper) -> tuple[float, float]:
    """Width and height in mm."""
    height, width = drawn(paper).shape[:2]
    return width * 25.4 / DPI, height * 25.4 / DPI


def _corners(paper: str | Paper, pose: Pose, size: Size) -> Floats:
    """The sheet's corners in pixels, clockwise from its top left."""
    width, height = _extent(paper)
    turn = math.radians(pose.turn)
    middle = pose.x + (VIEW_MM * STILL[0] / STILL[1] / 2 - 0.3 * width if pose.cut_off else 0.0)
    half = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (width / 2, height / 2)
    rotation = np.array([(math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))])
    return seen(half @ rotation + (middle, pose.y), size)


def _lay(paper: str | Paper, pose: Pose, conditions: Conditions, picture: Picture) -> tuple[Floats, Picture]:
    """Put the sheet into the picture; its corners, and where it covers the mat (255)."""
    size = (picture.shape[1], picture.shape[0])
    page, corners = _page(paper, size), _corners(paper, pose, size)
    height, width = page.shape[:2]
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - np.float32(0.5)
    alpha = np.full((height, width), 255, np.uint8)
    if conditions.curl:
        bow = round(_BOW_MM * width / _extent(paper)[0])
        page, alpha = _bent(page, bow), _bent(alpha, bow)
        flat = flat + np.array([0, bow], np.float32)
    warp = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    sheet = cv2.warpPerspective(page, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpPerspective(alpha, warp, size, flags=cv2.INTER_LINEAR)
    sheet = cv2.multiply(sheet, np.array((*scenery.PAPER_LIGHT, 0.0)))
    if (
        not conditions.white_on_white
    ):  # white tables stand in diffuse light: there a sheet casts no shadow to find it by
        _shade(picture, cover)
    share = cv2.merge([cover] * 3)
    cv2.add(
        cv2.multiply(sheet, share, scale=1 / 255), cv2.multiply(picture, cv2.bitwise_not(share), scale=1 / 255), picture
    )
    return corners, cover


def _bent(page: Picture, bow: int) -> Picture:
    """The page (or its outline) with every column moved down by an arc of `bow` pixels, and `bow` rows more around.

    The corners stay where they are; the middle is a little nearer to the lamp and so brighter.
    """
    height, width = page.shape[:2]
    arc = np.sin(np.linspace(0, np.pi, width, dtype=np.float32))
    x = np.broadcast_to(np.arange(width, dtype=np.float32), (height + 2 * bow, width))
    y = np.arange(-bow, height + bow, dtype=np.float32)[:, None] - bow * arc[None, :]
    if page.ndim == 2:
        return cv2.remap(page, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    bent = cv2.remap(page, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    level = np.rint(255 * (0.9 + 0.1 * arc)).astype(np.uint8)
    return cv2.multiply(bent, np.broadcast_to(level[None, :, None], bent.shape).copy(), scale=1 / 255)


def _shade(picture: Picture, cover: Picture) -> None:
    """The sheet's shadow on the mat: wide from the lamp, narrow where the edge touches."""
    size = (picture.shape[1], picture.shape[0])
    small = cv2.resize(cover, (STILL[0] // 4, STILL[1] // 4), interpolation=cv2.INTER_AREA)
    moved = cv2.warpAffine(small, np.array([[1.0, 0, 5], [0, 1.0, 6]]), small.shape[::-1])
    soft = cv2.addWeighted(cv2.GaussianBlur(moved, (0, 0), 6), 0.30, cv2.GaussianBlur(small, (0, 0), 2), 0.22, 0)
    keep = cv2.bitwise_not(cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR))
    cv2.multiply(picture, cv2.merge([keep] * 3), picture, scale=1 / 255)


def _shares(corners: Floats | None) -> tuple[tuple[float, float], ...] | None:
    if corners is None:
        return None
    return tuple((float((x + 0.5) / STILL[0]), float((y + 0.5) / STILL[1])) for x, y in corners)


def _encoded(picture: Picture, quality: int) -> bytes:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return bytes(data)
