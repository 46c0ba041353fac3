"""What the hall is told over HTTP: numbers, counters, counts, and one WAV for each call."""

import io
import json
import wave
from dataclasses import replace
from datetime import time

import pytest
import requests

import postgres
from kiosk.health import Level, Reason
from kiosk_queue import counter, line
from kiosk_queue.floor import change_settings
from kiosk_queue.hall.announcements import announcer
from kiosk_queue.model import Window

OFFICERS = {name: counter.Officer(f"session-{name}", name, "Cán bộ") for name in ("1", "2", "3", "4")}


class Centre:
    """The centre's officers and kiosks without their pages."""

    def __init__(self, running, centre_id) -> None:
        self.running, self.id = running, centre_id

    def do(self, deed):
        return self.running.desk.do(self.id, deed).result(30)

    def settings(self, **changes) -> None:
        known = self.running.desk.see(self.id, lambda view: view.centre).result(30)
        self.do(lambda floor: change_settings(floor, replace(known, **changes), "test", floor.centre.version))

    def hall(self, **changes) -> None:
        known = self.running.desk.see(self.id, lambda view: view.centre).result(30)
        self.settings(hall=replace(known.hall, **changes))

    def zones(self, **zones) -> None:
        """Zones of counters and what they serve: `A=("1", ("khai-sinh",))`."""
        known = self.running.desk.see(self.id, lambda view: view.centre).result(30)
        placed = {name: (zone, skills) for zone, (name, skills) in zones.items()}
        self.settings(
            counters=tuple(
                replace(c, zone=placed[c.name][0], skills=placed[c.name][1]) if c.name in placed else c
                for c in known.counters
            )
        )

    def issue(self, service="khai-sinh") -> dict:
        return self.do(lambda floor: line.issue(floor, service))

    def call(self, at="1") -> dict:
        self.do(lambda floor: counter.open_counter(floor, OFFICERS[at]))
        return self.do(lambda floor: counter.call_next(floor, OFFICERS[at]))

    def issue_and_call(self, at="1", service="khai-sinh") -> str:
        self.issue(service)
        return self.call(at)["number"]

    def state(self, query="") -> dict:
        return self.frames(query)[-1]

    def frames(self, query="") -> list[dict]:
        with requests.get(f"{self.running.url}/display/events{query}", stream=True, timeout=30) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            found, kind = [], ""
            for row in answer.iter_lines():
                kind = row[7:].decode() if row.startswith(b"event: ") else kind
                if row.startswith(b"data: "):
                    found.append(json.loads(row[6:]))
                    if kind == "state":
                        return found
        raise AssertionError("the stream ended")


@pytest.fixture
def centre(running_by_hand, helpers) -> Centre:
    return Centre(running_by_hand, helpers.CENTRE)


def test_the_bare_address_leads_to_the_display(centre, helpers) -> None:
    for base in ("", f"/c/{helpers.CENTRE}"):
        answer = requests.get(centre.running.url + base + "/", timeout=30, allow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, base + "/display")
        page = requests.get(centre.running.url + base + "/display", timeout=30)
        assert "Trung tâm thử nghiệm" in page.text
        assert f'data-base="{base}"' in page.text
        assert "unsafe" not in page.headers["content-security-policy"]
        assert requests.get(centre.running.url + base + "/display/texts", timeout=30).json()["centre"]["en"]
    for path in ("/display", "/display/texts", "/display/events", "/voice/1.wav"):
        assert requests.get(f"{centre.running.url}/c/nowhere{path}", timeout=30).status_code == 404


def test_the_hall_is_told_numbers_counters_and_counts_only(centre) -> None:
    first = centre.issue()
    centre.issue("so-do")
    before = centre.state()
    assert (before["total"], before["calls"]) == (2, [])
    assert [(row["name"]["vi"], row["count"]) for row in before["waiting"]] == [
        ("Đăng ký khai sinh", 1),
        ("Cấp giấy chứng nhận", 1),
    ]
    centre.call("2")
    event, state = centre.frames(f"?after={before['seq']}")
    assert (event["kind"], event["number"], event["counter"]) == ("called", "HT-001", "2")
    assert event["voice"] == f"/voice/{event['seq']}.wav"
    assert [(call["number"], call["counter"], call["called"]) for call in state["calls"]] == [("HT-001", "2", True)]
    told = json.dumps([event, state], ensure_ascii=False)
    assert first["id"] not in told
    assert "Cán bộ" not in told


def test_last_calls_keep_their_counter_when_the_citizen_has_gone(centre, hands) -> None:
    numbers = []
    for at in ("1", "2", "1", "3", "1"):
        hands.turn(seconds=30)
        numbers.append((centre.issue_and_call(at), at))
    calls = centre.state()["calls"]
    assert [(call["number"], call["counter"]) for call in calls] == numbers[::-1]
    assert [call["called"] for call in calls] == [True, True, False, True, False]


def test_a_recall_brings_the_number_to_the_top_again(centre, hands) -> None:
    centre.issue()
    ticket = centre.call("1")["ticket"]
    hands.turn(seconds=5)
    centre.issue_and_call("2")
    hands.turn(seconds=30)
    before = centre.state()["seq"]
    centre.do(lambda floor: counter.recall(floor, OFFICERS["1"], ticket))
    event, state = centre.frames(f"?after={before}")
    assert (event["kind"], event["number"], event["counter"]) == ("recalled", "HT-001", "1")
    assert state["calls"][0]["number"] == "HT-001"


def test_a_display_of_one_zone_shows_its_counters_and_their_services(centre) -> None:
    centre.zones(A=("1", ("khai-sinh",)), B=("2", ("so-do",)))
    seq = centre.state()["seq"]
    centre.issue_and_call("1")
    centre.issue_and_call("2", "so-do")
    centre.issue("so-do")
    for zone, number, waits in (("A", "HT-001", []), ("B", "DD-001", ["Cấp giấy chứng nhận"])):
        *events, state = centre.frames(f"?zone={zone}&after={seq}")
        assert [call["number"] for call in events] == [number]
        assert [call["number"] for call in state["calls"]] == [number]
        assert [row["name"]["vi"] for row in state["waiting"]] == waits
    assert len(centre.state("?zone=A,B")["calls"]) == 2
    for unknown in ("?zone=Z", "?zone=%00", "?zone=" + "x" * 900):
        assert len(centre.state(unknown)["calls"]) == 2, "a display set up wrongly shows everything, not nothing"


def test_only_todays_real_calls_are_spoken(centre, hands) -> None:
    seq = centre.state()["seq"]
    centre.issue_and_call("2")
    call = centre.frames(f"?after={seq}")[0]
    answer = requests.get(centre.running.url + call["voice"], timeout=30)
    assert answer.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert 6 < sound.getnframes() / sound.getframerate() < 16, "Vietnamese and English"
    for other in (1, call["seq"] + 1, 10**30):
        assert requests.get(f"{centre.running.url}/voice/{other}.wav", timeout=30).status_code == 404
    hands.turn(days=1)
    assert requests.get(centre.running.url + call["voice"], timeout=30).status_code == 404


def test_one_language_is_spoken_where_the_centre_wants_one(centre) -> None:
    centre.issue_and_call("2")
    seq = centre.state()["seq"]
    both = requests.get(f"{centre.running.url}/voice/{seq}.wav", timeout=30).content
    centre.hall(languages=("vi",))
    one = requests.get(f"{centre.running.url}/voice/{seq}.wav", timeout=30).content
    assert 0.3 < len(one) / len(both) < 0.7


def test_in_quiet_hours_calls_are_shown_but_not_spoken(centre, hands) -> None:
    centre.hall(quiet=(Window(time(8, 30), time(9, 0)),))
    for minutes, speaks in ((0, True), (31, False), (30, True)):
        hands.turn(minutes=minutes)
        seq = centre.state()["seq"]
        centre.issue_and_call("1")
        *events, state = centre.frames(f"?after={seq}")
        assert ((events[-1]["voice"] is not None), not state["quiet"]) == (speaks, speaks)


def test_a_new_day_begins_empty_without_anybody_doing_anything(centre, hands, helpers) -> None:
    centre.issue_and_call("1")
    centre.issue()
    assert centre.state()["total"] == 1
    hands.turn(hours=16, minutes=1)
    helpers.until(lambda: centre.state()["day"] == "2026-11-24", 15)  # with the next heartbeat
    state = centre.state()
    assert (state["calls"], state["total"]) == ([], 0)


def test_texts_of_the_centre_come_from_its_settings(centre) -> None:
    before = centre.state()["settings"]
    centre.settings(windows=(Window(time(7, 30), time(11, 30)),), weekdays=(0, 1, 2, 3, 4))
    centre.hall(volume=0.5)
    texts = requests.get(centre.running.url + "/display/texts", timeout=30).json()
    assert (texts["hours"], texts["weekdays"], texts["volume"]) == ([["07:30", "11:30"]], [0, 1, 2, 3, 4], 0.5)
    assert texts["settings"] == centre.state()["settings"] == before + 2


@pytest.fixture
def no_espeak(monkeypatch, tmp_path) -> None:
    """Asked for before the server, which tries its voice when it starts."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_espeak_calls_go_on_and_the_status_says_why(no_espeak, centre) -> None:
    assert centre.issue_and_call("1") == "HT-001"
    seq = centre.state()["seq"]
    assert requests.get(f"{centre.running.url}/voice/{seq}.wav", timeout=30).status_code == 404
    settings = centre.running.settings
    status = announcer(settings.voice_folder, settings.voice).status
    assert (status.level, status.reason) == (Level.DEGRADED, Reason.NO_VOICE)
    assert "espeak-ng" in status.detail


def test_the_hall_sees_the_same_on_postgresql(settings, hands, helpers) -> None:
    with postgres.cluster() as cluster:
        running = helpers.Running(replace(settings, postgres=cluster.new_database()), hands).start()
        try:
            hall = Centre(running, helpers.CENTRE)
            hall.zones(A=("1", ("khai-sinh",)), B=("2", ("so-do",)))
            seq = hall.state()["seq"]
            hall.issue_and_call("1")
            hands.turn(seconds=5)
            hall.issue_and_call("1")
            hands.turn(seconds=5)
            hall.issue_and_call("2", "so-do")
            hall.issue("so-do")
            *events, state = hall.frames(f"?after={seq}")
            assert [call["number"] for call in events] == ["HT-001", "HT-002", "DD-001"]
            assert [(call["number"], call["counter"], call["called"]) for call in state["calls"]] == [
                ("DD-001", "2", True),
                ("HT-002", "1", True),
                ("HT-001", "1", False),
            ]
            zone = hall.state("?zone=A")
            assert ([call["number"] for call in zone["calls"]], zone["total"]) == (["HT-002", "HT-001"], 0)
            assert requests.get(running.url + events[0]["voice"], timeout=30).status_code == 200
        finally:
            running.stop()
