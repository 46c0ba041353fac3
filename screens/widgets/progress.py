"""How far work is: a share, or only that it goes on."""

from kivy.clock import Clock

from screens.theme import look
from screens.widgets.part import Part, rounded
from screens.widgets.text import Words

DOTS = 7
BEATS_PER_SECOND = 6


class Progress(Part):
    """A bar with its percentage; while the share is unknown, a light that wanders along dots."""

    def __init__(self) -> None:
        super().__init__()
        self._share: float | None = None
        self._beat = 0
        self._words: Words | None = None
        self._tick = Clock.schedule_interval(self._wander, 1 / BEATS_PER_SECOND) if look().animated else None

    def show(self, share: float | None) -> None:
        """The share done, 0 to 1, or None."""
        if share != self._share:
            self._share = None if share is None else min(max(share, 0.0), 1.0)
            self.place(*self.pos, *self.size)

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """A bar and a number."""
        return float(look().px(110))

    def draw(self) -> None:
        """Bar or dots."""
        if self._share is None:
            self._draw_dots()
            return
        colours, high = look().colours, look().px(24)
        rounded(self.x, self.y, self.width, high, colours.surface, colours.control, 12, 2)
        rounded(self.x, self.y, max(self.width * self._share, high), high, colours.primary, radius=12)

    def _draw_dots(self) -> None:
        colours, side, gap = look().colours, look().px(26), look().px(30)
        x = self.center_x - (DOTS * side + (DOTS - 1) * gap) / 2
        for n in range(DOTS):
            distance = min((self._beat - n) % DOTS, 3)
            fill = (*colours.primary[:3], (1.0, 0.65, 0.4, 0.22)[distance])
            rounded(x + n * (side + gap), self.center_y - side / 2, side, side, fill, radius=13)

    def arrange(self) -> None:
        """The percentage above the bar."""
        if self._words:
            self.remove_widget(self._words)
            self._words = None
        if self._share is not None:
            self._words = Words(f"{self._share:.0%}", "heading", face_name="numbers", align="right")
            self.add_widget(self._words)
            self._words.place(self.x, self.y + look().px(34), self.width, self.height - look().px(34))

    def leave(self) -> None:
        """Stop."""
        if self._tick:
            self._tick.cancel()
        super().leave()

    def _wander(self, _: float) -> None:
        if self._share is None:
            self._beat = (self._beat + 1) % (DOTS + 2)
            self.redraw()
