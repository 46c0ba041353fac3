"""`scan --calibrate`: keep the empty tray and the camera's locked controls; then measure with an A4 sheet."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hardware.camera import calibration, controls
from hardware.camera.calibration import Calibration
from hardware.camera.camera import DocumentCamera
from hardware.camera.finder import Picture
from hardware.camera.scene import Seen, find
from hardware.camera.source import is_address
from hardware.camera.tray import Tray
from kiosk.config import CameraSettings, Settings

FRAMES = 20
"""Averaged into the reference: they bring the noise down to a fifth."""
WARM_UP_FRAMES = 40
"""Exposure and white balance have settled after these."""
A4_MM = (210.0, 297.0)

_WAIT_SECONDS = 20.0
_STALLS = 5
_STILL_LEVELS = 2.0  # mean difference of halves of the frames, in grey levels, that is still no movement
_ASPECT_TOLERANCE = 0.03
_MOST_VIEW_MM = 420.0  # 8 MP over more are less than 200 dpi; and an A5 sheet has A4's shape


class NotCalibrated(Exception):
    """Why there is no calibration now, and what to do; for technicians."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was kept, and what the technician should know."""

    facts: Calibration
    warnings: tuple[str, ...] = ()


async def empty_tray(settings: CameraSettings, folder: Path, frames: int = FRAMES) -> Result:
    """Lock the controls, average frames of the empty tray, keep both. Raises NotCalibrated, OSError."""
    async with DocumentCamera(settings) as camera:
        await _frames(camera, WARM_UP_FRAMES)
        locked, warnings = await asyncio.to_thread(_locked, settings.source)
        if locked:
            await _frames(camera, WARM_UP_FRAMES // 2)
        pictures = await _frames(camera, frames)
    _refuse_movement(pictures)
    tray = Tray.of(pictures)
    if find(pictures[-1]).seen is not Seen.NOTHING:
        warnings += ("something like a sheet is in view; unless it is drawn on the tray, take it away and repeat",)
    height, width = pictures[0].shape[:2]
    taken_at = datetime.now(UTC).isoformat(timespec="seconds")
    facts = Calibration(taken_at, len(pictures), round(_noise(pictures), 2), (width, height), locked)
    await asyncio.to_thread(calibration.save, folder, tray, facts)
    return Result(facts, warnings)


async def known_sheet(settings: CameraSettings, folder: Path) -> Result:
    """Measure the tray with the A4 sheet that lies there. Raises NotCalibrated, OSError."""
    tray = calibration.load(folder)
    if tray is None:
        raise NotCalibrated("calibrate the empty tray first: scan --calibrate")
    async with DocumentCamera(settings) as camera:
        pictures = await _frames(camera, FRAMES // 2)
    _refuse_movement(pictures)
    scene = find(pictures[-1], tray)
    if scene.found is None or scene.seen is not Seen.SHEET:
        raise NotCalibrated(f"no single whole sheet is seen ({scene.seen.value}): lay one A4 sheet down and repeat")
    edges = np.linalg.norm(np.roll(scene.found.corners, -1, axis=0) - scene.found.corners, axis=1)
    short, long = sorted(((edges[0] + edges[2]) / 2, (edges[1] + edges[3]) / 2))
    if abs(long / short / (A4_MM[1] / A4_MM[0]) - 1) > _ASPECT_TOLERANCE:
        raise NotCalibrated(f"the sheet is not A4 (its sides are as 1 to {long / short:.2f}): lay an A4 sheet down")
    scale = float((A4_MM[0] / short + A4_MM[1] / long) / 2)
    if scale * max(pictures[-1].shape[:2]) > _MOST_VIEW_MM:
        raise NotCalibrated("the sheet fills too little of the picture: it is A5, or the camera hangs too high")
    facts = calibration.measured(folder, round(scale, 5))
    if facts is None:
        raise NotCalibrated("the calibration was damaged meanwhile: calibrate the empty tray again")
    return Result(facts)


def calibrate_command(settings: Settings, options: argparse.Namespace) -> int:
    """`scan --calibrate [--sheet] [--json]`: 0 if kept, 1 if not, with the reason."""
    folder = calibration.folder(settings.kiosk.state, "camera")
    work = known_sheet(settings.camera, folder) if options.sheet else empty_tray(settings.camera, folder)
    try:
        result = asyncio.run(work)
    except NotCalibrated as error:
        if options.json:
            print(json.dumps({"calibrated": False, "refused": str(error)}, indent=2))
        print(f"not calibrated: {error}", file=sys.stderr)
        return 1
    print(json.dumps(_as_json(folder, result), indent=2) if options.json else _as_text(folder, result))
    return 0


def _as_json(folder: Path, result: Result) -> dict[str, Any]:
    facts = result.facts
    return {
        "calibrated": True,
        "folder": str(folder),
        "frames": facts.frames,
        "noise": facts.noise,
        "frame": list(facts.frame),
        "controls": facts.controls,
        "mm_per_pixel": facts.mm_per_pixel,
        "warnings": list(result.warnings),
    }


def _as_text(folder: Path, result: Result) -> str:
    facts = result.facts
    size = "×".join(map(str, facts.frame))
    lines = [
        f"{folder}: {facts.frames} frames of {size}, noise {facts.noise} levels, {len(facts.controls)} controls locked"
    ]
    if facts.mm_per_pixel is None:
        lines.append("now lay one A4 sheet down and run: scan --calibrate --sheet")
    else:
        lines.append(f"{facts.mm_per_pixel} mm a pixel, {facts.view_mm:.0f} mm along the frame's long side")
    return "\n".join([*lines, *(f"warning: {warning}" for warning in result.warnings)])


async def _usable(camera: DocumentCamera) -> None:
    usable = asyncio.Event()
    camera.on_change = lambda status: usable.set() if status.usable else usable.clear()
    if camera.status.usable:
        return
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            await usable.wait()
    except TimeoutError:
        status = camera.status
        raise NotCalibrated(f"the camera gives no picture: {status.reason.value} {status.detail}") from None


async def _frames(camera: DocumentCamera, count: int) -> list[Picture]:
    """So many frames; a camera that stalls on the way gets time to come back."""
    pictures: list[Picture] = []
    for _ in range(_STALLS):
        await _usable(camera)
        async for picture in camera.frames():
            pictures.append(picture)
            if len(pictures) == count:
                return pictures
    raise NotCalibrated("the camera stops giving pictures again and again: check its cable and repeat")


def _locked(source: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """The controls of a local device after locking them; nothing for a network camera."""
    if is_address(source):
        return {}, ("a network camera: lock its exposure, white balance and focus on its own page",)
    try:
        return controls.lock(source), ()
    except controls.ControlError as error:
        return {}, (f"exposure, white balance and focus are not locked: {error}",)


def _refuse_movement(pictures: Sequence[Picture]) -> None:
    small = [cv2.resize(picture, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA) for picture in pictures]
    early, late = (
        np.mean(half, axis=0, dtype=np.float32) for half in (small[: len(small) // 2], small[len(small) // 2 :])
    )
    if float(np.abs(early - late).max(axis=2).mean()) > _STILL_LEVELS:
        raise NotCalibrated("something moves, or the light changes: leave the tray alone and repeat")


def _noise(pictures: Sequence[Picture]) -> float:
    """Robust sigma of one frame, from the differences of neighbours; a frame that was repeated tells nothing."""
    thin = [picture[::3, ::3].astype(np.float32) for picture in pictures]
    moved = [np.abs(one - other) for one, other in pairwise(thin) if not np.array_equal(one, other)]
    return float(1.4826 * np.median([np.median(one) for one in moved]) / np.sqrt(2)) if moved else 0.0
