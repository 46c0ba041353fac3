"""The question whether anybody is still there, over the present screen."""

from collections.abc import Callable

from kivy.graphics import Color, Rectangle
from kivy.input import MotionEvent

from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.part import Column, Padded, Part
from screens.widgets.text import Words, lead, title


class IdleWarning(Part):
    """Shades the screen and counts down. Every touch means yes; the touch goes nowhere else."""

    def __init__(self, seconds: int, stay: Callable[[], None]) -> None:
        super().__init__()
        self._stay, self._seconds = stay, seconds
        self._build()

    @property
    def spoken(self) -> str:
        """What is said when it appears."""
        return f"{words('control.idle_heading')}\n{words('control.idle_lead')}"

    def _build(self) -> None:
        colours = look().colours
        self.clear_widgets()
        parts: list[Part] = [
            title(words("control.idle_heading"), "center"),
            lead(words("control.idle_lead"), "center"),
            Words(str(self._seconds), "hero", colours.on_tint, "numbers", "center"),
            Button("idle:stay", words("control.idle_stay"), self._stay, PRIMARY),
        ]
        self._panel = Padded(Column(parts, gap=30), 56, colours.surface, colours.line)
        self.add_widget(self._panel)

    def show(self, seconds: int) -> None:
        """Count down."""
        if seconds != self._seconds:
            self._seconds = seconds
            self._build()
            self.arrange()

    def draw(self) -> None:
        """Shade what lies below."""
        Color(0.1, 0.06, 0.04, 0.72)
        Rectangle(pos=self.pos, size=self.size)

    def arrange(self) -> None:
        """A panel in the lower half."""
        width = min(self.width - look().px(112), look().px(1000))
        height = self._panel.wanted(width)
        self._panel.place(self.center_x - width / 2, self.y + (self.height - height) * 0.3, width, height)

    def on_touch_down(self, touch: MotionEvent) -> bool:  # noqa: ARG002
        """Somebody is there."""
        self._stay()
        return True
