"""Lists in pages: as many entries as the height holds, and buttons to turn the page. Nothing scrolls."""

from collections.abc import Callable, Sequence

from screens.theme import look, words
from screens.widgets.button import QUIET, Button
from screens.widgets.part import Part, Row
from screens.widgets.text import small

MOST = 8
"""Entries that a person still takes in at a glance."""


class Pages(Part):
    """`makers` make the entries when their page comes. `page` is where to begin; `turned` is told of every turn."""

    stretch = 1.0

    def __init__(
        self,
        makers: Sequence[Callable[[], Part]],
        columns: int = 1,
        page: int = 0,
        turned: Callable[[int], None] = lambda _: None,
        most: int = MOST,
        gap: float = 20,
    ) -> None:
        super().__init__()
        self._makers, self._columns, self._most = makers, columns, most
        self._gap = look().px(gap)
        self.page, self._turned = page, turned

    def wanted(self, width: float) -> float:
        """One line of entries and the page buttons."""
        lines = self._lines(width)
        return max((height for height, _ in lines), default=0.0) + self._bar_height(len(lines) > 1)

    def most(self, width: float) -> float:
        """The height that shows everything, or the fullest page with its buttons."""
        lines = self._lines(width)
        shown = lines[: max(self._most // self._columns, 1)]
        whole = sum(height for height, _ in shown) + self._gap * max(len(shown) - 1, 0)
        return whole + (self._gap + self._bar_height(True) if len(shown) < len(lines) else 0)

    def _bar_height(self, needed: bool) -> float:
        return look().px(96) + self._gap if needed else 0.0

    def _lines(self, width: float) -> list[tuple[float, list[Part]]]:
        entry_width = round((width - self._gap * (self._columns - 1)) / self._columns)
        parts = [make() for make in self._makers]
        lines = [parts[i : i + self._columns] for i in range(0, len(parts), self._columns)]
        return [(max(p.wanted(entry_width) for p in line), line) for line in lines]

    def _split(self, lines: list[tuple[float, list[Part]]]) -> list[list[tuple[float, list[Part]]]]:
        """Lines to pages; a bar to turn them takes room only if there is more than one page."""
        everything = sum(height for height, _ in lines) + self._gap * max(len(lines) - 1, 0)
        if everything <= self.height + 1 and len(lines) * self._columns <= self._most:
            return [lines]
        room = self.height - self._bar_height(True)
        pages: list[list[tuple[float, list[Part]]]] = []
        used = room + 1.0
        for height, line in lines:
            if used + height > room or len(pages[-1]) * self._columns >= self._most:
                pages.append([])
                used = 0.0
            pages[-1].append((height, line))
            used += height + self._gap
        return pages

    def arrange(self) -> None:
        """The entries of the present page and, below, the buttons."""
        for child in self.children:
            child.leave()
        self.clear_widgets()
        pages = self._split(self._lines(self.width))
        self.page = max(0, min(self.page, len(pages) - 1))
        top = float(self.top)
        entry_width = round((self.width - self._gap * (self._columns - 1)) / self._columns)
        for height, line in pages[self.page]:
            for n, part in enumerate(line):
                self.add_widget(part)
                part.place(self.x + n * (entry_width + self._gap), top - height, entry_width, height)
            top -= height + self._gap
        if len(pages) > 1:
            bar = self._bar(len(pages))
            self.add_widget(bar)
            bar.place(self.x, self.y, self.width, self._bar_height(True) - self._gap)

    def _bar(self, pages: int) -> Part:
        back = Button("page:previous", words("control.page_previous"), self._turn(-1), QUIET, icon="previous",
                      enabled=self.page > 0)  # fmt: skip
        on = Button("page:next", words("control.page_next"), self._turn(1), QUIET, after="next",
                    enabled=self.page < pages - 1)  # fmt: skip
        where = small(words("control.page_of", page=self.page + 1, pages=pages), "center")
        where.share = 0.6
        return Row([back, where, on], gap=20)

    def _turn(self, by: int) -> Callable[[], None]:
        def turn() -> None:
            self.page += by
            self._turned(self.page)
            self.arrange()

        return turn
