"""QR codes in camera frames: zxing-cpp, a sharpened retry, a vote over frames. And what a visit awaits of a camera."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import zxingcpp

from hardware.camera.finder import Picture, Points, find
from hardware.camera.mrz_reader import MrzReading, MrzVotes, access_key
from hardware.camera.votes import TextVotes
from hardware.card.mrz import Mrz
from kiosk.citizen import AccessKey, parse_card_qr
from kiosk.health import Failure, Reason
from kiosk.ports import CodeKind
from kiosk.text import nfc

LONGEST = 1000
"""Bytes of one code; the QR code of an ID card has about 200."""
FRAMES_A_STILL = 3
"""Frames of the stream that are looked at before a still is taken."""
SECONDS = 20.0
"""How long a code is waited for."""

_RETRY_PIXELS = 1_600_000  # after enlarging; reading takes about 6 ms a megapixel
_RETRIES = (2, 3)
_SMALL_PIXELS = 700_000  # a frame that is worth a retry as a whole

_FORMATS = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


@dataclass(frozen=True, slots=True, repr=False)
class Code:
    """A code's text (UTF-8, NFC) and its corners in pixels of the picture (4×2, clockwise from its own top left)."""

    text: str
    corners: Points


def read_qr(picture: Picture) -> tuple[Code, ...]:
    """The QR codes in a BGR or grey picture; where none can be read, once more enlarged and sharpened."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
    codes, broken = _decoded(grey)
    if codes:
        return codes
    for left, top, part in _suspects(picture, grey, broken):
        for scale in _RETRIES:
            if part.size * scale**2 > _RETRY_PIXELS:
                break
            codes, _ = _decoded(_sharpened(part, scale))
            if codes:
                return tuple(Code(code.text, (code.corners + 0.5) / scale - 0.5 + (left, top)) for code in codes)
    return ()


class QrVotes:
    """Puts the frames of one subject together."""

    def __init__(self) -> None:
        self._votes = TextVotes()
        self._corners: dict[str, Points] = {}

    def add(self, picture: Picture) -> Code | None:
        """Look at one more frame (BGR or grey): the code agreed upon, or None so far.

        A text that has the form of a card's is believed at once, others when seen twice (QR corrects its own errors).
        """
        return self.hear(read_qr(picture))

    def hear(self, codes: Sequence[Code]) -> Code | None:
        """Count the codes of one more frame; what is agreed upon."""
        for code in codes:
            self._votes.add(code.text)
            self._corners[code.text] = code.corners
            if parse_card_qr(code.text) is not None:
                return code
        text = self._votes.agreed()
        return None if text is None else Code(text, self._corners[text])

    def clear(self) -> None:
        """Forget all frames."""
        self._votes.clear()
        self._corners.clear()


class CodeReader:
    """What a visit reads from the camera: frames in, one answer out."""

    def __init__(self, kind: CodeKind) -> None:
        self._card = kind == "card"
        self._votes: list[QrVotes | MrzVotes] = []
        if kind != "mrz":
            self._votes.append(QrVotes())
        if kind != "qr":
            self._votes.append(MrzVotes())

    def add(self, picture: Picture) -> str | Mrz | None:
        """Look at one more frame (BGR): the QR code's text or a zone that opens a chip, None so far. 10 to 200 ms."""
        answers = (_answer(votes.add(picture)) for votes in self._votes)
        return next((answer for answer in answers if answer is not None and self._wanted(answer)), None)

    def forget(self) -> None:
        """Drop all that was seen."""
        for votes in self._votes:
            votes.clear()

    def _wanted(self, answer: str | Mrz) -> bool:
        """Of a card, other codes beside it and other documents do not count."""
        if not self._card:
            return True
        return parse_card_qr(answer) is not None if isinstance(answer, str) else _opens(answer)


def _answer(found: Code | MrzReading | None) -> str | Mrz | None:
    return found.text if isinstance(found, Code) else found.opening if found is not None else None


def _opens(mrz: Mrz) -> bool:
    return isinstance(access_key(mrz), AccessKey)


class Eyes(Protocol):
    """What a code is read from: a document camera."""

    def frames(self) -> AsyncIterator[Picture]:
        """Whole frames of the stream (BGR), each time the newest; ends when the camera is lost."""

    async def photograph(self) -> Picture | Failure:
        """What lies there now at the camera's full size (BGR)."""


async def read_code(camera: Eyes, kind: CodeKind, seconds: float = SECONDS) -> str | Mrz | Failure:
    """The code that lies before the camera: the QR code's text, or a zone that opens a chip (its name may be wrong).

    Else why there is none: CODE_UNREADABLE after `seconds`, or what is wrong with the camera.
    """
    reader = CodeReader(kind)
    try:
        async with asyncio.timeout(seconds):
            async for picture in _looks(camera):
                if isinstance(picture, Failure):
                    return picture
                answer = await asyncio.to_thread(reader.add, picture)
                if answer is not None:
                    return answer
    except TimeoutError:
        pass
    finally:
        reader.forget()
    return Failure(Reason.CODE_UNREADABLE, f"no {kind} code in {seconds:.0f} s")


async def _looks(camera: Eyes) -> AsyncIterator[Picture | Failure]:
    """A few frames of the stream, then a still, for ever: a card on an A4 tray may be too small in the stream."""
    while True:
        seen = 0
        async for frame in camera.frames():
            yield frame
            seen += 1
            if seen == FRAMES_A_STILL:
                break
        yield await camera.photograph()


def _decoded(grey: Picture) -> tuple[tuple[Code, ...], list[Points]]:
    """The codes, and the corners of those that were found but not understood."""
    results = zxingcpp.read_barcodes(grey, formats=_FORMATS, text_mode=zxingcpp.TextMode.Plain, return_errors=True)
    codes = [Code(nfc(result.text), _corners(result)) for result in results if _fit(result)]
    return tuple(codes), [_corners(result) for result in results if not result.valid]


def _fit(result: Any) -> bool:
    return bool(result.valid and 0 < len(result.bytes) <= LONGEST)


def _corners(result: Any) -> Points:
    place = result.position
    corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
    return np.array([(point.x, point.y) for point in corners], np.float64)


def _suspects(picture: Picture, grey: Picture, broken: list[Points]) -> Iterator[tuple[int, int, Picture]]:
    """Where a code may be, with its left and top: where one was found, on the card, anywhere in a small frame."""
    for corners in broken:
        yield _part(grey, corners, 0.35)
    found = find(picture) if picture.ndim == 3 else None
    if found is not None:
        yield _part(grey, found.corners, 0.02)
    if grey.size <= _SMALL_PIXELS:
        yield 0, 0, grey


def _part(grey: Picture, corners: Points, margin: float) -> tuple[int, int, Picture]:
    least, most = corners.min(axis=0), corners.max(axis=0)
    room = margin * (most - least) + 4
    left, top = np.maximum(least - room, 0).astype(int)
    right, bottom = np.minimum(most + room, grey.shape[::-1]).astype(int)
    return int(left), int(top), np.ascontiguousarray(grey[top : max(bottom, top + 1), left : max(right, left + 1)])


def _sharpened(grey: Picture, scale: int) -> Picture:
    """Enlarged, and the lens's softness taken back."""
    large = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return cv2.addWeighted(large, 2.5, cv2.GaussianBlur(large, (0, 0), 0.8 * scale), -1.5, 0)
