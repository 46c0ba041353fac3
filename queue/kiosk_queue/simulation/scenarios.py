"""What a simulated morning is made of: services, counters, expected arrivals; presets, and files that describe one.

A TOML file (times are minutes after opening; everything but `[[service]]` and `[[counter]]` may be left out):

    name = "Thứ hai"
    load = 0.95                  # arrivals are scaled so that work ÷ counter time is this
    priority_share = 0.2         # 0 to 1, as all shares
    appointment_share = 0.3
    punctuality_minutes = 8      # standard deviation of check-in around five minutes before the appointment
    no_show_share = 0.08
    recall_minutes = 1           # a counter's time lost on somebody who does not come
    transfer_share = 0.05        # citizens sent on to another service
    [[service]]
    id = "khai-sinh"
    mean_minutes = 8
    cv = 0.8                     # coefficient of variation of the time at the counter
    target_minutes = 30
    arrivals = [3, 5, 6, 6, 4]   # expected in each slot of 15 minutes
    [[counter]]
    count = 4
    skills = ["khai-sinh"]       # none named: every service
    breaks = [[90, 30]]          # at minute 90, for 30 minutes

A CSV file has a line per slot and service: `slot,service,arrivals` and, if known, `mean_minutes` (otherwise 8). Slots
count from 0. Its counters, all alike, are as many as a load of 0.9 needs unless `--counters` says how many.
"""

import csv
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

SLOT = 15.0
"""Minutes."""


class ScenarioError(ValueError):
    """A scenario that cannot be played; the message names the entry and what is allowed."""


@dataclass(frozen=True, slots=True)
class Service:
    """What citizens come for; the time at the counter is lognormal."""

    id: str
    mean_minutes: float = 8.0
    cv: float = 0.8
    target_minutes: float = 30.0


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter with the services it calls and its breaks (from minute, minutes)."""

    skills: tuple[str, ...]
    breaks: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that chance is drawn from. `arrivals`: expected citizens by service for each slot."""

    name: str
    services: tuple[Service, ...]
    counters: tuple[Counter, ...]
    arrivals: Mapping[str, tuple[float, ...]]
    priority_share: float = 0.2
    appointment_share: float = 0.0
    punctuality_minutes: float = 8.0
    no_show_share: float = 0.0
    recall_minutes: float = 1.0
    transfer_share: float = 0.0

    @property
    def minutes(self) -> float:
        """How long the doors are open."""
        return SLOT * max(len(slots) for slots in self.arrivals.values())

    @property
    def load(self) -> float:
        """Expected work ÷ time of the counters while the doors are open."""
        ways = {service.id: service.mean_minutes for service in self.services}
        onward = self.transfer_share * sum(ways.values()) / len(ways) if len(ways) > 1 else 0.0
        stay = 1 - self.no_show_share
        lost = self.no_show_share * self.recall_minutes
        work = sum(sum(slots) * (stay * (ways[name] + onward) + lost) for name, slots in self.arrivals.items())
        pauses = sum(length for counter in self.counters for _, length in counter.breaks)
        return work / max(1.0, self.minutes * len(self.counters) - pauses)

    def at_load(self, load: float) -> "Scenario":
        """The same with arrivals scaled to `load`."""
        factor = load / self.load
        scaled = {name: tuple(n * factor for n in slots) for name, slots in self.arrivals.items()}
        return replace(self, arrivals=scaled)


def reference(load: float, priority_share: float) -> Scenario:
    """The hall of queue reference §5.2: 6 counters, one with a break, two services, four hours.

    `load` is that outside the peak; between minute 45 and 120 a third more come (×1.35).
    """
    services = (Service("A", 5.0), Service("B", 14.0))
    skills = ("A", "B")
    counters = (*(Counter(skills) for _ in range(5)), Counter(skills, ((105.0, 30.0),)))
    name = f"load {load:g}, {priority_share:.0%} priority"
    flat = {"A": (0.65,) * 16, "B": (0.35,) * 16}
    return _with_peak(Scenario(name, services, counters, flat, priority_share).at_load(load))


def _with_peak(scenario: Scenario) -> Scenario:
    def peaked(slots: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(n * 1.35 if 3 <= slot < 8 else n for slot, n in enumerate(slots))

    return replace(scenario, arrivals={name: peaked(slots) for name, slots in scenario.arrivals.items()})


def presets() -> dict[str, Scenario]:
    """Mornings by name."""
    both = ("A", "B")
    mixed = (*(Counter(both) for _ in range(3)), Counter(both, ((105.0, 30.0),)), Counter(("A",)), Counter(("B",)))
    normal = reference(0.9, 0.2)
    booked = replace(
        normal, name="appointments", counters=mixed, appointment_share=0.3, no_show_share=0.08, transfer_share=0.05
    )
    return {
        "light": replace(reference(0.7, 0.2), name="light", no_show_share=0.05),
        "normal": replace(normal, name="normal"),
        "rush": replace(reference(1.05, 0.2), name="rush"),
        "priority-heavy": replace(reference(1.05, 0.4), name="priority-heavy"),
        "appointments": booked.at_load(normal.load),
    }


def load(source: str, counters: int = 0) -> Scenario:
    """A preset by name or the file at `source` (.toml or .csv); raises ScenarioError."""
    known = presets()
    if source in known:
        return known[source]
    path = Path(source)
    if not path.is_file():
        raise ScenarioError(f"{source}: neither a file nor a preset ({', '.join(known)})")
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix == ".csv":
            return _from_csv(path.stem, text, counters)
        return _from_toml(path.stem, tomllib.loads(text))
    except (ScenarioError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{source}: {error}") from None


_SHARES = ("priority_share", "appointment_share", "no_show_share", "transfer_share")
_MINUTES = ("punctuality_minutes", "recall_minutes")


def _from_toml(name: str, given: dict[str, Any]) -> Scenario:
    unknown = given.keys() - {"name", "load", "service", "counter", *_SHARES, *_MINUTES}
    if unknown:
        raise ScenarioError(f"unknown entries {', '.join(sorted(unknown))}")
    services, arrivals = [], {}
    for table in _tables(given, "service"):
        service = Service(
            str(table.get("id", "")), _number(table, "mean_minutes", 8.0, 0.1, 480), _number(table, "cv", 0.8, 0, 3),
            _number(table, "target_minutes", 30.0, 0, 480),
        )  # fmt: skip
        services.append(service)
        arrivals[service.id] = tuple(_numbers(table, "arrivals"))
    counters = []
    for table in _tables(given, "counter"):
        skills = tuple(map(str, table.get("skills", ()))) or tuple(service.id for service in services)
        breaks = tuple(_break(entry) for entry in table.get("breaks", ()))
        counters += [Counter(skills, breaks)] * int(_number(table, "count", 1, 1, 200))
    numbers = {key: _number(given, key, 0, 0, 1) for key in _SHARES if key in given}
    numbers |= {key: _number(given, key, 0, 0, 240) for key in _MINUTES if key in given}
    scenario = _checked(Scenario(str(given.get("name", name)), tuple(services), tuple(counters), arrivals, **numbers))
    return scenario.at_load(_number(given, "load", 1, 0.05, 3)) if "load" in given else scenario


def _from_csv(name: str, text: str, counters: int) -> Scenario:
    slots: dict[str, dict[int, float]] = {}
    means: dict[str, float] = {}
    for line, row in enumerate(csv.DictReader(text.splitlines()), 2):
        try:
            slot, service, count = int(row["slot"]), row["service"].strip(), float(row["arrivals"])
            means.setdefault(service, float(row.get("mean_minutes") or 8))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ScenarioError(f"line {line}: columns are slot,service,arrivals[,mean_minutes]") from None
        if not 0 <= slot < 96 or not (0 <= count <= 1000 and 0.1 <= means[service] <= 480):
            raise ScenarioError(f"line {line}: slot 0 to 95, arrivals 0 to 1000, mean_minutes 0.1 to 480")
        slots.setdefault(service, {})[slot] = count
    if not slots:
        raise ScenarioError("no lines")
    length = 1 + max(max(counts) for counts in slots.values())
    arrivals = {name: tuple(counts.get(n, 0.0) for n in range(length)) for name, counts in slots.items()}
    services = tuple(Service(name, mean) for name, mean in means.items())
    one = _checked(Scenario(name, services, (Counter(tuple(means)),), arrivals))
    needed = counters or max(1, math.ceil(one.load / 0.9))
    return Scenario(name, services, one.counters * needed, arrivals)


def _checked(scenario: Scenario) -> Scenario:
    names = [service.id for service in scenario.services]
    if not names or not all(names) or len(set(names)) < len(names):
        raise ScenarioError("[[service]]: at least one, each with an id of its own")
    for counter in scenario.counters:
        if unknown := set(counter.skills) - set(names):
            raise ScenarioError(f"[[counter]]: unknown services {', '.join(sorted(unknown))}")
    unserved = set(names) - {skill for counter in scenario.counters for skill in counter.skills}
    if unserved:
        raise ScenarioError(f"[[counter]]: nobody serves {', '.join(sorted(unserved))}")
    if not sum(map(sum, scenario.arrivals.values())) > 0:
        raise ScenarioError("arrivals: nobody comes")
    return scenario


def _tables(given: dict[str, Any], key: str) -> list[dict[str, Any]]:
    tables = given.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ScenarioError(f"{key}: write [[{key}]]")
    return tables


def _number(table: dict[str, Any], key: str, default: float, least: float, most: float) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ScenarioError(f"{key} is {value!r}; allowed: {least:g} to {most:g}")
    return float(value)


def _numbers(table: dict[str, Any], key: str) -> list[float]:
    values = table.get(key)
    if not isinstance(values, list) or not 1 <= len(values) <= 96:
        raise ScenarioError(f"{key}: 1 to 96 numbers, one for each slot of 15 minutes")
    return [_number({key: value}, key, 0, 0, 1000) for value in values]


def _break(entry: Any) -> tuple[float, float]:
    if not isinstance(entry, list) or len(entry) != 2:
        raise ScenarioError("breaks: write [[from minute, minutes]]")
    return _number({"breaks": entry[0]}, "breaks", 0, 0, 1440), _number({"breaks": entry[1]}, "breaks", 0, 0, 1440)
