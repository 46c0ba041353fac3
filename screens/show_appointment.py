"""Hold the QR code of an appointment to the scanner."""

from kiosk.questions import AppointmentAnswer, ShowAppointment
from screens.screen import Screen
from screens.widgets.button import Button
from screens.widgets.illustration import Illustration
from screens.widgets.notice import notice
from screens.widgets.part import Part


class ShowAppointmentScreen(Screen[ShowAppointment]):
    """Ends by itself when a code was read; an ordinary number is the other way."""

    def intro(self) -> list[Part]:
        """What to do, as a picture and in words."""
        return [Illustration("show_phone"), *super().intro()]

    def work(self) -> list[Part]:
        """That the last code was no appointment's."""
        return [notice("warning", self.words("unreadable"), "warn")] if self.question.unreadable else []

    def actions(self) -> list[Part]:
        """For those who have no code with them."""
        ordinary = self.answering(AppointmentAnswer.ORDINARY)
        return [Button("answer:ordinary", self.words("ordinary"), ordinary, icon="ticket")]
