"""Landscape: a screen's parts in two columns, arranged so that they fit."""

from collections.abc import Sequence

from screens.theme import look
from screens.widgets.part import Column, Part, Space

GAP, LEAST_GAP, BETWEEN = 26, 6, 72
SPARE = 0.001
"""The stretch of what takes the height that nothing else has use for."""

Split = tuple[list[Part], list[Part]]


class Abreast(Part):
    """What is asked on the left, what is touched on the right; actions move left, or parts over, if they must."""

    def __init__(self, intro: Sequence[Part], work: Sequence[Part], actions: Sequence[Part]) -> None:
        super().__init__()
        self._intro, self._work, self._actions = list(intro), list(work), list(actions)
        self._columns: list[Column] = []

    def _splits(self) -> list[Split]:
        """The ways to divide the parts, best first."""
        intro, work, actions = self._intro, self._work, self._actions
        everything = [*intro, *work, *actions]
        others = [(everything[:n], everything[n:]) for n in range(1, len(everything))]
        others.sort(key=lambda split: abs(len(split[0]) - len(intro)))
        plain, moved = (intro, [*work, *actions]), ([*intro, *actions], work)
        grows = any(part.stretch for part in work)  # a list, a keyboard, a picture: all the height is of use to it
        return [moved, plain, *others] if grows else [plain, moved, *others]

    def _over(self, split: Split, width: float, tight: bool) -> float:
        """How much the higher column is too high."""
        return max(self._height(parts, width, tight) for parts in split) - float(self.height)

    @staticmethod
    def _height(parts: list[Part], width: float, tight: bool) -> float:
        kept = [p for p in parts if not (tight and p.optional)]
        gap = look().px(LEAST_GAP if tight else GAP)
        return sum(p.wanted(width) for p in kept) + gap * (len(kept) + 1)

    def arrange(self) -> None:
        """Choose and place."""
        for column in self._columns:
            column.clear_widgets()
        self.clear_widgets()
        between = look().px(BETWEEN)
        width = round((self.width - between) / 2)
        left, right = self._choose(width)
        self._columns = [_middle(parts) for parts in (left, right) if parts]
        for n, column in enumerate(self._columns):
            self.add_widget(column)
            column.place(self.x + n * (width + between), self.y, width, self.height)

    def _choose(self, width: float) -> Split:
        splits = self._splits()
        for tight in (False, True):
            for split in splits[:2] if not tight else splits:
                if self._over(split, width, tight) <= 0:
                    return split
        return min(splits, key=lambda split: self._over(split, width, True))


def _middle(parts: list[Part]) -> Column:
    """The parts with what is spare above and below."""
    return Column([Space(0, SPARE), *parts, Space(0, SPARE)], gap=GAP, least_gap=LEAST_GAP)
