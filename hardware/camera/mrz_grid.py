"""Find the grid of a machine readable zone: characters as blobs, joined to lines, fitted by one homography.

The zone is the only print of a card with 30 characters a line (44 in a passport) at one pitch, in two or three lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hardware.camera.finder import find
from hardware.camera.ocr_b import CAPITAL, CELL, PITCH

Picture = npt.NDArray[Any]
Points = npt.NDArray[np.float64]
Floats = npt.NDArray[Any]

SHAPES = {"TD1": (3, 30), "TD3": (2, 44)}
"""Lines and characters a line (Doc 9303-5, -4)."""
VIEW_PITCH = 16.0
"""Pixels from character to character in a view that is searched."""

_PITCH_MM = 2.54
_SHEETS = ((85.6, 53.98, 1.25, 2.0), (125.0, 88.0, 1.15, 1.75))
"""Card and passport page: long and short side in mm, and between which shapes they are seen at a slant."""
_LONGER = 8  # characters that marks beside a line may add to it
_GUESSES = (9.0, 14.0, 22.0, 34.0)  # pixels a character where nothing is known
_FREE_LONG = 2600  # pixels of the long side; more than that adds nothing
_MOST_BLOBS = 1400
_LEAST_LINE = {"TD1": 17, "TD3": 31}  # characters of a line that must be seen apart; 31: no card's line is a passport's
_LEAST_FITTING = 0.55  # of all characters
_MOST_FITS = 16


@dataclass(frozen=True, slots=True)
class View:
    """A part of a picture as grey levels, upright, about `VIEW_PITCH` a character; `warp` takes its pixels there."""

    grey: Picture
    warp: Points


@dataclass(frozen=True, slots=True)
class Grid:
    """Where characters are: `warp` takes (column, line) to the view's pixels; a capital is `capital` lines high."""

    size: str
    view: View
    warp: Points
    capital: float

    @property
    def corners(self) -> Points:
        """The zone's outline in pixels of the picture, clockwise from the first character."""
        rows, columns = SHAPES[self.size]
        edge = np.array([(-0.5, -0.6), (columns - 0.5, -0.6), (columns - 0.5, rows - 0.4), (-0.5, rows - 0.4)])
        return _moved(self.view.warp @ self.warp, edge)

    def cells(self) -> Picture:
        """Every character's cell, line after line (N×20×14), as the network wants them."""
        rows, columns = SHAPES[self.size]
        return np.concatenate([self._line(row, columns) for row in range(rows)])

    def _line(self, row: int, columns: int) -> Picture:
        """One warp a line; the cells are cut out of it."""
        width, height = round(PITCH * (columns - 1)) + CELL[0], CELL[1]
        down = self.capital / CAPITAL
        strip = np.array(
            [[1 / PITCH, 0, -(CELL[0] / 2 - 0.5) / PITCH], [0, down, row - (height / 2 - 0.5) * down], [0, 0, 1.0]]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        line = cv2.warpPerspective(
            self.view.grey, self.warp @ strip, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        starts = np.rint(np.arange(columns) * PITCH).astype(int)
        return np.asarray(line[:, starts[:, None] + np.arange(CELL[0])].transpose(1, 0, 2))

    def nudged(self, moves: Floats) -> "Grid":
        """With the four corners of the zone moved by `moves` (4×2, in characters and lines)."""
        rows, columns = SHAPES[self.size]
        corners = np.array([(0, 0), (columns - 1, 0), (columns - 1, rows - 1), (0, rows - 1)], np.float32)
        shift = cv2.getPerspectiveTransform(corners, (corners + moves).astype(np.float32))
        return replace(self, warp=self.warp @ shift)


@dataclass(slots=True)
class _Line:
    """Blobs in a row: column (from the first seen), place and height of each."""

    columns: npt.NDArray[np.int64]
    places: Points
    heights: Points

    @property
    def span(self) -> int:
        return int(self.columns[-1]) + 1


def grids(picture: Picture) -> Iterator[Grid]:
    """Grids that may be the zone, likeliest first, in a BGR picture; each upright as is and turned by half."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    for view in _views(picture, grey):
        yield from _grids_in(view)


def _views(picture: Picture, grey: Picture) -> Iterator[View]:
    found = find(picture)
    if found is not None and not found.cut_off:
        yield from _sheet_views(grey, found.corners)
    yield from _free_views(grey)


# --- views ---


def _sheet_views(grey: Picture, corners: Points) -> Iterator[View]:
    """The sheet from straight above as a card or a passport, whatever its shape allows."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    across, down = sides[0] + sides[2], sides[1] + sides[3]
    shape = max(across, down) / max(min(across, down), 1e-6)
    for long, short, least, most in _SHEETS:
        if least < shape < most:
            yield from _upright_views(grey, np.roll(corners, 0 if across > down else -1, axis=0), (long, short))


def _upright_views(grey: Picture, corners: Points, size_mm: tuple[float, float]) -> Iterator[View]:
    """The lower part, where the zone is, long side across; then the other side's, turned by half."""
    width, height = (round(size / _PITCH_MM * VIEW_PITCH) for size in size_mm)
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32) - np.float32(0.5)
    for turn in (0, 2):
        target = np.roll(corners, -turn, axis=0).astype(np.float32)
        top = np.float32(0.45 * height)
        warp = cv2.getPerspectiveTransform(flat, target) @ np.array([[1, 0, 0], [0, 1, top], [0, 0, 1.0]])
        yield _warped(grey, warp, (width, height - round(float(top))))


def _free_views(grey: Picture) -> Iterator[View]:
    """The picture turned so that what looks like even print runs across; no idea of a card's edge is needed."""
    scale = min(1.0, _FREE_LONG / max(grey.shape))
    small = grey if scale == 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rated = [(votes, pitch, angle) for guess in _GUESSES for votes, pitch, angle in _even_print(small, guess)]
    for _, pitch, angle in sorted(rated, reverse=True)[:3]:
        for turn in (angle, angle + np.pi):
            yield _turned(grey, turn, pitch / scale)


def _even_print(grey: Picture, guess: float) -> Iterator[tuple[int, float, float]]:
    """How many neighbours of one size lie at one distance in one direction: their number, pixels, radians."""
    places, sizes = _blobs(grey, guess)
    if not 20 <= len(places) <= _MOST_BLOBS:
        return
    apart = places[None] - places[:, None]
    far = np.hypot(apart[..., 0], apart[..., 1])
    alike = np.abs(np.log(sizes[None, :] / sizes[:, None])) < 0.45
    near = alike & (far > 0.55 * guess) & (far < 1.6 * guess) & (apart[..., 0] >= 0)
    vectors, lengths = apart[near], far[near]
    if len(lengths) < 20:
        return
    angles = np.arctan2(vectors[:, 1], vectors[:, 0])
    counts, edges, steps = np.histogram2d(
        angles, np.log(lengths / guess), bins=(60, 9), range=((-np.pi / 2, np.pi / 2), (np.log(0.55), np.log(1.6)))
    )
    wide = cv2.blur(
        np.vstack([counts[-1:], counts, counts[:1]]).astype(np.float32), (2, 3), borderType=cv2.BORDER_CONSTANT
    )
    at, step = np.unravel_index(int(wide[1:-1].argmax()), counts.shape)
    angle, length = (edges[at] + edges[at + 1]) / 2, guess * float(np.exp(steps[step]))
    close = (np.abs(np.angle(np.exp(2j * (angles - angle)))) / 2 < 0.08) & (np.abs(np.log(lengths / length)) < 0.2)
    if close.sum() >= 20:
        exact = float(np.angle(np.exp(2j * angles[close]).mean()) / 2)
        yield int(close.sum()), float(np.median(lengths[close])), exact


def _turned(grey: Picture, angle: float, pitch: float) -> View:
    """The whole picture with `angle` made level and `pitch` pixels made `VIEW_PITCH`."""
    scale = min(VIEW_PITCH / pitch, 3.0)
    height, width = grey.shape
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    reach_x = scale * (abs(np.cos(angle)) * width + abs(np.sin(angle)) * height)
    reach_y = scale * (abs(np.sin(angle)) * width + abs(np.cos(angle)) * height)
    middle = np.array([[1, 0, -reach_x / 2], [0, 1, -reach_y / 2], [0, 0, 1]])
    warp = np.array([[cosine, -sine, width / 2], [sine, cosine, height / 2], [0, 0, 1]]) @ middle
    return _warped(grey, warp, (round(reach_x), round(reach_y)))


def _warped(grey: Picture, warp: Points, size: tuple[int, int]) -> View:
    """A view by `warp` (its pixels to the picture's); smoothed first where it shrinks."""
    middle = np.array([(size[0] / 2, size[1] / 2), (size[0] / 2 + 1, size[1] / 2)])
    step = float(np.linalg.norm(np.diff(_moved(warp, middle), axis=0)))
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.4 * step) if step > 1.3 else grey
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_LINEAR if step > 0.9 else cv2.INTER_CUBIC)
    return View(cv2.warpPerspective(smooth, warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), warp)


# --- blobs and lines ---


def _blobs(grey: Picture, pitch: float) -> tuple[Points, Points]:
    """Middles and heights of dark marks of a character's size on lighter ground."""
    reach = max(5, round(0.55 * pitch) | 1)
    kernel = np.ones((reach, reach), np.uint8)
    smooth = cv2.GaussianBlur(grey, (0, 0), max(0.6, 0.045 * pitch))
    ink = cv2.morphologyEx(smooth, cv2.MORPH_BLACKHAT, kernel)
    around = max(7, round(1.6 * pitch) | 1)
    strong = cv2.blur(cv2.dilate(ink, np.ones((reach, reach), np.uint8)), (around, around))
    mask = ((ink > 0.48 * strong) & (ink > 14)).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    x, y, wide, high = (stats[1:, i].astype(np.float64) for i in range(4))
    fits = (high > 0.4 * pitch) & (high < 1.7 * pitch) & (wide > 0.08 * pitch) & (wide < 1.15 * pitch)
    places = np.column_stack([x + (wide - 1) / 2, y + (high - 1) / 2])
    return places[fits], high[fits]


def _grids_in(view: View) -> Iterator[Grid]:
    places, heights = _blobs(view.grey, VIEW_PITCH)
    if not 20 <= len(places) <= 3 * _MOST_BLOBS:
        return
    lines = sorted(_lines(places, heights), key=lambda line: float(line.places[:, 1].mean()))
    for size, (rows, columns) in SHAPES.items():
        long = [line for line in lines if _LEAST_LINE[size] <= len(line.columns) and line.span <= columns + _LONGER]
        for start in range(len(long) - rows + 1):
            yield from _fitted(view, size, long[start : start + rows])


def _lines(places: Points, heights: Points) -> Iterator[_Line]:
    """Blobs joined from left to right at about one pitch; each belongs to one line."""
    free = np.ones(len(places), bool)
    follow = _followers(places)
    for first in np.argsort(places[:, 0]):
        if not free[first]:
            continue
        chain = [int(first)]
        while (after := follow[chain[-1]]) >= 0 and free[after]:
            chain.append(int(after))
        if len(chain) < 5:
            continue
        line = _grown(places, free, chain)
        members = np.array([index for _, index in line])
        if len(line) >= 12:
            free[members] = False
            columns = np.array([column for column, _ in line])
            yield _Line(columns - columns[0], places[members], heights[members])


def _followers(places: Points) -> npt.NDArray[np.int64]:
    """For each blob the next one to its right at about a pitch, or -1."""
    apart = places[None] - places[:, None]
    cost = np.abs(apart[..., 0] / VIEW_PITCH - 1) + 2 * np.abs(apart[..., 1]) / VIEW_PITCH
    cost[(np.abs(apart[..., 0] / VIEW_PITCH - 1) > 0.35) | (np.abs(apart[..., 1]) > 0.35 * VIEW_PITCH)] = np.inf
    best = cost.argmin(axis=1)
    return np.where(np.isfinite(cost[np.arange(len(cost)), best]), best, -1)


def _grown(places: Points, free: npt.NDArray[np.bool_], chain: list[int]) -> list[tuple[int, int]]:
    """The chain as (column, blob), gone on at both ends over gaps of up to three characters."""
    line = list(enumerate(chain))
    for way in (1, -1):
        missed = 0
        while missed <= 3:
            near = line[-10:] if way > 0 else line[:10]
            columns, spots = np.array([c for c, _ in near], float), places[[i for _, i in near]]
            at = (line[-1][0] if way > 0 else line[0][0]) + way * (1 + missed)
            slope, base = np.polyfit(columns, spots, 1)
            off = np.abs(places - (slope * at + base)) / VIEW_PITCH
            cost = np.where(free & (off[:, 0] < 0.3) & (off[:, 1] < 0.3), off.sum(axis=1), np.inf)
            best = int(cost.argmin())
            if np.isfinite(cost[best]):
                line.insert(len(line) if way > 0 else 0, (at, best))
                missed = 0
            else:
                missed += 1
    return line


# --- the fit ---


def _fitted(view: View, size: str, lines: list[_Line]) -> Iterator[Grid]:
    """Grids through these lines, with every first column that their lengths leave open."""
    _, columns = SHAPES[size]
    heights = [float(line.places[:, 1].mean()) for line in lines]
    steps = np.diff(heights) / VIEW_PITCH
    if not ((steps > 1.3) & (steps < 3.5)).all() or (len(steps) > 1 and not 0.75 < steps[0] / steps[1] < 1.33):
        return
    choices = [range(min(0, columns - line.span), max(0, columns - line.span) + 1) for line in lines]
    slanted = sorted(product(*choices), key=lambda starts: _lean(lines, starts))
    for starts in slanted[:_MOST_FITS]:
        grid = _fit(view, size, lines, starts)
        if grid is not None:
            yield grid


def _lean(lines: list[_Line], starts: tuple[int, ...]) -> float:
    """How far the first column is from upright and straight, in pitches."""
    firsts = np.array([line.places[0, 0] - start * VIEW_PITCH for line, start in zip(lines, starts, strict=True)])
    bend = abs(float(np.diff(firsts, 2)[0])) if len(firsts) > 2 else 0.0
    return bend + 0.3 * abs(float(firsts[-1] - firsts[0]))


def _fit(view: View, size: str, lines: list[_Line], starts: tuple[int, ...]) -> Grid | None:
    rows, columns = SHAPES[size]
    source = np.concatenate(
        [
            np.column_stack([line.columns + start, np.full(len(line.columns), row)])
            for row, (line, start) in enumerate(zip(lines, starts, strict=True))
        ]
    ).astype(np.float64)
    target = np.concatenate([line.places for line in lines])
    kept = (source[:, 0] >= 0) & (source[:, 0] < columns)
    warp, inliers = cv2.findHomography(source[kept], target[kept], cv2.RANSAC, 0.22 * VIEW_PITCH)
    if warp is None or inliers.sum() < _LEAST_FITTING * rows * columns:
        return None
    tall = float(np.quantile(np.concatenate([line.heights for line in lines]), 0.6))
    middle = _moved(warp, np.array([(columns / 2, 0.0), (columns / 2, rows - 1.0)]))
    step = float(np.linalg.norm(middle[1] - middle[0])) / (rows - 1)
    return Grid(size, view, np.asarray(warp), tall / step)


def _moved(warp: Floats, points: Floats) -> Points:
    """Points (N×2) through a homography."""
    whole = np.column_stack([points, np.ones(len(points))]) @ warp.T
    return np.asarray(whole[:, :2] / whole[:, 2:])
