"""Work under way: what is done, how far it is, what to do meanwhile, and the way out if there is one."""

from kivy.clock import Clock

from kiosk.i18n import catalogue
from kiosk.questions import Working
from screens.screen import Screen, Shown
from screens.theme import words
from screens.widgets.button import Button
from screens.widgets.illustration import Illustration
from screens.widgets.part import Part
from screens.widgets.progress import Progress
from screens.widgets.text import lead, title

SCENES = {
    "reading_card": "card_lies",
    "card_missing": "place_card",
    "card_lifted": "place_card",
    "card_mute": "turn_card",
    "capturing": "lay_page",
    "assembling": "filed",
    "submitting": "filed",
    "printing": "take_slip",
    "issuing_ticket": "take_slip",
}
LOOKS_PER_SECOND = 5


class WorkingScreen(Screen[Working]):
    """Looks at the progress a few times a second."""

    def __init__(self, shown: Shown[Working]) -> None:
        super().__init__(shown)
        self._progress = Progress()
        self._tick = Clock.schedule_interval(self._look, 1 / LOOKS_PER_SECOND)

    def intro(self) -> list[Part]:
        """What is done, and what the citizen should do meanwhile."""
        what = self.question.what
        picture = Illustration(SCENES.get(what, "searching"))
        return [picture, title(words(f"working.{what}")), lead(self._own("lead"))]

    def work(self) -> list[Part]:
        """How far it is."""
        self._progress = Progress()
        self._progress.show(self.question.progress())
        return [self._progress]

    def actions(self) -> list[Part]:
        """The way out."""
        if not self.question.can_cancel:
            return []
        icon = "forward" if f"working.{self.question.what}_cancel" in catalogue() else "close"
        return [Button("answer:cancel", self._own("cancel"), self.answering(None), icon=icon)]

    def leave(self) -> None:
        """Stop looking."""
        self._tick.cancel()
        super().leave()

    def _own(self, key: str) -> str:
        """The text of this work, or of every work."""
        own = f"working.{self.question.what}_{key}"
        return words(own if own in catalogue() else f"working.{key}")

    def _look(self, _: float) -> None:
        self._progress.show(self.question.progress())
