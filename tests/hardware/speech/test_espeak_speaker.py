import array
import asyncio
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hardware.speech import EspeakSpeaker
from kiosk.config import SpeechSettings
from kiosk.health import Level, Reason
from waiting import until


@pytest.fixture
async def speaker(tmp_path: Path) -> AsyncIterator[EspeakSpeaker]:
    async with EspeakSpeaker(SpeechSettings(output=str(tmp_path / "speech"))) as speaker:
        yield speaker


def recorded(folder: Path) -> list[Path]:
    return sorted((folder / "speech").glob("*.wav"))


def loudness(path: Path) -> float:
    with wave.open(str(path)) as sound:
        samples = array.array("h", sound.readframes(sound.getnframes()))
    return float(sum(map(abs, samples)) / len(samples))


def seconds(path: Path) -> float:
    with wave.open(str(path)) as sound:
        return sound.getnframes() / sound.getframerate()


@pytest.mark.parametrize(("text", "language"), [("Mời số A không bốn bảy", "vi"), ("Please take your ticket", "en")])
async def test_both_languages_are_heard(speaker: EspeakSpeaker, tmp_path: Path, text: str, language: str) -> None:
    assert speaker.status.level is Level.READY
    await speaker.say(text, language)
    await until(lambda: bool(recorded(tmp_path)))
    (path,) = recorded(tmp_path)
    assert path.name == "utterance-0001.wav"
    assert seconds(path) > 0.8
    assert loudness(path) > 200


async def test_marks_change_what_is_heard(speaker: EspeakSpeaker, tmp_path: Path) -> None:
    """The text arrives as UTF-8: «má» and «ma» are different words."""
    for text in ("má", "ma"):
        count = len(recorded(tmp_path)) + 1
        await speaker.say(text, "vi")
        await until(lambda count=count: len(recorded(tmp_path)) == count)  # type: ignore[misc]
    one, two = recorded(tmp_path)
    assert one.read_bytes() != two.read_bytes()


async def test_new_utterance_replaces_the_present_one(speaker: EspeakSpeaker, tmp_path: Path) -> None:
    await speaker.say("Xin vui lòng chờ. " * 100, "vi")
    await speaker.say("Xong", "vi")
    await until(lambda: bool(recorded(tmp_path)))
    await asyncio.sleep(0.2)
    (path,) = recorded(tmp_path)
    assert seconds(path) < 3
    assert list((tmp_path / "speech").glob("*.part")) == []


async def test_forgetting_is_silence(speaker: EspeakSpeaker, tmp_path: Path) -> None:
    await speaker.say("Nguyễn Thị Mẫu. " * 100, "vi")
    speaker.forget()
    await speaker.stop()
    assert recorded(tmp_path) == []


async def test_name_cannot_command_the_program(speaker: EspeakSpeaker, tmp_path: Path) -> None:
    for text in ("[[aaaa]]", "-w /tmp/x", "<speak>", "$(true)", "  "):
        await speaker.say(text, "vi")
    await asyncio.sleep(0.2)
    assert {path.parent for path in recorded(tmp_path)} <= {tmp_path / "speech"}


async def test_personal_data_stands_on_no_command_line(speaker: EspeakSpeaker, tmp_path: Path) -> None:
    await speaker.say("canary Nguyễn Thị Mẫu. " * 80, "vi")
    seen = 0
    for _ in range(50):
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = command.read_bytes()
            except OSError:
                continue
            seen += b"espeak-ng" in line and str(tmp_path).encode() in line
            assert b"canary" not in line or b"espeak-ng" not in line
        if seen:
            break
        await asyncio.sleep(0.01)
    assert seen, "the program was never seen running"


async def test_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with EspeakSpeaker(SpeechSettings()) as speaker:
        assert (speaker.status.level, speaker.status.reason) == (Level.ABSENT, Reason.NO_VOICE)
        assert "install the package espeak-ng" in speaker.status.detail
        await speaker.say("một", "vi")
        await asyncio.sleep(0.05)
    assert speaker.status.reason is Reason.NO_VOICE


async def test_machine_without_sound_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "none"))  # no sound card, whatever this machine has
    monkeypatch.setenv("PULSE_SERVER", str(tmp_path / "none"))
    caplog.set_level("INFO")
    async with EspeakSpeaker(SpeechSettings()) as speaker:
        for _ in range(3):
            await speaker.say("một", "vi")
            await until(lambda: speaker._speaking is not None and speaker._speaking.done())
        assert speaker.status.reason is Reason.NO_VOICE
    assert len([record for record in caplog.records if "no_voice" in record.message]) == 1


async def test_switched_off_speech_is_silent(tmp_path: Path) -> None:
    async with EspeakSpeaker(SpeechSettings(enabled=False, output=str(tmp_path / "speech"))) as speaker:
        await speaker.say("một", "vi")
        assert speaker.status.reason is Reason.NOT_CONFIGURED
    assert recorded(tmp_path) == []


async def test_saying_does_not_wait_for_the_end(speaker: EspeakSpeaker) -> None:
    begun = time.monotonic()
    await speaker.say("Xin vui lòng chờ. " * 100, "vi")
    assert time.monotonic() - begun < 15
