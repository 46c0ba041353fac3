"""May digitised papers be searched, and whose? Both answers are equally good."""

from kiosk.questions import ConsentToReuse
from screens.screen import Screen
from screens.widgets.button import Button
from screens.widgets.part import Part, Row
from screens.widgets.sentence import sentence

ICONS = {"what": "search", "whom": "person", "purpose": "document", "free": "check"}


class ConsentToReuseScreen(Screen[ConsentToReuse]):
    """Four plain sentences, and two answers of the same weight."""

    steps = ("file_dossier", 2)

    def work(self) -> list[Part]:
        """The sentences."""
        owner, n = self.question.owner, self.question.components
        return [
            sentence(icon, self.words(key, n=n, name=owner.full_name, number=owner.masked_id))
            for key, icon in ICONS.items()
        ]

    def actions(self) -> list[Part]:
        """No, yes; neither is the main one."""
        refuse = Button("answer:refuse", self.words("refuse"), self.answering(False), icon="camera")
        agree = Button("answer:agree", self.words("agree"), self.answering(True), icon="search")
        return [Row([refuse, agree])]
