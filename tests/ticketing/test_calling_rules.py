import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_queue.model import Rule
from kiosk_queue.rules import FIRST_COME, Recent, Waiting, ahead, choose, order

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
AGING, STRICT, RATIO, HEAD_START = Rule(), Rule("strict"), Rule("ratio"), Rule("head_start")
RULES = (AGING, STRICT, RATIO, HEAD_START, FIRST_COME)


def waiting(
    number: str, place: int, minutes: float, urgent: bool = False, appointment: bool = False, first: bool = False
) -> Waiting:
    since = NOW - timedelta(minutes=minutes)
    return Waiting(f"id-{number}", number, place, urgent, since, "hotich", appointment, first)


@st.composite
def lines(draw: st.DrawFn, least: int = 1, youngest: float = 0) -> list[Waiting]:
    """Waiting citizens in any order of arrival, some with appointments up to an hour ahead."""
    people = draw(
        st.lists(st.tuples(st.floats(youngest, 300), st.booleans(), st.booleans()), min_size=least, max_size=16)
    )
    return [
        waiting(f"A-{n:03d}", n, minutes - 60 if booked else minutes, urgent, booked)
        for n, (minutes, urgent, booked) in enumerate(people, 1)
    ]


any_rule = st.sampled_from(RULES)
recents = st.builds(Recent, st.integers(0, 4))


def may_be_called(person: Waiting, rule: Rule) -> bool:
    return not person.appointment or person.since <= NOW + timedelta(minutes=rule.early_minutes)


def minutes_of(person: Waiting) -> float:
    return (NOW - person.since).total_seconds() / 60


@pytest.mark.parametrize("rule", RULES)
def test_nobody_waits(rule: Rule) -> None:
    assert choose([], NOW, rule) is None


@pytest.mark.parametrize("rule", RULES)
def test_longest_wait_first_and_said_so(rule: Rule) -> None:
    choice = choose([waiting("HT-002", 2, 5), waiting("DD-001", 1, 12)], NOW, rule, Recent(3))
    assert choice.head.number == "DD-001"
    assert choice.reason == "Chờ lâu nhất: 12 phút"


def test_priority_counts_double_and_the_officer_reads_why() -> None:
    choice = choose([waiting("HT-001", 1, 19), waiting("HT-002", 2, 10, urgent=True)], NOW, AGING)
    assert choice.head.number == "HT-002"
    assert choice.reason == (
        "Ưu tiên: đã chờ 10 phút, tính gấp đôi thành 20 phút; số thường chờ lâu nhất là HT-001 (chờ 19 phút)"
    )


def test_ordinary_is_not_starved_by_aging() -> None:
    choice = choose([waiting("HT-001", 1, 21), waiting("HT-002", 2, 10, urgent=True)], NOW, AGING)
    assert choice.head.number == "HT-001"
    assert "số ưu tiên đầu hàng HT-002 (chờ 10 phút), tính gấp đôi thành 20 phút" in choice.reason


def test_strict_says_that_priority_is_always_before() -> None:
    choice = choose([waiting("HT-001", 1, 90), waiting("HT-002", 2, 1, urgent=True)], NOW, STRICT)
    assert choice.head.number == "HT-002"
    assert choice.reason == "Ưu tiên: đã chờ 1 phút; ưu tiên luôn trước, HT-001 (chờ 90 phút)"


def test_ratio_gives_the_ordinary_citizen_a_turn_after_two_priority_calls() -> None:
    line = [waiting("HT-001", 1, 30), waiting("HT-002", 2, 10, urgent=True)]
    called = [choose(line, NOW, RATIO, Recent(n)) for n in range(3)]
    assert [choice.head.number for choice in called] == ["HT-002", "HT-002", "HT-001"]
    assert "lượt ưu tiên 2 trong 2" in called[1].reason
    assert "đến lượt số thường sau 2 số ưu tiên" in called[2].reason


def test_ratio_does_not_pass_over_a_priority_citizen_who_came_earlier() -> None:
    line = [waiting("HT-002", 2, 10), waiting("HT-001", 1, 30, urgent=True)]
    choice = choose(line, NOW, RATIO, Recent(2))
    assert choice.head.number == "HT-001"
    assert choice.reason == "Ưu tiên: đã chờ 30 phút; đến sớm hơn số thường đầu hàng HT-002 (chờ 10 phút)"


def test_an_appointment_waits_from_its_time_on_and_is_left_out_long_before() -> None:
    walk_in, booked = waiting("HT-001", 1, 8), waiting("HT-002", 2, 9, appointment=True)
    assert choose([walk_in, booked], NOW, AGING).reason == "Có hẹn, chờ tính từ giờ hẹn: 9 phút"
    early = waiting("HT-003", 3, -11, appointment=True)
    assert choose([early], NOW, AGING) is None
    near = waiting("HT-003", 3, -9, appointment=True)
    assert choose([near], NOW, AGING).reason == "Có hẹn, sắp đến giờ hẹn"
    assert choose([near, walk_in], NOW, AGING).head is walk_in


@pytest.mark.parametrize("rule", RULES)
def test_whom_an_officer_sent_to_be_first_is_first(rule: Rule) -> None:
    line = [waiting("HT-001", 1, 200, urgent=True), waiting("HT-009", 9, 0, first=True)]
    choice = choose(line, NOW, rule, Recent(5))
    assert choice.head.number == "HT-009"
    assert choice.reason == "Được chuyển đến, gọi trước theo yêu cầu của cán bộ"


def test_same_credit_goes_by_arrival_even_if_the_clock_was_set_back() -> None:
    assert choose([waiting("B-002", 2, -60), waiting("A-001", 1, -90)], NOW, AGING).head.number == "B-002"
    assert choose([waiting("B-002", 2, -60), waiting("A-001", 1, -60)], NOW, AGING).head.number == "A-001"


# --- what holds for every line ---


@given(lines(least=0), any_rule, recents)
def test_a_counter_is_never_idle_while_somebody_may_be_called(line: list[Waiting], rule: Rule, recent: Recent) -> None:
    eligible = [person for person in line if may_be_called(person, rule)]
    choice = choose(line, NOW, rule, recent)
    assert (choice is None) == (not eligible)
    assert sorted(p.place for p in order(line, NOW, rule, recent)) == sorted(p.place for p in eligible)


@given(lines(), any_rule, recents, st.randoms(use_true_random=False))
def test_the_order_depends_on_nothing_but_the_line(
    line: list[Waiting], rule: Rule, recent: Recent, chance: random.Random
) -> None:
    shuffled = line[:]
    chance.shuffle(shuffled)
    assert order(shuffled, NOW, rule, recent) == order(line, NOW, rule, recent)


@given(lines(), any_rule, recents)
def test_nobody_is_passed_over_by_a_later_one_of_the_same_or_a_lower_class(
    line: list[Waiting], rule: Rule, recent: Recent
) -> None:
    ranked = order(line, NOW, rule, recent)
    for person in ranked[1:]:
        if person.urgent >= ranked[0].urgent:
            assert (ranked[0].since, ranked[0].place) <= (person.since, person.place)


@given(lines(), st.floats(1, 10))
def test_aging_lets_priority_pass_only_after_its_share_of_the_ordinary_wait(line: list[Waiting], rate: float) -> None:
    ranked = order(line, NOW, replace(AGING, rate=rate))
    for person in ranked:
        if ranked[0].urgent and not person.urgent:
            assert minutes_of(ranked[0]) * rate >= minutes_of(person) - 1e-6


@given(lines(), st.floats(0, 240))
def test_head_start_lets_priority_pass_by_no_more_than_its_minutes(line: list[Waiting], minutes: float) -> None:
    ranked = order(line, NOW, replace(HEAD_START, head_start_minutes=minutes))
    for person in ranked:
        if ranked[0].urgent and not person.urgent:
            assert minutes_of(person) - minutes_of(ranked[0]) <= minutes + 1e-6


@given(lines(), st.integers(1, 5), st.integers(0, 8))
def test_ratio_gives_the_ordinary_turn_when_due_unless_priority_came_earlier(
    line: list[Waiting], ratio: int, in_a_row: int
) -> None:
    rule = replace(RATIO, ratio=ratio)
    ranked = order(line, NOW, rule, Recent(in_a_row))
    urgent = [p for p in ranked if p.urgent]
    ordinary = [p for p in ranked if not p.urgent]
    if urgent and ordinary:
        due = in_a_row >= ratio and min(p.since for p in ordinary) < min(p.since for p in urgent)
        assert ranked[0].urgent is not due


@given(lines(least=2), st.integers(1, 5))
def test_ratio_calls_no_more_than_so_many_priority_citizens_past_an_earlier_ordinary_one(
    line: list[Waiting], ratio: int
) -> None:
    left, in_a_row = [p for p in line if may_be_called(p, RATIO)], 0
    while left:
        chosen = choose(left, NOW, replace(RATIO, ratio=ratio), Recent(in_a_row)).head
        in_a_row = in_a_row + 1 if chosen.urgent else 0
        passed = any(not p.urgent and p.since < chosen.since for p in left)
        assert not (chosen.urgent and passed and in_a_row > ratio)
        left.remove(chosen)


@given(lines(youngest=-600), any_rule, recents)
def test_a_clock_set_back_stops_nobody_and_shows_no_negative_wait(
    line: list[Waiting], rule: Rule, recent: Recent
) -> None:
    walk_ins = [replace(person, appointment=False) for person in line]
    choice = choose(walk_ins, NOW, rule, recent)
    assert "-" not in choice.reason.replace("A-", "")
    ahead_of_clock = [p for p in walk_ins if p.since > NOW]
    if len(ahead_of_clock) == len(walk_ins) and rule is AGING:
        assert choice.head.since == min(p.since for p in walk_ins)


@settings(max_examples=400)
@given(lines(), any_rule, recents)
def test_the_reason_tells_the_truth_about_the_chosen_number_and_its_rival(
    line: list[Waiting], rule: Rule, recent: Recent
) -> None:
    choice = choose(line, NOW, rule, recent)
    if choice is None:
        return
    head, reason = choice.head, choice.reason
    assert reason.startswith("Ưu tiên") == head.urgent
    assert ("ó hẹn" in reason) == head.appointment
    if reason.startswith("Chờ lâu nhất"):
        others = [p for p in line if not p.urgent and may_be_called(p, rule)]
        assert all(head.since <= p.since for p in others)
    for other in line:
        if other.number in reason:
            same_class = [p for p in line if p.urgent == other.urgent and may_be_called(p, rule)]
            assert other.urgent != head.urgent
            assert other.since == min(p.since for p in same_class)


@given(lines(), st.sampled_from([AGING, STRICT, HEAD_START, FIRST_COME]))
def test_ahead_is_the_order_in_which_all_would_be_called(line: list[Waiting], rule: Rule) -> None:
    left = [person for person in line if may_be_called(person, rule)]
    promised = {person.ticket: ahead(person, left, NOW, rule) for person in left}
    for position in range(len(left)):
        chosen = choose(left, NOW, rule).head
        assert promised[chosen.ticket] == position
        left.remove(chosen)
