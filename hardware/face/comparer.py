"""The device: frames of the face camera beside the portrait of the chip; a score comes out, nothing else stays."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from statistics import median
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hardware.device import Device
from hardware.face import models
from hardware.face.liveness import Liveness, installed
from hardware.face.matcher import Face, Matcher
from kiosk.config import FaceSettings
from kiosk.health import Failure, Level, Reason
from kiosk.ports import FaceMatch, Frame

log = logging.getLogger(__name__)

FRAMES = 5
"""Frames with a face in them that make one result: their median, so that a blink does not count."""

Picture = npt.NDArray[Any]


class Eyes(Protocol):
    """What faces are seen with: a camera."""

    def preview(self) -> Frame | None:
        """The newest frame, small."""

    def frames(self) -> AsyncIterator[Picture]:
        """Whole frames (BGR), each time the newest; ends when the camera is lost."""


class CameraFaceComparer(Device):
    """Ready once both networks are loaded; without them it is a fault that stops no visit."""

    name = "face"

    def __init__(self, settings: FaceSettings, camera: Eyes) -> None:
        super().__init__()
        self._settings, self._camera = settings, camera
        self._matcher: Matcher | None = None
        self._liveness: Liveness | None = None
        self._face: Face | None = None  # seen last, for its box on screen
        self._shown: Frame | None = None

    async def start(self) -> None:
        """Load the networks; what is wrong with them is a status."""
        try:
            self._liveness = installed(self._settings.liveness)
            self._matcher = await asyncio.to_thread(lambda: Matcher(models.load(self._settings.models)))
        except (models.ModelsError, LookupError) as error:
            self.publish(Level.FAULT, Reason.NOT_CONFIGURED, str(error))
            return
        self.publish(Level.READY, Reason.OK)

    async def stop(self) -> None:
        """Drop the networks."""
        self._matcher = None
        self.publish(Level.ABSENT, Reason.STARTING)

    def preview(self) -> Frame | None:
        """The newest frame as in a mirror, its outline around the face seen last."""
        frame = self._camera.preview()
        if frame is None:
            return None
        outline = None if self._face is None else _mirrored(self._face.box)
        if self._shown is None or (self._shown.number, self._shown.outline) != (frame.number, outline):
            pixels = np.frombuffer(frame.rgb, np.uint8).reshape(frame.height, frame.width, 3)[:, ::-1]
            self._shown = replace(frame, rgb=pixels.tobytes(), outline=outline, advice=None)
        return self._shown

    async def compare(self, portrait: bytes, seconds: float) -> FaceMatch | Failure:
        """How alike the person before the camera and the portrait are; see `FaceComparer`."""
        matcher = self._matcher
        if matcher is None:
            return Failure(self.status.reason, self.status.detail)
        wanted = await asyncio.to_thread(matcher.face_of, portrait)
        if wanted is None:
            return Failure(Reason.NOT_FOUND, "no face in the portrait")
        scores: list[float] = []
        pictures: list[Picture] = []
        try:
            async with asyncio.timeout(seconds):
                async for picture in self._camera.frames():
                    self._face = await asyncio.to_thread(matcher.face_in, picture)
                    if self._face is not None:
                        scores.append(matcher.likeness(wanted, self._face))
                        pictures.append(picture)
                    if len(scores) == FRAMES:
                        return await self._result(scores, pictures)
        except TimeoutError:
            return Failure(Reason.NOT_FOUND, f"no face in {seconds:.0f} s")
        finally:
            self.forget()
        return Failure(Reason.CAMERA_STALLED, "the face camera is lost")

    def forget(self) -> None:
        """Drop the last frame and face. Never fails, never blocks."""
        self._face = self._shown = None

    async def _result(self, scores: list[float], pictures: list[Picture]) -> FaceMatch:
        match = FaceMatch(round(median(scores), 3), self._settings.threshold, len(scores), models.NAME)
        if self._liveness is None:
            return match
        verdict = await asyncio.to_thread(self._liveness.judge, tuple(pictures))
        return replace(match, liveness=self._liveness.name, live=verdict.live, liveness_score=verdict.score)


def _mirrored(box: tuple[float, float, float, float]) -> Any:
    left, top, right, bottom = box
    return ((1 - right, top), (1 - left, top), (1 - left, bottom), (1 - right, bottom))
