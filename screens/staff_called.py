"""The call is out, somebody comes; or the call did not get through and the citizen goes to the desk."""

from kiosk.questions import StaffCalled
from screens.screen import Screen
from screens.widgets.button import PRIMARY, Button
from screens.widgets.countdown import Countdown
from screens.widgets.illustration import Illustration
from screens.widgets.part import Part
from screens.widgets.text import lead, title

SECONDS = 30


class StaffCalledScreen(Screen[StaffCalled]):
    """The citizen may go on meanwhile."""

    def intro(self) -> list[Part]:
        """What became of the call."""
        which = "coming_" if self.question.coming else "" if self.question.reached else "failed_"
        scene = "staff" if self.question.reached else "network_down"
        return [Illustration(scene), title(self.words(f"{which}heading")), lead(self.words(f"{which}lead"))]

    def actions(self) -> list[Part]:
        """Go on."""
        go_on = self.answering(None)
        return [Countdown(SECONDS, go_on), Button("answer:go_on", self.words("go_on"), go_on, PRIMARY, after="forward")]
