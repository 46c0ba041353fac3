"""Find the one sheet in a picture: as a region that differs from its ground, its edges then fitted at full resolution.

Regions and their outlines, never lines combined into quadrilaterals (capture reference §1.9). No state, no size limits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[Any]
Points = npt.NDArray[np.float64]

WORK = 512
"""Long side at which regions are sought; the fit of the edges uses every pixel."""
FOUND_SCORE = 0.5
"""Empty mats score below 0.1, sheets on a mat above 0.8."""

_LEAST_AREA = 0.03  # of the frame: an ID-1 card on an A4 tray covers 0.057
_CONTRAST = 8.0  # Lab levels (a and b doubled) between both sides of an edge that count as one
_REACH = 5.0  # pixels at WORK from the edge to where its two sides are compared
_RADIUS = 0.012  # of the long side: how far the fit looks for the true edge
_CHANNELS = np.array([1.0, 2.0, 2.0])  # paper on a coloured ground differs in a and b more than in L


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """A sheet: corners in pixels (4×2, clockwise from its top left; the middle of the first pixel is 0, 0).

    `score` says how sure, 0 to 1; `cut_off` that the frame's edge cuts it: then the corners are only what is in view.
    """

    corners: Points
    score: float
    cut_off: bool

    def shares(self, picture: Picture) -> Points:
        """The corners in fractions of the picture's width and height."""
        return (self.corners + 0.5) / (picture.shape[1], picture.shape[0])


def find(picture: Picture, prior: Points | None = None) -> Found | None:
    """The sheet in a BGR picture, or None.

    `prior`: corners as fractions of the frame that another picture of the same view gave; it is tried too.
    """
    scale = min(1.0, WORK / max(picture.shape[:2]))
    small = shrunk(picture, scale)
    lab = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_BGR2LAB), (3, 3), 0)
    candidates = list(_regions(lab))
    if prior is not None:
        candidates.append((prior * (small.shape[1], small.shape[0]) - 0.5, False))
    rated = [Found(quad, _score(lab, quad, cut), cut) for quad, cut in candidates]
    best = max(rated, key=lambda found: found.score + 0.2 * _share(found.corners, lab), default=None)
    if best is None or best.score < FOUND_SCORE:
        return None
    full = (best.corners + 0.5) * (picture.shape[1] / small.shape[1]) - 0.5
    return Found(full if best.cut_off else _refine(picture, full), best.score, best.cut_off)


def shrunk(picture: Picture, scale: float) -> Picture:
    """The picture at `scale` ≤ 1. Averaging over areas costs five times as much, and pays only below a half."""
    kind = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    return picture if scale == 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=kind)


def _regions(lab: Picture) -> Iterator[tuple[Points, bool]]:
    """Outlines of regions that stand out, as quadrilaterals, with whether the frame's edge cuts them."""
    for rough in _masks(lab):
        mask = cv2.morphologyEx(rough, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in sorted(contours, key=cv2.contourArea, reverse=True)[:2]:
            hull = cv2.convexHull(contour)
            if cv2.contourArea(hull) >= _LEAST_AREA * mask.size:
                yield _clockwise(_quadrilateral(hull)), _touches_frame(contour, mask.shape)


def _masks(lab: Picture) -> Iterator[Picture]:
    """What differs from the colour around the picture's edge, what is plainly different, and what is bright."""
    ring = np.concatenate(
        [lab[:6].reshape(-1, 3), lab[-6:].reshape(-1, 3), lab[:, :6].reshape(-1, 3), lab[:, -6:].reshape(-1, 3)]
    )
    ground = np.median(ring, axis=0)
    difference = cv2.absdiff(lab, np.full_like(lab, ground.astype(np.uint8)))
    distance = cv2.transform(difference, _CHANNELS[None])
    yield cv2.threshold(distance, 0, 255, cv2.THRESH_OTSU)[1]
    yield cv2.threshold(distance, 25, 255, cv2.THRESH_BINARY)[1]
    yield cv2.threshold(np.ascontiguousarray(lab[:, :, 0]), 0, 255, cv2.THRESH_OTSU)[1]


def _quadrilateral(hull: Picture) -> Points:
    """The convex outline simplified until four corners are left; its tightest rectangle if that never happens."""
    around = cv2.arcLength(hull, True)
    for tolerance in np.arange(0.01, 0.1, 0.005):
        simple = cv2.approxPolyDP(hull, tolerance * around, True)
        if len(simple) == 4:
            return np.asarray(simple.reshape(4, 2), np.float64)
        if len(simple) < 4:
            break
    return np.asarray(cv2.boxPoints(cv2.minAreaRect(hull)), np.float64)


def _clockwise(quad: Points) -> Points:
    """Corners clockwise on the screen, first the one nearest to the frame's top left."""
    middle = quad.mean(axis=0)
    angles = np.arctan2(quad[:, 1] - middle[1], quad[:, 0] - middle[0])
    ordered = quad[np.argsort(angles)]
    return np.roll(ordered, -int(np.argmin(ordered.sum(axis=1))), axis=0)


def _touches_frame(contour: Picture, shape: tuple[int, ...]) -> bool:
    """Whether more than a speck of the outline runs along the frame's edge."""
    points = contour.reshape(-1, 2)
    height, width = shape[:2]
    at_edge = (points <= 1).any(axis=1) | (points[:, 0] >= width - 2) | (points[:, 1] >= height - 2)
    return int(at_edge.sum()) > 4


def _score(lab: Picture, quad: Points, cut_off: bool) -> float:
    """How well the weakest side parts two colours, times how square the corners are; 0 to 1."""
    sides = [_contrast(lab, quad[i], quad[(i + 1) % 4]) for i in range(4)]
    seen = [side for side in sides if len(side)]
    if len(seen) < (2 if cut_off else 4):
        return 0.0
    direction = np.concatenate(seen).mean(axis=0)
    direction /= max(1e-6, float(np.linalg.norm(direction)))
    weakest = min(float((side @ direction > _CONTRAST).mean()) for side in seen)
    return weakest * _squareness(quad)


def _contrast(lab: Picture, start: Points, end: Points) -> Points:
    """Inside minus outside at 24 places along a side (24×3); empty if the outside is out of the picture."""
    along = np.linspace(0.06, 0.94, 24)[:, None]
    line = start + (end - start) * along
    normal = _inward(start, end) * _REACH
    outside = np.rint(line - normal).astype(int)
    inside = np.rint(line + normal).astype(int)
    height, width = lab.shape[:2]
    within = ((outside >= 0) & (outside < [width, height]) & (inside >= 0) & (inside < [width, height])).all(axis=1)
    if within.mean() < 0.5:
        return np.empty((0, 3))
    inner, outer = inside[within], outside[within]
    difference = lab[inner[:, 1], inner[:, 0]].astype(np.float64) - lab[outer[:, 1], outer[:, 0]]
    return np.asarray(difference * _CHANNELS)


def _inward(start: Points, end: Points) -> Points:
    """The unit vector to the inside of a side whose quadrilateral runs clockwise on the screen."""
    dx, dy = end - start
    return np.array([-dy, dx]) / max(1e-6, float(np.hypot(dx, dy)))


def _squareness(quad: Points) -> float:
    """1 for four right angles, 0 from 30 degrees off."""
    edges = np.roll(quad, -1, axis=0) - quad
    before = -np.roll(edges, 1, axis=0)
    lengths = np.linalg.norm(edges, axis=1) * np.linalg.norm(before, axis=1)
    cosines = (edges * before).sum(axis=1) / np.maximum(lengths, 1e-6)
    worst = float(np.degrees(np.abs(np.arcsin(np.clip(cosines, -1, 1)))).max())
    return max(0.0, 1 - worst / 30)


def _share(quad: Points, lab: Picture) -> float:
    return float(cv2.contourArea(quad.astype(np.float32)) / lab[:, :, 0].size)


def _refine(picture: Picture, quad: Points) -> Points:
    """The corners where lines through the strongest edge along each side meet; unmoved where that fails."""
    radius = max(6, round(_RADIUS * max(picture.shape[:2])))
    lines = [_edge(picture, quad[i], quad[(i + 1) % 4], radius) for i in range(4)]
    corners = [_meet(lines[i - 1], lines[i]) for i in range(4)]
    moved = [float(np.hypot(*(new - old))) for new, old in zip(corners, quad, strict=True)]
    return np.array([new if far <= 2 * radius else old for new, old, far in zip(corners, quad, moved, strict=True)])


def _edge(picture: Picture, start: Points, end: Points, radius: int) -> tuple[Points, Points]:
    """A point and direction: robust line through the strongest change of colour on 48 scan lines across a side."""
    along = np.linspace(0.04, 0.96, 48)[:, None, None]
    across = np.arange(-radius, radius + 1)[None, :, None]
    normal = _inward(start, end)
    places = (start + (end - start) * along + normal * across).astype(np.float32)
    x, y = cv2.split(places)
    profile = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float64)
    contrast = profile[:, -radius // 2 :].mean(axis=(0, 1)) - profile[:, : radius // 2].mean(axis=(0, 1))
    signal = profile @ (contrast / max(1e-6, float(np.linalg.norm(contrast))))
    signal = cv2.GaussianBlur(signal, (0, 0), sigmaX=max(0.8, radius / 16), sigmaY=1e-3)
    rise = np.gradient(signal, axis=1)
    points = start + (end - start) * along[:, 0] + normal * (_peaks(rise) - radius)[:, None]
    return _line(points)


def _peaks(rise: Points) -> Points:
    """Where each row rises most steeply, to a fraction of a pixel (parabola through three values)."""
    at = np.clip(rise.argmax(axis=1), 1, rise.shape[1] - 2)
    row = np.arange(len(rise))
    left, top, right = rise[row, at - 1], rise[row, at], rise[row, at + 1]
    bend = left - 2 * top + right
    return np.asarray(at + np.where(bend < -1e-9, 0.5 * (left - right) / np.where(bend < -1e-9, bend, 1), 0.0))


def _line(points: Points) -> tuple[Points, Points]:
    """A robust line: fitted, freed of the points far off it, fitted again."""
    kept = points
    for _ in range(2):
        dx, dy, x, y = cv2.fitLine(kept.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
        off = np.abs((points[:, 0] - x) * dy - (points[:, 1] - y) * dx)
        kept = points[off <= max(1.0, 3 * float(np.median(off)))]
    return np.array([x, y], np.float64), np.array([dx, dy], np.float64)


def _meet(first: tuple[Points, Points], second: tuple[Points, Points]) -> Points:
    """Where two lines cross; far away if they are parallel."""
    (p, d), (q, e) = first, second
    cross = d[0] * e[1] - d[1] * e[0]
    if abs(cross) < 1e-6:
        return np.array([np.inf, np.inf])
    step = ((q[0] - p[0]) * e[1] - (q[1] - p[1]) * e[0]) / cross
    return np.asarray(p + d * step)
