"""The words of a page: Tesseract `vie` in a process of its own, pixels in and invisible text out through pipes.

Nothing of a page touches a disk. The text is a search aid: no form field is filled from it.
"""

import asyncio
import contextlib
import logging
import signal
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hardware.camera.programs import contained

log = logging.getLogger(__name__)

Picture = npt.NDArray[Any]

LANGUAGE = "vie"
SECONDS = 20.0
"""A page takes 1 to 3 s; one that takes this long goes without text."""


_ENDED_WITH_US = (-signal.SIGTERM, -signal.SIGINT)
"""How it ends when the whole kiosk is told to end: no fault of a page."""

READING_DPI = 212
"""Finer pages are shrunk for reading alone: it is faster and reads the same."""

_DOTS_DPI = 140  # fine enough to tell dots of a line apart
_DOT_MM = 0.55  # a dot of a dotted line at most
_GAP_MM = 2.2  # from dot to dot at most
_LEADER_MM = 6.0  # a dotted line at least


def readable(grey: Picture, dpi: int) -> tuple[Picture, int]:
    """The page as it is read, and its resolution: not finer than `READING_DPI`, without dotted lines to write on.

    Forms are full of them, and they are read as rows of invented letters.
    """
    if dpi > READING_DPI:
        scale = READING_DPI / dpi
        grey, dpi = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), READING_DPI
    small = cv2.resize(grey, None, fx=_DOTS_DPI / dpi, fy=_DOTS_DPI / dpi, interpolation=cv2.INTER_AREA)
    leaders = cv2.resize(_leaders(small), grey.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.maximum(grey, cv2.dilate(leaders, np.ones((3, 3), np.uint8))), dpi


def _leaders(grey: Picture) -> Picture:
    """The dots (255) of dotted lines on a page at `_DOTS_DPI`."""
    dot, gap, leader = (round(mm / 25.4 * _DOTS_DPI) for mm in (_DOT_MM, _GAP_MM, _LEADER_MM))
    ink = (grey < 225).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    tiny = boxes[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1) <= dot
    dots = np.asarray(tiny[labels], np.uint8) * 255
    rows = cv2.dilate(dots, np.ones((3, 1), np.uint8))  # a line that is not quite level
    rows = cv2.morphologyEx(rows, cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8))
    rows = cv2.morphologyEx(rows, cv2.MORPH_OPEN, np.ones((1, leader), np.uint8))
    return np.asarray(cv2.bitwise_and(rows, dots))


async def text_layer(grey: Picture, dpi: int, seconds: float = SECONDS) -> bytes | None:
    """One page as a PDF of invisible text alone, as large as the picture at `dpi`; None (logged) if there is none.

    `grey` has one channel and is cleaned. The process is killed at the time limit and when this is cancelled.
    """
    grey, dpi = await asyncio.to_thread(readable, grey, dpi)
    command = contained(
        *("tesseract", "stdin", "stdout", "-l", LANGUAGE, "--oem", "1", "--psm", "3", "--dpi", str(dpi)),
        *("-c", "textonly_pdf=1", "-c", "tessedit_do_invert=0", "pdf"),
    )
    try:
        process = await asyncio.create_subprocess_exec(
            *command.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=command.environment,
        )
    except OSError as error:
        log.warning("no text in pages: the OCR program does not start (%s)", type(error).__name__)
        return None
    try:
        head = f"P5 {grey.shape[1]} {grey.shape[0]} 255\n".encode()
        async with asyncio.timeout(seconds):
            answer, _ = await process.communicate(head + grey.tobytes())
    except TimeoutError:
        log.warning("a page goes without text: the OCR took longer than %g s", seconds)
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        assert process.stdin
        with contextlib.suppress(ConnectionError):  # what it did not read any more
            await process.stdin.wait_closed()
    if process.returncode in _ENDED_WITH_US:
        return None
    if process.returncode != 0 or not answer.startswith(b"%PDF"):
        log.warning("a page goes without text: the OCR ended with %s", process.returncode)
        return None
    return answer
