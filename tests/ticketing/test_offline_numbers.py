"""A kiosk without its server: numbers of the leased block, told to the server afterwards, none twice, none lost."""

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite

from hardware.simulators.wire import Wire
from kiosk.catalogue import PriorityGroup, Service
from kiosk.config import KioskSettings, QueueSettings
from kiosk.health import Failure, Level, Reason
from kiosk.slips import Pair, ticket_slip
from kiosk.text import Text
from kiosk.ticket import Ticket
from kiosk_queue import client as client_module
from kiosk_queue import offline
from kiosk_queue.client import QueueClient
from kiosk_queue.offline import Ledger
from morning import MORNING
from waiting import until

BIRTH = Service("khai-sinh", Text("Đăng ký khai sinh", "Birth registration"), "HT")
LAND = Service("so-do", Text("Cấp giấy chứng nhận", "Land certificate"), "DD")
ELDERLY = PriorityGroup("elderly", Text("Người cao tuổi", "Elderly"))
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def attentive(monkeypatch) -> None:
    monkeypatch.setattr(client_module, "WATCH_SECONDS", 0.05)


def make(running, folder: Path, url: str = "", clock=None, size: int = 10, timeout: float = 2.0) -> QueueClient:
    (folder / "token").write_text(running.token("kiosk", "K01"))
    (folder / "token").chmod(0o600)
    settings = QueueSettings(url=url or running.url, token_file=folder / "token", timeout=timeout, offline_numbers=size)
    return QueueClient(settings, KioskSettings(id="K01", state=folder / "state"), clock or MORNING)


async def end_watch(client: QueueClient) -> None:
    """End the watch, and with it the request that a thread may be about to make."""
    client._watch.cancel()
    requests = client._server._workers
    client._server.close()
    await asyncio.to_thread(requests.shutdown)


def tickets(running, columns: str = "series, n, state, paper") -> list[dict]:
    """Every ticket of the server in the order in which it learned of them."""
    sql = f"SELECT {columns} FROM ticket ORDER BY place"
    return [dict(row) for row in running.desk.see("centre", lambda view: view.tx.all(sql)).result()]


def blocks(running) -> list[tuple[str, int, int]]:
    look = "SELECT series, first, last FROM block ORDER BY day, series, first"
    rows = running.desk.see("centre", lambda view: view.tx.all(look)).result()
    return [(row["series"], row["first"], row["last"]) for row in rows]


async def ready(client: QueueClient, size: int = 1) -> None:
    """Until the kiosk has `size` numbers of each series in reserve."""
    async with asyncio.timeout(30):
        left: dict[str, int] = {}
        while min(left.get("HT", 0), left.get("DD", 0)) < size:
            await asyncio.sleep(0.01)
            left = await client._left()


async def test_the_citizen_notices_nothing_but_a_missing_estimate(running, tmp_path) -> None:
    async with make(running, tmp_path) as client:
        await ready(client)
        before = await client.groups()
        running.stop()
        assert await client.groups() == before
        first = await client.issue(BIRTH, ELDERLY, "visit-1-ticket")
        second = await client.issue(BIRTH, None, "visit-2-ticket")
        assert (first.number, second.number) == ("HT-501", "HT-502")
        assert (first.ahead, first.service, first.priority) == (None, BIRTH.name, ELDERLY.name)
        assert first.centre == Text("Trung tâm thử nghiệm", "Test centre")
        assert first.url == f"http://queue.test/t/{first.id}"
        assert await client.issue(BIRTH, ELDERLY, "visit-1-ticket") == first
        assert (client.status.level, client.status.reason) == (Level.DEGRADED, Reason.QUEUE_OFFLINE_NUMBERS)
        assert client.status.usable
        await client.printed(first, True)
        await client.printed(second, False)
        running.start()
        await until(lambda: len(tickets(running)) == 2 and client.status.level is Level.READY)
        assert await client.issue(BIRTH, ELDERLY, "visit-1-ticket") == first, "the key still gives the same number"
    kept = tickets(running, "id, n, state, paper, urgent, channel")
    assert [(t["id"], t["n"], t["state"], t["paper"]) for t in kept] == [
        (first.id, 501, "waiting", "printed"),
        (second.id, 502, "waiting", "failed"),
    ]
    assert [(t["urgent"], t["channel"]) for t in kept] == [(1, "kiosk"), (0, "kiosk")]
    assert running.api("GET", f"/tickets/{first.id}").json()["url"] == first.url
    assert running.counter("1").next()["number"] == "HT-501", "whoever came first is called first"


def test_a_slip_without_an_estimate_says_nothing_about_waiting() -> None:
    def pairs(ahead: int | None) -> list[str]:
        ticket = Ticket("x" * 16, "HT-001", BIRTH.name, Text("Trung tâm"), NOW, ahead, "http://queue.test/t/x")
        return [element.label for element in ticket_slip(ticket).elements if isinstance(element, Pair)]

    assert len(pairs(3)) == len(pairs(0)) == 2
    assert len(pairs(None)) == 1
    assert not any("chờ" in label for label in pairs(None))


async def test_when_the_block_is_empty_the_usual_remedy_is_shown(running, tmp_path) -> None:
    async with make(running, tmp_path, size=2) as client:
        await ready(client)
        running.stop()
        for visit in range(2):
            assert isinstance(await client.issue(BIRTH, None, f"visit-{visit}-ticket"), Ticket)
        assert (await client.issue(BIRTH, None, "visit-3-ticket")).reason is Reason.QUEUE_UNREACHABLE
        offered = [service.id for group in await client.groups() for service in group.services]
        assert offered == ["so-do"], "only what there are numbers for"
        assert client.status.reason is Reason.QUEUE_OFFLINE_NUMBERS
        for visit in range(4, 6):
            assert isinstance(await client.issue(LAND, None, f"visit-{visit}-ticket"), Ticket)
        assert (await client.groups()).reason is Reason.QUEUE_UNREACHABLE
        assert (client.status.level, client.status.reason) == (Level.FAULT, Reason.QUEUE_UNREACHABLE)


async def test_a_kiosk_that_starts_without_its_server_has_the_numbers_of_before(running, tmp_path) -> None:
    async with make(running, tmp_path) as client:
        await ready(client)
    running.stop()
    async with make(running, tmp_path) as client:
        assert [group.id for group in await client.groups()] == ["hotich", "datdai"]
        assert (await client.issue(LAND, None, "visit-1-ticket")).number == "DD-501"


async def test_a_kiosk_whose_token_was_revoked_gives_out_nothing(running, tmp_path) -> None:
    async with make(running, tmp_path) as client:
        await ready(client)
        running.tokens.clear()
        running.token("kiosk", "K01")  # another one under the same name
        await until(lambda: client.status.reason is Reason.QUEUE_REFUSED)
        assert (await client.issue(BIRTH, None, "visit-1-ticket")).reason is Reason.QUEUE_REFUSED
        assert client.status.level is Level.FAULT


async def test_the_block_is_renewed_when_half_of_it_is_used(running, tmp_path) -> None:
    async with make(running, tmp_path, size=4) as client:
        await ready(client)
        assert blocks(running) == [("DD", 501, 504), ("HT", 501, 504)]
        given = []
        for outage in range(2):
            running.stop()
            for visit in range(2):
                given.append((await client.issue(BIRTH, None, f"visit-{outage}-{visit}")).number)
                await client.printed(Ticket("?", "", BIRTH.name, BIRTH.name, NOW, 0, ""), True)
            running.start()
            await until(lambda: client.status.level is Level.READY)
        await until(lambda: len(blocks(running)) == 3)
    assert given == ["HT-501", "HT-502", "HT-503", "HT-504"]
    assert blocks(running) == [("DD", 501, 504), ("HT", 501, 504), ("HT", 505, 508)]


def test_numbers_of_the_line_go_on_behind_the_reserve(running) -> None:
    running.issue()
    running.desk.do("centre", lambda floor: {"rows": floor.tx.run("UPDATE series SET last = 499")}).result()
    assert [running.issue()["number"] for _ in range(2)] == ["HT-500", "HT-2001"]
    running.desk.do("centre", lambda floor: {"rows": floor.tx.run("UPDATE series SET leased = 1499")}).result()
    lease = {"series": "HT", "size": 1}
    assert running.api("POST", "/blocks", lease).json()["last"] == 2000
    assert running.api("POST", "/blocks", lease).json()["reason"] == "used_up"


async def test_a_new_business_day_brings_a_new_block(running_by_hand, hands, tmp_path) -> None:
    running = running_by_hand
    async with make(running, tmp_path, clock=hands, size=4) as client:
        await ready(client)
        hands.turn(days=1)
        await ready(client, 4)
        assert len(blocks(running)) == 4
        running.stop()
        assert (await client.issue(BIRTH, None, "visit-1-ticket")).number == "HT-501", "of the new day"
        hands.turn(days=1)
        answer = await client.issue(BIRTH, None, "visit-2-ticket")
        assert isinstance(answer, Failure), "numbers of yesterday are nobody's today"
    with contextlib.closing(Ledger(tmp_path / "state" / "queue-numbers.db")) as ledger:
        assert ledger.left("2026-11-24") == {"DD": 4, "HT": 3}


async def test_a_lost_answer_to_a_lease_costs_no_numbers(running, tmp_path) -> None:
    wire = Wire("wire", "127.0.0.1", running.port)
    await wire.start()
    client = make(running, tmp_path, f"http://127.0.0.1:{wire.port}")
    try:
        services = await client._ask("GET", "/services")
        centre = await client._ask("GET", "/centre")
        await client._reserve.use(lambda ledger: ledger.remember("centre", centre), None)
        await wire.act("lose_reply")
        assert not await client._lease(services["day"], "HT", MORNING.now())
        assert await client._lease(services["day"], "HT", MORNING.now())
        assert blocks(running) == [("HT", 501, 510)]
        assert await client._left() == {"HT": 10}
    finally:
        await client.stop()
        await wire.stop()


async def test_a_kiosk_with_a_new_disk_never_gets_a_block_that_it_has_used(running, tmp_path) -> None:
    for disk in ("one", "two"):
        (tmp_path / disk).mkdir()
        async with make(running, tmp_path / disk):
            await until(lambda disk=disk: len(blocks(running)) == (2 if disk == "one" else 4))
    assert blocks(running) == [("DD", 501, 510), ("DD", 511, 520), ("HT", 501, 510), ("HT", 511, 520)]


async def test_a_number_taken_just_before_the_line_broke_does_not_become_two(running, tmp_path) -> None:
    """The server gives a number, its answer is lost, and then nothing gets through any more."""
    wire = Wire("wire", "127.0.0.1", running.port)
    await wire.start()
    try:
        async with make(running, tmp_path, f"http://127.0.0.1:{wire.port}") as client:
            await ready(client)
            await end_watch(client)  # its last request is not the one to get lost
            await wire.act("lose_reply")
            issuing = asyncio.create_task(client.issue(BIRTH, None, "visit-1-ticket"))
            while wire.losing:
                await asyncio.sleep(0)
            wire._server.close()  # nothing new gets through, what is on its way does
            ticket = await issuing
            await until(lambda: tickets(running))
            await wire.act("cut")
            assert (ticket.number, ticket.ahead) == ("HT-501", None)
            await client.printed(ticket, True)
            assert [(t["n"], t["state"]) for t in tickets(running)] == [(1, "reserved")]
            await wire.act("mend")
            await client.start()
            await until(lambda: len(tickets(running)) == 2)
        assert [(t["n"], t["state"]) for t in tickets(running)] == [(1, "void"), (501, "waiting")]
    finally:
        await wire.stop()


async def test_a_request_that_arrives_after_all_finds_its_key_used_up(running) -> None:
    lease = running.api("POST", "/blocks", {"series": "HT", "size": 2}, name="K01").json()
    given = {
        "id": "chosen-by-the-kiosk", "block": lease["block"], "n": lease["first"], "service": "khai-sinh",
        "issued_at": MORNING.now().isoformat(), "instead_of": "visit-1-ticket",
    }  # fmt: skip
    assert running.api("POST", "/tickets/reconcile", given, name="K01").status_code == 200
    order = {"service": "khai-sinh", "group": "", "channel": "kiosk"}
    late = running.api("POST", "/tickets", order, key="visit-1-ticket", name="K01")
    assert (late.status_code, late.json()["reason"]) == (422, "key_reused")
    assert running.api("POST", "/tickets/reconcile", given, name="K01").json()["number"] == "HT-501"
    assert [(t["n"], t["state"]) for t in tickets(running)] == [(501, "waiting")]
    other = running.api("POST", "/tickets", order, key="visit-1-ticket", name="K02")
    assert other.status_code == 201, "another kiosk's keys are its own"


async def test_a_number_that_was_called_stays_although_its_answer_was_lost(running) -> None:
    order = {"service": "khai-sinh", "group": "", "channel": "kiosk"}
    running.api("POST", "/tickets", order, key="visit-1-ticket", name="K01")
    lease = running.api("POST", "/blocks", {"series": "HT", "size": 2}, name="K01").json()
    running.counter("1").next()
    given = {
        "id": "chosen-by-the-kiosk", "block": lease["block"], "n": lease["first"], "service": "khai-sinh",
        "issued_at": MORNING.now().isoformat(), "instead_of": "visit-1-ticket",
    }  # fmt: skip
    assert running.api("POST", "/tickets/reconcile", given, name="K01").status_code == 200
    assert [(t["n"], t["state"]) for t in tickets(running)] == [(1, "called"), (501, "waiting")]


async def test_a_slip_nobody_told_of_counts_as_unprinted_until_it_is(running, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(offline, "PRINTING", timedelta(hours=1))
    async with make(running, tmp_path) as client:
        await ready(client)
        running.stop()
        ticket = await client.issue(BIRTH, None, "visit-1-ticket")
        running.start()
        await until(lambda: client.status.level is Level.READY)
        assert tickets(running) == [], "its slip may be on its way out of the printer"
        monkeypatch.setattr(offline, "PRINTING", timedelta(0))
        await until(lambda: [t["paper"] for t in tickets(running)] == ["failed"])
        await client.printed(ticket, True)
        await until(lambda: [t["paper"] for t in tickets(running)] == ["printed"])


async def test_a_number_that_the_server_never_takes_does_not_hold_up_the_others(running, tmp_path, caplog) -> None:
    async with make(running, tmp_path) as client:
        await ready(client)
        running.stop()
        for visit in range(2):
            await client.printed(await client.issue(BIRTH, None, f"visit-{visit}-ticket"), True)
        with contextlib.closing(sqlite.connect(tmp_path / "state" / "queue-numbers.db")) as file:
            file.execute("UPDATE given SET service = 'gone' WHERE n = 501")
            file.commit()
        running.start()
        await until(lambda: [t["n"] for t in tickets(running)] == [502])
    assert "does not take number HT-501" in caplog.text


async def test_a_broken_file_costs_the_reserve_and_not_the_numbers_of_the_server(running, tmp_path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "queue-numbers.db").write_bytes(b"not a database at all " * 500)
    async with make(running, tmp_path) as client:
        assert (await client.issue(BIRTH, None, "visit-1-ticket")).number == "HT-001"
        running.stop()
        assert (await client.issue(BIRTH, None, "visit-2-ticket")).reason is Reason.QUEUE_UNREACHABLE


POWER_CUT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from kiosk_queue.offline import Ledger
ledger = Ledger(Path(sys.argv[1]))
for n in range(100000):
    given = ledger.give(f"{sys.argv[2]}-{n}", "2026-11-23", "HT", "khai-sinh", "", datetime.now(UTC))
    print(given.number, flush=True)
"""


def test_power_cuts_at_any_moment_never_give_a_number_twice(helpers, tmp_path) -> None:
    path = tmp_path / "numbers.db"
    with contextlib.closing(Ledger(path)) as ledger:
        ledger.add_block("a block of the test", "2026-11-23", "HT", 1, 1_000_000)
    handed_out: list[str] = []
    chance = random.Random(4)
    for cut in range(8):
        kiosk = helpers.program(POWER_CUT, str(path), f"visit-{cut}")
        handed_out.append(kiosk.stdout.readline().decode().strip())
        time.sleep(chance.uniform(0, 0.1))
        kiosk.send_signal(signal.SIGKILL)
        handed_out += kiosk.communicate()[0].decode().split("\n")[:-1]
    assert len(handed_out) > 50
    assert len(set(handed_out)) == len(handed_out)
    with contextlib.closing(Ledger(path)) as ledger:
        kept = [given.number for given in ledger.to_tell(NOW + timedelta(days=900))]
    assert set(handed_out) <= set(kept)
    assert kept == [f"HT-{n:03d}" for n in range(1, len(kept) + 1)]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_the_line_does_each_citizen_has_one_number_and_each_number_one_citizen(
    running, tmp_path, seed
) -> None:
    chance = random.Random(seed)
    wire = Wire("wire", "127.0.0.1", running.port)
    await wire.start()
    held: dict[str, str] = {}
    turned_away = 0

    async def citizens(client: QueueClient, name: str) -> None:
        nonlocal turned_away
        for visit in range(12):
            ticket = await client.issue(BIRTH, None, f"citizen-{name}-{visit}")
            if isinstance(ticket, Failure):  # as a person who goes to the reception desk
                turned_away += 1
                assert ticket.reason is Reason.QUEUE_UNREACHABLE
            else:
                assert ticket.number not in held.values()
                held[ticket.id] = ticket.number
                await client.printed(ticket, True)
            await asyncio.sleep(chance.uniform(0, 0.1))

    async def trouble() -> None:
        while True:
            await wire.act(chance.choice(("cut", "stall", "lose_reply", "lose_reply")))
            await asyncio.sleep(chance.uniform(0, 0.5))
            await wire.act("mend")
            wire.passing.set()
            await asyncio.sleep(chance.uniform(0, 0.4))

    try:
        async with make(running, tmp_path, f"http://127.0.0.1:{wire.port}", size=50, timeout=0.4) as client:
            await ready(client)
            troubling = asyncio.create_task(trouble())
            await asyncio.gather(*(citizens(client, name) for name in "abc"))
            troubling.cancel()
            await wire.act("mend")
            wire.passing.set()

            def settled() -> bool:
                live = {t["id"] for t in tickets(running, "id, state") if t["state"] != "void"}
                return set(held) <= live and {t["paper"] for t in tickets(running) if t["state"] != "void"} == {
                    "printed"
                }

            await until(settled, 60)
    finally:
        await wire.stop()
    kept = tickets(running, "id, series, n, state, paper")
    live = {t["id"]: f"{t['series']}-{t['n']:03d}" for t in kept if t["state"] != "void"}
    assert turned_away == 0
    assert live == held
    assert max(Counter(live.values()).values()) == 1
    assert {t["paper"] for t in kept if t["state"] != "void"} == {"printed"}
