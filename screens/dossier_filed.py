"""Filed: the reference, large, and honestly what it is worth."""

from kiosk.clock import shown as shown_time
from kiosk.i18n import title as reason_title
from kiosk.questions import DossierFiled, Paper
from kiosk.slips import status_text
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.countdown import Countdown
from screens.widgets.illustration import Illustration
from screens.widgets.notice import Badge, notice
from screens.widgets.part import Column, Padded, Part
from screens.widgets.text import Words, lead, title

SECONDS = 60


class DossierFiledScreen(Screen[DossierFiled]):
    """Provisional until the TTHC system has answered, then the official code."""

    steps = ("file_dossier", 4)

    @property
    def _official(self) -> str:
        state = self.question.state
        return (state.dossier_code or "") if state else ""

    def intro(self) -> list[Part]:
        """The code on a sheet, and whether the dossier is received."""
        colours, official = look().colours, self._official
        sizes = ("title", "hero") if look().portrait else ("lead", "heading")
        number = official or self.question.provisional_ref
        code = Words(number, sizes[0 if official else 1], colours.on_tint, "numbers", "center")
        name = lead(self.words("official" if official else "provisional"), "center")
        sheet = Padded(Column([name, code], gap=4), 32, colours.surface, colours.line)
        return [
            Illustration("filed", most=480),
            title(self.words("heading_received" if official else "heading")),
            sheet,
        ]

    def work(self) -> list[Part]:
        """Received or not, and where the paper is."""
        if self._official:
            return [self._standing(), self._paper()]
        explained = Words(self.words("not_received_detail"), "body")
        explained.optional = True
        return [self._standing(), explained, self._paper()]

    def _standing(self) -> Part:
        colours, state = look().colours, self.question.state
        if state is None or not self._official:
            return Badge("clock", self.words("not_received"), colours.warn, colours.warn_tint, "heading")
        due = f"\n{self.words('due')}: {shown_time(state.due_at)}" if state.due_at else ""
        return notice("done", words(status_text(state.status)) + due, "good")

    def _paper(self) -> Part:
        if self.question.paper is Paper.PRINTED:
            return notice("receipt", self.words("take_slip"))
        reason = f"{words(reason_title(self.question.reason.value))}. " if self.question.reason else ""
        return notice("warning", reason + self.words("unprinted"), "warn")

    def actions(self) -> list[Part]:
        """Done."""
        done = self.answering(None)
        return [Countdown(SECONDS, done), Button("answer:done", self.words("done"), done, PRIMARY, icon="check")]

    @property
    def spoken(self) -> str:
        """The code, and that it is provisional."""
        code = self.words("speak", code=self._official or self.question.provisional_ref)
        return f"{self.words('heading_received' if self._official else 'heading')}\n{code}"
