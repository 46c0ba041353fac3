"""A citizen's data as bytes, in every form in which a program might have written it."""

import base64
import json
import unicodedata
import urllib.parse
from collections.abc import Iterator


def forms(*texts: str) -> frozenset[bytes]:
    """Of each text: composed and decomposed, in capitals and small, in the usual encodings and escapes."""
    return frozenset(form for text in texts for written in _written(text) for form in _encoded(written))


def _written(text: str) -> Iterator[str]:
    for case in (text, text.lower(), text.title()):
        for form in ("NFC", "NFD"):
            yield unicodedata.normalize(form, case)


def _encoded(text: str) -> Iterator[bytes]:
    raw = text.encode()
    yield raw
    yield from (text.encode(code) for code in ("utf-16-le", "utf-16-be", "utf-32-le"))
    yield json.dumps(text)[1:-1].encode()
    yield urllib.parse.quote(text).encode()
    yield raw.hex().encode()
    for skipped in range(3):  # base64 of a longer text holds this one at one of three alignments
        whole = raw[skipped : len(raw) - (len(raw) - skipped) % 3]
        yield base64.b64encode(whole)
        yield base64.urlsafe_b64encode(whole)


def found(canaries: frozenset[bytes], content: bytes) -> set[bytes]:
    """Those of them that stand in `content`."""
    return {canary for canary in canaries if canary in content}
