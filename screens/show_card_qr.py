"""Hold the card's QR code to the scanner."""

from kiosk.questions import KeyMethod, ShowCardQr
from screens.screen import Screen
from screens.widgets.button import Button
from screens.widgets.illustration import Illustration
from screens.widgets.notice import notice
from screens.widgets.part import Part


class ShowCardQrScreen(Screen[ShowCardQr]):
    """Ends by itself when a code was read; typing is the other way."""

    steps = ("file_dossier", 0)

    def intro(self) -> list[Part]:
        """What to do, and that the last code was none."""
        return [Illustration("show_qr"), *super().intro()]

    def work(self) -> list[Part]:
        """That the last code was no card's."""
        return [notice("warning", self.words("unreadable"), "warn")] if self.question.unreadable else []

    def actions(self) -> list[Part]:
        """Type instead."""
        return [Button("answer:type", self.words("type"), self.answering(KeyMethod.TYPE), icon="keyboard")]
