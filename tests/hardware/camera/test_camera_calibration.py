"""`scan --calibrate` on the simulated camera, and what the files in the state folder are worth."""

import asyncio
import json

import cv2
import numpy as np
import pytest

from hardware.camera import DocumentCamera, calibration
from hardware.camera.calibrate import NotCalibrated, empty_tray, known_sheet
from hardware.camera.calibration import Calibration
from hardware.camera.tray import Tray
from kiosk import cli
from kiosk.config import CameraSettings
from kiosk.dossier import Page
from waiting import until

FACTS = Calibration("2026-11-02T01:02:03+00:00", 20, 1.1, (960, 1280), {"auto_exposure": 1})


@pytest.fixture
def ours(desk):
    return CameraSettings(source=desk.stream_url, still=desk.still_url)


@pytest.fixture
def kept(tmp_path):
    """A folder with a calibration as `save` leaves it."""
    folder = calibration.folder(tmp_path, "camera")
    tray = Tray(np.full((1280, 960, 3), 77.25, np.float32))
    calibration.save(folder, tray, FACTS)
    return folder


def test_what_was_saved_is_loaded_to_fractions_of_a_level(kept):
    assert calibration.load_facts(kept) == FACTS
    assert calibration.load(kept).reference[5, 5].tolist() == pytest.approx([77.25] * 3, abs=0.01)
    assert {path.name for path in kept.iterdir()} == {"tray.png", "tray.json"}


def test_the_measured_scale_is_added_and_gives_the_view(kept):
    facts = calibration.measured(kept, 0.25)
    assert (facts.mm_per_pixel, facts.view_mm) == (0.25, 320)
    assert calibration.load(kept).view_mm == 320
    assert facts.controls == FACTS.controls


@pytest.mark.parametrize(
    "harm", ["no picture", "cut short", "other picture", "no json", "other shape", "other version"]
)
def test_a_damaged_calibration_is_none(kept, harm, caplog):
    picture, facts = kept / "tray.png", kept / "tray.json"
    record = json.loads(facts.read_text())
    match harm:
        case "no picture":
            picture.unlink()
        case "cut short":
            picture.write_bytes(picture.read_bytes()[:-9])
        case "other picture":
            picture.write_bytes(Tray(np.full((1280, 960, 3), 200, np.float32)).png())
        case "no json":
            facts.write_text("{")
        case "other shape":
            facts.write_text(json.dumps([record]))
        case "other version":
            facts.write_text(json.dumps({**record, "version": 2}))
    assert calibration.load(kept) is None
    assert calibration.load_facts(kept) is None
    if harm != "no picture":
        assert "calibrate again" in caplog.text


def test_without_a_calibration_there_is_no_tray(tmp_path):
    assert calibration.load(tmp_path / "none") is None


async def test_paper_white_on_white_is_taken_with_the_calibrated_tray(desk, ours, tmp_path):
    await desk.act("white_on_white", levels=3)
    folder = calibration.folder(tmp_path, "camera")
    result = await empty_tray(ours, folder)
    assert result.facts.frame == (960, 1280)
    assert 0.3 < result.facts.noise < 4
    await desk.act("lay", paper="birth-form-1")
    async with DocumentCamera(ours, state=tmp_path) as camera:
        await until(lambda: camera.preview() and camera.preview().outline, 30)
        page = await camera.capture()
    assert isinstance(page, Page), page


async def test_an_a4_sheet_measures_the_tray_and_an_a5_sheet_is_refused(desk, ours, tmp_path):
    with pytest.raises(NotCalibrated, match="empty tray first"):
        await known_sheet(ours, tmp_path)
    await empty_tray(ours, tmp_path, frames=6)
    with pytest.raises(NotCalibrated, match="lay one A4 sheet"):
        await known_sheet(ours, tmp_path)
    await desk.act("lay", paper="household-book-1")
    with pytest.raises(NotCalibrated, match="A5"):
        await known_sheet(ours, tmp_path)
    await desk.act("lay", paper="petition-1")
    result = await known_sheet(ours, tmp_path)
    assert result.facts.view_mm == pytest.approx(330, rel=0.01)


async def test_a_sheet_left_on_the_tray_is_warned_of(desk, ours, tmp_path):
    await desk.act("lay", paper="petition-1")
    result = await empty_tray(ours, tmp_path, frames=6)
    assert any("like a sheet is in view" in warning for warning in result.warnings)


async def test_the_command_tells_a_program_what_it_did(desk, tmp_path, capsys):
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[kiosk]\nstate = "state"\n[camera]\nsource = "{desk.stream_url}"\n')
    code = await asyncio.to_thread(cli.main, ["scan", "--calibrate", "--json", "--config", str(config)])
    said = json.loads(capsys.readouterr().out)
    assert (code, said["calibrated"], said["frame"], said["controls"]) == (0, True, [960, 1280], {})
    assert calibration.load(tmp_path / "state" / "cameras" / "camera") is not None
    assert "network camera" in said["warnings"][0]


async def test_a_tray_that_is_not_the_calibrated_one_is_told_to_the_operator(ours, tmp_path, caplog):
    other = np.random.default_rng(5).uniform(20, 230, (16, 12, 3)).astype(np.float32)
    picture = cv2.resize(other, (960, 1280), interpolation=cv2.INTER_NEAREST)
    calibration.save(calibration.folder(tmp_path, "camera"), Tray(picture), FACTS)
    async with DocumentCamera(ours, state=tmp_path):
        await until(lambda: "does not look as calibrated" in caplog.text, 30)
