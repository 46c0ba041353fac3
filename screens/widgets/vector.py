"""Our own vector pictures: path data → pixels. Icons and illustrations are drawn, never loaded.

Paths are SVG path data (M L H V C S Q A Z, absolute and relative) with two shapes added: `O cx cy r` is a circle and
`R x y w h r` a rectangle with rounded corners.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from screens.theme import Colour

Points: TypeAlias = list[tuple[float, float]]

_TOKEN = re.compile(r"([A-Za-z])|(-?\d*\.?\d+)")
_COUNTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "A": 7, "Z": 0, "O": 3, "R": 5}
_SHIFT = 4  # fractional bits of OpenCV's sub-pixel drawing


def flatten(path: str, steps: int = 24) -> list[tuple[Points, bool]]:
    """The path as polylines; True marks a closed one."""
    return list(_Flattener(steps).run(path))


class _Flattener:
    """A pen that walks along path data."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._line: Points = []
        self._handle: tuple[float, float] | None = None  # the last control point of a cubic, which S mirrors

    def run(self, path: str) -> Iterator[tuple[Points, bool]]:
        for letter, numbers in _commands(path):
            command, relative = letter.upper(), letter.islower()
            if command in "OR":
                yield (_circle(*numbers) if command == "O" else _rounded(*numbers)), True
            elif command == "Z":
                yield self._line, True
                self._line = self._line[:1]
            elif command == "M":
                if len(self._line) > 1:
                    yield self._line, False
                self._line = self._absolute(numbers, relative)
            else:
                self._draw(command, numbers, relative)
        if len(self._line) > 1:
            yield self._line, False

    def _absolute(self, numbers: list[float], relative: bool) -> Points:
        dx, dy = self._line[-1] if relative and self._line else (0.0, 0.0)
        return [(numbers[i] + dx, numbers[i + 1] + dy) for i in range(0, len(numbers), 2)]

    def _draw(self, command: str, numbers: list[float], relative: bool) -> None:
        x, y = self._line[-1]
        if command == "H":
            self._line.append((numbers[0] + (x if relative else 0), y))
        elif command == "V":
            self._line.append((x, numbers[0] + (y if relative else 0)))
        elif command == "A":
            end = self._absolute(numbers[5:], relative)[0]
            self._line += _arc((x, y), end, numbers[0], numbers[1], bool(numbers[3]), bool(numbers[4]), self._steps)
        else:
            points = self._absolute(numbers, relative)
            if command == "S":
                hx, hy = self._handle or (x, y)
                points.insert(0, (2 * x - hx, 2 * y - hy))
            self._line += _bezier([(x, y), *points], self._steps)
            self._handle = points[-2] if len(points) > 2 else None
            return
        self._handle = None


def _commands(path: str) -> Iterator[tuple[str, list[float]]]:
    letter, numbers = "", list[float]()
    for match in _TOKEN.finditer(path):
        if match[1]:
            letter = match[1]
            numbers = []
            if letter in "Zz":
                yield letter, []
        else:
            numbers.append(float(match[2]))
            if len(numbers) == _COUNTS[letter.upper()]:
                yield letter, numbers
                numbers = []
                letter = {"M": "L", "m": "l"}.get(letter, letter)


def _bezier(control: Points, steps: int) -> Points:
    """A line, quadratic or cubic curve without its first point."""
    if len(control) == 2:
        return control[1:]
    out: Points = []
    for step in range(1, steps + 1):
        t, points = step / steps, control
        while len(points) > 1:
            points = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in pairwise(points)]
        out.append(points[0])
    return out


def _arc(start: tuple[float, float], end: tuple[float, float], rx: float, ry: float, large: bool, sweep: bool,
         steps: int) -> Points:  # fmt: skip
    """An unrotated elliptical arc without its first point (SVG 1.1, F.6.5)."""
    hx, hy = (start[0] - end[0]) / 2, (start[1] - end[1]) / 2
    grow = math.sqrt(max(1.0, (hx / rx) ** 2 + (hy / ry) ** 2))
    rx, ry = rx * grow, ry * grow
    spread = (hx / rx) ** 2 + (hy / ry) ** 2
    factor = math.sqrt(max(0.0, 1 / spread - 1)) * (-1 if large == sweep else 1) if spread else 0.0
    cx, cy = factor * rx * hy / ry, -factor * ry * hx / rx
    first = math.atan2((hy - cy) / ry, (hx - cx) / rx)
    last = math.atan2((-hy - cy) / ry, (-hx - cx) / rx)
    if sweep and last < first:
        last += 2 * math.pi
    elif not sweep and last > first:
        last -= 2 * math.pi
    cx, cy = cx + (start[0] + end[0]) / 2, cy + (start[1] + end[1]) / 2
    angles = [first + (last - first) * step / steps for step in range(1, steps + 1)]
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


def _circle(cx: float, cy: float, radius: float) -> Points:
    angles = [2 * math.pi * i / 72 for i in range(72)]
    return [(cx + radius * math.cos(a), cy + radius * math.sin(a)) for a in angles]


def _rounded(x: float, y: float, width: float, height: float, radius: float) -> Points:
    corners = (
        (x + width - radius, y + radius, -90),
        (x + width - radius, y + height - radius, 0),
        (x + radius, y + height - radius, 90),
        (x + radius, y + radius, 180),
    )
    out: Points = []
    for cx, cy, begin in corners:
        for step in range(9):
            angle = math.radians(begin + step * 90 / 8)
            out.append((cx + radius * math.cos(angle), cy + radius * math.sin(angle)))
    return out


class Drawing:
    """Pixels to draw on: `width`×`height` real pixels showing a grid of `grid` units, drawn finer and scaled down."""

    def __init__(self, width: int, height: int, grid: float, fineness: int = 3) -> None:
        self._size = (max(width, 1), max(height, 1))
        self._fine = fineness
        self._scale = self._size[0] * fineness / grid
        self._pixels: NDArray[np.float32] = np.zeros(
            (self._size[1] * fineness, self._size[0] * fineness, 4), np.float32
        )

    def fill(self, path: str, colour: Colour) -> "Drawing":
        """Paint the inside of every outline of the path."""
        patch = self._patch([points for points, _ in flatten(path)])
        patch.fill()
        return self._paint(patch, colour)

    def stroke(self, path: str, colour: Colour, width: float) -> "Drawing":
        """Draw along the path with round ends, `width` in grid units."""
        lines = flatten(path)
        thick = max(1, round(width * self._scale))
        patch = self._patch([points for points, _ in lines], thick)
        for line, (_, closed) in zip(patch.lines, lines, strict=True):
            cv2.polylines(patch.mask, [line], closed, 255, thick, cv2.LINE_AA, _SHIFT)
        return self._paint(patch, colour)

    def shadow(self, path: str, blur: float, dx: float = 0, dy: float = 0, alpha: float = 0.2) -> "Drawing":
        """A soft shadow of the path's inside; `blur`, `dx`, `dy` in grid units."""
        sigma = max(blur * self._scale, 0.1)
        moved = [[(x + dx, y + dy) for x, y in points] for points, _ in flatten(path)]
        patch = self._patch(moved, 4 * sigma)
        patch.fill()
        patch.blur(sigma)
        return self._paint(patch, (0.15, 0.08, 0.03, alpha))

    def rgba(self) -> NDArray[np.uint8]:
        """Rows top down, straight alpha."""
        small = cv2.resize(self._pixels, self._size, interpolation=cv2.INTER_AREA)
        alpha = small[..., 3:]
        small[..., :3] = np.divide(small[..., :3], alpha, out=np.zeros_like(small[..., :3]), where=alpha > 0)
        pixels: NDArray[np.uint8] = np.clip(small * 255 + 0.5, 0, 255).astype(np.uint8)
        return pixels

    def _patch(self, lines: list[Points], reach: float = 0) -> "_Patch":
        """The part of the picture around these lines, `reach` pixels to every side."""
        pixels = [np.array(points) * self._scale for points in lines]
        every = np.concatenate(pixels) if pixels else np.zeros((1, 2))
        most = self._pixels.shape[1::-1]
        left, top = np.clip(np.floor(every.min(axis=0) - reach - 2).astype(int), 0, most)
        right, bottom = np.clip(np.ceil(every.max(axis=0) + reach + 3).astype(int), 0, most)
        return _Patch(
            (slice(top, bottom), slice(left, right)),
            np.zeros((bottom - top, right - left), np.uint8),
            [np.round((line - (left, top)) * (1 << _SHIFT)).astype(np.int32) for line in pixels],
        )

    def _paint(self, patch: "_Patch", colour: Colour) -> "Drawing":
        cover = patch.mask[..., None].astype(np.float32) * (colour[3] / 255)
        below = self._pixels[patch.box]
        below *= 1 - cover
        below += np.array((*colour[:3], 1.0), np.float32) * cover
        return self


@dataclass(slots=True)
class _Patch:
    """A part of a picture: where it is, how much of each pixel is covered, the lines in it (sub-pixels)."""

    box: tuple[slice, slice]
    mask: NDArray[np.uint8]
    lines: list[NDArray[np.int32]]

    def fill(self) -> None:
        for line in self.lines:
            cv2.fillPoly(self.mask, [line], 255, cv2.LINE_AA, _SHIFT)

    def blur(self, sigma: float) -> None:
        """As by a Gaussian of `sigma` pixels; a wide one on fewer pixels, where it shows no difference."""
        if not self.mask.size:
            return
        coarse = max(1, int(sigma / 3))
        height, width = self.mask.shape
        small = cv2.resize(self.mask, (-(-width // coarse), -(-height // coarse)), interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(small, (0, 0), sigma / coarse)
        self.mask = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
