"""The camera's view, live: one texture, filled again and again."""

from collections.abc import Callable

from kivy.clock import Clock
from kivy.graphics import Color, Line, Rectangle
from kivy.graphics.texture import Texture

from kiosk.ports import Frame
from screens.theme import look
from screens.widgets.part import Part, rounded
from screens.widgets.scenes import DARK, FOUND
from screens.widgets.text import Words

FRAMES_PER_SECOND = 15
LONGEST_SIDE = 4096


class LivePreview(Part):
    """Shows the newest frame and the outline found in it; tells `seen` whether there is one, when that changes."""

    stretch = 1.0

    def __init__(self, newest: Callable[[], Frame | None], seen: Callable[[bool], None], waiting: str) -> None:
        super().__init__()
        self._newest, self._seen_changed = newest, seen
        self._texture: Texture | None = None
        self._number: int | None = None
        self._seen: bool | None = None
        self._waiting = Words(waiting, "body", (1, 1, 1, 1), align="center")
        self.add_widget(self._waiting)
        self._tick = Clock.schedule_interval(self._look, 1 / FRAMES_PER_SECOND)

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """Large enough to see a page in it."""
        return float(look().px(330))

    def most(self, width: float) -> float:
        """No higher than a 4:3 picture is."""
        return width * 3 / 4

    def draw(self) -> None:
        """A dark ground; the picture comes with the first frame."""
        rounded(self.x, self.y, self.width, self.height, DARK, radius=28)
        self._colour = Color(1, 1, 1, 0)
        self._rectangle = Rectangle()
        self._line_colour = Color(*FOUND)
        self._line = Line(width=look().px(4), close=True, joint="round")
        self._number = None

    def arrange(self) -> None:
        """What is said while there is no picture."""
        pad = look().px(40)
        self._waiting.place(self.x + pad, self.y, self.width - 2 * pad, self.height)
        self._look(0)

    def leave(self) -> None:
        """Stop looking and drop the pixels."""
        self._tick.cancel()
        super().leave()
        self._texture = None
        self._rectangle.texture = None

    def _look(self, _: float) -> None:
        frame = self._newest()
        if frame is None or frame.number == self._number or not _plausible(frame):
            return
        self._number = frame.number
        if self._texture is None or self._texture.size != (frame.width, frame.height):
            self._texture = Texture.create(size=(frame.width, frame.height), colorfmt="rgb")
            self._texture.flip_vertical()
            self.remove_widget(self._waiting)
        self._texture.blit_buffer(frame.rgb, colorfmt="rgb", bufferfmt="ubyte")
        self._show(frame)

    def _show(self, frame: Frame) -> None:
        edge = look().px(14)
        scale = min((self.width - 2 * edge) / frame.width, (self.height - 2 * edge) / frame.height)
        width, height = frame.width * scale, frame.height * scale
        x, y = self.center_x - width / 2, self.center_y - height / 2
        self._colour.a = 1
        self._rectangle.texture, self._rectangle.pos, self._rectangle.size = self._texture, (x, y), (width, height)
        corners = frame.outline or ()
        self._line.points = [n for px, py in corners for n in (x + px * width, y + (1 - py) * height)]
        self.canvas.ask_update()
        seen = frame.outline is not None
        if seen != self._seen:
            self._seen = seen
            self._seen_changed(seen)


def _plausible(frame: Frame) -> bool:
    return (
        0 < frame.width <= LONGEST_SIDE
        and 0 < frame.height <= LONGEST_SIDE
        and len(frame.rgb) == frame.width * frame.height * 3
    )
