"""The hall's voice: «Mời công dân có số H T không không một đến quầy số hai», made by espeak-ng, kept as WAV files.

Browsers on Linux have no Vietnamese voice, so the server speaks (queue reference §6). espeak-ng is a separate program:
without it calls go on silently and `status` says so.
"""

import array
import hashlib
import io
import logging
import math
import re
import shutil
import subprocess
import threading
import wave
from pathlib import Path

from kiosk.health import Level, Published, Reason

log = logging.getLogger(__name__)

DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
CHIME = ((784.0, 0.22), (622.0, 0.42))
"""Two tones (Hz, seconds) that make people look up."""
KEPT = 400
"""Announcements kept on disk: about a day of a small centre, some 120 MB."""


class Voice(Published):
    """Makes and keeps announcements; `folder` is made when needed. Blocking: call it from a worker."""

    name = "voice"

    def __init__(self, folder: Path, voice: str) -> None:
        super().__init__()
        self._folder, self._voice = folder, voice
        self._making = threading.Lock()
        if shutil.which("espeak-ng") is None:
            self.publish(Level.FAULT, Reason.NO_VOICE, "espeak-ng is not installed (apt install espeak-ng)")
        else:
            self.publish(Level.READY, Reason.OK)

    def announcement(self, number: str, counter: str) -> Path | None:
        """The WAV file of a call; None if it cannot be made."""
        text = spoken(number, counter)
        name = hashlib.sha256(f"{self._voice}\n{text}".encode()).hexdigest()[:32]
        path = self._folder / f"{name}.wav"
        try:
            with self._making:
                return path if path.is_file() else self._make(text, path)
        except (OSError, subprocess.SubprocessError, wave.Error) as error:
            self.publish(Level.FAULT, Reason.NO_VOICE, f"{type(error).__name__}: {error}")
            return None

    def _make(self, text: str, path: Path) -> Path:
        speech = subprocess.run(
            ["espeak-ng", "-v", self._voice, "-s", "155", "-g", "3", "--stdout", text],
            capture_output=True,
            check=True,
            timeout=10,
        ).stdout
        self._folder.mkdir(parents=True, exist_ok=True)
        self._prune()
        draft = path.with_suffix(".part")
        draft.write_bytes(_with_chime(speech))
        draft.replace(path)
        self.publish(Level.READY, Reason.OK)
        return path

    def _prune(self) -> None:
        files = sorted(self._folder.glob("*.wav"), key=lambda f: f.stat().st_mtime)
        for file in files[: max(0, len(files) - KEPT)]:
            file.unlink(missing_ok=True)


def spoken(number: str, counter: str) -> str:
    """The announcement in words: «Mời công dân có số H T, không không một, đến quầy số hai.»."""
    series, _, digits = number.rpartition("-")
    read = " ".join(DIGITS[int(d)] for d in digits)
    return f"Mời công dân có số {' '.join(series)}, {read}, đến quầy số {_counter(counter)}."


def _counter(counter: str) -> str:
    """A counter's name; numbers below 100 in words, letters spelled («2A»: hai A)."""
    parts = re.findall(r"\d+|\D", counter)
    return " ".join(_below_100(int(p)) if p.isdigit() and len(p) < 3 else p for p in parts)


def _below_100(n: int) -> str:
    tens, unit = divmod(n, 10)
    if tens == 0:
        return DIGITS[unit]
    head = "mười" if tens == 1 else f"{DIGITS[tens]} mươi"
    if unit == 0:
        return head
    words = {5: "lăm"} if tens == 1 else {1: "mốt", 4: "tư", 5: "lăm"}
    return f"{head} {words.get(unit, DIGITS[unit])}"


def _with_chime(speech: bytes) -> bytes:
    """The speech (mono 16 bit, whatever its rate) after two tones. espeak-ng streams: its length field is not true."""
    with wave.open(io.BytesIO(speech)) as source:
        rate, width, channels = source.getframerate(), source.getsampwidth(), source.getnchannels()
        frames = source.readframes(len(speech))
    if (width, channels) != (2, 1):
        raise wave.Error("16-bit mono expected")
    out = io.BytesIO()
    with wave.open(out, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        for hertz, seconds in CHIME:
            target.writeframes(_tone(hertz, seconds, rate))
        target.writeframes(bytes(rate // 2))  # a quarter of a second of silence
        target.writeframes(frames)
    return out.getvalue()


def _tone(hertz: float, seconds: float, rate: int) -> bytes:
    """A bell: a sine with one overtone that dies away."""
    samples = array.array("h")
    for n in range(int(seconds * rate)):
        t = n / rate
        wave_ = math.sin(2 * math.pi * hertz * t) + 0.3 * math.sin(4 * math.pi * hertz * t)
        samples.append(int(9000 * wave_ * math.exp(-4 * t) * min(1.0, t * 200)))
    return samples.tobytes()
