"""From a found sheet to a page: its true size and honest resolution, judged, straightened, evenly lit and white."""

import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from hardware.camera.finder import Found, Picture, Points, find
from kiosk.dossier import Page
from kiosk.health import Failure, Reason

LEAST_DPI = 150
"""Below this small print is lost. The archive rule is 200 (02/2019/TT-BNV): it becomes the limit with calibration."""
MOST_DPI = 300
"""More than a reader needs; finer pictures are shrunk, coarser ones never enlarged."""
VIEW_MM = 330.0
"""What the long side of the frame covers on the tray: the mounting rule (A4 and a margin of 5 % on each side)."""
LEAST_SHARPNESS = 0.33
"""Writing in focus measures 0.48, blurred by σ = 0.2 mm 0.32 (marks over vowels run together), by 0.3 mm 0.21."""

SIZES = {"A4": (210.0, 297.0), "A5": (148.0, 210.0), "ID-1": (53.98, 85.6)}
"""Short and long side in mm (ISO 216, ISO/IEC 7810)."""

_ASPECT_TOLERANCE = 0.05
_SIZE_TOLERANCE = 0.28  # the camera's height may differ this much from the mounting rule
_SPREAD_STEPS = 24
_RIM_PX = 2.0  # of the picture, at each corner: the lens mixes mat into the sheet's rim
_BLANK_VARIANCE = 25.0  # grey levels²; lamp and noise give 5, a blurred line of text 80
_JPEG_QUALITY = 85
_MOST_PIXELS = 50_000_000

Floats = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, repr=False)
class Sheet:
    """A sheet's true size and how finely the picture shows it."""

    name: str
    width_mm: float
    height_mm: float
    dpi: float


@dataclass(frozen=True, slots=True, repr=False)
class Take:
    """All that one picture gave: what was found, how large it is, and the page or why there is none."""

    found: Found | None
    sheet: Sheet | None
    page: Page | None
    refused: Failure | None


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


def take(picture: Picture, prior: Points | None = None) -> Take:
    """Find, judge and flatten the sheet in a BGR picture. About 0.3 s of work for 8 MP."""
    found = find(picture, prior)
    if found is None:
        return Take(None, None, None, Failure(Reason.PAGE_NOT_FOUND))
    if found.cut_off:
        return Take(found, None, None, Failure(Reason.PAGE_CUT_OFF))
    sheet = measure(found.corners, max(picture.shape[:2]))
    if sheet.dpi < LEAST_DPI:
        detail = f"{sheet.dpi:.0f} dpi, at least {LEAST_DPI} needed"
        return Take(found, sheet, None, Failure(Reason.PAGE_TOO_SMALL, detail))
    dpi = min(int(sheet.dpi), MOST_DPI)
    flat = straighten(picture, found.corners, sheet, dpi)
    sharp = sharpness(flat, dpi)
    if sharp is not None and sharp < LEAST_SHARPNESS:
        return Take(found, sheet, None, Failure(Reason.PAGE_BLURRED, f"sharpness {sharp:.2f}"))
    return Take(found, sheet, _page(whiten(flat, dpi), dpi), None)


def measure(corners: Points, frame_long: int) -> Sheet:
    """The size of a sheet from its corners: a standard size if it fits, else free by the tray's scale.

    A4 and A5 have one shape: which it is follows from the share of the frame, so from the mounting rule.
    """
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    width, height = (top + bottom) / 2, (left + right) / 2
    on_tray = VIEW_MM / frame_long
    name, short, long = _standard(min(width, height) * on_tray, max(width, height) * on_tray)
    wide, high = (long, short) if width > height else (short, long)
    return Sheet(name, wide, high, 25.4 * min(width / wide, height / high))


def _standard(short: float, long: float) -> tuple[str, float, float]:
    fitting = [
        (abs(np.log(long / size[1])), name, *size)
        for name, size in SIZES.items()
        if abs(np.log(long / short * size[0] / size[1])) < _ASPECT_TOLERANCE
        and abs(np.log(long / size[1])) < _SIZE_TOLERANCE
    ]
    return min(fitting)[1:] if fitting else ("free", short, long)


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


def sharpness(flat: Picture, dpi: int) -> float | None:
    """How much of the finest detail of the most detailed tenth a blur of 0.25 mm takes away; None on a blank page.

    The weaker of both directions counts, so that motion blur shows. Independent of light, contrast and amount of text.
    """
    grey = cv2.cvtColor(flat, cv2.COLOR_BGR2GRAY)
    scale = LEAST_DPI / dpi
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), 0.6)  # the sensor's noise is no detail
    mean = _tiles(grey)
    if np.quantile(_tiles(grey * grey) - mean * mean, 0.95) < _BLANK_VARIANCE:
        return None
    fine = _tile_slopes(grey)
    coarse = _tile_slopes(cv2.GaussianBlur(grey, (0, 0), 0.25 / 25.4 * LEAST_DPI))
    total = fine.sum(axis=0)
    finest = total >= np.quantile(total, 0.9)
    return float(1 - np.sqrt(coarse[:, finest].sum(axis=1) / np.maximum(fine[:, finest].sum(axis=1), 1e-6)).max())


def _tile_slopes(grey: Floats) -> Points:
    """Mean squared slope across and down (2×rows×columns) in tiles."""
    slopes = (cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=1))
    return np.stack([_tiles(slope * slope) for slope in slopes])


def _tiles(values: Floats) -> Floats:
    """Means over tiles of 32×32, without the sheet's rim."""
    inner = values[8:-8, 8:-8]
    tiles = (max(1, inner.shape[1] // 32), max(1, inner.shape[0] // 32))
    return np.asarray(cv2.resize(inner, tiles, interpolation=cv2.INTER_AREA))


def whiten(flat: Picture, dpi: int) -> Picture:
    """Shadow and lamp colour divided out and the paper made white; ink, seals and pictures keep their colour."""
    ground = _paper_colour(flat, dpi)
    even = cv2.divide(flat, cv2.resize(ground, flat.shape[1::-1], interpolation=cv2.INTER_LINEAR), scale=244)
    return cv2.LUT(even, _TONES)


def _paper_colour(flat: Picture, dpi: int) -> Picture:
    """The colour of the bare paper everywhere, at about 15 dpi.

    It spreads from the brightest paper into shadows as far as they are soft; what ends sharply or has another colour
    (ink, seals, pictures) is bridged over and so keeps its darkness.
    """
    small = cv2.resize(flat, None, fx=15 / dpi, fy=15 / dpi, interpolation=cv2.INTER_AREA).astype(np.float32)
    ground = np.broadcast_to(np.quantile(small, 0.8, axis=(0, 1)).astype(np.float32), small.shape)
    for _ in range(_SPREAD_STEPS):
        ratio = small / np.maximum(ground, 1)
        bare = ((ratio.min(axis=2) > 0.85) & (np.ptp(ratio, axis=2) < 0.07)).astype(np.float32)[..., None]
        known = cv2.GaussianBlur(np.dstack([small * bare, bare]), (0, 0), 4.0)
        ground = (known[..., :3] + 1e-3 * ground) / (known[..., 3:] + 1e-3)
    return np.clip(ground, 1, 255).astype(np.uint8)


def _tones() -> Picture:
    """Black from 30, white from 236, straight between."""
    level = np.arange(256, dtype=np.float64)
    return np.clip((level - 30) * 255 / (236 - 30), 0, 255).astype(np.uint8)


_TONES = _tones()


def _page(flat: Picture, dpi: int) -> Page:
    done, data = cv2.imencode(".jpg", flat, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise RuntimeError("the JPEG encoder refused a page")
    return Page(bytes(data), flat.shape[1], flat.shape[0], dpi)
