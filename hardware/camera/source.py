"""Opening a camera with OpenCV: what to ask of it, what it really gives, and what its refusals mean."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from kiosk.health import Reason

TIMEOUT_MS = 1500
"""A silent network camera is given up after this long (OpenCV's own default is 30 s)."""
SETTLE_FRAMES = 3
"""Frames after a change of size that a driver may still deliver in the old size, or dark."""

_BUSY = "cannot be opened: busy, or no permission"

Size = tuple[int, int]


class Lost(Exception):
    """The camera stopped giving frames."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Granted:
    """What a camera says it gives. The shape of real frames is what counts: `set` may succeed and change nothing."""

    fourcc: str
    size: Size
    fps: float
    """What the driver claims; network streams claim 25 whatever they send."""


def is_address(source: str) -> bool:
    """Whether the source is on the network, and not a device of this machine."""
    return source.startswith(("http://", "https://", "rtsp://"))


def opened(source: str, size: Size, fps: int) -> Any:
    """An open VideoCapture; `size` and `fps` are asked of local devices. Raises Lost."""
    asked = time.monotonic()
    if is_address(source):
        capture, detail = _of_address(source), "does not answer with a video stream"
    else:
        if not Path(source).exists():
            raise Lost(Reason.NO_CAMERA, "no such device")
        capture, detail = cv2.VideoCapture(source, cv2.CAP_V4L2), _BUSY
    if not capture.isOpened():
        raise lost(asked, detail)
    if not is_address(source):
        ask_for(capture, size, fps)
    return capture


def _of_address(source: str) -> Any:
    return cv2.VideoCapture(
        source,
        cv2.CAP_FFMPEG,
        [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS),
            *(cv2.CAP_PROP_N_THREADS, 1),
        ],
    )


def ask_for(capture: Any, size: Size, fps: int) -> None:
    """MJPG first, else HD comes uncompressed at 5 frames a second; then size, rate, and the shortest queue."""
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    capture.set(cv2.CAP_PROP_FPS, fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)


def granted(capture: Any) -> Granted:
    """What the camera says it gives now."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    fourcc = "".join(letter if letter.isprintable() else "?" for letter in code.to_bytes(4, "little").decode("latin-1"))
    size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    return Granted(fourcc, size, float(capture.get(cv2.CAP_PROP_FPS)))


def lost(asked: float, at_once: str) -> Lost:
    """What a refusal means: after a time-out something hangs, a quick one says that nothing is there."""
    if time.monotonic() - asked > TIMEOUT_MS / 1000 - 0.2:
        return Lost(Reason.CAMERA_STALLED, "no picture in time")
    return Lost(Reason.NO_CAMERA, at_once)


def picture_of(capture: Any, source: str) -> Any:
    """The next frame, BGR. Raises Lost: at once if a device's node is gone, whatever the driver still returns."""
    asked = time.monotonic()
    done, picture = capture.read()
    if not is_address(source) and not Path(source).exists():
        raise Lost(Reason.NO_CAMERA, "unplugged")
    if not done or picture is None:
        raise lost(asked, "the connection dropped")
    return picture
