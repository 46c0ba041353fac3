"""Regions of a picture that could be a sheet, as quadrilaterals: outlines of regions, never lines combined.

Every mask is one guess at what stands out; most are wrong, and the rating of their outlines (finder) decides.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from hardware.camera.edges import Picture, Points, length

LEAST_AREA = 0.025
"""Of the frame: an ID-1 card on an A4 tray covers 0.057."""

_LEVELS = 7
_BARRIERS = (2.5, 5.0, 10.0, 20.0)  # times the median slope
_LIGHT_BARRIERS = (2.5, 4.0, 7.0)
_SOFT = 1.5  # sigma
_KERNELS = {size: np.ones((size, size), np.uint8) for size in (3, 5, 7, 13)}


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """A possible sheet in pixels of the mask; `cut_off`: its region runs along the frame's edge."""

    quad: Points
    cut_off: bool


def free_candidates(lab: Picture) -> list[Candidate]:
    """Guesses without a reference (`lab`: a and b doubled): unlike the border, level sets, what edges enclose."""
    return outlines(itertools.chain(_unlike_border(lab), _level_sets(lab)), _barriers(lab))


def _unlike_border(lab: Picture) -> Iterator[Picture]:
    ring = np.concatenate([band[::2, ::2].reshape(-1, 3) for band in (lab[:6], lab[-6:], lab[:, :6], lab[:, -6:])])
    away = lab - np.median(ring, axis=0).astype(np.float32)
    distance = length(away).clip(0, 255).astype(np.uint8)
    otsu, mask = cv2.threshold(distance, 0, 255, cv2.THRESH_OTSU)
    yield mask
    for level in (0.6 * otsu, 12.0, 25.0):
        yield cv2.threshold(distance, level, 255, cv2.THRESH_BINARY)[1]


def _level_sets(lab: Picture) -> Iterator[Picture]:
    """Brighter than each of several levels; bluer, yellower, redder, greener than Otsu's; brighter than around."""
    light = lab[:, :, 0].clip(0, 255).astype(np.uint8)
    low, high = np.percentile(light[::3, ::3], (8, 97))
    for level in np.linspace(low, high, _LEVELS + 2)[1:-1]:
        yield cv2.threshold(light, float(level), 255, cv2.THRESH_BINARY)[1]
    for axis in (1, 2):
        tint = (lab[:, :, axis] + 128).clip(0, 255).astype(np.uint8)
        mask = cv2.threshold(tint, 0, 255, cv2.THRESH_OTSU)[1]
        yield mask
        yield cv2.bitwise_not(mask)
    wide = max(light.shape) // 3 | 1
    around = cv2.blur(lab[:, :, 0], (wide, wide))
    gained = ((lab[:, :, 0] - around) * 4 + 128).clip(0, 255).astype(np.uint8)
    yield cv2.threshold(gained, 0, 255, cv2.THRESH_OTSU)[1]


def _barriers(lab: Picture) -> Iterator[Picture]:
    """Edges of several strengths, of any colour and of light alone, where noise is least: they close regions off."""
    across, down = cv2.Sobel(lab, cv2.CV_32F, 1, 0), cv2.Sobel(lab, cv2.CV_32F, 0, 1)
    slopes = [cv2.magnitude(length(across), length(down))]
    light = cv2.GaussianBlur(lab[:, :, 0], (0, 0), _SOFT)
    slopes.append(cv2.magnitude(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)))
    for slope, barriers, least in zip(slopes, (_BARRIERS, _LIGHT_BARRIERS), (1.0, 0.1), strict=True):
        usual = max(least, float(np.median(slope[::2, ::2])))
        for times in barriers:
            yield cv2.dilate((slope > times * usual).astype(np.uint8), _KERNELS[3])


def outlines(masks: Iterable[Picture], barriers: Iterable[Picture] = ()) -> list[Candidate]:
    """The large regions of all masks, and those that barriers enclose, as quadrilaterals, each but once."""
    kept: list[Candidate] = []
    for mask in masks:
        _keep(kept, _of_mask(mask), mask.shape)
    for barrier in barriers:
        _keep(kept, _of_contours(barrier, cv2.RETR_LIST), barrier.shape)
    return kept


def _keep(kept: list[Candidate], candidates: Iterable[Candidate], shape: tuple[int, ...]) -> None:
    for candidate in candidates:
        if not any(_same(candidate, other, shape) for other in kept):
            kept.append(candidate)


def _same(one: Candidate, other: Candidate, shape: tuple[int, ...]) -> bool:
    return one.cut_off == other.cut_off and bool(np.abs(one.quad - other.quad).max() < 0.006 * max(shape))


def _of_mask(rough: Picture) -> Iterator[Candidate]:
    mask = cv2.morphologyEx(rough, cv2.MORPH_OPEN, _KERNELS[3])
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _KERNELS[7])
    yield from _of_contours(mask)
    parted = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _KERNELS[13])
    if cv2.countNonZero(parted) < 0.97 * cv2.countNonZero(mask):
        yield from _of_contours(parted)


def _of_contours(mask: Picture, which: int = cv2.RETR_EXTERNAL) -> Iterator[Candidate]:
    contours, _ = cv2.findContours(mask, which, cv2.CHAIN_APPROX_NONE)
    least = 3.5 * np.sqrt(LEAST_AREA * mask.size)  # no shape of that area has a shorter outline
    for contour in sorted((one for one in contours if len(one) > 0.7 * least), key=cv2.contourArea, reverse=True)[:3]:
        hull = cv2.convexHull(contour)
        area = cv2.contourArea(hull)
        if LEAST_AREA * mask.size <= area <= 0.97 * mask.size:
            cut = touches_frame(contour, mask.shape)
            for quad in _quadrilaterals(hull):
                yield Candidate(clockwise(quad), cut)


def _quadrilaterals(hull: Picture) -> Iterator[Points]:
    """The convex outline simplified until four corners are left; its tightest rectangle, if that is another."""
    around = cv2.arcLength(hull, True)
    simple = hull
    for tolerance in np.arange(0.01, 0.1, 0.01):
        simple = cv2.approxPolyDP(hull, tolerance * around, True)
        if len(simple) <= 4:
            break
    if len(simple) == 4:
        yield np.asarray(simple.reshape(4, 2), np.float64)
    box = cv2.boxPoints(cv2.minAreaRect(hull))
    if len(simple) != 4 or cv2.contourArea(hull) < 0.95 * cv2.contourArea(box):
        yield np.asarray(box, np.float64)


def clockwise(quad: Points) -> Points:
    """Corners clockwise on the screen, first the one nearest to the frame's top left."""
    middle = quad.mean(axis=0)
    angles = np.arctan2(quad[:, 1] - middle[1], quad[:, 0] - middle[0])
    ordered = quad[np.argsort(angles)]
    return np.roll(ordered, -int(np.argmin(ordered.sum(axis=1))), axis=0)


def touches_frame(contour: Picture, shape: tuple[int, ...]) -> bool:
    """Whether more than a speck of the outline runs along the frame's edge."""
    points = contour.reshape(-1, 2)
    height, width = shape[:2]
    at_edge = (points <= 1).any(axis=1) | (points[:, 0] >= width - 2) | (points[:, 1] >= height - 2)
    return int(at_edge.sum()) > 4
