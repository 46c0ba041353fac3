"""An icon in a colour, alone or on a tinted chip."""

from functools import lru_cache

import numpy as np
from kivy.graphics.texture import Texture
from numpy.typing import NDArray

from screens.theme import Colour, look
from screens.widgets.icons import FALLBACK, ICONS
from screens.widgets.part import Part, picture, rounded
from screens.widgets.vector import Drawing

WHITE: Colour = (1.0, 1.0, 1.0, 1.0)


def texture_of(rgba: NDArray[np.uint8]) -> Texture:
    """Rows top down as a texture."""
    height, width = rgba.shape[:2]
    texture = Texture.create(size=(width, height), colorfmt="rgba")
    texture.blit_buffer(rgba.tobytes(), colorfmt="rgba", bufferfmt="ubyte")
    texture.flip_vertical()
    return texture


@lru_cache(maxsize=256)
def icon_texture(name: str, pixels: int, weight: float) -> Texture:
    """A white icon of `pixels` square; an unknown name draws a document."""
    drawing = Drawing(pixels, pixels, 48)
    for path in ICONS.get(name, ICONS[FALLBACK]):
        if path.startswith("fill "):
            drawing.fill(path.removeprefix("fill "), WHITE)
        else:
            drawing.stroke(path, WHITE, weight)
    return texture_of(drawing.rgba())


class Icon(Part):
    """An icon of `size` design pixels; with `ground` on a rounded chip of that colour."""

    def __init__(self, name: str, size: float = 56, colour: Colour | None = None, ground: Colour | None = None) -> None:
        super().__init__()
        self.name, self.colour, self.ground = name, colour or look().colours.ink, ground
        self.side = look().px(size)
        self.wide = self.side

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """Square."""
        return float(self.side)

    def draw(self) -> None:
        """The chip and the icon, in the middle."""
        x, y = self.center_x - self.side / 2, self.center_y - self.side / 2
        size = self.side
        if self.ground:
            rounded(x, y, self.side, self.side, self.ground, radius=28)
            size = round(self.side * 0.56)
        edge = (self.side - size) / 2
        picture(
            icon_texture(self.name, size, 3.4 if size > look().px(70) else 4.0),
            x + edge,
            y + edge,
            size,
            size,
            self.colour,
        )
