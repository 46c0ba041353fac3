"""What the kiosk says, in both languages: `assets/translations/*.toml`, looked up by key.

A file holds `[key.path]` tables with `vi` and `en`. A missing key or language is an error at start, not at run time.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from kiosk.text import Text, nfc

ASSETS = Path(__file__).parent.parent / "assets"


@cache
def catalogue() -> dict[str, Text]:
    """Every text by its dotted key."""
    texts: dict[str, Text] = {}
    for path in sorted((ASSETS / "translations").glob("*.toml")):
        _collect(tomllib.loads(path.read_text("utf-8")), (), texts, path)
    return texts


def _collect(node: dict[str, Any], key: tuple[str, ...], texts: dict[str, Text], path: Path) -> None:
    if isinstance(node.get("vi"), str):
        if not isinstance(node.get("en"), str):
            raise ValueError(f"{path.name}: {'.'.join(key)} lacks its English text")
        texts[".".join(key)] = Text(nfc_lines(node["vi"]), nfc_lines(node["en"]))
        return
    for name, child in node.items():
        if not isinstance(child, dict):
            raise ValueError(f"{path.name}: {'.'.join((*key, name))} is not a table of vi and en")
        _collect(child, (*key, name), texts, path)


def nfc_lines(text: str) -> str:
    """NFC line by line: the line breaks of a translation stay."""
    return "\n".join(nfc(line) for line in text.strip().splitlines())


def say(key: str, /, **values: object) -> Text:
    """The text under `key`, its `{placeholders}` filled; a `Text` value is filled in language by language.

    Raises KeyError for an unknown key.
    """
    text = catalogue()[key]
    if not values:
        return text
    vi = {k: v.vi if isinstance(v, Text) else v for k, v in values.items()}
    en = {k: v.in_("en") if isinstance(v, Text) else v for k, v in values.items()}
    return Text(text.vi.format(**vi), text.en.format(**en))


def remedy(reason: str) -> Text:
    """What a person does about a `Reason`."""
    return say(f"reason.{reason}.remedy")


def title(reason: str) -> Text:
    """A `Reason` in a few plain words."""
    return say(f"reason.{reason}.title")
