"""Type on thermal paper: Inter (Debian's fonts-inter), set letter by letter on whole dots so that stems stay even."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONTS = Path("/usr/share/fonts/opentype/inter")
EM = 512  # size at which advances are measured: large enough for hinting and rounding not to count
LONGEST = 2000
"""Letters of one paragraph that are set; nothing a kiosk prints comes near it."""


class FontMissing(RuntimeError):
    """A font of the slips is not installed; the message names the package."""


def require_fonts() -> None:
    """Raise FontMissing if slips cannot be set."""
    _font("-Bold", EM)


@cache
def _font(cut: str, dots: int) -> ImageFont.FreeTypeFont:
    path = FONTS / f"Inter{cut}.otf"
    try:
        return ImageFont.FreeTypeFont(path, dots)  # truetype() would look elsewhere too
    except OSError:
        raise FontMissing(f"the font {path.name} is missing: install the package fonts-inter") from None


@cache
def _advance(cut: str, letter: str, following: str) -> float:
    """From `letter` to the one after it, kerned, in ems."""
    font = _font(cut, EM)
    return (font.getlength(letter + following) - font.getlength(following)) / EM


@dataclass(frozen=True, slots=True)
class Face:
    """One cut of Inter («-Medium», «Display-Black») at a size in dots per em."""

    cut: str
    dots: int

    def width(self, text: str) -> int:
        """Advance of `text` in dots, rounded up."""
        ems = sum(_advance(self.cut, *pair) for pair in pairwise((*text, "")))
        return -int(-ems * self.dots // 1)

    @property
    def leading(self) -> int:
        """From baseline to baseline: room for the stacked marks of «Ổ» and the dot below of «ộ»."""
        return round(self.dots * 1.31)

    @property
    def ascent(self) -> int:
        """From the top of a line to its baseline."""
        return round(self.dots * 1.07)

    def ink(self, text: str) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the ink of `text`, its baseline beginning at (0, 0)."""
        boxes = [(x, _font(self.cut, self.dots).getbbox(letter, anchor="ls")) for x, letter in self._places(text)]
        left = min((x + box[0] for x, box in boxes), default=0)
        right = max((x + box[2] for x, box in boxes), default=0)
        top, bottom = min((box[1] for _, box in boxes), default=0), max((box[3] for _, box in boxes), default=0)
        return int(left), int(top), int(right), int(bottom)

    def set(self, paper: Image.Image, x: int, baseline: int, text: str, colour: int = 0) -> None:
        """Draw `text` from `x` on `baseline`; `colour` 0 is black."""
        draw = ImageDraw.Draw(paper)
        draw.fontmode = "1"
        font = _font(self.cut, self.dots)
        for place, letter in self._places(text):
            draw.text((x + place, baseline), letter, colour, font, anchor="ls")

    def _places(self, text: str) -> Iterator[tuple[int, str]]:
        x = 0.0
        for letter, following in pairwise((*text, "")):
            yield round(x), letter
            x += _advance(self.cut, letter, following) * self.dots


def wrap(text: str, face: Face, width: int) -> list[str]:
    """Lines no wider than `width` dots: as few as possible, then as even as possible; newlines are kept."""
    return [line for part in text[:LONGEST].splitlines() or [""] for line in _even(part, face, width)]


def _even(text: str, face: Face, width: int) -> list[str]:
    lines = _fill(text, face, width)
    narrow, wide = width // 2, width
    while len(lines) > 1 and wide - narrow > 4:
        middle = (narrow + wide) // 2
        tried = _fill(text, face, middle)
        if len(tried) <= len(lines) and torn(text, tried) <= torn(text, lines):
            lines, wide = tried, middle
        else:
            narrow = middle
    return lines


def torn(text: str, lines: list[str]) -> int:
    """How many times `lines` break a word of `text`."""
    return len(" ".join(lines).split()) - len(text.split())


def _fill(text: str, face: Face, width: int) -> list[str]:
    """First fit; a word wider than the line is broken where it must."""
    lines = [""]
    for word in text.split():
        if face.width(joined := f"{lines[-1]} {word}".strip()) <= width:
            lines[-1] = joined
        elif lines[-1]:
            lines += _broken(word, face, width)
        else:
            lines[-1:] = _broken(word, face, width)
    return lines


def _broken(word: str, face: Face, width: int) -> list[str]:
    """A code or an address in pieces, after a hyphen if that is not too early."""
    pieces = []
    while face.width(word) > width and len(word) > 1:
        fits = max(n for n in range(1, len(word)) if n == 1 or face.width(word[:n]) <= width)
        hyphen = word.rfind("-", fits // 2, fits) + 1
        pieces.append(word[: hyphen or fits])
        word = word[hyphen or fits :]
    return [*pieces, word]
