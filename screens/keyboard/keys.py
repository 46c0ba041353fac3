"""The keys of the on-screen keyboards."""

from collections.abc import Callable

from screens.theme import LEAST_KEY, Colour, look
from screens.widgets.icon import Icon
from screens.widgets.part import Touchable, rounded
from screens.widgets.text import Words

KEY_HEIGHT = 76
"""The least height of a key; there is a taller one where there is room."""


class Key(Touchable):
    """One key: a letter or a word on it, or an icon. `lit` shows that it is in force."""

    def __init__(
        self, key: str, face: str, act: Callable[[], None], icon: str = "", size: str = "body", lit: bool = False,
        height: float = KEY_HEIGHT, soft: bool = False, enabled: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(key, act, LEAST_KEY)
        self._height, self.lit, self._soft = look().px(height), lit, soft
        self.disabled = not enabled
        colours = look().colours
        ink = colours.on_primary if lit else colours.ink
        self._face = Icon(icon, 52, ink) if icon else Words(face, size, ink, "strong", "center")
        self.add_widget(self._face)

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """Every key is as high."""
        return float(self._height)

    def draw(self) -> None:
        """A small plate, pressed it takes the main colour's tint."""
        colours = look().colours
        fill: Colour = colours.surface
        if self.lit:
            fill = colours.primary
        elif self.pressed:
            fill = colours.gold
        elif self._soft or self.disabled:
            fill = colours.shade
        edge = look().px(5)
        rounded(self.x, self.y, self.width, self.height - edge, colours.control, radius=16)
        rounded(self.x, self.y + edge, self.width, self.height - edge, fill, colours.control, 16, 2)

    def arrange(self) -> None:
        """The face in the middle."""
        lift = look().px(5)
        self._face.place(self.x, self.y + lift, self.width, self.height - lift)
