"""Number, birth and expiry as printed on the card: three steps on one screen."""

from datetime import date

from kiosk.citizen import NO_EXPIRY, AccessKey, birth_year, valid_personal_id
from kiosk.fields import parse_date
from kiosk.questions import TypeAccessKey
from screens.keyboard.digits import DigitPad
from screens.screen import Screen, Shown
from screens.theme import words
from screens.widgets.button import PRIMARY, Button
from screens.widgets.field import CellsField
from screens.widgets.notice import notice
from screens.widgets.part import Column, Part
from screens.widgets.text import lead, title

STEPS = ("number", "birth", "expiry")
NUMBER_CELLS = "#### #### ####"


def typed_date(digits: str) -> date | None:
    """The day that eight digits ddmmyyyy name, None if there is none."""
    return parse_date(f"{digits[:2]}/{digits[2:4]}/{digits[4:]}") if len(digits) == 8 else None


class TypeAccessKeyScreen(Screen[TypeAccessKey]):
    """The draft keeps the digits of every step, the present step and what was wrong."""

    steps = ("file_dossier", 0)

    def __init__(self, shown: Shown[TypeAccessKey]) -> None:
        super().__init__(shown)
        if "step" not in self.draft:
            self.draft.update({"number": self.question.known_id, "birth": "", "expiry": "", "step": 0, "problem": ""})

    @property
    def _step(self) -> str:
        return STEPS[self.draft["step"]]

    def intro(self) -> list[Part]:
        """What is entered now, and what was wrong."""
        where = lead(self.words(f"lead_{self._step}"))
        where.optional = True
        parts: list[Part] = [title(self.words(f"heading_{self._step}")), where]
        problem = self.draft["problem"] or ("refused" if self.question.refused and self._step == "number" else "")
        self._notice = Column([notice("warning", self.words(problem), "warn")] if problem else [], gap=0)
        return [*parts, self._notice]

    def work(self) -> list[Part]:
        """Cells and the number pad."""
        digits = self.draft[self._step]
        pattern = NUMBER_CELLS if self._step == "number" else words("keyboard.date_cells")
        self._cells = CellsField(pattern, digits, bad=bool(self.draft["problem"]))
        most = sum(c.isalpha() or c == "#" for c in pattern)
        return [self._cells, DigitPad(digits, most, self._typed)]

    def actions(self) -> list[Part]:
        """On; a card without expiry."""
        go_on = Button("answer:continue", words("control.continue"), self._continue, PRIMARY, after="forward")
        if self._step != "expiry":
            return [go_on]
        return [Button("answer:no_expiry", self.words("no_expiry"), lambda: self._finish(NO_EXPIRY)), go_on]

    def inner_back(self) -> bool:
        """Back leads to the step before."""
        return bool(self.draft["step"] > 0)

    def go_back(self) -> None:
        """The step before."""
        self.draft.update(step=self.draft["step"] - 1, problem="")
        self.refresh()

    def _typed(self, digits: str) -> None:
        self.draft.update({self._step: digits, "problem": ""})
        self._cells.show(digits)

    def _continue(self) -> None:
        self.draft["problem"] = self._problem()
        expiry = typed_date(self.draft["expiry"])
        if not self.draft["problem"] and self._step == "expiry" and expiry:
            self._finish(expiry)
            return
        if not self.draft["problem"]:
            self.draft["step"] += 1
        self.refresh()

    def _problem(self) -> str:
        """The key of what is wrong with the present step, empty if nothing is."""
        number, birth, expiry = self.draft["number"], typed_date(self.draft["birth"]), typed_date(self.draft["expiry"])
        if self._step == "number":
            return "" if valid_personal_id(number) else "bad_number"
        if self._step == "birth":
            return "bad_date" if birth is None else "" if birth.year == birth_year(number) else "bad_birth"
        return "bad_date" if expiry is None else "" if birth and expiry > birth else "bad_expiry"

    def _finish(self, expiry: date) -> None:
        birth = typed_date(self.draft["birth"])
        assert birth is not None
        self.answer(AccessKey(self.draft["number"], birth, expiry))
