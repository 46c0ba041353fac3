"""The business day under every clock: zones, cut-over hours, jumps both ways, a server asleep at midnight."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kiosk.text import Text
from kiosk_queue import counter, line
from kiosk_queue.floor import Desk, add_centre, close_earlier_days
from kiosk_queue.model import Centre, Counter, Service, ServiceGroup
from kiosk_queue.storage.store import open_store

ZONES = (
    "Asia/Ho_Chi_Minh", "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Pacific/Apia",
    "Pacific/Kiritimati", "Australia/Lord_Howe", "Africa/Casablanca",
)  # fmt: skip
STARTS = (
    datetime(2026, 11, 23, 1, tzinfo=UTC),
    datetime(2026, 3, 28, 23, tzinfo=UTC),  # Berlin goes to summer time
    datetime(2026, 10, 24, 22, tzinfo=UTC),  # and back
    datetime(2026, 3, 8, 5, tzinfo=UTC),  # New York
    datetime(2026, 11, 1, 4, tzinfo=UTC),
    datetime(2026, 4, 4, 13, tzinfo=UTC),  # Lord Howe: half an hour
    datetime(2011, 12, 29, 20, tzinfo=UTC),  # Apia leaves out a day
    datetime(2026, 12, 31, 16, tzinfo=UTC),
)
JUMPS = st.one_of(
    st.integers(0, 3600), st.integers(0, 3 * 86400), st.integers(-2 * 86400, 0), st.just(9 * 86400), st.just(0)
)
STEPS = st.lists(st.tuples(JUMPS, st.sampled_from(["issue", "kiosk", "call", "hold", "sleep"])), max_size=14)
OPEN = ("reserved", "waiting", "called", "serving", "held")
WORDS = Text("Trung tâm", "Centre")
NAMES = itertools.count()


class Turned:
    """A clock whose hands the test turns."""

    def __init__(self):
        self.time = STARTS[0]

    def now(self):
        return self.time

    def monotonic(self):
        return self.time.timestamp()


@pytest.fixture(scope="module")
def queue(tmp_path_factory):
    store = open_store(str(tmp_path_factory.mktemp("days") / "queue.db"))
    clock = Turned()
    yield Desk(store, clock), clock
    store.close()


def new_centre(queue, zone, cut_over):
    name = f"day-{next(NAMES)}"
    service = Service("khai-sinh", WORDS, "HT")
    add_centre(queue[0].store, Centre(
        id=name, name=WORDS, groups=(ServiceGroup("g", WORDS, "d", (service,)),), counters=(Counter("1"),), zone=zone,
        cut_over_hours=cut_over,
    ))  # fmt: skip
    return name


def day_of(moment, zone, cut_over):
    """Said another way than the code does: before the cut-over hour of the local clock it is still yesterday."""
    local = moment.astimezone(ZoneInfo(zone))
    return (local.date() - timedelta(days=local.hour < cut_over)).isoformat()


def rows(queue, sql, centre):
    return queue[0].store.read(lambda tx: [dict(row) for row in tx.all(sql, centre=centre)]).result(30)


def act(queue, centre, deed):
    """Do what an officer or a kiosk would, after opening the counter that a new day closed."""
    desk, who = queue[0], counter.Officer("session", "1", "officer")
    do = lambda step: desk.do(centre, step).result(30)  # noqa: E731
    if deed in ("issue", "kiosk"):
        do(lambda floor: line.issue(floor, "khai-sinh", "", "kiosk" if deed == "kiosk" else "web"))
        return
    do(lambda floor: counter.open_counter(floor, who))
    if deed == "call":
        do(lambda floor: counter.call_next(floor, who))
    else:
        for row in rows(queue, "SELECT id FROM ticket WHERE centre = :centre AND state = 'called'", centre):
            do(lambda floor, one=row["id"]: counter.hold(floor, who, one))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(zone=st.sampled_from(ZONES), cut_over=st.integers(0, 12), start=st.sampled_from(STARTS), steps=STEPS)
@example("Europe/Berlin", 2, STARTS[1], [(0, "issue"), (7200, "issue"), (3600, "call")])
@example("Pacific/Apia", 0, STARTS[6], [(0, "issue"), (4 * 3600, "issue"), (86400, "issue")])
@example(
    "Asia/Ho_Chi_Minh", 0, STARTS[0], [(0, "issue"), (0, "call"), (86400, "issue"), (-86400, "issue"), (86400, "call")]
)
def test_every_number_has_its_day_and_no_day_is_ended_twice(queue, zone, cut_over, start, steps):
    centre = new_centre(queue, zone, cut_over)
    _, clock = queue
    clock.time = start
    issued_on = []
    for jump, deed in steps:
        clock.time += timedelta(seconds=jump)
        if deed == "sleep":
            continue
        act(queue, centre, deed)
        today = day_of(clock.time, zone, cut_over)
        issued_on += [today] if deed in ("issue", "kiosk") else []
        tickets = rows(queue, "SELECT * FROM ticket WHERE centre = :centre ORDER BY place", centre)
        assert [ticket["day"] for ticket in tickets] == issued_on
        assert not [t for t in tickets if t["day"] < today and t["state"] in OPEN], "yesterday is over"
        for day in set(issued_on):
            assert [t["n"] for t in tickets if t["day"] == day] == list(range(1, issued_on.count(day) + 1))
    events = rows(queue, "SELECT * FROM event WHERE centre = :centre ORDER BY seq", centre)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    ended = [event["ticket"] for event in events if event["kind"] == "void"]
    assert len(ended) == len(set(ended)), "no number is ended twice"


def test_a_close_that_comes_late_or_again_does_no_harm(queue):
    centre = new_centre(queue, "Asia/Ho_Chi_Minh", 0)
    desk, clock = queue
    clock.time = STARTS[0]
    for deed in ("issue", "issue", "kiosk", "call"):
        act(queue, centre, deed)
    clock.time += timedelta(days=40)  # nobody was there for weeks
    act(queue, centre, "issue")
    before = rows(queue, "SELECT id, state, ended_at FROM ticket WHERE centre = :centre ORDER BY place", centre)
    assert [row["state"] for row in before] == ["void", "void", "void", "waiting"]
    for _ in range(2):
        desk.do(centre, lambda floor: close_earlier_days(floor) or {}).result(30)
    assert rows(queue, "SELECT id, state, ended_at FROM ticket WHERE centre = :centre ORDER BY place", centre) == before


def test_a_number_left_at_a_counter_overnight_does_not_block_it(queue):
    centre = new_centre(queue, "Asia/Ho_Chi_Minh", 0)
    _, clock = queue
    clock.time = STARTS[0]
    for deed in ("issue", "call"):
        act(queue, centre, deed)
    clock.time += timedelta(days=1)
    for deed in ("issue", "call"):
        act(queue, centre, deed)
    states = rows(queue, "SELECT state FROM ticket WHERE centre = :centre ORDER BY place", centre)
    assert [row["state"] for row in states] == ["void", "called"]


def test_a_clock_set_back_over_midnight_gives_no_number_twice_and_keeps_who_waits(queue):
    centre = new_centre(queue, "Asia/Ho_Chi_Minh", 0)
    _, clock = queue
    clock.time = STARTS[0]
    act(queue, centre, "issue")
    clock.time -= timedelta(days=1)
    act(queue, centre, "issue")
    clock.time += timedelta(days=1)
    act(queue, centre, "call")
    found = rows(queue, "SELECT day, n, state FROM ticket WHERE centre = :centre ORDER BY place", centre)
    assert [tuple(row.values()) for row in found] == [("2026-11-23", 1, "called"), ("2026-11-22", 1, "void")]
