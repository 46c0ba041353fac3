"""What kiosks and displays do by `/api/v1`."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection

import msgspec
import pytest
import requests

from kiosk_queue import appointments
from kiosk_queue.api import devices
from kiosk_queue.api.shapes import CheckedIn
from kiosk_queue.floor import Floor, change_settings
from morning import MORNING

NEW = {"service": "khai-sinh"}


def test_a_number_tells_all_that_the_slip_and_load_tools_need(running) -> None:
    running.issue()
    answer = running.api("POST", "/tickets", {"service": "khai-sinh", "group": "elderly", "channel": "kiosk"})
    ticket = answer.json()
    assert answer.status_code == 201
    assert ticket["number"] == "HT-002"
    assert ticket["business_day"] == "2026-11-23"
    assert ticket["url"] == f"http://queue.test/t/{ticket['id']}"
    assert ticket["service_name"] == {"vi": "Đăng ký khai sinh", "en": "Birth registration"}
    assert ticket["group_name"]["vi"] == "Người cao tuổi"
    assert (ticket["state"], ticket["ahead"]) == ("reserved", 1)
    assert {"centre", "issued_at", "wait"} <= ticket.keys()
    now = running.api("GET", f"/tickets/{ticket['id']}", role="display").json()
    assert (now["number"], now["state"], now["counter"]) == ("HT-002", "reserved", None)


def test_the_same_key_is_one_number_even_in_parallel_and_after_a_restart(running) -> None:
    running.token("kiosk")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: running.issue(key="visit-0001"), range(16)))
    assert len({answer["id"] for answer in answers}) == 1
    running.stop()
    running.start()
    assert running.issue(key="visit-0001") == answers[0]
    assert running.issue(key='"visit-0001"') == answers[0], "in quotes it is the same key"
    assert running.issue(key="visit-0002")["number"] == "HT-002"


def test_a_key_for_another_wish_is_refused_and_keys_of_other_devices_do_not_matter(running) -> None:
    first = running.issue(key="visit-0001")
    other = running.api("POST", "/tickets", {"service": "so-do"}, key="visit-0001")
    assert (other.status_code, other.json()["reason"]) == (422, "key_reused")
    second = running.api("POST", "/tickets", NEW, key="visit-0001", name="kiosk-2")
    assert second.json()["id"] != first["id"]


@pytest.mark.parametrize("keys", [[], ["short"], ["x" * 129], ["bad key with spaces"], ["visit-0001", "visit-0002"]])
def test_a_number_needs_exactly_one_well_formed_key(running, keys: list[str]) -> None:
    connection = HTTPConnection("127.0.0.1", running.port, timeout=30)
    connection.putrequest("POST", "/api/v1/tickets")
    connection.putheader("authorization", running.headers()["authorization"])
    for key in keys:
        connection.putheader("idempotency-key", key)
    connection.putheader("content-length", "23")
    connection.endheaders(b'{"service":"khai-sinh"}')
    answer = connection.getresponse()
    assert answer.status == 400
    assert (b"key_required" if not keys else b"bad_key") in answer.read()
    connection.close()
    assert running.issue()["number"] == "HT-001", "nothing was given out"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"service": "\xd4"}',
        b"\xff\xfe",
        b"[" * 4000,
        b'{"service": 5}',
        b'{"service": "khai-sinh", "channel": "post"}',
        b'{"service": "khai-sinh", "group": "king"}',
        b'{"service": "khai-sinh", "priority": "elderly"}',
        b'{"service": "khai-sinh", "further": ["a", "a", "a", "a", "a", "a"]}',
    ],
)
def test_a_malformed_wish_is_refused_clearly(running, body: bytes) -> None:
    headers = running.headers("kiosk") | {"idempotency-key": "visit-0001"}
    answer = requests.post(running.url + "/api/v1/tickets", data=body, headers=headers, timeout=30)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] == "bad_request"
    assert answer.json()["status"] == 400


def test_a_large_body_is_refused(running) -> None:
    headers = running.headers("kiosk") | {"idempotency-key": "visit-0001"}
    answer = requests.post(running.url + "/api/v1/tickets", data=b"x" * 200_000, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")


def test_a_service_that_is_not_there_takes_no_numbers(running) -> None:
    answer = running.api("POST", "/tickets", {"service": "ho-chieu"})
    assert (answer.status_code, answer.json()["reason"]) == (409, "service_closed")


def test_the_paper_is_reported_and_printed_once_more_on_wish(running) -> None:
    ticket = running.issue(channel="kiosk")
    assert running.api("POST", f"/tickets/{ticket['id']}/paper", {"printed": False}).json()["paper"] == "failed"
    assert running.api("POST", "/reprints").json() == {"ticket": None}
    counter = running.counter("1")
    assert counter.do(ticket["id"], "reprint").json() == {"id": ticket["id"], "paper": "wanted"}
    assert running.api("POST", "/reprints").json()["ticket"]["url"] == ticket["url"]
    assert running.api("POST", "/reprints").json() == {"ticket": None}, "for one kiosk only"
    assert running.api("POST", f"/tickets/{ticket['id']}/paper", {"printed": True}).json()["paper"] == "printed"


def test_a_block_is_nobody_elses_and_what_was_given_of_it_joins_the_line_once(running) -> None:
    block = running.api("POST", "/blocks", {"series": "HT", "size": 10}, key="block-0001").json()
    assert (block["first"], block["last"]) == (501, 510)
    assert running.api("POST", "/blocks", {"series": "HT", "size": 10}, key="block-0001").json() == block
    assert running.issue()["number"] == "HT-001"
    given = {
        "id": "kiosk-chosen-0001",
        "block": block["block"],
        "n": 503,
        "service": "khai-tu",
        "issued_at": MORNING.now().isoformat(),
        "printed": True,
    }
    first = running.api("POST", "/tickets/reconcile", given)
    assert first.status_code == 200, first.text
    assert (first.json()["id"], first.json()["number"]) == ("kiosk-chosen-0001", "HT-503")
    assert running.api("POST", "/tickets/reconcile", given).json()["number"] == "HT-503"
    assert running.api("POST", "/tickets/reconcile", given | {"id": "x" * 20}).status_code == 409, "number given twice"
    strange = running.api("POST", "/tickets/reconcile", given | {"id": "y" * 20, "n": 511})
    assert strange.status_code == 400
    assert running.api("GET", "/services").json()["groups"][0]["services"][1]["waiting"] == 1


def test_a_staff_call_is_one_until_it_is_answered(running) -> None:
    first = running.api("POST", "/staff-calls", {"kiosk": "K07"})
    assert first.status_code == 201
    assert running.api("POST", "/staff-calls", {"kiosk": "K07"}).json() == first.json()
    path = f"/staff-calls/{first.json()['call']}"
    assert running.api("GET", path).json()["answered_at"] is None
    running.counter("3")
    answer = running.api("POST", path + "/answer", role="counter")
    assert answer.status_code == 200, answer.text
    assert running.api("GET", path).json()["counter"] == "3"
    assert running.api("GET", "/staff-calls/99999").status_code == 404
    assert running.api("GET", "/staff-calls/x").status_code == 404


def test_the_kiosk_is_shown_what_is_open_and_how_many_wait(running) -> None:
    for service in ("khai-sinh", "khai-sinh", "so-do"):
        running.issue(service)
    shown = running.api("GET", "/services").json()
    waiting = {s["id"]: s["waiting"] for group in shown["groups"] for s in group["services"]}
    assert waiting == {"khai-sinh": 2, "khai-tu": 0, "so-do": 1}
    assert shown["priorities"] == [{"id": "elderly", "name": {"vi": "Người cao tuổi", "en": "Elderly"}}]
    assert running.api("GET", "/centre").json()["id"] == "centre"
    assert len(running.api("GET", "/counters", role="display").json()["counters"]) == 8


def test_a_satisfied_citizen_rates_the_service(running) -> None:
    ticket = running.issue()
    path = f"/tickets/{ticket['id']}/rate"
    assert running.api("POST", path, {"score": 5}).status_code == 400, "not served yet"
    counter = running.counter("1")
    counter.next()
    counter.do(ticket["id"], "complete")
    assert running.api("POST", path, {"score": 5}).json() == {"id": ticket["id"], "score": 5}
    assert running.api("POST", path, {"score": 6}).status_code == 400


def test_the_holder_of_an_appointment_checks_in_at_its_time(running_by_hand, hands) -> None:
    running = running_by_hand

    def prepare(floor: Floor) -> dict:
        with_slots = replace(floor.centre, appointments=replace(floor.centre.appointments, capacity=1))
        return change_settings(floor, with_slots, "test", floor.centre.version)

    running.desk.do("centre", prepare).result()
    at = (hands.now() + timedelta(minutes=15)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    token = running.desk.do("centre", lambda floor: appointments.book(floor, "so-do", at)).result()["id"]
    path = f"/appointments/{token}/check-in"
    early = running.api("POST", path)
    assert (early.status_code, early.json()["reason"]) == (409, "too_early")
    hands.turn(minutes=6)
    ticket = running.api("POST", path, {"group": None})
    assert ticket.status_code == 200, ticket.text
    assert msgspec.to_builtins(msgspec.convert(ticket.json(), CheckedIn)) == ticket.json()
    assert ticket.json()["appointment"] == {"at": "08:15", "late": False}
    assert running.api("POST", path).json()["id"] == ticket.json()["id"], "again it is the same number"
    assert running.api("POST", "/appointments/" + "x" * 20 + "/check-in").status_code == 404


# --- devices ---


def test_every_address_needs_a_token_of_the_right_role(running) -> None:
    running.token("kiosk")
    for authorization in ("", "Bearer wrong", "Bearer " + "x" * 43, "Basic " + running.token("kiosk")):
        answer = requests.get(
            running.url + "/api/v1/services",
            headers={"authorization": authorization} if authorization else {},
            timeout=30,
        )
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for role, method, path in (
        ("display", "POST", "/tickets"),
        ("counter", "POST", "/tickets"),
        ("kiosk", "POST", "/counters/1/next"),
        ("display", "POST", "/counters/1/open"),
        ("display", "POST", "/blocks"),
    ):
        answer = running.api(method, path, {}, role)
        assert (answer.status_code, answer.json()["reason"]) == (403, "forbidden"), (role, path)


def test_a_revoked_token_stops_soon_and_a_new_one_works_at_once(running) -> None:
    running.issue()
    devices.revoke_device(running.desk.store, "centre", "kiosk-1")
    deadline = time.monotonic() + 20
    while running.api("GET", "/services").status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert running.api("GET", "/services").status_code == 401
    old = running.tokens.pop("kiosk-1")
    assert running.api("GET", "/services").status_code == 200
    assert running.token("kiosk") != old


def test_only_the_hash_of_a_token_is_kept(running) -> None:
    token = running.token("kiosk")
    rows = running.desk.store.read(lambda tx: tx.all("SELECT * FROM device")).result()
    assert [row["role"] for row in rows] == ["kiosk"]
    assert token not in str([tuple(row) for row in rows])
    files = running.settings.database.parent.glob("queue.db*")
    assert all(token.encode() not in file.read_bytes() for file in files)


def test_a_device_works_for_its_own_centre_only(running) -> None:
    running.token("kiosk")
    assert running.api("GET", "/services").status_code == 200
    for path, status in (("/c/centre/api/v1/services", 200), ("/c/elsewhere/api/v1/services", 403)):
        assert requests.get(running.url + path, headers=running.headers(), timeout=30).status_code == status


# --- the stream ---


def test_a_program_that_comes_back_misses_no_event_however_long_it_was_away(running, helpers) -> None:
    url, headers = running.url + "/api/v1/events", running.headers("display")
    for _ in range(450):
        running.desk.do("centre", lambda floor: {"seq": floor.event("paused", counter="1", reason="x")})
    running.issue()
    listener = helpers.Listener(url, after=7, headers=headers)
    helpers.until(listener.states)
    numbers = [event["seq"] for event in listener.events()]
    assert numbers == list(range(8, listener.states()[-1]["seq"] + 1))
    assert listener.events()[-1]["number"] == "HT-001"
    ticket = running.counter("2", "Lan").next()
    called = helpers.until(lambda: listener.events("called"))[0]
    assert (called["number"], called["counter"], called["actor"]) == (ticket["number"], "2", "Lan")
    fresh = helpers.Listener(url, headers=headers)
    helpers.until(fresh.states)
    assert fresh.events() == [], "without Last-Event-ID it begins now"
    assert fresh.states()[0]["waiting"] == {}


def test_the_stream_needs_a_token_and_a_centre(running) -> None:
    assert requests.get(running.url + "/api/v1/events", timeout=30).status_code == 401
    answer = requests.get(running.url + "/api/v1/events", headers={"authorization": "Bearer " + os.urandom(20).hex()},
                          timeout=30)  # fmt: skip
    assert answer.json()["reason"] == "unauthorized"
