"""The code of a dossier, typed; or scanned, then the screen ends by itself."""

from kiosk.questions import TypeDossierCode
from kiosk.text import nfc
from screens.keyboard.letters import CodeKeyboard
from screens.screen import Screen
from screens.theme import words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.field import TextField
from screens.widgets.notice import notice
from screens.widgets.part import Part


class TypeDossierCodeScreen(Screen[TypeDossierCode]):
    """The draft keeps the code and the key of what is wrong."""

    steps = ("look_up", 0)

    def intro(self) -> list[Part]:
        """What to type, and what was wrong."""
        wrong = self.draft.get("problem", "not_found" if self.question.not_found else "")
        return [*super().intro(), *([notice("warning", self.words(wrong), "warn")] if wrong else [])]

    def work(self) -> list[Part]:
        """Field and keyboard."""
        code = self.draft.get("code", "")
        self._field = TextField(code, self.words("hint"), "qr")
        return [self._field, CodeKeyboard(code, self._typed)]

    def actions(self) -> list[Part]:
        """On."""
        return [Button("answer:continue", words("control.continue"), self._continue, PRIMARY, after="forward")]

    def _typed(self, code: str) -> None:
        self.draft.update(code=code, problem="")
        self._field.show(code)

    def _continue(self) -> None:
        code = nfc(self.draft.get("code", ""))
        if code:
            self.answer(code)
        else:
            self.draft["problem"] = "empty"
            self.refresh()
