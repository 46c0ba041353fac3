"""The empty tray as a reference: what lies on it is the difference from it, even white paper on a white tray."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import cv2
import numpy as np

from hardware.camera.edges import Picture, Points, length
from hardware.camera.finder import WORK, shrunk

REFERENCE = 1280
"""Long side of the reference picture."""
SIGMAS = 6.0
"""A difference of so many robust sigmas of the noise is no noise (capture reference §4.2)."""

_CELLS = 48  # cells along the long side in which light is compared
_RING = 3  # cells at the frame's edge that are taken for bare tray
_SAME_LIGHT = 0.06  # logarithm: cells of the ring that differ more are covered, or the reference is stale
_LEAST_BARE = 0.5
_LEAST_NOISE = 0.2  # levels: what eight bits themselves cost
_LEARNING = 0.08
_OPPONENT = np.array([[0.114, 0.587, 0.299], [0.0, -1.0, 1.0], [-1.0, 0.5, 0.5]])
"""From blue, green, red to light, red-green, yellow-blue: the axes of Lab, but linear, so that differences pass."""


@dataclass(frozen=True, slots=True, repr=False)
class Tray:
    """The empty tray: mean of several frames (float32 BGR, long side at most 1280); there is no personal data in it.

    `view_mm`: what the frame's long side covers, if a known sheet has been measured.
    """

    reference: Picture
    view_mm: float | None = None
    small: Picture = field(init=False)
    """The reference as large as pictures are when things are sought."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "small", shrunk(self.reference, min(1.0, WORK / max(self.reference.shape[:2]))))

    @classmethod
    def of(cls, frames: Sequence[Picture], view_mm: float | None = None) -> Self:
        """The mean of frames of the empty tray (BGR, one shape). Raises ValueError without frames."""
        if not frames:
            raise ValueError("an empty tray needs at least one frame")
        scale = min(1.0, REFERENCE / max(frames[0].shape[:2]))
        mean = np.mean([shrunk(frame, scale) for frame in frames], axis=0, dtype=np.float32)
        return cls(np.asarray(mean), view_mm)

    @classmethod
    def of_png(cls, data: bytes, view_mm: float | None = None) -> Self | None:
        """What `png` wrote; None if it is not that."""
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
        if picture is None or picture.dtype != np.uint16 or picture.ndim != 3:
            return None
        return cls(picture.astype(np.float32) / 256, view_mm)

    def png(self) -> bytes:
        """The reference as a PNG of 16 bits: fractions of a level survive."""
        done, data = cv2.imencode(".png", np.rint(self.reference * 256).clip(0, 65535).astype(np.uint16))
        if not done:
            raise RuntimeError("the PNG encoder refused the tray")
        return bytes(data)

    def updated(self, empty: Picture) -> "Tray":
        """Moved a little towards a frame in which the tray was seen empty: dust and daylight change slowly."""
        height, width = self.reference.shape[:2]
        now = cv2.resize(empty, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        return replace(self, reference=cv2.addWeighted(self.reference, 1 - _LEARNING, now, _LEARNING, 0))

    def fits(self, picture: Picture) -> bool:
        """Whether the picture has the reference's shape."""
        height, width = self.reference.shape[:2]
        return bool(abs(picture.shape[1] / picture.shape[0] / (width / height) - 1) < 0.01)


@dataclass(frozen=True, slots=True, repr=False)
class Difference:
    """A picture minus the tray in the light of the picture.

    `steps`: rows×columns×3 levels (light, red-green, yellow-blue); `noise`: robust sigma of each; `stale`: most of the
    frame's border differs, so the reference shows another tray or another lamp.
    """

    steps: Picture
    noise: Points
    stale: bool
    light: Picture
    """The factor on the reference, one for every colour, at the picture's size."""
    bare: Picture
    """The tray in this light (rows×columns×3 levels, the same axes as `steps`)."""

    @property
    def sigmas(self) -> Picture:
        """How many sigmas each pixel is off, over the three axes."""
        return length(cv2.transform(self.steps, np.diag(1 / self.noise)))

    @property
    def shadow(self) -> Picture:
        """1 where the tray is only darker: the same colour, less light."""
        size = np.maximum(length(self.bare), 1.0)
        along = cv2.transform(cv2.multiply(self.steps, self.bare), np.ones((1, 3), np.float32))
        part = along / (size * size)
        off = length(self.steps - part[..., None] * self.bare)
        allowed = 0.2 * -part * size + 4 * float(np.linalg.norm(self.noise))
        return np.asarray(((part < 0) & (part > -0.75) & (off < allowed)).astype(np.uint8))


def difference(small: Picture, tray: Tray) -> Difference:
    """`small` (BGR) minus the tray; the light is fitted on the frame's border: a factor a colour and one slope."""
    height, width = small.shape[:2]
    reference = tray.small
    if reference.shape[:2] != (height, width):
        reference = cv2.resize(reference, (width, height), interpolation=cv2.INTER_AREA)
    light, bare = _light(small, reference)
    lit = reference * light
    steps = cv2.GaussianBlur(cv2.transform(small.astype(np.float32) - lit, _OPPONENT), (0, 0), 1.2)
    return Difference(steps, _noise(steps), bare < _LEAST_BARE, light, cv2.transform(lit, _OPPONENT))


def _light(small: Picture, reference: Picture) -> tuple[Picture, float]:
    """Picture over reference as the bare border shows it, and the share of the border that agrees."""
    height, width = small.shape[:2]
    cells = (round(_CELLS * width / max(width, height)), round(_CELLS * height / max(width, height)))
    pair = [cv2.resize(p, cells, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (small, reference)]
    ratio = np.log((pair[0] + 1) / (pair[1] + 1))
    y, x = np.mgrid[-1 : 1 : cells[1] * 1j, -1 : 1 : cells[0] * 1j]
    ring = np.ones(x.shape, bool)
    ring[_RING:-_RING, _RING:-_RING] = False
    known, places = ratio[ring], np.stack([np.ones(int(ring.sum())), x[ring], y[ring]], axis=1)
    slope = np.zeros((3, 3))
    slope[0] = np.median(known, axis=0)
    for _ in range(3):
        off = np.abs(known - places @ slope).max(axis=1)
        agreeing = off < _SAME_LIGHT
        if agreeing.mean() < _LEAST_BARE:
            break
        slope[0] = np.median(known[agreeing] - places[agreeing, 1:] @ slope[1:], axis=0)
        bright = (known - slope[0]).mean(axis=1)[agreeing]
        slope[1:] = np.linalg.lstsq(places[agreeing, 1:], bright, rcond=None)[0][:, None]
    factor = np.exp(slope[0] + np.stack([x, y], axis=-1) @ slope[1:]).astype(np.float32)
    bare = float((np.abs(known - places @ slope).max(axis=1) < _SAME_LIGHT).mean())
    return cv2.resize(factor, (width, height), interpolation=cv2.INTER_LINEAR), bare


def _noise(steps: Picture) -> Points:
    """Robust sigma of each axis along the frame's border, slow changes of light taken out."""
    fine = steps - cv2.blur(steps, (15, 15))
    edge = max(4, round(0.05 * min(steps.shape[:2])))
    bands = (fine[:edge], fine[-edge:], fine[:, :edge], fine[:, -edge:])
    values = np.concatenate([band.reshape(-1, 3) for band in bands])
    return np.asarray(np.maximum(1.4826 * np.median(np.abs(values), axis=0), _LEAST_NOISE), np.float64)
