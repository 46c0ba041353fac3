"""The bronze drum of Đông Sơn as the house's mark: a star in rings, birds flying around it."""

import math
import re
from functools import lru_cache

from kivy.graphics.texture import Texture

from screens.theme import Colour, look
from screens.widgets.icon import texture_of
from screens.widgets.part import Part, picture
from screens.widgets.vector import Drawing

RAYS = 14
RINGS = ((33, 0.7), (36, 0.5), (45, 0.7), (47, 0.4), (58, 0.4), (60, 0.7), (84, 0.7), (86, 0.4), (97, 1.0))
BIRD = "M-9 0C-5 -3 -1 -3 2 -2L12 -3L3 1C1 3 -3 3 -5 2L-13 5L-9 0zM-3 -2C-4 -7 -8 -9 -12 -9C-8 -7 -6 -4 -6 -1z"


def _polar(radius: float, angle: float, centre: float = 100) -> tuple[float, float]:
    return centre + radius * math.sin(angle), centre - radius * math.cos(angle)


def star(outer: float, inner: float, rays: int = RAYS, centre: float = 100) -> str:
    """A star's outline around (`centre`, `centre`)."""
    points = [_polar(outer if i % 2 == 0 else inner, math.pi * i / rays, centre) for i in range(2 * rays)]
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points) + "z"


def _moved(path: str, angle: float, radius: float, scale: float) -> str:
    """A path (absolute M, L, C, z) turned and carried around the centre."""
    cx, cy = _polar(radius, angle)

    def point(match: re.Match[str]) -> str:
        x, y = float(match[1]) * scale, float(match[2]) * scale
        turned = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
        return f"{cx + turned[0]:.2f} {cy + turned[1]:.2f}"

    return re.sub(r"(-?[\d.]+) (-?[\d.]+)", point, path)


@lru_cache(maxsize=8)
def drum_texture(pixels: int, colour: Colour) -> Texture:
    """The whole drum face."""
    drawing = Drawing(pixels, pixels, 200, fineness=2)
    drawing.fill(star(30, 12), colour)
    for radius, weight in (
        (33, 0.7),
        (36, 0.5),
        (45, 0.7),
        (47, 0.4),
        (58, 0.4),
        (60, 0.7),
        (84, 0.7),
        (86, 0.4),
        (97, 1.0),
    ):
        drawing.stroke(f"O100 100 {radius}", colour, weight)
    for i in range(42):
        x, y = _polar(40.5, 2 * math.pi * i / 42)
        drawing.stroke(f"O{x:.2f} {y:.2f} 1.9", colour, 0.5)
    for i in range(60):
        a, b, c = (_polar(r, 2 * math.pi * (i + d) / 60) for r, d in ((49, 0.0), (56, 0.5), (49, 1.0)))
        drawing.stroke(f"M{a[0]:.2f} {a[1]:.2f}L{b[0]:.2f} {b[1]:.2f}L{c[0]:.2f} {c[1]:.2f}", colour, 0.4)
    for i in range(18):
        drawing.fill(_moved(BIRD, 2 * math.pi * i / 18, 72, 0.92), colour)
    for i in range(96):
        a, b = (_polar(r, 2 * math.pi * i / 96) for r in (89, 94))
        drawing.stroke(f"M{a[0]:.2f} {a[1]:.2f}L{b[0]:.2f} {b[1]:.2f}", colour, 0.5)
    return texture_of(drawing.rgba())


@lru_cache(maxsize=8)
def emblem_texture(pixels: int, ground: Colour, mark: Colour) -> Texture:
    """The small mark: the drum's star on a disc."""
    drawing = Drawing(pixels, pixels, 48)
    drawing.fill("O24 24 23.5", ground)
    drawing.stroke("O24 24 19.5", mark, 1.1)
    drawing.fill(star(15.5, 5.5, 8, 24), mark)
    return texture_of(drawing.rgba())


class Emblem(Part):
    """The small mark, `size` design pixels."""

    def __init__(self, size: float = 84) -> None:
        super().__init__()
        self.wide = look().px(size)

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """Square."""
        return self.wide

    def draw(self) -> None:
        """In the middle of its height."""
        colours = look().colours
        texture = emblem_texture(int(self.wide), colours.primary, colours.on_primary if look().contrast else GOLD)
        picture(texture, self.x, self.center_y - self.wide / 2, self.wide, self.wide)


GOLD: Colour = (0.96, 0.79, 0.42, 1.0)
