"""What is asked of a local device and what it really gives; stills at full size; cameras by role.

No machine of the test farm has a V4L2 camera: a stand-in for `cv2.VideoCapture` plays the driver's known bad manners
(it says yes and sends another size, keeps old frames after a change, outlives its unplugged device).
"""

import json

import cv2
import numpy as np
import pytest

from hardware.camera import DocumentCamera, reader, source
from hardware.camera.memory import FrameMemory
from hardware.camera.reader import Job, Reader
from hardware.camera.source import Lost, ask_for, granted, picture_of
from kiosk.config import CameraSettings, CardCameraSettings, FaceCameraSettings, load
from kiosk.health import Reason
from waiting import until


class Driver:
    """A local camera; `most`: the largest size it can give, whatever it says."""

    def __init__(self, most=(4160, 3120)):
        self.most, self.asked = most, []
        self._set = {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480}
        self._late = []
        self._shade = 0

    def isOpened(self):
        return True

    def set(self, prop, value):
        if prop == cv2.CAP_PROP_FRAME_HEIGHT:
            self._late = [self.size, self.size]  # frames of the old size that were under way
        self.asked.append((prop, value))
        self._set[prop] = value
        return True

    def get(self, prop):
        return float(self._set.get(prop, 0))

    @property
    def size(self):
        wanted = (int(self._set[cv2.CAP_PROP_FRAME_WIDTH]), int(self._set[cv2.CAP_PROP_FRAME_HEIGHT]))
        return min(wanted, self.most)

    def read(self):
        width, height = self._late.pop(0) if self._late else self.size
        self._shade = (self._shade + 1) % 200
        return True, np.full((height, width, 3), self._shade, np.uint8)

    def release(self):
        pass


@pytest.fixture
def device(tmp_path):
    node = tmp_path / "video0"
    node.touch()
    return node


@pytest.fixture
def read(device, monkeypatch, capsys):
    """Let a Reader read a driver for some frames; returns what it told, and its memory."""

    def run(driver, frames=4, still=False):
        monkeypatch.setattr(source.cv2, "VideoCapture", lambda *_: driver)
        memory = FrameMemory()
        process = Reader(Job(str(device), (1280, 960), (3264, 2448), 30, None), memory)
        if still:
            process.wanted.put(1)
        share = process._share

        def shared(picture):
            share(picture)
            if process._number == frames:
                device.unlink()  # unplugged: the driver goes on

        monkeypatch.setattr(process, "_share", shared)
        with pytest.raises(Lost) as lost:
            process._read_all()
        assert (lost.value.reason, lost.value.detail) == (Reason.NO_CAMERA, "unplugged")
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()], memory

    return run


def test_mjpg_is_asked_for_before_the_size():
    driver = Driver()
    ask_for(driver, (1280, 960), 30)
    assert driver.asked[0] == (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    says = granted(driver)
    assert (says.fourcc, says.size, says.fps) == ("MJPG", (1280, 960), 30)


def test_the_size_of_real_frames_is_told_beside_what_the_driver_claims(read):
    told, memory = read(Driver(most=(640, 480)))
    mode = told[0]["mode"]
    assert (mode["asked"], mode["says"], mode["fourcc"]) == ([1280, 960], [1280, 960], "MJPG")
    frames = [line for line in told if "frame" in line]
    assert frames[-1]["whole"] == frames[-1]["preview"] == [640, 480]
    memory.close()


def test_an_unplugged_device_is_seen_though_the_driver_repeats_its_last_frame(read):
    told, memory = read(Driver(), frames=2)
    assert max(line["frame"] for line in told if "frame" in line) <= 4
    memory.close()


def test_a_still_has_full_size_and_the_preview_goes_on_in_its_own(read):
    told, memory = read(Driver(), frames=6, still=True)
    still = next(line for line in told if "still" in line)
    assert (still["still"], still["whole"]) == (1, [3264, 2448])
    data = memory.still(1, 3264 * 2448 * 3)
    assert len(set(data[:: 3264 * 3])) == 1  # one frame, not parts of two
    assert [line["preview"] for line in told if "frame" in line][-1] == [960, 720]
    memory.wipe()
    assert memory.still(1, 3264 * 2448 * 3) is None
    memory.close()


def test_a_device_node_that_is_gone_is_no_camera(tmp_path):
    with pytest.raises(Lost, match="unplugged"):
        picture_of(Driver(), str(tmp_path / "video9"))
    with pytest.raises(Lost, match="no such device"):
        source.opened(str(tmp_path / "video9"), (1280, 960), 30)


def test_previews_fit_720p_in_either_orientation():
    for shape, wanted in (((3264, 2448), (960, 720)), ((720, 1280), (720, 1280)), ((480, 640), (480, 640))):
        assert reader.previewed(np.zeros((*shape, 3), np.uint8)).shape[:2] == wanted


async def test_the_frame_rate_is_counted_and_what_the_camera_sends_is_known(camera):
    await until(lambda: 5 < camera.fps < 30)
    assert camera.mode["sends"] == [960, 1280]
    frames = [picture.shape async for _, picture in _first(camera.frames(), 3)]
    assert frames == [(1280, 960, 3)] * 3


async def _first(stream, count):
    number = 0
    async for item in stream:
        yield number, item
        number += 1
        if number == count:
            return


async def test_a_preview_says_why_no_page_can_be_taken(camera, desk, lay):
    assert camera.preview().advice is Reason.PAGE_NOT_FOUND
    await lay("lay", paper="birth-form-1")
    assert camera.preview().advice is None
    await lay("lay_wrong", paper="birth-form-1")
    assert camera.preview().advice is Reason.PAGE_CUT_OFF


def test_the_other_cameras_are_absent_unless_configured(tmp_path):
    path = tmp_path / "kiosk.toml"
    path.write_text('[card_camera]\nsource = "/dev/kiosk/card-camera"\nstill_width = 1920\n')
    settings = load(path, {})
    assert isinstance(settings.card_camera, CardCameraSettings)
    assert (settings.card_camera.source, settings.card_camera.still_width) == ("/dev/kiosk/card-camera", 1920)
    assert settings.face_camera == FaceCameraSettings()
    assert settings.face_camera.source == ""


async def test_a_camera_of_another_role_has_a_status_of_its_own(desk):
    async with DocumentCamera(CameraSettings(source=desk.stream_url), role="card_camera") as near:
        await until(lambda: near.status.reason is Reason.OK)
        assert near.name == "card_camera"
