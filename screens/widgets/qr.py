"""A QR code to be scanned from the screen."""

import numpy as np
import segno
from kivy.graphics.texture import Texture

from screens.theme import look
from screens.widgets.icon import texture_of
from screens.widgets.part import Part, picture, rounded

QUIET_ZONE = 4  # modules, ISO/IEC 18004 §6.3.8


class QrCode(Part):
    """`data` as a code of `size` design pixels on white, whatever the palette."""

    def __init__(self, data: str, size: float = 280) -> None:
        super().__init__()
        self.wide = look().px(size)
        self._texture: Texture | None = _code(data)

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """Square."""
        return float(self.wide)

    def draw(self) -> None:
        """Whole modules only, so that edges stay sharp."""
        side = min(self.width, self.height)
        x, y = self.center_x - side / 2, self.center_y - side / 2
        rounded(x, y, side, side, (1, 1, 1, 1), look().colours.line, 16, 2)
        if self._texture:
            modules = self._texture.width
            edge = max(1, int(side / (modules + 2 * QUIET_ZONE))) * modules
            picture(self._texture, self.center_x - edge / 2, self.center_y - edge / 2, edge, edge)

    def leave(self) -> None:
        """Forget it."""
        super().leave()
        self._texture = None


def _code(data: str) -> Texture:
    dark = np.array([list(row) for row in segno.make(data, error="m", micro=False).matrix], np.uint8)
    rgba = np.zeros((*dark.shape, 4), np.uint8)
    rgba[..., 3] = 255
    rgba[dark == 0] = 255
    texture = texture_of(rgba)
    texture.mag_filter = texture.min_filter = "nearest"
    return texture
