"""Fit the sides of a rough quadrilateral to the picture: scan lines across each side, one robust line a side."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Picture = npt.NDArray[Any]
Sampler = Callable[[Picture], Picture]
"""Colours (rows×columns×3) at places (rows×columns×2, float32 pixels)."""

LINES = 48
"""Scan lines across a side."""
_HALF = 18  # samples to each side of the rough edge
_FULL = 0.2  # of the contrast, over the smoothing: half the slope of a sharp edge
_NEAR = 2.0  # samples: a scan line's own steepest place so near to the common line agrees with it


@dataclass(frozen=True, slots=True, repr=False)
class Fit:
    """Fitted corners; for each side the share of scan lines that agree with their common line, and how sharp it is.

    `sharp`: the steepest change between two samples as a share of all the change: 0.05 is a ramp, a paper's edge 0.12.
    """

    corners: Points
    agreeing: Points
    sharp: Points


def length(vectors: Picture) -> Picture:
    """The length of every pixel's three values (float32); numpy sums over so short an axis take ten times as long."""
    return np.asarray(cv2.sqrt(cv2.transform(cv2.multiply(vectors, vectors), np.ones((1, 3), np.float32))))


def sampler(picture: Picture) -> Sampler:
    """Bilinear samples of a picture."""

    def sample(places: Picture) -> Picture:
        x, y = cv2.split(places)
        return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    return sample


def fit(sample: Sampler, quad: Points, radius: float, smooth: float = 1.2) -> Fit:
    """The corners where lines along the steepest change of colour meet, sought within `radius` pixels of each side.

    `smooth`: sigma in samples (a sample is radius / 18) along the scan lines. Corners that would move far stay.
    """
    sides = [_edge(sample, quad[i], quad[(i + 1) % 4], radius, smooth) for i in range(4)]
    met = np.array([_meet(sides[i - 1][0], sides[i][0]) for i in range(4)])
    far = np.hypot(*(met - quad).T) > 2.5 * radius
    _, agreeing, sharp = zip(*sides, strict=True)
    return Fit(np.where(far[:, None], quad, met), np.array(agreeing), np.array(sharp))


def inward(start: Points, end: Points) -> Points:
    """The unit vector to the inside of a side whose quadrilateral runs clockwise on the screen."""
    dx, dy = end - start
    return np.array([-dy, dx]) / max(1e-6, float(np.hypot(dx, dy)))


def _edge(
    sample: Sampler, start: Points, end: Points, radius: float, smooth: float
) -> tuple[tuple[Points, Points], float, float]:
    """A side's line (point, direction), the share of scan lines that agree with it, and its sharpness."""
    step = radius / _HALF
    along = np.linspace(0.04, 0.96, LINES)
    across = np.arange(-_HALF, _HALF + 1, dtype=np.float64) * step
    normal = inward(start, end)
    rise, most, sharp = _rise(sample(_places(start, end, along, across, normal)), smooth)
    clipped = np.clip(rise, -0.3 * most, most)
    first, last = _common(clipped, along)
    common = first + (last - first) * along
    agreeing = np.abs(clipped.argmax(axis=1) - common) <= _NEAR + 1
    offset = _peaks(rise, common)
    points = start + (end - start) * along[:, None] + normal * ((offset - _HALF) * step)[:, None]
    kept = points[agreeing] if agreeing.sum() >= 8 else points
    return _line(kept, step), float(agreeing.mean()), sharp


def _places(start: Points, end: Points, along: Points, across: Points, normal: Points) -> Picture:
    line = start + (end - start) * along[:, None]
    return np.asarray((line[:, None] + normal * across[None, :, None]).astype(np.float32))


def _rise(profile: Picture, smooth: float) -> tuple[Points, float, float]:
    """How steeply each scan line changes towards the colour inside (lines×samples), a full edge, and the sharpness.

    Writing near the edge is often steeper than faint paper: all from a full edge on counts alike, the outermost first.
    """
    profile = profile.astype(np.float32)
    third = _HALF // 2
    contrast = np.median(profile[:, -third:], axis=(0, 1)) - np.median(profile[:, :third], axis=(0, 1))
    size = max(1e-6, float(np.linalg.norm(contrast)))
    signal = cv2.GaussianBlur(profile @ (contrast / size), (0, 0), sigmaX=smooth, sigmaY=1e-3)
    rise = np.gradient(signal.astype(np.float64), axis=1)
    steepest = float(np.median(rise.max(axis=1)))
    return rise, max(1e-6, min(1.5 * steepest, _FULL * size / smooth)), steepest / size


def _common(clipped: Points, along: Points) -> tuple[float, float]:
    """Offsets at both ends of the one line that gathers most rise; no single scan line counts for much."""
    wide = cv2.blur(clipped.astype(np.float32), (3, 1))
    ends = np.arange(0, clipped.shape[1], 2, dtype=np.float32)
    at = ends[:, None, None] + (ends[None, :, None] - ends[:, None, None]) * along.astype(np.float32)
    gathered = wide[np.arange(len(wide)), np.rint(at).astype(np.intp)].sum(axis=2)
    first, last = np.unravel_index(int(gathered.argmax()), gathered.shape)
    return float(ends[first]), float(ends[last])


def _peaks(rise: Points, near: Points) -> Points:
    """Where each row rises most steeply near a place, to a fraction of a sample."""
    away = np.abs(np.arange(rise.shape[1])[None, :] - near[:, None])
    at = np.clip(np.where(away <= _NEAR, rise, -np.inf).argmax(axis=1), 1, rise.shape[1] - 2)
    row = np.arange(len(rise))
    left, top, right = rise[row, at - 1], rise[row, at], rise[row, at + 1]
    bend = left - 2 * top + right
    shift = np.where(bend < -1e-9, 0.5 * (left - right) / np.where(bend < -1e-9, bend, 1), 0.0)
    return np.asarray(at + np.clip(shift, -0.5, 0.5))


def _line(points: Points, step: float) -> tuple[Points, Points]:
    """A robust line: fitted, freed of the points far off it, fitted again."""
    kept = points
    for _ in range(2):
        dx, dy, x, y = cv2.fitLine(kept.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
        off = np.abs((points[:, 0] - x) * dy - (points[:, 1] - y) * dx)
        kept = points[off <= max(step, 3 * float(np.median(off)))]
    return np.array([x, y], np.float64), np.array([dx, dy], np.float64)


def _meet(first: tuple[Points, Points], second: tuple[Points, Points]) -> Points:
    """Where two lines cross; far away if they are parallel."""
    (p, d), (q, e) = first, second
    cross = d[0] * e[1] - d[1] * e[0]
    if abs(cross) < 1e-6:
        return np.array([np.inf, np.inf])
    step = ((q[0] - p[0]) * e[1] - (q[1] - p[1]) * e[0]) / cross
    return np.asarray(p + d * step)
