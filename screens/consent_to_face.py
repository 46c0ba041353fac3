"""May the face be compared with the portrait on the chip? Both answers are equally good."""

from kiosk.questions import ConsentToFace
from screens.screen import Screen
from screens.widgets.button import Button
from screens.widgets.part import Part, Row
from screens.widgets.sentence import sentence

ICONS = {"what": "camera", "purpose": "staff", "safe": "shield", "free": "check"}


class ConsentToFaceScreen(Screen[ConsentToFace]):
    """Four plain sentences, and two answers of the same weight."""

    steps = ("file_dossier", 0)

    def work(self) -> list[Part]:
        """The sentences."""
        return [sentence(icon, self.words(key)) for key, icon in ICONS.items()]

    def actions(self) -> list[Part]:
        """No, yes; neither is the main one."""
        refuse = Button("answer:refuse", self.words("refuse"), self.answering(False), icon="forward")
        agree = Button("answer:agree", self.words("agree"), self.answering(True), icon="camera")
        return [Row([refuse, agree])]
