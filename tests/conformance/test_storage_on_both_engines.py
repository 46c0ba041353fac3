"""What the database itself holds: the past, the numbers, one answer for one key, all or nothing."""

import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from kiosk.text import Text
from kiosk_queue import counter, line, model
from kiosk_queue.floor import Refused
from kiosk_queue.storage.store import Conflict, StorageFault, open_store
from waiting import wait_until

ROOT = Path(__file__).parents[2]


def write(hall, sql, **values):
    return hall.store.write("hall", lambda tx: tx.run(sql, **values)).result(30)


def whole_visit(hall):
    who = hall.open("1")
    first = hall.issue(channel="kiosk")
    hall.issue()
    hall.do(line.paper, first, printed=True)
    hall.call(who)
    hall.do(counter.complete, who, first)
    return first


TWICE = (
    "INSERT INTO ticket (id, centre, place, day, series, n, service, urgent, channel, state, paper, since, issued_at)"
    " SELECT id || 'x', centre, place, day, series, n, service, urgent, channel, 'waiting', paper, since, issued_at"
    " FROM ticket"
)
AGAIN = (
    "INSERT INTO event (centre, seq, at, day, kind, body)"
    " SELECT centre, {seq}, at, day, kind, body FROM event WHERE seq = 1"
)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE event SET kind = 'issued' WHERE seq = 1", "append-only"),
        ("DELETE FROM event WHERE seq = 1", "append-only"),
        (AGAIN.format(seq="seq"), r"no gaps|event_pkey"),
        (AGAIN.format(seq="seq + 99"), "no gaps"),
        (AGAIN.format(seq="0"), "no gaps"),
        ("DELETE FROM ticket", "not deleted"),
        ("DELETE FROM centre", "not deleted"),
        ("UPDATE stint SET served = 0", "does not change"),
        ("UPDATE ticket SET n = 99 WHERE n = 1", "identity"),
        ("UPDATE ticket SET day = '2026-11-24' WHERE n = 1", "identity"),
        ("UPDATE ticket SET id = 'another-ticket-id' WHERE n = 1", "identity"),
        ("UPDATE ticket SET state = 'waiting', ended_at = NULL WHERE n = 1", "not allowed"),
        ("UPDATE ticket SET state = 'completed', ended_at = since WHERE n = 2", "not allowed"),
        ("UPDATE ticket SET state = 'called' WHERE n = 2", "(?i)check|no ticket"),
        ("UPDATE ticket SET counter = '1' WHERE n = 2", "(?i)check|no ticket"),
        (TWICE, "(?i)unique"),
    ],
)
def test_the_database_refuses_what_no_code_may_do(hall, sql, message):
    whole_visit(hall)
    before = hall.events()
    with pytest.raises(Conflict, match=message):
        write(hall, sql)
    assert hall.events() == before


def test_sqlite_does_not_replace_an_event_either(hall):
    if hall.engine == "postgres":
        return  # knows no such statement
    whole_visit(hall)
    with pytest.raises(Conflict, match="no gaps"):
        write(hall, "INSERT OR REPLACE INTO event SELECT * FROM event WHERE seq = 2")


def test_two_numbers_cannot_be_at_one_counter(hall):
    who = hall.open("1")
    hall.issue()
    hall.call(who)
    second = hall.issue()
    with pytest.raises(Conflict):
        write(hall, "UPDATE ticket SET state = 'called', counter = '1' WHERE id = :id", id=second)
    assert hall.ticket(second)["state"] == "waiting"


def test_the_same_key_in_parallel_is_one_ticket(hall):
    barrier = threading.Barrier(8)

    def press(_):
        barrier.wait(30)
        return hall.issue(key="double-tap")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(press, range(8)))) == 1
    assert hall.kinds() == ["day_opened", "issued"]


def test_a_key_belongs_to_one_request_and_one_centre(hall):
    def issue(hall, request, key="one-key-only"):
        return hall.desk.do(hall.id, lambda floor: line.issue(floor, "so-do"), key, request).result(30)

    first = issue(hall, "a")
    assert issue(hall, "a") == first
    with pytest.raises(Refused, match="key_reused"):
        issue(hall, "b")
    assert issue(hall.another("elsewhere"), "b")["id"] != first["id"]
    for key in ("short", "x" * 201, ""):
        with pytest.raises(Refused, match="bad_request"):
            issue(hall, "a", key)
    assert hall.kinds() == ["day_opened", "issued"]


def test_a_refusal_is_not_remembered(hall):
    who = counter.Officer("session-1", "1", "officer-1")
    with pytest.raises(Refused):
        hall.do(counter.call_next, who, key="call-too-early")
    hall.open("1")
    ticket = hall.issue()
    assert hall.do(counter.call_next, who, key="call-too-early")["ticket"] == ticket


def test_old_answers_are_forgotten_after_two_days(hall):
    for _ in range(3):
        hall.issue()
    hall.hands.turn(days=3)
    for _ in range(40):
        hall.issue()
    assert hall.rows("SELECT count(*) AS n FROM answer WHERE at < '2026-11-25'") == [{"n": 0}]


def test_one_bad_deed_leaves_its_neighbours_alone(hall):
    """Deeds that share a transaction fail or succeed each for itself, also those that fail after they have written."""

    def spoilt(floor):
        line.issue(floor, "khai-tu")
        raise Refused("second_thoughts", "")

    def forbidden(floor):
        line.issue(floor, "khai-tu")
        floor.tx.run("DELETE FROM ticket")

    hall.open("1")
    futures = []
    for n in range(60):
        deed = (spoilt, forbidden)[n // 3 % 2] if n % 3 == 2 else lambda floor: line.issue(floor, "khai-sinh")
        futures.append(hall.desk.do("hall", deed, f"neighbour-{n:03}"))
    failures = [type(future.exception(30)) for future in futures if future.exception(30)]
    assert sorted(kind.__name__ for kind in failures) == ["Conflict"] * 10 + ["Refused"] * 10
    numbers = sorted(row["n"] for row in hall.rows("SELECT n FROM ticket"))
    assert numbers == list(range(1, 41)), "what failed took no number"
    assert [event["seq"] for event in hall.events()] == list(range(1, 43))


def test_a_caller_that_gives_up_hinders_nobody(hall):
    begun, gate = threading.Event(), threading.Event()
    blocked = hall.store.write("hall", lambda tx: (begun.set(), gate.wait(30)))
    assert begun.wait(30)
    given_up = [hall.desk.do("hall", lambda floor: line.issue(floor, "so-do"), f"given-up-{n:03}") for n in range(5)]
    assert all(future.cancel() for future in given_up)
    gate.set()
    blocked.result(30)
    hall.issue()
    assert hall.rows("SELECT count(*) AS n FROM ticket") == [{"n": 1}]


def test_a_look_sees_one_state_however_long_it_takes(hall):
    hall.issue()
    looked, go_on = threading.Event(), threading.Event()

    def look(view):
        before = view.tx.one("SELECT count(*) AS n FROM ticket")["n"], view.seq
        looked.set()
        go_on.wait(30)
        return before, (view.tx.one("SELECT count(*) AS n FROM ticket")["n"], view.seq)

    future = hall.desk.see("hall", look)
    assert looked.wait(30)
    hall.issue()
    go_on.set()
    before, after = future.result(30)
    assert before == after == (1, 2)


def test_a_look_cannot_write(hall):
    with pytest.raises(StorageFault):
        hall.store.read(lambda tx: tx.run("DELETE FROM answer")).result(30)


def test_listeners_are_told_of_what_changed_and_of_nothing_else(hall):
    told = []
    hall.store.on_commit = lambda centres: told.extend(centres)
    other = hall.another("elsewhere")
    hall.another("marker")
    wait_until(lambda: "marker" in told)  # they are told in order: all that was before
    told.clear()
    with pytest.raises(Refused):
        hall.issue("no-such-service")
    other.issue()
    hall.another("marker2")
    wait_until(lambda: "marker2" in told)
    assert set(told) == {"elsewhere", "marker2"}


def test_everything_is_there_after_a_restart_and_a_closed_store_says_so(hall):
    tickets = [hall.issue() for _ in range(5)]
    closed = hall.store
    hall.reopened()
    with pytest.raises(StorageFault, match="closed"):
        closed.write("hall", lambda tx: 1).result(30)
    assert [row["id"] for row in hall.rows("SELECT id FROM ticket ORDER BY place")] == tickets
    assert hall.do(line.issue, "khai-sinh")["number"] == "HT-006"


def test_closing_finishes_what_was_accepted(hall):
    futures = [hall.desk.do("hall", lambda floor: line.issue(floor, "khai-sinh"), f"late-{n:06}") for n in range(100)]
    hall.reopened()
    assert all(future.result(30) for future in futures)
    assert hall.rows("SELECT count(*) AS n FROM ticket") == [{"n": 100}]


FULL_DISK = """
import resource, sys
from kiosk_queue.floor import Desk, add_centre
from kiosk_queue import line
from kiosk_queue.model import from_json
from kiosk_queue.storage.store import StorageFault, open_store
from kiosk.clock import SystemClock
store = open_store(sys.argv[1])
add_centre(store, from_json(sys.stdin.read()))
desk = Desk(store, SystemClock())
issue = lambda n: desk.do("hall", lambda floor: line.issue(floor, "khai-sinh"), f"full-disk-{n:06}").result(30)
issue(0)
resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, resource.RLIM_INFINITY))
try:
    for n in range(1, 5000):
        print(issue(n)["number"])
except StorageFault:
    print("FAULT")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(issue(n)["number"])
store.close()
"""


def test_a_full_disk_is_told_and_nothing_acknowledged_is_lost(tmp_path):
    """The file system really refuses to let the file grow; when there is room again, work goes on."""
    address = str(tmp_path / "queue.db")
    settings = model.Centre(
        id="hall", name=Text("x", "x"), counters=(),
        groups=(model.ServiceGroup("g", Text("x", "x"), "d", (model.Service("khai-sinh", Text("x", "x"), "HT"),)),),
    ).as_json()  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, address],
        input=settings, capture_output=True, text=True, timeout=90, check=False,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'queue'}", "PATH": "/usr/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *numbers, fault, last = done.stdout.split()
    assert fault == "FAULT"
    assert [*numbers, last] == [f"HT-{n:03d}" for n in range(2, len(numbers) + 3)]
    store = open_store(address)
    found = store.read(lambda tx: [row["n"] for row in tx.all("SELECT n FROM ticket ORDER BY n")]).result(30)
    store.close()
    assert found == list(range(1, len(numbers) + 3))


@pytest.fixture
def no_reserve(monkeypatch):
    """Numbers without the hole that is kept for kiosks."""
    monkeypatch.setattr(line, "RESERVE", range(10**6, 10**6 + 1))


def busy(hall, seconds, disturb):
    """Keep eight clients busy, each repeating a failed request with its key; disturb them; what they were told."""
    told, end = {}, time.monotonic() + seconds

    def client(name):
        for n in range(100_000):
            key = f"client-{name}-{n:06}"
            while time.monotonic() < end + 30:
                try:
                    told[key] = hall.issue(key=key)
                    break
                except StorageFault:
                    time.sleep(0.05)
            if time.monotonic() > end:
                return

    with ThreadPoolExecutor(9) as pool:
        futures: list[Future[None]] = [pool.submit(client, name) for name in range(8)]
        futures.append(pool.submit(disturb))
        wait(futures)
    for future in futures:
        future.result()
    return told


def answers(hall) -> bool:
    """Whether the database can be looked at (again)."""
    try:
        return bool(hall.rows("SELECT 1 AS n"))
    except StorageFault:
        return False


@pytest.mark.parametrize("disturbance", ["backends ended", "server crashed"])
def test_what_was_acknowledged_outlives_the_postgresql_server(cluster, hall, disturbance, no_reserve):
    if hall.engine == "sqlite":
        return  # has no server
    faults = []

    def disturb():
        for _ in range(3):
            time.sleep(0.5)
            if disturbance == "backends ended":
                faults.append(cluster.end_connections())
            else:
                cluster.stop("immediate")
                cluster.start()
                faults.append(1)

    told = busy(hall, 2.5, disturb)
    assert faults
    wait_until(lambda: answers(hall))
    found = hall.rows("SELECT id, n FROM ticket ORDER BY n")
    assert {row["id"] for row in found} == set(told.values()), "every answer is true, nothing happened unsaid"
    assert [row["n"] for row in found] == list(range(1, len(told) + 1))
    assert [event["seq"] for event in hall.events()] == list(range(1, len(told) + 2))


def test_an_unreachable_postgresql_is_a_fault_and_not_an_endless_wait(cluster, hall, monkeypatch):
    if hall.engine == "sqlite":
        return  # has no server
    hall.issue()
    monkeypatch.setattr(hall.store._pool, "timeout", 1.0)
    cluster.stop()
    try:
        with pytest.raises(StorageFault):
            hall.issue()
    finally:
        cluster.start()
    for _ in range(100):
        try:
            hall.issue(key="once-it-is-back")
            break
        except StorageFault:
            time.sleep(0.1)
    assert hall.rows("SELECT count(*) AS n FROM ticket") == [{"n": 2}]


def test_a_deed_is_told_how_many_rows_it_touched_and_of_a_broken_rule_at_the_end(hall):
    hall.issue()
    hall.issue()
    assert write(hall, "UPDATE ticket SET note = 'x' WHERE n = :n", n=2) == 1
    assert write(hall, "UPDATE ticket SET note = 'y'") == 2

    def late(tx):
        tx.put("DELETE FROM ticket")

    with pytest.raises(Conflict, match="not deleted"):
        hall.store.write("hall", late).result(30)
    assert hall.rows("SELECT note FROM ticket") == [{"note": "y"}, {"note": "y"}]


def test_what_a_refused_deed_said_first_can_be_said_by_the_next(hall):
    hall.issue()

    def refused(tx):
        tx.put("DELETE FROM ticket")
        tx.put("UPDATE ticket SET note = :note, reference = ''", note="said")

    def allowed(tx):
        return tx.run("UPDATE ticket SET note = :note, reference = ''", note="said")

    for _ in range(2):
        with pytest.raises(Conflict, match="not deleted"):
            hall.store.write("hall", refused).result(30)
    assert hall.store.write("hall", allowed).result(30) == 1
    assert hall.rows("SELECT note FROM ticket") == [{"note": "said"}]
