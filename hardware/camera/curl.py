"""A sheet that does not lie flat: its bent sides are traced, and the page is pulled straight between them.

The four sides are curves of the fourth degree, what lies between them a Coons patch: no model of the paper and no lines
of text are needed, so tables and blank pages do no harm. Cheaper than a network, and a flat sheet costs a glance.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from hardware.camera.edges import Picture, Points
from hardware.camera.sizes import Sheet

_MARGIN_MM = 12.0
"""How far a side may run beyond its straight line, and how far inside it is looked for."""
_FINE = 2.4  # pixels a mm of the picture that sides are traced in
_LEAST_CONTRAST = 14.0  # levels between paper and ground; fainter sides are taken as straight
_STAYS_MM = 1.5  # paper goes on behind its edge; a scratch or a thread does not
_DEGREE = 4
_NEAR_MM = 0.6  # a place on the side agrees with the curve
_LEAST_AGREEING = 0.8
_LEAST_BOW_MM = 0.8
"""Below it a line of text is straight enough for eyes and OCR."""
_CELL = 64  # pixels between nodes of the patch


@dataclass(frozen=True, slots=True, repr=False)
class Bend:
    """A bent sheet: its sides as curves in mm of the flat sheet, and the way from those mm to the picture."""

    sides: tuple[Points, Points, Points, Points]
    """Top, right, bottom, left: coefficients of the way off the straight side (mm), over 0 to 1 along it."""
    size: tuple[float, float]
    to_picture: Points
    bow: float
    """Millimetres that the worst side is off its own chord."""


def traced(picture: Picture, corners: Points, sheet: Sheet) -> Bend | None:
    """How the sheet is bent; None if it lies flat, is a card, or its sides cannot be followed. About 5 ms."""
    if sheet.name == "ID-1":
        return None
    size = (sheet.width_mm, sheet.height_mm)
    flat = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float32)
    to_picture = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    view = _view(picture, to_picture, size)
    sides = [_side(np.rot90(view, turns)) for turns in range(4)]
    if any(side is None for side in sides):
        return None
    top, right, bottom, left = (side for side in sides if side is not None)
    # A quarter turn makes the right side run downwards, the bottom to the left, the left upwards.
    curves = (top, right, _reversed(bottom), _reversed(left))
    bow = max(_bow(curve) for curve in curves)
    if not _LEAST_BOW_MM <= bow < _MARGIN_MM:
        return None
    return Bend(curves, size, np.asarray(to_picture, np.float64), bow)


def pulled_flat(picture: Picture, bend: Bend, dpi: int) -> Picture:
    """The sheet seen from straight above at `dpi`, its sides straight, BGR. About 0.1 s for A4 at 300 dpi."""
    width, height = (round(side * dpi / 25.4) for side in bend.size)
    columns, rows = (-(-side // _CELL) + 2 for side in (width, height))
    u = ((np.arange(columns) - 1) * _CELL + _CELL / 2) / width
    v = ((np.arange(rows) - 1) * _CELL + _CELL / 2) / height
    places = _patch(bend, u, v) @ bend.to_picture.T
    nodes = (places[..., :2] / places[..., 2:]).astype(np.float32)
    fine = cv2.resize(nodes, (columns * _CELL, rows * _CELL), interpolation=cv2.INTER_LINEAR)
    x, y = cv2.split(fine[_CELL : _CELL + height, _CELL : _CELL + width])
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _view(picture: Picture, to_picture: Picture, size: tuple[float, float]) -> Picture:
    """The sheet and the margin around it, as if it lay flat."""
    shape = (round((size[0] + 2 * _MARGIN_MM) * _FINE), round((size[1] + 2 * _MARGIN_MM) * _FINE))
    to_mm = np.array([(1 / _FINE, 0, -_MARGIN_MM), (0, 1 / _FINE, -_MARGIN_MM), (0, 0, 1)])
    flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    small = cv2.warpPerspective(picture, to_picture @ to_mm, shape, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.GaussianBlur(small, (0, 0), 0.8)


def _side(view: Picture) -> Points | None:
    """The upper side of the view: coefficients of its way off the straight line in mm (downwards), or None."""
    margin = round(_MARGIN_MM * _FINE)
    strip = view[: 2 * margin, margin:-margin].astype(np.float32)
    ground, paper = (np.median(part.reshape(-1, 3), axis=0) for part in (strip[: margin // 2], strip[-margin // 2 :]))
    contrast = paper - ground
    strength = float(np.linalg.norm(contrast))
    if strength < _LEAST_CONTRAST:
        return None
    share = (strip - ground) @ (contrast / strength**2)
    stays = round(_STAYS_MM * _FINE)
    inside = cv2.erode((share > 0.5).astype(np.uint8), np.ones((stays, 1), np.uint8), anchor=(0, 0))
    row = inside.argmax(axis=0)
    column = np.arange(row.size)
    before, at = share[np.maximum(row - 1, 0), column], share[row, column]
    crossing = row - (at - 0.5) / np.maximum(at - before, 1e-3)
    along, off = (column + 0.5) / row.size, (crossing + 0.5 - margin) / _FINE
    return _curve(along, off, (inside.max(axis=0) > 0) & (row > 0))


def _curve(along: Points, off: Points, usable: Picture) -> Points | None:
    """Coefficients of the curve that most places agree with (in Legendre polynomials), or None if too few do."""
    good: Picture = usable
    fit: Points = np.zeros(_DEGREE + 1)
    for near in (4 * _NEAR_MM, 2 * _NEAR_MM, _NEAR_MM):
        if good.mean() < _LEAST_AGREEING:
            return None
        fit = np.asarray(np.polynomial.legendre.legfit(2 * along[good] - 1, off[good], _DEGREE), np.float64)
        good = usable & (np.abs(_at(fit, along) - off) < near)
    return fit if good.mean() >= _LEAST_AGREEING else None


def _at(curve: Points, along: Points) -> Points:
    return np.asarray(np.polynomial.legendre.legval(2 * along - 1, curve), np.float64)


def _reversed(curve: Points) -> Points:
    """The same curve, run from its other end."""
    return curve * (-1.0) ** np.arange(curve.size)


def _bow(curve: Points) -> float:
    off = _at(curve, np.linspace(0, 1, 33))
    return float(np.abs(off - np.linspace(off[0], off[-1], off.size)).max())


def _patch(bend: Bend, u: Points, v: Points) -> Points:
    """Where on the straight sheet (rows×columns×3: mm, mm, 1) the shares `u` across and `v` down of the page lie."""
    width, height = bend.size
    top, right, bottom, left = bend.sides
    across, down = np.meshgrid(u, v)
    y = (1 - down) * _at(top, across) + down * -_at(bottom, across)
    x = (1 - across) * _at(left, down) + across * -_at(right, down)
    return np.stack([across * width + x, down * height + y, np.ones_like(x)], axis=-1)
