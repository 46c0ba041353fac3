"""What each calling rule does to waits and what the estimate is worth: tables of the queue reference §5.2 and §5.3.

    .venv/bin/python benchmarks/queue_rules.py [--mornings 300] [--estimates 100]

Three halls of 6 counters (queue reference §5.2). Minutes: ordinary mean/p95 · priority mean/p95 · waits over 60 min.
Exit code 1 if the default rule or the estimate misses a target (§8, goals 6 and 7).
"""

import argparse
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "queue"), str(Path(__file__).parents[1])]

from kiosk_queue.simulation import report, scenarios  # noqa: E402  # the path first

HALLS = [scenarios.reference(0.9, 0.2), scenarios.reference(1.05, 0.2), scenarios.reference(1.05, 0.4)]
COLUMN = 34


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mornings", type=int, default=300)
    parser.add_argument("--estimates", type=int, default=100, help="mornings on which the estimate is measured")
    args = parser.parse_args()
    missed = rules_table(args.mornings) + estimate_table(args.estimates)
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0


def rules_table(mornings: int) -> list[str]:
    start = time.process_time()
    results = [report.compare_rules(hall, mornings=mornings) for hall in HALLS]
    taken = (time.process_time() - start) / (mornings * len(HALLS) * len(report.RULES))
    print(f"{mornings} mornings for each hall and rule; {taken * 1000:.1f} ms of processor time a morning\n")
    print(f"{'rule':<12}" + "".join(f"{hall.name:<{COLUMN}}" for hall in HALLS))
    for rule in report.RULES:
        print(f"{rule:<12}" + "".join(f"{cell(found[rule]):<{COLUMN}}" for found in results))
    print("\ndefault rule (aging): priority p95 ÷ ordinary p95, longest ordinary wait ÷ first come, means in order")
    missed = []
    for hall, found in zip(HALLS, results, strict=True):
        aging = found["aging"]
        ordinary, priority = aging.classes["ordinary"], aging.classes["priority"]
        near, longest = priority.p95 / ordinary.p95, aging.starvation["ordinary"]
        print(f"  {hall.name:<24} {near:5.0%}  ×{longest:.2f}  {priority.mean:.1f} ≤ {ordinary.mean:.1f}")
        idle = max(outcome.idle_minutes for outcome in found.values())
        inversions = max(outcome.inversions for outcome in found.values())
        if near > 0.6 or longest > 1.3 or priority.mean > ordinary.mean or idle or inversions:
            missed.append(f"{hall.name}: idle {idle:.1f} min, {inversions} inversions")
    print()
    return missed


def cell(found: report.Outcome) -> str:
    o, p = found.classes["ordinary"], found.classes["priority"]
    return f"{o.mean:.1f}/{o.p95:.0f} · {p.mean:.1f}/{p.p95:.0f} · {found.classes['all'].over_hour:.1%}"


def estimate_table(mornings: int) -> list[str]:
    print(f"estimate, {mornings} mornings, every 5th citizen: mean error (share of mean wait), bias, coverage")
    missed = []
    for hall in HALLS:
        for rule in ("first_come", "aging"):
            error = report.estimate_error(hall, report.RULES[rule], mornings)
            near = (
                f"{error['mae']:.1f} min ({error['mae_share']:.0%}) of {error['mean_wait']:.1f}, {error['bias']:+.1f}"
            )
            covered = f"p10–p90 {error['coverage_p10_p90']:.1%}, p20–p80 {error['coverage_p20_p80']:.1%}"
            print(f"  {hall.name:<24} {rule:<11} {near:<30} {covered}, {error['told']:.0f} told")
            if error["mae_share"] > 0.25 or not 0.75 <= error["coverage_p10_p90"] <= 0.85:
                missed.append(f"estimate under {rule}, {hall.name}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
