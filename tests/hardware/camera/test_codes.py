"""QR codes in camera frames, and both codes over the real wire from the simulated desk."""

import argparse
import json

import cv2
import numpy as np
import pytest
import segno
from PIL import Image

from benchmarks.card_shots import PX_PER_MM, Shot, card_back, card_front, qr_payload, qr_shots, zone
from hardware.camera.code_bench import scan_codes_command
from hardware.camera.codes import CodeReader, QrVotes, read_code, read_qr
from hardware.card.mrz import Mrz
from hardware.simulators import papers
from hardware.simulators.papers.sheet import DPI
from kiosk.citizen import parse_card_qr
from kiosk.health import Failure, Reason


@pytest.fixture(scope="module", name="shots")
def _shots() -> dict[str, Shot]:
    return {shot.name: shot for shot in qr_shots(3, 1)}


def qr_picture(text: str, module: int = 4) -> np.ndarray:
    matrix = np.array([[not bit for bit in row] for row in segno.make(text, micro=False).matrix], np.uint8) * 255
    return np.kron(np.pad(matrix, 6, constant_values=255), np.ones((module, module), np.uint8))


@pytest.mark.parametrize("kind", ["module 1.6", "module 2.5", "tilt 45", "glare", "blur 1.0", "noise 12", "worn"])
def test_the_qr_of_a_card_is_read_in_a_hard_shot_within_ten_frames(shots, kind):
    votes = QrVotes()
    answers = (votes.add(frame) for frame in shots[kind].frames)
    code = next((answer for answer in answers if answer is not None), None)
    assert code is not None
    assert code.text == shots[kind].text
    assert parse_card_qr(code.text) is not None


def test_a_code_lies_where_it_is_said_to_lie_also_after_the_retry():
    picture = np.full((400, 500), 255, np.uint8)
    plain = qr_picture("https://vi.example/?ma=KIOSK-1", 2)
    at = (150, 90)
    picture[at[1] : at[1] + len(plain), at[0] : at[0] + len(plain)] = plain
    for seen in (picture, cv2.GaussianBlur(picture, (0, 0), 1.1)):
        (code,) = read_qr(seen)
        assert code.text == "https://vi.example/?ma=KIOSK-1"
        side = len(plain) - 24
        corners = np.array([(0, 0), (side, 0), (side, side), (0, side)]) + at + 12
        assert np.abs(code.corners - corners).max() < 4


def test_a_receipts_code_is_believed_when_two_frames_agree():
    reader = CodeReader("qr")
    picture = cv2.merge([qr_picture("https://vi.example/?ma=KIOSK-1")] * 3)
    assert reader.add(picture) is None
    assert reader.add(np.full_like(picture, 200)) is None
    assert reader.add(picture) == "https://vi.example/?ma=KIOSK-1"
    reader.forget()
    assert reader.add(picture) is None


def test_a_code_of_more_than_a_thousand_bytes_is_left_alone():
    assert read_qr(qr_picture("1" * 1500, 3)) == ()


def test_a_page_without_a_code_has_none():
    page = np.asarray(papers.PAPERS["petition-1"].draw())[:1200, :1600, ::-1]
    assert read_qr(np.ascontiguousarray(page)) == ()


# --- the bench tool ---


def test_scan_code_qr_reports_every_picture_and_what_they_say_together(shots, tmp_path, capsys):
    paths = []
    for number, frame in zip(range(2), shots["module 3.0"].frames, strict=False):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(cv2.imencode(".png", frame)[1].tobytes())
    (tmp_path / "text.jpg").write_text("no picture")
    options = argparse.Namespace(images=[*paths, tmp_path / "text.jpg"], code="qr", json=True)
    assert scan_codes_command(options) == 0
    first, _, third, together = json.loads(capsys.readouterr().out)
    assert (first["code"], first["valid"]) == (shots["module 3.0"].text, True)
    assert (third["code"], third["valid"]) == (None, False)
    assert (together["image"], together["code"], together["valid"]) == ("all", shots["module 3.0"].text, True)
    assert {"image", "code", "valid", "corners", "doubt", "ms"} == set(first)


def test_scan_code_names_a_missing_file_and_says_that_a_picture_has_no_code(tmp_path, capsys):
    options = argparse.Namespace(images=[tmp_path / "none.png"], code="mrz", json=False)
    assert scan_codes_command(options) == 2
    assert "none.png: No such file" in capsys.readouterr().err
    options.images = [tmp_path / "grey.png"]
    options.images[0].write_bytes(cv2.imencode(".png", np.full((300, 400, 3), 128, np.uint8))[1].tobytes())
    assert scan_codes_command(options) == 1
    assert "no code found" in capsys.readouterr().out


# --- from the desk, over the real wire ---


def on_the_desk(picture: np.ndarray) -> Image.Image:
    card = Image.fromarray(picture)
    scale = DPI / 25.4 / PX_PER_MM
    return card.resize((round(card.width * scale), round(card.height * scale)), Image.Resampling.LANCZOS)


@pytest.fixture
def cards(monkeypatch):
    """An invented card to lay on the desk: both of its sides, its QR code and its zone."""
    rng = np.random.default_rng(4)
    payload, printed = qr_payload(rng), zone(rng)
    sides = {"front": card_front(rng, payload), "back": card_back(rng, printed.lines())}
    for name, picture in sides.items():
        monkeypatch.setitem(papers.PAPERS, f"card-{name}", papers.Paper(name, lambda p=picture: on_the_desk(p)))
    papers.drawn.cache_clear()
    yield payload, printed
    papers.drawn.cache_clear()


async def test_a_card_on_the_desk_is_read_from_the_camera_alone(cards, desk, camera):
    payload, printed = cards
    await desk.act("lay", paper="card-back")
    answer = await read_code(camera, "mrz")
    assert isinstance(answer, Mrz)
    assert answer.lines() == printed.lines()
    await desk.act("lay", paper="card-front")
    assert await read_code(camera, "qr") == payload


async def test_an_empty_desk_ends_in_a_code_that_cannot_be_read(camera):
    answer = await read_code(camera, "qr", seconds=1.0)
    assert isinstance(answer, Failure)
    assert answer.reason is Reason.CODE_UNREADABLE


async def test_a_camera_that_stalls_is_the_reason_why_no_code_comes(desk, camera):
    await desk.act("unplug")
    answer = await read_code(camera, "qr")
    assert isinstance(answer, Failure)
    assert answer.reason in (Reason.NO_CAMERA, Reason.CAMERA_STALLED)
