"""Pictures of the citizen's: decoded within limits, kept as a texture only while they are shown."""

import io
import logging

import numpy as np
from kivy.graphics.texture import Texture
from PIL import Image, UnidentifiedImageError

from screens.theme import look
from screens.widgets.icon import Icon, texture_of
from screens.widgets.part import Part, picture, rounded

log = logging.getLogger(__name__)

FORMATS = ("JPEG", "JPEG2000", "PNG")
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 1600


def decode(content: bytes, longest: int = LONGEST_SIDE) -> Image.Image | None:
    """The picture in RGBA, at most `longest` pixels long; None if it is none, or too large to be one of ours."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.draft("RGB", (longest, longest))
            image.thumbnail((longest, longest))
            return image.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        log.info("a picture could not be decoded")
        return None


class Thumbnail(Part):
    """A picture, whole, in its box; `longest` is its longest side in design pixels. Nothing if it cannot be decoded."""

    def __init__(self, content: bytes, longest: int) -> None:
        super().__init__()
        image = decode(content, look().px(longest))
        self._texture: Texture | None = texture_of(np.asarray(image)) if image else None

    def draw(self) -> None:
        """The picture with a thin line around it."""
        if self._texture is None:
            return
        scale = min(self.width / self._texture.width, self.height / self._texture.height)
        width, height = self._texture.width * scale, self._texture.height * scale
        x, y = self.center_x - width / 2, self.center_y - height / 2
        rounded(x - 1, y - 1, width + 2, height + 2, look().colours.control, radius=1)
        picture(self._texture, x, y, width, height)

    def leave(self) -> None:
        """Drop the pixels."""
        super().leave()
        self._texture = None


class Picture(Part):
    """A picture, whole, in the middle of its box, on a mat. `wide` fixes its width in a row (design pixels)."""

    def __init__(
        self, content: bytes, wide: float = 0, ratio: float = 4 / 3, least: float = 300, mat: bool = False
    ) -> None:
        super().__init__()
        self._ratio, self._least, self._mat = ratio, look().px(least), mat
        self.wide = look().px(wide)
        image = decode(content, look().px(LONGEST_SIDE))
        self._texture: Texture | None = texture_of(np.asarray(image)) if image else None
        self._nobody = None if image else Icon("person", 150, look().colours.soft_ink)
        if self._nobody:
            self.add_widget(self._nobody)
        self.stretch = 0.0 if wide else 1.0

    @property
    def shown(self) -> bool:
        """Whether there is a picture to show."""
        return self._texture is not None

    def wanted(self, width: float) -> float:
        """As a portrait of 3:4 in a row; the least height else."""
        return width * 4 / 3 if self.wide else float(self._least)

    def draw(self) -> None:
        """The mat and the picture."""
        colours = look().colours
        if self._mat or not self._texture:
            rounded(self.x, self.y, self.width, self.height, colours.shade, colours.line, 24, 2)
        if not self._texture:
            return
        edge = look().px(24) if self._mat else 0
        scale = min((self.width - 2 * edge) / self._texture.width, (self.height - 2 * edge) / self._texture.height)
        width, height = self._texture.width * scale, self._texture.height * scale
        x, y = self.center_x - width / 2, self.center_y - height / 2
        thin = look().px(2)
        rounded(x - thin, y - thin, width + 2 * thin, height + 2 * thin, colours.control, radius=1)
        picture(self._texture, x, y, width, height)

    def arrange(self) -> None:
        """A silhouette where there is no picture."""
        if self._nobody:
            self._nobody.place(*self.pos, *self.size)

    def leave(self) -> None:
        """Drop the pixels."""
        super().leave()
        self._texture = None
