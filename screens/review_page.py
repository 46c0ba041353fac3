"""The page as taken: legible, and are there more?"""

from kiosk.questions import PageAnswer, ReviewPage
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.notice import notice
from screens.widgets.part import Part, Row
from screens.widgets.picture import Picture
from screens.widgets.text import Words, title


class ReviewPageScreen(Screen[ReviewPage]):
    """The picture as large as there is room."""

    steps = ("file_dossier", 2)

    def intro(self) -> list[Part]:
        """Which page, and what to look at."""
        above = Words(words(self.question.component.name), "label", look().colours.on_tint, "strong")
        return [above, title(self.words("heading", number=self.question.number))]

    def work(self) -> list[Part]:
        """The page."""
        page = Picture(self.question.page.jpeg, least=420, mat=True)
        return [page] if page.shown else [page, notice("warning", self.words("unreadable"), "warn")]

    def actions(self) -> list[Part]:
        """Again, more, enough."""
        retake = Button("answer:retake", self.words("retake"), self.answering(PageAnswer.RETAKE), icon="restart")
        others: list[Part] = [retake]
        if self.question.number < self.question.component.most_pages:
            more = self.answering(PageAnswer.NEXT_PAGE)
            others.append(Button("answer:next_page", self.words("next_page"), more, icon="add"))
        act = self.answering(PageAnswer.COMPLETE)
        return [Row(others), Button("answer:complete", self.words("complete"), act, PRIMARY, icon="check")]
