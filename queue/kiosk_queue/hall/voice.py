"""Clip packs of the hall's voice: a folder of WAV files for each language, which a centre may record over.

espeak-ng makes them, as a separate program (queue reference §6); a recording of the same name replaces a clip.
`counter-<name>.wav`, which only a centre can record, says a counter's own name («quầy tiếp nhận hộ tịch»), after «đến».
"""

import array
import hashlib
import io
import json
import math
import shutil
import subprocess
import threading
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from kiosk.config import ConfigError

RATE = 22050
"""Samples per second of everything that is said: mono, 16 bit."""
LOUDEST = 26000
"""Peak of every spoken clip, of 32767: recordings and made clips are equally loud and joining never clips."""
SILENT = 250
"""Below this a sample at either end of a clip is silence, which is cut: pauses are set where clips are joined."""
LONGEST = 20.0
"""Seconds of a clip at most; a longer file is no clip."""
MANIFEST = "made-by-espeak.json"

if TYPE_CHECKING:
    Samples = array.array[int]
else:
    Samples = array.array

_LETTERS_VI = (
    "a", "bê", "xê", "dê", "e", "ép", "gờ", "hát", "i", "giây", "ca", "e lờ", "em mờ", "en nờ", "o", "pê", "quy",
    "e rờ", "ét sì", "tê", "u", "vê", "vê kép", "ích xì", "i dài", "dét",
)  # fmt: skip
_DIGITS_VI = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_DIGITS_EN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS_EN = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
)  # fmt: skip
_TENS_EN = ("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VI = {
    "invite": "Mời công dân có số",
    "to-counter": "đến quầy số",
    "to": "đến",
    **{f"letter-{chr(97 + n)}": name for n, name in enumerate(_LETTERS_VI)},
    "letter-dd": "đê",
    **{f"digit-{n}": w for n, w in enumerate(_DIGITS_VI)},
    "number-10": "mười",
    **{f"number-1{n}": f"mười {'lăm' if n == 5 else _DIGITS_VI[n]}" for n in range(1, 10)},
    **{f"number-{n}0": f"{_DIGITS_VI[n]} mươi" for n in range(2, 10)},
    "unit-1": "mốt",
    "unit-4": "tư",
    "unit-5": "lăm",
}
_EN = {
    "invite": "Ticket number",
    "to-counter": "please go to counter",
    "to": "please go to",
    **{f"letter-{chr(97 + n)}": chr(65 + n) for n in range(26)},
    "letter-dd": "D",
    **{f"digit-{n}": w for n, w in enumerate(_DIGITS_EN)},
    **{f"number-{n}": w for n, w in enumerate(_TEENS_EN, 10)},
    **{f"number-{n}0": w for n, w in enumerate(_TENS_EN, 3)},
}
TEXTS: Mapping[str, Mapping[str, str]] = {"vi": _VI, "en": _EN}
"""What the clips of each language say."""
CHIME = "chime"
_TONES = ((784.0, 0.22), (622.0, 0.42))
"""Two tones (Hz, seconds) that make people look up."""
_SPEED = {"vi": "165", "en": "160"}


class ClipError(Exception):
    """A file that is no clip; the message says why."""


def names(language: str) -> list[str]:
    """The clips of a whole pack."""
    return [CHIME, *TEXTS[language]]


def make_pack(folder: Path, language: str, voice: str, *, force: bool = False) -> int:
    """Make the clips that `folder`/`language` lacks; how many were made. ConfigError if espeak-ng cannot, OSError.

    With `force` those that espeak-ng made before are made again; recordings laid over them always stay.
    """
    if language not in TEXTS:
        raise ConfigError(f"language is {language!r}; allowed: {', '.join(TEXTS)}")
    _require_espeak()
    place = folder / language
    ours = _manifest(place)
    wanted = [name for name in names(language) if _is_ours(place / f"{name}.wav", ours, force=force)]
    for name in wanted:
        try:
            make_clip(folder, language, name, voice)
        except ClipError as error:
            raise ConfigError(f"espeak-ng does not speak as {voice!r} ({error}); see espeak-ng --voices") from None
    return len(wanted)


def make_clip(folder: Path, language: str, name: str, voice: str) -> Samples:
    """Make and keep one clip; raises ConfigError without espeak-ng, ClipError if it fails, OSError."""
    samples = _chime() if name == CHIME else speak(TEXTS[language][name], language, voice)
    place = folder / language
    place.mkdir(parents=True, exist_ok=True)
    data = wav(samples)
    _write(place / f"{name}.wav", data)
    with _manifest_lock:
        noted = {**_manifest(place), name: hashlib.sha256(data).hexdigest()}
        _write(place / MANIFEST, json.dumps(noted, indent=1, sort_keys=True).encode())
    return samples


def speak(text: str, language: str, voice: str) -> Samples:
    """What espeak-ng says; raises ConfigError without it, ClipError if it fails."""
    _require_espeak()
    command = ["espeak-ng", "-v", voice, "-s", _SPEED[language], "--stdout", text]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=10)
    except subprocess.SubprocessError as error:
        raise ClipError(f"espeak-ng -v {voice} failed ({type(error).__name__})") from None
    return read_clip(done.stdout)


def read_clip(data: bytes, *, even: bool = True) -> Samples:
    """The sound of a PCM WAV file of any rate, width and channels, trimmed. `even`: as loud as every other clip."""
    try:
        with wave.open(io.BytesIO(data)) as source:
            rate, width, channels = source.getframerate(), source.getsampwidth(), source.getnchannels()
            frames = source.readframes(int(LONGEST * rate) + 1)  # espeak-ng streams: its length field is not true
    except (wave.Error, EOFError, ValueError) as error:
        raise ClipError(f"no PCM WAV file ({error})") from None
    if len(frames) > LONGEST * rate * width * channels:
        raise ClipError(f"longer than {LONGEST:.0f} s")
    if not 4000 <= rate <= 384000 or not 1 <= channels <= 8 or not 1 <= width <= 4:
        raise ClipError(f"{rate} Hz, {channels} channels, {8 * width} bit")
    samples = _trimmed(
        _resampled(_mono(frames[: len(frames) // (width * channels) * width * channels], width, channels), rate)
    )
    if not samples:
        raise ClipError("silent")
    return _evened(samples) if even else samples


def wav(samples: Samples) -> bytes:
    """A WAV file, mono, 16 bit."""
    out = io.BytesIO()
    with wave.open(out, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE)
        target.writeframes(samples.tobytes())
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: tuple[int, int]
    samples: Samples | None
    fault: str = ""


class Pack:
    """The clips of one language, kept in memory until their file changes. Thread-safe; blocking."""

    def __init__(self, folder: Path, language: str, voice: str) -> None:
        self.language = language
        self.faults: dict[str, str] = {}
        """Clips that cannot be said as they are, and why."""
        self._folder, self._voice = folder, voice
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def has(self, name: str) -> bool:
        """Whether a file of this name is there: for clips that only a centre can record."""
        return self._path(name).is_file()

    def clip(self, name: str) -> Samples | None:
        """A clip; one that is missing is made and kept, one that is broken is spoken in its place; None if neither."""
        with self._lock:
            try:
                file = self._path(name).stat()
            except OSError:
                return self._made(name, "missing", keep=True)
            stamp = (file.st_mtime_ns, file.st_size)
            kept = self._kept.get(name)
            if kept is None or kept.stamp != stamp:
                kept = self._kept[name] = self._load(name, stamp)
            if kept.samples is not None:
                self.faults.pop(name, None)
                return kept.samples
            return self._made(name, kept.fault, keep=False)

    def _load(self, name: str, stamp: tuple[int, int]) -> _Kept:
        try:
            return _Kept(stamp, read_clip(self._path(name).read_bytes(), even=name != CHIME))
        except (OSError, ClipError) as error:
            return _Kept(stamp, None, str(error))

    def _made(self, name: str, fault: str, *, keep: bool) -> Samples | None:
        """`keep` writes the clip; a broken file stays as it is for its owner to see."""
        self.faults[name] = fault
        if name not in names(self.language):
            return None
        try:
            if keep:
                samples = make_clip(self._folder, self.language, name, self._voice)
                del self.faults[name]
                return samples
            return _chime() if name == CHIME else speak(TEXTS[self.language][name], self.language, self._voice)
        except (ConfigError, ClipError, OSError) as error:
            self.faults[name] = f"{fault}; {error}"
            return None

    def _path(self, name: str) -> Path:
        return self._folder / self.language / f"{name}.wav"


_manifest_lock = threading.Lock()


def _require_espeak() -> None:
    if shutil.which("espeak-ng") is None:
        raise ConfigError("espeak-ng is not installed (apt install espeak-ng)")


def _manifest(place: Path) -> dict[str, str]:
    """Digests of the clips that were made here, by name; none if nobody can tell."""
    try:
        found = json.loads((place / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_ours(path: Path, made: Mapping[str, str], *, force: bool) -> bool:
    """Whether a clip is to be made: it is not there, or it is one of ours and all of those are wanted anew."""
    if not path.is_file():
        return True
    return force and made.get(path.stem) == hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    draft = path.with_suffix(".part")
    draft.write_bytes(data)
    draft.replace(path)


def _mono(frames: bytes, width: int, channels: int) -> list[float]:
    """Samples of one channel, as of 16 bit."""
    values: list[float]
    if width == 1:
        values = [(byte - 128) * 256.0 for byte in frames]
    elif width == 2:
        values = [float(value) for value in array.array("h", frames)]
    else:
        top = [frames[n + width - 2 : n + width] for n in range(0, len(frames), width)]
        values = [float(value) for value in array.array("h", b"".join(top))]
    if channels == 1:
        return values
    return [sum(values[n : n + channels]) / channels for n in range(0, len(values), channels)]


def _resampled(values: list[float], rate: int) -> list[float]:
    """At our rate: averaged over the step when there are too many, on a straight line between when too few."""
    if rate == RATE or not values:
        return values
    step = rate / RATE
    if step > 1:
        sums = [0.0]
        for value in values:
            sums.append(sums[-1] + value)
        edges = [min(n * step, len(values)) for n in range(int(len(values) / step) + 1)]
        at = [_between(sums, edge) for edge in edges]
        return [(b - a) / step for a, b in pairwise(at)]
    return [_between(values, n * step) for n in range(int(len(values) / step))]


def _between(values: list[float], place: float) -> float:
    n = min(int(place), len(values) - 1)
    following = values[min(n + 1, len(values) - 1)]
    return values[n] + (following - values[n]) * (place - n)


def _trimmed(values: list[float]) -> Samples:
    """Without the silence at both ends, which fade in and out so that nothing clicks."""
    loud = [n for n, value in enumerate(values) if abs(value) > SILENT]
    if not loud:
        return array.array("h")
    margin = RATE // 100
    cut = values[max(0, loud[0] - margin) : loud[-1] + 2 * margin]
    for n in range(min(margin // 2, len(cut))):
        cut[n] *= n / (margin / 2)
        cut[-1 - n] *= n / (margin / 2)
    return array.array("h", (max(-32767, min(32767, round(value))) for value in cut))


def _evened(samples: Samples) -> Samples:
    gain = LOUDEST / max(1, *(abs(value) for value in samples))
    return array.array("h", (round(value * gain) for value in samples))


def _chime() -> Samples:
    """Two bells: each a sine with one overtone that dies away."""
    samples: Samples = array.array("h")
    for hertz, seconds in _TONES:
        for n in range(int(seconds * RATE)):
            t = n / RATE
            tone = math.sin(2 * math.pi * hertz * t) + 0.3 * math.sin(4 * math.pi * hertz * t)
            samples.append(int(11000 * tone * math.exp(-4 * t) * min(1.0, t * 200)))
    return samples
