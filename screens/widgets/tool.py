"""Tools: small deeds beside each other, each an icon with its name below."""

from collections.abc import Callable

from screens.theme import MAIN_TARGET, look
from screens.widgets.icon import Icon
from screens.widgets.part import Touchable, rounded
from screens.widgets.text import Words


class Tool(Touchable):
    """An upright button; `enabled` false keeps its place without acting."""

    def __init__(self, key: str, text: str, icon: str, act: Callable[[], None], enabled: bool = True) -> None:
        super().__init__(key, act, MAIN_TARGET)
        self.disabled = not enabled
        colours = look().colours
        ink = colours.ink if enabled else colours.soft_ink
        self._icon = Icon(icon, 48, ink)
        self._words = Words(text, "control", ink, "strong", "center")
        self.add_widget(self._icon)
        self.add_widget(self._words)

    def wanted(self, width: float) -> float:
        """Icon, name, and room around them."""
        return max(self.least, self._icon.side + self._words.wanted(width - look().px(16)) + look().px(56))

    def draw(self) -> None:
        """A plate with a line around it; without its edge it does nothing now."""
        colours = look().colours
        down = look().px(6) if not self.disabled and not self.pressed else 0
        if down:
            rounded(self.x, self.y, self.width, self.height, colours.control, radius=20)
        fill = colours.shade if self.disabled or self.pressed else colours.surface
        line = colours.line if self.disabled else colours.control
        rounded(self.x, self.y + down, self.width, self.height - down, fill, line, 20, 2)

    def arrange(self) -> None:
        """The icon above the name, both in the middle."""
        pad, gap = look().px(8), look().px(6)
        text = self._words.wanted(self.width - 2 * pad)
        y = self.center_y + look().px(3) - (self._icon.side + gap + text) / 2
        self._words.place(self.x + pad, y, self.width - 2 * pad, text)
        self._icon.place(self.center_x - self._icon.side / 2, y + text + gap, self._icon.side, self._icon.side)
