"""What goes on behind the screen: one quiet line with a thin bar, gone when it is done."""

from kivy.clock import Clock

from kiosk.questions import Behind
from screens.theme import look, words
from screens.widgets.icon import Icon
from screens.widgets.part import Part, rounded
from screens.widgets.text import small

LOOKS_PER_SECOND = 2


class _Behind(Part):
    """Looks a few times a second; keeps its place when there is nothing more to show."""

    optional = True

    def __init__(self, share: Behind) -> None:
        super().__init__()
        self._share, self._now = share, share()
        self._icon = Icon("pages", 40, look().colours.soft_ink)
        self._words = small(words("behind.assembling"))
        for part in (self._icon, self._words):
            self.add_widget(part)
        self._tick = Clock.schedule_interval(self._look, 1 / LOOKS_PER_SECOND)

    def wanted(self, width: float) -> float:
        """The line and the bar."""
        return self._words.wanted(width - look().px(64)) + look().px(18)

    def draw(self) -> None:
        """The bar, as far as it is."""
        if self._now is None:
            return
        colours, high = look().colours, look().px(8)
        rounded(self.x, self.y, self.width, high, colours.shade, colours.control, 4, 1)
        rounded(self.x, self.y, max(self.width * self._now, high), high, colours.good, radius=4)

    def arrange(self) -> None:
        """The line above the bar."""
        high, icon = look().px(18), look().px(64)
        self._icon.place(self.x, self.y + high, self._icon.side, self.height - high)
        self._words.place(self.x + icon, self.y + high, self.width - icon, self.height - high)

    def leave(self) -> None:
        """Stop looking."""
        self._tick.cancel()
        super().leave()

    def _look(self, _: float) -> None:
        now = self._share()
        if now is None and self._now is not None:
            for part in self.children[:]:
                part.leave()
            self.clear_widgets()
            self._tick.cancel()
        if now != self._now:
            self._now = now
            self.redraw()


def behind(share: Behind | None) -> list[Part]:
    """The line, if something goes on."""
    return [] if share is None or share() is None else [_Behind(share)]
