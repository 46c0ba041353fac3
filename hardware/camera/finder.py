"""Find the one sheet in a picture: as a region that differs from its ground, its edges then fitted at full resolution.

Regions and their outlines, never lines combined into quadrilaterals (capture reference §1.9). No state, no size limits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hardware.camera.edges import Picture, Points, Sampler, fit, sampler
from hardware.camera.regions import Candidate, free_masks, outlines

__all__ = ["FOUND_SCORE", "WORK", "Found", "Picture", "Points", "find", "ranked", "settled", "shrunk"]

WORK = 480
"""Long side at which regions are sought; the fit of the edges uses every pixel."""
FOUND_SCORE = 0.5
"""Empty mats score below 0.1, sheets on a mat above 0.8."""

LEAST_TRAY_STEP = 0.8
"""The same where the tray is known and taken off."""

_REACH = (2.5, 6.0)  # pixels at WORK from the edge to where its two sides are compared: close by, and further
_MOST_NEEDED = 10.0  # levels between both sides that always count as an edge
LEAST_STEP = 1.5
"""Levels between both sides of an edge in a free scene; below is noise and the slope of the light."""
_FINALISTS = 3
_ROUGH, _FINE = 0.022, 0.006  # of the long side: how far the fit looks for the true edge


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


@dataclass(frozen=True, slots=True)
class _How:
    """How edges are rated: the faintest step that counts, and whether any direction of colour does."""

    faintest: float
    any_colour: bool


@dataclass(frozen=True, slots=True, repr=False)
class _Rating:
    score: float
    step: Points
    """Inside minus outside, mean over the sides seen."""


def find(picture: Picture, prior: Points | None = None) -> Found | None:
    """The sheet in a BGR picture of any scene, or None.

    `prior`: corners as fractions of the frame that another picture of the same view gave; it is tried too.
    """
    small = shrunk(picture, min(1.0, WORK / max(picture.shape[:2])))
    colours = lab_of(small)
    rivals = ranked(colours, outlines(free_masks(colours)), prior)
    if not rivals or rivals[0].score < FOUND_SCORE:
        return None
    return settled(sampler(picture), rivals[0], small, picture)


def lab_of(small: Picture) -> Picture:
    """Lab in levels, a and b doubled: paper on a coloured ground differs in them more than in light. Noise smoothed."""
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 0.9), cv2.COLOR_BGR2LAB).astype(np.float32)
    return np.asarray(cv2.transform(lab, np.array([[1, 0, 0, 0], [0, 2, 0, -256], [0, 0, 2, -256]], np.float32)))


def shrunk(picture: Picture, scale: float) -> Picture:
    """The picture at `scale` ≤ 1. Averaging over areas costs five times as much, and pays only below a half."""
    kind = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    return picture if scale == 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=kind)


def ranked(
    colours: Picture, candidates: Sequence[Candidate], prior: Points | None = None, on_tray: bool = False
) -> list[Found]:
    """The likeliest sheets in pixels of `colours` (rows×columns×3 levels), best first; each fitted to its edges.

    `on_tray`: the colours are differences from the tray, so that any step of any colour is an edge.
    """
    tried = list(candidates)
    if prior is not None:
        tried.append(Candidate(prior * (colours.shape[1], colours.shape[0]) - 0.5, cut_off=False))
    how = _How(max(LEAST_TRAY_STEP if on_tray else LEAST_STEP, 4 * _noise(colours)), on_tray)
    first = sorted(
        ((_rate(colours, one, how), one) for one in tried),
        key=lambda pair: _worth(pair[0], pair[1], colours),
        reverse=True,
    )
    sample, radius = sampler(colours), _ROUGH * max(colours.shape[:2])
    fitted: list[tuple[_Rating, Candidate]] = []
    for rating, one in first:
        if rating.score < 0.2 or len(fitted) == _FINALISTS:
            break
        if any(similar(one.quad, other.quad) > 0.93 for _, other in fitted):
            continue
        fitted.append(_fitted(colours, sample, one, rating, radius, how))
    fitted.sort(key=lambda pair: _worth(pair[0], pair[1], colours), reverse=True)
    return [Found(one.quad, rating.score, one.cut_off) for rating, one in _outermost(fitted, on_tray)]


def settled(sample: Sampler, found: Found, small: Picture, picture: Picture, smooth: float = 1.2) -> Found:
    """A find in `small` as a find in `picture`, its corners fitted with every pixel of `sample`."""
    full = (found.corners + 0.5) * (picture.shape[1] / small.shape[1]) - 0.5
    if found.cut_off:
        return Found(full, found.score, cut_off=True)
    result = fit(sample, full, max(6.0, _FINE * max(picture.shape[:2])), smooth)
    good = result.agreeing.min() > 0.2
    return Found(result.corners if good else full, found.score, cut_off=False)


def _fitted(
    colours: Picture, sample: Sampler, one: Candidate, before: _Rating, radius: float, how: _How
) -> tuple[_Rating, Candidate]:
    """The candidate on its edges; what an edge of the picture does not follow keeps only part of its score."""
    result = fit(sample, one.quad, radius, 2.0)
    if one.cut_off:
        seen = ~np.isnan(_contrast(colours, one.quad, _REACH[1])[:, 12, 0])
        return _Rating(before.score * _straight(result.agreeing[seen]), before.step), one
    moved = Candidate(result.corners, cut_off=False)
    rating = _rate(colours, moved, how)
    if rating.score < before.score:
        moved, rating = one, before
    return _Rating(rating.score * _straight(result.agreeing), rating.step), moved


def _straight(agreeing: Points) -> float:
    """1 if half of the scan lines agree on straight sides, 0 if no more do than by chance."""
    return float(np.clip((agreeing.mean() - 0.15) / 0.35, 0, 1)) if len(agreeing) else 0.0


def _worth(rating: _Rating, one: Candidate, colours: Picture) -> float:
    """The score; a larger sheet and paper brighter than its ground are the likelier."""
    bright = 0.1 if rating.step[0] > 0 else 0.0
    cut = -0.15 if one.cut_off else 0.0
    return rating.score + (0.2 * share_of(one.quad, colours) + bright + cut if rating.score > 0 else 0.0)


def _outermost(rivals: list[tuple[_Rating, Candidate]], on_tray: bool) -> list[tuple[_Rating, Candidate]]:
    """A nearly as good sheet around the best one goes first: the best was a box on it."""
    if not rivals:
        return rivals
    best, inner = rivals[0]
    for index, (rating, one) in enumerate(rivals[1:], start=1):
        paper = on_tray or rating.step[0] > 0
        around = not one.cut_off and paper and rating.score > max(0.7 * best.score, FOUND_SCORE)
        if around and _contains(one.quad, inner.quad):
            return [rivals[index], *rivals[:index], *rivals[index + 1 :]]
    return rivals


def _contains(outer: Points, inner: Points) -> bool:
    return all(cv2.pointPolygonTest(outer.astype(np.float32), (float(x), float(y)), True) > -3 for x, y in inner)


def similar(one: Points, other: Points) -> float:
    """Intersection over union."""
    common, _ = cv2.intersectConvexConvex(one.astype(np.float32), other.astype(np.float32))
    union = cv2.contourArea(one.astype(np.float32)) + cv2.contourArea(other.astype(np.float32)) - common
    return float(common / max(union, 1e-6))


def _noise(colours: Picture) -> float:
    """Robust sigma of neighbouring pixels, over the three axes."""
    fine = colours[1:, 1:] - colours[:-1, :-1]
    return float(np.sqrt((np.median(np.abs(fine[::2, ::2]), axis=(0, 1)) ** 2).sum())) * 1.05


def _rate(colours: Picture, one: Candidate, how: _How) -> _Rating:
    """How well the weakest side parts two colours, times how square the corners are; 0 to 1."""
    square = _squareness(one.quad)
    nothing = _Rating(0.0, np.zeros(3))
    if square == 0:
        return nothing
    near, far = (_contrast(colours, one.quad, reach) for reach in _REACH)
    seen = [not np.isnan(side[:, 0]).mean() > 0.5 for side in far]
    if sum(seen) < (2 if one.cut_off else 4):
        return nothing
    values = far[seen].reshape(-1, 3)
    step = np.median(values[~np.isnan(values[:, 0])], axis=0)
    if how.any_colour:
        steps, close = np.linalg.norm(far, axis=2), np.linalg.norm(near, axis=2)
    else:
        towards = step / max(1e-6, float(np.linalg.norm(step)))
        steps, close = far @ towards, near @ towards
    known = steps[seen][~np.isnan(steps[seen])]
    usual = 0.35 * float(np.quantile(known, 0.3 if how.any_colour else 0.5))
    needed = float(np.clip(usual, how.faintest, max(how.faintest, _MOST_NEEDED)))
    edge = (steps > needed) & (close > 0.4 * needed)
    weakest = min(float(side.mean()) for side in edge[seen])
    return _Rating(weakest * square, step)


def _contrast(colours: Picture, quad: Points, reach: float) -> Points:
    """Inside minus outside at 24 places along each side (4×24×3); NaN where the outside is out of the picture."""
    after = np.roll(quad, -1, axis=0)
    edges = after - quad
    normal = np.stack([-edges[:, 1], edges[:, 0]], axis=1) / np.maximum(np.linalg.norm(edges, axis=1), 1e-6)[:, None]
    line = quad[:, None] + edges[:, None] * np.linspace(0.06, 0.94, 24)[:, None]
    outside = np.rint(line - normal[:, None] * reach).astype(np.intp)
    inside = np.rint(line + normal[:, None] * reach).astype(np.intp)
    height, width = colours.shape[:2]
    size = np.array([width, height])
    within = ((outside >= 0) & (outside < size) & (inside >= 0) & (inside < size)).all(axis=2)
    inner, outer = inside.clip(0, size - 1), outside.clip(0, size - 1)
    difference = colours[inner[..., 1], inner[..., 0]] - colours[outer[..., 1], outer[..., 0]]
    return np.where(within[..., None], difference, np.nan).astype(np.float64)


def _squareness(quad: Points) -> float:
    """1 for corners within 12 degrees of right angles (perspective), 0 from 40 degrees off."""
    edges = np.roll(quad, -1, axis=0) - quad
    before = -np.roll(edges, 1, axis=0)
    lengths = np.linalg.norm(edges, axis=1) * np.linalg.norm(before, axis=1)
    cosines = (edges * before).sum(axis=1) / np.maximum(lengths, 1e-6)
    worst = float(np.degrees(np.abs(np.arcsin(np.clip(cosines, -1, 1)))).max())
    return float(np.clip(1 - (worst - 12) / 28, 0, 1))


def share_of(quad: Points, colours: Picture) -> float:
    """The part of the frame that a quadrilateral covers."""
    return float(cv2.contourArea(quad.astype(np.float32)) / colours[:, :, 0].size)
