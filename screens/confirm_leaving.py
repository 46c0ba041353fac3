"""Start over throws away what was given so far: really?"""

from kiosk.questions import ConfirmLeaving
from screens.screen import Screen
from screens.widgets.button import PRIMARY, Button
from screens.widgets.part import Part


class ConfirmLeavingScreen(Screen[ConfirmLeaving]):
    """Staying is the main action."""

    def actions(self) -> list[Part]:
        """Leave, stay."""
        return [
            Button("answer:leave", self.words("leave"), self.answering(True), icon="restart"),
            Button("answer:stay", self.words("stay"), self.answering(False), PRIMARY, after="forward"),
        ]
