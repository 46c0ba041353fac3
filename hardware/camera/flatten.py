"""A straightened sheet made legible: light evened, paper white, edges crisp; seals, inks, pictures keep their colour.

Everything is a gain: a pixel's channels are divided by the paper's and scaled together, so hue and saturation stay as
they are on the paper. Only what is brighter than the paper's own noise is clipped to white.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[Any]

LARGEST_JPEG = 900_000
"""Bytes of one page's picture at most, where a quality of 60 allows it: with text and frame it stays below 1 MB."""
QUALITIES = (80, 74, 68, 60)
"""JPEG qualities tried in this order; below 60 small print rings."""

_GROUND_DPI = 12.0  # one cell is 2 mm: finer than a soft shadow, coarser than writing
_SPREAD_SIGMA = 3.2  # cells
_SPREAD_STEPS = 24
_PAPER_LEVEL = 244  # what bare paper becomes before clipping: its noise has room above
_LEAST_TINT = 0.72  # darkest over brightest channel; below it the brightest area is no paper (a card, a cover)
_SHARPEN = 0.6
_NOISIEST = 10.0  # σ; beyond it faint ink would go with the grain


def whiten(flat: Picture, dpi: int) -> Picture:
    """The sheet (BGR) evenly lit, its paper white, mildly sharpened. About 70 ms for A4 at 300 dpi."""
    ground = _ground(flat, dpi)
    even = cv2.divide(flat, cv2.resize(ground, flat.shape[1::-1], interpolation=cv2.INTER_LINEAR), scale=_PAPER_LEVEL)
    noise = _noise(even)
    sharpen = _SHARPEN * float(np.clip((5 - noise) / 3, 0, 1))  # grain is not made worse
    if sharpen > 0:
        cv2.addWeighted(even, 1 + sharpen, cv2.GaussianBlur(even, (5, 5), 1.1), -sharpen, 0, even)
    return cv2.LUT(even, _tones(noise * (1 + sharpen)))


def encoded(flat: Picture) -> bytes:
    """A JPEG in the best of `QUALITIES` that keeps it under `LARGEST_JPEG`, else in the least."""
    data = b""
    for quality in QUALITIES:
        done, buffer = cv2.imencode(".jpg", flat, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
        if not done:
            raise RuntimeError("the JPEG encoder refused a page")
        data = buffer.tobytes()
        if len(data) <= LARGEST_JPEG:
            break
    return data


def _ground(flat: Picture, dpi: int) -> Picture:
    """The colour of the bare paper everywhere, at 12 dpi.

    It spreads from the brightest paper into shadows as far as they are soft; what ends sharply or has another colour
    (ink, seals, pictures) is bridged over and so keeps its darkness. Without any paper only brightness is evened.
    """
    cell = max(1, round(dpi / _GROUND_DPI))  # whole pixels: four times as fast
    rows, columns = (max(1, side // cell) for side in flat.shape[:2])
    whole = flat[: rows * cell, : columns * cell]
    small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
    paper = np.quantile(small, 0.8, axis=(0, 1)).astype(np.float32)
    if paper.min() < _LEAST_TINT * paper.max():
        small = np.repeat(small.max(axis=2, keepdims=True), 3, axis=2)
        paper = np.full(3, paper.max(), np.float32)
    ground = np.broadcast_to(paper, small.shape)
    before = -1.0
    for _ in range(_SPREAD_STEPS):
        ratio = small / np.maximum(ground, 1)
        bare = ((ratio.min(axis=2) > 0.85) & (np.ptp(ratio, axis=2) < 0.07)).astype(np.float32)[..., None]
        known = cv2.GaussianBlur(np.dstack([small * bare, bare]), (0, 0), _SPREAD_SIGMA)
        ground = (known[..., :3] + 1e-3 * ground) / (known[..., 3:] + 1e-3)
        now = float(bare.mean())
        if now == before:
            break
        before = now
    return np.clip(ground, 1, 255).astype(np.uint8)


def _noise(even: Picture) -> float:
    """The grain of the paper, σ in grey levels where it is worst (in shadows), from neighbours on every 16th row."""
    steps = np.abs(np.diff(even[::16, :, 1].astype(np.int16), axis=1))
    quiet = steps < 3 * _NOISIEST
    columns = np.where(quiet, steps, 0).sum(axis=0) / np.maximum(1, quiet.sum(axis=0))
    return float(np.quantile(columns, 0.9)) / 1.128  # the mean distance of two normal values is 1.128 σ


def _tones(noise: float) -> Picture:
    """A gain that makes everything white from three σ of grain below the paper's level."""
    white = _PAPER_LEVEL - float(np.clip(3 * noise, 8, 3 * _NOISIEST))
    return np.asarray(np.clip(np.rint(np.arange(256) * (255 / white)), 0, 255), np.uint8)
