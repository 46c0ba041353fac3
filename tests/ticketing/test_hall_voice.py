"""The hall's voice: packs of clips, recordings over them, calls joined from them."""

import array
import io
import math
import wave
from itertools import pairwise
from pathlib import Path

import pytest

from kiosk.config import ConfigError
from kiosk.health import Level, Reason
from kiosk_queue.hall.announcements import GAP_OF_A_LOST_CLIP, Announcer, parts
from kiosk_queue.hall.voice import LOUDEST, RATE, TEXTS, ClipError, Pack, make_pack, names, read_clip


@pytest.fixture(scope="module")
def packs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packs")
    assert make_pack(folder, "vi", "vi") == len(names("vi"))
    assert make_pack(folder, "en", "en-us") == len(names("en"))
    return folder


@pytest.fixture
def folder(packs, tmp_path) -> Path:
    """A pack of the test's own."""
    for file in packs.glob("*/*"):
        (tmp_path / file.parent.name).mkdir(exist_ok=True)
        (tmp_path / file.parent.name / file.name).write_bytes(file.read_bytes())
    return tmp_path


def said(pack: Pack, number: str, counter: str) -> str:
    return " ".join(TEXTS[pack.language].get(name, name) for name, _ in parts(number, counter, pack))


def seconds(data: bytes) -> float:
    with wave.open(io.BytesIO(data)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
        return sound.getnframes() / RATE


def samples(data: bytes) -> array.array:
    with wave.open(io.BytesIO(data)) as sound:
        return array.array("h", sound.readframes(sound.getnframes()))


def recording(
    rate: int, width: int, channels: int, length: float = 0.5, hertz: float = 440, peak: float = 0.3
) -> bytes:
    """A tone as somebody's recorder would write it, with silence before and after."""
    out = io.BytesIO()
    with wave.open(out, "wb") as target:
        target.setnchannels(channels)
        target.setsampwidth(width)
        target.setframerate(rate)
        frames = bytearray(rate // 5 * width * channels if width > 1 else b"\x80" * (rate // 5 * channels))
        quiet = bytes(frames)
        for n in range(int(length * rate)):
            value = peak * math.sin(2 * math.pi * hertz * n / rate)
            whole = int(value * (2 ** (8 * width - 1) - 1))
            one = bytes([whole + 128]) if width == 1 else whole.to_bytes(width, "little", signed=True)
            frames += one * channels
        target.writeframes(bytes(frames) + quiet)
    return out.getvalue()


@pytest.mark.parametrize(
    ("language", "number", "counter", "text"),
    [
        ("vi", "HT-001", "2", "Mời công dân có số hát tê không không một đến quầy số hai"),
        ("vi", "CA-1005", "15", "Mời công dân có số xê a một không không năm đến quầy số mười lăm"),
        ("vi", "Đ-090", "21", "Mời công dân có số đê không chín không đến quầy số hai mươi mốt"),
        ("vi", "KD-004", "2A", "Mời công dân có số ca dê không không bốn đến quầy số hai a"),
        ("vi", "D-124", "44", "Mời công dân có số dê một hai bốn đến quầy số bốn mươi tư"),
        ("vi", "D-001", "105", "Mời công dân có số dê không không một đến quầy số một không năm"),
        ("en", "HT-012", "13", "Ticket number H T zero one two please go to counter thirteen"),
        ("en", "HT-012", "45", "Ticket number H T zero one two please go to counter forty five"),
    ],
)
def test_calls_are_read_as_people_say_them(packs, language, number, counter, text) -> None:
    assert said(Pack(packs, language, language), number, counter) == text


def test_a_pack_is_made_once_and_every_clip_of_it_sounds(packs) -> None:
    assert make_pack(packs, "vi", "vi") == 0
    for language in TEXTS:
        pack = Pack(packs, language, "vi")
        for name in names(language):
            clip = pack.clip(name)
            assert clip is not None, name
            assert 0.1 < len(clip) / RATE < 2.5, name
            assert max(clip) > 6000, f"{name} is silent"
        assert pack.faults == {}


def test_making_a_pack_anew_leaves_recordings_alone(folder) -> None:
    own = recording(48000, 2, 2)
    (folder / "vi" / "digit-1.wav").write_bytes(own)
    before = (folder / "vi" / "digit-2.wav").stat().st_mtime_ns
    assert make_pack(folder, "vi", "vi-vn-x-south", force=True) == len(names("vi")) - 1
    assert (folder / "vi" / "digit-1.wav").read_bytes() == own
    assert (folder / "vi" / "digit-2.wav").stat().st_mtime_ns > before


def test_an_announcement_is_as_long_as_its_clips_and_pauses_and_never_clips(packs) -> None:
    announcer = Announcer(packs, "vi")
    vietnamese = announcer.announcement("HT-001", "2", ("vi",))
    pack = Pack(packs, "vi", "vi")
    spoken = [*parts("HT-001", "2", pack), ("chime", 0.0)]
    expected = sum(len(pack.clip(name)) / RATE + pause for name, pause in spoken) + 0.25
    assert seconds(vietnamese) == pytest.approx(expected, abs=0.01)
    assert max(abs(value) for value in samples(vietnamese)) <= LOUDEST
    both = announcer.announcement("HT-001", "2", ("vi", "en"))
    assert samples(both)[: RATE * 3] == samples(vietnamese)[: RATE * 3], "Vietnamese comes first"
    assert seconds(vietnamese) + 3 < seconds(both) < 15
    assert announcer.status.level is Level.READY


def test_an_announcement_is_joined_once_and_kept_for_all_displays(packs) -> None:
    announcer = Announcer(packs, "vi")
    first = announcer.announcement("HT-001", "2", ("vi",))
    assert announcer.announcement("HT-001", "2", ("vi",)) is first
    for n in range(60):
        announcer.announcement(f"HT-{n:03d}", "3", ("vi",))
    assert len(announcer._kept) <= 24


@pytest.mark.parametrize(
    ("rate", "width", "channels"),
    [(48000, 2, 2), (44100, 3, 1), (8000, 1, 1), (96000, 4, 2), (RATE, 2, 1), (16000, 2, 1)],
)
def test_a_recording_of_any_kind_takes_the_place_of_a_clip(folder, rate, width, channels) -> None:
    (folder / "vi" / "digit-0.wav").write_bytes(recording(rate, width, channels))
    clip = Pack(folder, "vi", "vi").clip("digit-0")
    assert len(clip) / RATE == pytest.approx(0.52, abs=0.02), "the silence around it is cut, its pace is kept"
    assert max(clip) == pytest.approx(LOUDEST, rel=0.02), "as loud as the others"
    crossings = sum(1 for a, b in pairwise(clip) if a < 0 <= b)
    assert crossings == pytest.approx(220, abs=6), "its pitch is kept"


def test_a_recording_is_heard_without_a_restart_and_counters_may_have_names(folder) -> None:
    announcer = Announcer(folder, "vi")
    before = announcer.announcement("HT-001", "2", ("vi",))
    (folder / "vi" / "counter-2.wav").write_bytes(recording(RATE, 2, 1, length=1.5))
    assert said(Pack(folder, "vi", "vi"), "HT-001", "2").endswith("đến counter-2")
    later = announcer.announcement("HT-002", "2", ("vi",))
    assert seconds(later) > seconds(before) + 0.3


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a sound" * 100, recording(RATE, 2, 1, peak=0.0)])
def test_a_broken_recording_is_spoken_by_espeak_in_its_place_and_reported(folder, content) -> None:
    (folder / "vi" / "digit-0.wav").write_bytes(content)
    announcer = Announcer(folder, "vi")
    assert 3 < seconds(announcer.announcement("HT-001", "2", ("vi",))) < 9
    assert announcer.status.level is Level.DEGRADED
    assert "vi/digit-0" in announcer.status.detail
    assert (folder / "vi" / "digit-0.wav").read_bytes() == content, "the owner's file is not touched"
    (folder / "vi" / "digit-0.wav").write_bytes(recording(RATE, 2, 1))
    announcer.announcement("HT-001", "2", ("vi",))
    assert announcer.status.level is Level.READY


def test_without_espeak_the_rest_is_said_with_a_pause_for_what_is_lost(folder, monkeypatch, tmp_path) -> None:
    whole = seconds(Announcer(folder, "vi").announcement("HT-011", "2", ("vi",)))
    lost = len(Pack(folder, "vi", "vi").clip("digit-0")) / RATE
    monkeypatch.setenv("PATH", str(tmp_path))
    (folder / "vi" / "digit-0.wav").unlink()
    announcer = Announcer(folder, "vi")
    assert seconds(announcer.announcement("HT-011", "2", ("vi",))) == pytest.approx(
        whole - lost + GAP_OF_A_LOST_CLIP, abs=0.01
    )
    assert (announcer.status.level, announcer.status.reason) == (Level.DEGRADED, Reason.NO_VOICE)


def test_without_espeak_and_pack_there_is_no_voice_and_it_is_said_why(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    announcer = Announcer(tmp_path / "none", "vi")
    assert announcer.announcement("HT-001", "2", ("vi", "en")) is None
    assert announcer.status.level is Level.DEGRADED
    assert "apt install espeak-ng" in announcer.status.detail
    with pytest.raises(ConfigError, match="apt install espeak-ng"):
        make_pack(tmp_path, "vi", "vi")


def test_a_fresh_server_speaks_without_set_up_and_keeps_what_it_made(tmp_path) -> None:
    assert Announcer(tmp_path, "vi").announcement("HT-001", "2", ("vi",))
    made = {file.stem for file in (tmp_path / "vi").glob("*.wav")}
    assert {"invite", "letter-h", "letter-t", "digit-0", "to-counter"} <= made < set(names("vi"))


def test_a_voice_that_espeak_does_not_know_and_a_language_we_do_not_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="espeak-ng --voices"):
        make_pack(tmp_path, "vi", "zz")
    with pytest.raises(ConfigError, match="vi, en"):
        make_pack(tmp_path, "fr", "fr")


def test_an_endless_file_is_no_clip() -> None:
    with pytest.raises(ClipError, match="longer"):
        read_clip(recording(RATE, 2, 1, length=25))
