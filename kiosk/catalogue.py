"""What a centre offers: services to queue for and procedures to file for; data with a version, never code.

Loaded from TOML (assets/catalogue/README.md describes the format). Codes follow domain reference §5.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kiosk.text import Text, nfc, search_rank

PROCEDURE_CODE = re.compile(r"\d\.\d{6}(\.\d{3}\.\d{2}\.\d{2}\.[A-Z]\d{2})?")


@dataclass(frozen=True, slots=True)
class Service:
    """One thing a citizen queues for; `series` is the letter prefix of its numbers.

    Minutes at the counter, minutes of wait that the centre promises, numbers a day (0: no limit); None: not said.
    """

    id: str
    name: Text
    series: str
    mean_minutes: float | None = None
    target_minutes: float | None = None
    daily_cap: int = 0
    procedures: tuple[str, ...] = ()
    """Codes of the procedures that it is for."""


@dataclass(frozen=True, slots=True)
class Component:
    """One required part of a dossier (thành phần hồ sơ)."""

    code: str
    name: Text
    hint: Text
    required: bool = True
    paper_allowed: bool = False
    most_pages: int = 20


@dataclass(frozen=True, slots=True)
class FormField:
    """One question of a procedure's own form.

    `kind` is text, phone, date, number or choice. `source` names what prefills it: an attribute of the citizen
    (`address`, `full_name` …) or nothing. `choices` are (value, label) pairs.
    """

    name: str
    label: Text
    kind: str = "text"
    required: bool = True
    hint: Text = Text("")
    source: str = ""
    choices: tuple[tuple[str, Text], ...] = ()


@dataclass(frozen=True, slots=True)
class Procedure:
    """One administrative procedure (thủ tục hành chính) with what it asks for."""

    code: str
    name: Text
    sector: str
    receiving_unit: str
    components: tuple[Component, ...]
    fields: tuple[FormField, ...]
    duration: Text = Text("")
    fee: Text = Text("")


Entry = TypeVar("Entry", Service, Procedure)


@dataclass(frozen=True, slots=True)
class Group:
    """A first-level entry: a field of services (`entries` are Services) or of procedures."""

    id: str
    name: Text
    icon: str
    services: tuple[Service, ...] = ()
    procedures: tuple[Procedure, ...] = ()


@dataclass(frozen=True, slots=True)
class PriorityGroup:
    """A group served by the priority rule; declared by the citizen, confirmed by the officer."""

    id: str
    name: Text


@dataclass(frozen=True, slots=True)
class Counter:
    """A desk: the services called to it (none named means all) and the part of the hall it is in."""

    name: str
    skills: tuple[str, ...] = ()
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything a centre offers."""

    version: str
    centre: Text
    groups: tuple[Group, ...]
    priorities: tuple[PriorityGroup, ...]
    counters: tuple[Counter, ...]

    @property
    def services(self) -> Mapping[str, Service]:
        """Every service by id."""
        return {s.id: s for g in self.groups for s in g.services}

    @property
    def procedures(self) -> Mapping[str, Procedure]:
        """Every procedure by code."""
        return {p.code: p for g in self.groups for p in g.procedures}


def search(query: str, entries: Iterable[Entry]) -> list[Entry]:
    """Entries whose names hold every word of the query (marks optional), best first."""
    ranked = [(rank, n, e) for n, e in enumerate(entries) if (rank := search_rank(query, e.name)) is not None]
    return [entry for _, _, entry in sorted(ranked, key=lambda hit: hit[:2])]


class CatalogueError(ValueError):
    """The catalogue file is wrong; the message names file, entry and what is expected."""


def load(path: Path) -> Catalogue:
    """The catalogue in `path`; raises CatalogueError."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        catalogue = Catalogue(
            version=raw["version"],
            centre=_text(raw["centre"]),
            groups=tuple(_group(g) for g in raw["group"]),
            priorities=tuple(PriorityGroup(p["id"], _text(p)) for p in raw.get("priority", [])),
            counters=_counters(raw),
        )
    except KeyError as missing:
        raise CatalogueError(f"{path}: an entry lacks {missing}") from None
    except (OSError, tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
        raise CatalogueError(f"{path}: {error}") from None
    _check(catalogue, path)
    return catalogue


def _check(catalogue: Catalogue, path: Path) -> None:
    services = [s.id for g in catalogue.groups for s in g.services]
    codes = [p.code for g in catalogue.groups for p in g.procedures]
    for name, ids in (("service id", services), ("procedure code", codes)):
        twice = {i for i in ids if ids.count(i) > 1}
        if twice:
            raise CatalogueError(f"{path}: {name} used twice: {', '.join(sorted(twice))}")
    _check_queue(catalogue, path)
    for code in codes:
        if not PROCEDURE_CODE.fullmatch(code):
            raise CatalogueError(f"{path}: {code} is not a procedure code such as 1.001193.000.00.00.H05")


def _check_queue(catalogue: Catalogue, path: Path) -> None:
    for counter in catalogue.counters:
        if unknown := set(counter.skills) - set(catalogue.services):
            raise CatalogueError(f"{path}: counter {counter.name} has unknown services {', '.join(sorted(unknown))}")
    for service in catalogue.services.values():
        if unknown := set(service.procedures) - set(catalogue.procedures):
            raise CatalogueError(f"{path}: service {service.id} has unknown procedures {', '.join(sorted(unknown))}")
        for name in ("mean_minutes", "target_minutes", "daily_cap"):
            value = getattr(service, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
                raise CatalogueError(f"{path}: service {service.id}: {name} is {value!r}; allowed: a number, 0 or more")


def _text(raw: Mapping[str, Any]) -> Text:
    return Text(nfc(raw["vi"]), nfc(raw.get("en", "")))


def _group(raw: Mapping[str, Any]) -> Group:
    return Group(
        id=raw["id"],
        name=_text(raw),
        icon=raw.get("icon", "document"),
        services=tuple(_service(s) for s in raw.get("service", [])),
        procedures=tuple(_procedure(p, raw) for p in raw.get("procedure", [])),
    )


def _service(raw: Mapping[str, Any]) -> Service:
    return Service(
        id=raw["id"],
        name=_text(raw),
        series=raw["series"],
        mean_minutes=raw.get("mean_minutes"),
        target_minutes=raw.get("target_minutes"),
        daily_cap=raw.get("daily_cap", 0),
        procedures=tuple(raw.get("procedures", [])),
    )


def _counters(raw: Mapping[str, Any]) -> tuple[Counter, ...]:
    """Tables `[[counter]]`, or plain names where every counter serves everything."""
    if "counter" not in raw:
        return tuple(Counter(name) for name in raw["counters"])
    return tuple(Counter(c["name"], tuple(c.get("skills", [])), c.get("zone", "")) for c in raw["counter"])


def _procedure(raw: Mapping[str, Any], group: Mapping[str, Any]) -> Procedure:
    return Procedure(
        code=raw["code"],
        name=_text(raw),
        sector=group["id"],
        receiving_unit=raw["receiving_unit"],
        components=tuple(_component(c) for c in raw["component"]),
        fields=tuple(_field(f) for f in raw.get("field", [])),
        duration=_text(raw["duration"]) if "duration" in raw else Text(""),
        fee=_text(raw["fee"]) if "fee" in raw else Text(""),
    )


def _component(raw: Mapping[str, Any]) -> Component:
    return Component(
        code=raw["code"],
        name=_text(raw),
        hint=_text(raw["hint"]) if "hint" in raw else Text(""),
        required=raw.get("required", True),
        paper_allowed=raw.get("paper_allowed", False),
        most_pages=raw.get("most_pages", 20),
    )


def _field(raw: Mapping[str, Any]) -> FormField:
    return FormField(
        name=raw["name"],
        label=_text(raw),
        kind=raw.get("kind", "text"),
        required=raw.get("required", True),
        hint=_text(raw["hint"]) if "hint" in raw else Text(""),
        source=raw.get("source", ""),
        choices=tuple((c["value"], _text(c)) for c in raw.get("choice", [])),
    )
