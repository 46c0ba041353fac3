"""What is sent, to whom, for what: agree, or not."""

from kiosk.questions import Consent
from screens.screen import Screen
from screens.widgets.button import PRIMARY, Button
from screens.widgets.part import Part
from screens.widgets.sentence import sentence

ICONS = {"what": "pages", "whom": "stamp", "purpose": "folder", "safe": "shield"}


class ConsentScreen(Screen[Consent]):
    """Four plain sentences."""

    steps = ("file_dossier", 4)

    def work(self) -> list[Part]:
        """The sentences."""
        return [sentence(icon, self.words(key, unit=self.question.receiving_unit)) for key, icon in ICONS.items()]

    def actions(self) -> list[Part]:
        """No, yes."""
        refuse = Button("answer:refuse", self.words("refuse"), self.answering(False), icon="close")
        return [refuse, Button("answer:agree", self.words("agree"), self.answering(True), PRIMARY, icon="check")]
