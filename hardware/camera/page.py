"""From a found sheet to a page: its true size and honest resolution, judged, straightened, evenly lit and white."""

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from hardware.camera.curl import pulled_flat, traced
from hardware.camera.edges import Picture, Points
from hardware.camera.finder import Found
from hardware.camera.flatten import encoded, whiten
from hardware.camera.judge import LEAST_DPI, Judgement, judge
from hardware.camera.scene import find
from hardware.camera.sizes import Sheet, measure
from hardware.camera.tray import Tray
from hardware.camera.upright import turned
from kiosk.dossier import Page
from kiosk.health import Failure, Reason

MOST_DPI = 300
"""More than a reader needs; finer pictures are shrunk, coarser ones never enlarged."""
_RIM_PX = 2.0  # of the picture, at each corner: the lens mixes mat into the sheet's rim
_MOST_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True, repr=False)
class Taken:
    """All that one picture gave: what was found, how large and how good it is, and the page or why there is none.

    `stale`: the tray's reference no longer shows this tray; the operator clears it and calibrates again.
    """

    found: Found | None = None
    sheet: Sheet | None = None
    judgement: Judgement | None = None
    page: Page | None = None
    refused: Failure | None = None
    stale: bool = False


def decoded(data: bytes) -> Picture | None:
    """A JPEG or PNG file as BGR rows; None if it is neither or has more than 50 MP (the bytes come from outside)."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as header:
            width, height = header.size
    except (OSError, SyntaxError, ValueError):
        return None
    if not 0 < width * height <= _MOST_PIXELS:
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def take(
    picture: Picture,
    prior: Points | None = None,
    tray: Tray | None = None,
    size: str = "auto",
    least_dpi: int = LEAST_DPI,
) -> Taken:
    """Find, judge and flatten the sheet in a BGR picture. About 0.3 s of work for 8 MP.

    `prior`: corners another picture of this view gave (fractions of the frame); `size`: one of `sizes.CHOICES`.
    """
    scene = find(picture, tray, prior)
    found = scene.found
    if found is None or found.cut_off:
        return Taken(found, refused=Failure(scene.refused or Reason.PAGE_NOT_FOUND), stale=scene.stale)
    view_mm = tray.view_mm if tray is not None and not scene.stale else None
    sheet = measure(found.corners, max(picture.shape[:2]), size, view_mm)
    if sheet.dpi < least_dpi:
        refused = Failure(Reason.PAGE_TOO_SMALL, f"{sheet.dpi:.0f} dpi, at least {least_dpi} needed")
        if scene.refused is not None:
            refused = Failure(scene.refused)
        return Taken(found, sheet, refused=refused, stale=scene.stale)
    dpi = min(int(sheet.dpi), MOST_DPI)
    bend = traced(picture, found.corners, sheet)
    flat = straighten(picture, found.corners, sheet, dpi) if bend is None else pulled_flat(picture, bend, dpi)
    judgement = judge(flat, dpi, found, (picture.shape[0], picture.shape[1]))
    reason = scene.refused or judgement.refused
    if reason is not None:
        return Taken(found, sheet, judgement, None, Failure(reason, judgement.detail), scene.stale)
    legible = turned(whiten(flat, dpi), dpi)
    page = Page(encoded(legible), legible.shape[1], legible.shape[0], dpi)
    return Taken(found, sheet, judgement, page, None, scene.stale)


def straighten(picture: Picture, corners: Points, sheet: Sheet, dpi: int) -> Picture:
    """The sheet seen from straight above at `dpi`, BGR."""
    width, height = round(sheet.width_mm * dpi / 25.4), round(sheet.height_mm * dpi / 25.4)
    target = np.array(
        [(-0.5, -0.5), (width - 0.5, -0.5), (width - 0.5, height - 0.5), (-0.5, height - 0.5)], np.float32
    )
    inward = corners.mean(axis=0) - corners
    inset = corners + inward * (_RIM_PX / np.linalg.norm(inward, axis=1, keepdims=True))
    warp = cv2.getPerspectiveTransform(inset.astype(np.float32), target)
    return cv2.warpPerspective(picture, warp, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
