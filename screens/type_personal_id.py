"""The owner's number: the second factor of a look-up."""

from kiosk.citizen import valid_personal_id
from kiosk.questions import TypePersonalId
from screens.keyboard.digits import DigitPad
from screens.screen import Screen
from screens.theme import words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.field import CellsField
from screens.widgets.notice import notice
from screens.widgets.part import Part

DIGITS = 12


class TypePersonalIdScreen(Screen[TypePersonalId]):
    """The draft keeps the digits and whether they were refused."""

    steps = ("look_up", 1)

    def intro(self) -> list[Part]:
        """What to type, and what was wrong."""
        wrong = self.draft.get("refused", False)
        return [*super().intro(), *([notice("warning", self.words("bad"), "warn")] if wrong else [])]

    def work(self) -> list[Part]:
        """Cells and the number pad."""
        digits = self.draft.get("digits", "")
        self._cells = CellsField("#### #### ####", digits, self.draft.get("refused", False))
        return [self._cells, DigitPad(digits, DIGITS, self._typed)]

    def actions(self) -> list[Part]:
        """On."""
        return [Button("answer:continue", words("control.continue"), self._continue, PRIMARY, after="forward")]

    def _typed(self, digits: str) -> None:
        self.draft.update(digits=digits, refused=False)
        self._cells.show(digits)

    def _continue(self) -> None:
        digits = self.draft.get("digits", "")
        if valid_personal_id(digits):
            self.answer(digits)
        else:
            self.draft["refused"] = True
            self.refresh()
