"""Whether a found sheet makes a page that people and offices can use; every measure is told, one reason refuses."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from hardware.camera.edges import Picture, Points
from hardware.camera.finder import Found
from kiosk.health import Reason

LEAST_DPI = 200
"""The archive rule (02/2019/TT-BNV)."""
LEAST_SHARPNESS = 0.33
"""Writing in focus measures 0.48, blurred by σ = 0.2 mm 0.32 (marks over vowels run together), by 0.3 mm 0.21."""
LEAST_LIGHT = 70
"""Level of the paper (its 90 % point) below which noise eats thin strokes."""
MOST_SHADOW = 0.55
"""Share of the light that a shadow may take away; less is divided out."""
MOST_GLARE = 0.03
"""Share of the page that may be washed out where nothing is written."""
LEAST_GLARE = 0.001
"""Share of the page: a reflection on writing."""

_SHARPNESS_DPI, _LOOK_DPI, _LIGHT_DPI = 200, 75, 12
_BLANK_VARIANCE = 25.0  # grey levels²; lamp and noise give 5, a blurred line of text 80
_WASHED = 250
_FINGER_MM2 = 60.0
_SKIN_LOW, _SKIN_HIGH = (40, 136, 77), (245, 175, 127)
_STRIP = 6  # columns that are sheared as one: 0.3 pixels of 75 dpi at 3 degrees
_SHEARS = np.linspace(-3.0, 3.0, 25)  # degrees


@dataclass(frozen=True, slots=True, repr=False)
class Judgement:
    """The measures of one page, and the first that refuses it.

    `sharpness` 0 to 1, None on a blank page; `glare` washed-out share, `glare_on_text` whether it reaches writing;
    `shadow` share of light lost in the darkest part; `exposure` levels of ink and paper (2 and 90 % points); `skew`
    degrees of the lines of text against the sheet, None without text; `fingers` share of the sheet's rim; `edge_ink`
    share of the rim where something printed runs out; `margin` from the sheet to the frame's edge, of its long side.
    """

    dpi: int
    sharpness: float | None
    glare: float
    glare_on_text: bool
    shadow: float
    exposure: tuple[int, int]
    skew: float | None
    fingers: float
    edge_ink: float
    margin: float
    refused: Reason | None
    detail: str = ""

    @property
    def blank(self) -> bool:
        """Whether nothing is written on the sheet."""
        return self.sharpness is None

    def as_json(self) -> dict[str, Any]:
        """The bench's `quality`."""
        return {
            "sharpness": None if self.sharpness is None else round(self.sharpness, 3),
            "blank": self.blank,
            "glare": round(self.glare, 4),
            "glare_on_text": self.glare_on_text,
            "shadow": round(self.shadow, 3),
            "exposure": list(self.exposure),
            "skew": None if self.skew is None else round(self.skew, 2),
            "fingers": round(self.fingers, 4),
            "edge_ink": round(self.edge_ink, 4),
            "margin": round(self.margin, 4),
        }


def judge(flat: Picture, dpi: int, found: Found, frame: tuple[int, int]) -> Judgement:
    """Judge a straightened sheet (BGR at `dpi`) that was found in a frame of (rows, columns)."""
    look = _at(flat, dpi, _LOOK_DPI)
    ink = _ink(look)
    glare, on_text = _glare(look, ink)
    dark, paper = np.quantile(cv2.cvtColor(look, cv2.COLOR_BGR2GRAY), (0.02, 0.9))
    sharp = sharpness(flat, dpi)
    measures: dict[str, Any] = {
        "dpi": dpi,
        "sharpness": sharp,
        "glare": glare,
        "glare_on_text": on_text,
        "shadow": _shadow(look),
        "exposure": (int(dark), int(paper)),
        "skew": None if sharp is None else _skew(ink),
        "fingers": _fingers(look),
        "edge_ink": _edge_ink(ink),
        "margin": _margin(found.corners, frame),
    }
    reason, detail = _refusal(**{name: measures[name] for name in _JUDGED})
    return Judgement(**measures, refused=reason, detail=detail)


_JUDGED = ("sharpness", "glare", "glare_on_text", "shadow", "exposure", "fingers", "edge_ink", "margin")


def _refusal(
    sharpness: float | None,
    glare: float,
    glare_on_text: bool,
    shadow: float,
    exposure: tuple[int, int],
    fingers: float,
    edge_ink: float,
    margin: float,
) -> tuple[Reason | None, str]:
    """The first reason against the page: what the citizen mends first stands first."""
    tests = (
        (margin < 0.002 and edge_ink > 0.02, Reason.PAGE_CUT_OFF, f"margin {margin:.3f}"),
        (fingers > 0, Reason.PAGE_HAND, f"fingers on {fingers:.3f} of the rim"),
        (exposure[1] < LEAST_LIGHT, Reason.PAGE_DARK, f"paper at level {exposure[1]}"),
        (
            glare > MOST_GLARE or (glare_on_text and glare > LEAST_GLARE),
            Reason.PAGE_GLARE,
            f"{glare:.3f} of the page washed out",
        ),
        (shadow > MOST_SHADOW, Reason.PAGE_SHADOW, f"shadow takes {shadow:.2f} of the light"),
        (
            sharpness is not None and sharpness < LEAST_SHARPNESS,
            Reason.PAGE_BLURRED,
            f"sharpness {sharpness or 0:.2f}",
        ),
    )
    return next(((reason, detail) for holds, reason, detail in tests if holds), (None, ""))


def sharpness(flat: Picture, dpi: int) -> float | None:
    """How much of the finest detail of the most detailed tenth a blur of 0.25 mm takes away; None on a blank page.

    The weaker of both directions counts, so that motion blur shows. Independent of light, contrast and amount of text.
    """
    grey: Picture = _at(cv2.cvtColor(flat, cv2.COLOR_BGR2GRAY), dpi, _SHARPNESS_DPI).astype(np.float32)
    grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.6))  # the sensor's noise is no detail
    mean = _tiles(grey)
    if np.quantile(_tiles(cv2.multiply(grey, grey)) - mean * mean, 0.95) < _BLANK_VARIANCE:
        return None
    fine = _tile_slopes(grey)
    coarse = _tile_slopes(cv2.GaussianBlur(grey, (0, 0), 0.25 / 25.4 * _SHARPNESS_DPI))
    total = fine.sum(axis=0)
    finest = total >= np.quantile(total, 0.9)
    return float(1 - np.sqrt(coarse[:, finest].sum(axis=1) / np.maximum(fine[:, finest].sum(axis=1), 1e-6)).max())


def _tile_slopes(grey: Picture) -> Points:
    """Mean squared slope across and down (2×rows×columns) in tiles."""
    across = cv2.subtract(grey[1:-1, 2:], grey[1:-1, :-2])
    down = cv2.subtract(grey[2:, 1:-1], grey[:-2, 1:-1])
    return np.stack([_tiles(cv2.multiply(slope, slope)) for slope in (across, down)])


def _tiles(values: Picture) -> Picture:
    """Means over tiles of 32×32, without the sheet's rim; halving five times is much the fastest way."""
    rows, columns = ((length - 16) // 32 for length in values.shape)
    tiles = values[8 : 8 + rows * 32, 8 : 8 + columns * 32]
    for _ in range(5):
        tiles = cv2.resize(tiles, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(tiles)


def _at(flat: Picture, dpi: int, wanted: int) -> Picture:
    """The sheet at another resolution; far smaller ones by way of the half, which costs half."""
    if wanted <= 0.5 * dpi:
        flat = cv2.resize(flat, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        wanted *= 2
    scale = wanted / dpi
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(flat, None, fx=scale, fy=scale, interpolation=kind))


def _ink(look: Picture) -> Picture:
    """1 where something is written or printed: darker than the paper around."""
    grey = cv2.cvtColor(look, cv2.COLOR_BGR2GRAY)
    around = cv2.boxFilter(grey, -1, (31, 31))
    return np.asarray((grey.astype(np.int16) < around.astype(np.int16) - 18).astype(np.uint8))


def _glare(look: Picture, ink: Picture) -> tuple[float, bool]:
    """The share washed out to white on paper that is not white itself, and whether writing runs into it."""
    lowest = _lowest(look)
    paper = float(np.median(lowest[ink == 0])) if (ink == 0).any() else 255.0
    if paper > _WASHED - 8:
        return 0.0, False
    washed = cv2.morphologyEx((lowest >= _WASHED).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    share = float(washed.mean())
    if share < LEAST_GLARE:
        return share, False
    ring = (cv2.dilate(washed, np.ones((31, 31), np.uint8)) > 0) & (washed == 0)
    return share, bool(ink[ring].mean() > 0.015)


def _lowest(look: Picture) -> Picture:
    """Each pixel's darkest colour; numpy takes ten times as long over so short an axis."""
    blue, green, red = cv2.split(look)
    return np.asarray(cv2.min(cv2.min(blue, green), red))


def _shadow(look: Picture) -> float:
    """How much darker the darkest twentieth of the paper is than its brightest, writing and pictures left out."""
    paper = cv2.dilate(cv2.GaussianBlur(look, (0, 0), 1.0), np.ones((9, 9), np.uint8))
    blue, green, red = cv2.split(paper)
    low = _at(cv2.max(cv2.max(blue, green), red), _LOOK_DPI, _LIGHT_DPI)[1:-1, 1:-1]
    dark, bright = np.quantile(low, (0.05, 0.95))
    return float(1 - dark / max(1.0, float(bright)))


def _skew(ink: Picture) -> float | None:
    """The shear that gathers the ink best into lines, in degrees; None if none does."""
    height, width = ink.shape
    strips = cv2.resize(ink.astype(np.float32), (width // _STRIP, height), interpolation=cv2.INTER_AREA) * _STRIP
    strengths = []
    for degrees in _SHEARS:
        slope = np.tan(np.radians(degrees)) * _STRIP
        shear = np.array([[1.0, 0.0, 0.0], [-slope, 1.0, slope * strips.shape[1] / 2]])
        rows = cv2.warpAffine(strips, shear, strips.shape[::-1], flags=cv2.INTER_LINEAR).sum(axis=1)
        strengths.append(float((np.diff(rows) ** 2).sum()))
    best = int(np.argmax(strengths))
    return float(_SHEARS[best]) if strengths[best] > 1.3 * float(np.median(strengths)) else None


def _fingers(look: Picture) -> float:
    """The share of the sheet's rim under something of the colour of skin that is as large as a fingertip, else 0."""
    skin = np.asarray(cv2.inRange(cv2.cvtColor(look, cv2.COLOR_BGR2YCrCb), _SKIN_LOW, _SKIN_HIGH) // 255)
    if skin.mean() > 0.35:  # paper of that colour
        return 0.0
    skin = cv2.morphologyEx(skin, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    least = _FINGER_MM2 * (_LOOK_DPI / 25.4) ** 2
    if cv2.countNonZero(skin) < least:
        return 0.0
    rim = _rim(skin.shape, 3)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(skin)
    large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= least) + 1
    touching = [label for label in large if (labels[rim] == label).sum() >= 12]
    return float(np.isin(labels[rim], touching).mean()) if touching else 0.0


def _edge_ink(ink: Picture) -> float:
    """The share of the rim (1 mm) where something printed reaches the sheet's edge."""
    return float(ink[_rim(ink.shape, 3)].mean())


def _rim(shape: tuple[int, ...], width: int) -> Picture:
    rim = np.ones(shape[:2], bool)
    rim[width:-width, width:-width] = False
    return rim


def _margin(corners: Points, frame: tuple[int, int]) -> float:
    """The least distance from a corner to the frame's edge, as a share of the frame's long side."""
    height, width = frame
    away = np.minimum(corners, np.array([width - 1, height - 1]) - corners)
    return float(away.min()) / max(frame)
