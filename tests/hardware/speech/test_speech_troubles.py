"""One mouth: what is asked for at once, and folders that cannot be written."""

import asyncio
import wave
from pathlib import Path

import pytest

from hardware.speech import EspeakSpeaker
from kiosk.config import SpeechSettings
from kiosk.health import Level, Reason
from processes import children
from waiting import until

LONG = "Xin vui lòng chờ một lát. " * 70


def voices() -> int:
    """How many espeak-ng this process runs now."""
    return len(children("espeak-ng"))


async def test_of_many_utterances_at_once_only_the_last_is_heard(tmp_path: Path) -> None:
    async with EspeakSpeaker(SpeechSettings(output=str(tmp_path))) as speaker:
        await speaker.say(LONG, "vi")
        await until(lambda: voices() == 1)
        await asyncio.gather(*(speaker.say(text, "vi") for text in (LONG, LONG, "một")))
        while not (files := list(tmp_path.glob("*.wav"))):
            assert voices() <= 1
            await asyncio.sleep(0.005)
        await until(lambda: voices() == 0)
        assert list(tmp_path.iterdir()) == files
        with wave.open(str(files[0])) as sound:
            assert sound.getnframes() / sound.getframerate() < 2


async def test_silence_is_complete_when_the_device_has_stopped(tmp_path: Path) -> None:
    async with EspeakSpeaker(SpeechSettings(output=str(tmp_path))) as speaker:
        await speaker.say(LONG, "vi")
        await until(lambda: voices() == 1)
    assert voices() == 0
    assert list(tmp_path.iterdir()) == []


async def test_empty_text_falls_silent_and_leaves_nothing(tmp_path: Path) -> None:
    async with EspeakSpeaker(SpeechSettings(output=str(tmp_path))) as speaker:
        await speaker.say(LONG, "vi")
        await until(lambda: voices() == 1)
        await speaker.say("", "vi")
        await until(lambda: voices() == 0)
        assert speaker.status.level is Level.READY
    assert list(tmp_path.iterdir()) == []


async def test_folder_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    async with EspeakSpeaker(SpeechSettings(output=str(tmp_path / "file" / "speech"))) as speaker:
        await speaker.say("một", "vi")
        await until(lambda: speaker.status.reason is Reason.NO_VOICE)
        assert "Not a directory" in speaker.status.detail
    assert "never retrieved" not in caplog.text
