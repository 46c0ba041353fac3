"""`serve queue simulate`: mornings from a preset or a file under every rule, in figures and as a picture."""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from kiosk_queue.simulation import drawing, report, scenarios
from kiosk_queue.simulation.report import REFERENCE, RULES, Outcome

ESTIMATE_MORNINGS = 12


def run(args: argparse.Namespace) -> int:
    """Exit code; 2 with a line that names the remedy for what cannot be played."""
    try:
        scenario = scenarios.load(args.arrivals, args.counters)
        if args.load:
            scenario = scenario.at_load(args.load)
        if args.rule is not None and args.rule not in RULES:
            raise scenarios.ScenarioError(f"rule {args.rule!r}: allowed are {', '.join(RULES)}")
        if not 1 <= args.mornings <= 10_000 or args.load < 0 or args.counters < 0:
            raise scenarios.ScenarioError("mornings 1 to 10000; load and counters not below 0")
    except scenarios.ScenarioError as error:
        print(f"motcua: {error}", file=sys.stderr)
        return 2
    chosen = RULES if args.rule is None else {args.rule: RULES[args.rule]}
    outcomes = report.compare_rules(scenario, chosen, args.mornings, args.seed)
    watched = args.rule or "aging"
    estimate = {
        name: report.estimate_error(scenario, RULES[name], min(args.mornings, ESTIMATE_MORNINGS), args.seed)
        for name in dict.fromkeys((REFERENCE, watched))
    }
    if args.svg is not None:
        title = f"Quy tắc gọi số: {scenario.name}, tải {scenario.load:.2f}, {args.mornings} buổi".replace(".", ",")
        args.svg.write_text(drawing.svg(title, outcomes), "utf-8")
    if args.json:
        print(json.dumps(_json(scenario, args, outcomes, estimate), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_lines(scenario, args, outcomes, estimate)))
    return 0


def _json(
    scenario: scenarios.Scenario,
    args: argparse.Namespace,
    outcomes: Mapping[str, Outcome],
    estimate: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    return {
        "scenario": scenario.name,
        "load": scenario.load,
        "counters": len(scenario.counters),
        "mornings": args.mornings,
        "seed": args.seed,
        "rules": {name: outcome.as_json() for name, outcome in outcomes.items()},
        "estimate": estimate,
    }


def _lines(
    scenario: scenarios.Scenario,
    args: argparse.Namespace,
    outcomes: Mapping[str, Outcome],
    estimate: Mapping[str, Mapping[str, float]],
) -> list[str]:
    hall = f"{len(scenario.counters)} counters, load {scenario.load:.2f}, {scenario.priority_share:.0%} priority"
    columns = "".join(
        f"{name:>9}" for name in ("served", "mean", "p50", "p95", "max", ">target", ">60 min", "÷FCFS", ">3×mean")
    )
    found = [
        f"{scenario.name}: {args.mornings} mornings of {scenario.minutes:.0f} min, {hall}. Waits in minutes.",
        "",
        f"{'rule':<11} {'class':<12}{columns}",
    ]
    for name, outcome in outcomes.items():
        for row, figures in outcome.classes.items():
            found.append(_line(name, row, figures, f"{outcome.starvation[row]:.2f}"))
        found += [_line(name, f"· {service}", figures, "") for service, figures in outcome.services.items()]
        share = outcome.inversions / outcome.calls if outcome.calls else 0.0
        found.append(
            f"{'':<11} inversions {share:.2%} of {outcome.calls} calls; counters free beside people they could have "
            f"called {outcome.idle_minutes:.1f} min; Gini {outcome.gini:.2f}; not there when called {outcome.absent}"
        )
    found.append("")
    for name, error in estimate.items():
        found.append(_estimate(name, error))
    return found


def _line(rule: str, row: str, f: report.Figures, starvation: str) -> str:
    """`starvation`: the longest wait ÷ that of first come, first served."""
    minutes = "".join(f"{value:9.1f}" for value in (f.mean, f.p50, f.p95, f.max))
    shares = f"{f.over_target:9.1%}{f.over_hour:9.1%}{starvation:>9}{f.beyond_3_means:9d}"
    return f"{rule:<11} {row:<12}{f.served:9d}{minutes}{shares}"


def _estimate(name: str, error: Mapping[str, float]) -> str:
    if not error["told"]:
        return f"estimate under {name}: nobody had to wait"
    return (
        f"estimate under {name}: {error['told']:.0f} told, mean wait {error['mean_wait']:.1f}, mean error "
        f"{error['mae']:.1f} min ({error['mae_share']:.0%}), bias {error['bias']:+.1f}, p10–p90 covers "
        f"{error['coverage_p10_p90']:.0%}, p20–p80 {error['coverage_p20_p80']:.0%}"
    )
