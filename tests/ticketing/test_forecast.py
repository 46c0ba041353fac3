import time
from datetime import UTC, datetime, timedelta
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_queue import rules
from kiosk_queue.forecast import HORIZON, Counter, Range, Snapshot, residual, wait_ranges
from kiosk_queue.model import Rule

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
EXACT = {"A": (300.0, 0.0), "B": (840.0, 0.0)}
BOTH = ("A", "B")


def person(
    n: int, minutes: float, service: str = "A", urgent: bool = False, appointment: bool = False, first: bool = False
) -> rules.Waiting:
    since = NOW - timedelta(minutes=minutes)
    return rules.Waiting(f"t{n}", f"{service}-{n:03d}", n, urgent, since, service, appointment, first)


def likely(snapshot: Snapshot, *newcomers: tuple[str, bool]) -> dict[object, float]:
    return {key: round(found.likely, 3) for key, found in wait_ranges(snapshot, newcomers, 1).items()}


def test_without_chance_the_line_is_told_to_the_minute() -> None:
    line = [person(1, 9), person(2, 8, "B"), person(3, 7)]
    snapshot = Snapshot(NOW, Rule(), [(BOTH, 0.0), (BOTH, 60.0)], line, EXACT)
    assert likely(snapshot, ("A", False)) == {"t1": 0, "t2": 1, "t3": 5, ("A", False): 10}


def test_newcomers_look_on_and_delay_nobody() -> None:
    snapshot = Snapshot(NOW, Rule(), [(BOTH, 120.0)], [person(1, 5)], EXACT)
    told = likely(snapshot, ("A", True), ("A", False), ("B", False))
    assert told == {"t1": 2, ("A", True): 7, ("A", False): 7, ("B", False): 7}


def test_a_priority_newcomer_is_told_less_where_the_rule_lets_them_pass() -> None:
    line = [person(n, 3 - n / 10) for n in range(12)]
    told = likely(Snapshot(NOW, Rule(), [(BOTH, 0.0)], line, EXACT), ("A", True), ("A", False))
    assert told["A", True] < told["A", False] == 60


def test_only_open_counters_with_the_skill_count_and_without_one_there_is_no_promise() -> None:
    counters = [Counter(("A",), 0.0), Counter(("B",), None)]
    told = likely(Snapshot(NOW, Rule(), counters, [person(1, 3), person(2, 2, "B")], EXACT), ("B", True))
    assert told == {"t1": 0}


def test_a_free_counter_means_no_wait() -> None:
    told = wait_ranges(Snapshot(NOW, Rule(), [(BOTH, 0.0)]), [("A", False)])
    assert told == {("A", False): Range(0, 0, 0, 0, 0)}


def test_an_appointment_is_not_called_long_before_its_time() -> None:
    snapshot = Snapshot(NOW, Rule(), [(BOTH, 0.0)], [person(1, -25, appointment=True)], EXACT)
    assert likely(snapshot) == {"t1": 15}


def test_whom_an_officer_sent_to_be_first_is_first() -> None:
    line = [person(1, 60, urgent=True), person(2, 1, first=True)]
    assert likely(Snapshot(NOW, Rule("strict"), [(BOTH, 0.0)], line, EXACT)) == {"t2": 0, "t1": 5}


def test_somebody_who_can_never_be_reached_is_told_no_more_than_the_horizon() -> None:
    flood = {("A", True): 60.0}
    line = [person(1, 5), person(2, 4, urgent=True)]
    snapshot = Snapshot(NOW, Rule("strict"), [(BOTH, 60.0)], line, EXACT, flood)
    assert wait_ranges(snapshot, (), 20)["t1"].likely == HORIZON / 60


def test_priority_still_to_come_and_pauses_and_absent_people_are_reckoned_with() -> None:
    line = [person(n, 30 - n) for n in range(30)]

    def last(**more: object) -> float:
        snapshot = Snapshot(NOW, Rule("strict"), [(BOTH, 0.0)] * 3, line, {"A": (300.0, 0.8)}, **more)
        return wait_ranges(snapshot, (), 300, 1)["t29"].likely

    plain = last()
    assert last(arrivals={("A", True): 12.0}) > plain * 1.2
    assert last(arrivals={("A", False): 12.0}) == pytest.approx(plain, rel=0.05)
    assert last(pauses=(0.5, 1200.0)) > plain * 1.05
    assert last(no_show=0.2, no_show_seconds=40.0) < plain * 0.95


def test_the_same_seed_tells_the_same() -> None:
    snapshot = Snapshot(NOW, Rule(), [Counter(BOTH, 0.0, "B", 200.0)], [person(1, 4)], {"A": (300.0, 0.8)})
    assert wait_ranges(snapshot, [("A", True)], 50, 7) == wait_ranges(snapshot, [("A", True)], 50, 7)


def test_a_range_is_in_order_and_widens_with_the_line() -> None:
    line = [person(n, 60 - n) for n in range(40)]
    told = wait_ranges(Snapshot(NOW, Rule(), [Counter(BOTH, 0.0, "A", 100.0)] * 4, line, {"A": (300.0, 0.8)}))
    for found in told.values():
        assert 0 <= found.p10 <= found.low <= found.likely <= found.high <= found.p90
    assert told["t39"].high - told["t39"].low > 2 * (told["t3"].high - told["t3"].low)


@given(st.floats(0, 7200), st.floats(0.001, 0.999), st.floats(0, 2))
def test_what_is_left_of_a_service_is_never_negative(elapsed: float, u: float, cv: float) -> None:
    assert 0 <= residual(300.0, cv, elapsed, u) < 86_400


def test_the_rest_of_a_service_that_just_began_is_the_whole_and_long_services_take_longer_still() -> None:
    quantiles = [(n + 0.5) / 2000 for n in range(2000)]
    assert fmean(residual(300.0, 0.8, 0, u) for u in quantiles) == pytest.approx(300, rel=0.01)
    assert fmean(residual(300.0, 0.8, 900, u) for u in quantiles) > 300


PEOPLE = st.lists(
    st.tuples(st.integers(0, 5000), st.sampled_from(BOTH), st.booleans(), st.booleans()), min_size=1, max_size=14,
    unique_by=lambda given: given[0],
)  # fmt: skip
COUNTERS = st.lists(
    st.tuples(st.sampled_from([BOTH, ("A",), ("B",)]), st.integers(0, 900).map(float)), min_size=1, max_size=4
)
RULES = st.sampled_from(
    [Rule(), Rule(rate=3.3), Rule("strict"), Rule("ratio"), Rule("ratio", ratio=1), Rule("head_start")]
)


@settings(max_examples=300)
@given(PEOPLE, COUNTERS, RULES, st.integers(0, 3))
def test_the_estimate_calls_exactly_whom_the_rule_calls(
    people: list[tuple[int, str, bool, bool]], counters: list[tuple[tuple[str, ...], float]], rule: Rule, in_a_row: int
) -> None:
    # odd seconds keep the rule's ties by place out of the way; an appointment may be up to 20 minutes ahead
    line = [
        person(n, (s + 0.37) / 60 - (20 if booked else 0), service, urgent, booked)
        for n, (s, service, urgent, booked) in enumerate(sorted(people, reverse=True))
    ]
    counters = [(skills, free + n * 1.013 + 0.001) for n, (skills, free) in enumerate(counters)]
    told = wait_ranges(Snapshot(NOW, rule, counters, line, EXACT, recent=rules.Recent(in_a_row)), (), 1)
    expected = _by_the_rule(line, counters, rule, in_a_row)
    assert told.keys() == expected.keys()
    for ticket, seconds in expected.items():
        assert told[ticket].likely * 60 == pytest.approx(seconds, abs=0.01)


def _by_the_rule(
    line: list[rules.Waiting], counters: list[tuple[tuple[str, ...], float]], rule: Rule, in_a_row: int
) -> dict[str, float]:
    """When `rules.order` itself calls each, over the whole line."""
    left, called = line[:], {}
    free = [(at, n) for n, (_, at) in enumerate(counters)]
    while free:
        now, n = min(free)
        mine = [p for p in left if p.service in counters[n][0]]
        free.remove((now, n))
        if not mine:
            continue
        moment = NOW + timedelta(seconds=now)
        ranked = rules.order(mine, moment, rule, rules.Recent(in_a_row))
        if not ranked:
            due = min((p.since - NOW).total_seconds() - rule.early_minutes * 60 for p in mine)
            free.append((max(due, now) + 1e-6, n))
            continue
        chosen = ranked[0]
        in_a_row = in_a_row + 1 if chosen.urgent else 0
        left.remove(chosen)
        called[chosen.ticket] = now
        free.append((now + EXACT[chosen.service][0], n))
    return called


@pytest.mark.parametrize("name", ["aging", "ratio", "strict", "head_start"])
def test_two_hundred_samples_of_a_full_hall_take_a_tenth_of_a_second(name: str) -> None:
    services = ("A", "B", "C", "D")
    line = [person(n, 60 - n, services[n % 4], n % 5 == 0) for n in range(60)]
    arrivals = {(service, urgent): 3.0 if urgent else 12.0 for service in services for urgent in (True, False)}
    counters = [Counter(services[:2], 0.0, "A", 100.0)] * 2 + [Counter(services, 0.0, "B", 100.0)] * 4
    snapshot = Snapshot(NOW, Rule(name), counters, line, dict.fromkeys(services, (400.0, 0.8)), arrivals)
    taken = []
    for _ in range(3):
        start = time.process_time()
        wait_ranges(snapshot, arrivals, 200)
        taken.append(time.process_time() - start)
    assert min(taken) <= 0.1
