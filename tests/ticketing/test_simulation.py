import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kiosk import catalogue
from kiosk.cli import main
from kiosk.clock import utc_iso
from kiosk.text import Text
from kiosk_queue import model, rules, simulation
from kiosk_queue.model import Rule
from kiosk_queue.simulation import engine, report, scenarios
from kiosk_queue.simulation.engine import Citizen, draw, play
from kiosk_queue.simulation.scenarios import Counter, Scenario, Service

ONE_DESK = Scenario("one desk", (Service("A", 5, 0), Service("B", 10, 0)), (Counter(("A", "B")),), {"A": (1.0,) * 4})
DEFAULT = Rule()


def waits(scenario: Scenario, citizens: list[Citizen], rule: Rule = DEFAULT) -> list[float | None]:
    run = play(scenario, citizens, rule)
    return [None if wait is None else round(wait / 60, 2) for wait in run.waits]


def minute(m: float, service: str = "A", urgent: bool = False, seconds: float = 300, **more: object) -> Citizen:
    return Citizen(m * 60, service, urgent, seconds, **more)


# --- the engine, by hand ---


def test_citizens_wait_for_the_counter_in_the_order_of_the_rule() -> None:
    citizens = [minute(0), minute(1), minute(2), minute(3, urgent=True)]
    assert waits(ONE_DESK, citizens, rules.FIRST_COME) == [0, 4, 8, 12]
    assert waits(ONE_DESK, citizens, Rule("strict")) == [0, 9, 13, 2]
    # at minute 5 the ordinary citizen has waited 4, the priority one 2, which counts as much; at minute 10, 8 and 14
    assert waits(ONE_DESK, citizens, DEFAULT) == [0, 4, 13, 7]


def test_a_counter_calls_only_what_it_serves_and_a_break_begins_when_the_citizen_is_served() -> None:
    desks = (Counter(("A",), ((2.0, 10.0),)), Counter(("B",)))
    hall = replace(ONE_DESK, counters=desks)
    assert waits(hall, [minute(0), minute(1), minute(1, "B")]) == [0, 14, 0]


def test_a_free_counter_goes_on_its_break_in_time() -> None:
    hall = replace(ONE_DESK, counters=(Counter(("A", "B"), ((2.0, 10.0),)),))
    assert waits(hall, [minute(3)]) == [9]


def test_somebody_absent_costs_the_recall_and_has_no_wait() -> None:
    hall = replace(ONE_DESK, recall_minutes=1.0)
    assert waits(hall, [minute(0, absent=True), minute(0.5)]) == [None, 0.5]


def test_a_transfer_keeps_its_place_and_its_second_wait_is_counted() -> None:
    citizens = [minute(0, then="B", then_seconds=60), minute(1), minute(2)]
    assert waits(ONE_DESK, citizens) == [0, 5, 9]
    late = [minute(0), minute(0.5, then="B", then_seconds=60), minute(1), minute(2)]
    assert waits(ONE_DESK, late) == [0, 4.5, 10, 14]


def test_an_appointment_waits_from_its_time_even_beside_a_free_counter_until_it_is_near() -> None:
    assert waits(ONE_DESK, [minute(0, appointment=30 * 60)]) == [0]
    run = play(ONE_DESK, [minute(0, appointment=30 * 60), minute(21)], DEFAULT)
    assert run.waits == [0, pytest.approx(4 * 60, abs=0.01)]  # called at minute 20, ten before the appointment
    assert run.idle_seconds == 0


def test_who_is_too_late_for_the_appointment_waits_as_if_without() -> None:
    citizens = [minute(9), minute(10), minute(10.5), minute(16, appointment=0.0)]
    assert waits(ONE_DESK, citizens) == [0, 4, 8.5, 8]
    citizens[-1] = minute(14, appointment=0.0)
    assert waits(ONE_DESK, citizens) == [0, 9, 13.5, 0]


def test_chance_brings_what_the_scenario_expects() -> None:
    scenario = scenarios.presets()["appointments"]
    people = [citizen for seed in range(60) for citizen in draw(scenario, seed)]
    expected = 60 * sum(map(sum, scenario.arrivals.values()))
    assert len(people) == pytest.approx(expected, rel=0.03)
    assert sum(c.urgent for c in people) / len(people) == pytest.approx(0.2, abs=0.02)
    assert sum(c.appointment is not None for c in people) / len(people) == pytest.approx(0.3, abs=0.02)
    assert sum(c.absent for c in people) / len(people) == pytest.approx(0.08, abs=0.015)
    served = [c.seconds / 60 for c in people if c.service == "B"]
    assert sum(served) / len(served) == pytest.approx(14, rel=0.05)


def test_the_same_seed_is_the_same_morning_and_a_morning_takes_some_tens_of_milliseconds() -> None:
    rush = scenarios.presets()["rush"]
    assert draw(rush, 5) == draw(rush, 5) != draw(rush, 6)
    mornings = [draw(rush, seed) for seed in range(10)]
    start = time.process_time()
    for morning in mornings:
        play(rush, morning, DEFAULT)
    assert (time.process_time() - start) / 10 < 0.05


# --- what the rules are for ---

HALLS = [(0.7, 0.2), (0.9, 0.2), (0.9, 0.4), (1.05, 0.1), (1.05, 0.2), (1.05, 0.4)]


@pytest.fixture(scope="module", params=HALLS, ids=lambda hall: f"load {hall[0]}, {hall[1]:.0%} priority")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, report.Outcome]]:
    yield report.compare_rules(scenarios.reference(*request.param), mornings=80)


def test_default_rule_serves_priority_well_without_starving_the_others(outcomes: dict[str, report.Outcome]) -> None:
    aging, first = outcomes["aging"].classes, outcomes["first_come"].classes
    assert aging["priority"].p95 <= 0.6 * aging["ordinary"].p95
    assert aging["priority"].mean <= aging["ordinary"].mean
    assert aging["ordinary"].max <= 1.3 * first["ordinary"].max
    assert outcomes["aging"].starvation["ordinary"] == pytest.approx(aging["ordinary"].max / first["ordinary"].max)


def test_no_rule_inverts_the_classes_or_leaves_a_counter_free_beside_people(
    outcomes: dict[str, report.Outcome],
) -> None:
    for name, outcome in outcomes.items():
        assert outcome.inversions == 0
        assert outcome.idle_minutes == 0
        if name != "first_come":
            assert outcome.classes["priority"].mean <= outcome.classes["ordinary"].mean


def test_rules_only_share_out_the_same_waiting(outcomes: dict[str, report.Outcome]) -> None:
    usual = outcomes["first_come"].classes["all"].mean
    for outcome in outcomes.values():
        assert outcome.classes["all"].mean == pytest.approx(usual, abs=0.15)
    assert outcomes["strict"].gini > outcomes["aging"].gini >= outcomes["first_come"].gini - 0.01


@pytest.mark.parametrize("preset", ["light", "appointments"])
def test_with_appointments_absent_people_and_transfers_counters_stay_busy_too(preset: str) -> None:
    for outcome in report.compare_rules(scenarios.presets()[preset], mornings=40).values():
        assert outcome.idle_minutes == 0
        assert outcome.absent > 0
    assert "appointment" not in outcome.classes if preset == "light" else outcome.classes["appointment"].served


def test_an_idle_counter_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = rules.order
    monkeypatch.setattr(
        engine.rules, "order", lambda heads, now, *rest: lazy(heads, now, *rest) if now.minute % 2 else []
    )
    run = play(ONE_DESK, [minute(0), minute(5.5)], DEFAULT)
    assert run.idle_seconds > 60


@pytest.mark.parametrize(("load", "rule"), [(0.9, "first_come"), (0.9, "aging"), (1.05, "first_come")])
def test_the_estimate_is_near_and_its_range_honest(load: float, rule: str) -> None:
    scenario = scenarios.reference(load, 0.2)
    error = report.estimate_error(scenario, report.RULES[rule], mornings=40, seed=2, every=10, samples=150)
    assert error["told"] > 500
    assert error["mae_share"] <= 0.25
    assert abs(error["bias"]) <= 0.1 * error["mean_wait"]
    assert 0.75 <= error["coverage_p10_p90"] <= 0.85


# --- figures ---


def test_figures_are_those_of_the_waits() -> None:
    found = report.figures([0, 10, 20, 30, 240], [30] * 5)
    assert (found.served, found.mean, found.p50, found.p95, found.max) == (5, 60, 20, 240, 240)
    assert (found.over_target, found.over_hour, found.beyond_3_means) == (0.2, 0.2, 1)
    assert report.gini([5, 5, 5, 5]) == pytest.approx(0)
    assert report.gini([0, 0, 0, 8]) == pytest.approx(0.75)


# --- files ---

HALL = """
name = "Thứ hai"
load = 0.8
priority_share = 0.25
no_show_share = 0.1
[[service]]
id = "khai-sinh"
mean_minutes = 8
arrivals = [3, 5, 6, 4]
[[service]]
id = "dat-dai"
mean_minutes = 15
arrivals = [1, 2, 2]
[[counter]]
count = 3
[[counter]]
skills = ["dat-dai"]
breaks = [[20, 10]]
"""


def test_a_hall_is_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "monday.toml"
    file.write_text(HALL, "utf-8")
    scenario = scenarios.load(str(file))
    assert (scenario.name, len(scenario.counters), scenario.minutes) == ("Thứ hai", 4, 60)
    assert scenario.load == pytest.approx(0.8)
    assert scenario.counters[0].skills == ("khai-sinh", "dat-dai")
    assert scenario.counters[3] == Counter(("dat-dai",), ((20.0, 10.0),))
    assert (scenario.priority_share, scenario.no_show_share) == (0.25, 0.1)


def test_arrivals_are_read_from_csv_and_get_the_counters_they_need(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text("\ufeffslot,service,arrivals,mean_minutes\n0,A,4,5\n1,A,6,\n1,B,2,10\n", "utf-8")
    scenario = scenarios.load(str(file))
    assert scenario.arrivals == {"A": (4, 6), "B": (0, 2)}
    assert (len(scenario.counters), scenario.services[1].mean_minutes) == (3, 10)
    assert len(scenarios.load(str(file), counters=5).counters) == 5


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("x.toml", "speed = 3", "unknown entries speed"),
        ("x.toml", HALL.replace("count = 3", "count = 0"), "count is 0; allowed: 1 to 200"),
        ("x.toml", HALL.replace('skills = ["dat-dai"]', 'skills = ["tax"]'), "unknown services tax"),
        ("x.toml", HALL.replace("count = 3", 'skills = ["dat-dai"]'), "nobody serves khai-sinh"),
        ("x.toml", HALL.replace("[3, 5, 6, 4]", "3"), "arrivals: 1 to 96 numbers"),
        ("x.toml", HALL.replace("[[20, 10]]", "[20, 10]"), "breaks: write"),
        ("x.toml", "service = 3", "write [[service]]"),
        ("x.toml", "not toml", "Expected"),
        ("x.csv", "slot,service,arrivals\n0,A,many\n", "line 2"),
        ("x.csv", "slot,service,arrivals\n200,A,1\n", "line 2: slot 0 to 95"),
        ("x.csv", "slot,service,arrivals\n", "no lines"),
        ("x.csv", "slot,service,arrivals\n0,A,0\n", "nobody comes"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_allowed(tmp_path: Path, name: str, text: str, word: str) -> None:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    with pytest.raises(scenarios.ScenarioError, match=word.replace("[", r"\[")) as caught:
        scenarios.load(str(file))
    assert str(file) in str(caught.value)


# --- the program ---


def test_the_command_prints_draws_and_speaks_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "rules.svg"
    command = ["serve", "queue", "simulate", "--arrivals", "normal", "--mornings", "3"]
    assert main([*command, "--svg", str(picture)]) == 0
    printed = capsys.readouterr().out
    for word in (
        "first_come",
        "strict",
        "ratio",
        "head_start",
        "aging",
        "priority",
        "p95",
        "inversions 0.00%",
        "÷FCFS",
    ):
        assert word in printed
    assert "estimate under aging" in printed
    root = ET.parse(picture).getroot()
    words = "".join(root.itertext())
    assert "Thời gian chờ của ưu tiên" in words
    assert "Ưu tiên tuyệt đối" in root.find("{http://www.w3.org/2000/svg}desc").text

    assert main([*command, "--rule", "strict", "--json", "--load", "0.5"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["rules"]) == ["first_come", "strict"]
    assert told["load"] == pytest.approx(0.5)
    assert told["rules"]["strict"]["classes"]["priority"]["served"] > 0
    assert told["estimate"].keys() == {"first_come", "strict"}


def test_a_wrong_command_is_one_line_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "queue", "simulate", "--arrivals", "nowhere.toml"]) == 2
    assert "neither a file nor a preset (light, normal, rush" in capsys.readouterr().err
    assert main(["serve", "queue", "simulate", "--arrivals", "light", "--rule", "fair"]) == 2
    assert "allowed are first_come, strict" in capsys.readouterr().err


# --- what would change ---


def centre() -> model.Centre:
    services = (model.Service("khai-sinh", Text("Khai sinh"), "HT", 6.0), model.Service("dat-dai", Text("Đất"), "DD"))
    return model.Centre(
        "xa", Text("Xã"), (model.ServiceGroup("g", Text("Nhóm"), services=services),),
        tuple(model.Counter(str(n)) for n in range(1, 6)), (model.PriorityGroup("elderly", Text("Cao tuổi")),),
    )  # fmt: skip


def stints(days: int = 3, each: int = 60) -> list[dict[str, object]]:
    opening = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
    return [
        {
            "day": f"2026-11-{20 + day}",
            "service": "dat-dai" if n % 3 == 0 else "khai-sinh",
            "urgent": int(n % 4 == 0),
            "appointment": 0,
            "waiting_since": utc_iso(opening + timedelta(days=day, minutes=2 * n)),
            "served": 300.0 + 60 * (n % 5),
            "outcome": "completed",
        }
        for day in range(days)
        for n in range(each)
    ]


def test_a_supervisor_sees_what_another_rule_would_have_done() -> None:
    found = simulation.compare(centre(), stints(), Rule("strict"), mornings=30)
    assert (found["days"], found["citizens"]) == (3, 180)
    now, then = found["rules"]["now"]["classes"], found["rules"]["wanted"]["classes"]
    assert then["priority"]["mean"] < now["priority"]["mean"]
    assert then["ordinary"]["mean"] > now["ordinary"]["mean"]
    assert now["all"]["served"] == pytest.approx(30 * 60, rel=0.1)
    assert found["counters"] < 5  # as many as those days needed
    assert found["text"][0].startswith("Người dân thường: chờ trung bình ")
    assert json.dumps(found)


def test_a_citizen_put_aside_and_called_again_is_one_citizen() -> None:
    held = [{**row, "outcome": "held"} for row in stints()]
    assert simulation.compare(centre(), stints() + held, mornings=1)["citizens"] == 180


def test_a_centre_that_offers_nothing_is_told_so() -> None:
    closed = replace(centre(), groups=())
    with pytest.raises(scenarios.ScenarioError, match="no open service"):
        simulation.compare(closed, [])


def test_counters_that_usually_work_can_be_named() -> None:
    assert simulation.compare(centre(), stints(), counters=["1", "2"], mornings=3)["counters"] == 2


def test_a_new_centre_without_history_gets_days_of_its_settings() -> None:
    found = simulation.compare(centre(), [], Rule("head_start"), mornings=5)
    assert (found["days"], found["citizens"]) == (0, 0)
    assert found["load"] == pytest.approx(0.9)
    assert found["rules"].keys() == {"first_come", "now", "wanted"}


def test_the_sample_catalogue_can_be_simulated() -> None:
    sample = catalogue.load(Path(__file__).parents[2] / "assets/catalogue/sample.toml")
    assert simulation.compare(model.from_catalogue(sample), [], mornings=2)["rules"]["now"]["classes"]["all"]["served"]
