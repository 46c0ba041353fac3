"""The invented persons on the virtual cards: `assets/cards/*.toml`, one person each."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

from hardware.card.mrz import Mrz, yymmdd
from kiosk.citizen import NO_EXPIRY, AccessKey, valid_personal_id
from kiosk.text import fold, nfc

Hair = Literal["long", "short", "bob"]


class PersonError(ValueError):
    """A card file is wrong; the message names file, key and what is allowed."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the drawn portrait looks; colours are `#rrggbb`."""

    hair: Hair
    hair_colour: str = "#1d1a1c"
    skin: str = "#e3b48f"
    clothes: str = "#2d3f5e"
    glasses: bool = False


@dataclass(frozen=True, slots=True)
class Personalisation:
    """One person and what the card says about them. Without `expiry` the card holds for ever."""

    personal_id: str
    full_name: str
    birth: date
    sex: Literal["Nam", "Nữ"]
    address: str
    origin: str
    issued: date
    look: Look
    expiry: date | None = None
    nation: str = "Kinh"
    religion: str = "Không"
    old_number: str = ""
    father: str = ""
    mother: str = ""
    spouse: str = ""
    pace: bool = False
    """Whether the chip also opens by PACE."""
    extra_groups: Mapping[int, bytes] = field(default_factory=dict)
    """More data groups (DG14, DG15), whole files."""

    @property
    def key(self) -> AccessKey:
        """What opens this card's chip."""
        return AccessKey(self.personal_id, self.birth, self.expiry or NO_EXPIRY)

    @property
    def qr(self) -> str:
        """The seven fields of the card's printed QR code (domain reference §8)."""
        born, issued = f"{self.birth:%d%m%Y}", f"{self.issued:%d%m%Y}"
        parts = (self.personal_id, self.old_number, self.full_name, born, self.sex, self.address, issued)
        return "|".join(parts)

    @property
    def mrz(self) -> Mrz:
        """The machine readable zone: the document number is the last nine digits of the number."""
        surname, _, given = _bare(self.full_name).partition(" ")
        return Mrz(
            issuer="VNM",
            document_number=self.personal_id[-9:],
            optional=self.personal_id,
            birth=yymmdd(self.birth),
            sex="M" if self.sex == "Nam" else "F",
            expiry=yymmdd(self.key.expiry),
            nationality="VNM",
            names=f"{surname}  {given}",
        )


def _bare(name: str) -> str:
    """Letters of the zone only: no marks, no apostrophes."""
    return "".join(c for c in fold(name).upper() if c == " " or "A" <= c <= "Z")


def load_person(path: Path) -> Personalisation:
    """One card file; PersonError if it is wrong."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PersonError(f"{path}: {error}") from None
    look = raw.pop("look", {})
    person: Personalisation = _built(Personalisation, raw | {"look": _built(Look, look, f"{path}: look.")}, f"{path}: ")
    if not valid_personal_id(person.personal_id):
        raise PersonError(f"{path}: personal_id is {person.personal_id!r}; allowed: twelve digits, the fourth 0 to 3")
    if person.sex not in ("Nam", "Nữ"):
        raise PersonError(f"{path}: sex is {person.sex!r}; allowed: Nam, Nữ")
    if person.look.hair not in get_args(Hair):
        raise PersonError(f"{path}: look.hair is {person.look.hair!r}; allowed: {', '.join(get_args(Hair))}")
    return person


def _built(kind: type[Any], raw: dict[str, Any], where: str) -> Any:
    types = {f.name: (date if f.name in _DATES else bool if f.name in _FLAGS else None) for f in fields(kind)}
    types.pop("extra_groups", None)
    for key, value in raw.items():
        if key not in types:
            raise PersonError(f"{where}{key} is unknown; allowed: {', '.join(sorted(types))}")
        wanted = types[key] or (Look if key == "look" else str)
        if type(value) is not wanted:
            raise PersonError(f"{where}{key} is {value!r}; allowed: a {wanted.__name__}")
    try:
        return kind(**{key: nfc(value) if isinstance(value, str) else value for key, value in raw.items()})
    except TypeError as error:
        raise PersonError(f"{where}{error}") from None


_DATES = ("birth", "issued", "expiry")
_FLAGS = ("glasses", "pace")


def load_people(folder: Path) -> dict[str, Personalisation]:
    """Every card file of a folder by its name without `.toml`; PersonError if there is none."""
    people = {path.stem: load_person(path) for path in sorted(folder.glob("*.toml"))}
    if not people:
        raise PersonError(f"{folder}: no card files (*.toml) in it")
    return people
