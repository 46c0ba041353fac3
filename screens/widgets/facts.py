"""Facts: a label above its value, with a line between them."""

from collections.abc import Iterable

from screens.theme import look
from screens.widgets.icon import Icon
from screens.widgets.part import Column, Padded, Part, Row, rounded
from screens.widgets.text import Words


class _Line(Part):
    def wanted(self, width: float) -> float:  # noqa: ARG002
        """A hair."""
        return float(look().px(2))

    def draw(self) -> None:
        """Across."""
        rounded(self.x, self.y, self.width, self.height, look().colours.line, radius=0)


def pair(label: str, value: str, size: str = "body") -> Part:
    """A label above its value."""
    return Column([Words(label, "small", look().colours.soft_ink), Words(value, size, face_name="strong")], gap=2)


def lined(parts: Iterable[Part]) -> Part:
    """Parts with a line between them."""
    lined: list[Part] = []
    for part in parts:
        lined += [_Line(), part] if lined else [part]
    return Column(lined, gap=12)


def fact(label: str, value: str, icon: str = "") -> Part:
    """One label with its value on a card of its own: for lists that are turned in pages."""
    colours = look().colours
    texts = pair(label, value, "label")
    row = Row([Icon(icon, 56, colours.on_tint), texts], gap=24, middle=True) if icon else texts
    return Padded(row, 16, colours.surface, colours.line, across=24)
