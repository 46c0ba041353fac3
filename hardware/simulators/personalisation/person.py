"""The invented persons on the virtual cards: `assets/cards/*.toml`, one person each."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

from hardware.card.mrz import Mrz, yymmdd
from hardware.simulators.personalisation.chip import Chip, ChipError, parse_chip
from hardware.simulators.personalisation.details import DOCUMENT, PERSONAL
from hardware.simulators.personalisation.look import Hair, Look
from kiosk.citizen import NO_EXPIRY, AccessKey, valid_personal_id
from kiosk.text import fold, nfc

NEVER = "không thời hạn"


class PersonError(ValueError):
    """A card file is wrong; the message names file, key and what is allowed."""


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
    chip: Chip = field(default_factory=Chip)
    dg11: Mapping[str, str] = field(default_factory=dict)
    """Fields of EF.DG11 by the names of `details.PERSONAL`; the file is there if there are any."""
    dg12: Mapping[str, str] = field(default_factory=dict)
    """Likewise of EF.DG12, `details.DOCUMENT`."""
    extra_groups: Mapping[int, bytes] = field(default_factory=dict)
    """More data groups, whole files; they stand before those that the chip brings."""

    @property
    def pace(self) -> bool:
        """Whether the chip also opens by PACE."""
        return self.chip.pace is not None

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
    person: Personalisation = _built(Personalisation, raw | _tables(raw, path), f"{path}: ")
    if not valid_personal_id(person.personal_id):
        raise PersonError(f"{path}: personal_id is {person.personal_id!r}; allowed: twelve digits, the fourth 0 to 3")
    if person.sex not in ("Nam", "Nữ"):
        raise PersonError(f"{path}: sex is {person.sex!r}; allowed: Nam, Nữ")
    if person.look.hair not in get_args(Hair):
        raise PersonError(f"{path}: look.hair is {person.look.hair!r}; allowed: {', '.join(get_args(Hair))}")
    return person


def _tables(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    """What the file says in tables, and «không thời hạn» for a card that holds for ever."""
    if raw.get("expiry") == NEVER:
        del raw["expiry"]
    found: dict[str, Any] = {"look": _built(Look, _table(raw, "look", path), f"{path}: look.")}
    try:
        found["chip"] = parse_chip(_table(raw, "chip", path))
    except ChipError as error:
        raise PersonError(f"{path}: chip.{error}") from None
    for name, known in (("dg11", PERSONAL), ("dg12", DOCUMENT)):
        found[name] = _table(raw, name, path)
        for key, value in found[name].items():
            if key not in known or not isinstance(value, str):
                raise PersonError(f"{path}: {name}.{key} is {value!r}; allowed: a str in {', '.join(known)}")
    return found


def _table(raw: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = raw.pop(name, {})
    if not isinstance(table, dict):
        raise PersonError(f"{path}: {name} is {table!r}; allowed: a table")
    return table


def _built(kind: type[Any], raw: dict[str, Any], where: str) -> Any:
    types = {f.name: (date if f.name in _DATES else bool if f.name in _FLAGS else None) for f in fields(kind)}
    types.pop("extra_groups", None)
    for key, value in raw.items():
        if key not in types:
            raise PersonError(f"{where}{key} is unknown; allowed: {', '.join(sorted(types))}")
        wanted = types[key] or _TABLES.get(key, str)
        if type(value) is not wanted:
            raise PersonError(f"{where}{key} is {value!r}; allowed: a {wanted.__name__}")
    try:
        return kind(**{key: nfc(value) if isinstance(value, str) else value for key, value in raw.items()})
    except TypeError as error:
        raise PersonError(f"{where}{error}") from None


_DATES = ("birth", "issued", "expiry")
_FLAGS = ("glasses",)
_TABLES: Mapping[str, type[Any]] = {"look": Look, "chip": Chip, "dg11": dict, "dg12": dict}


def load_people(folder: Path) -> dict[str, Personalisation]:
    """Every card file of a folder by its name without `.toml`; PersonError if there is none."""
    people = {path.stem: load_person(path) for path in sorted(folder.glob("*.toml"))}
    if not people:
        raise PersonError(f"{folder}: no card files (*.toml) in it")
    return people


def at_hand(people: Mapping[str, Personalisation]) -> list[dict[str, str]]:
    """The cards as the dock lists them: what is printed on each, and its QR code."""
    return [
        {
            "name": name,
            "holder": person.full_name,
            "personal_id": person.personal_id,
            "birth": person.birth.isoformat(),
            "expiry": (person.expiry or NO_EXPIRY).isoformat(),
            "qr": person.qr,
        }
        for name, person in people.items()
    ]
