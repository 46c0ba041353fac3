"""Hold the card's QR code to the scanner."""

from kiosk.questions import KeyMethod, ShowCardQr
from screens.screen import Screen
from screens.widgets.button import Button
from screens.widgets.illustration import Illustration
from screens.widgets.notice import notice
from screens.widgets.part import Part, Row
from screens.widgets.text import lead, title


class ShowCardQrScreen(Screen[ShowCardQr]):
    """Ends by itself when a code was read; typing is the other way."""

    steps = ("file_dossier", 0)

    def _steps(self) -> tuple[tuple[str, ...], int] | None:
        return None if self.question.in_passing else super()._steps()

    def intro(self) -> list[Part]:
        """What to do, and that the last code was none."""
        if self.question.in_passing:
            return [Illustration("show_qr"), title(self.words("heading")), lead(self.words("in_passing"))]
        return [Illustration("show_qr"), *super().intro()]

    def work(self) -> list[Part]:
        """That the last code was no card's."""
        return [notice("warning", self.words("unreadable"), "warn")] if self.question.unreadable else []

    def actions(self) -> list[Part]:
        """The camera, if there is one; type instead; or leave it, where nobody needs to be known."""
        other = Button("answer:type", self.words("type"), self.answering(KeyMethod.TYPE), icon="keyboard")
        if self.question.in_passing:
            other = Button("answer:skip", self.words("skip"), self.answering(KeyMethod.SKIP), icon="forward")
        if not self.question.camera:
            return [other]
        camera = Button("answer:camera", self.words("camera"), self.answering(KeyMethod.CAMERA), icon="camera")
        return [Row([camera, other])]
