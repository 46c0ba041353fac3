"""The time until a last screen closes by itself, shown as a line that shortens."""

from collections.abc import Callable

from kivy.clock import Clock

from screens.theme import look, words
from screens.widgets.part import Part, rounded
from screens.widgets.text import small


class Countdown(Part):
    """Calls `over` after `seconds`; twice as long for those who read large or in contrast."""

    def __init__(self, seconds: int, over: Callable[[], None]) -> None:
        super().__init__()
        self.seconds = seconds * 2 if look().large or look().contrast else seconds
        self._whole, self._over = self.seconds, over
        self._words = small(self._text(), "center")
        self.add_widget(self._words)
        self._tick = Clock.schedule_interval(self._count, 1.0)

    def _text(self) -> str:
        return words("control.closes_in", seconds=self.seconds)

    def wanted(self, width: float) -> float:
        """The sentence and the line."""
        return self._words.wanted(width) + look().px(24)

    def draw(self) -> None:
        """The line: what is left of it."""
        colours, high = look().colours, look().px(8)
        rounded(self.x, self.y, self.width, high, colours.soft_ink if look().contrast else colours.line, radius=4)
        left = self.width * self.seconds / self._whole
        rounded(self.x, self.y, max(left, high), high, colours.primary, radius=4)

    def arrange(self) -> None:
        """The sentence above the line."""
        self._words.place(self.x, self.y + look().px(20), self.width, self._words.wanted(self.width))

    def leave(self) -> None:
        """Stop counting."""
        self._tick.cancel()
        super().leave()

    def _count(self, _: float) -> None:
        self.seconds -= 1
        if self.seconds <= 0:
            self._tick.cancel()
            self._over()
            return
        self.remove_widget(self._words)
        self._words = small(self._text(), "center")
        self.add_widget(self._words)
        self.place(*self.pos, *self.size)
