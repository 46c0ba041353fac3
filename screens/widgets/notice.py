"""Notices: a condition as a badge, an explanation as a box with an icon."""

from screens.theme import Colour, look
from screens.widgets.icon import Icon
from screens.widgets.part import Column, Padded, Part, Row
from screens.widgets.text import Words


def notice(icon: str, text: str, tone: str = "info", size: str = "") -> Part:
    """A box with an icon: `tone` is info, good or warn. `size` of the text if not the usual one."""
    colours = look().colours
    ink, ground = {
        "info": (colours.ink, colours.shade),
        "good": (colours.good, colours.good_tint),
        "warn": (colours.warn, colours.warn_tint),
    }[tone]
    said = Words(text, size or ("small" if tone == "info" else "body"), ink, "strong")
    row = Row([Icon(icon, 60, ink), said], gap=26, middle=True)
    return Padded(row, 28, ground, colours.control if tone == "info" else ink)


class Badge(Padded):
    """A heading with its icon on a tinted ground."""

    def __init__(self, icon: str, text: str, ink: Colour, ground: Colour, size: str = "title") -> None:
        row = Row(
            [Icon(icon, 84 if size == "title" else 64, ink), Words(text, size, ink, "display")], gap=30, middle=True
        )
        super().__init__(Column([row]), 32, ground, ink if look().contrast else None)
