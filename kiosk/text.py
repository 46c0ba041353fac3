"""Text as people read it: two languages, NFC, folded for search."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

Language = Literal["vi", "en"]


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages, NFC. Vietnamese stands in where English is missing."""

    vi: str
    en: str = ""

    def in_(self, language: Language) -> str:
        """The text in `language`."""
        return self.en if language == "en" and self.en else self.vi

    @property
    def folded(self) -> str:
        """Both languages, folded: what a search looks in."""
        return fold(f"{self.vi} {self.en}")


def nfc(text: str) -> str:
    """Canonically composed, without control characters, inner white space single: for every input edge."""
    composed = unicodedata.normalize("NFC", text)
    printable = "".join(" " if c.isspace() else c for c in composed if c.isspace() or c.isprintable())
    return " ".join(printable.split())


def fold(text: str) -> str:
    """Lower case without marks and with d for đ, so that «dien bien» finds «Điện Biên»."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    bare = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    return bare.replace("đ", "d")


def search_rank(query: str, text: Text) -> int | None:
    """How well `text` answers `query`, 0 best; None if a word of the query is missing.

    Every word of the query must begin a word of the text; hits with the query's own marks come first.
    """
    words = text.folded.split()
    if not all(any(word.startswith(part) for word in words) for part in fold(query).split()):
        return None
    exact = nfc(query).casefold() in f"{text.vi} {text.en}".casefold()
    return 0 if exact else 1
