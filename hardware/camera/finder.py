"""Find the one sheet in a picture: as a region that differs from its ground, its edges then fitted at full resolution.

Regions and their outlines, never lines combined into quadrilaterals (capture reference §1.9). No state, no size limits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hardware.camera.edges import Fit, Picture, Points, Sampler, fit, sampler
from hardware.camera.regions import Candidate, free_candidates

__all__ = ["FOUND_SCORE", "FREE_SCORE", "WORK", "Found", "Picture", "Points", "find", "ranked", "settled", "shrunk"]

WORK = 480
"""Long side at which regions are sought; the fit of the edges uses every pixel."""
FOUND_SCORE = 0.5
"""On a known tray: empty ones score below 0.1, sheets above 0.8, faint white ones above 0.55."""
FREE_SCORE = 0.7
"""In a free scene: veins and tiles score up to 0.7, sheets above 0.8."""

LEAST_TRAY_STEP = 0.8
"""The same where the tray is known and taken off."""

_REACH = (2.5, 6.0)  # pixels at WORK from the edge to where its two sides are compared: close by, and further
_MOST_NEEDED = 10.0  # levels between both sides that always count as an edge
LEAST_STEP = 1.5
"""Levels between both sides of an edge in a free scene; below is noise and the slope of the light."""
_TEXTURE = 1.5
_COVERED = 0.6  # what an edge counts that has no bare tray beside it: it may be writing
_ALONG = np.linspace(0.06, 0.94, 24)[:, None]
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
    """How edges are rated: the faintest step that counts, and on a tray where something lies (else None)."""

    faintest: float
    differs: Picture | None


@dataclass(frozen=True, slots=True, repr=False)
class _Rating:
    score: float
    step: Points
    """Inside minus outside, median over the sides seen."""


_NOTHING = _Rating(0.0, np.zeros(3))


def find(picture: Picture, prior: Points | None = None) -> Found | None:
    """The sheet in a BGR picture of any scene, or None.

    `prior`: corners as fractions of the frame that another picture of the same view gave; it is tried too.
    """
    small = shrunk(picture, min(1.0, WORK / max(picture.shape[:2])))
    colours = lab_of(small)
    rivals = ranked(colours, free_candidates(colours), prior)
    if not rivals or rivals[0].score < FREE_SCORE:
        return None
    return settled(sampler(picture), rivals[0], small, picture)


def lab_of(small: Picture) -> Picture:
    """Lab in levels, a and b doubled: paper on a coloured ground differs in them more than in light. Noise smoothed."""
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 0.9), cv2.COLOR_BGR2LAB).astype(np.float32)
    return np.asarray(cv2.transform(lab, np.array([[1, 0, 0, 0], [0, 2, 0, -256], [0, 0, 2, -256]], np.float32)))


def shrunk(picture: Picture, scale: float) -> Picture:
    """The picture at `scale` ≤ 1: halved as often as it goes, which costs a quarter of averaging over any areas."""
    if scale == 1:
        return picture
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    while picture.shape[1] >= 2 * size[0] and picture.shape[0] >= 2 * size[1]:
        picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)


def ranked(
    colours: Picture, candidates: Sequence[Candidate], prior: Points | None = None, differs: Picture | None = None
) -> list[Found]:
    """The likeliest sheets in pixels of `colours` (rows×columns×3 levels), best first; each fitted to its edges.

    `differs`: the colours are differences from the tray, so that any step of any colour is an edge; it is set where
    something lies, and the sheet is what covers it.
    """
    tried = list(candidates)
    if prior is not None:
        tried.append(Candidate(prior * (colours.shape[1], colours.shape[0]) - 0.5, cut_off=False))
    if not tried:
        return []
    on_tray = differs is not None
    how = _How(max(LEAST_TRAY_STEP if on_tray else _least_step(colours), 4 * _noise(colours)), differs)
    first = sorted(
        zip(_rates(colours, tried, how), tried, strict=True),
        key=lambda pair: _worth(pair[0], pair[1], colours, differs),
        reverse=True,
    )
    sample, radius = sampler(colours), _ROUGH * max(colours.shape[:2])
    fitted: list[tuple[_Rating, Candidate]] = []
    for rating, one in first:
        if rating.score < (0.4 * fitted[0][0].score if fitted else 0.2) or len(fitted) == _FINALISTS:
            break
        if any(similar(one.quad, other.quad) > 0.93 for _, other in fitted):
            continue
        fitted.append(_fitted(colours, sample, one, rating, radius, how))
    fitted.sort(key=lambda pair: _worth(pair[0], pair[1], colours, differs), reverse=True)
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
        seen = ~np.isnan(_contrast(colours, one.quad[None], _REACH[1])[0, :, 12, 0])
        return _Rating(before.score * _edged(result, seen), before.step), one
    moved = Candidate(result.corners, cut_off=False)
    rating = _rates(colours, [moved], how)[0]
    if rating.score < before.score:
        moved, rating = one, before
    return _Rating(rating.score * _edged(result, np.ones(4, bool)), rating.step), moved


def _edged(result: Fit, seen: Points) -> float:
    """1 for straight and sharp sides; 0 if no more scan lines agree than by chance, or light merely fades across."""
    if not seen.any():
        return 0.0
    straight, sharp = result.agreeing[seen].mean(), np.median(result.sharp[seen])
    return float(np.clip((straight - 0.15) / 0.35, 0, 1) * np.clip((sharp - 0.05) / 0.03, 0, 1))


def _worth(rating: _Rating, one: Candidate, colours: Picture, differs: Picture | None) -> float:
    """The score; larger sheets, paper brighter than its ground, and what covers all that lies there are likelier."""
    if rating.score == 0:
        return 0.0
    bright = 0.1 if rating.step[0] > 0 else 0.0
    cut = -0.4 if one.cut_off else 0.0
    covered = 0.0 if differs is None else 0.5 * _covered(one.quad, differs)
    return rating.score + 0.2 * share_of(one.quad, colours) + bright + cut + covered


def _covered(quad: Points, differs: Picture) -> float:
    """The part of what lies there that a quadrilateral covers."""
    cover = np.zeros_like(differs)
    cv2.fillConvexPoly(cover, np.rint(quad).astype(np.int32), 1)
    return cv2.countNonZero(cv2.bitwise_and(cover, differs)) / max(1, cv2.countNonZero(differs))


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
    fine = colours[1::4, 1::4] - colours[:-1:4, :-1:4]
    return float(np.sqrt((np.median(np.abs(fine), axis=(0, 1)) ** 2).sum())) * 1.05


def _least_step(colours: Picture) -> float:
    """What an edge needs in a free scene: more than the ground changes from place to place by itself."""
    apart = round(2 * _REACH[1])
    changes = (colours[::4, apart::4] - colours[::4, :-apart:4], colours[apart::4, ::4] - colours[:-apart:4, ::4])
    texture = float(np.quantile(np.concatenate([np.linalg.norm(c, axis=2).ravel() for c in changes]), 0.4))
    return max(LEAST_STEP, min(_TEXTURE * texture, _MOST_NEEDED))


def _rates(colours: Picture, candidates: Sequence[Candidate], how: _How) -> list[_Rating]:
    """How well the weakest side of each parts two colours, times how square its corners are; 0 to 1."""
    quads = np.array([one.quad for one in candidates])
    square = _squareness(quads)
    near, far = (_contrast(colours, quads, reach) for reach in _REACH)
    weight = np.ones(far.shape[:3])
    if how.differs is not None:
        weight[_at(how.differs, _beside(quads, _REACH[1])[0]) > 0] = _COVERED
    parts = zip(candidates, square, near, far, weight, strict=True)
    return [_rating(one, how, *part) if part[0] > 0 else _NOTHING for one, *part in parts]


def _rating(one: Candidate, how: _How, square: float, near: Points, far: Points, weight: Points) -> _Rating:
    known = ~np.isnan(far[..., 0])
    seen = known.sum(axis=1) >= known.shape[1] / 2
    if seen.sum() < (2 if one.cut_off else 4):
        return _NOTHING
    step = np.median(far[seen][known[seen]], axis=0)
    if how.differs is not None:
        steps, close = np.sqrt((far * far).sum(axis=-1)), np.sqrt((near * near).sum(axis=-1))
    else:
        towards = step / max(1e-6, float(np.linalg.norm(step)))
        steps, close = far @ towards, near @ towards
    sizes = np.sort(steps[seen][known[seen]])
    usual = 0.35 * float(sizes[int((0.5 if how.differs is None else 0.3) * len(sizes))])
    needed = min(max(usual, how.faintest), max(how.faintest, _MOST_NEEDED))
    edge = weight * ((steps > needed) & (close > 0.4 * needed))
    return _Rating(float(edge[seen].mean(axis=1).min() * square), step)


def _beside(quads: Points, reach: float) -> tuple[Points, Points]:
    """24 places outside and inside along each side (quads×4×24×2 whole pixels, x before y)."""
    edges = np.roll(quads, -1, axis=1) - quads
    lengths = np.maximum(np.sqrt((edges * edges).sum(axis=-1, keepdims=True)), 1e-6)
    away = (np.stack([-edges[..., 1], edges[..., 0]], axis=-1) / lengths * reach)[:, :, None]
    line = quads[:, :, None] + edges[:, :, None] * _ALONG
    return np.rint(line - away), np.rint(line + away)


def _contrast(colours: Picture, quads: Points, reach: float) -> Points:
    """Inside minus outside along each side (quads×4×24×3); NaN where either is out of the picture."""
    outside, inside = _beside(quads, reach)
    size = np.array(colours.shape[1::-1])
    within = ((outside >= 0) & (outside < size) & (inside >= 0) & (inside < size)).all(axis=-1)
    difference = (_at(colours, inside) - _at(colours, outside)).astype(np.float64)
    difference[~within] = np.nan
    return difference


def _at(picture: Picture, places: Points) -> Picture:
    x, y = places[..., 0].astype(np.intp), places[..., 1].astype(np.intp)
    return np.asarray(picture[y.clip(0, picture.shape[0] - 1), x.clip(0, picture.shape[1] - 1)])


def _squareness(quads: Points) -> Points:
    """1 for corners within 12 degrees of right angles (perspective), 0 from 40 degrees off; one a quadrilateral."""
    edges = np.roll(quads, -1, axis=1) - quads
    before = -np.roll(edges, 1, axis=1)
    lengths = np.hypot(edges[..., 0], edges[..., 1]) * np.hypot(before[..., 0], before[..., 1])
    cosines = (edges * before).sum(axis=-1) / np.maximum(lengths, 1e-6)
    worst = np.degrees(np.abs(np.arcsin(np.clip(cosines, -1, 1)))).max(axis=1)
    return np.asarray(np.clip(1 - (worst - 12) / 28, 0, 1))


def share_of(quad: Points, colours: Picture) -> float:
    """The part of the frame that a quadrilateral covers."""
    return float(cv2.contourArea(quad.astype(np.float32)) / colours[:, :, 0].size)
