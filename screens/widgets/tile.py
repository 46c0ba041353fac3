"""Tiles: choices as cards, wide ones for few choices and lists, upright ones for grids."""

from collections.abc import Callable

from screens.theme import MAIN_TARGET, look
from screens.widgets.icon import Icon
from screens.widgets.part import Column, Part, Row, Space, Touchable, rounded
from screens.widgets.text import Words


class _Card(Touchable):
    """A touchable card around a content."""

    def __init__(self, key: str, content: Part, act: Callable[[], None], pad: float, chosen: bool = False) -> None:
        super().__init__(key, act, MAIN_TARGET)
        self._pad, self._chosen = look().px(pad), chosen
        self._content = content
        self.add_widget(content)

    def wanted(self, width: float) -> float:
        """The content with its padding."""
        return max(self.least, self._content.wanted(width - 2 * self._pad) + 2 * self._pad)

    def draw(self) -> None:
        """A card with a quiet edge; a chosen one has a strong one."""
        colours = look().colours
        drop = 0 if self.pressed or look().contrast else look().px(6)
        if drop:
            rounded(self.x, self.y, self.width, self.height, colours.line, radius=28)
        fill = colours.tint if self.pressed or self._chosen else colours.surface
        line = colours.primary if self._chosen else colours.control if look().contrast else colours.line
        rounded(self.x, self.y + drop, self.width, self.height - drop, fill, line, 28, 5 if self._chosen else 3)

    def arrange(self) -> None:
        """The content inside."""
        self._content.place(
            self.x + self._pad, self.y + self._pad, self.width - 2 * self._pad, self.height - 2 * self._pad
        )


def wide_tile(
    key: str,
    text: str,
    act: Callable[[], None],
    icon: str = "",
    detail: str = "",
    big: bool = False,
    arrow: bool = True,
    chosen: bool = False,
) -> _Card:
    """A card over the whole width: icon, name with a line below it, arrow."""
    colours = look().colours
    big_icon, big_pad = (136, 40) if look().portrait else (110, 26)
    name = Words(text, "heading" if big else "body", face_name="display" if big else "strong")
    lines: list[Part] = [name]
    if detail:
        lines.append(Words(detail, "body" if big else "small", colours.soft_ink))
    parts: list[Part] = [Column(lines, gap=8)]
    if icon:
        parts.insert(0, Icon(icon, big_icon if big else 88, colours.on_tint, colours.tint))
    if arrow:
        parts.append(Icon("next", 48, colours.on_tint))
    return _Card(key, Row(parts, gap=36 if big else 28, middle=True), act, big_pad if big else 24, chosen)


def upright_tile(key: str, text: str, act: Callable[[], None], icon: str, detail: str = "") -> _Card:
    """A card for a grid: icon above, name below."""
    colours = look().colours
    chip = Row([Icon(icon, 96, colours.on_tint, colours.tint), Space()], gap=0)
    lines: list[Part] = [chip, Space(8, 0), Words(text, "lead", face_name="strong")]
    if detail:
        lines.append(Words(detail, "small", colours.soft_ink))
    return _Card(key, Column(lines, gap=6), act, 26)
