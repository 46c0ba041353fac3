"""The document camera as the kiosk uses it: preview with the page's outline, capture of flattened pages, PDF."""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import requests

from hardware.camera import calibration, codes, likeness
from hardware.camera.assembly import Assembler
from hardware.camera.finder import Picture, Points
from hardware.camera.memory import FrameMemory
from hardware.camera.mrz_reader import access_key
from hardware.camera.page import decoded, take
from hardware.camera.source import is_address
from hardware.camera.tray import Tray
from hardware.card.mrz import Mrz
from hardware.device import Device
from kiosk.citizen import AccessKey
from kiosk.config import CameraSettings
from kiosk.dossier import Document, DocumentLabel, Page
from kiosk.health import Failure, Level, Reason
from kiosk.ports import CodeKind, Frame, PageLook, PagesDone

log = logging.getLogger(__name__)

START_SECONDS = 10.0
"""A new process loads its libraries and opens the camera in this time."""
FRAME_SECONDS = 1.8
"""The next frame comes in this time, or the camera counts as stalled."""
ANSWER_SECONDS = 3.5
"""A reader without frames says so in this time, or it hangs and is killed."""
PHOTOGRAPH_SECONDS = 4.0
"""A device changes to its full size, gives a picture and changes back in this time."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0
_STILL_SECONDS = 4.0
_STILL_BYTES = 30_000_000
_PACKAGES = Path(__file__).parent.parent.parent


class DocumentCamera(Device):
    """Reads in a process of its own that is killed when it hangs; here is only what it has seen."""

    def __init__(
        self, settings: CameraSettings, kiosk: str = "", state: Path | None = None, role: str = "camera"
    ) -> None:
        """`state`: the kiosk's state folder, where the calibration of this `role` lies; without it there is none."""
        super().__init__()
        self.name = role
        self._assembler = Assembler(kiosk)
        self._settings = settings
        self._folder = None if state is None else calibration.folder(state, role)
        self._tray: Tray | None = None
        self._stale = False
        self._mode: dict[str, Any] | None = None
        self._orders: asyncio.StreamWriter | None = None  # to the process
        self._stills = 0
        self._still: asyncio.Future[Picture | Failure] | None = None
        self._photographing = asyncio.Lock()
        self._memory: FrameMemory | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._news: dict[str, Any] | None = None  # the line about the newest frame
        self._frame: Frame | None = None
        self._earlier = 0  # frames of processes before the present one
        self._arrived = asyncio.Event()

    async def start(self) -> None:
        """Begin to read; a missing camera is a status."""
        if not self._settings.source:
            self.publish(Level.ABSENT, Reason.NOT_CONFIGURED)
            return
        self._tray = None if self._folder is None else await asyncio.to_thread(calibration.load, self._folder)
        self._memory = FrameMemory()
        self._supervisor = asyncio.create_task(self._supervise(self._memory), name="camera")

    async def stop(self) -> None:
        """End the process and give the frames' memory back."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        self._news = self._frame = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        self.publish(Level.ABSENT, Reason.STARTING)

    def preview(self) -> Frame | None:
        """The newest frame, at most 720×1280 (portrait) or 1280×720 pixels, or None while there is none."""
        news, memory = self._news, self._memory
        if news is None or memory is None:
            return None
        number = self._earlier + news["frame"]
        if self._frame is None or self._frame.number != number:
            width, height = news["preview"]
            rgb = memory.preview(news["frame"], width * height * 3)
            if rgb is not None:
                advice = None if news["advice"] is None else Reason(news["advice"])
                self._frame = Frame(width, height, rgb, _outline(news), number, advice)
        return self._frame

    @property
    def fps(self) -> float:
        """Frames a second over the last 2 s, counted; 0 while there are none."""
        return 0.0 if self._news is None else float(self._news["fps"])

    @property
    def mode(self) -> dict[str, Any] | None:
        """What was asked of the camera, what it says and what it sends (`asked`, `fourcc`, `says`, `sends`)."""
        return self._mode

    async def frames(self) -> AsyncIterator[Picture]:
        """Whole frames of the stream (BGR), each time the newest that comes; ends when the camera is lost."""
        while not isinstance(picture := await self._fresh(), Failure):
            yield picture

    async def capture(self) -> Page | Failure:
        """Take the page that lies on the tray: found, straightened, judged. About half a second."""
        if not self.status.usable:
            return Failure(self.status.reason, self.status.detail)
        prior = self._prior()
        picture = await self.photograph()
        if isinstance(picture, Failure):
            return picture
        result = await asyncio.to_thread(take, picture, prior, self._tray, "auto", self._settings.least_dpi)
        if result.page is not None:
            return result.page
        return result.refused or Failure(Reason.PAGE_NOT_FOUND)

    async def photograph(self) -> Picture | Failure:
        """What lies there now at the camera's full size (BGR): from `still`, from the device, or the next frame."""
        if self._settings.still:
            return await asyncio.to_thread(_fetched, self._settings.still)
        if is_address(self._settings.source):
            return await self._fresh()
        async with self._photographing:
            return await self._taken()

    async def read_code(self, kind: CodeKind, seconds: float = codes.SECONDS) -> str | AccessKey | Failure:
        """What lies there: the QR code's text, or the key that an ID card's zone spells; looks at frames and stills."""
        answer = await codes.read_code(self, kind, seconds)
        if not isinstance(answer, Mrz):
            return answer
        key = access_key(answer)
        return key if isinstance(key, AccessKey) else Failure(Reason.NOT_AN_ID_CARD, "the zone of another document")

    async def look(self, page: Page, earlier: Sequence[Page]) -> PageLook:
        """Whether a page is blank, or a second picture of one that was taken earlier."""
        return await asyncio.to_thread(likeness.look, page, tuple(earlier))

    async def turned(self, page: Page) -> Page:
        """The page turned a quarter clockwise."""
        return await asyncio.to_thread(likeness.turned, page)

    async def assemble(self, pages: Sequence[Page], label: DocumentLabel, progress: PagesDone) -> Document | Failure:
        """A checked PDF/A-2b of the pages in order. Cancelled: it stops at once and leaves nothing behind."""
        return await self._assembler.assemble(pages, label, progress)

    def forget(self) -> None:
        """Drop all frames, here and in the shared memory. Never fails, never blocks."""
        self._news = self._frame = None
        if self._still is not None and not self._still.done():
            self._still.set_result(Failure(Reason.CAMERA_STALLED, "the picture is not wanted any more"))
        if self._memory is not None:
            self._memory.wipe()

    async def _supervise(self, memory: FrameMemory) -> None:
        """Run the reading process for ever: killed when it hangs, started again after a pause."""
        pause = _FIRST_PAUSE
        while True:
            before = self._earlier
            await self._run(memory)
            pause = _FIRST_PAUSE if self._earlier > before else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _run(self, memory: FrameMemory) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hardware.camera.reader",
            str(memory.fd),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(memory.fd,),
            env=_environment(),
        )
        seen = 0
        try:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(self._job()).encode() + b"\n")
            self._orders = process.stdin
            seen = await self._listen(process.stdout)
        finally:
            self._orders = None
            if process.returncode is None:
                process.kill()
            await process.wait()
            self._news = None
            self._earlier += seen
            memory.wipe()

    async def _listen(self, lines: asyncio.StreamReader) -> int:
        """Follow the process until it ends or hangs; returns the number of its last frame."""
        patience, seen = START_SECONDS, 0
        while True:
            try:
                async with asyncio.timeout(patience):  # wait_for of 3.11 may lose a cancellation
                    line = await lines.readline()
            except TimeoutError:
                self._lost(Level.FAULT, Reason.CAMERA_STALLED, "no frame in time")
                if patience not in (FRAME_SECONDS, PHOTOGRAPH_SECONDS):
                    return seen
                patience = ANSWER_SECONDS
                continue
            if not line:
                self._lost(Level.FAULT, Reason.CAMERA_STALLED, "the reading process ended")
                return seen
            news = json.loads(line)
            if "frame" in news:
                seen, patience = news["frame"], FRAME_SECONDS
                self._seen(news)
            elif "lost" not in news:
                patience = PHOTOGRAPH_SECONDS if "photographing" in news else patience
                self._noted(news)
            else:
                patience = ANSWER_SECONDS
                reason = Reason(news["lost"])
                self._lost(Level.ABSENT if reason is Reason.NO_CAMERA else Level.FAULT, reason, news["detail"])

    def _seen(self, news: dict[str, Any]) -> None:
        self._news = news
        self._arrived.set()
        self.publish(Level.READY, Reason.OK)
        if news["stale"] != self._stale:
            self._stale = news["stale"]
            log.warning("%s: the tray %s", self.name, _STALE if self._stale else "looks as calibrated again")

    def _noted(self, news: dict[str, Any]) -> None:
        """What the process says beside frames and losses."""
        if "mode" in news:
            if news["mode"] != self._mode:
                log.info("%s: %s", self.name, _described(news["mode"]))
            self._mode = news["mode"]
        elif "controls" in news:
            log.warning("%s: controls: %s", self.name, news["controls"])
        elif "still" in news and self._still is not None and news["still"] == self._stills and not self._still.done():
            width, height = news["whole"]
            data = self._memory.still(news["still"], width * height * 3) if self._memory else None
            self._still.set_result(_shaped(data, width, height))

    def _lost(self, level: Level, reason: Reason, detail: str) -> None:
        self._news = self._frame = None
        if self._still is not None and not self._still.done():
            self._still.set_result(Failure(reason, detail))
        self.publish(level, reason, detail)

    def _job(self) -> dict[str, Any]:
        ours = self._settings
        return {
            "source": ours.source,
            "preview": (ours.preview_width, ours.preview_height),
            "still": (ours.still_width, ours.still_height),
            "fps": ours.fps,
            "folder": None if self._folder is None else str(self._folder),
        }

    async def _taken(self) -> Picture | Failure:
        """A still by the process, which holds the device."""
        if self._orders is None:
            return Failure(self.status.reason, "no reading process")
        self._stills += 1
        self._still = asyncio.get_running_loop().create_future()
        self._orders.write(json.dumps({"still": self._stills}).encode() + b"\n")
        try:
            async with asyncio.timeout(PHOTOGRAPH_SECONDS + FRAME_SECONDS):
                return await self._still
        except TimeoutError:
            return Failure(Reason.CAMERA_STALLED, "no still in time")
        finally:
            self._still = None

    async def _fresh(self) -> Picture | Failure:
        """The whole frame that comes next: what lies there now, not what lay there at the last look."""
        self._arrived.clear()
        try:
            async with asyncio.timeout(FRAME_SECONDS):
                await self._arrived.wait()
        except TimeoutError:
            return Failure(Reason.CAMERA_STALLED, "no frame in time")
        news, memory = self._news, self._memory
        if news is None or memory is None:
            return Failure(Reason.CAMERA_STALLED, "the frame is gone")
        width, height = news["whole"]
        return _shaped(memory.full(news["frame"], width * height * 3), width, height)

    def _prior(self) -> Points | None:
        outline = _outline(self._news) if self._news else None
        return None if outline is None else np.array(outline)


_STALE = "does not look as calibrated: clear it, or calibrate again (scan --calibrate)"


def _described(mode: dict[str, Any]) -> str:
    """The camera's mode as one line, loud where it gives something else than was asked."""
    sends = "×".join(map(str, mode["sends"]))
    if mode["asked"] is None or mode["asked"] == mode["sends"]:
        return f"sends {sends}, {mode['fourcc']}"
    asked, says = ("×".join(map(str, mode[key])) for key in ("asked", "says"))
    return f"sends {sends}, {mode['fourcc']}: asked for {asked}, it said {says}"


def _shaped(data: bytes | None, width: int, height: int) -> Picture | Failure:
    if data is None:
        return Failure(Reason.CAMERA_STALLED, "the frame is gone")
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _outline(news: dict[str, Any]) -> Any:
    return None if news["outline"] is None else tuple((x, y) for x, y in news["outline"])


def _environment() -> dict[str, str]:
    """For the process: our packages, quick time-outs of the drivers, and no proxy between kiosk and camera."""
    ours = {
        "PYTHONPATH": str(_PACKAGES),
        "OPENCV_LOG_LEVEL": "SILENT",
        "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2",
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": "fflags;nobuffer|probesize;500000|analyzeduration;0|recv_buffer_size;400000",
    }
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | ours


def _fetched(url: str) -> Picture | Failure:
    """A still, decoded; bounded in time and size."""
    deadline, data = time.monotonic() + _STILL_SECONDS, bytearray()
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(url, stream=True, timeout=1.5, allow_redirects=False) as answer:
                answer.raise_for_status()
                for chunk in answer.iter_content(65536):
                    data += chunk
                    if len(data) > _STILL_BYTES or time.monotonic() > deadline:
                        return Failure(Reason.CAMERA_STALLED, "the still does not end")
    except requests.ConnectionError as error:
        timed_out = "timed out" in str(error)
        return Failure(Reason.CAMERA_STALLED if timed_out else Reason.NO_CAMERA, "no still from the camera")
    except requests.RequestException as error:
        return Failure(Reason.CAMERA_STALLED, f"no still from the camera: {type(error).__name__}")
    picture = decoded(bytes(data))
    return Failure(Reason.NO_CAMERA, "the still is not a picture") if picture is None else picture
