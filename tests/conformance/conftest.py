"""Both engines behind the same functions: every test here runs on SQLite and on PostgreSQL."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.text import Text
from kiosk_queue import counter, line
from kiosk_queue.floor import Desk, add_centre
from kiosk_queue.model import Calling, Centre, Counter, PriorityGroup, Service, ServiceGroup
from kiosk_queue.storage.store import open_store


def text(words):
    return Text(words, words)


CENTRE = Centre(
    id="hall",
    name=text("Trung tâm"),
    groups=(
        ServiceGroup("ho-tich", text("Hộ tịch"), "family", (
            Service("khai-sinh", text("Khai sinh"), "HT"), Service("khai-tu", text("Khai tử"), "HT"),
        )),
        ServiceGroup("dat-dai", text("Đất đai"), "land", (
            Service("so-do", text("Sổ đỏ"), "ĐĐ"), Service("tach-thua", text("Tách thửa"), "TT", daily_cap=3),
        )),
    ),
    counters=(Counter("1"), Counter("2"), Counter("3", skills=("so-do", "tach-thua"))),
    priorities=(PriorityGroup("elderly", text("Người cao tuổi")),),
    calling=Calling(recalls=2, recall_seconds=20, calls_before_no_show=2),
)  # fmt: skip


class Hands:
    """A clock whose hands the test turns."""

    def __init__(self):
        self.time = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)

    def now(self):
        return self.time

    def monotonic(self):
        return self.time.timestamp()

    def turn(self, **delta):
        self.time += timedelta(**delta)


@dataclass
class Hall:
    """One centre as a test drives it: deeds by name, rows, events."""

    desk: Desk
    hands: Hands
    engine: str
    address: str
    id: str = "hall"
    keys: Iterator[int] = field(default_factory=itertools.count)

    @property
    def store(self):
        return self.desk.store

    def do(self, deed, *arguments, key=None, **named):
        return self.desk.do(self.id, lambda floor: deed(floor, *arguments, **named), key).result(30)

    def issue(self, service="khai-sinh", group="", channel="api", key=None, **named):
        return self.do(line.issue, service, group, channel, key=key or f"issue-{next(self.keys):08}", **named)["id"]

    def open(self, name, **named):
        who = counter.Officer(f"session-{name}", name, f"officer-{name}")
        self.do(counter.open_counter, who, **named)
        return who

    def call(self, who, **named):
        return self.do(counter.call_next, who, **named)["ticket"]

    def rows(self, sql, **values):
        return [dict(row) for row in self.store.read(lambda tx: tx.all(sql, **values)).result(30)]

    def ticket(self, ticket):
        (row,) = self.rows("SELECT * FROM ticket WHERE id = :id", id=ticket)
        return row

    def events(self, ticket=None):
        sql = "SELECT * FROM event WHERE centre = :centre ORDER BY seq"
        return [row for row in self.rows(sql, centre=self.id) if ticket in (None, row["ticket"])]

    def kinds(self, ticket=None):
        return [event["kind"] for event in self.events(ticket)]

    def another(self, name, **changes):
        """A further centre in the same database."""
        add_centre(self.store, replace(CENTRE, id=name, **changes))
        return replace(self, id=name)

    def reopened(self):
        """The same database after a restart of the server."""
        self.store.close()
        self.desk = Desk(open_store(self.address), self.hands)
        return self


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture(params=["sqlite", "postgres"])
def address(request, tmp_path: Path):
    if request.param == "sqlite":
        return str(tmp_path / "queue.db")
    return request.getfixturevalue("cluster").new_database()


@pytest.fixture
def hall(address, hands):
    store = open_store(address)
    add_centre(store, CENTRE)
    hall = Hall(Desk(store, hands), hands, "postgres" if address.startswith("postgres") else "sqlite", address)
    yield hall
    hall.desk.store.close()
