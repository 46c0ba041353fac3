"""The serial reader's language (domain reference §8): lines of ASCII or UTF-8, ended by CR or LF.

Known from the public description: the words, the key's line, the fields of the JSON object, the portrait's marks.
Assumed here, as it says no more: JSON stands on one line; the portrait is base64 of the picture or of EF.DG2, on any
number of lines; SCAN_DONE ends a good read and SCAN_FAIL a bad one; a reader that is asked PING with a card on it
answers PONG and says NFC_DETECTED again; 115 200 bit/s where the configuration does not say otherwise.
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from hardware.card.errors import BadData
from hardware.card.mrz import yymmdd
from hardware.card.vendor.claims import Claims, decoded, picture_in
from kiosk.citizen import AccessKey

PING = b"PING\n"
PORTRAIT_START, PORTRAIT_END = b"[DG2_RAW_START]", b"[DG2_RAW_END]"
MOST_PORTRAIT = 32_767
"""Bytes of a portrait, as for EF.DG2 on the chip."""
LONGEST = 49_152
"""Bytes of one line: a portrait may stand on a single one."""
LONGEST_JSON = 4096


class Word(StrEnum):
    """A line that is one word."""

    PONG = "PONG"
    DETECTED = "NFC_DETECTED"
    SUCCESS = "SUCCESS"
    DONE = "SCAN_DONE"
    FAIL = "SCAN_FAIL"
    REMOVED = "CARD_REMOVED"


@dataclass(frozen=True, slots=True, repr=False)
class Portrait:
    """The holder's picture as it came in base64, not yet decoded."""

    text: bytes

    def image(self) -> bytes:
        """The image file; BadData if it is none."""
        return picture_in(decoded(self.text.decode("ascii", "replace"), MOST_PORTRAIT, "portrait"))


Message = Word | Claims | Portrait
WORDS = {word.value.encode(): word for word in Word}


def key_line(key: AccessKey) -> bytes:
    """What opens the chip, as the reader wants it."""
    return f"CCCD:{key.personal_id}|BIRTH:{yymmdd(key.birth)}|EXPIRY:{yymmdd(key.expiry)}\n".encode("ascii")


class Messages:
    """Puts bytes together into messages. Whatever is none is dropped: cables make noise."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._portrait: bytearray | None = None
        self._skipping = False

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes, in order."""
        *ended, begun = data.replace(b"\r", b"\n").split(b"\n")
        read: list[Message] = []
        for piece in ended:
            self._add(piece)
            read += self._finished()
        self._add(begun)
        return read

    @property
    def portrait_bytes(self) -> int:
        """How much of a portrait has come so far, in characters of base64."""
        if self._portrait is not None:
            return len(self._portrait) + len(self._line)
        return len(self._line) if self._line.startswith(PORTRAIT_START) else 0

    def forget(self) -> None:
        """Drop what has begun, and the rest of its line when it comes."""
        self._skipping = self._skipping or bool(self._line)
        self._line.clear()
        self._portrait = None

    def give_up(self) -> None:
        """Drop the line that has begun: its end does not come."""
        self._line.clear()
        self._skipping = False

    def _add(self, piece: bytes) -> None:
        if not self._skipping:
            self._line += piece
        if len(self._line) > LONGEST:
            self.forget()

    def _finished(self) -> list[Message]:
        line, skipped = bytes(self._line).strip(), self._skipping
        self.give_up()
        if skipped or not line:
            return []
        word = _word(line)
        if word is not None:
            self._portrait = None  # its end was lost
            return [word]
        if line.startswith(PORTRAIT_START):
            self._portrait = bytearray()
            line = line.removeprefix(PORTRAIT_START)
        if self._portrait is not None:
            return self._more_portrait(self._portrait, line)
        claims = _claims(line)
        return [claims] if claims else []

    def _more_portrait(self, portrait: bytearray, line: bytes) -> list[Message]:
        body, end, _ = line.partition(PORTRAIT_END)
        portrait += body.strip()
        if len(portrait) > LONGEST:
            self._portrait = None
        if not end:
            return []
        self._portrait = None
        return [Portrait(bytes(portrait))]


def _word(line: bytes) -> Word | None:
    """The word that the line is. One with an underscore, which base64 lacks, is also told behind what it cuts off."""
    if line.startswith(b"{"):
        return None
    for raw, word in WORDS.items():
        if line == raw or (b"_" in raw and line.endswith(raw)):
            return word
    return None


def _claims(line: bytes) -> Claims | None:
    """The holder's fields, None for anything else."""
    if not line.startswith(b"{") or len(line) > LONGEST_JSON:
        return None
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    names = ("CCCD Number", "Full Name", "Date of Birth", "Gender")
    texts = [value if isinstance(value := raw.get(name), str) else "" for name in names]
    return Claims(*texts)


def require_claims(claims: Claims | None) -> Claims:
    """BadData if the reader ended without a word about the holder."""
    if claims is None:
        raise BadData("the reader sent no readable holder")
    return claims
