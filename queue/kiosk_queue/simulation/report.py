"""What many mornings come to: figures per class and service for each rule, against first come, first served."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import mean
from typing import Any

from kiosk_queue import forecast, rules
from kiosk_queue.model import Rule
from kiosk_queue.simulation import engine
from kiosk_queue.simulation.scenarios import SLOT, Scenario

REFERENCE = "first_come"
RULES: Mapping[str, Rule] = {
    REFERENCE: rules.FIRST_COME,
    "strict": Rule("strict"),
    "ratio": Rule("ratio"),
    "head_start": Rule("head_start"),
    "aging": Rule("aging"),
}
"""The rules as they are set by default; the names are those of the command line."""
LONG = 60.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Waits of one class, minutes; shares 0 to 1. `beyond_3_means`: how many waited over three times the mean."""

    served: int
    mean: float
    p50: float
    p95: float
    max: float
    over_target: float
    over_hour: float
    beyond_3_means: int


@dataclass(slots=True)
class Outcome:
    """What one rule came to. `waits`: minutes by class; a share of `calls` were `inversions`."""

    classes: dict[str, Figures]
    services: dict[str, Figures]
    calls: int
    inversions: int
    idle_minutes: float
    """Of free counters while somebody waited whom they could have called: a rule must never have any."""
    gini: float
    absent: int
    starvation: dict[str, float] = field(default_factory=dict)
    """By class: longest wait ÷ longest wait of the same citizens first come, first served."""
    waits: dict[str, list[float]] = field(default_factory=dict, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Everything but the single waits."""
        shown = asdict(self)
        del shown["waits"]
        return shown


def compare_rules(
    scenario: Scenario, chosen: Mapping[str, Rule] = RULES, mornings: int = 100, seed: int = 1
) -> dict[str, Outcome]:
    """The same mornings under each rule, the reference first."""
    drawn = [engine.draw(scenario, seed * 1_000_003 + n) for n in range(mornings)]
    found = {
        name: _outcome(scenario, drawn, rule) for name, rule in ({REFERENCE: rules.FIRST_COME} | dict(chosen)).items()
    }
    first = found[REFERENCE]
    for outcome in found.values():
        outcome.starvation = {
            name: figures.max / first.classes[name].max if first.classes[name].max else 1.0
            for name, figures in outcome.classes.items()
        }
    return found


def figures(waits: Iterable[float], targets: Iterable[float] | None = None) -> Figures:
    """Of waits in minutes; `targets`: what was promised to each."""
    pairs = sorted(zip(waits, targets, strict=True)) if targets is not None else [(w, LONG) for w in sorted(waits)]
    if not pairs:
        return Figures(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)
    line = [wait for wait, _ in pairs]
    usual = mean(line)
    return Figures(
        served=len(line),
        mean=usual,
        p50=_at(line, 0.5),
        p95=_at(line, 0.95),
        max=line[-1],
        over_target=sum(wait > target > 0 for wait, target in pairs) / len(line),
        over_hour=sum(wait > LONG for wait in line) / len(line),
        beyond_3_means=sum(wait > 3 * usual for wait in line) if usual else 0,
    )


def gini(waits: Sequence[float]) -> float:
    """Inequality of waits: 0 all wait alike, 1 one waits for all."""
    total = sum(waits)
    if not total:
        return 0.0
    ranked = sum(rank * wait for rank, wait in enumerate(sorted(waits), 1))
    return 2 * ranked / (len(waits) * total) - (len(waits) + 1) / len(waits)


def estimate_error(
    scenario: Scenario, rule: Rule, mornings: int = 20, seed: int = 1, every: int = 5, samples: int = 200
) -> dict[str, float]:
    """What the estimate at the kiosk is worth: every so many citizens are told a range, and it is held to the outcome.

    Coverage counts those who were told a wait; who finds a free counter needs no range. Minutes; shares 0 to 1.
    """
    told: list[tuple[forecast.Range, float]] = []
    for n in range(mornings):
        told += _told(scenario, rule, seed * 1_000_003 + n, every, samples)
    waiting = [(told_range, wait) for told_range, wait in told if told_range.p90 > 0]
    if not waiting:
        return {"told": 0.0}
    errors = [told_range.likely - wait for told_range, wait in told]
    usual = mean(wait for _, wait in told)
    return {
        "told": float(len(told)),
        "mean_wait": usual,
        "mae": mean(map(abs, errors)),
        "mae_share": mean(map(abs, errors)) / usual if usual else 0.0,
        "bias": mean(errors),
        "coverage_p10_p90": mean(r.p10 <= wait <= r.p90 for r, wait in waiting),
        "coverage_p20_p80": mean(r.low <= wait <= r.high for r, wait in waiting),
    }


def _told(scenario: Scenario, rule: Rule, seed: int, every: int, samples: int) -> list[tuple[forecast.Range, float]]:
    morning = engine.draw(scenario, seed)
    ranges: dict[int, forecast.Range] = {}

    def watch(hall: engine.Hall, n: int) -> None:
        citizen = morning[n]
        if n % every or citizen.appointment is not None or citizen.absent or citizen.then:
            return
        newcomer = (citizen.service, citizen.urgent)
        found = forecast.wait_ranges(hall.snapshot(_expected(scenario, hall.now)), [newcomer], samples, n)
        if newcomer in found:
            ranges[n] = found[newcomer]

    waits = engine.play(scenario, morning, rule, watch).waits
    return [(told, (waits[n] or 0.0) / 60) for n, told in ranges.items()]


def _expected(scenario: Scenario, now: float) -> dict[forecast.Newcomer, float]:
    """Arrivals per hour over the next hour, as the history of other days tells them."""
    start = int(now // (SLOT * 60))
    walk_in = 1 - scenario.appointment_share
    found: dict[forecast.Newcomer, float] = {}
    for service, slots in scenario.arrivals.items():
        rate = sum(slots[start : start + 4])
        found[service, True] = rate * scenario.priority_share
        found[service, False] = rate * (1 - scenario.priority_share) * walk_in
    return found


def _outcome(scenario: Scenario, drawn: list[list[engine.Citizen]], rule: Rule) -> Outcome:
    targets = {service.id: service.target_minutes for service in scenario.services}
    seen: dict[str, list[tuple[float, float]]] = {}
    services: dict[str, list[tuple[float, float]]] = {}
    calls = inversions = absent = 0
    idle = 0.0
    for morning in drawn:
        run = engine.play(scenario, morning, rule)
        calls, inversions, idle = calls + run.calls, inversions + run.inversions, idle + run.idle_seconds
        for citizen, wait in zip(morning, run.waits, strict=True):
            if wait is None:
                absent += 1
                continue
            pair = (wait / 60, targets[citizen.service])
            services.setdefault(citizen.service, []).append(pair)
            for name in _classes(citizen):
                seen.setdefault(name, []).append(pair)
    waits = {name: [wait for wait, _ in pairs] for name, pairs in seen.items()}
    return Outcome(
        classes={name: figures(*zip(*seen[name], strict=True)) for name in CLASSES if name in seen},
        services={name: figures(*zip(*services[name], strict=True)) for name in sorted(services)},
        calls=calls,
        inversions=inversions,
        idle_minutes=idle / 60,
        gini=gini(waits.get("all", [])),
        absent=absent,
        waits=waits,
    )


CLASSES = ("all", "ordinary", "priority", "appointment")


def _classes(citizen: engine.Citizen) -> Iterable[str]:
    yield "all"
    yield "priority" if citizen.urgent else "ordinary"
    if citizen.appointment is not None:
        yield "appointment"


def _at(line: Sequence[float], share: float) -> float:
    return line[min(len(line) - 1, int(share * len(line)))]
