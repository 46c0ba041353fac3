"""What is known of a dossier, in plain words."""

from functools import partial

from kiosk.clock import shown as shown_time
from kiosk.questions import AfterStatus, ShowStatus
from kiosk.slips import advice_text, status_text, what_matters
from screens.screen import Screen
from screens.theme import look, words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.countdown import Countdown
from screens.widgets.facts import fact
from screens.widgets.notice import Badge, notice
from screens.widgets.pages import Pages
from screens.widgets.part import Part, Row
from screens.widgets.text import Words

SECONDS = 60
TROUBLE = (3, 5, 6, 7, 8)
"""Portal statuses in which the citizen has something to do or to know."""
FINISHED = (9, 10)


class ShowStatusScreen(Screen[ShowStatus]):
    """The status first, then the facts."""

    steps = ("look_up", 2)

    def work(self) -> list[Part]:
        """Status and facts."""
        colours, state = look().colours, self.question.state
        ink, ground, icon = colours.on_tint, colours.tint, "clock"
        if state.status in TROUBLE:
            ink, ground, icon = colours.warn, colours.warn_tint, "warning"
        elif state.status in FINISHED:
            ink, ground, icon = colours.good, colours.good_tint, "done"
        badge = Badge(icon, words(status_text(state.status)), ink, ground)
        printed = [notice("receipt", self.words("printed"), "good")] if self.question.printed else []
        advice = Words(words(advice_text(state.status)), "body")
        return [badge, advice, Pages([partial(fact, *pair) for pair in self._facts()], gap=12), *printed]

    def _facts(self) -> list[tuple[str, str]]:
        state = self.question.state
        pairs = [
            *what_matters(state),
            ("code", state.dossier_code or ""),
            ("provisional", "" if state.dossier_code else state.provisional_ref),
            ("procedure", state.procedure),
            ("owner", state.owner),
            ("submitted", shown_time(state.submitted_at) if state.submitted_at else ""),
        ]
        return [(self.words(key), value) for key, value in pairs if value]

    def actions(self) -> list[Part]:
        """On paper; done."""
        done = self.answering(AfterStatus.DONE)
        buttons: list[Part] = [Button("answer:done", self.words("done"), done, PRIMARY, icon="check")]
        if not self.question.printed:
            act = self.answering(AfterStatus.PRINT)
            buttons.insert(0, Button("answer:print", self.words("print"), act, icon="printer"))
        return [Countdown(SECONDS, done), Row(buttons)]

    @property
    def spoken(self) -> str:
        """Heading, status and what to do; nothing that names a person."""
        status = self.question.state.status
        return "\n".join((self.words("heading"), words(status_text(status)), words(advice_text(status))))
