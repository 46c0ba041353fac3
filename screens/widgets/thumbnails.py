"""Pages as small pictures: a strip of what was taken so far, and a grid to choose one from."""

from collections.abc import Callable, Sequence

from kiosk.leaves import Leaf
from screens.theme import look, words
from screens.widgets.button import QUIET, Button
from screens.widgets.icon import Icon
from screens.widgets.part import Part, Row, Touchable, rounded
from screens.widgets.picture import Thumbnail
from screens.widgets.text import Words, small

STRIP = 132
"""Height of the strip, design pixels."""
MOST = 6
"""Pages that are decoded for one screen: a person sees the order, the machine is not kept busy."""


class Strip(Part):
    """The last pages in order with their numbers."""

    optional = True

    def __init__(self, pages: Sequence[bytes], most: int) -> None:
        super().__init__()
        shown = range(max(len(pages) - most, 0), len(pages))
        self._items = [_Numbered(pages[n], n + 1) for n in shown]
        for item in self._items:
            self.add_widget(item)

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """One line of small pictures."""
        return float(look().px(STRIP))

    def arrange(self) -> None:
        """From the left, upright rectangles."""
        gap, wide = look().px(16), self.height * 0.78
        for n, item in enumerate(self._items):
            item.place(self.x + n * (wide + gap), self.y, wide, self.height)


class _Numbered(Part):
    """A small page with its number in the corner."""

    def __init__(self, jpeg: bytes, number: int) -> None:
        super().__init__()
        self._picture = Thumbnail(jpeg, 160)
        self._number = Words(str(number), "small", look().colours.ink, "numbers", "center")
        self.add_widget(self._picture)
        self.add_widget(self._number)

    def draw(self) -> None:
        """A mat."""
        colours = look().colours
        rounded(self.x, self.y, self.width, self.height, colours.shade, colours.control, 10, 2)

    def arrange(self) -> None:
        """The picture, and over its foot the number."""
        edge, high = look().px(8), self._number.wanted(self.width)
        self._number.place(self.x, self.y + edge / 2, self.width, high)
        self._picture.place(self.x + edge, self.y + high, self.width - 2 * edge, self.height - high - edge)


class _Choice(Touchable):
    """A page of the grid; a stuck-on slip shows as a second picture behind it."""

    def __init__(self, leaf: Leaf, number: int, chosen: bool, act: Callable[[], None]) -> None:
        super().__init__(f"page:{number}", act, 160)
        self._chosen = chosen
        colours = look().colours
        self._pictures = [Thumbnail(page.jpeg, 420) for page in reversed(leaf.pages)]
        self._slip = Icon("slip", 44, colours.on_tint) if leaf.lifted else None
        self._number = Words(str(number), "heading", colours.on_tint if chosen else colours.ink, "numbers", "center")
        for part in (*self._pictures, self._number, self._slip):
            if part is not None:
                self.add_widget(part)

    def draw(self) -> None:
        """A card; the chosen one has a strong edge."""
        colours = look().colours
        fill = colours.tint if self._chosen or self.pressed else colours.surface
        line = colours.primary if self._chosen else colours.control
        rounded(self.x, self.y, self.width, self.height, fill, line, 20, 7 if self._chosen else 2)

    def arrange(self) -> None:
        """The pictures above, the number below."""
        pad, foot, step = look().px(16), self._number.wanted(self.width), look().px(18)
        self._number.place(self.x, self.y + pad / 2, self.width, foot)
        if self._slip:
            self._slip.place(self.right - pad - self._slip.side, self.y + pad / 2, self._slip.side, foot)
        wide, high = self.width - 2 * pad, self.height - foot - 2 * pad
        behind = step * (len(self._pictures) - 1)
        for n, part in enumerate(self._pictures):
            shift = step * (len(self._pictures) - 1 - n)
            part.place(self.x + pad + shift, self.y + foot + pad + shift, wide - behind, high - behind)


class Grid(Part):
    """Pages in lines of three, six at a time, with buttons to turn on; the chosen one is always among them."""

    stretch = 1.0
    columns = 3

    def __init__(self, leaves: Sequence[Leaf], chosen: int, choose: Callable[[int], None]) -> None:
        super().__init__()
        self._first = chosen // MOST * MOST
        self._count, self._choose = len(leaves), choose
        shown = range(self._first, min(self._first + MOST, self._count))
        self._items = [_Choice(leaves[n], n + 1, n == chosen, self._choosing(n)) for n in shown]
        self._bar = self._made_bar() if self._count > MOST else None
        for part in (*self._items, *([self._bar] if self._bar else [])):
            self.add_widget(part)

    @property
    def _lines(self) -> int:
        return 1 if len(self._items) <= self.columns else 2

    def wanted(self, width: float) -> float:  # noqa: ARG002
        """Lines in which a page is still a page."""
        return float(look().px(210) * self._lines + look().px(20) * (self._lines - 1)) + self._bar_room()

    def most(self, width: float) -> float:
        """Upright pages."""
        return width / self.columns * 1.35 * self._lines + self._bar_room()

    def _bar_room(self) -> float:
        return look().px(96 + 20) if self._bar else 0.0

    def arrange(self) -> None:
        """Lines, and the bar below."""
        gap, room = look().px(20), self._bar_room()
        wide = (self.width - gap * (self.columns - 1)) / self.columns
        high = (self.height - room - gap * (self._lines - 1)) / self._lines
        for n, item in enumerate(self._items):
            line, column = divmod(n, self.columns)
            item.place(self.x + column * (wide + gap), self.top - (line + 1) * high - line * gap, wide, high)
        if self._bar:
            self._bar.place(self.x, self.y, self.width, room - gap)

    def _made_bar(self) -> Part:
        last = self._first + MOST
        back = Button("page:previous", words("control.page_previous"), self._choosing(self._first - MOST), QUIET,
                      icon="previous", enabled=self._first > 0)  # fmt: skip
        on = Button("page:next", words("control.page_next"), self._choosing(last), QUIET, after="next",
                    enabled=last < self._count)  # fmt: skip
        pages = (self._count + MOST - 1) // MOST
        where = small(words("control.page_of", page=self._first // MOST + 1, pages=pages), "center")
        where.share = 0.6
        return Row([back, where, on], gap=20)

    def _choosing(self, n: int) -> Callable[[], None]:
        return lambda: self._choose(n)
