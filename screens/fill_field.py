"""One field of the procedure's form, with the keyboard it needs."""

from functools import partial

from kiosk.fields import problem
from kiosk.questions import FillField
from kiosk.text import nfc
from screens.keyboard.digits import DigitPad
from screens.keyboard.letters import LetterKeyboard
from screens.screen import Screen, Shown
from screens.theme import look, words
from screens.widgets.behind import behind
from screens.widgets.button import PRIMARY, Button
from screens.widgets.field import CellsField, TextField
from screens.widgets.notice import notice
from screens.widgets.pages import Pages
from screens.widgets.part import Column, Part, Row
from screens.widgets.text import Words, lead, title
from screens.widgets.tile import wide_tile

PHONE_CELLS = "#### ### ###"
MOST_DIGITS = {"date": 8, "phone": 10, "number": 15}


class FillFieldScreen(Screen[FillField]):
    """The draft keeps the value as typed and whether it was refused."""

    steps = ("file_dossier", 3)

    def __init__(self, shown: Shown[FillField]) -> None:
        super().__init__(shown)
        self._kind = self.question.field.kind
        self._field: CellsField | TextField
        self.draft.setdefault("value", self.question.value)
        self.draft.setdefault("refused", False)

    @property
    def _value(self) -> str:
        return str(self.draft["value"])

    @property
    def _digits(self) -> str:
        return "".join(c for c in self._value if c.isdecimal())

    def intro(self) -> list[Part]:
        """What is asked, and what is wrong with the answer."""
        question = self.question
        which = self.words("which", position=question.position, of=question.of)
        above = Words(which, "label", look().colours.on_tint, "strong")
        parts: list[Part] = [above, title(words(question.field.label))]
        hint = self.words("prefilled") if question.value and question.field.source else words(question.field.hint)
        if hint:
            parts.append(lead(hint))
            parts[-1].optional = True
        wrong = problem(question.field, nfc(self._value)) if self.draft["refused"] else None
        self._notice = Column([notice("warning", words(wrong), "warn")] if wrong else [], gap=0)
        return [*parts, self._notice] if wrong else [*parts, *behind(question.behind)]

    def work(self) -> list[Part]:
        """Choices, or a field with its keyboard."""
        if self._kind == "choice":
            return [Pages([partial(self._choice, value, words(label)) for value, label in self.question.field.choices])]
        bad = self.draft["refused"]
        if self._kind in MOST_DIGITS:
            self._field = self._digit_field(bad)
            return [self._field, DigitPad(self._digits, MOST_DIGITS[self._kind], self._typed_digits)]
        self._field = TextField(self._value, bad=bad)
        return [self._field, LetterKeyboard(self._value, self._typed, capital=True)]

    def _digit_field(self, bad: bool) -> CellsField | TextField:
        if self._kind == "number":
            return TextField(self._digits, bad=bad)
        pattern = words("keyboard.date_cells") if self._kind == "date" else PHONE_CELLS
        return CellsField(pattern, self._digits, bad)

    def actions(self) -> list[Part]:
        """On; past it if it is not required."""
        if self._kind == "choice" and self.question.field.required:
            return []
        parts: list[Part] = []
        if not self.question.field.required:
            parts.append(Button("answer:skip", self.words("skip"), self.answering("")))
        if self._kind != "choice":
            parts.append(Button("answer:continue", words("control.continue"), self._continue, PRIMARY, after="forward"))
        return [Row(parts)]

    def _choice(self, value: str, label: str) -> Part:
        return wide_tile(f"choice:{value}", label, self.answering(value), chosen=value == self._value)

    def _typed(self, text: str) -> None:
        self.draft["value"] = text
        self._field.show(text)

    def _typed_digits(self, digits: str) -> None:
        value = digits
        if self._kind == "date":
            value = "/".join(part for part in (digits[:2], digits[2:4], digits[4:]) if part)
        self.draft["value"] = value
        self._field.show(digits)

    def _continue(self) -> None:
        value = nfc(self._value)
        self.draft["refused"] = problem(self.question.field, value) is not None
        if self.draft["refused"]:
            self.refresh()
        else:
            self.answer(value)
