"""Too early for an appointment: when to come back, or an ordinary number now."""

from datetime import datetime

from kiosk.clock import business_day, shown
from kiosk.questions import AppointmentAnswer, ComeLater
from screens.screen import Screen
from screens.theme import words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.countdown import Countdown
from screens.widgets.facts import fact
from screens.widgets.part import Part
from screens.widgets.text import lead, title

SECONDS = 60


class ComeLaterScreen(Screen[ComeLater]):
    """The time from which the code gives a number stands in the sentence and among the facts."""

    def intro(self) -> list[Part]:
        """When to come back."""
        opens = self._time(self.question.appointment.opens)
        return [title(self.words("heading")), lead(self.words("lead", opens=opens))]

    def work(self) -> list[Part]:
        """The appointment."""
        appointment = self.question.appointment
        return [
            fact(self.words("service"), words(appointment.service), "document"),
            fact(self.words("at"), self._time(appointment.at), "calendar"),
            fact(self.words("opens"), self._time(appointment.opens), "clock"),
        ]

    def actions(self) -> list[Part]:
        """Come back; an ordinary number is offered, too."""
        leave = self.answering(AppointmentAnswer.LEAVE)
        ordinary = self.answering(AppointmentAnswer.ORDINARY)
        return [
            Countdown(SECONDS, leave),
            Button("answer:ordinary", self.words("ordinary"), ordinary, icon="ticket"),
            Button("answer:leave", self.words("leave"), leave, PRIMARY, icon="check"),
        ]

    def _time(self, moment: datetime) -> str:
        """«08:50», with its date on another day."""
        text = shown(moment)
        return text[:5] if business_day(moment) == business_day(self.question.now) else text
