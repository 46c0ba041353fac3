"""«What would change»: a centre's own last days played again under another calling rule."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import fmean, pstdev
from typing import Any

from kiosk.clock import from_iso
from kiosk_queue import model
from kiosk_queue.simulation import report, scenarios
from kiosk_queue.simulation.scenarios import SLOT

ENDED = ("completed", "no_show")
"""A citizen put aside or sent on is called again: counted then."""
LEAST = 30
"""Citizens of a service before its measured time at the counter is believed."""
FULL = 0.95
"""Load up to which fewer counters do."""
DAY_LONGEST = 16 * 60.0
"""Minutes from the first arrival; what comes later on a day is left out."""


def compare(
    centre: model.Centre,
    stints: Iterable[Mapping[str, Any]],
    wanted: model.Rule | None = None,
    counters: Sequence[str] | None = None,
    mornings: int = 40,
    seed: int = 1,
) -> dict[str, Any]:
    """The waits of a day like those of `stints` under the rule that is set, under `wanted` and first come first served.

    `stints`: rows of that table, of as many days as there are. `counters`: names of those that usually work; none
    named: as many as the work needs, up to all. A centre without history has days of its settings' mean times.
    Raises ScenarioError if no service is open. Takes some tenths of a second.

    Returns `days` and `citizens` that it rests on, `rules` (name → classes → figures), `text`: Vietnamese sentences.
    """
    rows = [row for row in stints if row["service"] in centre.services and row["outcome"] in ENDED]
    scenario = _scenario(centre, rows, counters)
    chosen = {"now": centre.rule} | ({} if wanted is None else {"wanted": wanted})
    found = report.compare_rules(scenario, chosen, mornings, seed)
    return {
        "days": len({row["day"] for row in rows}),
        "citizens": len(rows),
        "load": scenario.load,
        "counters": len(scenario.counters),
        "rules": {name: outcome.as_json() for name, outcome in found.items()},
        "text": [] if wanted is None else _told(found["now"], found["wanted"]),
    }


def _scenario(
    centre: model.Centre, rows: Sequence[Mapping[str, Any]], counters: Sequence[str] | None
) -> scenarios.Scenario:
    services = tuple(_service(way, rows) for way in centre.services.values() if way.open)
    if not services:
        raise scenarios.ScenarioError("no open service")
    names = {service.id for service in services}
    desks = [desk for desk in centre.counters if counters is None or desk.name in counters] or list(centre.counters)
    skills = [tuple(name for name in centre.skills_of(desk.name) if name in names) for desk in desks]
    halls = tuple(scenarios.Counter(skill) for skill in skills if skill) or (scenarios.Counter(tuple(names)),)
    reached = {name for hall in halls for name in hall.skills}
    services = tuple(service for service in services if service.id in reached)
    arrivals = _arrivals([row for row in rows if row["service"] in reached]) if rows else {}
    shares = {
        "priority_share": _share(rows, "urgent", 0.2),
        "appointment_share": min(0.9, _share(rows, "appointment", 0.0)),
        "no_show_share": min(0.5, sum(row["outcome"] == "no_show" for row in rows) / len(rows)) if rows else 0.0,
    }
    recall = centre.calling.recall_seconds * centre.calling.calls_before_no_show / 60
    if not arrivals:
        flat = {service.id: (1.0,) * 16 for service in services}
        return scenarios.Scenario("settings", services, halls, flat, recall_minutes=recall, **shares).at_load(0.9)
    known = {service.id: arrivals.get(service.id, (0.0,)) for service in services}
    scenario = scenarios.Scenario("history", services, halls, known, recall_minutes=recall, **shares)
    return scenario if counters is not None else _staffed(scenario)


def _staffed(scenario: scenarios.Scenario) -> scenarios.Scenario:
    """With no more counters than the load needs, every service kept."""
    chosen = list(scenario.counters)
    for counter in reversed(scenario.counters):
        rest = [other for other in chosen if other is not counter]
        fewer = replace(scenario, counters=tuple(rest))
        served = {skill for other in rest for skill in other.skills}
        if served >= {service.id for service in scenario.services} and fewer.load <= FULL:
            chosen, scenario = rest, fewer
    return scenario


def _service(way: model.Service, rows: Sequence[Mapping[str, Any]]) -> scenarios.Service:
    seconds = [row["served"] for row in rows if row["service"] == way.id and row["outcome"] == "completed"]
    if len(seconds) < LEAST or not fmean(seconds):
        return scenarios.Service(way.id, way.mean_minutes, 0.8, way.target_minutes)
    usual = fmean(seconds)
    return scenarios.Service(way.id, max(0.1, usual / 60), min(3.0, pstdev(seconds) / usual), way.target_minutes)


def _arrivals(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, ...]]:
    """Mean count of arrivals in each slot since the day's first, by service."""
    moments: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for row in rows:
        moments[row["day"]].append((from_iso(row["waiting_since"]), row["service"]))
    counts: Counter[tuple[str, int]] = Counter()
    for day in moments.values():
        opening = min(day)[0]
        opening -= timedelta(minutes=opening.minute % SLOT, seconds=opening.second)
        for since, service in day:
            minute = (since - opening).total_seconds() / 60
            if minute < DAY_LONGEST:
                counts[service, int(minute // SLOT)] += 1
    length = 1 + max((slot for _, slot in counts), default=0)
    services = {service for service, _ in counts}
    return {name: tuple(counts[name, slot] / len(moments) for slot in range(length)) for name in services}


def _share(rows: Sequence[Mapping[str, Any]], column: str, otherwise: float) -> float:
    return sum(bool(row[column]) for row in rows) / len(rows) if rows else otherwise


def _told(now: report.Outcome, then: report.Outcome) -> list[str]:
    """The change in plain words."""
    names = {"ordinary": "Người dân thường", "priority": "Người được ưu tiên", "appointment": "Người có hẹn"}
    lines = []
    for name, title in names.items():
        if name in now.classes and name in then.classes:
            before, after = now.classes[name], then.classes[name]
            lines.append(
                f"{title}: chờ trung bình {_minutes(before.mean)} → {_minutes(after.mean)} phút, "
                f"95 % chờ dưới {_minutes(before.p95)} → {_minutes(after.p95)} phút, "
                f"lâu nhất {_minutes(before.max)} → {_minutes(after.max)} phút"
            )
    return lines


def _minutes(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".replace(".", ",")
