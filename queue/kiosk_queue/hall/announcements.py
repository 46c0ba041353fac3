"""Announcements: a call as clips with the right pauses between, joined to one WAV, in the hall's languages in turn."""

import array
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from kiosk.health import Level, Published, Reason
from kiosk_queue.hall.voice import CHIME, RATE, TEXTS, Pack, Samples, wav

ENGLISH_VOICE = "en"
"""espeak-ng's voice for English; the Vietnamese one is a setting (north, centre, south)."""
KEPT = 24
"""Announcements kept in memory, some 10 MB: displays of one hall ask for the same ones."""
GAP_OF_A_LOST_CLIP = 0.45
"""Seconds of silence in place of a clip that cannot be said, so that a number with a hole does not sound whole."""

Part = tuple[str, float]
"""A clip and the seconds of silence before it."""


class Announcer(Published):
    """Makes announcements of the packs in `folder`. Blocking: call it from a worker."""

    name = "voice"

    def __init__(self, folder: Path, voice: str) -> None:
        super().__init__()
        voices = {"vi": voice, "en": ENGLISH_VOICE}
        self._packs = {language: Pack(folder, language, voices[language]) for language in TEXTS}
        self._kept: OrderedDict[tuple[str, str, tuple[str, ...]], bytes] = OrderedDict()
        self._making = threading.Lock()

    def check(self) -> None:
        """Find out how well we can speak, by a word of each language; `status` tells."""
        spoken = [pack.clip("invite") for pack in self._packs.values()]
        self._tell(None not in spoken)

    def announcement(self, number: str, counter: str, languages: Sequence[str]) -> bytes | None:
        """A call as a WAV file, each language after the other; None if nothing of it can be said.

        A clip that is lost leaves a pause; the rest is said, and `status` is degraded.
        """
        key = (number, counter, tuple(languages))
        with self._making:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            joined = self._join(number, counter, languages)
            self._tell(joined is not None)
            if joined is None:
                return None
            data = wav(joined)
            if not self._faults():  # what has a hole is made anew: the clip may be back
                self._kept[key] = data
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return data

    def _join(self, number: str, counter: str, languages: Sequence[str]) -> Samples | None:
        out: Samples = array.array("h")
        said = False
        for turn, language in enumerate(languages):
            pack = self._packs[language]
            opening = [(CHIME, 0.0)] if turn == 0 else []
            for name, pause in opening + parts(number, counter, pack):
                samples = pack.clip(name)
                out.extend(_silence(pause if turn == 0 or name != "invite" else 0.7))
                out.extend(samples if samples is not None else _silence(GAP_OF_A_LOST_CLIP))
                said = said or (samples is not None and name != CHIME)
        out.extend(_silence(0.25))
        return out if said else None

    def _faults(self) -> dict[str, str]:
        return {f"{lang}/{name}": fault for lang, pack in self._packs.items() for name, fault in pack.faults.items()}

    def _tell(self, speaks: bool) -> None:
        faults = self._faults()
        detail = "; ".join(f"{name}: {fault}" for name, fault in list(faults.items())[:5])
        if speaks and not faults:
            self.publish(Level.READY, Reason.OK)
        else:
            self.publish(Level.DEGRADED, Reason.NO_VOICE, detail)


@lru_cache(maxsize=8)
def announcer(folder: Path, voice: str) -> Announcer:
    """The one announcer of a folder: hall pages and health ask the same one."""
    return Announcer(folder, voice)


def parts(number: str, counter: str, pack: Pack) -> list[Part]:
    """«mời công dân có số» H T, không không một, «đến quầy số» hai: letters and digits one by one, counters whole."""
    series, _, digits = number.rpartition("-")
    spelled = [(_letter(letter), 0.2 if n == 0 else 0.05) for n, letter in enumerate(series)]
    counted = [(f"digit-{digit}", 0.2 if n == 0 else 0.05) for n, digit in enumerate(digits)]
    own = f"counter-{counter}"
    if pack.has(own):
        return [("invite", 0.2), *spelled, *counted, ("to", 0.3), (own, 0.08)]
    desk = [name for part in _PIECES.findall(counter) for name in _piece(part, pack)]
    called = [(name, 0.1 if n == 0 else 0.04) for n, name in enumerate(desk)]
    return [("invite", 0.2), *spelled, *counted, ("to-counter", 0.3), *called]


_PIECES = re.compile(r"\d+|[A-Za-z]")


def _letter(letter: str) -> str:
    return "letter-dd" if letter == "Đ" else f"letter-{letter.lower()}"


def _piece(part: str, pack: Pack) -> list[str]:
    """A number below 100 in words, a longer one by its digits, a letter by its name."""
    if not part.isdigit():
        return [_letter(part)]
    if len(part) > 2 or part.startswith("0"):
        return [f"digit-{digit}" for digit in part]
    tens, unit = divmod(int(part), 10)
    known = TEXTS[pack.language]
    if tens == 0:
        return [f"digit-{unit}"]
    if f"number-{part}" in known:
        return [f"number-{part}"]
    return [f"number-{tens}0", f"unit-{unit}" if f"unit-{unit}" in known else f"digit-{unit}"]


def _silence(seconds: float) -> Samples:
    return array.array("h", bytes(2 * int(seconds * RATE)))
