"""What a centre offers: services to queue for and procedures to file for; data with a version, never code.

Loaded from TOML (assets/catalogue/README.md describes the format). Codes follow domain reference §5.
"""

import json
import logging
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from kiosk.text import Text, nfc, search_rank

log = logging.getLogger(__name__)

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
    version: str = ""
    """Of the catalogue that says so; a dossier carries it as `form_version`."""


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


def load(path: Path, released: Path | None = None) -> Catalogue:
    """The catalogue in `path`, with the procedures of `released` if that file is there and valid.

    Raises CatalogueError for `path` only: what was valid when it arrived is ignored when it no longer is.
    """
    local = _load(path)
    if released is None or not released.is_file():
        return local
    try:
        return merged(local, received(json.loads(released.read_bytes())))
    except (OSError, ValueError) as error:
        log.error("%s is not used: %s", released, error)
        return local


class Offered:
    """What the centre offers now: read again when a newer `released` was put in its place.

    Raises CatalogueError at first only; later the catalogue of before stays.
    """

    def __init__(self, path: Path, released: Path) -> None:
        self._path = path
        self._released = released
        self._stamp = self._seen()
        self._catalogue = load(path, released)

    def __call__(self) -> Catalogue:
        """The catalogue for the next visit."""
        stamp = self._seen()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._catalogue = load(self._path, self._released)
            except CatalogueError as error:
                log.error("%s; the catalogue of before is offered", error)
        return self._catalogue

    def _seen(self) -> tuple[int, int] | None:
        try:
            found = self._released.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


def _load(path: Path) -> Catalogue:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        catalogue = Catalogue(
            version=raw["version"],
            centre=_text(raw["centre"]),
            groups=tuple(_group(g, raw["version"]) for g in raw["group"]),
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


def _group(raw: Mapping[str, Any], version: str) -> Group:
    return Group(
        id=raw["id"],
        name=_text(raw),
        icon=raw.get("icon", "document"),
        services=tuple(_service(s) for s in raw.get("service", [])),
        procedures=tuple(_procedure(p, raw, version) for p in raw.get("procedure", [])),
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


def _procedure(raw: Mapping[str, Any], group: Mapping[str, Any], version: str) -> Procedure:
    return Procedure(
        code=raw["code"],
        name=_text(raw),
        sector=group["id"],
        receiving_unit=raw["receiving_unit"],
        components=tuple(_component(c) for c in raw["component"]),
        fields=tuple(_field(f) for f in raw.get("field", [])),
        duration=_text(raw["duration"]) if "duration" in raw else Text(""),
        fee=_text(raw["fee"]) if "fee" in raw else Text(""),
        version=version,
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


# --- what the TTHC system releases ---


@dataclass(frozen=True, slots=True)
class Released:
    """A version of the TTHC system's procedures; `number` grows."""

    number: int
    version: str
    groups: tuple[Group, ...]


def received(document: object) -> Released:
    """A released catalogue `{number, version, group: […]}` as it came over the network; raises CatalogueError."""
    try:
        if not isinstance(document, dict):
            raise TypeError
        number, version = int(document["number"]), str(document["version"])
        groups = tuple(_group(group, version) for group in document["group"])
        procedures = [procedure for group in groups for procedure in group.procedures]
        codes = [procedure.code for procedure in procedures]
        texts = [text for p in procedures for text in (p.code, p.receiving_unit, *(c.code for c in p.components))]
        if not codes or len(set(codes)) != len(codes) or not all(map(PROCEDURE_CODE.fullmatch, codes)):
            raise CatalogueError("a released catalogue has no procedures, one of them twice, or one with another code")
        if not all(isinstance(text, str) and text for text in texts):
            raise CatalogueError("a released catalogue lacks a code or a receiving unit")
    except (KeyError, TypeError, AttributeError) as error:
        raise CatalogueError(f"not a released catalogue: {type(error).__name__}") from None
    return Released(number, version, groups)


def merged(local: Catalogue, released: Released) -> Catalogue:
    """The centre's own services and forms, with exactly the released procedures, wherever they are received."""
    known = local.procedures
    offered = {group.id: [_joined(p, known.get(p.code)) for p in group.procedures] for group in released.groups}
    mine = {code: group.id for group in local.groups for code in (p.code for p in group.procedures)}
    places: dict[str, list[Procedure]] = {group.id: [] for group in local.groups}
    for group, procedures in offered.items():
        for procedure in procedures:
            places.setdefault(mine.get(procedure.code, group), []).append(procedure)
    new = tuple(replace(g, procedures=()) for g in released.groups if g.id not in {own.id for own in local.groups})
    groups = tuple(replace(g, procedures=tuple(places.get(g.id, ()))) for g in local.groups + new)
    return replace(local, version=released.version, groups=tuple(g for g in groups if g.services or g.procedures))


def _joined(new: Procedure, known: Procedure | None) -> Procedure:
    """Released facts with the centre's own form; English of texts whose Vietnamese is the same."""
    if known is None:
        return new
    own = {component.code: component for component in known.components}
    components = tuple(
        replace(own[c.code], name=_same(c.name, own[c.code].name), required=c.required) if c.code in own else c
        for c in new.components
    )
    return replace(
        new,
        name=_same(new.name, known.name),
        duration=_same(new.duration, known.duration),
        fee=_same(new.fee, known.fee),
        sector=known.sector,
        components=components,
        fields=known.fields,
    )


def _same(new: Text, known: Text) -> Text:
    return known if new.vi in ("", known.vi) else new
