"""A scene on screen: layers as textures, moved and faded, never redrawn."""

from collections.abc import Iterator
from functools import lru_cache

from kivy.clock import Clock
from kivy.graphics import Color, Rectangle
from kivy.graphics.texture import Texture

from screens.theme import look
from screens.widgets.icon import texture_of
from screens.widgets.part import Part, rounded
from screens.widgets.scenes import GRID, GROUND, RATIO, SCENES
from screens.widgets.vector import Drawing

FRAMES_PER_SECOND = 20
LOOP_SECONDS = 4.5
REST = 0.75
"""The share of the loop that stands for the whole: shown when nothing moves."""


WIDTH = 990
"""Design pixels that a scene is drawn at; where it is shown smaller, the graphics card makes it so."""


@lru_cache(maxsize=64)
def _layer_texture(scene: str, index: int, width: int) -> Texture:
    drawing = Drawing(width, round(width * RATIO), GRID, fineness=2)
    SCENES[scene][index].paint(drawing)
    return texture_of(drawing.rgba())


def prepare() -> Iterator[None]:
    """Draw every layer ahead of its first use, one at each step: it takes a tenth of a second or more."""
    for scene, layers in SCENES.items():
        for index in range(len(layers)):
            _layer_texture(scene, index, look().px(WIDTH))
            yield


class Illustration(Part):
    """A picture of what to do, gently moving. `least` and `most` are its heights in design pixels."""

    stretch = 1.0
    optional = True

    def __init__(self, scene: str, least: float = 260, most: float = 680) -> None:
        super().__init__()
        self.scene = scene
        self._least, self._most = look().px(least), look().px(most)
        self._moving: list[tuple[Color, Rectangle]] = []
        self._time = LOOP_SECONDS * REST
        self._tick = Clock.schedule_interval(self._step, 1 / FRAMES_PER_SECOND) if look().animated else None

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """The least height."""
        return float(self._least)

    def most(self, width: float) -> float:
        """As high as its width allows."""
        return min(float(self._most), width * RATIO)

    def _frame(self) -> tuple[float, float, int]:
        """Where the scene stands: left, bottom, width."""
        height = min(self.height, self._most, self.width * RATIO)
        return self.center_x - height / RATIO / 2, self.center_y - height / 2, int(height / RATIO)

    def draw(self) -> None:
        """The ground over the whole width, the layers in the middle."""
        left, bottom, width = self._frame()
        height = width * RATIO
        rounded(self.x, bottom, self.width, height, GROUND, radius=36)
        self._moving = []
        for index in range(len(SCENES[self.scene])):
            colour = Color(1, 1, 1, 1)
            texture = _layer_texture(self.scene, index, look().px(WIDTH))
            rectangle = Rectangle(texture=texture, pos=(round(left), round(bottom)), size=(width, round(height)))
            self._moving.append((colour, rectangle))
        self._move()

    def leave(self) -> None:
        """Stop moving."""
        if self._tick:
            self._tick.cancel()
        self._moving = []
        super().leave()

    def _step(self, passed: float) -> None:
        self._time = (self._time + passed) % LOOP_SECONDS
        self._move()

    def _move(self) -> None:
        left, bottom, width = self._frame()
        unit, share = width / GRID, self._time / LOOP_SECONDS
        for layer, (colour, rectangle) in zip(SCENES[self.scene], self._moving, strict=True):
            right, up, opacity = layer.motion(share)
            colour.a = opacity
            rectangle.pos = (round(left + right * unit), round(bottom + up * unit))
