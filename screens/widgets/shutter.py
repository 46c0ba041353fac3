"""The shutter: a large round button whose ring fills while the page rests; and the one instruction above it."""

from collections.abc import Callable, Collection

from kivy.graphics import Color, Line

from kiosk.shutter import Prompt
from screens.theme import look, words
from screens.widgets.icon import Icon
from screens.widgets.notice import notice
from screens.widgets.part import Part, Touchable, rounded
from screens.widgets.text import Words

SIDE = 210
"""70 mm on a 32-inch panel: found without looking for it."""
RING = 16

_TONES = {
    Prompt.WAITING: ("clock", "info"),
    Prompt.LAY: ("document", "info"),
    Prompt.TAKEN: ("pages", "info"),
    Prompt.HOLD: ("done", "good"),
}


class ShutterButton(Touchable):
    """Round, with its name below."""

    def __init__(self, key: str, text: str, act: Callable[[], None]) -> None:
        super().__init__(key, act, SIDE)
        self._filled = 0.0
        colours = look().colours
        self._icon = Icon("camera", 96, colours.on_primary)
        self._words = Words(text, "lead", colours.ink, "strong", "center")
        for part in (self._icon, self._words):
            self.add_widget(part)

    def fill(self, share: float) -> None:
        """How far the ring is, 0 to 1."""
        if share != self._filled:
            self._filled = share
            self.redraw()

    def wanted(self, width: float) -> float:
        """The circle and the line below it."""
        return self.least + look().px(8) + self._words.wanted(width)

    def draw(self) -> None:
        """A disc, the groove around it, and in that what is filled."""
        colours, side, ring = look().colours, self.least, look().px(RING)
        x, y, middle = self.center_x - side / 2, self.top - side, self.top - side / 2
        rounded(x, y, side, side, colours.surface, colours.control, SIDE / 2, 3)
        inner = side - 2 * ring - look().px(14)
        fill = colours.primary_deep if self.pressed else colours.primary
        rounded(self.center_x - inner / 2, middle - inner / 2, inner, inner, fill, radius=SIDE / 2)
        if self._filled > 0:
            Color(*colours.good)
            radius = side / 2 - ring / 2 - look().px(4)
            Line(circle=(self.center_x, middle, radius, 0, 360 * self._filled), width=ring / 2, cap="round")

    def arrange(self) -> None:
        """The icon in the disc, the words below."""
        self._icon.place(self.center_x - self._icon.side / 2, self.top - self.least, self._icon.side, self.least)
        self._words.place(self.x, self.y, self.width, self.height - self.least - look().px(8))


class Prompter(Part):
    """One instruction at a time, in room for the longest: nothing moves when it changes."""

    def __init__(self, key: str, among: Collection[Prompt], prompt: Prompt = Prompt.WAITING) -> None:
        """`key`.prompt_… are the texts of all that is said here, `among` them the first."""
        super().__init__()
        self._key, self._among, self._prompt = key, among, prompt
        self._part = self._made(prompt)
        self.add_widget(self._part)

    @property
    def text(self) -> str:
        """What is said now."""
        return self._text(self._prompt)

    def show(self, prompt: Prompt) -> bool:
        """Say something else; whether it is something else."""
        if prompt is self._prompt:
            return False
        self._prompt = prompt
        self._part.leave()
        self.remove_widget(self._part)
        self._part = self._made(prompt)
        self.add_widget(self._part)
        self.arrange()
        return True

    def wanted(self, width: float) -> float:
        """The longest instruction."""
        longest = max(self._among, key=lambda prompt: len(self._text(prompt)))
        return max(self._made(longest).wanted(width), self._part.wanted(width))

    def arrange(self) -> None:
        """The instruction fills its room."""
        self._part.place(*self.pos, *self.size)

    def _text(self, prompt: Prompt) -> str:
        return words(f"{self._key}.prompt_{prompt.value}")

    def _made(self, prompt: Prompt) -> Part:
        icon, tone = _TONES.get(prompt, ("warning", "warn"))
        return notice(icon, self._text(prompt), tone, "body")
