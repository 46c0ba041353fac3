import json
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite

from kiosk import catalogue
from kiosk.clock import SystemClock
from kiosk.config import ConfigError
from kiosk_queue import store as store_module
from kiosk_queue import views
from kiosk_queue.desk import Desk, Officer, Refused
from kiosk_queue.store import StorageFault, Store


def rows(desk: Desk, sql: str, *values) -> list[dict]:
    return desk.store.read(lambda db: [dict(r) for r in db.execute(sql, values)]).result()


def test_queue_is_still_the_standard_library() -> None:
    root = Path(__file__).parents[2]
    assert not (root / "queue" / "__init__.py").exists()
    assert not (root / "tests" / "queue" / "__init__.py").exists()
    assert queue.SimpleQueue.__module__ == "_queue"
    assert not Path(queue.__file__).is_relative_to(root / "queue")


def test_durable_settings_are_really_on(desk: Desk) -> None:
    pragmas = desk.store.read(
        lambda db: [db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("journal_mode", "synchronous", "foreign_keys")]
    ).result()
    assert pragmas == ["wal", 2, 1]


def test_sqlite_with_the_wal_bug_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(ConfigError, match="newer is needed"):
        Store(tmp_path / "queue.db")


def test_unusable_database_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "queue.db").write_bytes(b"this is no database" * 100)
    for path in (tmp_path / "queue.db", tmp_path / "missing" / "queue.db"):
        with pytest.raises(ConfigError, match="cannot be opened"):
            Store(path)


def test_numbers_are_unique_and_dense_from_many_threads(desk: Desk) -> None:
    def take(thread: int) -> list[str]:
        return [
            desk.issue(("khai-sinh", "khai-tu")[n % 2], "", f"key-{thread}-{n:04}").result()["number"]
            for n in range(25)
        ]

    with ThreadPoolExecutor(8) as pool:
        numbers = [number for part in pool.map(take, range(8)) for number in part]
    assert sorted(numbers) == [f"HT-{n:03d}" for n in range(1, 201)]


TAKE = """
import sys
from pathlib import Path
from kiosk import catalogue
from kiosk.clock import SystemClock
from kiosk_queue.desk import Desk
from kiosk_queue.store import Store
folder = Path(sys.argv[1])
store = Store(folder / "queue.db")
desk = Desk(store, catalogue.load(folder / "catalogue.toml"), SystemClock(), "http://x")
for n in range(60):
    print(desk.issue("khai-sinh", "", f"{sys.argv[2]}-{n:06}").result()["number"])
store.close()
"""


def test_numbers_are_unique_from_two_processes(settings, helpers) -> None:
    folder = str(settings.database.parent)
    both = [helpers.program(TAKE, folder, name) for name in ("left", "right")]
    outputs = [process.communicate(timeout=40) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    numbers = b"".join(out for out, _ in outputs).decode().split()
    assert sorted(numbers) == [f"HT-{n:03d}" for n in range(1, 121)]


def test_same_key_in_parallel_is_one_ticket(desk: Desk) -> None:
    barrier = threading.Barrier(8)

    def press(_: int) -> dict:
        barrier.wait(5)
        return desk.issue("so-do", "elderly", "double-tap").result()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(press, range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert rows(desk, "SELECT count(*) AS n FROM ticket") == [{"n": 1}]
    assert rows(desk, "SELECT count(*) AS n FROM event") == [{"n": 1}]


def test_key_of_another_request_is_refused(desk: Desk) -> None:
    desk.issue("so-do", "", "one-key-only").result()
    with pytest.raises(Refused, match="key_reused"):
        desk.issue("khai-sinh", "", "one-key-only").result()


def whole_day(desk: Desk) -> None:
    """Every kind of event once."""
    officer = Officer("session-a", "1")
    first = desk.issue("khai-sinh", "", "key-000001").result()["id"]
    second = desk.issue("khai-sinh", "elderly", "key-000002").result()["id"]
    third = desk.issue("so-do", "", "key-000003").result()["id"]
    desk.paper(first, True).result()
    desk.paper(second, False).result()
    desk.request_reprint(third, "key-000004").result()
    desk.open_counter("session-a", "1").result()
    current = desk.call(officer, None, "key-000005").result()["ticket"]
    desk.recall(officer, current, "key-000006").result()
    desk.end(officer, current, "no_show", "key-000007").result()
    current = desk.call(officer, None, "key-000008").result()["ticket"]
    desk.call(officer, current, "key-000009").result()
    call = desk.call_staff("K01").result()["call"]
    desk.answer_staff(officer, call, "key-000010").result()


TWICE = (
    "INSERT INTO ticket (id, day, series, n, service, priority, urgent, issued_at)"
    " SELECT id || 'x', day, series, n, service, priority, urgent, issued_at FROM ticket"
)


def test_events_are_gap_free_and_cannot_be_changed(desk: Desk) -> None:
    whole_day(desk)
    events = rows(desk, "SELECT seq, kind FROM event ORDER BY seq")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["kind"] for event in events} == {
        "issued", "printed", "print_failed", "reprint_requested", "called", "recalled",
        "no_show", "completed", "staff_called", "staff_answered",
    }  # fmt: skip
    for sql, message in (
        ("UPDATE event SET kind = 'issued' WHERE seq = 1", "append-only"),
        ("DELETE FROM event WHERE seq = 1", "append-only"),
        ("INSERT OR REPLACE INTO event SELECT * FROM event WHERE seq = 1", "no gaps"),
        ("INSERT INTO event SELECT seq + 99, at, day, kind, ticket, counter, body FROM event WHERE seq = 1", "no gaps"),
        ("DELETE FROM ticket", "not deleted"),
        ("UPDATE ticket SET n = 99 WHERE n = 1 AND series = 'HT'", "identity"),
        ("UPDATE ticket SET state = 'waiting', counter = NULL, called_at = NULL, ended_at = NULL", "not allowed"),
        ("UPDATE ticket SET id = 'another-ticket-id' WHERE n = 1 AND series = 'HT'", "identity"),
        (TWICE, "UNIQUE"),
    ):
        with pytest.raises(sqlite.IntegrityError, match=message):
            desk.store.write(lambda db, sql=sql: db.execute(sql)).result()
    assert rows(desk, "SELECT seq, kind FROM event ORDER BY seq") == events


def test_one_bad_job_leaves_its_neighbours_alone(desk: Desk) -> None:
    """Jobs that share a transaction fail or succeed each for itself, and a failed one leaves no event."""
    desk.open_counter("session-a", "1").result()
    futures = []
    for n in range(40):
        futures.append(desk.issue("khai-sinh", "", f"neighbour-{n:03}"))
        futures.append(desk.recall(Officer("session-a", "1"), "nothing-here", f"bad-one-{n:03}"))
    good = [f for f in futures if f.exception() is None]
    assert len(good) == 40
    assert rows(desk, "SELECT count(*) AS n, max(seq) AS last FROM event") == [{"n": 40, "last": 40}]


def test_full_disk_is_told_and_nothing_is_half_done(desk: Desk) -> None:
    desk.issue("khai-sinh", "", "before-it-is-full").result()
    desk.store.write(lambda db: db.execute("PRAGMA page_count").fetchone()).result()
    desk.store._writer.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StorageFault):
        for n in range(2000):
            desk.issue("khai-sinh", "", f"too-much-{n:05}").result()
    issued = rows(desk, "SELECT count(*) AS n FROM ticket")
    assert rows(desk, "SELECT count(*) AS n FROM event") == issued
    desk.store._writer.execute("PRAGMA max_page_count = 100000")
    assert desk.issue("khai-sinh", "", "room-again").result()["number"] == f"HT-{issued[0]['n'] + 1:03d}"


def test_day_rolls_over_at_local_midnight(desk: Desk, hands) -> None:
    hands.time = hands.time.replace(hour=16, minute=59)  # 23:59 in Hà Nội
    late = desk.issue("khai-sinh", "", "late-evening").result()
    assert (late["number"], late["day"]) == ("HT-001", "2026-11-23")
    hands.turn(minutes=2)
    early = desk.issue("khai-sinh", "", "after-midnight").result()
    assert (early["number"], early["day"], early["ahead"]) == ("HT-001", "2026-11-24", 0)
    desk.open_counter("session-a", "1").result()
    assert desk.call(Officer("session-a", "1"), None, "call-next-1").result()["ticket"] == early["id"]
    assert desk.call(Officer("session-a", "1"), early["id"], "call-next-2").result() == {"ticket": None}
    shown = desk.store.read(lambda db: views.ticket_state(db, late["id"], desk.catalogue, hands.now())).result()
    assert shown["state"] == "expired"


def test_ticket_left_at_a_counter_overnight_does_not_block_it(desk: Desk, hands) -> None:
    desk.open_counter("session-a", "1").result()
    old = desk.issue("khai-sinh", "", "yesterday-1").result()["id"]
    desk.call(Officer("session-a", "1"), None, "yesterday-call").result()
    hands.turn(days=1)
    new = desk.issue("khai-sinh", "", "today-00001").result()["id"]
    assert desk.call(Officer("session-a", "1"), old, "today-call-1").result()["ticket"] == new


def test_clock_set_back_gives_no_number_twice(desk: Desk, hands) -> None:
    first = desk.issue("khai-sinh", "", "first-00001").result()["number"]
    hands.turn(hours=-1)
    assert desk.issue("khai-sinh", "", "second-0001").result()["number"] != first
    desk.open_counter("session-a", "1").result()
    assert desk.call(Officer("session-a", "1"), None, "call-000001").result()["number"] == first


def test_priority_is_called_by_the_rule(desk: Desk, hands) -> None:
    desk.open_counter("session-a", "1").result()
    ordinary = desk.issue("khai-sinh", "", "ordinary-1").result()["id"]
    hands.turn(minutes=10)
    urgent = desk.issue("so-do", "elderly", "urgent-001").result()["id"]
    hands.turn(minutes=11)
    answer = desk.call(Officer("session-a", "1"), None, "call-000001").result()
    assert answer["ticket"] == urgent
    assert "gấp đôi" in answer["why"]
    assert desk.call(Officer("session-a", "1"), urgent, "call-000002").result()["ticket"] == ordinary


def test_service_that_left_the_catalogue_is_still_called(desk: Desk, settings) -> None:
    ticket = desk.issue("so-do", "", "before-change").result()["id"]
    text = settings.catalogue.read_text("utf-8")
    settings.catalogue.write_text(text[: text.rindex("[[group]]")], "utf-8")
    smaller = Desk(desk.store, catalogue.load(settings.catalogue), SystemClock(), "http://x")
    smaller.clock = desk.clock
    state = desk.store.read(lambda db: views.staff_state(db, smaller.catalogue, desk.clock.now())).result()
    assert [line["count"] for line in state["waiting"] if line["service"] == "so-do"] == [1]
    smaller.open_counter("session-a", "1").result()
    assert smaller.call(Officer("session-a", "1"), None, "call-000001").result()["ticket"] == ticket


def test_hall_sees_numbers_and_counters_only(desk: Desk) -> None:
    whole_day(desk)
    now = desk.clock.now()
    state = desk.store.read(lambda db: views.public_state(db, desk.catalogue, now)).result()
    events = desk.store.read(lambda db: views.public_events(db, 0)).result()
    assert set(state["calls"][0]) == {"number", "counter", "at", "state"}
    assert {event["kind"] for event in events} == {"called", "recalled"}
    assert set(events[0]) == {"seq", "kind", "at", "number", "counter", "voice"}
    ids = [row["id"] for row in rows(desk, "SELECT id FROM ticket")]
    assert not any(ticket in json.dumps([state, events]) for ticket in ids)
    assert "elderly" not in json.dumps([state, events])
