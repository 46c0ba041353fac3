"""Keeping an appointment with the kiosk's own client against the real server."""

from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import msgspec
import pytest

from kiosk.appointment import Appointment, AppointmentCode, Standing
from kiosk.catalogue import PriorityGroup
from kiosk.config import KioskSettings, QueueSettings
from kiosk.health import Failure, Reason
from kiosk.slips import Pair, ticket_slip
from kiosk.text import Text
from kiosk_queue import appointments, counter
from kiosk_queue.api import shapes
from kiosk_queue.client import QueueClient
from kiosk_queue.counter import Officer
from kiosk_queue.floor import add_centre, change_settings
from kiosk_queue.model import Appointments, Centre, Window

ELDERLY = PriorityGroup("elderly", Text("Người cao tuổi", "Elderly"))
AT = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)  # half past eight in Vietnam; the hands stand at eight
CENTRE = "centre"


@pytest.fixture
def site(running_by_hand):
    """A server with appointments."""
    allowed = {"appointments": Appointments(15, 2, 10), "windows": (Window(time(7), time(17)),)}
    do(running_by_hand, lambda f: change_settings(f, replace(f.centre, **allowed), "test", f.centre.version))
    return running_by_hand


def do(site, deed) -> dict:
    return site.desk.do(CENTRE, deed).result()


@pytest.fixture
def client(site, tmp_path: Path) -> QueueClient:
    (tmp_path / "token").write_text(site.token("kiosk", "K01"))
    (tmp_path / "token").chmod(0o600)
    return client_of(site.url, tmp_path)


def client_of(url: str, folder: Path) -> QueueClient:
    settings = QueueSettings(url=url, token_file=folder / "token", timeout=2.0, offline_numbers=0)
    return QueueClient(settings, KioskSettings(id="K01", state=folder / "state"))


@pytest.fixture
def code(site) -> AppointmentCode:
    """An appointment at 8:30 as its QR code says it."""
    booked = do(site, lambda floor: appointments.book(floor, "khai-sinh", "2026-11-23T01:30:00.000Z"))
    return AppointmentCode("http://queue.test/a/", booked["id"])


async def found(client, code) -> Appointment:
    answer = await client.appointment(code)
    assert isinstance(answer, Appointment), answer
    return answer


async def test_its_standing_goes_with_the_servers_clock(client, code, hands) -> None:
    early = await found(client, code)
    assert (early.at, early.opens) == (AT, AT.replace(minute=20)) and early.service.vi == "Đăng ký khai sinh"
    seen = [early.standing]
    for minutes in (20, 25, 1):
        hands.turn(minutes=minutes)
        seen.append((await found(client, code)).standing)
    assert seen == [Standing.EARLY, Standing.DUE, Standing.DUE, Standing.LATE]


async def test_the_number_bears_the_time_and_the_same_key_has_the_same_number(site, client, code, hands) -> None:
    hands.turn(minutes=25)
    appointment = await found(client, code)
    ticket = await client.check_in(appointment, ELDERLY, "visit-1-appointment")
    assert (ticket.number, ticket.priority) == ("HT-001", ELDERLY.name)
    assert ticket.url == f"http://queue.test/t/{ticket.id}"
    assert Pair("Lịch hẹn / Appointment", "08:30 23/11/2026") in ticket_slip(ticket).elements
    assert await client.check_in(appointment, ELDERLY, "visit-1-appointment") == ticket
    await client.printed(ticket, True)
    kept = await found(client, code)
    assert kept.standing is Standing.KEPT
    again = await client.check_in(kept, None, "visit-2-appointment")
    assert (again.id, again.issued_at, again.appointment.at) == (ticket.id, ticket.issued_at, AT)


async def test_who_comes_late_gets_an_ordinary_number(client, code, hands) -> None:
    hands.turn(minutes=46)
    ticket = await client.check_in(await found(client, code), None, "visit-1-appointment")
    assert ticket.appointment.standing is Standing.LATE


async def test_a_number_that_was_called_and_is_over_is_not_shown_again(site, client, code, hands) -> None:
    hands.turn(minutes=30)
    ticket = await client.check_in(await found(client, code), None, "visit-1-appointment")
    who = Officer("session", "1")
    do(site, lambda floor: counter.open_counter(floor, who))
    do(site, lambda floor: counter.call_next(floor, who))
    kept = await found(client, code)
    called = await client.check_in(kept, None, "visit-2-appointment")
    assert (called.id, called.ahead) == (ticket.id, None)
    do(site, lambda floor: counter.complete(floor, who, ticket.id))
    assert await client.check_in(kept, None, "visit-3-appointment") == Failure(Reason.APPOINTMENT_USED)


async def test_what_is_worth_nothing_here_is_told_apart(site, client, code) -> None:
    nobodys = replace(code, token="x" * 22)
    assert await client.appointment(nobodys) == Failure(Reason.APPOINTMENT_UNKNOWN)
    for address in ("http://queue.test/c/other/a/", "https://elsewhere.example.vn/a/"):
        assert await client.appointment(replace(nobodys, address=address)) == Failure(Reason.APPOINTMENT_ELSEWHERE)
    moved = replace(code, address="https://new-name.example.vn/a/")
    assert (await found(client, moved)).at == AT, "the server's name may have changed since"
    do(site, lambda floor: appointments.cancel(floor, code.token))
    assert await client.appointment(code) == Failure(Reason.APPOINTMENT_CANCELLED)


async def test_the_appointment_of_another_centre_of_the_same_server_is_elsewhere(site, client, code) -> None:
    ours: Centre = site.desk.see(CENTRE, lambda view: view.centre).result()
    add_centre(site.desk.store, replace(ours, id="other"))
    slot = "2026-11-23T01:30:00.000Z"
    booked = site.desk.do("other", lambda floor: appointments.book(floor, "khai-sinh", slot)).result()
    theirs = AppointmentCode("http://queue.test/c/other/a/", booked["id"])
    assert await client.appointment(theirs) == Failure(Reason.APPOINTMENT_ELSEWHERE)


def test_programs_get_what_is_documented(site, code, hands) -> None:
    hands.turn(minutes=25)
    for method, path, shape in (("GET", "", shapes.Appointment), ("POST", "/check-in", shapes.CheckedIn)):
        answer = site.api(method, f"/appointments/{code.token}{path}", {}).json()
        assert msgspec.to_builtins(msgspec.convert(answer, shape)) == answer


async def test_with_the_server_away_nothing_is_promised(site, client, code, hands, tmp_path) -> None:
    hands.turn(minutes=25)
    appointment = await found(client, code)
    site.stop()
    for answer in (await client.appointment(code), await client.check_in(appointment, None, "visit-1-appointment")):
        assert answer.reason is Reason.APPOINTMENT_UNCHECKED
