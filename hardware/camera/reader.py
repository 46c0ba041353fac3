"""The process that reads a camera: `python -m hardware.camera.reader FD`, started by DocumentCamera.

It may hang in its driver: that is why it is a process. Standard input brings one line, `{"source": …, "whole": …}`: an
address may hold a password and so is no argument. Pixels go to the shared memory FD; a JSON line a frame or change goes
to standard output. It ends when its parent does.
"""

import contextlib
import json
import os
import resource
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import cv2

from hardware.camera.finder import Picture, find, shrunk
from hardware.camera.memory import FULL_BYTES, FrameMemory
from kiosk.health import Reason

TIMEOUT_MS = 1500
"""A silent network camera is given up after this long (OpenCV's own default is 30 s)."""
FROZEN_SECONDS = 1.5
"""The same bytes for this long: a driver that repeats its last frame. A live sensor has noise."""
ANALYSIS_SECONDS = 0.075
"""The page is sought at most this often (13 times a second)."""
PREVIEW_SIZE = {True: (720, 1280), False: (960, 960)}
"""Width and height at most, portrait and landscape."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 1.0


class Lost(Exception):
    """The camera stopped giving frames."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def main() -> None:
    """Read until the parent is gone; open again whenever the camera is lost."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no citizen's paper in a core file
    cv2.setNumThreads(1)  # the screen needs the other core
    job = json.loads(sys.stdin.readline())
    reader = Reader(job["source"], FrameMemory(int(sys.argv[1])), job["whole"])
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        reader.run()
    os._exit(0)  # without the farewells of a camera library that may hang in them


class Reader:
    """Frames from one source into the shared memory."""

    def __init__(self, source: str, memory: FrameMemory, whole: bool) -> None:
        self._source, self._memory, self._whole = source, memory, whole
        self._number = 0
        self._outline: list[list[float]] | None = None
        self._analysed = 0.0

    def run(self) -> None:
        """Open, read, report the loss, pause, again."""
        pause = _FIRST_PAUSE
        while True:
            before = self._number
            try:
                self._read_all()
            except Lost as lost:
                tell(lost=lost.reason.value, detail=lost.detail)
            pause = _FIRST_PAUSE if self._number > before else min(pause * 2, _LONGEST_PAUSE)
            time.sleep(pause)

    def _read_all(self) -> None:
        capture = opened(self._source)
        try:
            watch = _FrozenWatch()
            while True:
                asked = time.monotonic()
                done, picture = capture.read()
                if not done:
                    raise _lost(asked, "the connection dropped")
                watch.see(picture)
                self._share(picture)
        finally:
            capture.release()

    def _share(self, picture: Picture) -> None:
        preview = previewed(picture)
        self._analyse(preview)
        self._number += 1
        if self._whole and picture.nbytes > FULL_BYTES:
            raise Lost(Reason.NO_CAMERA, f"frames of {picture.shape[1]}×{picture.shape[0]} are too large")
        rgb = cv2.cvtColor(preview, cv2.COLOR_BGR2RGB)
        self._memory.write(self._number, rgb.data.cast("B"), picture.data.cast("B") if self._whole else memoryview(b""))
        height, width = preview.shape[:2]
        tell(
            frame=self._number,
            preview=[width, height],
            whole=[picture.shape[1], picture.shape[0]],
            outline=self._outline,
        )

    def _analyse(self, preview: Picture) -> None:
        """Seek the page in every frame, or as often as the budget allows."""
        now = time.monotonic()
        if now - self._analysed < ANALYSIS_SECONDS:
            return
        self._analysed = now
        found = find(preview)
        self._outline = None if found is None or found.cut_off else found.shares(preview).tolist()


class _FrozenWatch:
    """Raises Lost when a picture repeats itself to the last bit for too long."""

    def __init__(self) -> None:
        self._print, self._since = 0, time.monotonic()

    def see(self, picture: Picture) -> None:
        now, here = time.monotonic(), zlib.adler32(picture[::8].tobytes())
        if here != self._print:
            self._print, self._since = here, now
        elif now - self._since > FROZEN_SECONDS:
            raise Lost(Reason.CAMERA_STALLED, "the picture is frozen")


def opened(source: str) -> Any:
    """An open VideoCapture; raises Lost."""
    asked = time.monotonic()
    if source.startswith(("http://", "https://")):
        capture = cv2.VideoCapture(
            source,
            cv2.CAP_FFMPEG,
            [
                *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS),
                *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS),
                *(cv2.CAP_PROP_N_THREADS, 1),
            ],
        )
        detail = "does not answer with a video stream"
    else:
        if not Path(source).exists():
            raise Lost(Reason.NO_CAMERA, "no such device")
        capture = cv2.VideoCapture(source, cv2.CAP_V4L2)
        _ask_for_size(capture)
        detail = "cannot be opened: busy, or no permission"
    if not capture.isOpened():
        raise _lost(asked, detail)
    return capture


def _ask_for_size(capture: Any) -> None:
    """MJPG first, else HD comes uncompressed at 5 frames a second. 8 MP: A4 at 200 dpi needs them."""
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, 3264)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, 2448)
    capture.set(cv2.CAP_PROP_FPS, 15)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)


def _lost(asked: float, at_once: str) -> Lost:
    """What a refusal means: after a time-out something hangs, a quick one says that nothing is there."""
    if time.monotonic() - asked > TIMEOUT_MS / 1000 - 0.2:
        return Lost(Reason.CAMERA_STALLED, "no picture in time")
    return Lost(Reason.NO_CAMERA, at_once)


def previewed(picture: Picture) -> Picture:
    """The picture shrunk to fit `PREVIEW_SIZE`."""
    height, width = picture.shape[:2]
    limits = PREVIEW_SIZE[height > width]
    return shrunk(picture, min(1.0, limits[0] / width, limits[1] / height))


def tell(**news: object) -> None:
    """One line to the parent; raises BrokenPipeError when it is gone."""
    sys.stdout.write(json.dumps(news) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
