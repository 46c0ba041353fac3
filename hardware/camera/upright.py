"""Which way up a page is: Vietnamese writing has its ascenders, hooks and tone marks above, few strokes below.

Its own lines tell that in some 20 ms; Tesseract's OSD (about 1 s) is asked only where they do not.
"""

import logging
import re
import subprocess
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hardware.camera.programs import contained

log = logging.getLogger(__name__)

Picture = npt.NDArray[Any]

OSD_SECONDS = 5.0
"""Tesseract's orientation takes about 1 s; without an answer in this time the page stays as it lies."""
LEAST_OSD_CONFIDENCE = 1.5
"""Tesseract's own measure; its wrong answers on sparse forms stay below 1."""

_OSD_DPI = 150
_DPI = 120  # of the shrunken page: an x-height of 10 points has 8 pixels, its tone marks 4
_INK = 150  # on a whitened page
_LEAST_INK_MM2 = 60.0  # of writing: about four words
_LARGEST_MM = 7.0  # letters are smaller; frames, seals, signatures and pictures are not
_SMALLEST_PX = 4  # grains and the dots of dotted lines
_LEAST_LINES = 5
_SURE_AXIS = 2.0  # sample pages have 8 to 20, skewed by 3° too
_SURE_UP = 0.02  # Vietnamese pages have 0.03 to 0.05, capitals without marks 0.005
_LINE_MM = (1.8, 9.0)
_STRIPES = 6
_SWING = 9  # rows, 1.9 mm: between the middle of a line and the gap beside it


@dataclass(frozen=True, slots=True)
class Lean:
    """What one reading direction says: how line-like it is, and the share of ink above bodies of lines less below."""

    strength: float
    up: float
    lines: int


def turned(page: Picture, dpi: int) -> Picture:
    """The whitened page (BGR or grey) with its writing upright; blank and doubtful pages are left as they lie."""
    turns = quarter_turns(page, dpi)
    return np.ascontiguousarray(np.rot90(page, turns)) if turns else page


def quarter_turns(page: Picture, dpi: int) -> int:
    """Quarter turns anticlockwise (0 to 3) that put the writing upright; 0 for a page that does not tell."""
    grey = cv2.cvtColor(page, cv2.COLOR_BGR2GRAY) if page.ndim == 3 else page
    ink = _writing(_shrunk(grey, _DPI / dpi))
    if ink.sum() < _LEAST_INK_MM2 * (_DPI / 25.4) ** 2:
        return 0
    own = _own_answer(lean(ink), lean(np.rot90(ink)))
    return _osd(_shrunk(grey, _OSD_DPI / dpi)) if own is None else own


def lean(ink: Picture) -> Lean:
    """What the rows of an ink map (0 or 1, `_DPI`) say if they are read as lines of writing."""
    strength, above, below, lines = 0.0, 0.0, 0.0, 0
    for stripe in np.array_split(ink, _STRIPES, axis=1):
        profile = stripe.sum(axis=1, dtype=np.float64)
        smooth = np.convolve(profile, np.full(_SWING, 1 / _SWING), "same")
        strength += float(np.square(smooth[_SWING:] - smooth[:-_SWING]).sum())
        for over, under in _lines(profile):
            above, below, lines = above + over, below + under, lines + 1
    return Lean(strength, (above - below) / max(1.0, float(ink.sum())), lines)


def _shrunk(grey: Picture, scale: float) -> Picture:
    return grey if scale >= 1 else np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _writing(grey: Picture) -> Picture:
    """Ink that may be letters and their marks: 0 or 1."""
    ink = (grey < _INK).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    largest = boxes[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1)
    letters = (largest < _LARGEST_MM / 25.4 * _DPI) & (boxes[:, cv2.CC_STAT_AREA] >= _SMALLEST_PX)
    letters[0] = False  # the paper
    return np.asarray(letters[labels], np.uint8)


def _lines(profile: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """Ink above and below the body of every line in a profile of ink per row."""
    least, most = (mm / 25.4 * _DPI for mm in _LINE_MM)
    filled = np.concatenate([[False], profile > 0.5, [False]])
    edges = np.flatnonzero(np.diff(filled.astype(np.int8)))
    found = []
    for start, end in edges.reshape(-1, 2):
        rows = profile[start:end]
        if not least <= end - start <= most or rows.max() < 6:
            continue
        body = np.flatnonzero(rows >= 0.5 * rows.max())
        found.append((float(rows[: body[0]].sum()), float(rows[body[-1] + 1 :].sum())))
    return found


def _own_answer(across: Lean, down: Lean) -> int | None:
    """Quarter turns by the lines alone; None if they do not tell."""
    best, other, turn = (across, down, 0) if across.strength >= down.strength else (down, across, 1)
    if best.strength < _SURE_AXIS * other.strength or best.lines < _LEAST_LINES or abs(best.up) < _SURE_UP:
        return None
    return turn if best.up > 0 else turn + 2


def _osd(grey: Picture) -> int:
    """What Tesseract says; 0 if it is not installed, too slow or not sure."""
    command = contained("tesseract", "stdin", "stdout", "--psm", "0", "-l", "osd", "--dpi", str(_OSD_DPI))
    head = f"P5 {grey.shape[1]} {grey.shape[0]} 255\n".encode()
    try:
        answer = subprocess.run(
            command.arguments,
            input=head + grey.tobytes(),
            capture_output=True,
            timeout=OSD_SECONDS,
            env=command.environment,
            check=False,
        ).stdout.decode("ascii", "replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("a page's orientation could not be asked: %s", type(error).__name__)
        return 0
    degrees = re.search(r"^Orientation in degrees: (\d+)", answer, re.MULTILINE)
    confidence = re.search(r"^Orientation confidence: ([\d.]+)", answer, re.MULTILINE)
    if not degrees or not confidence or float(confidence[1]) < LEAST_OSD_CONFIDENCE:
        return 0
    return int(degrees[1]) // 90 % 4
