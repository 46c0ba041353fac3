"""Buttons: the primary one a screen leads to, secondary ones beside it, quiet ones of the frame."""

from collections.abc import Callable

from screens.theme import LEAST_TARGET, MAIN_TARGET, Colour, look
from screens.widgets.icon import Icon
from screens.widgets.part import Touchable, rounded
from screens.widgets.text import Words

PRIMARY, SECONDARY, QUIET = "primary", "secondary", "quiet"


class Button(Touchable):
    """A label with an optional icon before or after it. `kind` decides weight, colours and height."""

    def __init__(
        self,
        key: str,
        text: str,
        act: Callable[[], None],
        kind: str = SECONDARY,
        icon: str = "",
        after: str = "",
        enabled: bool = True,
    ) -> None:
        super().__init__(key, act, MAIN_TARGET if kind != QUIET else LEAST_TARGET)
        self.kind, self.disabled = kind, not enabled
        self.text = text
        size = "control" if kind == QUIET else "lead" if kind == PRIMARY else "label"
        self._pad, self._gap = look().px(20 if kind == QUIET else 36), look().px(14 if kind == QUIET else 22)
        ink = self._ink()
        side = 44 if kind == QUIET else 52
        self._icon = Icon(icon or after, side, ink) if icon or after else None
        self._icon_after = bool(after)
        self._words = Words(text, size, ink, "strong", "left")
        for part in (self._words, self._icon):
            if part is not None:
                self.add_widget(part)

    def _ink(self) -> Colour:
        colours = look().colours
        if self.disabled:
            return colours.soft_ink
        return colours.on_primary if self.kind == PRIMARY else colours.ink

    @property
    def _icon_room(self) -> float:
        return self._icon.side + self._gap if self._icon else 0

    def wanted(self, width: float) -> float:
        """Its text on as many lines as needed, never less than a finger needs."""
        lines = self._words.wanted(width - 2 * self._pad - self._icon_room)
        return max(self.least, lines + look().px(24 if self.kind == QUIET else 36))

    def natural_width(self) -> float:
        """The width of the button with its text on one line."""
        return self._words.natural_width() + self._icon_room + 2 * self._pad

    def least_width(self) -> float:
        """The width that breaks no word of the text."""
        return self._words.longest_word() + self._icon_room + 2 * self._pad

    def draw(self) -> None:
        """A raised plate; pressed it lies flat. Without colour, the line around it says that it can be touched."""
        colours = look().colours
        edge = look().px(8) if not self.disabled else 0
        down = edge // 2 if self.pressed else edge
        if self.kind == PRIMARY and not self.disabled:
            rounded(self.x, self.y, self.width, self.height - edge, colours.primary_deep, radius=22)
            rounded(self.x, self.y + down, self.width, self.height - edge, colours.primary, radius=22)
        elif self.kind == SECONDARY or self.disabled:
            rounded(self.x, self.y, self.width, self.height - edge, colours.control, radius=22)
            fill = colours.shade if self.pressed or self.disabled else colours.surface
            rounded(self.x, self.y + down, self.width, self.height - edge, fill, colours.control, radius=22)
        else:
            fill = colours.line if self.pressed and not look().contrast else colours.surface
            rounded(self.x, self.y, self.width, self.height, fill, colours.control, radius=22)

    def arrange(self) -> None:
        """Icon and text together in the middle."""
        room = self.width - 2 * self._pad - self._icon_room
        text = min(self._words.natural_width(), room)
        if self._words.wanted(room) > self._words.wanted(10_000) * 1.5:  # broken into lines: take the widest
            text = room
        lift = look().px(4) if self.kind != QUIET else 0
        x = self.x + (self.width - text - self._icon_room) / 2
        words_x = x if self._icon_after else x + self._icon_room
        self._words.place(words_x, self.y + lift, text, self.height - lift)
        if self._icon:
            icon_x = x + text + self._gap if self._icon_after else x
            self._icon.place(icon_x, self.y + lift, self._icon.side, self.height - lift)
