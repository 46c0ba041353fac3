"""A slip as dots: one bit per dot, black on white, as wide as the print head, at the head's 8 dots per millimetre."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import segno
from PIL import Image, ImageDraw

from hardware.printer.type import Face, torn, wrap
from kiosk.slips import Banner, Element, Line, Pair, Qr, Rule, Size, Slip

WIDE = 576
"""Dots of an 80 mm paper; type sizes below are for this width."""

# What a printer takes for a real-time command even inside picture data (DLE EOT, DLE ENQ, DLE DC4).
COMMAND_LIKE = re.compile(rb"\x10(?=[\x04\x05\x14])")

Draw: TypeAlias = Callable[[Image.Image, int], None]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the slip: dots high, the gap it wants above, and how to draw it with its top at a row."""

    height: int
    gap: int
    draw: Draw


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes in dots for one width of paper."""

    dots: int

    @property
    def margin(self) -> int:
        """White left and right; the printer's own margins come on top."""
        return self.dots // 48

    @property
    def column(self) -> int:
        """Width of the text."""
        return self.dots - 2 * self.margin

    def scaled(self, dots: int) -> int:
        """`dots` on wide paper; narrower paper shrinks type by less than its width."""
        return round(dots * (0.55 + 0.45 * self.dots / WIDE))

    def face(self, size: Size, bold: bool) -> Face:
        """The face of a line."""
        cuts = {
            Size.SMALL: (23, "-Medium", "-Bold"),
            Size.NORMAL: (29, "-Medium", "-Bold"),
            Size.LARGE: (39, "-SemiBold", "-Bold"),
            Size.HUGE: (208, "Display-Bold", "Display-ExtraBold"),
        }
        dots, light, heavy = cuts[size]
        return Face(heavy if bold else light, self.scaled(dots))

    def fitting(self, face: Face, text: str, room: int) -> Face:
        """`face`, up to a fifth smaller if that keeps every word of `text` whole within `room`."""
        widest = max((face.width(word) for word in text.split()), default=0)
        if room < widest <= room * 5 // 4:
            return Face(face.cut, face.dots * room // widest)
        return face


def render(slip: Slip, dots: int) -> Image.Image:
    """The whole slip, mode «1», `dots` wide; raises FontMissing."""
    style = Style(dots)
    blocks = [
        _block(element, before, style) for element, before in zip(slip.elements, (None, *slip.elements), strict=False)
    ]
    height = sum(block.gap + block.height for block in blocks) + style.scaled(16)
    paper = Image.new("1", (dots, height), 1)
    top = 0
    for block in blocks:
        top += block.gap
        block.draw(paper, top)
        top += block.height
    return _without_commands(paper)


def _block(element: Element, before: Element | None, style: Style) -> Block:
    match element:
        case Line(size=Size.HUGE):
            return _number(element, style)
        case Line():
            return _line(element, before, style)
        case Pair():
            return _pair(element, style)
        case Banner():
            return _banner(element, style)
        case Qr():
            return _qr(element, style)
        case Rule():
            return _rule(style)


def _line(line: Line, before: Element | None, style: Style) -> Block:
    face = style.fitting(style.face(line.size, line.bold), line.text, style.column)
    lines = wrap(line.text, face, style.column)

    def draw(paper: Image.Image, top: int) -> None:
        for row, text in enumerate(lines):
            x = (style.dots - face.width(text)) // 2
            face.set(paper, x, top + row * face.leading + face.ascent, text)

    return Block(len(lines) * face.leading, _gap_above(line, before, style), draw)


def _gap_above(line: Line, before: Element | None, style: Style) -> int:
    """A small line belongs to the line before it; anything else begins a new thought."""
    if before is None:
        return 0
    if line.size is Size.SMALL and isinstance(before, Line) and before.size is not Size.HUGE:
        return style.scaled(8 if before.size is Size.SMALL else 1)
    below_number = isinstance(before, Line) and before.size is Size.HUGE
    return style.scaled(18 if line.size is Size.LARGE or below_number else 11)


def _number(line: Line, style: Style) -> Block:
    """A number as large as fits into the width: what is read across a hall and without glasses."""
    face = style.face(line.size, line.bold)
    left, top_ink, right, bottom = face.ink(line.text)
    if right - left > style.column * 0.94:
        face = Face(face.cut, int(face.dots * style.column * 0.94 / (right - left)))
        left, top_ink, right, bottom = face.ink(line.text)

    def draw(paper: Image.Image, top: int) -> None:
        face.set(paper, (style.dots - (right - left)) // 2 - left, top - top_ink, line.text)

    return Block(bottom - top_ink, style.scaled(16), draw)


def _pair(pair: Pair, style: Style) -> Block:
    label, value = style.face(Size.SMALL, False), style.face(Size.NORMAL, True)
    labels, values = _columns(pair, label, value, style)

    def draw(paper: Image.Image, top: int) -> None:
        baseline = top + value.ascent
        for row, text in enumerate(labels):
            label.set(paper, style.margin, baseline + row * label.leading, text)
        for row, text in enumerate(values):
            x = style.dots - style.margin - value.width(text)
            value.set(paper, x, baseline + row * value.leading, text)

    height = max(value.leading + (len(labels) - 1) * label.leading, len(values) * value.leading)
    return Block(height, style.scaled(8), draw)


def _columns(pair: Pair, label: Face, value: Face, style: Style) -> tuple[list[str], list[str]]:
    """Label and value in lines: of all widths for the two the one that takes the least paper."""
    room = style.column - style.scaled(18)
    natural = value.width(pair.value)
    shares = {min(natural, room * share // 100) for share in range(20, 85, 5)} | {min(natural, room * 4 // 5)}

    def wrapped(share: int) -> tuple[list[str], list[str]]:
        whole = label.width(pair.label) <= room - share
        stacked = pair.label if whole else pair.label.replace(" / ", "\n")  # one language over the other
        return wrap(stacked, label, room - share), wrap(pair.value, value, share)

    def cost(columns: tuple[list[str], list[str]]) -> tuple[int, int]:
        labels, values = columns
        broken = torn(pair.label.replace(" / ", " "), labels) + torn(pair.value, values)
        return broken, max(len(labels) * label.leading, len(values) * value.leading) + len(values)

    return min(map(wrapped, sorted(shares, reverse=True)), key=cost)


def _banner(banner: Banner, style: Style) -> Block:
    padding = style.scaled(18)
    room = style.dots - 2 * padding
    face = Face("-ExtraBold", style.scaled(42))
    if room < face.width(banner.text) <= room * 5 // 4:
        face = Face(face.cut, face.dots * room // face.width(banner.text))
    lines = wrap(banner.text, face, room)
    _, top_ink, _, bottom = face.ink("Ệ")  # the tallest capital with the lowest mark
    height = (len(lines) - 1) * face.leading + bottom - top_ink + 2 * padding

    def draw(paper: Image.Image, top: int) -> None:
        box = (0, top, style.dots - 1, top + height - 1)
        ImageDraw.Draw(paper).rounded_rectangle(box, style.scaled(8), fill=0)
        for row, text in enumerate(lines):
            x = (style.dots - face.width(text)) // 2
            face.set(paper, x, top + padding - top_ink + row * face.leading, text, colour=1)

    return Block(height, style.scaled(14), draw)


def _qr(code: Qr, style: Style) -> Block:
    """4 dots (0.5 mm) a module or more where the paper allows, inside the 4 white modules of ISO/IEC 18004."""
    matrix = segno.make_qr(code.data, error="m", boost_error=False).matrix
    side = len(matrix)
    module = max(1, min(max(4, style.scaled(232) // side), style.dots // (side + 8)))
    bits = Image.new("1", (side, side))
    bits.putdata([0 if dark else 1 for row in matrix for dark in row])
    picture = bits.resize((side * module, side * module), Image.Resampling.NEAREST)

    def draw(paper: Image.Image, top: int) -> None:
        paper.paste(picture, ((style.dots - picture.width) // 2, top + 4 * module))

    return Block((side + 8) * module, 0, draw)


def _rule(style: Style) -> Block:
    def draw(paper: Image.Image, top: int) -> None:
        ImageDraw.Draw(paper).rectangle((style.margin, top, style.dots - style.margin - 1, top + 1), fill=0)

    return Block(2 + style.scaled(4), style.scaled(14), draw)


def _without_commands(paper: Image.Image) -> Image.Image:
    """The same picture without accidental real-time commands in its raster data: a lone dot becomes two."""
    raster = bytes(byte ^ 0xFF for byte in paper.tobytes())
    quiet = COMMAND_LIKE.sub(b"\x18", raster)
    return Image.frombytes("1", paper.size, bytes(byte ^ 0xFF for byte in quiet))
