"""What became of comparing the face: never a verdict, and it goes on in any case."""

from kiosk.questions import FaceCompared
from screens.screen import Screen
from screens.theme import words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.illustration import Illustration
from screens.widgets.notice import notice
from screens.widgets.part import Part
from screens.widgets.text import lead, title

OUTCOMES = {True: ("agrees", "done", "good"), False: ("differs", "staff", "info"), None: ("unseen", "staff", "info")}


class FaceComparedScreen(Screen[FaceCompared]):
    """The result in a sentence; what an officer does with it."""

    steps = ("file_dossier", 0)

    def intro(self) -> list[Part]:
        """The result, as a picture and in words."""
        about, icon, tone = OUTCOMES[self.question.agrees]
        told = notice(icon, self.words(f"{about}_detail"), tone)
        picture = Illustration("face_alike" if self.question.agrees else "face")
        return [picture, title(self.words(about)), told, lead(self.words("lead"))]

    def actions(self) -> list[Part]:
        """On."""
        go_on = self.answering(None)
        return [Button("answer:continue", words("control.continue"), go_on, PRIMARY, after="forward")]
