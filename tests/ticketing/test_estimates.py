"""Wait estimates of a running centre: what newcomers are told, what it is learned from, how it came true."""

import heapq
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from kiosk_queue import counter, line
from kiosk_queue.counter import Officer
from kiosk_queue.estimate import Learned, Outlook, accuracy, learn, outlook_of, read_hall
from kiosk_queue.floor import Desk, add_centre, change_settings
from kiosk_queue.forecast import Range
from kiosk_queue.storage.store import open_store

HALF_AN_HOUR = Range(20, 30, 40, 15, 50)


class Centre:
    """A centre worked by hand: short names for the deeds of the tests."""

    def __init__(self, desk, hands) -> None:
        self.desk, self.hands = desk, hands

    def do(self, deed):
        return self.desk.do("centre", deed).result()

    def see(self, look):
        return self.desk.see("centre", look).result()

    def open(self, name: str) -> Officer:
        who = Officer(f"session-{name}", name)
        self.do(lambda floor: counter.open_counter(floor, who))
        return who

    def issue(self, service: str = "khai-sinh", group: str = "", told: Range | None = None) -> str:
        return self.do(lambda floor: line.issue(floor, service, group, estimate=lambda _: told))["id"]

    def next(self, who: Officer) -> str | None:
        return self.do(lambda floor: counter.call_next(floor, who))["ticket"]

    def outlook(self, learned: Learned | None = None) -> Outlook:
        known = learned or self.see(learn)
        return outlook_of(self.see(lambda view: read_hall(view, known)))

    def newcomer(self, service: str = "khai-sinh", *, urgent: bool = False, ahead: int | None = None) -> Range | None:
        wanted = self.see(lambda view: line.count_ahead(
            view.tx, view.centre, view.day, service, urgent=urgent, now="9999"
        )) if ahead is None else ahead  # fmt: skip
        return self.outlook().of_newcomer(service, urgent=urgent, ahead=wanted)


@pytest.fixture(params=["sqlite", "postgresql"])
def centre(request, settings, hands, store):
    """The same on both engines."""
    if request.param == "sqlite":
        yield Centre(Desk(store, hands), hands)
        return
    other = open_store(request.getfixturevalue("cluster").new_database())
    add_centre(other, Desk(store, hands).see("centre", lambda view: view.centre).result())
    yield Centre(Desk(other, hands), hands)
    other.close()


@pytest.fixture
def hall(desk, hands) -> Centre:
    return Centre(desk, hands)


def test_a_number_carries_the_range_that_its_holder_was_told_and_so_does_its_history(running, helpers) -> None:
    at = running.counter("1")
    for _ in range(6):
        running.issue()
    at.next()
    estimates = running.app.state.site.estimates
    helpers.until(lambda: (outlook := estimates.outlook("centre")) and outlook.newcomers)
    ticket = running.issue()
    told = ticket["wait"]
    assert 0 < told["low"] <= told["high"] < 240
    while at.next() is not None:
        pass
    assert at.do(ticket["id"], "complete").status_code == 200
    rows = running.desk.see("centre", lambda view: view.tx.all(
        "SELECT t.wait_low, t.wait_likely, t.wait_high, t.wait_p10, t.wait_p90, s.wait_p90 AS kept FROM ticket t"
        " JOIN stint s ON s.ticket = t.id WHERE t.wait_low IS NOT NULL"
    )).result()  # fmt: skip
    assert rows
    for row in rows:
        assert row["wait_p10"] <= row["wait_low"] <= row["wait_likely"] <= row["wait_high"] <= row["wait_p90"]
        assert row["kept"] == row["wait_p90"]


def test_nobody_is_promised_anything_while_no_counter_is_open(centre) -> None:
    centre.issue()
    assert centre.newcomer() is None
    who = centre.open("1")
    assert centre.newcomer() is not None
    centre.do(lambda floor: counter.pause(floor, who, "Họp"))
    assert centre.newcomer() is None


def test_who_came_since_the_last_result_is_counted_at_once(hall) -> None:
    hall.open("1"), hall.open("2")
    for _ in range(4):
        hall.issue()
    outlook = hall.outlook()
    then = outlook.of_newcomer("khai-sinh", urgent=False, ahead=4)
    now = outlook.of_newcomer("khai-sinh", urgent=False, ahead=7)
    assert now.likely == pytest.approx(then.likely + 3 * 8 / 2)  # three more, 8 minutes each, two counters
    assert outlook.of_newcomer("khai-sinh", urgent=False, ahead=0).low == 0


def test_priority_is_told_a_shorter_wait_in_the_same_line(hall) -> None:
    hall.open("1")
    for _ in range(10):
        hall.issue()
        hall.hands.turn(minutes=1)
    assert hall.newcomer(urgent=True).likely < 0.8 * hall.newcomer().likely


def test_a_waiting_number_comes_nearer_as_time_passes(hall) -> None:
    hall.open("1")
    tickets = [hall.issue() for _ in range(5)]
    outlook, now = hall.outlook(), hall.hands.now()
    assert outlook.of_ticket(tickets[4], now).likely > outlook.of_ticket(tickets[1], now).likely
    soon = outlook.of_ticket(tickets[4], now + timedelta(minutes=3))
    assert soon.likely == pytest.approx(outlook.of_ticket(tickets[4], now).likely - 3)
    assert outlook.of_ticket(tickets[4], now + timedelta(hours=5)).high == 0


def test_a_second_counter_shortens_the_wait(hall) -> None:
    hall.open("1")
    for _ in range(8):
        hall.issue()
    alone = hall.newcomer().likely
    hall.open("2")
    assert hall.newcomer().likely < 0.7 * alone


def test_times_at_the_counter_are_learned_and_a_forgotten_key_spoils_nothing(centre) -> None:
    who = centre.open("1")
    usual = centre.see(learn).seconds["khai-sinh"][0]
    assert usual == 8 * 60
    for minutes in [4] * 30 + [300]:
        centre.issue()
        ticket = centre.next(who)
        centre.hands.turn(minutes=minutes)
        centre.do(lambda floor, ticket=ticket: counter.complete(floor, who, ticket))
    learned = centre.see(learn)
    assert 5 * 60 < learned.seconds["khai-sinh"][0] < 7 * 60
    assert learned.seconds["so-do"][0] == 8 * 60


def test_those_who_do_not_come_are_learned_too(hall) -> None:
    who = hall.open("1")
    for missing in [True] * 5 + [False] * 15:
        hall.issue()
        ticket = hall.next(who)
        hall.hands.turn(minutes=1)
        if missing:
            hall.do(lambda floor, ticket=ticket: counter.recall(floor, who, ticket))
            hall.do(lambda floor, ticket=ticket: counter.no_show(floor, who, ticket))
        else:
            hall.do(lambda floor, ticket=ticket: counter.complete(floor, who, ticket))
    learned = hall.see(learn)
    assert 0.1 < learned.no_show < 0.25
    assert learned.no_show_seconds == pytest.approx(60)


def test_usual_arrivals_of_earlier_days_are_expected_again(hall) -> None:
    for _ in range(4):
        who = hall.open("1")
        for _ in range(3):
            hall.issue(group="elderly")
            ticket = hall.next(who)
            hall.do(lambda floor, ticket=ticket, who=who: counter.complete(floor, who, ticket))
        hall.hands.turn(days=1)
    usual = hall.see(learn).usual[("khai-sinh", True)]
    assert usual[8] == pytest.approx(3)  # it is 8 o'clock in the centre
    assert sum(usual) == pytest.approx(3)


def test_the_error_of_the_estimates_is_told(centre) -> None:
    empty = centre.see(accuracy)
    assert empty["tickets"] == 0 and empty["mae"] is None
    who = centre.open("1")
    for waited in (25, 45, 60):  # told 20–40, in nine of ten cases 15–50
        centre.issue(told=HALF_AN_HOUR)
        centre.hands.turn(minutes=waited)
        ticket = centre.next(who)
        centre.do(lambda floor, ticket=ticket: counter.complete(floor, who, ticket))
    found = centre.see(accuracy)
    assert found == {
        "tickets": 3, "mae": pytest.approx(50 / 3, abs=0.01), "bias": pytest.approx(40 / 3, abs=0.01),
        "mean_wait": pytest.approx(130 / 3, abs=0.01), "p20_p80": pytest.approx(1 / 3, abs=0.01),
        "p10_p90": pytest.approx(2 / 3, abs=0.01),
    }  # fmt: skip
    centre.hands.turn(days=1)
    assert centre.see(accuracy)["tickets"] == 0
    assert centre.see(lambda view: accuracy(view, 2))["tickets"] == 3


def test_a_number_that_is_transferred_is_judged_by_its_first_wait_only(hall) -> None:
    who = hall.open("1")
    hall.issue(told=HALF_AN_HOUR)
    hall.hands.turn(minutes=30)
    ticket = hall.next(who)
    hall.do(lambda floor: counter.transfer(floor, who, ticket, "so-do"))
    hall.hands.turn(minutes=90)
    assert hall.next(who) == ticket
    hall.do(lambda floor: counter.complete(floor, who, ticket))
    found = hall.see(accuracy)
    assert (found["tickets"], found["mae"]) == (1, 0)


def test_over_a_morning_the_ranges_come_true(hall) -> None:
    """Through the deeds themselves: three counters, a full hall, times that vary as at real counters."""
    hall.do(lambda floor: change_settings(floor, replace(floor.centre, priorities=()), "test", floor.centre.version))
    chance = random.Random(7)
    officers = [hall.open(name) for name in ("1", "2", "3")]
    begun = hall.hands.now()
    moments = [(chance.uniform(0, 200), 0, n) for n in range(90)]
    heapq.heapify(moments)
    free, learned = list(range(3)), hall.see(learn)
    at: dict[int, str] = {}
    while moments:
        minute, kind, n = heapq.heappop(moments)
        hall.hands.time = begun + timedelta(minutes=minute)
        if kind == 0:
            told = hall.outlook(learned).of_newcomer("khai-sinh", urgent=False, ahead=hall.see(
                lambda view: line.count_ahead(view.tx, view.centre, view.day, "khai-sinh", urgent=False, now="9999")
            ))  # fmt: skip
            hall.issue(told=told)
        else:
            hall.do(lambda floor, n=n: counter.complete(floor, officers[n], at[n]))
            free.append(n)
        while free and (ticket := hall.next(officers[free[0]])) is not None:
            at[free[0]] = ticket
            heapq.heappush(moments, (minute + chance.lognormvariate(1.832, 0.703), 1, free.pop(0)))
    found = hall.see(accuracy)
    assert found["tickets"] == 90
    assert found["mae"] < 0.35 * found["mean_wait"]
    assert 0.6 <= found["p10_p90"] <= 0.97 and found["p20_p80"] < found["p10_p90"]
