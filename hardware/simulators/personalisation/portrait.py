"""A drawn portrait that looks like an identity photograph: nobody's face."""

import io
import random
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from hardware.simulators.personalisation.look import Look

WIDTH, HEIGHT = 240, 320
SCALE = 3
"""Drawn this much larger, then reduced: smooth edges."""

Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]

NECK: Box = (99, 178, 141, 262)
BODY: Box = (24, 240, 216, 420)
FACE: Box = (74, 64, 166, 210)


FORMS: Mapping[str, Mapping[str, Any]] = {
    "jpeg": {"format": "JPEG", "quality": 90},
    "jpeg2000": {"format": "JPEG2000", "quality_mode": "rates", "quality_layers": [14]},
    "codestream": {"format": "JPEG2000", "no_jp2": True, "quality_mode": "rates", "quality_layers": [14]},
    "iso39794": {"format": "JPEG", "quality": 90},
}
"""How a picture is encoded: what Pillow is told. The last is a JPEG in the newer record around it."""


def portrait_jpeg(look: Look, seed: int) -> bytes:
    """A JPEG of 240×320 pixels, 12–20 kB. The same look and seed give the same picture."""
    return portrait(look, seed, "jpeg")


def portrait(look: Look, seed: int, form: str) -> bytes:
    """The same picture in one of `FORMS`; JPEG 2000, in its file or as the bare codestream, has about 16 kB."""
    file = io.BytesIO()
    _drawn(look, seed).save(file, **FORMS[form])
    return file.getvalue()


def _drawn(look: Look, seed: int) -> Image.Image:
    picture = _backdrop()
    _draw_hair_behind(picture, look)
    _draw_shoulders(picture, look)
    _draw_face(picture, look)
    _draw_hair_front(picture, look)
    if look.glasses:
        _draw_glasses(picture)
    return _grain(picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), seed)


def _scaled(box: Box) -> Box:
    left, top, right, bottom = (SCALE * edge for edge in box)
    return left, top, right, bottom


def _shade(colour: str, factor: float) -> Colour:
    """Darker below 1, lighter above."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return min(255, int(red * factor)), min(255, int(green * factor)), min(255, int(blue * factor))


def _backdrop() -> Image.Image:
    """The pale blue wall of an identity photograph, lit from the upper left."""
    light = Image.radial_gradient("L").resize((WIDTH * SCALE * 2, HEIGHT * SCALE * 2))
    light = light.crop((WIDTH * SCALE // 2, HEIGHT * SCALE * 2 // 3, WIDTH * SCALE * 3 // 2, HEIGHT * SCALE * 5 // 3))
    plain = Image.new("RGB", light.size, (222, 233, 242))
    return Image.composite(Image.new("RGB", light.size, (160, 182, 206)), plain, light)


def _soft(
    picture: Image.Image, colour: Colour, boxes: list[Box], blur: float, strength: int, within: Box, radius: float
) -> None:
    """Blurred ellipses (cheeks, shadows, light) that stay inside a rounded shape."""
    mask, shape = Image.new("L", picture.size, 0), Image.new("L", picture.size, 0)
    for box in boxes:
        ImageDraw.Draw(mask).ellipse(_scaled(box), fill=strength)
    ImageDraw.Draw(shape).rounded_rectangle(_scaled(within), radius * SCALE, fill=255)
    mask = ImageChops.multiply(mask.filter(ImageFilter.GaussianBlur(blur * SCALE)), shape)
    picture.paste(colour, (0, 0), mask)


def _draw_hair_behind(picture: Image.Image, look: Look) -> None:
    draw = ImageDraw.Draw(picture)
    colour = _shade(look.hair_colour, 0.85)
    if look.hair == "long":
        draw.rounded_rectangle(_scaled((66, 80, 174, 262)), 50 * SCALE, fill=colour)
    elif look.hair == "bob":
        draw.rounded_rectangle(_scaled((64, 80, 176, 206)), 46 * SCALE, fill=colour)


def _draw_shoulders(picture: Image.Image, look: Look) -> None:
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle(_scaled(NECK), 16 * SCALE, fill=_shade(look.skin, 0.86))
    _soft(picture, _shade(look.skin, 0.62), [(96, 186, 144, 218)], 6, 170, NECK, 16)
    draw.rounded_rectangle(_scaled(BODY), 62 * SCALE, fill=_shade(look.clothes, 1))
    draw.polygon([_at(94, 236), _at(146, 236), _at(120, 290)], fill=_shade(look.skin, 0.92))
    for x, tip in ((92, 108), (148, 132)):
        draw.polygon([_at(x, 232), _at(120, 292), _at(tip, 306), _at(2 * x - 120, 250)], fill=_shade("#f4f6f8", 1))
    _soft(picture, _shade(look.clothes, 0.6), [(10, 270, 58, 360), (182, 270, 230, 360)], 12, 150, BODY, 62)


def _at(x: float, y: float) -> tuple[float, float]:
    return x * SCALE, y * SCALE


def _draw_face(picture: Image.Image, look: Look) -> None:
    draw = ImageDraw.Draw(picture)
    for ear in ((68, 128, 84, 162), (156, 128, 172, 162)):
        draw.ellipse(_scaled(ear), fill=_shade(look.skin, 0.88))
    draw.rounded_rectangle(_scaled(FACE), 46 * SCALE, fill=_shade(look.skin, 1))
    _soft(picture, _shade(look.skin, 0.8), [(148, 100, 174, 206), (96, 196, 150, 226)], 9, 160, FACE, 46)
    _soft(picture, _shade(look.skin, 1.1), [(92, 84, 130, 112)], 10, 120, FACE, 46)
    _soft(picture, (214, 132, 118), [(80, 150, 104, 172), (136, 150, 160, 172)], 7, 90, FACE, 46)
    for x in (101, 139):
        _draw_eye(draw, x, look)
    draw.line([_at(121, 136), _at(124, 158)], fill=_shade(look.skin, 0.86), width=2 * SCALE)
    draw.arc(_scaled((112, 148, 128, 166)), 25, 155, fill=_shade(look.skin, 0.68), width=2 * SCALE)
    draw.chord(_scaled((105, 172, 135, 190)), 8, 172, fill=(190, 104, 98))
    draw.arc(_scaled((104, 164, 136, 186)), 30, 150, fill=(148, 74, 72), width=2 * SCALE)


def _draw_eye(draw: ImageDraw.ImageDraw, x: float, look: Look) -> None:
    draw.ellipse(_scaled((x - 10, 130, x + 10, 141)), fill=(248, 246, 243))
    draw.ellipse(_scaled((x - 5, 130, x + 5, 141)), fill=(46, 32, 26))
    draw.ellipse(_scaled((x - 3, 132, x - 1, 134)), fill=(255, 255, 255))
    draw.arc(_scaled((x - 11, 127, x + 11, 146)), 200, 340, fill=(40, 28, 24), width=2 * SCALE)
    brow = _shade(look.hair_colour, 1.15)
    draw.arc(_scaled((x - 14, 117, x + 14, 138)), 205, 335, fill=brow, width=3 * SCALE)


def _draw_hair_front(picture: Image.Image, look: Look) -> None:
    """A cap of hair that leaves the forehead free, with a parting."""
    cap = Image.new("L", picture.size, 0)
    draw = ImageDraw.Draw(cap)
    low = {"short": 140, "long": 158, "bob": 168}[look.hair]
    draw.ellipse(_scaled((66, 46, 174, 186)), fill=255)
    draw.rectangle(_scaled((60, low, 180, 200)), fill=0)
    forehead = Image.new("L", picture.size, 255)
    hole = ImageDraw.Draw(forehead)
    if look.hair == "short":
        hole.rounded_rectangle(_scaled((78, 88, 162, 230)), 30 * SCALE, fill=0)
    else:
        hole.polygon([_at(132, 70), _at(168, 150), _at(150, 210), _at(90, 210), _at(72, 150), _at(104, 92)], fill=0)
    mask = ImageChops.multiply(cap, forehead).filter(ImageFilter.GaussianBlur(0.8 * SCALE))
    picture.paste(_shade(look.hair_colour, 1), (0, 0), mask)
    shine = Image.new("L", picture.size, 0)
    ImageDraw.Draw(shine).arc(_scaled((76, 54, 164, 160)), 205, 262, fill=70, width=7 * SCALE)
    shine = ImageChops.multiply(shine.filter(ImageFilter.GaussianBlur(3 * SCALE)), mask)
    picture.paste((255, 255, 255), (0, 0), shine)


def _draw_glasses(picture: Image.Image) -> None:
    draw = ImageDraw.Draw(picture)
    for x in (101, 139):
        draw.rounded_rectangle(_scaled((x - 16, 124, x + 16, 148)), 9 * SCALE, outline=(52, 48, 50), width=2 * SCALE)
    draw.arc(_scaled((114, 128, 126, 140)), 190, 350, fill=(52, 48, 50), width=2 * SCALE)


def _grain(picture: Image.Image, seed: int) -> Image.Image:
    """The noise of a camera, the same for the same seed."""
    source = random.Random(seed)  # noqa: S311  # a picture, not a secret
    noise = Image.frombytes("L", picture.size, source.randbytes(WIDTH * HEIGHT)).filter(ImageFilter.GaussianBlur(0.6))
    return Image.blend(picture, Image.merge("RGB", (noise, noise, noise)), 0.07)
