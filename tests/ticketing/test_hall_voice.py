import io
import wave
from pathlib import Path

import pytest
import requests

from kiosk.health import Reason
from kiosk_queue.voice import KEPT, Voice, spoken


@pytest.mark.parametrize(
    ("number", "counter", "text"),
    [
        ("HT-001", "2", "Mời công dân có số H T, không không một, đến quầy số hai."),
        ("CA-1005", "15", "Mời công dân có số C A, một không không năm, đến quầy số mười lăm."),
        ("D-090", "21", "Mời công dân có số D, không chín không, đến quầy số hai mươi mốt."),
        ("KD-004", "2A", "Mời công dân có số K D, không không bốn, đến quầy số hai A."),
    ],
)
def test_numbers_are_read_as_people_say_them(number: str, counter: str, text: str) -> None:
    assert spoken(number, counter) == text


def test_announcement_is_made_once_and_sounds(tmp_path: Path) -> None:
    voice = Voice(tmp_path / "voice", "vi")
    path = voice.announcement("HT-001", "2")
    made = path.stat().st_mtime_ns
    with wave.open(str(path)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        frames = sound.readframes(sound.getnframes())
    assert 2 < seconds < 10
    assert max(memoryview(frames).cast("h")) > 5000, "it is silent"
    assert voice.announcement("HT-001", "2").stat().st_mtime_ns == made
    assert voice.announcement("HT-002", "2") != path
    assert voice.status.usable


def test_folder_does_not_grow_for_ever(tmp_path: Path) -> None:
    for n in range(KEPT + 5):
        (tmp_path / f"{n}.wav").touch()
    Voice(tmp_path, "vi").announcement("HT-001", "1")
    assert len(list(tmp_path.glob("*.wav"))) <= KEPT + 1


def test_only_real_calls_are_spoken(running, helpers) -> None:
    running.issue()
    officer = helpers.Officer(running.url).at("1")
    display = helpers.Listener(running.url + "/events")
    helpers.until(display.states)
    officer.do("call")
    call = helpers.until(lambda: display.events("called"))[0]
    answer = requests.get(running.url + call["voice"], timeout=10)
    assert answer.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert sound.getnframes() > sound.getframerate()
    for other in (1, call["seq"] + 1, 99999):
        assert requests.get(f"{running.url}/voice/{other}.wav", timeout=10).status_code == 404
    assert requests.get(running.url + "/healthz", timeout=5).json()["status"] == "ready"


def test_without_espeak_calls_go_on_and_health_says_so(settings, helpers, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    running = helpers.Running(settings).start()
    try:
        ticket = running.issue()
        officer = helpers.Officer(running.url).at("1")
        assert officer.do("call").json()["ticket"] == ticket["id"]
        assert requests.get(running.url + "/voice/2.wav", timeout=5).status_code == 404
        health = requests.get(running.url + "/healthz", timeout=5).json()
        assert (health["status"], health["reason"]) == ("degraded", Reason.NO_VOICE)
        assert "espeak-ng" in health["detail"]
    finally:
        running.stop()
