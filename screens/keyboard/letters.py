"""The letter keyboard: Telex, letters with marks, and a row that offers the present syllable in every tone.

It owns no text of anybody after `leave`, learns nothing and suggests nothing.
"""

from collections.abc import Callable
from functools import partial

from kiosk.text import nfc
from screens.keyboard import telex
from screens.keyboard.keys import Key
from screens.theme import look, words
from screens.widgets.part import Column, Part, Row, Space

MARKED = "ăâđêôơư"
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
DIGITS = ("1234567890", "-/.,:;()", "@&+'\"?!")
TONE_NAMES = ("ngang", "sac", "huyen", "hoi", "nga", "nang")
TONE_MARKS = ("", *telex.TONES.values())
MOST_LETTERS = 300
MOST_EXTRA = 22
"""How much higher than least a key may be."""


class LetterKeyboard(Part):
    """Tells `typed` the whole text after every key: NFC, a space at its end kept. `capital`: it begins with one."""

    stretch = 1.0

    def __init__(self, text: str, typed: Callable[[str], None], capital: bool = False) -> None:
        super().__init__()
        self.text, self._typed, self._capital = text, typed, capital
        self._shift = capital and not text
        self._digits = False
        self._rows = Column([], gap=12)
        self.add_widget(self._rows)
        self._make()

    def wanted(self, width: float) -> float:
        """Six rows."""
        return self._rows.wanted(width)

    def most(self, width: float) -> float:
        """Keys as high as is good for a finger."""
        return self._rows.wanted(width) + len(self._rows.items) * look().px(MOST_EXTRA)

    def arrange(self) -> None:
        """The rows."""
        self._rows.place(self.x, self.y, self.width, self.height)

    def leave(self) -> None:
        """Forget what was typed."""
        super().leave()
        self.text = ""

    # --- the keys ---

    def _make(self) -> None:
        letters, other = (DIGITS, "ABC") if self._digits else (ROWS, "123")
        bottom = [
            self._wide(
                Key("keyboard:digits", other, self._swap_digits, size="label", soft=True),
                1.6,
            ),
            self._wide(Key("keyboard:space", words("keyboard.space"), lambda: self._add(" "), size="small"), 5.2),
            self._wide(Key("keyboard:clear", words("keyboard.clear"), self._clear, size="small", soft=True), 2.2),
        ]
        rows: list[Part] = [
            Row(self._tones(), gap=10),
            Row([self._letter(c) for c in MARKED], gap=10),
            Row([self._letter(c) for c in letters[0]], gap=10),
            Row([self._half(), *(self._letter(c) for c in letters[1]), self._half()], gap=10),
            Row([self._shift_key(), *(self._letter(c) for c in letters[2]), self._backspace()], gap=10),
            Row(bottom, gap=10),
        ]
        self._fill(rows)

    def _fill(self, rows: list[Part]) -> None:
        self._rows.items = rows
        for row in rows:
            row.stretch = 1.0
            self._rows.add_widget(row)

    def _remake(self) -> None:
        for row in self._rows.items:
            row.leave()
        self._rows.clear_widgets()
        self._make()
        self._rows.arrange()

    @staticmethod
    def _wide(key: Key, share: float) -> Key:
        key.share = share
        return key

    @staticmethod
    def _half() -> Part:
        half = Space(stretch=0)
        half.share = 0.4
        return half

    def _letter(self, letter: str) -> Key:
        shown = letter.upper() if self._shift else letter
        return Key(f"keyboard:{letter}", shown, lambda: self._press(shown))

    def _shift_key(self) -> Key:
        return self._wide(Key("keyboard:shift", "", self._press_shift, "shift", lit=self._shift, soft=True), 1.4)

    def _backspace(self) -> Key:
        return self._wide(Key("keyboard:backspace", "", self._delete, "backspace", soft=True), 1.4)

    def _tones(self) -> list[Part]:
        """The present syllable in each tone, ready to touch; the names of the tones while there is none."""
        word = self._word
        possible = bool(word) and telex.spellable(word)
        keys: list[Part] = []
        for name, mark in zip(TONE_NAMES, TONE_MARKS, strict=True):
            toned = telex.with_tone(word, mark)
            face = toned if possible and len(toned) <= 7 else words(f"keyboard.tone_{name}")
            lit = possible and toned == word
            act = partial(self._replace, toned)
            keys.append(Key(f"keyboard:tone_{name}", face, act, size="small", lit=lit, soft=True, enabled=possible))
        return keys

    # --- what they do ---

    @property
    def _word(self) -> str:
        return self.text.rsplit(" ", 1)[-1]

    def _press(self, letter: str) -> None:
        word = self._word
        plain = letter.lower() in telex.TONES or letter.isalpha()
        self._replace(telex.press(word, letter) if plain and not self._digits else word + letter)

    def _replace(self, word: str) -> None:
        head = self.text[: len(self.text) - len(self._word)]
        self._set(head + word)

    def _add(self, letter: str) -> None:
        if self.text and not self.text.endswith(" "):
            self._set(self.text + letter)

    def _delete(self) -> None:
        self._set(self.text[:-1])

    def _clear(self) -> None:
        self._set("")

    def _press_shift(self) -> None:
        self._shift = not self._shift
        self._remake()

    def _swap_digits(self) -> None:
        self._digits = not self._digits
        self._remake()

    def _set(self, text: str) -> None:
        if len(text) > MOST_LETTERS:
            return
        tail = " " if text.endswith(" ") else ""
        self.text = nfc(text) + tail if text.strip() else ""
        self._shift = self._capital and not self.text
        self._remake()
        self._typed(self.text)


class CodeKeyboard(LetterKeyboard):
    """Capitals, digits, hyphen and point: for codes. No composition."""

    def _make(self) -> None:
        rows = [self._row("1234567890"), self._row("qwertyuiop"), self._row("asdfghjkl"), self._row("zxcvbnm-.")]
        bottom = [
            self._wide(Key("keyboard:clear", words("keyboard.clear"), self._clear, size="small", soft=True), 1.0),
            self._wide(self._backspace(), 1.0),
        ]
        self._fill([*rows, Row(bottom, gap=10)])

    def _row(self, letters: str) -> Row:
        return Row([Key(f"keyboard:{c}", c.upper(), partial(self._press, c.upper())) for c in letters], gap=10)

    def _press(self, letter: str) -> None:
        self._set(self.text + letter)
