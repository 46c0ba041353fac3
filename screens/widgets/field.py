"""Where typed text appears: a line of text, or a row of cells for numbers and dates."""

from screens.theme import look
from screens.widgets.icon import Icon
from screens.widgets.part import Part, box, rounded
from screens.widgets.text import Words


class TextField(Part):
    """A line of text with a caret; `hint` stands in it while it is empty."""

    def __init__(self, text: str, hint: str = "", icon: str = "", bad: bool = False) -> None:
        super().__init__()
        self._hint, self._bad = hint, bad
        self._icon = Icon(icon, 56, look().colours.soft_ink) if icon else None
        self._pad = look().px(28)
        self._words = self._make(text)
        self.add_widget(self._words)
        if self._icon:
            self.add_widget(self._icon)

    def _make(self, text: str) -> Words:
        self._empty = not text
        colour = look().colours.soft_ink if self._empty else look().colours.ink
        return Words(text or self._hint, "lead", colour, "body" if self._empty else "strong", balanced=False)

    def show(self, text: str) -> None:
        """Show another text."""
        self._words.leave()
        self.remove_widget(self._words)
        self._words = self._make(text)
        self.add_widget(self._words)
        self.place(*self.pos, *self.size)

    def wanted(self, width: float) -> float:
        """Room for two lines, more if the text is longer."""
        return max(look().px(132), self._words.wanted(self._room(width)) + 2 * look().px(22))

    def _room(self, width: float) -> float:
        return round(width - 2 * self._pad - look().px(12) - (look().px(84) if self._icon else 0))

    def draw(self) -> None:
        """A sheet with a strong edge and a caret after the last letter of a single line."""
        colours = look().colours
        box(self, colours.surface, colours.warn if self._bad else colours.primary, radius=20, width=5)
        room = self._room(self.width)
        end = 0.0 if self._empty else self._words.natural_width()
        if end <= room:
            left = self.x + self._pad + (look().px(84) if self._icon else 0)
            high = look().px(64)
            rounded(left + end + look().px(3), self.center_y - high / 2, look().px(4), high, colours.primary, radius=2)

    def arrange(self) -> None:
        """The text, and the icon before it."""
        left = self.x + self._pad
        if self._icon:
            self._icon.place(left, self.y, self._icon.side, self.height)
            left += look().px(84)
        shift = look().px(12) if self._empty else 0
        self._words.place(left + shift, self.y, self._room(self.width), self.height)


class CellsField(Part):
    """Digits in cells. `pattern` is like `dd/mm/yyyy` or `#### ####`: letters are cells, the rest stands between."""

    def __init__(self, pattern: str, digits: str = "", bad: bool = False, most_cell: float = 92) -> None:
        super().__init__()
        self._pattern, self._bad, self._most_cell = pattern, bad, most_cell
        self._digits = digits
        self._faces: list[Words] = []

    def show(self, digits: str) -> None:
        """Show other digits."""
        self._digits, self._bad = digits, False
        self.place(*self.pos, *self.size)

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """One row of cells."""
        return float(look().px(128))

    def leave(self) -> None:
        """Forget the digits."""
        super().leave()
        self._digits = ""

    def arrange(self) -> None:
        """Cells and what stands between, spread over the width."""
        self.canvas.before.clear()
        for face in self._faces:
            face.leave()
        self.clear_widgets()
        self._faces = []
        slots = [c.isalpha() or c == "#" for c in self._pattern]
        gap, between = look().px(8), look().px(26)
        cells = sum(slots)
        room = self.width - gap * (len(slots) - 1) - between * (len(slots) - cells)
        cell = min(room / cells, look().px(self._most_cell))
        x, used = float(self.x), 0
        for sign, is_cell in zip(self._pattern, slots, strict=True):
            if is_cell:
                self._cell(x, cell, sign, used)
                used += 1
            elif sign.strip():
                self._face(sign, x, between, look().colours.soft_ink)
            x += (cell if is_cell else between) + gap

    def _cell(self, x: float, width: float, sign: str, index: int) -> None:
        colours = look().colours
        filled, present = index < len(self._digits), index == len(self._digits)
        line = colours.warn if self._bad else colours.primary if present else colours.control
        with self.canvas.before:
            rounded(x, self.y, width, self.height, colours.surface, line, 14, 6 if present or self._bad else 3)
        if filled:
            self._face(self._digits[index], x, width, colours.ink)
        elif sign != "#":
            self._face(sign, x, width, colours.soft_ink, "small")

    def _face(self, text: str, x: float, width: float, colour: tuple[float, float, float, float],
              size: str = "heading") -> None:  # fmt: skip
        face = Words(text, size, colour, "numbers" if size == "heading" else "body", "center")
        self._faces.append(face)
        self.add_widget(face)
        face.place(x, self.y, width, self.height)
