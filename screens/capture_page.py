"""Lay a page on the tray: what the camera sees, one instruction, and the shutter that also works by itself."""

from kiosk.questions import CaptureAnswer, CapturePage
from kiosk.shutter import Prompt, Sight
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import Button
from screens.widgets.live import LivePreview
from screens.widgets.part import Part, Row, Space
from screens.widgets.shutter import Prompter, ShutterButton
from screens.widgets.text import Words, lead, title
from screens.widgets.thumbnails import Strip

SAID = tuple(prompt for prompt in Prompt if prompt is not Prompt.UNREAD)
UNSPOKEN = (Prompt.WAITING, Prompt.HOLD)
"""Said by the picture alone: the one is no instruction, the other over before it is spoken."""


class CapturePageScreen(Screen[CapturePage]):
    """The live picture as large as there is room; below it what is to be done now."""

    steps = ("file_dossier", 2)

    def intro(self) -> list[Part]:
        """Which paper, which page."""
        question = self.question
        which = f"{self.words('which', position=question.position, of=question.of)}, "
        page = self.words("page", number=question.number)
        hint = self.words("lifted_lead") if question.lifted else words(question.component.hint) or self.words("lead")
        told = lead(hint)
        told.optional = True
        shown = [told] if question.lifted or not question.pages else []
        above = Words(which + page, "label", look().colours.on_tint, "strong")
        name = self.words("lifted") if question.lifted else words(question.component.name)
        return [above, title(name), *shown]

    def work(self) -> list[Part]:
        """The picture and the instruction."""
        self._prompter = Prompter(f"screen.{self.name}", SAID)
        self._shutter = ShutterButton("answer:shutter", self.words("shutter"), self.answering(CaptureAnswer.SHUTTER))
        live = LivePreview(self.question.watch, self._tell, self.words("no_picture"))
        return [live, self._prompter]

    def actions(self) -> list[Part]:
        """The shutter in the middle; beside it the pages so far or, for those who lack the paper, the other ways."""
        component, first = self.question.component, not self.question.pages
        left: Part = Space() if first else Strip([page.jpeg for page in self.question.pages], most=2)
        right: Part = Space()
        if first and component.paper_allowed:
            left = Button("answer:paper_only", self.words("paper_only"), self.answering(CaptureAnswer.PAPER_ONLY))
        if first and not component.required:
            right = Button("answer:skip", self.words("skip"), self.answering(CaptureAnswer.SKIP))
        self._shutter.share = 0.9
        return [Row([left, self._shutter, right], gap=20, middle=True)]

    def _tell(self, sight: Sight) -> None:
        self._shutter.fill(0.0 if self.question.lifted else sight.filled)
        prompt = sight.prompt
        if self.question.lifted and prompt in (Prompt.TAKEN, Prompt.HAND):
            prompt = Prompt.HOLD  # the page stays where it is, and a hand holds the slip
        if self._prompter.show(prompt) and prompt not in UNSPOKEN:
            self.shown.speak(self._prompter.text)
