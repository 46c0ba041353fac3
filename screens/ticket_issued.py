"""The number, large: what the citizen came for."""

from kiosk.appointment import Appointment, Standing
from kiosk.clock import shown
from kiosk.i18n import title as reason_title
from kiosk.questions import AfterTicket, Paper, TicketIssued
from kiosk.ticket import LONG
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.countdown import Countdown
from screens.widgets.facts import pair
from screens.widgets.notice import notice
from screens.widgets.part import Column, Padded, Part, Row
from screens.widgets.qr import QrCode
from screens.widgets.text import Words, small

SECONDS = 30


class TicketIssuedScreen(Screen[TicketIssued]):
    """A ticket like the paper one; if the paper failed, why, and the offer to print again."""

    steps = ("take_ticket", 2)

    def intro(self) -> list[Part]:
        """The ticket."""
        ticket, colours = self.question.ticket, look().colours
        lines: list[Part] = [
            Words(self.words("heading"), "heading", colours.soft_ink, "display", "center"),
            Words(ticket.number, "giant", colours.on_tint, "numbers", "center"),
            Words(words(ticket.service), "heading", face_name="display", align="center"),
        ]
        if ticket.appointment:
            late = ticket.appointment.standing is Standing.LATE
            ink = colours.warn if late else colours.soft_ink
            lines.append(Words(self._booked(ticket.appointment), "body", ink, "strong", "center"))
        if ticket.priority:
            lines.append(Words(words(ticket.priority), "body", colours.good, "strong", "center"))
        return [Padded(Column(lines, gap=2), 22, colours.surface, colours.line)]

    def _details(self) -> Part:
        ticket = self.question.ticket
        lines: list[Part] = [small(self.words("follow"))]
        if ticket.ahead is not None:
            ahead = str(ticket.ahead) if ticket.ahead else self.words("ahead_none")
            expected = f" · {self._range(*ticket.wait)}" if ticket.wait is not None else ""
            lines.insert(0, pair(self.words("ahead"), ahead + expected, "heading"))
        texts = Column(lines, gap=20)
        return Row([texts, QrCode(ticket.url, 260 if look().portrait else 200)], gap=40, middle=True)

    def _range(self, low: int, high: int) -> str:
        if low >= LONG:
            return self.words("wait_hours", hours=low // 60)
        return self.words("wait_range" if low else "wait_less", low=low, high=high)

    def work(self) -> list[Part]:
        """How long it takes, and where the paper is."""
        return [self._details(), self._paper()]

    def _booked(self, appointment: Appointment) -> str:
        """Its time; or that it has passed."""
        late = appointment.standing is Standing.LATE
        return self.words("appointment_late" if late else "appointment", time=shown(appointment.at)[:5])

    def _paper(self) -> Part:
        if self.question.paper is Paper.EARLIER:
            return notice("info", self.words("taken_earlier", time=shown(self.question.ticket.issued_at)[:5]))
        if self.question.paper is Paper.PRINTED:
            return notice("receipt", self.words("take_slip"), "good")
        reason = self.question.reason
        why = words(reason_title(reason.value)) if reason else self.words("unprinted")
        return notice("warning", f"{why}. {self.words('still_valid')}", "warn")

    def actions(self) -> list[Part]:
        """Print again if needed; done."""
        done = self.answering(AfterTicket.DONE)
        buttons: list[Part] = [Button("answer:done", self.words("done"), done, PRIMARY, icon="check")]
        if self.question.paper is not Paper.PRINTED:
            again = self.answering(AfterTicket.REPRINT)
            buttons.insert(0, Button("answer:reprint", self.words("reprint"), again, icon="printer"))
        return [Countdown(SECONDS, done), Row(buttons)]

    @property
    def spoken(self) -> str:
        """The number, what became of the appointment, and where the paper is."""
        ticket = self.question.ticket
        booked = [self._booked(ticket.appointment)] if ticket.appointment else []
        paper = [part.text for part in self._paper().parts() if isinstance(part, Words)]
        return "\n".join([self.words("speak", number=ticket.number), *booked, *paper])
