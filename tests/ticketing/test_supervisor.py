"""What a supervisor may see and change, over HTTP: board, alarms, settings, audit, accounts, exports."""

import io
import os
from datetime import timedelta

import pytest
import requests
from openpyxl import load_workbook

from kiosk_queue import counter, line
from kiosk_queue.api import devices
from kiosk_queue.counter import Officer
from kiosk_queue.staff import accounts
from kiosk_queue.supervisor.board import level_of

CENTRE, PASSWORD = "centre", "mật khẩu dài của Hoa"
ONE = Officer("s1", "1", "lan")


class Person:
    """Somebody signed in, by HTTP."""

    def __init__(self, server, name: str) -> None:
        self.url, self.name = server.url, name
        self.session = requests.Session()
        self.session.trust_env = False
        answer = self.session.post(f"{self.url}/sign-in", {"name": name, "password": PASSWORD}, timeout=30)
        assert answer.status_code == 200, answer.text
        self.csrf = answer.text.split('data-csrf="')[1].split('"')[0]

    def get(self, path: str) -> requests.Response:
        return self.session.get(f"{self.url}/supervisor{path}", timeout=20, allow_redirects=False)

    def post(self, path: str, body: dict, key: str = "", **headers: str) -> requests.Response:
        given = {"x-csrf-token": self.csrf, "idempotency-key": key or os.urandom(8).hex(), **headers}
        return self.session.post(f"{self.url}/supervisor/api{path}", json=body, headers=given, timeout=60)


@pytest.fixture
def server(running_by_hand):
    """A server on the test's clock with one account of each role, and an officer `lan` at counter 1."""
    do = running_by_hand.desk.do
    accounts.add_first_administrator(running_by_hand.desk.store, CENTRE, "admin", PASSWORD)
    stored = accounts._hash(PASSWORD, "")
    for name, role in (("hoa", "supervisor"), ("lan", "officer")):
        do(CENTRE, lambda f, n=name, r=role: accounts.add_account(f, "admin", n, n.title(), r, stored)).result()
    do(CENTRE, lambda floor: counter.open_counter(floor, ONE)).result()
    return running_by_hand


def do(server, deed):
    return server.desk.do(CENTRE, deed).result()


def alarms(person: Person) -> list[str]:
    return [alarm["kind"] for alarm in person.get("/api/board").json()["alarms"]]


def draft_of(person: Person) -> tuple[int, dict]:
    found = person.get("/api/settings").json()
    return found["version"], found["draft"]


# --- who may ---


def test_nobody_and_officers_are_sent_away_and_only_administrators_manage_accounts(server) -> None:
    assert requests.get(f"{server.url}/supervisor", timeout=30, allow_redirects=False).headers["location"] == (
        "/sign-in?to=supervisor"
    )
    assert requests.get(f"{server.url}/supervisor/api/board", timeout=30).status_code == 401
    officer, supervisor, administrator = Person(server, "lan"), Person(server, "hoa"), Person(server, "admin")
    assert officer.get("").headers["location"] == "/console"
    for path in ("/api/board", "/api/settings", "/api/audit", "/export/stints.csv", "/events"):
        assert officer.get(path).status_code == 403, path
    assert supervisor.get("").status_code == 200
    assert supervisor.get("/accounts").headers["location"] == "/supervisor"
    assert supervisor.post("/accounts/role", {"name": "lan", "role": "administrator"}).status_code == 403
    assert administrator.get("/accounts").status_code == 200


def test_a_change_needs_the_token_of_the_page_and_a_key(server) -> None:
    person = Person(server, "hoa")
    version, draft = draft_of(person)
    wanted = {"version": version, "draft": draft | {"stop_issuing_minutes": 5}}
    assert person.post("/settings", wanted, **{"x-csrf-token": "guess"}).status_code == 403
    assert person.post("/settings", wanted, key="short").status_code == 400
    assert draft_of(person)[0] == version


# --- the board ---


def test_the_board_shows_services_counters_and_totals(server, hands) -> None:
    ticket = do(server, lambda floor: line.issue(floor, "khai-sinh"))
    do(server, lambda floor: line.issue(floor, "so-do", group="elderly"))
    hands.turn(minutes=6)
    do(server, lambda floor: counter.call_chosen(floor, ONE, ticket["id"]))
    board = Person(server, "hoa").get("/api/board").json()
    services = {service["service"]: service for service in board["services"]}
    assert (services["khai-sinh"]["called"], services["khai-sinh"]["mean_wait"]) == (1, 6)
    assert (services["so-do"]["waiting"], services["so-do"]["urgent"], services["so-do"]["level"]) == (1, 1, "ok")
    first = board["counters"][0]
    assert (first["state"], first["number"], first["officer"]) == ("called", "HT-001", "Lan")
    assert board["counters"][1]["state"] == "closed"
    assert (board["totals"]["waiting"], board["totals"]["issued"], board["totals"]["busy"]) == (1, 2, 1)


def test_a_paused_counter_shows_its_reason_and_since_when(server, hands) -> None:
    do(server, lambda floor: counter.pause(floor, ONE, "Họp"))
    at = accounts.utc_iso(hands.now())
    hands.turn(minutes=3)
    first = Person(server, "hoa").get("/api/board").json()["counters"][0]
    assert (first["state"], first["reason"], first["since"]) == ("paused", "Họp", at)


@pytest.mark.parametrize(("minutes", "level"), [(0, "ok"), (22, "ok"), (22.5, "near"), (30, "near"), (30.1, "late")])
def test_the_light_of_a_wait(minutes, level) -> None:
    assert level_of(minutes * 60, 30) == level
    assert level_of(minutes * 60, 0) == "ok"


def test_alarms_tell_of_missed_targets_idle_counters_and_services_that_nobody_serves(server, hands) -> None:
    person = Person(server, "hoa")
    do(server, lambda floor: line.issue(floor, "khai-sinh"))
    assert alarms(person) == []
    hands.turn(seconds=61)
    assert alarms(person) == ["idle", "silent"]
    do(server, lambda floor: counter.pause(floor, ONE, "Họp"))
    assert alarms(person) == ["unserved"]
    hands.turn(minutes=31)
    assert "late" in alarms(person)


def test_a_kiosk_that_has_spoken_and_falls_silent_is_an_alarm_at_every_server(server, helpers, hands) -> None:
    person = Person(server, "hoa")
    server.token("kiosk", "sanh-1")
    assert person.get("/api/board").json()["kiosks"] == [{"name": "sanh-1", "silent": None}]
    server.issue()  # speaks as kiosk-1
    assert server.api("GET", "/services", name="sanh-1").status_code == 200
    helpers.until(lambda: all(kiosk["silent"] == 0 for kiosk in person.get("/api/board").json()["kiosks"]))
    other = helpers.Running(server.settings, hands).start()
    try:
        assert "kiosk" not in alarms(Person(other, "hoa"))
        hands.turn(seconds=31)
        assert alarms(person).count("kiosk") == alarms(Person(other, "hoa")).count("kiosk") == 2
    finally:
        other.stop()


def test_the_stream_brings_the_board_and_ends_with_the_session(server, helpers) -> None:
    person = Person(server, "hoa")
    listener = helpers.Listener(f"{server.url}/supervisor/events", person.session)
    helpers.until(listener.states)
    server.issue("so-do")
    helpers.until(lambda: listener.states()[-1]["totals"]["waiting"] == 1)
    do(server, lambda floor: accounts.set_disabled(floor, "admin", "hoa", disabled=True))
    helpers.until(lambda: listener.states()[-1].get("signed_out"))


def test_a_number_is_taken_out_of_the_queue_with_a_reason_once(server) -> None:
    person = Person(server, "hoa")
    ticket = server.issue()
    body = {"ticket": ticket["id"], "reason": "Người dân đã về"}
    first, again = (person.post("/void", body, key="the-same-key") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    events = person.get("/api/audit?kind=void").json()["events"]
    assert [(event["actor"], event["body"]["reason"]) for event in events] == [("hoa", "Người dân đã về")]


# --- settings ---


def test_settings_work_at_once_and_the_audit_says_who_changed_what(server) -> None:
    person = Person(server, "hoa")
    version, draft = draft_of(person)
    draft["services"]["so-do"]["open"] = False
    draft["rule"]["rate"] = 3
    draft["hall"]["ticker"] = [{"vi": "Nghỉ lễ ngày 2/9", "en": ""}]
    told = person.post("/settings/preview", {"version": version, "draft": draft}).json()["changes"]
    assert {change["field"] for change in told} == {"services.so-do.open", "rule.rate", "hall.ticker"}
    assert server.issue("so-do")["number"] == "DD-001"  # a preview changes nothing
    answer = person.post("/settings", {"version": version, "draft": draft})
    assert answer.json()["version"] == version + 1
    assert server.api("POST", "/tickets", {"service": "so-do"}).status_code == 409
    (event,) = person.get("/api/audit?kind=settings_changed").json()["events"]
    assert event["actor"] == "hoa"
    assert {"field": "rule.rate", "label": "Hệ số chờ của người ưu tiên", "before": "2", "after": "3"} in event[
        "changes"
    ]


def test_two_editors_do_not_overwrite_each_other(server) -> None:
    first, second = Person(server, "hoa"), Person(server, "admin")
    version, draft = draft_of(first)
    assert first.post("/settings", {"version": version, "draft": draft | {"stop_issuing_minutes": 5}}).ok
    for path in ("/settings", "/settings/preview"):
        answer = second.post(path, {"version": version, "draft": draft | {"stop_issuing_minutes": 9}})
        assert (answer.status_code, answer.json()["reason"]) == (409, "changed")
    assert draft_of(second)[1]["stop_issuing_minutes"] == 5


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("rule", "rate"), 11, "rule.rate"),
        (("rule", "name"), "random", "rule.name"),
        (("calling", "recalls"), 1.5, "calling.recalls"),
        (("calling", "recalls"), "", "calling.recalls"),
        (("services", "so-do", "mean_minutes"), 0, "services.so-do.mean_minutes"),
        (("windows",), [{"start": "11:30", "end": "07:30"}], "windows.0"),
        (("windows",), [{"start": "", "end": "07:30"}], "windows.0"),
        (("weekdays",), [], "weekdays"),
        (("counters",), [{"name": "a b", "zone": "", "skills": []}], "counters.0.name"),
        (("counters",), [{"name": "9", "zone": "", "skills": ["none"]}], "counters.0.skills"),
        (("counters",), [{"name": "2", "zone": "", "skills": []}], "counters"),
        (("hall", "ticker"), [{"vi": " ", "en": "x"}], "hall.ticker.0"),
        (("hall", "languages"), ["fr"], "hall.languages"),
        (("appointments", "slot_minutes"), True, "appointments.slot_minutes"),
    ],
)
def test_what_is_wrong_is_said_of_its_field_and_nothing_is_saved(server, path, value, field) -> None:
    person = Person(server, "hoa")
    version, draft = draft_of(person)
    place = draft
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    answer = person.post("/settings", {"version": version, "draft": draft})
    assert answer.status_code == 422, answer.text
    assert list(answer.json()["errors"]) == [field]
    assert draft_of(person)[0] == version


def test_a_draft_that_changes_nothing_is_no_new_version(server) -> None:
    person = Person(server, "hoa")
    version, draft = draft_of(person)
    assert person.post("/settings", {"version": version, "draft": draft}).json() == {"version": version, "changes": []}
    assert draft_of(person) == (version, draft)


def test_the_effect_of_a_rule_is_told_before_it_is_saved(server) -> None:
    person = Person(server, "hoa")
    version, draft = draft_of(person)
    draft["rule"]["name"] = "strict"
    found = person.post("/settings/effect", {"version": version, "draft": draft}).json()
    assert found["citizens"] == 0
    assert any(text.startswith("Người được ưu tiên: chờ trung bình") for text in found["text"])
    assert draft_of(person)[1]["rule"]["name"] == "aging"


# --- statistics, exports, audit ---


def test_statistics_of_a_range_and_what_is_refused(server, hands) -> None:
    person = Person(server, "hoa")
    ticket = do(server, lambda floor: line.issue(floor, "so-do"))["id"]
    hands.turn(minutes=12)
    do(server, lambda floor: counter.call_chosen(floor, ONE, ticket))
    do(server, lambda floor: counter.complete(floor, ONE, ticket))
    found = person.get("/api/history?from=2026-11-17&to=2026-11-23&by=week").json()
    assert [period["name"] for period in found["periods"]] == ["2026-W47", "2026-W48"]
    assert (found["total"]["completed"], found["total"]["mean_wait"]) == (1, 12)
    assert [service["name"] for service in found["services"]] == ["Cấp giấy chứng nhận"]
    for wrong in ("from=2026-11-24&to=2026-11-20", "from=2020-01-01&to=2026-11-23", "from=x&to=y", "by=hour"):
        assert person.get(f"/api/history?{wrong}").status_code in (400, 422), wrong


@pytest.mark.parametrize("what", ["stints", "days", "counters", "ratings", "audit"])
def test_every_table_comes_as_csv_and_as_excel_with_the_same_rows(server, hands, what) -> None:
    ticket = do(server, lambda floor: line.issue(floor, "so-do"))["id"]
    do(server, lambda floor: counter.call_chosen(floor, ONE, ticket))
    do(server, lambda floor: counter.complete(floor, ONE, ticket))
    do(server, lambda floor: counter.rate(floor, ticket, 4))
    hands.turn(days=1)
    person = Person(server, "hoa")
    text = person.get(f"/export/{what}.csv?from=2026-11-22&to=2026-11-23")
    assert text.headers["content-disposition"].endswith(f'{what}-2026-11-22--2026-11-23.csv"')
    lines = text.content.decode("utf-8-sig").splitlines()
    assert len(lines) >= 2
    assert ticket not in text.text
    sheet = load_workbook(io.BytesIO(person.get(f"/export/{what}.xlsx?from=2026-11-22&to=2026-11-23").content)).active
    assert sheet.max_row == len(lines)
    assert sheet["A1"].value == lines[0].split(",")[0]


def test_the_audit_is_paged_and_filtered_by_day_kind_and_actor(server, hands) -> None:
    for _ in range(130):
        do(server, lambda floor: line.issue(floor, "so-do"))
    hands.turn(days=1)
    server.issue()
    person = Person(server, "hoa")
    first = person.get("/api/audit?day=2026-11-23&kind=issued").json()
    second = person.get(f"/api/audit?day=2026-11-23&kind=issued&before={first['older']}").json()
    numbers = [event["number"] for page in (first, second) for event in page["events"]]
    assert numbers == [f"DD-{n:03d}" for n in range(130, 0, -1)]
    assert second["older"] is None
    assert len(person.get("/api/audit?day=2026-11-24&kind=issued").json()["events"]) == 1
    assert {event["kind"] for event in person.get("/api/audit?actor=lan").json()["events"]} == {"counter_opened"}
    kinds = {event["kind"] for event in person.get("/api/audit?kind=administrative").json()["events"]}
    assert kinds == {"account_added"}


# --- accounts, devices, webhooks ---


def test_an_administrator_adds_changes_and_disables_accounts(server) -> None:
    person = Person(server, "admin")
    body = {"name": "Nga", "shown": "Vũ Hằng Nga", "role": "officer", "password": PASSWORD}
    assert person.post("/accounts/add", body).ok
    assert person.post("/accounts/add", body).json()["reason"] == "name_taken"
    assert person.post("/accounts/add", body | {"name": "tu", "password": "short"}).status_code == 422
    assert person.post("/accounts/role", {"name": "nga", "role": "supervisor"}).ok
    nga = Person(server, "nga")
    assert nga.get("/api/board").status_code == 200
    assert person.post("/accounts/disabled", {"name": "nga", "disabled": True}).ok
    assert nga.get("/api/board").status_code == 401
    found = {account["name"]: account for account in person.get("/api/accounts").json()["accounts"]}
    assert (found["nga"]["role"], found["nga"]["disabled"]) == ("supervisor", True)
    assert "password" not in found["nga"]


def test_no_password_reaches_the_stored_answers_or_the_events(server) -> None:
    person = Person(server, "admin")
    assert person.post("/accounts/password", {"name": "lan", "password": "một mật khẩu khác"}, key="reset-lan").ok
    with pytest.raises(AssertionError):
        Person(server, "lan")  # the old password
    rows = server.desk.store.read(
        lambda tx: (
            [dict(row) for row in tx.all("SELECT body FROM event")] + [dict(r) for r in tx.all("SELECT * FROM answer")]
        )
    ).result()
    assert "một mật khẩu khác" not in str(rows)


def test_a_device_gets_a_token_once_and_loses_it(server, hands) -> None:
    person = Person(server, "admin")
    token = person.post("/devices", {"name": "sanh-2", "role": "kiosk"}).json()["token"]
    hands.turn(seconds=3)
    listed = person.get("/api/accounts").json()["devices"]
    assert [device["name"] for device in listed] == ["sanh-2"]
    assert token not in str(listed)
    known = server.desk.store.read(lambda tx: tx.one("SELECT token FROM device")).result()
    assert known["token"] == devices.digest_of(token).hex()
    assert person.post("/devices", {"name": "sanh-2", "revoke": True}).ok
    assert person.post("/devices", {"name": "a b", "role": "kiosk"}).status_code == 422
    kinds = [event["kind"] for event in person.get("/api/audit?kind=administrative").json()["events"]]
    assert kinds[:2] == ["device_revoked", "device_added"]


def test_a_webhook_is_added_with_its_secret_and_removed(server) -> None:
    person = Person(server, "admin")
    url = "https://queue.test/hook"
    assert person.post("/webhooks", {"url": url, "kinds": "called completed"}).json()["secret"].startswith("whsec_")
    assert person.post("/webhooks", {"url": url}).status_code == 409
    assert person.post("/webhooks", {"url": "ftp://queue.test"}).status_code == 422
    (hook,) = person.get("/api/accounts").json()["webhooks"]
    assert (hook["url"], hook["kinds"]) == (url, "called,completed")
    assert "secret" not in hook
    assert person.post("/webhooks", {"url": url, "remove": True}).ok
    assert person.get("/api/accounts").json()["webhooks"] == []


def test_a_long_closed_page_is_sent_to_sign_in(server, hands) -> None:
    person = Person(server, "hoa")
    hands.turn(seconds=(accounts.SESSION + timedelta(minutes=1)).total_seconds())
    assert person.get("/api/board").status_code == 401
    assert person.get("").headers["location"] == "/sign-in?to=supervisor"
