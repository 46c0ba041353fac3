"""Vietnamese out of plain keys: Telex, and tones put where they belong. NFC in, NFC out.

`press` is a pure function of the word so far, so backspace and touching marks directly need no history. Tones stand as
in «hòa», «thúy» (the traditional placement).
"""

import re
import unicodedata

TONES = {"s": "\u0301", "f": "\u0300", "r": "\u0309", "x": "\u0303", "j": "\u0323"}
"""Telex key → combining mark: sắc, huyền, hỏi, ngã, nặng."""

_VOWELS = "aăâeêioôơuưy"
_INITIAL = r"(?:ngh|gi(?=[aăâeêoôơuư])|qu|ng|nh|ch|gh|kh|ph|th|tr|[bcdđghklmnpqrstvx])?"
_SYLLABLE = re.compile(rf"({_INITIAL})([{_VOWELS}]{{1,3}})(ch|ng|nh|[cmnpt])?")
_HATS = {"a": "â", "e": "ê", "o": "ô"}
_HORNS = {"a": "ă", "o": "ơ", "u": "ư"}
_PLAIN = {marked: plain for table in (_HATS, _HORNS) for plain, marked in table.items()} | {"đ": "d"}


def press(word: str, key: str) -> str:
    """The word after one more key; a key that cannot act is a letter, and one pressed twice undoes itself."""
    tone, bare = tone_of(word), strip_tone(word)
    low = key.lower()
    if low in TONES or low == "z":
        return _press_tone(word, bare, tone, key)
    changed = _press_mark(bare, low)
    if changed is None:
        changed = _close_horn(bare + key)
    elif changed == _undone(bare, low):
        changed += key
    return with_tone(changed, tone)


def tone_of(word: str) -> str:
    """The combining mark of the word's tone, empty if it has none."""
    return next((c for c in unicodedata.normalize("NFD", word) if c in TONES.values()), "")


def strip_tone(word: str) -> str:
    """The word without its tone; hats and horns stay."""
    bare = "".join(c for c in unicodedata.normalize("NFD", word) if c not in TONES.values())
    return unicodedata.normalize("NFC", bare)


def with_tone(word: str, mark: str) -> str:
    """The word with this tone (a combining mark, empty: none) on the right vowel; unchanged if it has no vowel."""
    bare = strip_tone(word)
    place = _tone_place(bare)
    if not mark or place is None:
        return bare
    return unicodedata.normalize("NFC", bare[: place + 1] + mark + bare[place + 1 :])


def spellable(word: str) -> bool:
    """Whether the word could be a Vietnamese syllable."""
    return _SYLLABLE.fullmatch(strip_tone(word).lower()) is not None


def _press_tone(word: str, bare: str, tone: str, key: str) -> str:
    mark = TONES.get(key.lower(), "")
    if tone and mark in (tone, ""):
        return bare + (key if mark else "")
    if mark and spellable(bare):
        return with_tone(bare, mark)
    return word + key


def _press_mark(bare: str, key: str) -> str | None:
    """The word with a hat, horn or bar put on or taken off; None if the key is just a letter."""
    if key == "d" and bare[:1].lower() in ("d", "đ"):
        return _swap(bare, 0, "đ" if bare[0].lower() == "d" else "d")
    if key in _HATS:
        return _press_hat(bare, key)
    if key == "w":
        changed = _press_horn(bare)
        return changed if changed and spellable(changed) else None
    return None


def _press_hat(bare: str, key: str) -> str | None:
    lower = bare.lower()
    for at in range(len(bare) - 1, -1, -1):
        if _PLAIN.get(lower[at], lower[at]) == key and lower[at] in _VOWELS:
            changed = _swap(bare, at, key if lower[at] == _HATS[key] else _HATS[key])
            return changed if spellable(changed) else None
    return None


def _press_horn(bare: str) -> str | None:
    lower = bare.lower()
    if lower.endswith(("ưu", "uu")) and not lower.startswith("q"):
        return _swap(bare, len(bare) - 2, "ư" if lower.endswith("uu") else "u")
    for pair, horned in (("uo", "ươ"), ("uơ", "ươ"), ("ưo", "ươ"), ("ươ", "uo")):
        at = lower.rfind(pair)
        if at > 0 and lower[at - 1] == "q":
            continue
        if at >= 0:
            bare_end = pair == "uo" and at + 2 == len(bare)
            first, second = ("u", "ơ") if bare_end else (horned[0], horned[1])
            return _swap(_swap(bare, at, first), at + 1, second)
    return _horn_one(bare, lower)


def _horn_one(bare: str, lower: str) -> str | None:
    at = lower.rfind("ua")
    if at >= 0 and (at == 0 or lower[at - 1] != "q"):
        return _swap(bare, at, "ư")
    for at in range(len(bare) - 1, -1, -1):
        plain = _PLAIN.get(lower[at], lower[at])
        if plain in _HORNS and not (plain == "u" and lower[:at] == "q"):
            return _swap(bare, at, plain if lower[at] == _HORNS[plain] else _HORNS[plain])
    return None


def _undone(bare: str, key: str) -> str | None:
    """What `_press_mark` gives when it took a mark off."""
    changed = _press_mark(bare, key)
    if changed is None:
        return None
    marks = [sum(c in _PLAIN for c in text.lower()) for text in (bare, changed)]
    return changed if marks[1] < marks[0] else None


def _close_horn(word: str) -> str:
    """«ưo» and «uơ» before another letter are «ươ» (đuơ + n → đươn)."""
    match = re.search(r"(?<!q)(ưo|uơ)(?=[a-zđ])", word.lower())
    return _swap(_swap(word, match.start(), "ư"), match.start() + 1, "ơ") if match else word


def _swap(word: str, at: int, letter: str) -> str:
    return word[:at] + (letter.upper() if word[at].isupper() else letter) + word[at + 1 :]


def _tone_place(bare: str) -> int | None:
    """The index of the vowel that bears the tone."""
    lower = bare.lower()
    match = _SYLLABLE.match(lower)
    begin, end, final = (match.start(2), match.end(2), match[3]) if match else (*_last_vowels(lower), None)
    vowels = lower[begin:end]
    if not vowels:
        return None
    marked = [i for i, c in enumerate(vowels) if c in _PLAIN]
    if marked:
        return begin + marked[-1]
    if len(vowels) == 2:
        return begin + (1 if final else 0)
    return begin + (1 if len(vowels) == 3 else 0)


def _last_vowels(lower: str) -> tuple[int, int]:
    match = re.search(rf"[{_VOWELS}]+(?=[^{_VOWELS}]*$)", lower)
    return match.span() if match else (0, 0)
