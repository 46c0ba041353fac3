"""The simulated camera: 420 mm above the mat, its lens a little tilted; millimetres of the mat become pixels."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Size = tuple[int, int]

STILL: Size = (2448, 3264)
"""Width and height of a still: 8 MP, portrait."""
STREAM: Size = (960, 1280)
"""Width and height of a stream frame."""
VIEW_MM = 330.0
"""What the frame's long side sees of the mat: A4 and 16 mm around it, which gives stills of 251 dpi."""

_HEIGHT_MM = 420.0
_TILT = (math.radians(1.6), math.radians(-0.7))


def seen(points: Floats, size: Size = STILL) -> Floats:
    """Where the tilted camera sees points of the mat (N×2, mm from the middle), in pixels of a picture of `size`."""
    x, y = points[:, 0], points[:, 1]
    depth = _HEIGHT_MM + y * math.sin(_TILT[0]) + x * math.sin(_TILT[1])
    focal = _HEIGHT_MM * size[1] / VIEW_MM
    return np.stack(
        [
            (size[0] - 1) / 2 + focal * x * math.cos(_TILT[1]) / depth,
            (size[1] - 1) / 2 + focal * y * math.cos(_TILT[0]) / depth,
        ],
        axis=1,
    )


def pixels(mm: float, size: Size) -> float:
    """A length on the mat in pixels of a picture of `size`."""
    return mm * size[1] / VIEW_MM
