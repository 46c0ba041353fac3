"""The camera's view, live: one texture, filled again and again, with the outline of what was found."""

from collections.abc import Callable

from kivy.clock import Clock
from kivy.graphics import Color, Line, Quad, Rectangle
from kivy.graphics.texture import Texture

from kiosk.ports import Frame
from kiosk.shutter import Prompt, Sight
from screens.theme import colour, look
from screens.widgets.part import Part, rounded
from screens.widgets.scenes import DARK, FOUND
from screens.widgets.text import Words

FRAMES_PER_SECOND = 25
LONGEST_SIDE = 4096
AMISS = colour("#FFC247")
"""The outline of a page that cannot be taken yet; dashed corners say the same without colour."""
_GLASS = 0.16  # how much of the outline's colour lies over the page
_ARM = 0.16  # of a side: the length of a corner's arms


class LivePreview(Part):
    """Shows the newest frame and the outline found in it; tells `told` of every new sight.

    `close`: the middle of the frame fills the whole box, for things that are small in it.
    """

    stretch = 1.0

    def __init__(
        self, watch: Callable[[], Sight], told: Callable[[Sight], None], waiting: str, *, close: bool = False
    ) -> None:
        super().__init__()
        self._watch, self._told, self._close = watch, told, close
        self._texture: Texture | None = None
        self._number: int | None = None
        self._shown: Sight | None = None
        self._waiting = Words(waiting, "body", (1, 1, 1, 1), align="center")
        self.add_widget(self._waiting)
        self._tick = Clock.schedule_interval(self._look, 1 / FRAMES_PER_SECOND)

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """Large enough to see a page in it."""
        return float(look().px(480 if look().portrait else 330))

    def most(self, width: float) -> float:
        """No higher than an upright 3:4 picture is; a page is upright."""
        return width * 4 / 3

    def draw(self) -> None:
        """A dark ground; the picture comes with the first frame."""
        rounded(self.x, self.y, self.width, self.height, DARK, radius=28)
        self._colour = Color(1, 1, 1, 0)
        self._rectangle = Rectangle()
        self._glass_colour = Color(0, 0, 0, 0)
        self._glass = Quad()
        self._line_colour = Color(*FOUND)
        self._lines = [Line(width=look().px(3), close=True, joint="round")]
        self._lines += [Line(width=look().px(7), cap="round", joint="round") for _ in range(4)]
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
        self._shown = None

    def _look(self, _: float) -> None:
        sight = self._watch()
        if sight is self._shown and self._number is not None:
            return
        self._shown = sight
        frame = sight.frame
        if frame is not None and _plausible(frame):
            self._take(frame)
            self._show(frame, sight.prompt)
        self._told(sight)

    def _take(self, frame: Frame) -> None:
        if frame.number == self._number:
            return
        self._number = frame.number
        if self._texture is None or self._texture.size != (frame.width, frame.height):
            self._texture = Texture.create(size=(frame.width, frame.height), colorfmt="rgb")
            self._texture.flip_vertical()
            self.remove_widget(self._waiting)
        self._texture.blit_buffer(frame.rgb, colorfmt="rgb", bufferfmt="ubyte")

    def _show(self, frame: Frame, prompt: Prompt) -> None:
        edge = look().px(14)
        wide, high = self.width - 2 * edge, self.height - 2 * edge
        scale = (max if self._close else min)(wide / frame.width, high / frame.height)
        across, up = min(wide / (frame.width * scale), 1.0), min(high / (frame.height * scale), 1.0)  # the part shown
        width, height = frame.width * scale * across, frame.height * scale * up
        x, y = self.center_x - width / 2, self.center_y - height / 2
        left, right, top, bottom = 0.5 - across / 2, 0.5 + across / 2, 0.5 - up / 2, 0.5 + up / 2
        self._colour.a = 1
        self._rectangle.texture, self._rectangle.pos, self._rectangle.size = self._texture, (x, y), (width, height)
        self._rectangle.tex_coords = (left, bottom, right, bottom, right, top, left, top)
        corners = [
            (
                x + (min(max(px, left), right) - left) / across * width,
                y + (bottom - min(max(py, top), bottom)) / up * height,
            )
            for px, py in frame.outline or ()
        ]
        tint = FOUND if prompt in (Prompt.HOLD, Prompt.TAKEN) else AMISS
        self._line_colour.rgba = tint
        self._glass_colour.rgba = (*tint[:3], _GLASS if corners and prompt is Prompt.HOLD else 0)
        self._glass.points = [n for corner in corners for n in corner] or [0] * 8
        self._lines[0].points = [n for corner in corners for n in corner]
        for n, line in enumerate(self._lines[1:]):
            line.points = _bracket(corners, n) if corners else []
        self.canvas.ask_update()


def _bracket(corners: list[tuple[float, float]], n: int) -> list[float]:
    """The two arms at a corner."""
    (x, y), before, after = corners[n], corners[n - 1], corners[(n + 1) % 4]
    return [
        x + (before[0] - x) * _ARM,
        y + (before[1] - y) * _ARM,
        x,
        y,
        x + (after[0] - x) * _ARM,
        y + (after[1] - y) * _ARM,
    ]


def _plausible(frame: Frame) -> bool:
    return (
        0 < frame.width <= LONGEST_SIDE
        and 0 < frame.height <= LONGEST_SIDE
        and len(frame.rgb) == frame.width * frame.height * 3
    )
