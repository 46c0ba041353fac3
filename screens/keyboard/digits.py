"""The number pad."""

from collections.abc import Callable

from screens.keyboard.keys import Key
from screens.theme import look
from screens.widgets.part import Column, Part, Row

MOST_EXTRA = 32
"""How much higher than least a key may be."""
PAD = ("123", "456", "789")


class DigitPad(Part):
    """Tells `typed` the digits after every key, at most `most` of them."""

    stretch = 1.0

    def __init__(self, digits: str, most: int, typed: Callable[[str], None], height: float = 96) -> None:
        super().__init__()
        self.digits, self._most, self._typed = digits, most, typed

        def key(digit: str) -> Key:
            return Key(f"digit:{digit}", digit, lambda: self._set(self.digits + digit), size="heading", height=height)

        clear = Key("digit:clear", "", lambda: self._set(""), "close", height=height, soft=True)
        back = Key("digit:back", "", lambda: self._set(self.digits[:-1]), "backspace", height=height, soft=True)
        rows: list[Part] = [Row([key(d) for d in row], gap=16) for row in PAD]
        self._rows = Column([_stretched(r) for r in (*rows, Row([clear, key("0"), back], gap=16))], gap=16)
        self.add_widget(self._rows)

    def wanted(self, width: float) -> float:
        """Four rows."""
        return self._rows.wanted(width)

    def most(self, width: float) -> float:
        """Keys as high as is good for a finger."""
        return self._rows.wanted(width) + 4 * look().px(MOST_EXTRA)

    def arrange(self) -> None:
        """The rows."""
        self._rows.place(self.x, self.y, self.width, self.height)

    def leave(self) -> None:
        """Forget what was typed."""
        super().leave()
        self.digits = ""

    def _set(self, digits: str) -> None:
        if len(digits) <= self._most:
            self.digits = digits
            self._typed(digits)


def _stretched(row: Row) -> Row:
    row.stretch = 1.0
    return row
