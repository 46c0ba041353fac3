"""What lies before the camera: nothing, one sheet, several, one that the frame cuts, or a hand over it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from hardware.camera import finder
from hardware.camera.edges import Picture, Points, Sampler, length, sampler
from hardware.camera.finder import FOUND_SCORE, FREE_SCORE, LEAST_TRAY_STEP, WORK, Found, ranked, settled, shrunk
from hardware.camera.regions import Candidate, free_candidates, outlines, touches_frame
from hardware.camera.tray import SIGMAS, Difference, Tray, difference
from kiosk.health import Reason

_FAINT, _SMOOTH = 15.0, 3.0  # fainter edges (levels) are smoothed more along the scan lines
_PLAIN = 15.0  # sigmas of what differs plainly
_PLAIN_STEP = 25.0  # levels: no slow change of light
_LEAST_THING = 0.006  # of the frame: a finger over the page's edge
_SURE = 0.85  # a score that a shadow does not reach
_RIM, _MOST_OFF = 4, 0.01  # pixels at WORK that a curled edge sags; share of a sheet that its outline may miss
_LEAST_BESIDE = 0.3  # of the best sheet: another one in a free scene
_SAME_PAPER = 40.0  # levels of Lab, a and b doubled: one paper at both ends of the light
_LEAST_SHEET = 0.02  # of the frame: another sheet
_SKIN_LOW, _SKIN_HIGH = (40, 136, 77), (245, 175, 127)  # Y, Cr, Cb: skin of any shade, and wood
_ARM = np.ones((45, 45), np.uint8)  # wider than an arm
_MOST_ARM = 0.25  # of the frame
_DISC = np.ones((5, 5), np.uint8)


class Seen(StrEnum):
    """What a picture shows."""

    NOTHING = "nothing"
    SHEET = "sheet"
    SEVERAL = "several"
    CUT_OFF = "cut_off"
    HAND = "hand"


_REASONS = {
    Seen.NOTHING: Reason.PAGE_NOT_FOUND,
    Seen.SEVERAL: Reason.PAGE_SEVERAL,
    Seen.CUT_OFF: Reason.PAGE_CUT_OFF,
    Seen.HAND: Reason.PAGE_HAND,
}


@dataclass(frozen=True, slots=True, repr=False)
class Scene:
    """What was seen, and the best sheet in it. `stale`: the tray's reference no longer shows this tray."""

    seen: Seen
    found: Found | None = None
    stale: bool = False

    @property
    def refused(self) -> Reason | None:
        """Why no page can be taken; None for one whole sheet."""
        return _REASONS.get(self.seen)


def find(picture: Picture, tray: Tray | None = None, prior: Points | None = None) -> Scene:
    """What a BGR picture shows: by difference from the tray where its reference holds, else as any scene.

    `prior`: corners as fractions of the frame that another picture of the same view gave; it is tried too.
    """
    small = shrunk(picture, min(1.0, WORK / max(picture.shape[:2])))
    if tray is None or not tray.fits(picture):
        return _free(picture, small, prior, stale=tray is not None)
    change = difference(small, tray)
    if change.stale:
        return _free(picture, small, prior, stale=True)
    return _on_tray(picture, small, change, tray, prior)


def _on_tray(picture: Picture, small: Picture, change: Difference, tray: Tray, prior: Points | None) -> Scene:
    sigmas = change.sigmas
    differs = (sigmas > SIGMAS).astype(np.uint8)
    if cv2.countNonZero(cv2.morphologyEx(differs, cv2.MORPH_OPEN, _DISC)) < _LEAST_THING * differs.size:
        return Scene(Seen.NOTHING)
    shadow = _shadow(change)
    skin = _skin(small) & differs & (1 - shadow)
    candidates = outlines(_tray_masks(change, sigmas, skin, shadow))
    best = _best_on_tray(change.steps, candidates, prior, differs, shadow)
    hand, others = _left_over(change, differs & (1 - shadow), skin, best)
    hand = hand or _arm(skin)
    if best is None:
        return Scene(Seen.HAND if hand else Seen.SEVERAL if others else Seen.NOTHING)
    strength = float(np.linalg.norm(_step(change.steps, best)))
    smooth = 1.2 if strength > _FAINT else _SMOOTH
    others = others or _askew(change, (1 - differs) | shadow, best)
    found = settled(_minus_tray(picture, tray, change), best, small, picture, smooth)
    return Scene(_kind(hand, others, found), found)


def _best_on_tray(
    steps: Picture, candidates: Sequence[Candidate], prior: Points | None, differs: Picture, shadow: Picture
) -> Found | None:
    """The best sheet without the shadows; grey paper is like a shadow too, but its edges are not."""
    lit = 1 - cv2.morphologyEx(shadow, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    rivals = ranked(steps * lit[..., None].astype(np.float32), candidates, prior, differs & lit)
    if rivals and rivals[0].score >= FOUND_SCORE:
        return rivals[0]
    rivals = ranked(steps, candidates, prior, differs)
    return rivals[0] if rivals and rivals[0].score >= _SURE and not rivals[0].cut_off else None


def _shadow(change: Difference) -> Picture:
    """1 where the tray is only darker, and no paper that is brighter than it lies around: that would be writing."""
    brighter = cv2.morphologyEx(_brighter(change), cv2.MORPH_CLOSE, _DISC)
    contours, _ = cv2.findContours(brighter, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    shadow = change.shadow
    for contour in contours:
        if cv2.contourArea(contour) >= _LEAST_THING * shadow.size:
            cv2.drawContours(shadow, [contour], -1, 0, cv2.FILLED)
    return shadow


def _brighter(change: Difference) -> Picture:
    least = max(LEAST_TRAY_STEP, SIGMAS / 2 * float(change.noise[0]))
    return np.asarray((change.steps[:, :, 0] > least).astype(np.uint8))


def _kind(hand: bool, others: bool, found: Found) -> Seen:
    if hand:
        return Seen.HAND
    if others:
        return Seen.SEVERAL
    return Seen.CUT_OFF if found.cut_off else Seen.SHEET


def _tray_masks(change: Difference, sigmas: Picture, skin: Picture, shadow: Picture) -> Iterator[Picture]:
    """What differs at all, plainly, by Otsu, by being brighter, or sharply; each of them without skin too."""
    level = length(change.steps).clip(0, 255).astype(np.uint8)
    otsu = cv2.threshold(level, 0, 255, cv2.THRESH_OTSU)[1]
    quick = change.steps - cv2.blur(change.steps, (max(sigmas.shape) // 3 | 1,) * 2)
    rises = quick[:, :, 0] > SIGMAS / 2 * change.noise[0]
    bare = 1 - cv2.dilate(skin, _DISC)
    sure = sigmas > SIGMAS
    wide = cv2.morphologyEx(sure.astype(np.uint8), cv2.MORPH_OPEN, _ARM)
    for mask in (sure, wide, sure & (shadow == 0), sigmas > _PLAIN, otsu > 0, _brighter(change), rises):
        yield mask.astype(np.uint8) * 255
        if skin.any():
            yield mask.astype(np.uint8) * bare * 255


def _minus_tray(picture: Picture, tray: Tray, change: Difference) -> Sampler:
    """Samples of the picture at full resolution, less the tray in the same light."""
    whole, empty, light = sampler(picture), sampler(tray.reference), sampler(change.light)
    to_tray = np.float32(tray.reference.shape[1] / picture.shape[1])
    to_small = np.float32(change.light.shape[1] / picture.shape[1])

    def sample(places: Picture) -> Picture:
        middle = places + np.float32(0.5)
        lit = empty(middle * to_tray - np.float32(0.5)) * light(middle * to_small - np.float32(0.5))
        return np.asarray(whole(places).astype(np.float32) - lit)

    return sample


def _left_over(change: Difference, differs: Picture, skin: Picture, best: Found | None) -> tuple[bool, bool]:
    """Whether a hand, and whether something else as large as a sheet, lies beside or over the best sheet."""
    rest = differs.copy()
    if best is not None:
        rest[_cover(differs.shape, best, 9) > 0] = 0
    rest = cv2.morphologyEx(rest, cv2.MORPH_OPEN, _DISC)
    hand = others = False
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rest)
    for label in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _LEAST_THING * rest.size) + 1:
        thing = labels == label
        if skin[thing].mean() > 0.5:
            hand = True
        elif thing.sum() >= _LEAST_SHEET * rest.size:
            others = others or _is_thing(change, thing)
    return hand, others


def _arm(skin: Picture) -> bool:
    """Whether something of the colour of skin reaches in over the frame's edge; larger than an arm it is paper."""
    whole = cv2.morphologyEx(skin, cv2.MORPH_OPEN, _DISC)
    contours, _ = cv2.findContours(whole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    reaching = (cv2.contourArea(one) for one in contours if touches_frame(one, skin.shape))
    return any(_LEAST_THING * skin.size <= area < _MOST_ARM * skin.size for area in reaching)


def _askew(change: Difference, empty: Picture, best: Found) -> bool:
    """Whether sheets lie askew on one another: tray (`empty`) within the outline of plain paper, or paper beyond it."""
    inside, around = _cover(empty.shape, best, -_RIM), _cover(empty.shape, best, _RIM)
    light = change.steps[:, :, 0]
    if not inside.any() or float(np.median(light[inside > 0])) < _PLAIN_STEP:
        return False
    beyond = (light > _PLAIN_STEP).astype(np.uint8) & (1 - around)
    wrong = cv2.bitwise_or(cv2.bitwise_and(empty, inside), beyond)
    off = cv2.countNonZero(cv2.morphologyEx(wrong, cv2.MORPH_OPEN, _DISC))
    return off > _MOST_OFF * cv2.countNonZero(inside)


def _is_thing(change: Difference, thing: Picture) -> bool:
    """Whether a part that differs from the tray is a thing, no change of the light: plain paper, or a sheet's shape."""
    if float(np.median(change.steps[:, :, 0][thing])) > _PLAIN_STEP:
        return True
    shape = thing.astype(np.uint8)
    shapes = ranked(change.steps, outlines([shape * 255]), differs=shape)
    return bool(shapes and shapes[0].score > 0.7 and not shapes[0].cut_off)


def _free(picture: Picture, small: Picture, prior: Points | None, stale: bool) -> Scene:
    colours = finder.lab_of(small)
    candidates = free_candidates(colours)
    rivals = ranked(colours, candidates, prior)
    if not rivals or rivals[0].score < FOUND_SCORE:
        return Scene(Seen.NOTHING, stale=stale)
    best = rivals[0]
    hand = _hand_over(small, best) or (best.cut_off and _arm(_skin(small)))
    if best.score < FREE_SCORE and not hand:  # a hand hides edges: what is sure of a sheet alone is not to be asked
        return Scene(Seen.NOTHING, stale=stale)
    least = _LEAST_BESIDE * finder.share_of(best.corners, colours)
    large = (one for one in candidates if not one.cut_off and finder.share_of(one.quad, colours) >= least)
    beside = [one for one in large if _apart(one.quad, best.corners)]
    others = any(_alike(colours, other, best) for other in ranked(colours, beside))
    return Scene(_kind(hand, others, best), settled(sampler(picture), best, small, picture), stale)


def _apart(quad: Points, other: Points) -> bool:
    common, _ = cv2.intersectConvexConvex(quad.astype(np.float32), other.astype(np.float32))
    return float(common) < 0.05 * cv2.contourArea(quad.astype(np.float32))


def _alike(colours: Picture, other: Found, best: Found) -> bool:
    """Whether a find is another sheet: sure, and of the best one's paper."""
    if other.score < 0.8:
        return False
    tones = [np.median(colours[_cover(colours.shape, one, -5) > 0], axis=0) for one in (other, best)]
    return bool(np.linalg.norm(tones[0] - tones[1]) < _SAME_PAPER)


def _hand_over(small: Picture, best: Found) -> bool:
    """Skin that crosses the sheet's edge, on a ground of another colour."""
    skin = cv2.morphologyEx(_skin(small), cv2.MORPH_OPEN, _DISC)
    if cv2.countNonZero(skin) < _LEAST_THING * skin.size:
        return False
    inside, around = _cover(skin.shape, best, 0), _cover(skin.shape, best, 25)
    beside = (around > 0) & (inside == 0)
    if skin[beside].mean() > 0.3 or skin[inside > 0].mean() > 0.4:  # wood, or paper of that colour
        return False
    _, labels, stats, _ = cv2.connectedComponentsWithStats(skin)
    for label in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _LEAST_THING * skin.size) + 1:
        within = int((inside[labels == label] > 0).sum())
        if min(within, stats[label, cv2.CC_STAT_AREA] - within) > 0.25 * _LEAST_THING * skin.size:
            return True
    return False


def _skin(picture: Picture) -> Picture:
    """1 where a BGR picture has the colour of skin."""
    return np.asarray(cv2.inRange(cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb), _SKIN_LOW, _SKIN_HIGH) // 255)


def _cover(shape: tuple[int, ...], found: Found, margin: int) -> Picture:
    """1 on the sheet, grown (or shrunk) by `margin` pixels."""
    cover = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(cover, np.rint(found.corners).astype(np.int32), 1)
    size = 2 * abs(margin) + 1
    kernel = np.ones((size, size), np.uint8)
    return np.asarray(cv2.dilate(cover, kernel) if margin > 0 else cv2.erode(cover, kernel))


def _step(steps: Picture, found: Found) -> Points:
    """Mean levels just inside the sheet's edge over those just outside."""
    inner = (_cover(steps.shape, found, -3) > 0) & (_cover(steps.shape, found, -8) == 0)
    outer = (_cover(steps.shape, found, 8) > 0) & (_cover(steps.shape, found, 3) == 0)
    return np.asarray(np.median(steps[inner], axis=0) - np.median(steps[outer], axis=0))
