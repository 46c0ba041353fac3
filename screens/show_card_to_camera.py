"""Put the card under the camera: what the camera sees, and one instruction."""

from kiosk.questions import KeyMethod, ShowCardToCamera
from kiosk.shutter import Prompt, Sight
from screens.screen import Screen
from screens.widgets.button import Button
from screens.widgets.live import LivePreview
from screens.widgets.part import Part, Row
from screens.widgets.shutter import Prompter
from screens.widgets.text import lead, title

SAID = (Prompt.WAITING, Prompt.LAY, Prompt.HOLD, Prompt.HAND, Prompt.BLURRED, Prompt.GLARE, Prompt.DARK, Prompt.UNREAD)
UNSPOKEN = (Prompt.WAITING, Prompt.LAY, Prompt.HOLD)
"""Said by the picture, or by the heading before."""


class ShowCardToCameraScreen(Screen[ShowCardToCamera]):
    """Ends by itself when the card was read; typing is the other way, and the scanner where there is one."""

    steps = ("file_dossier", 0)

    def _steps(self) -> tuple[tuple[str, ...], int] | None:
        return None if self.question.in_passing else super()._steps()

    def intro(self) -> list[Part]:
        """What to do, and which side of the card."""
        about = "in_passing" if self.question.in_passing else "qr_only" if self.question.qr_only else "lead"
        told = lead(self.words(about))
        told.optional = True
        return [title(self.words("heading")), told]

    def work(self) -> list[Part]:
        """The picture and the instruction."""
        self._prompter = Prompter(f"screen.{self.name}", SAID)
        live = LivePreview(self.question.watch, self._tell, self.words("no_picture"), close=True)
        return [live, self._prompter]

    def actions(self) -> list[Part]:
        """The other ways: the scanner, typing; or none, where nobody needs to be known."""
        ways: list[Part] = []
        if self.question.scanner:
            ways.append(Button("answer:scanner", self.words("scanner"), self.answering(KeyMethod.SCANNER), icon="qr"))
        if self.question.in_passing:
            ways.append(Button("answer:skip", self.words("skip"), self.answering(KeyMethod.SKIP), icon="forward"))
        else:
            ways.append(Button("answer:type", self.words("type"), self.answering(KeyMethod.TYPE), icon="keyboard"))
        return [Row(ways)] if len(ways) > 1 else ways

    def _tell(self, sight: Sight) -> None:
        prompt = sight.prompt if sight.prompt in SAID else Prompt.HOLD
        if self._prompter.show(prompt) and prompt not in UNSPOKEN:
            self.shown.speak(self._prompter.text)
