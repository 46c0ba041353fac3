"""A sheet of paper to draw on, in millimetres: type, rules, handwriting, signatures and seals."""

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageFont

DPI = 300
INK = (28, 28, 30)
BALLPOINT = (32, 52, 148)
SEAL_RED = (205, 28, 38)

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FONTS = Path("/usr/share/fonts")
_FACES = {
    "regular": ("truetype/noto/NotoSerif-Regular.ttf", "opentype/inter/Inter-Regular.otf"),
    "bold": ("truetype/noto/NotoSerif-Bold.ttf", "opentype/inter/Inter-Bold.otf"),
    "italic": ("truetype/noto/NotoSerif-Italic.ttf", "opentype/inter/Inter-Italic.otf"),
    "sans": ("opentype/inter/Inter-SemiBold.otf", "truetype/noto/NotoSans-Bold.ttf"),
    "hand": ("opentype/inter/InterDisplay-LightItalic.otf", "truetype/noto/NotoSans-Italic.ttf"),
}


@cache
def font(face: str, pixels: int) -> ImageFont.FreeTypeFont:
    """A Debian face with all Vietnamese letters; raises OSError that names the package."""
    for name in _FACES[face]:
        if (_FONTS / name).is_file():
            return ImageFont.truetype(_FONTS / name, pixels)
    raise OSError("no Vietnamese font: install the package fonts-inter")


def _hand(what: str) -> Random:
    """What makes writing uneven: the same for the same words, so that a paper is always the same paper."""
    return Random(what)  # noqa: S311 - no secret


class Sheet:
    """Drawing on paper of `width` × `height` mm; positions in mm from the top left, type in points."""

    def __init__(self, width: float, height: float, paper: Colour = (250, 249, 245)) -> None:
        self.width, self.height = width, height
        self.image = Image.new("RGB", (self.px(width), self.px(height)), paper)
        self.pen = ImageDraw.Draw(self.image)

    @staticmethod
    def px(mm: float) -> int:
        """Millimetres in pixels."""
        return round(mm * DPI / 25.4)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 12,
        face: str = "regular",
        ink: Colour = INK,
        anchor: str = "ls",
    ) -> float:
        """One line with its base line at `y`; returns where it ends, in mm."""
        kind = font(face, round(size * DPI / 72))
        self.pen.text((self.px(x), self.px(y)), text, ink, kind, anchor=anchor)
        return x + kind.getlength(text) * 25.4 / DPI

    def centred(self, y: float, text: str, size: float = 12, face: str = "regular", ink: Colour = INK) -> None:
        """One line in the middle of the sheet."""
        self.text(self.width / 2, y, text, size, face, ink, anchor="ms")

    def paragraph(self, x: float, y: float, width: float, text: str, size: float = 12, face: str = "regular") -> float:
        """Wrapped lines; returns the base line of the next one."""
        kind, step, line = font(face, round(size * DPI / 72)), size * 0.53, ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if kind.getlength(longer) > self.px(width):
                self.text(x, y, line, size, face)
                y, line = y + step, word
            else:
                line = longer
        self.text(x, y, line, size, face)
        return y + step

    def rule(self, x: float, y: float, to_x: float, to_y: float, mm: float = 0.25, ink: Colour = INK) -> None:
        """A straight line."""
        self.pen.line([(self.px(x), self.px(y)), (self.px(to_x), self.px(to_y))], ink, max(1, self.px(mm)))

    def dots(self, x: float, y: float, to_x: float) -> None:
        """The dotted line that a form is filled in on."""
        at = x
        while at < to_x:
            self.pen.ellipse(
                [self.px(at), self.px(y), self.px(at) + 2, self.px(y) + 2],
                (110, 110, 112),
            )
            at += 1.1

    def field(self, x: float, y: float, label: str, answer: str, to_x: float, size: float = 12) -> None:
        """`label`, dots to `to_x`, and the answer written over them by hand."""
        start = self.text(x, y, label, size) + 1.5
        self.dots(start, y + 0.6, to_x)
        self.hand(start + 2, y - 0.4, answer, size * 1.12)

    def hand(self, x: float, y: float, text: str, size: float = 13, ink: Colour = BALLPOINT) -> None:
        """Ballpoint handwriting: every letter a little off line, angle and size."""
        rng, at = _hand(f"{text}{x}{y}"), float(self.px(x))
        for letter in text:
            kind = font("hand", round(size * rng.uniform(0.95, 1.05) * DPI / 72))
            tile = Image.new("L", (round(kind.size * 2), round(kind.size * 2)))
            ImageDraw.Draw(tile).text((kind.size // 2, kind.size * 1.4), letter, 235, kind, anchor="ls", stroke_width=1)
            tile = tile.rotate(rng.uniform(-3.5, 3.5), Image.Resampling.BICUBIC)
            lift = rng.uniform(-0.25, 0.25)
            self.image.paste(ink, (round(at - kind.size / 2), round(self.px(y + lift) - kind.size * 1.4)), tile)
            at += kind.getlength(letter) * rng.uniform(0.94, 1.02)

    def table(
        self, x: float, y: float, columns: Sequence[float], rows: Sequence[Sequence[str]], row: float = 8
    ) -> float:
        """A ruled table, its first row the heading; returns its lower edge."""
        edges = [x + sum(columns[:i]) for i in range(len(columns) + 1)]
        for i in range(len(rows) + 1):
            self.rule(edges[0], y + i * row, edges[-1], y + i * row)
        for edge in edges:
            self.rule(edge, y, edge, y + len(rows) * row)
        for i, cells in enumerate(rows):
            for (left, right), cell in zip(pairwise(edges), cells, strict=True):
                base = y + (i + 0.66) * row
                if i == 0:
                    self.text((left + right) / 2, base, cell, 10.5, "bold", anchor="ms")
                else:
                    self.hand(left + 1.5, base, cell, 11.5)
        return y + len(rows) * row

    def signature(self, x: float, y: float, name: str, ink: Colour = BALLPOINT) -> None:
        """A flourish, different for every `name`, about 38 mm wide, its middle at `x`, `y`."""
        rng = _hand(name)
        loops, slant, start = rng.uniform(3, 7), rng.uniform(0.1, 0.6), rng.uniform(0, 6)
        tall, fade, width = rng.uniform(6, 11), rng.uniform(0.7, 2), rng.uniform(2.5, 5.5)
        points = []
        for i in range(400):
            t = i / 399
            height = (1 - t) ** fade * tall * (1 + 0.4 * math.sin(start + 9 * t)) + 1
            across = -19 + 38 * t + width * math.sin(loops * 2 * math.pi * t) * (1 - t)
            rise = height * math.sin(loops * 2 * math.pi * t + start + 2.2 * t) * 0.6
            points.append((self.px(x + across + slant * rise), self.px(y - rise)))
        for i, pair in enumerate(pairwise(points)):
            self.pen.line(pair, ink, round(5 + 2.5 * math.sin(i / 9)), joint="curve")
        self.rule(x - 17, y + rng.uniform(5, 8), x + 17, y + rng.uniform(2, 6), 0.45, ink)

    def seal(self, x: float, y: float, around: str, below: str, radius: float = 18) -> None:
        """A round red seal with its middle at `x`, `y`: stamped by hand, so unevenly inked and slightly turned."""
        side, middle = self.px(radius * 2.3), self.px(radius * 1.15)
        ink = Image.new("L", (side, side))
        pen = ImageDraw.Draw(ink)
        for ring, mm in ((radius, 0.9), (radius * 0.93, 0.3), (radius * 0.6, 0.35)):
            r = self.px(ring)
            pen.ellipse([middle - r, middle - r, middle + r, middle + r], outline=255, width=self.px(mm))
        _star(pen, middle, self.px(radius * 0.36))
        _around(ink, middle, self.px(radius * 0.68), around, -90, self.px(3.2))
        _around(ink, middle, -self.px(radius * 0.84), below, 90, self.px(2.7))
        mottle = Image.effect_noise((side // 8, side // 8), 70).resize((side, side), Image.Resampling.BICUBIC)
        ink = Image.composite(ink, ink.point(lambda v: v * 0.72), mottle.point(lambda v: 255 if v > 118 else 150))
        ink = ink.rotate(_hand(around).uniform(-9, 9), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1.1))
        over = Image.new("RGB", (side, side), SEAL_RED)
        self.image.paste(over, (self.px(x) - middle, self.px(y) - middle), ink.point(lambda v: v * 0.86))


def _star(pen: ImageDraw.ImageDraw, middle: int, radius: int) -> None:
    corners = []
    for i in range(10):
        r, angle = radius * (1 if i % 2 == 0 else 0.4), math.radians(-90 + 36 * i)
        corners.append((middle + r * math.cos(angle), middle + r * math.sin(angle)))
    pen.polygon(corners, 255)


def _around(ink: Image.Image, middle: int, radius: int, text: str, at: float, size: int) -> None:
    """Letters on a circle, centred on the angle `at`; a negative radius reads from the inside (lower half)."""
    size = min(size, round(size * 4.1 * abs(radius) / (font("sans", size).getlength(text) * 1.12)))
    kind = font("sans", size)
    step = [kind.getlength(letter) * 1.12 / abs(radius) for letter in text]
    turn = 1 if radius > 0 else -1
    angle = math.radians(at) - turn * sum(step) / 2
    for letter, width in zip(text, step, strict=True):
        here = angle + turn * width / 2
        tile = Image.new("L", (size * 2, size * 2))
        ImageDraw.Draw(tile).text((size, size), letter, 255, kind, anchor="mm")
        tile = tile.rotate(-math.degrees(here) - turn * 90, Image.Resampling.BICUBIC)
        reach = abs(radius) + turn * size * 0.4
        x, y = middle + reach * math.cos(here), middle + reach * math.sin(here)
        ink.paste(255, (round(x - size), round(y - size)), tile)
        angle += turn * width
