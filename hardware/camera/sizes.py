"""How large a sheet is and how finely the picture shows it, from its corners."""

from dataclasses import dataclass

import numpy as np

from hardware.camera.finder import Points

SIZES = {"A4": (210.0, 297.0), "A5": (148.0, 210.0), "ID-1": (53.98, 85.6)}
"""Short and long side in mm (ISO 216, ISO/IEC 7810)."""
CHOICES = ("a4", "a5", "id1", "auto")
"""What a caller may say of the size."""
VIEW_MM = 330.0
"""What the frame's long side covers without a calibration: the mounting rule (A4 and a margin of 5 % on each side)."""

_NAMES = {"a4": "A4", "a5": "A5", "id1": "ID-1"}
_ASPECT_TOLERANCE = 0.05
_LOOSE, _CALIBRATED = 0.28, 0.08  # how far (logarithm) the tray's scale may be off, without and with a calibration


@dataclass(frozen=True, slots=True, repr=False)
class Sheet:
    """A sheet's true size and how finely the picture shows it."""

    name: str
    width_mm: float
    height_mm: float
    dpi: float


def measure(corners: Points, frame_long: int, size: str = "auto", view_mm: float | None = None) -> Sheet:
    """The size and resolution of a sheet from its corners (pixels of a frame whose long side has `frame_long`).

    A known `size` is believed. «auto» is the standard size of this shape; A4 and A5 have one shape: which it is follows
    from the tray's scale (`view_mm`: what the frame's long side covers, from the calibration). Other shapes are "free",
    measured by that scale. The resolution is the coarser of both directions.
    """
    width, height = _sides(corners)
    on_tray = (view_mm or VIEW_MM) / frame_long
    if size != "auto":
        name = _NAMES[size]
        short, long = SIZES[name]
    else:
        tolerance = _CALIBRATED if view_mm else _LOOSE
        name, short, long = _standard(min(width, height) * on_tray, max(width, height) * on_tray, tolerance)
    wide, high = (long, short) if width > height else (short, long)
    return Sheet(name, wide, high, 25.4 * min(width / wide, height / high))


def _sides(corners: Points) -> tuple[float, float]:
    """Mean width and height in pixels."""
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return float(top + bottom) / 2, float(left + right) / 2


def _standard(short: float, long: float, tolerance: float) -> tuple[str, float, float]:
    fitting = [
        (abs(np.log(long / size[1])), name, *size)
        for name, size in SIZES.items()
        if abs(np.log(long / short * size[0] / size[1])) < _ASPECT_TOLERANCE and abs(np.log(long / size[1])) < tolerance
    ]
    return min(fitting)[1:] if fitting else ("free", short, long)
