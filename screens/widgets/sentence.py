"""A plain sentence on a card with its icon: what people read before they agree to something."""

from screens.theme import look
from screens.widgets.icon import Icon
from screens.widgets.part import Padded, Part, Row
from screens.widgets.text import Words


def sentence(icon: str, text: str) -> Part:
    """The icon on the left, the sentence beside it."""
    colours = look().colours
    row = Row([Icon(icon, 84, colours.on_tint, colours.tint), Words(text, "body")], gap=28, middle=True)
    return Padded(row, 22, colours.surface, colours.line)
