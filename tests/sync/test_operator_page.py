"""The operator's page over HTTP: what it needs, whom it lets in, what it tells, what it never does."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from kiosk.clock import HANOI
from kiosk.config import ConfigError, OperatorSettings, ReceiverSettings, Settings
from sync.receiver.database import Database, open_database
from sync.receiver.operator import kiosks, province, server
from tests.sync.operator_page import (
    PASSWORD,
    QUARANTINED,
    UNKNOWN,
    OperatorPage,
    add_alarm,
    add_kiosk,
    add_operators,
    add_submission,
    envelope,
    fill,
    free_port,
    hold,
    moment,
    rows,
)
from tests.sync.province import CANARY, CANARY_ID, Province, expected, make_dossier, until

ROOT = Path(__file__).parents[2]
OFFICE_HOURS = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
"""Monday 10:00 in Vietnam."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with contextlib.closing(open_database(ReceiverSettings(state=tmp_path / "receiver"))) as built:
        add_operators(built, "lan", "hai")
        yield built


# --- what it needs ---


def test_it_starts_and_works_without_any_secret(database, tmp_path: Path):
    """The command itself, where there is the database and not one key, certificate, ciphertext or password file."""
    port = free_port()
    (tmp_path / "kiosk.toml").write_text(f"[operator]\nport = {port}\n")
    assert {path.name for path in tmp_path.iterdir()} == {"receiver", "kiosk.toml"}
    command = [sys.executable, str(ROOT / "main.py"), "serve", "operator", "--config", str(tmp_path / "kiosk.toml")]
    page = OperatorPage(tmp_path, port=port)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: process.poll() is not None or page.listens())
            assert process.poll() is None, process.stderr.read()
            assert "Tổng quan" in page.session("lan").get(page.url, timeout=30).text
            assert {path.suffix for path in (tmp_path / "receiver").iterdir()} <= {".db", ".db-wal", ".db-shm"}
        finally:
            process.kill()


def test_without_tls_it_listens_to_this_machine_only(tmp_path: Path):
    for host in ("0.0.0.0", "10.1.2.3", "::"):
        with pytest.raises(ConfigError, match=r"without operator\.certificate allowed: 127\.0\.0\.1"):
            server.serve(Settings(operator=OperatorSettings(host=host)))
    with pytest.raises(ConfigError, match="give both, or neither"):
        server.serve(Settings(operator=OperatorSettings(certificate=tmp_path / "page.pem")))


def test_with_tls_the_cookie_is_bound_to_it(database, tmp_path: Path, keys: Path):
    page = OperatorPage(tmp_path, extra=f'certificate = "{keys}/receiver.pem"\nkey_file = "{keys}/receiver.key"')
    page.start()
    try:
        answer = requests.post(
            f"{page.url}/sign-in", {"name": "lan", "password": PASSWORD}, headers={"origin": page.url},
            verify=str(keys / "ca.pem"), allow_redirects=False, timeout=30,
        )  # fmt: skip
    finally:
        page.stop()
    assert re.fullmatch(
        r"__Host-operator=\S{43}; HttpOnly; Path=/; SameSite=strict; Secure", answer.headers["set-cookie"]
    )
    assert answer.headers["strict-transport-security"]


# --- whom it lets in ---


def test_without_a_session_nothing_is_told_and_nothing_is_done(page):
    for path in ("/", "/standing", "/history", "/kiosks/K01", "/kiosks/K01/breach", "/kiosks/K01/breach.json"):
        answer = requests.get(page.url + path, allow_redirects=False, timeout=30)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?to={path}")
        assert requests.get(page.url + path, headers={"x-live": "idle"}, timeout=30).status_code == 401
    for path in ("/requests", "/requests/1", "/sign-out"):
        assert requests.post(page.url + path, headers={"origin": page.url}, timeout=30).status_code == 401
    again = requests.get(f"{page.url}/sign-in?to=https://elsewhere.example", timeout=30)
    assert "elsewhere" not in again.text


def test_a_form_of_another_site_does_nothing_although_the_operator_is_signed_in(page, database, sealer):
    submission = add_submission(database, envelope(sealer, 1), state="quarantined", problem=QUARANTINED)
    wish = {"kiosk": "K01", "submission": submission, "act": "replay", "why": "Đã nạp lại khóa cũ"}
    session = page.session("lan")
    for headers in (
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"origin": page.url, "sec-fetch-site": "cross-site"},
        {"origin": None},
    ):
        assert session.post(f"{page.url}/requests", wish, headers=headers, timeout=30).status_code == 403
    assert rows(database, "SELECT number FROM request") == []
    assert session.post(f"{page.url}/requests", wish, timeout=30).status_code == 200
    assert len(rows(database, "SELECT number FROM request")) == 1


def test_the_one_who_asked_is_refused_by_the_page_and_another_one_is_not(page, database, sealer):
    submission = add_submission(database, envelope(sealer, 1), state="quarantined", problem=QUARANTINED)
    wish = {"kiosk": "K01", "submission": submission, "act": "replay", "why": "Đã nạp lại khóa cũ"}
    lan, hai = page.session("lan"), page.session("hai")
    asked = lan.post(f"{page.url}/requests", wish, timeout=30)
    assert "Đang chờ một cán bộ khác xác nhận" in asked.text
    assert "Xác nhận" not in re.sub(r"(?s)<small>.*?</small>", "", asked.text)
    own = lan.post(f"{page.url}/requests/1", {"verdict": "agree"}, timeout=30)
    assert (own.status_code, "không được tự xác nhận" in own.text) == (409, True)
    assert "Đã xác nhận" in hai.post(f"{page.url}/requests/1", {"verdict": "agree"}, timeout=30).text
    late = lan.post(f"{page.url}/requests", wish, timeout=30)
    assert (late.status_code, "không còn đứng yên" in late.text) == (409, True)
    history = lan.get(f"{page.url}/history", timeout=30).text
    for kept in ("lan", "hai", "Đã nạp lại khóa cũ", "Đã thực hiện", submission):
        assert kept in history


def test_guessing_is_slowed_and_told_in_words(page):
    answers = [
        requests.post(
            f"{page.url}/sign-in", {"name": "lan", "password": "guess"}, headers={"origin": page.url}, timeout=30
        )
        for _ in range(6)
    ]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    wait = answers[-1].headers["retry-after"]
    assert 1 <= int(wait) <= 5
    assert f"Hãy chờ {wait} giây" in answers[-1].text
    assert "guess" not in answers[-1].text


def test_every_answer_forbids_foreign_and_inline_scripts(page):
    session = page.session("lan")
    for path in ("/", "/sign-in", "/nowhere", "/static/live.js"):
        headers = session.get(page.url + path, timeout=30).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
    overview = session.get(page.url, timeout=30).text
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|\sstyle=", overview)


def test_a_held_dossier_that_two_people_send_again_arrives_once(province: Province):
    """Receiver, page and TTHC system are three programs; the page reaches the other two through the database only."""
    province.start("receiver")
    dossier = make_dossier()
    assert province.outbox.put(dossier, province.sealer) is None
    state = province.settings.receiver.state
    with contextlib.closing(open_database(ReceiverSettings(state=state))) as database:
        until(
            lambda: province.forward() == 0 and rows(database, "SELECT 1 FROM submission WHERE owner_hash IS NOT NULL")
        )
        hold(database, dossier.reference_uid, UNKNOWN)
        province.start("tthc-model")
        add_operators(database, "lan", "hai")
        [item] = rows(database, "SELECT kiosk, submission FROM submission")
        page = OperatorPage(province.root, receiver=f'state = "{state}"').start()
        try:
            wish = {**item, "act": "resend", "why": "Đã tra cứu: hệ thống chưa có"}
            asked = page.session("lan").post(f"{page.url}/requests", wish, timeout=30).text
            for personal in (CANARY, CANARY_ID, dossier.procedure.name.vi):
                assert personal not in asked
            assert province.arrived() == {}
            page.session("hai").post(f"{page.url}/requests/1", {"verdict": "agree"}, timeout=30)
            until(lambda: province.arrived() == expected(dossier))
        finally:
            page.stop()


# --- what it tells ---


def test_strange_requests_get_an_answer_and_no_defect(page, database):
    session = page.session("lan")
    assert session.get(f"{page.url}/kiosks/none", timeout=30).status_code == 404
    assert session.get(f"{page.url}/kiosks/none/breach.json", timeout=30).status_code == 404
    assert session.post(f"{page.url}/requests", {"act": "delete"}, timeout=30).status_code == 400
    assert session.post(f"{page.url}/requests/1", {"verdict": "?"}, timeout=30).status_code == 400
    assert session.post(f"{page.url}/requests/99999", {"verdict": "agree"}, timeout=30).status_code == 409
    assert session.post(f"{page.url}/requests", b"\xff=\xff", timeout=30).status_code == 400
    assert session.post(f"{page.url}/requests", b"x" * 20_000, timeout=30).status_code == 413
    assert session.get(f"{page.url}/?q=<script>alert(1)</script>", timeout=30).text.count("<script>alert") == 0


def test_what_people_and_programs_wrote_is_shown_as_text(page, database, sealer):
    bad = "<img src=x onerror=alert(1)>"
    add_kiosk(database, "K01", program="<b>1</b>")
    add_alarm(database, "K01", "gap", bad, moment())
    add_submission(database, envelope(sealer, 1), state="quarantined", problem=bad)
    session = page.session("lan")
    for path in ("/", "/standing", "/kiosks/K01"):
        text = session.get(page.url + path, timeout=30).text
        assert "<img src=x" not in text
        assert "&lt;img src=x" in text


def judged(database: Database, now: datetime = OFFICE_HOURS) -> list[kiosks.Kiosk]:
    with database.read() as tx:
        return kiosks.kiosks(tx, now)


def at(minutes: float) -> str:
    return datetime.fromtimestamp(OFFICE_HOURS.timestamp() - 60 * minutes, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_the_worst_kiosk_stands_first_and_the_sentence_names_it(database):
    add_kiosk(database, "K-calm", heard=at(0.5))
    add_kiosk(database, "K-cert", heard=at(0.5), certificate_days=20)
    add_kiosk(database, "K-stuck", heard=at(1), waiting=4, oldest_seconds=3700)
    add_kiosk(database, "K-lost", heard=at(45), waiting=2, oldest_seconds=1000)
    found = judged(database)
    assert [(kiosk.id, kiosk.level.name) for kiosk in found] == [
        ("K-lost", "BAD"), ("K-stuck", "BAD"), ("K-cert", "WARN"), ("K-calm", "OK"),
    ]  # fmt: skip
    assert found[0].figures["contact"].text == "45 phút trước"
    assert found[0].figures["oldest"].text == "1 giờ 1 phút"  # it goes on growing while nothing is heard
    sentence = kiosks.judgement(found, OFFICE_HOURS)
    assert sentence.text == "2 kiosk cần xử lý ngay: K-lost (mất liên lạc), K-stuck (chờ gửi lâu)."
    assert kiosks.judgement(found[3:], OFFICE_HOURS).text == "Mọi kiosk đều gửi được."


@pytest.mark.parametrize(
    ("report", "column", "shown", "level"),
    [
        ({"clock": 400.0}, "clock", "nhanh 6 phút", "BAD"),
        ({"clock": -90.0}, "clock", "chậm 1 phút", "WARN"),
        ({"days_free": 6.5}, "space", "6,5 ngày", "WARN"),
        ({"days_free": 0.4}, "space", "0,4 ngày", "BAD"),
        ({"certificate_days": 3}, "certificate", "2 ngày", "BAD"),
        ({"certificate_days": -4}, "certificate", "đã hết hạn", "BAD"),
        ({"quarantined_count": 2}, "aside", "2 / 0", "BAD"),
        ({"waiting": 3, "oldest_seconds": 900}, "oldest", "15 phút", "WARN"),
        ({"last_sequence": 12345}, "sequence", "12.345 / 0", "OK"),
    ],
)
def test_every_figure_is_judged_by_its_threshold(database, report, column, shown, level):
    add_kiosk(database, "K01", heard=at(0.5), **report)
    [kiosk] = judged(database)
    assert (kiosk.figures[column].text, kiosk.figures[column].level.name) == (shown, level)


@pytest.mark.parametrize(
    ("kind", "column"), [("gap", "gap"), ("conflict", "sequence"), ("silent", "contact"), ("unsent", "oldest")]
)
def test_an_open_alarm_colours_its_figure_and_an_ended_one_does_not(database, kind, column):
    add_kiosk(database, "K01", heard=at(0.5), waiting=1, oldest_seconds=5)
    add_alarm(database, "K01", kind, "thiếu số 7", at(30), ended=at(3))
    assert judged(database)[0].level.name == "OK"
    add_alarm(database, "K01", kind, "thiếu số 8–9", at(2))
    [kiosk] = judged(database)
    assert kiosk.figures[column].level.name == "BAD"
    assert kind != "gap" or kiosk.figures["gap"].text == "8–9"


def test_all_kiosks_silent_at_once_point_to_the_receiver_and_a_quiet_night_alarms_nobody(database):
    for name in ("K01", "K02"):
        add_kiosk(database, name, heard=at(20))
    assert "máy tiếp nhận đã dừng" in kiosks.judgement(judged(database), OFFICE_HOURS).text
    night = OFFICE_HOURS.replace(hour=16)
    assert kiosks.judgement(judged(database, night), night).level.name == "WARN"


def test_a_kiosk_that_never_reported_and_a_retired_one_are_shown_as_such(page, database):
    with database.write() as tx:
        tx.run("INSERT INTO kiosk (id, enrolled_at) VALUES ('K-new', :now)", now=moment())
        tx.run("INSERT INTO kiosk (id, enrolled_at, retired_at) VALUES ('K-old', :now, :now)", now=moment())
    assert [kiosk.id for kiosk in judged(database)] == ["K-new"]
    session = page.session("lan")
    overview = session.get(page.url, timeout=30).text
    assert "chưa từng" in overview
    assert '<a href="/kiosks/K-old">' in overview
    assert "đã ngừng dùng" in session.get(f"{page.url}/kiosks/K-old", timeout=30).text


def test_what_stands_still_at_the_province_is_said_in_the_same_breath(page, database, sealer):
    add_kiosk(database, "K01")
    session = page.session("lan")
    assert "Tại tỉnh" not in session.get(page.url, timeout=30).text
    add_submission(database, envelope(sealer, 1), received_at=moment(minutes=50))
    add_submission(database, envelope(sealer, 2), state="quarantined", problem=QUARANTINED)
    told = "Tại tỉnh: 1 hồ sơ bị cách ly, hồ sơ chờ chuyển sang hệ thống TTHC lâu nhất 50 phút."
    overview = session.get(page.url, timeout=30).text
    assert told in overview
    assert '<p class="judgement bad"' in overview


def test_of_very_many_kiosks_the_worst_are_shown_and_any_is_found(page, database):
    for n in range(110):
        add_kiosk(database, f"K{n:03}", certificate_days=10 if n == 109 else 400)
    session = page.session("lan")
    shown = re.findall(r'id="kiosk-(K\d+)"', session.get(page.url, timeout=30).text)
    assert (len(shown), shown[0]) == (100, "K109")
    assert len(re.findall(r'id="kiosk-', session.get(f"{page.url}/?show=all", timeout=30).text)) == 110
    assert re.findall(r'id="kiosk-(K\d+)"', session.get(f"{page.url}/?q=k108", timeout=30).text) == ["K108"]
    assert "Không có kiosk nào tên như «K999»" in session.get(f"{page.url}/?q=K999", timeout=30).text


def test_hours_are_counted_where_they_belong(database, sealer):
    now = datetime(2026, 11, 23, 3, 20, tzinfo=UTC)
    for n, hour in enumerate(("2026-11-23T03:05", "2026-11-23T03:19", "2026-11-22T20:59", "2026-11-20T03:00"), 1):
        add_submission(
            database, envelope(sealer, n), received_at=f"{hour}:00.000Z", filed_at=f"{hour}:30.000Z", state="filed"
        )
    with database.read() as tx:
        hours = province.hours(tx, now)
    assert (len(hours), hours[-1].begins) == (48, datetime(2026, 11, 23, 10, tzinfo=HANOI))
    assert (hours[-1].received, hours[-1].filed, hours[-1].answered) == (2, 2, 0)
    assert sum(hour.received for hour in hours) == 3
    assert [hour.begins.hour for hour in hours if hour.received == 1] == [3]


def test_the_breach_package_names_numbers_keys_and_times_and_nothing_personal(page, database, sealer):
    add_kiosk(database, "K01", last_sequence=9, waiting=6)
    sealed = [envelope(sealer, n) for n in (1, 2, 3)]
    add_submission(database, sealed[0], received_at=moment(days=40))
    add_submission(database, sealed[1], state="quarantined", problem=QUARANTINED)
    add_submission(database, sealed[2], received_at=moment(days=1))
    with database.write() as tx:
        tx.run(
            "INSERT INTO signing_key (kiosk, public, added_at) VALUES ('K01', :key, :now)", key=bytes(32), now=moment()
        )
    session = page.session("lan")
    answer = session.get(f"{page.url}/kiosks/K01/breach.json", timeout=30)
    assert re.fullmatch(r'attachment; filename="breach-K01-\d{8}-\d{4}\.json"', answer.headers["content-disposition"])
    found = answer.json()
    assert (found["first_sequence"], found["last_sequence"], found["pending_sequences"]) == (1, 9, [[4, 9]])
    assert found["states"] == {"committed": 2, "quarantined": 1}
    assert list(found["sealed_to"].values()) == [3, 3]  # the receiver's key and the recovery key
    assert found["received_between"][0] < found["received_between"][1]
    assert found["sealed_between"][0] <= found["sealed_between"][1]
    assert found["signing_keys"][0]["key"] == "00" * 32
    printed = session.get(f"{page.url}/kiosks/K01/breach", timeout=30).text
    for key in found["sealed_to"]:
        assert key in printed
    for text in (json.dumps(found), printed):
        assert CANARY not in text
        assert CANARY_ID not in text


def test_every_page_answers_over_postgresql_and_says_when_the_database_is_away(cluster, tmp_path: Path, sealer):
    address = cluster.new_database()
    with contextlib.closing(open_database(ReceiverSettings(database=address))) as database:
        fill(database, sealer)
    page = OperatorPage(tmp_path, receiver=f'database = "{address}"').start()
    try:
        session = page.session("hai.kythuat")
        for path in ("/", "/?q=HN-00&show=all", "/standing", "/history", "/kiosks/HN-007", "/kiosks/HN-007/breach"):
            answer = session.get(page.url + path, timeout=30)
            assert answer.status_code == 200, (path, (tmp_path / "operator.log").read_text()[-2000:])
        assert session.post(f"{page.url}/requests/1", {"verdict": "agree"}, timeout=30).status_code == 200
        cluster.stop("fast")
        try:
            away = session.get(page.url, timeout=30)
            assert (away.status_code, "không trả lời" in away.text) == (503, True)
        finally:
            cluster.start()
        until(lambda: session.get(page.url, timeout=30).status_code == 200)
    finally:
        page.stop()
