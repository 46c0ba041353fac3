"""Lay a page on the tray: what the camera sees, and the shutter."""

from kiosk.questions import CaptureAnswer, CapturePage
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.live import LivePreview
from screens.widgets.notice import notice
from screens.widgets.part import Either, Part, Row
from screens.widgets.text import Words, lead, title


class CapturePageScreen(Screen[CapturePage]):
    """The live picture, and a line that says whether a page is seen."""

    steps = ("file_dossier", 2)

    def intro(self) -> list[Part]:
        """Which paper, which page."""
        question = self.question
        which = f"{self.words('which', position=question.position, of=question.of)}, "
        page = self.words("page", number=question.number)
        hint = lead(words(question.component.hint) or self.words("lead"))
        hint.optional = True
        above = Words(which + page, "label", look().colours.on_tint, "strong")
        return [above, title(words(question.component.name)), hint]

    def work(self) -> list[Part]:
        """The picture and what is seen in it."""
        notices = {
            "waiting": notice("info", self.words("lead")),
            "seen": notice("done", self.words("seen"), "good"),
            "unseen": notice("warning", self.words("unseen"), "warn"),
        }
        self._seen = Either(notices, "waiting")
        return [LivePreview(self.question.preview, self._tell, self.words("no_picture")), self._seen]

    def actions(self) -> list[Part]:
        """The shutter; for those who lack the paper, the other ways."""
        component, others = self.question.component, list[Part]()
        if self.question.number == 1 and component.paper_allowed:
            act = self.answering(CaptureAnswer.PAPER_ONLY)
            others.append(Button("answer:paper_only", self.words("paper_only"), act, icon="document"))
        if self.question.number == 1 and not component.required:
            others.append(Button("answer:skip", self.words("skip"), self.answering(CaptureAnswer.SKIP)))
        act = self.answering(CaptureAnswer.SHUTTER)
        shutter = Button("answer:shutter", self.words("shutter"), act, PRIMARY, icon="camera")
        return [*([Row(others)] if others else []), shutter]

    def _tell(self, seen: bool) -> None:
        self._seen.show("seen" if seen else "unseen")
