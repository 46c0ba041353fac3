"""Statistics: what a supervisor reads of a day that is known exactly, from the stream and from the stays."""

import csv
import io
from datetime import date
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook

import postgres
from kiosk import catalogue
from kiosk_queue import counter, line
from kiosk_queue.counter import Officer
from kiosk_queue.floor import Desk, add_centre
from kiosk_queue.forecast import Range
from kiosk_queue.model import from_catalogue
from kiosk_queue.storage.store import open_store
from kiosk_queue.supervisor import settings as settings_page
from kiosk_queue.supervisor.board import Board
from kiosk_queue.supervisor.pages import audit_page, export, statistics
from kiosk_queue.supervisor.statistics import Book

CENTRE = "centre"
ONE, TWO = Officer("s1", "1", "lan"), Officer("s2", "2", "minh")


class Hall:
    """Deeds on the test's clock."""

    def __init__(self, desk, hands) -> None:
        self.desk, self.hands = desk, hands

    def do(self, deed):
        return self.desk.do(CENTRE, deed).result()

    def see(self, look):
        return self.desk.see(CENTRE, look).result()

    def come(self, service: str = "khai-sinh", **more) -> str:
        return self.do(lambda floor: line.issue(floor, service, **more))["id"]

    def open(self, who: Officer = ONE) -> None:
        self.do(lambda floor: counter.open_counter(floor, who, take_over=True))

    def next(self, who: Officer = ONE) -> str | None:
        return self.do(lambda floor: counter.call_next(floor, who))["ticket"]

    def finish(self, ticket: str, who: Officer = ONE, minutes: float = 0) -> None:
        self.do(lambda floor: counter.serve(floor, who, ticket))
        self.hands.turn(minutes=minutes)
        self.do(lambda floor: counter.complete(floor, who, ticket))

    def numbers(self, day: str = "2026-11-23") -> statistics.Day:
        return self.see(lambda view: statistics.day_numbers(view, day))


@pytest.fixture
def hall(desk, hands) -> Hall:
    return Hall(desk, hands)


def test_a_wait_is_counted_from_the_number_to_the_call_and_held_to_the_target(hall) -> None:
    hall.open()
    hall.come()
    hall.come()
    hall.hands.turn(minutes=10)
    hall.finish(hall.next(), minutes=25)
    hall.finish(hall.next(), minutes=5)  # waited 35 minutes, 30 are promised
    found = hall.numbers().total.as_json()
    assert (found["called"], found["completed"], found["mean_wait"]) == (2, 2, 22.5)
    assert found["within"] == 0.5
    assert found["mean_served"] == 15


def test_time_on_hold_and_at_another_counter_is_no_wait(hall) -> None:
    hall.open()
    hall.open(TWO)
    ticket = hall.come()
    hall.hands.turn(minutes=4)
    hall.next()
    hall.hands.turn(minutes=20)
    hall.do(lambda floor: counter.transfer(floor, ONE, ticket, counter="2"))
    hall.hands.turn(minutes=6)
    assert hall.next(TWO) == ticket
    hall.do(lambda floor: counter.hold(floor, TWO, ticket))
    hall.hands.turn(minutes=50)
    hall.do(lambda floor: counter.call_chosen(floor, TWO, ticket))
    hall.finish(ticket, TWO)
    found = hall.numbers().total.as_json()
    assert (found["called"], found["mean_wait"]) == (2, 5)
    today = hall.see(Book().today)
    assert today.services["khai-sinh"].called == 2
    assert today.services["khai-sinh"].wait == 600


def test_quarters_tell_arrivals_calls_and_who_is_left_waiting(hall) -> None:
    hall.open()
    for _ in range(3):
        hall.come()
    hall.next()
    hall.hands.turn(minutes=16)
    hall.next()
    hall.come()
    found = hall.see(lambda view: (today := Book().today(view)).quarters(today.quarter_of(view)))
    assert [(q["minute"], q["arrivals"], q["calls"], q["waiting"]) for q in found] == [(480, 3, 1, 2), (495, 1, 1, 2)]


def test_today_read_bit_by_bit_equals_today_read_at_once(hall) -> None:
    hall.open()
    book = Book()
    for n in range(30):
        hall.come("so-do" if n % 3 else "khai-tu")
        if n % 2:
            hall.next()
        hall.hands.turn(minutes=3)
        hall.see(book.today)
    assert hall.see(book.today) == hall.see(Book().today)


def test_a_new_business_day_begins_at_nothing(hall) -> None:
    book = Book()
    hall.come()
    assert hall.see(book.today).services["khai-sinh"].issued == 1
    hall.hands.turn(days=1)
    assert hall.see(book.today).services == {}
    hall.come()
    assert hall.see(book.today).services["khai-sinh"].issued == 1
    assert hall.see(lambda view: statistics.first_of_day(view, view.day)) == 3


def test_a_past_day_is_read_once_and_then_kept(hall, monkeypatch) -> None:
    hall.open()
    hall.come()
    hall.finish(hall.next(), minutes=3)
    hall.hands.turn(days=1)
    book, reads = Book(), []
    original = statistics.day_numbers
    monkeypatch.setattr(statistics, "day_numbers", lambda view, day: reads.append(day) or original(view, day))
    for _ in range(3):
        assert hall.see(lambda view: book.numbers(view, "2026-11-23")).total.completed == 1
    assert reads == ["2026-11-23"]
    hall.see(lambda view: book.numbers(view, view.day))
    hall.see(lambda view: book.numbers(view, view.day))
    assert reads[1:] == ["2026-11-24"] * 2


def test_statistics_use_indexes_only(hall) -> None:
    hall.come()
    for sql in (statistics._STINTS, statistics._TICKETS, statistics._RATINGS, statistics._EVENTS):
        values = {name: "x" if name != "after" else 0 for name in ("centre", "day", "after") if f":{name}" in sql}
        plan = hall.see(lambda view, sql=sql, values=values: view.tx.all(f"EXPLAIN QUERY PLAN {sql}", **values))
        assert all("SCAN" not in row["detail"] for row in plan), (sql, [row["detail"] for row in plan])


def test_ratings_count_for_the_service_and_the_counter(hall) -> None:
    hall.open()
    for score in (5, 2):
        ticket = hall.come("so-do")
        hall.finish(hall.next())
        hall.do(lambda floor, ticket=ticket, score=score: counter.rate(floor, ticket, score))
    found = hall.numbers()
    for tally in (found.total, found.services["so-do"], found.counters["1"]):
        assert tally.as_json()["rating"] == 3.5
        assert tally.as_json()["rated"] == 2


def test_estimates_are_held_to_what_came(hall) -> None:
    hall.open()
    told = Range(low=5, likely=8, high=12, p10=2, p90=20)
    for _ in range(2):
        hall.come(estimate=lambda _: told)
    hall.hands.turn(minutes=10)
    hall.finish(hall.next(), minutes=15)
    hall.next()
    hall.finish(hall.see(lambda view: view.tx.one("SELECT id FROM ticket WHERE state = 'called'"))["id"])
    found = hall.numbers().errors.as_json()
    assert (found["tickets"], found["mae"], found["bias"]) == (2, 9.5, 9.5)  # waited 10 and 25
    assert (found["shown"], found["p10_p90"]) == (0.5, 0.5)


def test_periods_add_up_to_the_whole(hall) -> None:
    days = {}
    for n in range(10):
        hall.open()
        for _ in range(n % 3 + 1):
            hall.come()
            hall.finish(hall.next(), minutes=2)
        day = hall.see(lambda view: view.day)
        days[date.fromisoformat(day)] = hall.numbers(day)
        hall.hands.turn(days=1)
    centre = hall.see(lambda view: view.centre)
    for by, count in (("day", 10), ("week", 2), ("month", 2)):
        found = statistics.history(centre, days, by)
        assert len(found["periods"]) == count
        assert sum(period["completed"] for period in found["periods"]) == found["total"]["completed"] == 19
    assert sum(bar["count"] for bar in found["distribution"]) == 19


@pytest.mark.parametrize(("waits", "share", "expected"), [({}, 0.5, None), ({3: 4}, 0.5, 3.5), ({0: 9, 60: 1}, 0.9, 1)])
def test_percentiles_of_whole_minutes(waits, share, expected) -> None:
    assert statistics.percentile(waits, share) == expected


@pytest.mark.parametrize("text", ["=1+1", "+84", "-5", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_in_an_export_is_a_formula(text) -> None:
    assert str(export.guarded(text)).startswith("'")
    table = export.Table("T", ("A",), lambda **_: [])
    sheet = export.Sheet(table)
    sheet.add([(text, 5)])
    with sheet.finish() as file:
        cell = load_workbook(file).active["A2"]
        assert cell.data_type == "s"
        assert cell.quotePrefix
        file.seek(0)
        with ZipFile(file) as parts:
            assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


async def test_csv_opens_in_excel_with_vietnamese_headings_and_no_ticket_addresses(hall) -> None:
    hall.open()
    ticket = hall.come()
    hall.do(lambda floor: counter.annotate(floor, ONE, ticket, "ghi chú", "H15.1"))
    hall.finish(hall.next())
    table = export.TABLES["stints"]

    async def days():
        yield hall.see(lambda view: table.rows(view, Book(), view.day))

    data = b"".join([part async for part in export.csv_parts(table, days())])
    assert data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert rows[0][:3] == ["Ngày", "Số", "Dịch vụ"]
    assert rows[1][:3] == ["2026-11-23", "HT-001", "Đăng ký khai sinh"]
    text = data.decode()
    assert ticket not in text
    assert "H15.1" not in text
    assert "ghi chú" not in text


def test_postgresql_gives_the_same_figures(hall, hands, settings) -> None:
    start, told = hands.time, Range(low=5, likely=8, high=12, p10=2, p90=20)
    with postgres.cluster() as cluster:
        store = open_store(cluster.new_database())
        add_centre(store, from_catalogue(catalogue.load(settings.catalogue), CENTRE))
        other = Hall(Desk(store, hands), hands)
        found = []
        for each in (hall, other):
            hands.time = start
            each.open()
            each.open(TWO)
            for n in range(8):
                each.come("so-do" if n % 2 else "khai-sinh", group="elderly" if n == 3 else "", estimate=lambda _: told)
                hands.turn(minutes=7)
                ticket = each.next(ONE if n % 3 else TWO)
                if ticket:
                    each.finish(ticket, ONE if n % 3 else TWO, minutes=n)
                    each.do(lambda floor, ticket=ticket, n=n: counter.rate(floor, ticket, 1 + n % 5))
            each.come()
            found.append(each.see(_everything))
        store.close()
    assert found[0] == found[1]


def _everything(view):
    book, board = Book(), Board(Book()).seen(view)
    tables = {name: table.rows(view=view, book=book, day=view.day) for name, table in export.TABLES.items()}
    stays = [{**row, "served": float(row["served"])} for row in settings_page.recent_stays(view)]
    events = audit_page(view, view.day, "lan", ("completed", "called"), None)
    return (
        statistics.day_numbers(view, view.day),
        book.today(view).quarters(50),
        board,
        tables["days"],
        tables["counters"],
        tables["stints"],
        tables["ratings"],
        len(tables["audit"]),
        stays,
        events,
    )
