"""What surrounds every question: the header with the house's mark and the steps, the dock with the controls."""

from collections.abc import Callable

from kiosk.questions import Control
from kiosk.text import Text
from kiosk.visit import Frame
from screens.theme import MARGIN, look, words
from screens.widgets.button import QUIET, Button
from screens.widgets.motif import Emblem
from screens.widgets.part import Column, Padded, Part, Row, rounded
from screens.widgets.text import Words


class Steps(Part):
    """Where one is in a journey: a segment for each step, the present one named."""

    def __init__(self, names: tuple[str, ...], now: int) -> None:
        super().__init__()
        self._count, self._now = len(names), now
        text = words("control.step", step=now + 1, steps=len(names), name=names[now])
        self._words = Words(text, "small", look().colours.on_tint, "strong")
        self.add_widget(self._words)

    def wanted(self, width: float) -> float:
        """The bar and the name below it."""
        return self._words.wanted(width) + look().px(30)

    def draw(self) -> None:
        """The segments: done and present ones are filled."""
        gap, high = look().px(10), look().px(12)
        wide = (self.width - gap * (self._count - 1)) / self._count
        for n in range(self._count):
            colours = look().colours
            fill = colours.primary if n <= self._now else colours.paper if look().contrast else colours.line
            line = colours.line if look().contrast else None
            rounded(self.x + n * (wide + gap), self.top - high, wide, high, fill, line, radius=6, thickness=2)

    def arrange(self) -> None:
        """The name below."""
        self._words.place(self.x, self.y, self.width, self._words.wanted(self.width))


def header(centre: Text, steps: tuple[tuple[str, ...], int] | None) -> Part:
    """The mark, the centre's name, and the steps of the journey."""
    name = Words(words(centre), "small", face_name="strong")
    parts: list[Part] = [Row([Emblem(), name], gap=24, middle=True)]
    if steps:
        parts.append(Steps(*steps))
    if not look().portrait:
        return Padded(Row(parts, gap=72, middle=True), pad=18, across=MARGIN)
    return Padded(Column(parts, gap=26), pad=30, across=MARGIN)


class Dock(Part):
    """Back, start over, call staff; language, text size, contrast: always there, within everybody's reach."""

    def __init__(self, frame: Frame, can_go_back: bool, press: Callable[[Control], None]) -> None:
        super().__init__()
        settings = frame.settings
        size = "control.normal_text" if settings.large_text else "control.large_text"
        contrast = "control.normal_contrast" if settings.high_contrast else "control.high_contrast"

        def button(control: Control, text: str, icon: str) -> Button:
            return Button(f"control:{control.value}", words(text), lambda: press(control), QUIET, icon)

        ways = [
            button(Control.START_OVER, "control.start_over", "restart"),
            button(Control.CALL_STAFF, "control.call_staff", "staff"),
        ]
        if can_go_back:
            ways.insert(0, button(Control.BACK, "control.back", "back"))
        reading = [
            button(Control.LANGUAGE, "control.other_language", "language"),
            button(Control.TEXT_SIZE, size, "text_size"),
            button(Control.CONTRAST, contrast, "contrast"),
        ]
        lines = [ways, reading] if look().portrait else [[*ways, *reading]]
        for line in lines:
            _share(line)
        self._rows = Column([Row(line, gap=16) for line in lines], gap=16)
        self.add_widget(self._rows)

    def wanted(self, width: float) -> float:
        """The rows with room around them."""
        return self._rows.wanted(width - 2 * look().px(MARGIN)) + 2 * look().px(26)

    def draw(self) -> None:
        """A shaded ground with a line above it."""
        colours = look().colours
        rounded(self.x, self.y, self.width, self.height, colours.shade, radius=0)
        rounded(self.x, self.top - look().px(3), self.width, look().px(3), colours.line, radius=0)

    def arrange(self) -> None:
        """The rows inside."""
        pad, margin = look().px(26), look().px(MARGIN)
        self._rows.place(self.x + margin, self.y + pad, self.width - 2 * margin, self.height - 2 * pad)


def _share(line: list[Button]) -> None:
    """Width by need: enough for one line each if there is room, else so that no word is broken."""
    room = look().width - 2 * look().px(MARGIN) - look().px(16) * (len(line) - 1)
    fits = sum(button.natural_width() for button in line) <= room
    for button in line:
        button.share = button.natural_width() + (0 if fits else button.least_width())
