"""The document camera through its real process and wire: cv2 reads the simulator's stream over HTTP."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import cv2
import numpy as np

from hardware.camera import DocumentCamera
from hardware.simulators.papers import PAPERS, drawn
from kiosk.config import CameraSettings
from kiosk.dossier import Page
from kiosk.health import Level, Reason
from processes import children, shared_memory
from waiting import until


def likeness(page: Page, name: str, turned: bool = False) -> float:
    """Correlation of the captured page with the drawn original, at 60 dpi; 1 is the same."""
    taken = cv2.imdecode(np.frombuffer(page.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    original = cv2.cvtColor(drawn(name), cv2.COLOR_RGB2GRAY)
    size = (original.shape[1] // 5, original.shape[0] // 5)
    pair = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32) for picture in (taken, original)]
    if turned:
        pair[0] = pair[0][::-1, ::-1].copy()
    return float(cv2.matchTemplate(*pair, cv2.TM_CCOEFF_NORMED)[0, 0])


def reader_of(camera: DocumentCamera) -> int:
    """The process that reads the camera: the child that holds its memory."""
    [pid] = children("hardware.camera.reader")
    return pid


async def test_every_paper_is_found_flattened_and_told_its_size(camera, desk, lay):
    for name in PAPERS:
        await lay("lay", paper=name)
        truth = np.array(desk.state()["outline"])
        frame = camera.preview()
        off = np.hypot(*((np.array(frame.outline) - truth) * (frame.width, frame.height)).T)
        assert off.max() < 0.01 * np.hypot(frame.width, frame.height), name

        page = await camera.capture()
        assert isinstance(page, Page), (name, page)
        height_mm, width_mm = (pixels * 25.4 / 300 for pixels in drawn(name).shape[:2])
        assert abs(page.width / page.dpi * 25.4 - width_mm) < 0.5, name
        assert abs(page.height / page.dpi * 25.4 - height_mm) < 0.5, name
        long = np.linalg.norm((truth[3] - truth[0]) * (2448, 3264))
        assert abs(page.dpi / (long / height_mm * 25.4) - 1) < 0.03, name
        assert likeness(page, name) > 0.9, name
        assert likeness(page, name, turned=True) < 0.5, name
        assert len(page.jpeg) < 1_000_000


async def test_paper_is_white_and_seal_and_ink_keep_their_colour(camera, lay):
    await lay("lay", paper="birth-notification-1")
    page = await camera.capture()
    flat = cv2.imdecode(np.frombuffer(page.jpeg, np.uint8), cv2.IMREAD_COLOR)
    margin = max(4, page.dpi // 8)
    paper = np.median(flat[margin:-margin, margin : 3 * margin].reshape(-1, 3), axis=0)
    assert paper.min() > 250
    original = cv2.resize(cv2.cvtColor(drawn("birth-notification-1"), cv2.COLOR_RGB2BGR), (page.width, page.height))
    for colour, hue in (("red", (168, 12)), ("blue", (105, 130))):
        wanted, got = _of_hue(original, hue), _of_hue(flat, hue)
        both = (wanted & got).sum() / wanted.sum()
        assert both > 0.6, colour
        assert got.sum() < 2.5 * wanted.sum(), colour


def _of_hue(picture, hue):
    hsv = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)
    low, high = hue
    inside = (
        (hsv[..., 0] >= low) & (hsv[..., 0] <= high) if low < high else (hsv[..., 0] >= low) | (hsv[..., 0] <= high)
    )
    return inside & (hsv[..., 1] > 90) & (hsv[..., 2] > 60)


async def test_what_is_wrong_with_the_paper_is_told_apart(camera, desk, lay):
    assert (await camera.capture()).reason is Reason.PAGE_NOT_FOUND
    assert camera.preview().outline is None

    await lay("lay_wrong", paper="petition-1")
    assert (await camera.capture()).reason is Reason.PAGE_CUT_OFF
    assert camera.preview().outline is None

    await lay("lay", paper="petition-1")
    await lay("blur", on=True)
    assert (await camera.capture()).reason is Reason.PAGE_BLURRED
    await lay("blur", on=False)
    assert isinstance(await camera.capture(), Page)


async def test_a_stream_too_coarse_for_a4_is_refused_with_its_resolution(desk):
    await desk.act("lay", paper="birth-form-2")
    async with DocumentCamera(CameraSettings(source=desk.stream_url)) as camera:
        await until(lambda: camera.status.reason is Reason.OK)
        refused = await camera.capture()
        assert refused.reason is Reason.PAGE_TOO_SMALL
        assert refused.detail.endswith("dpi, at least 200 needed")
        assert 95 < int(refused.detail.split()[0]) < 101


async def test_a_stall_is_seen_soon_and_ends_by_itself(camera, desk):
    await desk.act("stall")
    await until(lambda: camera.status.reason is Reason.CAMERA_STALLED, 6)
    assert camera.status.level is Level.FAULT
    assert camera.preview() is None
    assert (await camera.capture()).reason is Reason.CAMERA_STALLED
    await desk.act("resume")
    await until(lambda: camera.status.reason is Reason.OK and camera.preview())


async def test_unplugging_is_seen_at_once_and_plugging_in_again_too(camera, desk):
    await desk.act("unplug")
    await until(lambda: camera.status.reason is Reason.NO_CAMERA)
    assert camera.status.level is Level.ABSENT
    assert (await camera.capture()).reason is Reason.NO_CAMERA
    await desk.act("plug")
    await until(lambda: camera.status.reason is Reason.OK and camera.preview())


async def test_a_reader_that_hangs_is_killed_and_replaced_while_the_screen_goes_on(camera):
    slowest, last, ticking = 0.0, time.monotonic(), True

    async def tick():
        nonlocal slowest, last
        while ticking:
            await asyncio.sleep(0.01)
            slowest, last = max(slowest, time.monotonic() - last), time.monotonic()

    ticker = asyncio.create_task(tick())
    hung = reader_of(camera)
    os.kill(hung, signal.SIGSTOP)
    await until(lambda: camera.status.reason is Reason.CAMERA_STALLED)
    camera.forget()
    await until(lambda: camera.status.reason is Reason.OK and camera.preview(), 20)
    ticking = False
    await ticker
    assert not Path(f"/proc/{hung}").exists()
    assert reader_of(camera) != hung
    assert slowest < 1.0


async def test_frame_numbers_go_on_when_the_reader_is_replaced(camera):
    before = camera.preview().number
    os.kill(reader_of(camera), signal.SIGKILL)
    await until(lambda: camera.preview() is None)
    await until(lambda: camera.preview())
    assert camera.preview().number > before


async def test_no_camera_at_start_is_a_status_and_it_may_come_later():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/stream.mjpg"
        async with DocumentCamera(CameraSettings(source=url)) as camera:
            await until(lambda: camera.status.reason is Reason.NO_CAMERA)
            assert camera.preview() is None
    async with DocumentCamera(CameraSettings(source="/dev/kiosk/no-such-camera")) as camera:
        await until(lambda: camera.status.reason is Reason.NO_CAMERA)
        assert "no such device" in camera.status.detail
    async with DocumentCamera(CameraSettings(source="")) as camera:
        assert camera.status.reason is Reason.NOT_CONFIGURED


async def test_forgotten_frames_are_gone_from_memory(camera, desk, lay):
    """The sheet lay in the shared memory; after `forget` every byte there is zero, even if no new frame comes."""
    await lay("lay", paper="marriage-certificate-1")
    os.kill(reader_of(camera), signal.SIGSTOP)
    memory = camera._memory
    assert any(os.pread(memory.fd, os.fstat(memory.fd).st_size, 0))
    frame = camera.preview()
    camera.forget()
    assert camera.preview() is None
    assert not any(os.pread(memory.fd, os.fstat(memory.fd).st_size, 0))
    assert os.fstat(memory.fd).st_blocks == 0
    assert "rgb" not in repr(frame)


async def test_after_forgetting_only_what_lies_there_now_is_shown(camera, desk, lay):
    await lay("lay", paper="marriage-certificate-1")
    last = camera.preview().number
    await desk.act("clear")
    camera.forget()
    assert camera.preview() is None
    await until(lambda: camera.preview())
    assert camera.preview().number > last
    await until(lambda: camera.preview().outline is None)


async def test_stopping_leaves_no_process_no_memory_and_nothing_in_dev_shm(desk):
    before = shared_memory()
    camera = DocumentCamera(CameraSettings(source=desk.stream_url, still=desk.still_url))
    await camera.start()
    await until(lambda: camera.preview())
    pid, fd = reader_of(camera), camera._memory.fd
    assert shared_memory() <= before
    held = os.fstat(fd).st_ino
    await camera.stop()
    assert not Path(f"/proc/{pid}").exists()
    assert held not in [link.stat().st_ino for link in Path("/proc/self/fd").iterdir() if link.exists()]
    assert camera.preview() is None
    await camera.start()
    await until(lambda: camera.preview())
    await camera.stop()


async def test_a_still_that_is_no_picture_or_never_ends_is_a_clear_failure(desk):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + answers.pop(0))
        await writer.drain()
        writer.close()

    answers = [b"\xff\xd8 not a picture", b"x" * 31_000_000]
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/still.jpg"
    async with server, DocumentCamera(CameraSettings(source=desk.stream_url, still=url)) as camera:
        await until(lambda: camera.status.usable)
        assert (await camera.capture()).detail == "the still is not a picture"
        assert (await camera.capture()).detail == "the still does not end"
