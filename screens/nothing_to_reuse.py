"""Nothing to re-use, or nobody to ask: the papers are captured as usual."""

from kiosk.questions import NothingToReuse
from screens.screen import Screen
from screens.widgets.button import PRIMARY, Button
from screens.widgets.illustration import Illustration
from screens.widgets.part import Part
from screens.widgets.text import lead, title


class NothingToReuseScreen(Screen[NothingToReuse]):
    """What to do instead, as a picture and in words."""

    steps = ("file_dossier", 2)

    def intro(self) -> list[Part]:
        """Found nothing, or could not look."""
        heading = self.words("heading" if self.question.searched else "heading_unsearched")
        return [Illustration("lay_page"), title(heading), lead(self.words("lead"))]

    def actions(self) -> list[Part]:
        """On."""
        return [Button("answer:go_on", self.words("go_on"), self.answering(None), PRIMARY, after="forward")]
