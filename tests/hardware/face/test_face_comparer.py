"""The plug-in with its real networks, over the camera's real wire. The faces are the drawn portraits of the cards.

Drawn faces look more alike than people do, so the threshold here is far above the one for people.
"""

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image

from hardware.camera import DocumentCamera
from hardware.face import CameraFaceComparer, comparer, models
from hardware.face.liveness import Verdict, installed
from hardware.simulators import papers
from hardware.simulators.camera import CameraSimulator
from hardware.simulators.personalisation.person import load_people
from hardware.simulators.personalisation.portrait import portrait_jpeg
from kiosk.config import CameraSettings, FaceSettings
from kiosk.health import Failure, Level, Reason
from kiosk.i18n import ASSETS
from kiosk.ports import FaceMatch
from waiting import until

PEOPLE = load_people(ASSETS / "cards")
DRAWN = FaceSettings(enabled=True, threshold=0.85)


def portrait_of(name: str, seed: int = 0) -> bytes:
    return portrait_jpeg(PEOPLE[name].look, int(PEOPLE[name].personal_id) + seed)


def before_the_camera(name: str) -> Image.Image:
    """The person as large as an A5 sheet: some 250 pixels wide in a frame; grain other than the chip's."""
    return Image.open(io.BytesIO(portrait_of(name, seed=1))).convert("RGB").resize((1500, 2000))


@pytest.fixture
async def camera(monkeypatch):
    monkeypatch.setitem(papers.PAPERS, "person", papers.Paper("person", lambda: before_the_camera("mau")))
    simulator = CameraSimulator()
    await simulator.start()
    async with DocumentCamera(CameraSettings(source=simulator.stream_url), role="face_camera") as device:
        await until(lambda: device.status.reason is Reason.OK)
        device.simulator = simulator
        yield device
    await simulator.stop()
    papers.drawn.cache_clear()


async def test_the_same_face_agrees_another_does_not_and_nothing_of_it_stays(camera, monkeypatch):
    class Check:
        name = "Vendor 1.0"

        def judge(self, pictures):
            assert all(picture.shape == (1280, 960, 3) for picture in pictures)
            return Verdict(False, 0.2)

    await camera.simulator.act("lay", paper="person")
    await asyncio.sleep(0.3)  # frames of the empty mat are on the way
    async with CameraFaceComparer(DRAWN, camera) as face:
        assert face.status.level is Level.READY
        same = await face.compare(portrait_of("mau"), 30)
        other = await face.compare(portrait_of("thu"), 30)
        assert isinstance(same, FaceMatch)
        assert isinstance(other, FaceMatch)
        assert (same.agrees, other.agrees) == (True, False)
        assert (same.frames, same.liveness, same.live) == (comparer.FRAMES, "", None)
        assert face.preview().outline is None
        assert not [value for value in vars(face).values() if hasattr(value, "features")]

        looking = asyncio.create_task(face.compare(portrait_of("mau"), 30))
        await until(lambda: (frame := face.preview()) is not None and frame.outline is not None)
        left, top, right, bottom = (*face.preview().outline[0], *face.preview().outline[2])
        assert 0.2 < left < right < 0.8
        assert 0.2 < top < bottom < 0.8
        await looking

        no_portrait = await face.compare(b"no picture", 5)
        assert isinstance(no_portrait, Failure)
        await camera.simulator.act("clear")
        nobody = await face.compare(portrait_of("mau"), 2)
        assert isinstance(nobody, Failure)
        assert nobody.reason is Reason.NOT_FOUND

    monkeypatch.setattr(comparer, "installed", lambda name: Check())
    await camera.simulator.act("lay", paper="person")
    async with CameraFaceComparer(DRAWN, camera) as face:
        match = await face.compare(portrait_of("mau"), 30)
    assert isinstance(match, FaceMatch)
    assert (match.liveness, match.live, match.liveness_score) == ("Vendor 1.0", False, 0.2)


class Blind:
    """No camera is needed for a plug-in that does not start."""


async def test_a_network_that_is_not_the_known_one_is_refused(tmp_path: Path):
    good = models._packaged()
    for name in models._SHA256:
        (tmp_path / name).write_bytes((good / name).read_bytes())
    broken = tmp_path / models._YUNET
    broken.write_bytes(broken.read_bytes()[:-1] + b"\0")
    async with CameraFaceComparer(FaceSettings(models=tmp_path), Blind()) as face:
        assert (face.status.level, face.status.reason) == (Level.FAULT, Reason.NOT_CONFIGURED)
        assert models._YUNET in face.status.detail
        assert isinstance(await face.compare(b"", 1), Failure)


async def test_a_liveness_check_that_is_not_installed_is_a_fault_and_is_not_left_out(tmp_path: Path):
    async with CameraFaceComparer(FaceSettings(liveness="vendor"), Blind()) as face:
        assert face.status.level is Level.FAULT
        assert "vendor" in face.status.detail
    assert installed("") is None
