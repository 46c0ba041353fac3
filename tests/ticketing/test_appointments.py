"""Appointments: slots, booking and its token, moving, cancelling, check-in at the kiosk, and their public pages."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest
import requests
from playwright.sync_api import expect, sync_playwright

from kiosk.clock import utc_iso
from kiosk_queue import appointments, counter, line
from kiosk_queue.counter import Officer
from kiosk_queue.floor import Refused, change_settings
from kiosk_queue.model import Appointments, Window
from kiosk_queue.phone.appointment_pages import CHANGES, SECONDS, Pace

TODAY = date(2026, 11, 23)
WINDOWS = (Window(time(7, 30), time(11, 30)), Window(time(13, 30), time(17)))


def at(hour: int, minute: int = 0, day: date = TODAY) -> str:
    """A slot, by the clock of the centre."""
    return utc_iso(datetime(day.year, day.month, day.day, hour - 7, minute, tzinfo=UTC))


def allow(desk, **changes) -> None:
    """Take over settings with appointments of 15 minutes, two places each."""
    given = {"appointments": Appointments(15, 2, 10), "windows": WINDOWS, "weekdays": (0, 1, 2, 3, 4)} | changes
    desk.do("centre", lambda f: change_settings(f, replace(f.centre, **given), "test", f.centre.version)).result()


@pytest.fixture
def do(desk):
    """Deeds of a centre with appointments; it is Monday, 8 o'clock."""
    allow(desk)
    return lambda deed: desk.do("centre", deed).result()


@pytest.fixture
def see(desk, do):
    return lambda look: desk.see("centre", look).result()


def refused(do, deed) -> str:
    with pytest.raises(Refused) as caught:
        do(deed)
    return caught.value.reason


def free(see, day: date = TODAY, service: str = "khai-sinh") -> dict[str, int]:
    return {slot["time"]: slot["free"] for slot in see(lambda view: appointments.free_slots(view, service, day))}


def book(do, slot: str, service: str = "khai-sinh") -> str:
    return do(lambda floor: appointments.book(floor, service, slot))["id"]


def test_slots_lie_within_working_time_and_still_ahead(see) -> None:
    found = list(free(see))
    assert found[0] == "08:15" and "11:15" in found and "11:30" not in found
    assert "13:30" in found and found[-1] == "16:45"
    assert free(see, date(2026, 11, 28)) == {}  # a Saturday
    assert free(see, date(2026, 12, 20)) == {}  # too far ahead
    assert TODAY in see(appointments.days) and date(2026, 11, 28) not in see(appointments.days)


def test_a_slot_is_given_as_often_as_it_has_places_and_no_more(do, see) -> None:
    tokens = {book(do, at(9)) for _ in range(2)}
    assert len(tokens) == 2 and all(len(token) >= 20 for token in tokens)
    assert free(see)["09:00"] == 0
    assert refused(do, lambda floor: appointments.book(floor, "khai-sinh", at(9))) == "slot_gone"
    book(do, at(9), "so-do")  # another service has places of its own
    do(lambda floor: appointments.cancel(floor, tokens.pop()))
    assert free(see)["09:00"] == 1
    book(do, at(9))


@pytest.mark.parametrize(
    ("slot", "reason"),
    [
        (at(7, 45), "slot_gone"),  # gone by
        (at(12), "bad_request"),  # noon
        (at(9, 5), "bad_request"),  # between two slots
        (at(9, day=date(2026, 11, 28)), "bad_request"),
        (at(9, day=date(2027, 3, 1)), "slot_gone"),
        ("tomorrow", "bad_request"),
        ("", "bad_request"),
    ],
)
def test_only_slots_that_are_offered_are_given(do, slot, reason) -> None:
    assert refused(do, lambda floor: appointments.book(floor, "khai-sinh", slot)) == reason


def test_a_move_frees_the_old_place_and_keeps_the_token(do, see) -> None:
    token = book(do, at(9))
    do(lambda floor: appointments.move(floor, token, at(10)))
    assert (free(see)["09:00"], free(see)["10:00"]) == (2, 1)
    assert see(lambda view: appointments.appointment(view, token))["slot"] == at(10)


def test_check_in_joins_the_line_at_the_time_of_the_appointment(do, see, hands) -> None:
    token = book(do, at(8, 30))
    hands.turn(minutes=25)
    walk_in = do(lambda floor: line.issue(floor, "khai-sinh"))
    ticket = do(lambda floor: appointments.check_in(floor, token))
    assert ticket["appointment"] == {"at": "08:30", "late": False}
    hands.turn(minutes=15)
    who = Officer("session", "1")
    do(lambda floor: counter.open_counter(floor, who))
    first = do(lambda floor: counter.call_next(floor, who))["ticket"]
    assert first == walk_in["id"]  # since 08:25; the appointment waits since 08:30
    assert do(lambda floor: counter.call_next(floor, who))["ticket"] == ticket["id"]
    waited = see(lambda view: view.tx.one("SELECT since FROM ticket WHERE id = :id", id=ticket["id"]))
    assert waited["since"] == at(8, 30)


def test_checking_in_again_gives_the_same_number(do, hands) -> None:
    token = book(do, at(8, 15))
    hands.turn(minutes=10)
    first = do(lambda floor: appointments.check_in(floor, token))
    again = do(lambda floor: appointments.check_in(floor, token))
    assert (again["id"], again["number"], again["appointment"]) == (first["id"], first["number"], first["appointment"])
    assert refused(do, lambda floor: appointments.cancel(floor, token)) == "changed"
    assert refused(do, lambda floor: appointments.move(floor, token, at(10))) == "changed"


def test_who_comes_too_early_is_told_when_to_come_back(do, hands) -> None:
    token, other_day = book(do, at(9)), book(do, at(9, day=date(2026, 11, 25)))
    with pytest.raises(Refused, match="too_early") as caught:
        do(lambda floor: appointments.check_in(floor, token))
    assert "08:50" in caught.value.text
    with pytest.raises(Refused) as caught:
        do(lambda floor: appointments.check_in(floor, other_day))
    assert "08:50 ngày 25/11/2026" in caught.value.text
    hands.turn(minutes=50)
    assert do(lambda floor: appointments.check_in(floor, token))["appointment"]["late"] is False


def test_who_comes_too_late_gets_an_ordinary_number_and_is_told(do, see, hands) -> None:
    token = book(do, at(8, 30))
    hands.turn(minutes=46)
    ticket = do(lambda floor: appointments.check_in(floor, token))
    assert ticket["appointment"] == {"at": "08:30", "late": True}
    row = see(lambda view: view.tx.one("SELECT * FROM ticket WHERE id = :id", id=ticket["id"]))
    assert (row["appointment"], row["since"]) == (0, row["issued_at"])


def test_an_appointment_is_kept_even_when_no_more_numbers_are_given_out(desk, do, hands) -> None:
    allow(desk, stop_issuing_minutes=120)
    token = book(do, at(11, 15))
    hands.turn(hours=3, minutes=10)
    assert do(lambda floor: appointments.check_in(floor, token))["number"] == "HT-001"


def test_a_cancelled_or_unknown_appointment_gives_no_number(do, hands) -> None:
    token = book(do, at(8, 30))
    do(lambda floor: appointments.cancel(floor, token))
    hands.turn(minutes=30)
    assert refused(do, lambda floor: appointments.check_in(floor, token)) == "cancelled"
    assert refused(do, lambda floor: appointments.check_in(floor, "a" * 22)) == "not_found"


def test_the_stream_tells_of_appointments_without_their_tokens(do, see, hands) -> None:
    token = book(do, at(8, 30))
    do(lambda floor: appointments.move(floor, token, at(8, 15)))
    hands.turn(minutes=10)
    do(lambda floor: appointments.check_in(floor, token))
    rows = see(lambda view: view.tx.all("SELECT kind, body FROM event"))
    assert {"appointment_booked", "appointment_moved", "appointment_kept"} <= {row["kind"] for row in rows}
    assert not any(token in row["body"] for row in rows)


def test_no_slot_falls_into_the_hour_that_a_clock_skips(see) -> None:
    spring = date(2027, 3, 28)
    centre = replace(see(lambda view: view.centre), zone="Europe/Berlin", windows=(Window(time(1), time(4)),),
                     weekdays=(6,))  # fmt: skip
    found = [moment.astimezone(centre.tz).strftime("%H:%M") for moment in appointments.slots(centre, spring)]
    assert "01:45" in found and "03:00" in found
    assert not any(moment.startswith("02") for moment in found)
    assert len(found) == len(set(found))


# --- over HTTP ---


@pytest.fixture
def site(running_by_hand) -> Iterator:
    allow(running_by_hand.desk)
    return running_by_hand


def post(site, path: str, **form: str) -> requests.Response:
    return requests.post(site.url + path, data=form, timeout=30, allow_redirects=False)


def booked(site, slot: str, key: str = "abcdefgh-1") -> str:
    answer = post(site, "/appointments", service="khai-sinh", slot=slot, key=key)
    assert answer.status_code == 303, answer.text
    return re.fullmatch(r"/a/([\w-]+)\?lang=vi", answer.headers["location"])[1]


def test_a_form_sent_twice_books_once(site) -> None:
    assert booked(site, at(9)) == booked(site, at(9))
    assert "còn 1" in re.sub(r"\s+", " ", requests.get(site.url + "/appointments?service=khai-sinh").text)


def test_the_kiosk_checks_in_by_the_token_of_the_qr_code(site, hands) -> None:
    token = booked(site, at(8, 15))
    path = f"/appointments/{token}/check-in"
    early = site.api("POST", path, {})
    assert (early.status_code, early.json()["reason"]) == (409, "too_early") and "08:05" in early.json()["title"]
    hands.turn(minutes=10)
    assert requests.post(f"{site.url}/api/v1{path}", json={}, timeout=30).status_code == 401
    assert site.api("POST", path, {}, role="display").status_code == 403
    ticket = site.api("POST", path, {"group": "elderly"}).json()
    assert ticket["url"] == f"http://queue.test/t/{ticket['id']}" and ticket["group"] == "elderly"
    assert site.api("POST", path, {}).json()["number"] == ticket["number"]
    state = requests.get(f"{site.url}/t/{ticket['id']}/state", timeout=30).json()
    assert (state["appointment"], state["urgent"]) == ("08:15", True)


def test_a_slot_that_is_gone_shows_those_that_are_left(site) -> None:
    for key in ("abcdefgh-1", "abcdefgh-2"):
        booked(site, at(9), key)
    answer = post(site, "/appointments?service=khai-sinh", service="khai-sinh", slot=at(9), key="abcdefgh-3")
    assert answer.status_code == 409 and "vừa hết chỗ" in answer.text and "09:15" in answer.text


def test_one_address_cannot_take_every_slot() -> None:
    now = 0.0
    pace = Pace(lambda: now)
    for _ in range(CHANGES):
        pace.take("192.0.2.1")
    with pytest.raises(Refused, match="too_many"):
        pace.take("192.0.2.1")
    pace.take("192.0.2.2")
    now = SECONDS + 1
    pace.take("192.0.2.1")


def test_too_many_bookings_are_answered_in_words(site) -> None:
    for n in range(CHANGES):
        post(site, "/appointments", service="khai-sinh", slot=at(9, 15), key=f"abcdefgh-{n}")
    answer = post(site, "/appointments?service=khai-sinh", service="khai-sinh", slot=at(10), key="abcdefgh-x")
    assert answer.status_code == 429 and "Quá nhiều yêu cầu" in answer.text


def test_a_centre_without_appointments_sends_people_to_the_kiosk(running) -> None:
    answer = requests.get(running.url + "/appointments", timeout=30)
    assert answer.ok and "lấy số tại kiosk" in answer.text


def test_a_citizen_books_moves_and_cancels_on_the_phone_without_a_script(site) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_context(
            viewport={"width": 320, "height": 640}, locale="vi-VN", java_script_enabled=False
        ).new_page()  # fmt: skip
        page.goto(site.url + "/appointments")
        page.get_by_role("link", name="Đăng ký khai sinh").click()
        page.get_by_role("link", name="Thứ Ba, 24/11/2026").click()
        page.get_by_role("radio", name="09:30").check()
        page.get_by_role("button", name="Đặt giờ này").click()
        expect(page.get_by_role("heading", name="09:30")).to_be_visible()
        expect(page.get_by_text("Thứ Ba, 24/11/2026")).to_be_visible()
        expect(page.get_by_role("img", name="Mã QR của lịch hẹn")).to_be_visible()
        expect(page.get_by_text("từ 09:20 đến 09:45")).to_be_visible()
        page.get_by_role("link", name="Đổi giờ").click()
        page.get_by_role("radio", name="14:00").check()
        page.get_by_role("button", name="Đổi sang giờ này").click()
        expect(page.get_by_role("heading", name="14:00")).to_be_visible()
        page.get_by_role("link", name="Hủy hẹn").click()
        page.get_by_role("button", name="Hủy lịch hẹn").click()
        expect(page.get_by_text("Lịch hẹn đã hủy")).to_be_visible()
        page.get_by_role("link", name="English").click()
        expect(page.get_by_text("This appointment is cancelled")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        browser.close()


def test_an_unknown_appointment_is_explained(site) -> None:
    answer = requests.get(site.url + "/a/" + "x" * 22, timeout=30)
    assert answer.status_code == 404 and "Không tìm thấy lịch hẹn này" in answer.text
