"""The page as taken: legible, and are there more?"""

from kiosk.questions import PageAnswer, ReviewPage
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.notice import notice
from screens.widgets.part import Part, Row
from screens.widgets.picture import Picture
from screens.widgets.text import Words, title
from screens.widgets.tool import Tool

TOOLS = {
    PageAnswer.RETAKE: "camera",
    PageAnswer.ROTATE: "rotate",
    PageAnswer.SLIP: "slip",
    PageAnswer.DROP: "bin",
}


class ReviewPageScreen(Screen[ReviewPage]):
    """The picture as large as there is room."""

    steps = ("file_dossier", 2)

    def intro(self) -> list[Part]:
        """Which page, and what to look at."""
        question = self.question
        above = Words(words(question.component.name), "label", look().colours.on_tint, "strong")
        above.optional = True
        hints: list[Part] = []
        if question.blank:
            hints = [notice("warning", self.words("blank"), "warn")]
        elif question.same_as is not None:
            hints = [notice("pages", self.words("same", number=question.same_as), "warn")]
        return [above, title(self.words("heading", number=question.number)), *hints]

    def work(self) -> list[Part]:
        """The page."""
        page = Picture(self.question.page.jpeg, least=300, mat=True)
        return [page] if page.shown else [page, notice("warning", self.words("unreadable"), "warn")]

    def actions(self) -> list[Part]:
        """Something else with this page, more, enough."""
        tools = [
            Tool(f"answer:{answer}", self.words(answer.value), icon, self.answering(answer))
            for answer, icon in TOOLS.items()
        ]
        act = self.answering(PageAnswer.COMPLETE)
        done = Button("answer:complete", self.words("complete"), act, PRIMARY, icon="check")
        if not self.question.room:
            return [Row(tools, gap=16), done]
        more = Button("answer:next_page", self.words("next_page"), self.answering(PageAnswer.NEXT_PAGE), icon="add")
        return [Row(tools, gap=16), Row([more, done])]
