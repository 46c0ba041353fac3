"""All pages of a paper: as many as in the hand, in order? One may be moved, turned, taken again or left out."""

from collections.abc import Callable

from kiosk.questions import ArrangePages, Deed, PageDeed
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.part import Part, Row
from screens.widgets.text import Words, lead, title
from screens.widgets.thumbnails import Grid
from screens.widgets.tool import Tool

TOOLS = {
    Deed.EARLIER: "previous",
    Deed.LATER: "next",
    Deed.ROTATE: "rotate",
    Deed.RETAKE: "camera",
    Deed.DROP: "bin",
}


class ArrangePagesScreen(Screen[ArrangePages]):
    """The draft keeps which page is chosen."""

    steps = ("file_dossier", 2)

    @property
    def _chosen(self) -> int:
        return int(self.draft.get("chosen", self.question.chosen))

    def intro(self) -> list[Part]:
        """How many there are, and what to compare them with."""
        count = len(self.question.leaves)
        above = Words(words(self.question.component.name), "label", look().colours.on_tint, "strong")
        above.optional = True
        heading = self.words("heading_one") if count == 1 else self.words("heading", count=count)
        told = lead(self.words("lead"))
        told.optional = True
        return [above, title(heading), told]

    def work(self) -> list[Part]:
        """The pages."""
        return [Grid(self.question.leaves, self._chosen, self._choose)]

    def actions(self) -> list[Part]:
        """What can be done with the chosen page; more pages; enough."""
        tools = [
            Tool(f"answer:{deed}", self.words(deed.value), icon, self._doing(deed), self._possible(deed))
            for deed, icon in TOOLS.items()
        ]
        done = Button("answer:done", self.words("done"), self._doing(Deed.DONE), PRIMARY, icon="check")
        if not self.question.room:
            return [Row(tools, gap=12), done]
        add = Button("answer:add", self.words("add"), self._doing(Deed.ADD), icon="add")
        return [Row(tools, gap=12), Row([add, done])]

    def _possible(self, deed: Deed) -> bool:
        return not (
            (deed is Deed.EARLIER and self._chosen == 0)
            or (deed is Deed.LATER and self._chosen == len(self.question.leaves) - 1)
        )

    def _doing(self, deed: Deed) -> Callable[[], None]:
        return lambda: self.answer(PageDeed(deed, self._chosen))

    def _choose(self, n: int) -> None:
        self.draft["chosen"] = n
        self.refresh()
