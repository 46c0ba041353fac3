"""What is sent, to whom, for what: agree, or not."""

from kiosk.questions import Consent
from screens.screen import Screen
from screens.theme import look
from screens.widgets.button import PRIMARY, Button
from screens.widgets.icon import Icon
from screens.widgets.part import Padded, Part, Row
from screens.widgets.text import Words

ICONS = {"what": "pages", "whom": "stamp", "purpose": "folder", "safe": "shield"}


class ConsentScreen(Screen[Consent]):
    """Four plain sentences."""

    steps = ("file_dossier", 4)

    def work(self) -> list[Part]:
        """The sentences."""
        return [self._line(key, icon) for key, icon in ICONS.items()]

    def _line(self, key: str, icon: str) -> Part:
        colours = look().colours
        sentence = Words(self.words(key, unit=self.question.receiving_unit), "body")
        row = Row([Icon(icon, 84, colours.on_tint, colours.tint), sentence], gap=28, middle=True)
        return Padded(row, 22, colours.surface, colours.line)

    def actions(self) -> list[Part]:
        """No, yes."""
        refuse = Button("answer:refuse", self.words("refuse"), self.answering(False), icon="close")
        return [refuse, Button("answer:agree", self.words("agree"), self.answering(True), PRIMARY, icon="check")]
