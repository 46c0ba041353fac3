"""Take the card back."""

from kiosk.questions import TakeCard
from screens.screen import Screen
from screens.widgets.button import Button
from screens.widgets.illustration import Illustration
from screens.widgets.part import Part


class TakeCardScreen(Screen[TakeCard]):
    """Ends by itself when the card is gone."""

    steps = ("file_dossier", 0)

    def _steps(self) -> tuple[tuple[str, ...], int] | None:
        return None if self.question.in_passing else super()._steps()

    def intro(self) -> list[Part]:
        """What to do."""
        return [Illustration("take_card"), *super().intro()]

    def actions(self) -> list[Part]:
        """For a reader that does not notice."""
        return [Button("answer:taken", self.words("taken"), self.answering(None), icon="check")]
