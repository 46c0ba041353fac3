"""What a technician's calibration leaves in the state folder: the empty tray and the camera's locked controls.

`tray.png` is the reference picture (16 bits a colour), `tray.json` says when and from what it was made, with its
SHA-256: a file that was cut short or swapped is no calibration. There is no personal data in either.
"""

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from hardware.camera.tray import Tray

log = logging.getLogger(__name__)

PICTURE, FACTS = "tray.png", "tray.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Calibration:
    """The facts beside the reference picture."""

    taken_at: str
    """UTC, ISO 8601."""
    frames: int
    noise: float
    """Robust sigma of one frame, in grey levels."""
    frame: tuple[int, int]
    """Width and height of the camera's frames."""
    controls: dict[str, int] = field(default_factory=dict)
    """Locked V4L2 controls; empty for a camera without them."""
    mm_per_pixel: float | None = None
    """On the tray, for pixels of `frame`; None until a sheet of known size was measured."""

    @property
    def view_mm(self) -> float | None:
        """What the frame's long side covers."""
        return None if self.mm_per_pixel is None else self.mm_per_pixel * max(self.frame)


def folder(state: Path, role: str) -> Path:
    """Where the calibration of the camera of this role lies in the kiosk's state folder."""
    return state / "cameras" / role


def save(folder: Path, tray: Tray, facts: Calibration) -> None:
    """Write both files, each whole or not at all, the facts last. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    data = tray.png()
    _write(folder / PICTURE, data)
    record = {"version": VERSION, "sha256": hashlib.sha256(data).hexdigest(), **asdict(facts)}
    _write(folder / FACTS, json.dumps(record, indent=2).encode())


def measured(folder: Path, mm_per_pixel: float) -> Calibration | None:
    """Add the scale to the calibration in `folder`; None if there is none. Raises OSError."""
    facts, tray = load_facts(folder), load(folder)
    if facts is None or tray is None:
        return None
    facts = replace(facts, mm_per_pixel=mm_per_pixel)
    save(folder, replace(tray, view_mm=facts.view_mm), facts)
    return facts


def load(folder: Path) -> Tray | None:
    """The empty tray, with the measured scale if any; None without a calibration that is whole."""
    facts = load_facts(folder)
    if facts is None:
        return None
    try:
        return Tray.of_png((folder / PICTURE).read_bytes(), facts.view_mm)
    except OSError:
        return None


def load_facts(folder: Path) -> Calibration | None:
    """What is known of the calibration in `folder`; None (and a warning) if it is broken, None if there is none."""
    try:
        record = json.loads((folder / FACTS).read_text("utf-8"))
        picture = (folder / PICTURE).read_bytes()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        log.warning("the camera's calibration cannot be read: calibrate again (scan --calibrate)")
        return None
    try:
        if record.pop("version") != VERSION or record.pop("sha256") != hashlib.sha256(picture).hexdigest():
            raise ValueError
        return Calibration(**{**record, "frame": tuple(record["frame"])})
    except (AttributeError, KeyError, TypeError, ValueError):
        log.warning("the camera's calibration is damaged: calibrate again (scan --calibrate)")
        return None


def _write(path: Path, data: bytes) -> None:
    draft = path.with_suffix(path.suffix + ".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
