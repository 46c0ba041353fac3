"""The process that reads a camera: `python -m hardware.camera.reader FD`, started by DocumentCamera.

It may hang in its driver: that is why it is a process. Standard input brings one line that says what to read (`Job`; an
address may hold a password and so is no argument), later a line `{"still": N}` for each picture wanted at full size.
Pixels go to the shared memory FD; a JSON line a frame or change goes to standard output. It ends when its parent does.
"""

import contextlib
import json
import os
import queue
import resource
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from hardware.camera import calibration, controls
from hardware.camera.finder import Picture, shrunk
from hardware.camera.memory import FULL_BYTES, FrameMemory
from hardware.camera.scene import Scene, Seen, find
from hardware.camera.source import SETTLE_FRAMES, Lost, Size, ask_for, granted, is_address, opened, picture_of
from hardware.camera.tray import Tray
from kiosk.health import Reason

FROZEN_SECONDS = 1.5
"""The same bytes for this long: a driver that repeats its last frame. A live sensor has noise."""
ANALYSIS_SECONDS = 0.075
"""The page is sought at most this often (13 times a second)."""
PREVIEW_SIZE = {True: (720, 1280), False: (1280, 720)}
"""Width and height at most, portrait and landscape."""
LEARN_SECONDS = 5.0
"""The reference of the empty tray follows dust and daylight this often, while nothing lies there."""
STILL_FPS = 5
"""Asked of a device for stills: large pictures come slowly."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 1.0
_TELLING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Job:
    """What to read. Sizes and rate are asked of local devices only; `folder` holds the calibration, if any."""

    source: str
    preview: Size
    still: Size
    fps: int
    folder: str | None

    @classmethod
    def parsed(cls, line: str) -> "Job":
        """From the line that the parent wrote."""
        raw = json.loads(line)
        return cls(raw["source"], tuple(raw["preview"]), tuple(raw["still"]), raw["fps"], raw["folder"])


def main() -> None:
    """Read until the parent is gone; open again whenever the camera is lost."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no citizen's paper in a core file
    cv2.setNumThreads(1)  # the screen needs the other core
    threading.excepthook = lambda _: os._exit(1)  # the parent starts another
    reader = Reader(Job.parsed(sys.stdin.readline()), FrameMemory(int(sys.argv[1])))
    threading.Thread(target=_listen, args=(reader,), daemon=True).start()
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        reader.run()
    os._exit(0)  # without the farewells of a camera library that may hang in them


def _listen(reader: "Reader") -> None:
    for line in sys.stdin:
        reader.wanted.put(json.loads(line)["still"])
    os._exit(0)  # the parent is gone


class Reader:
    """Frames from one source into the shared memory."""

    def __init__(self, job: Job, memory: FrameMemory) -> None:
        self.wanted: queue.SimpleQueue[int] = queue.SimpleQueue()
        """Numbers of the stills asked for."""
        self._job, self._memory = job, memory
        self._number = 0
        self._eye = _Eye(None if job.folder is None else Path(job.folder))
        self._pace = _Pace()

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
        job = self._job
        capture, newest = opened(job.source, job.preview, job.fps), None
        try:
            self._restore_controls()
            self._eye.open()
            self._describe(capture, picture_of(capture, job.source))
            newest = _Newest(lambda: self._next(capture))
            watch = _FrozenWatch()
            while True:
                picture = newest.wait()
                watch.see(picture)
                self._share(picture)
        finally:
            if newest is not None:
                newest.end()
            capture.release()

    def _next(self, capture: Any) -> Picture:
        """The next frame, after the stills that were asked for; called by the thread that holds the device."""
        picture: Picture = picture_of(capture, self._job.source)
        while not self.wanted.empty():
            self._photograph(capture, self.wanted.get(), picture)
        return picture

    def _restore_controls(self) -> None:
        """Cameras forget on re-plug: every opening sets what calibration locked, and says what had changed."""
        facts = calibration.load_facts(Path(self._job.folder)) if self._job.folder else None
        if facts is None or not facts.controls or is_address(self._job.source):
            return
        try:
            changed = controls.restore(self._job.source, facts.controls)
        except controls.ControlError as error:
            tell(controls=str(error))
        else:
            if changed:
                tell(controls="set again: " + ", ".join(changed))

    def _describe(self, capture: Any, picture: Picture) -> None:
        """What the camera says it gives, and what it gives."""
        says = granted(capture)
        tell(
            mode={
                "asked": None if is_address(self._job.source) else self._job.preview,
                "fourcc": says.fourcc,
                "says": says.size,
                "sends": (picture.shape[1], picture.shape[0]),
            }
        )

    def _share(self, picture: Picture) -> None:
        preview = previewed(picture)
        self._eye.look(preview)
        self._number += 1
        if picture.nbytes > FULL_BYTES:
            raise Lost(Reason.NO_CAMERA, f"frames of {picture.shape[1]}×{picture.shape[0]} are too large")
        rgb = cv2.cvtColor(preview, cv2.COLOR_BGR2RGB)
        self._memory.write(self._number, rgb.data.cast("B"), picture.data.cast("B"))
        height, width = preview.shape[:2]
        tell(
            frame=self._number,
            preview=[width, height],
            whole=[picture.shape[1], picture.shape[0]],
            fps=self._pace.beat(),
            **self._eye.news(preview),
        )

    def _photograph(self, capture: Any, number: int, picture: Picture) -> None:
        """A picture at full size into the memory: the device changes its size and back, which takes about a second."""
        job = self._job
        if not is_address(job.source) and job.still != job.preview:
            tell(photographing=number)
            ask_for(capture, job.still, STILL_FPS)
            for _ in range(SETTLE_FRAMES):
                picture = picture_of(capture, job.source)
            ask_for(capture, job.preview, job.fps)
        if picture.nbytes > FULL_BYTES:
            raise Lost(Reason.NO_CAMERA, f"stills of {picture.shape[1]}×{picture.shape[0]} are too large")
        self._memory.write_still(number, picture.data.cast("B"))
        tell(still=number, whole=[picture.shape[1], picture.shape[0]])


class _Newest:
    """A thread that takes every frame as it comes, so that none waits in a queue; only the newest is kept."""

    def __init__(self, take: Callable[[], Picture]) -> None:
        self._take = take
        self._changed = threading.Condition()
        self._picture: Picture | None = None
        self._lost: Lost | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self) -> Picture:
        """The newest frame, each once; raises Lost."""
        with self._changed:
            while self._picture is None and self._lost is None:
                self._changed.wait()
            picture, self._picture = self._picture, None
            if self._lost is not None:
                raise self._lost
            assert picture is not None
            return picture

    def end(self) -> None:
        """Return when the thread has let go of the camera; if it hangs, the parent ends the process."""
        self._ended = True
        self._thread.join()

    def _run(self) -> None:
        while not self._ended:
            try:
                picture, lost = self._take(), None
            except Lost as error:
                picture, lost = None, error
            with self._changed:
                self._picture, self._lost = picture, lost
                self._changed.notify()
            if lost is not None:
                return


class _Eye:
    """Looks for the page beside the preview, in a thread: as often as the budget allows, for half a core at most."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._tray: Tray | None = None
        self._scene = Scene(Seen.NOTHING)
        self._newest: queue.Queue[Picture] = queue.Queue(maxsize=1)
        self._learnt = 0.0
        threading.Thread(target=self._run, daemon=True).start()

    def open(self) -> None:
        """Begin with the reference that lies in the folder now."""
        self._tray = None if self._folder is None else calibration.load(self._folder)

    def look(self, preview: Picture) -> None:
        """Look at this picture if there is time for it."""
        with contextlib.suppress(queue.Full):
            self._newest.put_nowait(preview)

    def _run(self) -> None:
        while True:
            preview, began = self._newest.get(), time.monotonic()
            self._scene = find(preview, self._tray)
            self._learn(preview)
            took = time.monotonic() - began
            time.sleep(max(ANALYSIS_SECONDS - took, took))
            with contextlib.suppress(queue.Empty):
                self._newest.get_nowait()  # it has aged meanwhile

    def _learn(self, preview: Picture) -> None:
        now, tray = time.monotonic(), self._tray
        if self._scene.seen is not Seen.NOTHING or self._scene.stale:
            self._learnt = now
        elif tray is not None and tray.fits(preview) and now - self._learnt > LEARN_SECONDS:
            self._tray, self._learnt = tray.updated(preview), now

    def news(self, preview: Picture) -> dict[str, Any]:
        """What the parent is told of it; `advice` is the reason why no page can be taken, or null."""
        scene = self._scene
        good = scene.found is not None and scene.seen is Seen.SHEET
        return {
            "outline": scene.found.shares(preview).tolist() if good and scene.found else None,
            "advice": scene.refused.value if scene.refused else None,
            "stale": scene.stale,
        }


class _Pace:
    """The true frame rate: what drivers and streams claim is often wrong."""

    def __init__(self) -> None:
        self._beats: deque[float] = deque(maxlen=60)

    def beat(self) -> float:
        """Count a frame; frames a second over the last 2 s, 0 while it is not known for 1 s (a burst is no rate)."""
        now = time.monotonic()
        self._beats.append(now)
        while now - self._beats[0] > 2.0:
            self._beats.popleft()
        span = now - self._beats[0]
        return round((len(self._beats) - 1) / span, 1) if span >= 1 else 0.0


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


def previewed(picture: Picture) -> Picture:
    """The picture shrunk to fit `PREVIEW_SIZE`."""
    height, width = picture.shape[:2]
    limits = PREVIEW_SIZE[height > width]
    return shrunk(picture, min(1.0, limits[0] / width, limits[1] / height))


def tell(**news: object) -> None:
    """One line to the parent; raises BrokenPipeError when it is gone."""
    with _TELLING:
        sys.stdout.write(json.dumps(news) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
