import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests

from kiosk.catalogue import CatalogueError
from kiosk.config import ConfigError
from kiosk_queue import access, server

# --- who may do what ---


def test_kiosk_api_needs_the_token(running) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic kiosk-token-for-tests-only"}):
        for method, path in (("GET", "/api/catalogue"), ("GET", "/api/tickets"), ("POST", "/api/tickets"),
                             ("POST", "/api/tickets/x/paper"), ("POST", "/api/staff-calls")):  # fmt: skip
            answer = requests.request(method, running.url + path, headers=headers, json={}, timeout=5)
            assert answer.status_code == 401, path
            assert answer.headers["content-type"] == "application/problem+json"


def test_console_needs_a_session_and_its_csrf_token(running, helpers) -> None:
    stranger = helpers.Officer(running.url)
    assert stranger.do("call").status_code == 401
    assert requests.get(running.url + "/console/events", timeout=5).status_code == 401
    assert requests.get(running.url + "/console", timeout=5).url.endswith("/console/sign-in")
    officer = helpers.Officer(running.url).at("1")
    officer.csrf = "0" * 64
    assert officer.do("call").status_code == 403
    officer.csrf = ""
    assert officer.do("counter").status_code == 403


def test_forged_and_old_cookies_are_refused() -> None:
    sessions = access.Sessions("a good password", wall=lambda: 1000.0)
    cookie = sessions.sign_in("a good password")

    def accepted(value: str, judge: access.Sessions = sessions) -> bool:
        header = [(b"cookie", f"{access.COOKIE}={value}".encode())]
        return judge.of(requests_like(header)) is not None

    from starlette.requests import Request

    def requests_like(headers: list) -> Request:
        return Request({"type": "http", "headers": headers})

    assert accepted(cookie)
    identity, born, mac = cookie.split(".")
    for forged in (
        f"x{identity}.{born}.{mac}",
        f"{identity}.{int(born) + 9}.{mac}",
        f"{identity}.{born}.",
        "a.b.c",
        "",
    ):
        assert not accepted(forged)
    assert not accepted(cookie, access.Sessions("a good password", wall=lambda: 1000.0 + access.SESSION_SECONDS + 1))
    assert not accepted(cookie, access.Sessions("a new password", wall=lambda: 1000.0))
    assert accepted(cookie, access.Sessions("a good password", wall=lambda: 1001.0)), "a restart signs nobody out"


def test_sign_in_cookie_is_closed_to_scripts_and_other_sites(running, helpers) -> None:
    officer = helpers.Officer(running.url)
    answer = officer.sign_in()
    cookie = answer.history[0].headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_guessing_the_password_is_slowed(running, helpers) -> None:
    officer = helpers.Officer(running.url)
    assert [officer.sign_in("wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    blocked = officer.sign_in(helpers.PASSWORD)
    assert blocked.status_code == 429
    assert int(blocked.headers["retry-after"]) > 0


def test_headers_and_no_foreign_resources(running) -> None:
    ticket = running.issue()
    for path in (
        "/display",
        "/console/sign-in",
        f"/t/{ticket['id']}",
        "/t/unknown-ticket",
        "/static/live.js",
        "/nothing",
    ):
        answer = requests.get(running.url + path, timeout=5)
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in answer.text
    assert requests.get(running.url + "/static/../server.py", timeout=5).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 4000,
        b'{"service": 5, "key": "12345678"}',
        b'{"service": "khai-sinh", "key": "short"}',
        b'{"service": "khai-sinh", "key": "12345678", "priority": "king"}',
    ],
)
def test_bad_bodies_are_refused_clearly(running, helpers, body: bytes) -> None:
    answer = requests.post(running.url + "/api/tickets", data=body, headers=helpers.KIOSK, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["reason"] == "bad_request"


def test_large_bodies_are_refused(running, helpers) -> None:
    data = b'{"service": "' + b"x" * 200_000 + b'"}'
    answer = requests.post(running.url + "/api/tickets", data=data, headers=helpers.KIOSK, timeout=5)
    assert answer.status_code == 413


def test_start_refuses_what_it_cannot_work_with(settings, tmp_path) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1:\d+ .*queue_server\.port"):
        server.serve(replace(settings, port=taken.getsockname()[1]))
    with pytest.raises(CatalogueError):
        server.create_app(replace(settings, catalogue=tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match="console password"):
        server.create_app(replace(settings, console_password_file=tmp_path / "none"))
    (tmp_path / "token").write_text("x")
    with pytest.raises(ConfigError, match="shorter than 16"):
        server.create_app(settings)


# --- tickets ---


def test_ticket_tells_all_that_the_slip_needs(running, helpers) -> None:
    running.issue()
    ticket = running.issue("so-do", "elderly")
    assert ticket["number"] == "DD-001"
    assert ticket["ahead"] == 1
    assert ticket["url"] == f"http://queue.test/t/{ticket['id']}"
    assert ticket["service"] == {"vi": "Cấp giấy chứng nhận", "en": "Land certificate"}
    assert ticket["priority"] == {"vi": "Người cao tuổi", "en": "Elderly"}
    groups = requests.get(running.url + "/api/catalogue", headers=helpers.KIOSK, timeout=5).json()["groups"]
    assert {s["id"]: s["waiting"] for g in groups for s in g["services"]} == {"khai-sinh": 1, "khai-tu": 0, "so-do": 1}


def test_unknown_service_takes_no_numbers(running) -> None:
    answer = running.post("/api/tickets", {"service": "gone", "key": "12345678"})
    assert (answer.status_code, answer.json()["reason"]) == (409, "service_closed")


def test_phone_page_follows_the_ticket(running, helpers) -> None:
    first, second = running.issue(), running.issue()
    address = f"{running.url}/t/{second['id']}"
    assert second["number"] in requests.get(address, timeout=5).text
    assert requests.get(address + "/state", timeout=5).json()["ahead"] == 1
    officer = helpers.Officer(running.url).at("3")
    officer.do("call")
    officer.do("call", current=first["id"])
    state = requests.get(address + "/state", timeout=5).json()
    assert (state["state"], state["counter"]) == ("called", "3")
    officer.do("finish", ticket=second["id"])
    assert requests.get(address + "/state", timeout=5).json()["state"] == "completed"
    assert requests.get(running.url + "/t/unknown-ticket", timeout=5).status_code == 404


def test_unprinted_ticket_is_shown_to_officers_until_it_is_printed(running, helpers) -> None:
    ticket = running.issue()
    officer = helpers.Officer(running.url).at("1")
    stream = helpers.Listener(running.url + "/console/events", officer.session)

    def unprinted() -> list[str]:
        states = stream.states()
        return [row["number"] for row in states[-1]["unprinted"]] if states else []

    running.post(f"/api/tickets/{ticket['id']}/paper", {"printed": False})
    helpers.until(lambda: unprinted() == [ticket["number"]])
    running.post(f"/api/tickets/{ticket['id']}/paper", {"printed": True})
    helpers.until(lambda: unprinted() == [])
    assert officer.do("reprint", ticket=ticket["id"]).status_code == 200
    helpers.until(lambda: unprinted() == [ticket["number"]])
    kinds = [event["kind"] for event in stream.events()]
    assert kinds == ["print_failed", "printed", "reprint_requested"]
    wanted = running.post("/api/reprints", {}).json()["ticket"]
    assert (wanted["number"], wanted["url"]) == (ticket["number"], ticket["url"])
    assert running.post("/api/reprints", {}).json() == {"ticket": None}, "one kiosk prints it, once"


# --- calls ---


def test_many_counters_at_once_never_call_the_same_ticket(running, helpers) -> None:
    tickets = {running.issue()["id"] for _ in range(48)}
    officers = [helpers.Officer(running.url).at(str(n)) for n in range(1, 9)]
    called: list[str] = []

    def work(officer) -> None:
        current = None
        while True:
            answer = officer.do("call", current=current).json()
            if answer["ticket"] is None:
                return
            current = answer["ticket"]
            called.append(current)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, officers))
    assert len(called) == len(set(called)) == 48
    assert set(called) == tickets


def test_same_key_in_parallel_is_one_call(running, helpers) -> None:
    for _ in range(5):
        running.issue()
    officer = helpers.Officer(running.url).at("1")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: officer.do("call", key="double-press").json()["ticket"], range(6)))
    assert len(set(answers)) == 1
    tickets = requests.get(running.url + "/api/tickets", headers=helpers.KIOSK, timeout=5).json()["tickets"]
    assert [t["state"] for t in tickets].count("called") == 1


def test_press_on_an_outdated_screen_does_nothing(running, helpers) -> None:
    first, second = running.issue(), running.issue()
    officer = helpers.Officer(running.url).at("1")
    officer.do("call")
    outdated = officer.do("call", current=None)
    assert (outdated.status_code, outdated.json()["reason"]) == (409, "changed")
    assert officer.do("finish", ticket=second["id"]).status_code == 409
    assert officer.do("finish", ticket=first["id"]).status_code == 200


def test_counter_belongs_to_one_session_and_survives_a_restart(running, helpers) -> None:
    ticket = running.issue()
    officer = helpers.Officer(running.url).at("2")
    officer.do("call")
    running.stop()
    running.start()
    assert officer.do("recall", ticket=ticket["id"]).json()["recalls"] == 1
    other = helpers.Officer(running.url).at("2")
    evicted = officer.do("finish", ticket=ticket["id"])
    assert (evicted.status_code, evicted.json()["reason"]) == (409, "counter_taken")
    assert other.do("no-show", ticket=ticket["id"]).status_code == 200


def test_nobody_waiting_leaves_the_present_ticket_alone(running, helpers) -> None:
    ticket = running.issue()
    officer = helpers.Officer(running.url).at("1")
    officer.do("call")
    assert officer.do("call", current=ticket["id"]).json() == {"ticket": None}
    assert requests.get(f"{running.url}/t/{ticket['id']}/state", timeout=5).json()["state"] == "called"


def test_staff_call_reaches_officers_once_and_is_answered(running, helpers) -> None:
    officer = helpers.Officer(running.url).at("1")
    stream = helpers.Listener(running.url + "/console/events", officer.session)
    helpers.until(stream.states)
    for _ in range(3):
        assert running.post("/api/staff-calls", {"kiosk": "K07"}).status_code == 201
    helpers.until(lambda: [call["kiosk"] for call in stream.states()[-1]["staff_calls"]] == ["K07"])
    assert officer.do("answer-staff", call=stream.states()[-1]["staff_calls"][0]["id"]).status_code == 200
    helpers.until(lambda: stream.states()[-1]["staff_calls"] == [])
    assert [event["kind"] for event in stream.events()] == ["staff_called", "staff_answered"]


# --- events ---


def test_call_reaches_the_display_within_a_second(running, helpers) -> None:
    for _ in range(6):
        running.issue()
    officer = helpers.Officer(running.url).at("4")
    displays = [helpers.Listener(running.url + "/events") for _ in range(3)]
    for display in displays:
        helpers.until(display.states)
    current, delays = None, []
    for n in range(6):
        pressed = time.monotonic()
        current = officer.do("call", current=current).json()["ticket"]
        for display in displays:
            helpers.until(lambda d=display, n=n: len(d.events("called")) > n)
            arrived = [at for event, _, _, at in display.frames if event == "event"][n]
            delays.append(arrived - pressed)
            assert display.events("called")[n]["counter"] == "4"
    assert max(delays) < 1.0, delays


def test_display_that_comes_back_hears_what_it_missed(running, helpers) -> None:
    for _ in range(3):
        running.issue()
    officer = helpers.Officer(running.url).at("1")
    first = officer.do("call").json()
    display = helpers.Listener(running.url + "/events")
    state = helpers.until(display.states)[0]
    assert display.events() == [], "a new display starts from the state"
    assert state["calls"][0]["number"] == first["number"]
    last_seen = display.states()[-1]["seq"]
    second = officer.do("call", current=first["ticket"]).json()
    officer.do("recall", ticket=second["ticket"])
    back = helpers.Listener(running.url + "/events", after=last_seen)
    helpers.until(back.states)
    assert [(e["kind"], e["number"]) for e in back.events()] == [
        ("called", second["number"]),
        ("recalled", second["number"]),
    ]
    assert [number for _, number, _, _ in back.frames] == sorted(number for _, number, _, _ in back.frames)
    ahead_of_us = helpers.Listener(running.url + "/events", after=10_000)
    assert helpers.until(ahead_of_us.states)[0]["seq"] == back.states()[0]["seq"]


def test_stopping_ends_the_streams_at_once(running, helpers) -> None:
    displays = [helpers.Listener(running.url + "/events") for _ in range(3)]
    for display in displays:
        helpers.until(display.states)
    begun = time.monotonic()
    running.stop()
    assert time.monotonic() - begun < 2.5
    assert all(display.ended.wait(2) for display in displays)


SERVE = """
import sys
from dataclasses import replace
from pathlib import Path
from kiosk.config import QueueServerSettings
from kiosk_queue.server import serve
f = Path(sys.argv[1])
serve(QueueServerSettings(port=int(sys.argv[2]), database=f / "queue.db", catalogue=f / "catalogue.toml",
      kiosk_token_file=f / "token", console_password_file=f / "password"))
"""


def test_killed_in_the_middle_of_the_rush_no_acknowledged_ticket_is_lost(settings, helpers) -> None:
    folder = str(settings.database.parent)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = helpers.Running(settings, port=port)
    acknowledged: list[dict] = []
    lost: list[str] = []

    def rush(thread: int, dead: threading.Event) -> None:
        for n in range(10_000):
            key = f"rush-{thread}-{len(lost)}-{n:05}"
            try:
                acknowledged.append(running.issue(key=key))
            except requests.RequestException:
                lost.append(key)
                return
            if dead.is_set():
                return

    for _ in range(2):
        process = helpers.program(SERVE, folder, str(port))
        try:
            helpers.until(lambda: answers(running.url), 20)
            dead = threading.Event()
            threads = [threading.Thread(target=rush, args=(n, dead)) for n in range(4)]
            goal = len(acknowledged) + 60
            for thread in threads:
                thread.start()
            helpers.until(lambda goal=goal: len(acknowledged) >= goal, 20)
            os.kill(process.pid, signal.SIGKILL)
            dead.set()
            for thread in threads:
                thread.join(10)
        finally:
            process.kill()
            process.communicate(timeout=10)
    running.start()
    try:
        kept = {
            t["id"]: t["number"]
            for t in requests.get(running.url + "/api/tickets", headers=helpers.KIOSK, timeout=5).json()["tickets"]
        }
        assert all(kept.get(ticket["id"]) == ticket["number"] for ticket in acknowledged)
        assert sorted(kept.values()) == [f"HT-{n:03d}" for n in range(1, len(kept) + 1)]
        for key in lost:  # the kiosk asks again with the same key: one ticket, whether it had been stored or not
            assert running.issue(key=key) == running.issue(key=key)
    finally:
        running.stop()


def answers(url: str) -> bool:
    try:
        return requests.get(url + "/healthz", timeout=1).ok
    except requests.RequestException:
        return False
