from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kiosk_queue.rules import Waiting, ahead, choose

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def waiting(number: str, place: int, minutes: float, urgent: bool = False) -> Waiting:
    return Waiting(f"id-{number}", number, place, urgent, NOW - timedelta(minutes=minutes))


def test_nobody_waits() -> None:
    assert choose([], NOW) is None


def test_longest_wait_first_and_said_so() -> None:
    choice = choose([waiting("HT-002", 2, 5), waiting("DD-001", 1, 12)], NOW)
    assert choice.head.number == "DD-001"
    assert choice.reason == "Chờ lâu nhất: 12 phút"


def test_priority_counts_double_and_the_officer_reads_why() -> None:
    choice = choose([waiting("HT-001", 1, 19), waiting("HT-002", 2, 10, urgent=True)], NOW)
    assert choice.head.number == "HT-002"
    assert choice.reason == (
        "Ưu tiên: đã chờ 10 phút, tính gấp đôi thành 20 phút; số thường chờ lâu nhất là HT-001 (chờ 19 phút)"
    )


def test_ordinary_is_not_starved() -> None:
    choice = choose([waiting("HT-001", 1, 21), waiting("HT-002", 2, 10, urgent=True)], NOW)
    assert choice.head.number == "HT-001"
    assert "số ưu tiên đầu hàng HT-002 (chờ 10 phút), tính gấp đôi thành 20 phút" in choice.reason


def test_same_credit_goes_by_arrival_even_if_the_clock_was_set_back() -> None:
    assert choose([waiting("B-002", 2, -60), waiting("A-001", 1, -90)], NOW).head.number == "A-001"


line = st.lists(st.tuples(st.floats(0, 300), st.booleans()), min_size=1, max_size=30)


@given(line)
def test_ahead_is_the_order_in_which_all_would_be_called(people: list[tuple[float, bool]]) -> None:
    left = [waiting(f"A-{n}", n, minutes, urgent) for n, (minutes, urgent) in enumerate(people)]
    promised = {w.ticket: ahead(w, left, NOW) for w in left}
    for position in range(len(people)):
        chosen = choose(left, NOW).head
        assert promised[chosen.ticket] == position
        left.remove(chosen)
